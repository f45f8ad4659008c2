//! `racetrack report`: the files of a run made again from its `run.json`, and one run beside another.

use std::path::PathBuf;

use anyhow::{Context, ensure};
use clap::{Args, Subcommand};
use reports::compare::{Verdict, compare, table};
use serde_json::json;

use crate::load;
use crate::outcome::Outcome;
use crate::output::Output;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Report {
    #[command(subcommand)]
    command: Option<Command>,
    /// A run directory, or the run.json in one
    #[arg(required = true)]
    run: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say which percentiles of run B differ from those of run A; exit 1 when one is slower
    Compare(Compare),
}

#[derive(Debug, Args)]
struct Compare {
    /// The run to compare with
    a: PathBuf,
    /// The run that is judged
    b: PathBuf,
}

impl Report {
    pub(crate) fn run(&self, output: &Output) -> anyhow::Result<Outcome> {
        if let Some(Command::Compare(compare)) = &self.command {
            return compare.run(output);
        }
        let run = self.run.as_ref().context("a run is required")?;
        let run = reports::read_run(run)?;
        let written = reports::write_run(&run, &output.dir("report"))?;
        output.result(&load::describe(&run, &written), || json!({ "report": written.report }));
        Ok(load::outcome(&run))
    }
}

impl Compare {
    fn run(&self, output: &Output) -> anyhow::Result<Outcome> {
        let (a, b) = (reports::read_run(&self.a)?, reports::read_run(&self.b)?);
        let compared = compare(&a, &b);
        ensure!(
            !compared.is_empty(),
            "{} and {} have no transport in common of which both know a percentile",
            self.a.display(),
            self.b.display()
        );
        output.result(&table(&compared), || json!({ "percentiles": compared }));
        let is = |verdict| compared.iter().any(|it| it.verdict == verdict);
        Ok(match () {
            () if is(Verdict::Slower) => Outcome::Bad,
            () if is(Verdict::Undecided) => Outcome::Invalid,
            () => Outcome::Good,
        })
    }
}
