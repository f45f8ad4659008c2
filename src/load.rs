//! `racetrack load`: real clients against a real server, and the report of it.

use std::path::Path;

use anyhow::Context;
use clap::Args;
use indicatif::ProgressBar;
use loadtest::{Options, Phase, Progress};
use reports::run::{Run, SCHEMA, Series, SimulationSummary};
use reports::verdict::Standing;
use reports::{Summary, Written};
use serde_json::{Map, Value, json};

use crate::outcome::Outcome;
use crate::output::{self, Output};
use crate::{environment, runtime};

#[derive(Debug, Args)]
pub(crate) struct Load {
    #[command(flatten)]
    options: Options,
}

impl Load {
    pub(crate) fn run(&self, output: &Output) -> anyhow::Result<Outcome> {
        let dir = output.dir("load");
        reports::check_writable(&dir)?;
        let run = measure(&self.options, None)?;
        let written = reports::write_run(&run, &dir)?;
        output.result(&describe(&run, &written), || to_json(&run, &dir));
        Ok(outcome(&run))
    }
}

/// Runs the load suite and makes a run of it.
pub(crate) fn measure(
    options: &Options,
    simulation: Option<SimulationSummary>,
) -> anyhow::Result<Run> {
    let started_at = format!("{:.0}", jiff::Timestamp::now());
    let program = std::env::current_exe().context("this program has no path")?;
    let options =
        Options { server_command: vec![program.into(), "serve".into()], ..options.clone() };
    let series = run_series(&options)?;
    Ok(Run {
        schema: SCHEMA,
        command: environment::command_line(),
        started_at,
        seed: options.seed,
        environment: environment::environment(),
        simulation,
        series,
    })
}

fn run_series(options: &Options) -> anyhow::Result<Vec<Series>> {
    let bar = output::progress(1, "loading");
    let series = runtime()?.block_on(loadtest::run(options, |progress| show(&bar, progress)));
    bar.finish_and_clear();
    Ok(series?)
}

fn show(bar: &ProgressBar, Progress { transport, phase }: Progress) {
    let (position, length, what) = match phase {
        Phase::Starting => (0, 1, "starting the server".to_owned()),
        Phase::Connecting { connected, paired, users } => {
            (connected + paired, 2 * users, "connecting".to_owned())
        }
        Phase::Settling => (0, 1, "settling".to_owned()),
        Phase::Measuring { elapsed, duration, sent, received } => {
            let what = format!("measuring: {sent} sent, {received} received");
            (elapsed.as_millis() as u64, duration.as_millis() as u64, what)
        }
        Phase::Draining { open } => (0, open, format!("waiting for {open} messages")),
        Phase::Finished => (1, 1, "done".to_owned()),
    };
    bar.set_length(length);
    bar.set_position(position);
    bar.set_message(format!("{transport}: {what}"));
}

/// The table, the verdict, and where the files are.
pub(crate) fn describe(run: &Run, written: &Written) -> String {
    let table = reports::comparison_table(run);
    let verdict = reports::verdict(run).text();
    format!("{table}\n\n{verdict}\n\nreport: {}", written.report.display())
}

pub(crate) fn to_json(run: &Run, dir: &Path) -> Value {
    let transports: Map<_, _> = reports::summaries(run)
        .into_iter()
        .map(|summary: Summary| {
            let row = serde_json::to_value(&summary).expect("a summary is plain data");
            (summary.transport, row)
        })
        .collect();
    json!({ "transports": transports, "out": dir })
}

pub(crate) fn outcome(run: &Run) -> Outcome {
    match reports::verdict(run).standing {
        Standing::Good => Outcome::Good,
        Standing::Invalid => Outcome::Invalid,
        Standing::Failed | Standing::Empty => Outcome::Bad,
    }
}
