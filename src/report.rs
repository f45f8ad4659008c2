//! `racetrack report`: the files of a run made again from its `run.json`, one run beside another, and
//! the runs of several generators as one.

use std::path::PathBuf;

use anyhow::{Context, ensure};
use clap::{Args, Subcommand};
use reports::compare;
use reports::merge::merge;
use reports::verdict::Standing;
use serde_json::json;

use crate::environment;
use crate::help;
use crate::load;
use reports::cli::outcome::Outcome;
use reports::cli::output::{self, Output};

/// The file of a comparison.
const PAGE: &str = "compare.html";

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
    /// Say which percentiles of run B differ from those of run A, as a table and a page; exit 1 when
    /// one is slower
    #[command(after_long_help = help::COMPARE)]
    Compare(Compare),
    /// Make one run of those of several generators (`load --shard`), and account for what went
    /// from one to another
    #[command(after_long_help = help::MERGE)]
    Merge(Merge),
}

#[derive(Debug, Args)]
struct Merge {
    /// The run of each shard: its directory, or the run.json in it
    #[arg(required = true)]
    runs: Vec<PathBuf>,
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
        match &self.command {
            Some(Command::Compare(compare)) => compare.run(output),
            Some(Command::Merge(merge)) => merge.run(output),
            None => {
                let run = self.run.as_ref().context("a run is required")?;
                let run = reports::read_run(run)?;
                let written = reports::write_run(&run, &output.dir("report")).whole()?;
                let json = || load::to_json(&run, &written);
                output.result(&load::describe(&run, &written), json)?;
                Ok(load::outcome(&run))
            }
        }
    }
}

impl Merge {
    fn run(&self, output: &Output) -> anyhow::Result<Outcome> {
        let read = |path: &PathBuf| Ok((path.display().to_string(), reports::read_run(path)?));
        let runs = self.runs.iter().map(read).collect::<anyhow::Result<Vec<_>>>()?;
        let run = merge(&runs, environment::command_line())?;
        let written = reports::write_run(&run, &output.dir("merge")).whole()?;
        output.result(&load::describe(&run, &written), || load::to_json(&run, &written))?;
        Ok(load::outcome(&run))
    }
}

impl Compare {
    fn run(&self, output: &Output) -> anyhow::Result<Outcome> {
        let (a, b) = (reports::read_run(&self.a)?, reports::read_run(&self.b)?);
        let compared = compare::compare(&a, &b);
        ensure!(
            !compared.is_empty(),
            "{} and {} have no transport in common of which both know a percentile",
            self.a.display(),
            self.b.display()
        );
        let names = [&self.a, &self.b].map(|path| path.display().to_string());
        let page = compare::page(names.each_ref().map(String::as_str), (&a, &b), &compared);
        let page = output::write(&output.dir("compare"), PAGE, &page.into_string())?;
        let notes = compare::notes(&a, &b);
        let human = compare::describe(&compared, &notes);
        let human = format!("{human}\nreport: {}", page.display());
        let json = || json!({ "percentiles": compared, "notes": notes, "report": page });
        output.result(&human, json)?;
        Ok(match compare::standing(&compared) {
            Standing::Good => Outcome::Good,
            Standing::Failed => Outcome::Bad,
            Standing::Invalid | Standing::Empty => Outcome::Invalid,
        })
    }
}
