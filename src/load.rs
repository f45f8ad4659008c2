//! `racetrack load`: real clients against a real server, and the report of it.

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::{Args, Subcommand};
use loadtest::cores::Cores;
use loadtest::peer::{self, Peer};
use loadtest::repeat::repeat;
use loadtest::search::Goal;
use loadtest::{LoadError, Measured, Options, Span, Trial};
use reports::knee::{self, Knee};
use reports::run::{Failure, Run, SCHEMA, Series, SimulationSummary};
use reports::slo::{self, Slo};
use reports::verdict::Standing;
use reports::{Summary, Written, invalid};
use serde_json::{Map, Value, json};
use server::config::ListenAddress;
use tracing_subscriber::EnvFilter;

use crate::checkout;
use crate::progress::Meter;
use crate::prometheus::Exporter;
use crate::{environment, help, runtime, search, selftest};
use reports::cli::outcome::Outcome;
use reports::cli::output::{self, Claim, Output};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Load {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    options: Options,
    /// An objective, as 'websocket p99 < 20ms' or 'lost = 0'; exit 1 when one is broken (repeatable)
    #[arg(long = "slo", value_name = "EXPR")]
    slos: Vec<Slo>,
    /// Find the most that each transport carries while p99 is within --p99-max: the highest rate,
    /// or the most people; from the --rate or --users that are given, to 5 %
    #[arg(long, value_name = "rate|people", num_args = 0..=1, default_missing_value = "rate",
        conflicts_with_all = ["repeat", "start_at"])]
    search: Option<knee::Load>,
    /// What p99 may be in a search
    #[arg(long, value_name = "TIME", default_value = "50ms", requires = "search")]
    p99_max: Span,
    /// Serve what the run is at as `GET /metrics` there, in Prometheus' text format, while it goes on
    #[arg(long, value_name = "HOST:PORT")]
    prometheus: Option<ListenAddress>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Hold the ruler against known lengths: injected delays and a freeze; about two minutes
    #[command(after_long_help = help::SELFTEST)]
    Selftest,
}

impl Load {
    pub(crate) fn run(&self, output: &Output) -> anyhow::Result<Outcome> {
        if let Some(Command::Selftest) = self.command {
            return selftest::run(output);
        }
        self.options.validate()?;
        self.check_objectives()?;
        if let Some(load) = self.search {
            loadtest::search::check(&self.options, self.goal(load)?)?;
        }
        let mut options = match self.options.peer {
            Some(peer) => beside(peer, &self.options)?,
            None => self.options.clone(),
        };
        let dir = output.dir("load");
        let exporter = self.prometheus.as_ref().map(Exporter::start).transpose()?;
        let claim = Claim::on(dir.clone())?;
        if let Some(exporter) = &exporter {
            options.board = Arc::clone(&exporter.board);
        }
        let run = match self.search {
            Some(load) => search::run(&options, self.goal(load)?)?,
            None => measure(&options, None, 0)?,
        };
        claim.keep();
        let run = Run { slos: self.slos.clone(), ..run };
        let written = reports::write_run(&run, &dir);
        output.result(&describe(&run, &written), || to_json(&run, &written))?;
        Ok(outcome(&run).max(all_written(&written)))
    }

    fn goal(&self, load: knee::Load) -> anyhow::Result<Goal> {
        let allowed = Duration::from_millis(1)..=Duration::from_secs(60);
        let p99_max = self.p99_max.0;
        ensure!(allowed.contains(&p99_max), "--p99-max {}: 1ms to 1m", self.p99_max);
        Ok(Goal { load, p99_us_max: p99_max.as_micros() as u64 })
    }

    /// An objective that nothing could keep or break would pass unseen.
    fn check_objectives(&self) -> anyhow::Result<()> {
        let named = self.slos.iter().filter_map(|slo| Some((slo, slo.transport()?)));
        for (slo, name) in named {
            let known = self.options.trials().iter().any(|trial| *trial.label == *name);
            ensure!(known, "--slo '{slo}': `{name}` is none of the transports of this run");
        }
        Ok(())
    }
}

/// The options with what it takes to measure a peer beside ours: its command, and a core each for
/// server and generator. What runs on our server alone is told.
fn beside(peer: Peer, options: &Options) -> anyhow::Result<Options> {
    let root = checkout::root(peer::FOLDER, "--peer")?;
    let peer_command = peer.command(&root.join(peer::FOLDER))?;
    let cores = Some(Cores::choose()?);
    let alone = options.ours_alone();
    if !alone.is_empty() {
        let alone = alone.join(", ");
        output::warn(&format!("{peer} does not speak {alone}: only racetrack is measured there"));
    }
    Ok(Options { peer_command, cores, ..options.clone() })
}

/// Runs the load suite and makes a run of it. A transport whose figures are not valid, because
/// something else used the machine, is measured again, `again_max` times in all; what was
/// thrown away is said in the run.
pub(crate) fn measure(
    options: &Options,
    simulation: Option<SimulationSummary>,
    again_max: usize,
) -> anyhow::Result<Run> {
    let (run, options) = prepared(options)?;
    let part = options.part()?;
    let Measured { series, failures, interrupted } = run_series(&options, again_max)?;
    Ok(Run { simulation, interrupted, failures, part, series, ..run })
}

/// A run of which nothing has been measured yet, and the options to measure it with. From here on
/// this process leaves the server's core to the server, where each has one.
pub(crate) fn prepared(options: &Options) -> anyhow::Result<(Run, Options)> {
    quieten_goose();
    // What the environment is must be asked before there is but one core to see.
    let run = begun(options);
    if let Some(cores) = options.cores {
        cores.enter_generator().context("cannot move to a core")?;
    }
    Ok((run, Options { server_command: server_command()?, ..options.clone() }))
}

/// A run of which nothing has been measured yet.
fn begun(options: &Options) -> Run {
    Run {
        schema: SCHEMA,
        command: environment::command_line(),
        started_at: format!("{:.0}", jiff::Timestamp::now()),
        seed: options.seed,
        environment: environment::environment(),
        simulation: None,
        target: options.target.clone(),
        slos: Vec::new(),
        interrupted: false,
        failures: Vec::new(),
        part: None,
        generators: Vec::new(),
        series: Vec::new(),
        knees: Vec::new(),
    }
}

/// The command that starts a server: this program.
pub(crate) fn server_command() -> anyhow::Result<Vec<OsString>> {
    let program = std::env::current_exe().context("this program has no path")?;
    Ok(vec![program.into(), "serve".into()])
}

/// Goose would set up a logger of its own, on standard output, if there were no subscriber.
pub(crate) fn quieten_goose() {
    let _is_set_already = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| "error".into()))
        .with_ansi(output::has_colours())
        .with_writer(std::io::stderr)
        .try_init();
}

fn run_series(options: &Options, mut again_max: usize) -> anyhow::Result<Measured> {
    let runtime = runtime()?;
    let meter = Meter::new();
    let measure = |trials: &[Trial]| {
        runtime.block_on(repeat(options, trials, |progress| meter.show(progress)))
    };
    let trials = options.trials();
    let mut all = measure(&trials)?;
    for one in &mut all.series {
        // A lost message is a result, and no second measurement makes it good.
        while !all.interrupted
            && !one.invalid.is_empty()
            && one.messages.all_accounted_for()
            && again_max > 0
        {
            again_max -= 1;
            let same = trials.iter().filter(|trial| *trial.label == *one.transport);
            let second = measure(&same.cloned().collect::<Vec<_>>());
            let second = match second {
                Err(LoadError::Interrupted) => {
                    Measured { interrupted: true, ..Measured::default() }
                }
                Err(error) => {
                    let transport = one.transport.clone();
                    let failure = Failure { transport, why: error.to_string() };
                    Measured { failures: vec![failure], ..Measured::default() }
                }
                Ok(second) => second,
            };
            all.interrupted |= second.interrupted;
            all.failures.extend(second.failures);
            match second.series.into_iter().next().filter(|_| !second.interrupted) {
                // The one before is better than none.
                None => break,
                Some(second) => {
                    let mut discarded = std::mem::take(&mut one.discarded);
                    discarded.push(invalid::text_of(&one.invalid));
                    *one = Series { discarded, ..second };
                }
            }
        }
    }
    meter.end();
    Ok(all)
}

/// The table, the verdict, and where the files are.
pub(crate) fn describe(run: &Run, written: &Written) -> String {
    let table = reports::comparison_table(run);
    match written.files.contains(&written.report) {
        true => format!("{table}\nreport: {}", written.report.display()),
        false => table,
    }
}

/// Says which files could not be written, after everything that was measured was told.
pub(crate) fn all_written(written: &Written) -> Outcome {
    written.unwritten.iter().for_each(|error| output::fail(crate::PROGRAM, &error.to_string()));
    if written.unwritten.is_empty() { Outcome::Good } else { Outcome::Bad }
}

pub(crate) fn to_json(run: &Run, written: &Written) -> Value {
    let transports: Map<_, _> = reports::summaries(run)
        .into_iter()
        .map(|summary: Summary| {
            let row = serde_json::to_value(&summary).expect("a summary is plain data");
            (summary.transport, row)
        })
        .collect();
    let mut object = json!({
        "transports": transports,
        "slos": slo::judge(run),
        "failures": run.failures,
        "advice": reports::verdict(run).advice,
        "report": written.report,
        "out": written.dir,
    });
    if !run.knees.is_empty() {
        object["knees"] = run.knees.iter().map(knee_to_json).collect();
    }
    object
}

/// What was found, and every probe.
fn knee_to_json(knee: &Knee) -> Value {
    let mut object = serde_json::to_value(knee).expect("a search is plain data");
    object["found"] = json!(knee.found().map(|probe| probe.load));
    object["limit"] = json!(knee.limit());
    object
}

pub(crate) fn outcome(run: &Run) -> Outcome {
    match reports::verdict(run).standing {
        Standing::Good => Outcome::Good,
        Standing::Invalid => Outcome::Invalid,
        Standing::Failed | Standing::Empty => Outcome::Bad,
    }
}

#[cfg(test)]
mod tests {
    use reports::knee::{Outcome as Held, Probe};

    use super::*;
    use crate::schema;

    #[test]
    fn a_search_is_printed_as_the_schema_says() {
        let probe = |load, p99_us, outcome| Probe {
            load,
            users: 10,
            offered_per_s: load,
            achieved_per_s: load,
            p50_us: p99_us,
            p99_us,
            outcome,
            why: String::new(),
            causes: Vec::new(),
        };
        let probes = vec![probe(10.0, Some(900), Held::Held), probe(20.0, None, Held::Broken)];
        let found =
            Knee { transport: "sse".to_owned(), load: knee::Load::Rate, p99_us_max: 1_000, probes };
        let nothing = Knee { load: knee::Load::People, probes: Vec::new(), ..found.clone() };
        let knees = [found, nothing].map(|knee| knee_to_json(&knee));
        let run = json!({ "transports": {}, "slos": [], "failures": [], "advice": [], "report": "", "out": "", "knees": knees });
        schema::check("load", &output::versioned(run));
    }
}
