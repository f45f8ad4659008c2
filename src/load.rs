//! `racetrack load`: real clients against a real server, and the report of it.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, ensure};
use clap::{Args, Subcommand};
use loadtest::{LoadError, Measured, Options};
use reports::run::{Run, SCHEMA, SimulationSummary};
use reports::slo::{self, Slo};
use reports::verdict::Standing;
use reports::{Summary, Written};
use serde_json::{Map, Value, json};
use tracing_subscriber::EnvFilter;

use crate::outcome::Outcome;
use crate::output::Output;
use crate::progress::Meter;
use crate::prometheus::Exporter;
use crate::{environment, runtime, selftest};

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
    /// Serve what the run is at as `GET /metrics` there, in Prometheus' text format, while it goes on
    #[arg(long, value_name = "HOST:PORT")]
    prometheus: Option<SocketAddr>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Hold the ruler against known lengths: injected delays and a freeze; about a minute
    Selftest,
}

impl Load {
    pub(crate) fn run(&self, output: &Output) -> anyhow::Result<Outcome> {
        if let Some(Command::Selftest) = self.command {
            return selftest::run(output);
        }
        self.options.validate()?;
        self.check_objectives()?;
        let dir = output.dir("load");
        let exporter = self.prometheus.map(Exporter::start).transpose()?;
        reports::check_writable(&dir)?;
        let mut options = self.options.clone();
        if let Some(exporter) = &exporter {
            options.board = Arc::clone(&exporter.board);
        }
        let run = Run { slos: self.slos.clone(), ..measure(&options, None, 0)? };
        let written = reports::write_run(&run, &dir)?;
        output.result(&describe(&run, &written), || to_json(&run, &dir));
        Ok(outcome(&run))
    }

    /// An objective that nothing could keep or break would pass unseen.
    fn check_objectives(&self) -> anyhow::Result<()> {
        let named = self.slos.iter().filter_map(|slo| Some((slo, slo.transport()?)));
        for (slo, name) in named {
            let known = self.options.transports.iter().any(|transport| transport.name() == name);
            ensure!(known, "--slo '{slo}': `{name}` is none of the transports of this run");
        }
        Ok(())
    }
}

/// Runs the load suite and makes a run of it. A transport whose figures are not valid, because
/// something else used the machine, is measured again, `again_max` times in all; what was
/// thrown away is said in the run.
pub(crate) fn measure(
    options: &Options,
    simulation: Option<SimulationSummary>,
    again_max: usize,
) -> anyhow::Result<Run> {
    let started_at = format!("{:.0}", jiff::Timestamp::now());
    let options = Options { server_command: server_command()?, ..options.clone() };
    let part = options.part()?;
    let Measured { series, interrupted } = run_series(&options, again_max)?;
    Ok(Run {
        schema: SCHEMA,
        command: environment::command_line(),
        started_at,
        seed: options.seed,
        environment: environment::environment(),
        simulation,
        slos: Vec::new(),
        interrupted,
        part,
        generators: Vec::new(),
        series,
    })
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
        .with_writer(std::io::stderr)
        .try_init();
}

fn run_series(options: &Options, mut again_max: usize) -> anyhow::Result<Measured> {
    quieten_goose();
    let runtime = runtime()?;
    let meter = Meter::new();
    let measure = |options: &Options| {
        runtime.block_on(loadtest::run(options, |progress| meter.show(progress)))
    };
    let mut all = measure(options)?;
    for one in &mut all.series {
        // A lost message is a result, and no second measurement makes it good.
        while !all.interrupted
            && !one.invalid.is_empty()
            && one.messages.all_accounted_for()
            && again_max > 0
        {
            again_max -= 1;
            let transport = one.transport.parse().map_err(anyhow::Error::msg)?;
            let again = Options { transports: vec![transport], ..options.clone() };
            match measure(&again) {
                Ok(mut second) if !second.interrupted => {
                    let mut discarded = std::mem::take(&mut one.discarded);
                    discarded.push(one.invalid.join("; "));
                    *one = second.series.remove(0);
                    one.discarded = discarded;
                }
                // The one before is better than none.
                Ok(_) | Err(LoadError::Interrupted) => all.interrupted = true,
                Err(error) => return Err(error.into()),
            }
        }
    }
    meter.end();
    Ok(all)
}

/// The table, the verdict, and where the files are.
pub(crate) fn describe(run: &Run, written: &Written) -> String {
    let table = reports::comparison_table(run);
    format!("{table}\nreport: {}", written.report.display())
}

pub(crate) fn to_json(run: &Run, dir: &Path) -> Value {
    let transports: Map<_, _> = reports::summaries(run)
        .into_iter()
        .map(|summary: Summary| {
            let row = serde_json::to_value(&summary).expect("a summary is plain data");
            (summary.transport, row)
        })
        .collect();
    json!({ "transports": transports, "slos": slo::judge(run), "out": dir })
}

pub(crate) fn outcome(run: &Run) -> Outcome {
    match reports::verdict(run).standing {
        Standing::Good => Outcome::Good,
        Standing::Invalid => Outcome::Invalid,
        Standing::Failed | Standing::Empty => Outcome::Bad,
    }
}
