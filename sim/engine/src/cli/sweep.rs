//! The command without a name: sweep many seeds, or show one.

use std::path::PathBuf;

use anyhow::ensure;
use clap::Args;
use reports::Seeds;
use reports::cli::{Outcome, Output};

use super::CommandLine;
use super::show::{Files, show};
use super::shrink::first_of_each_kind;
use super::size::RunSize;
use super::swept::Swept;
use crate::fault::FaultType;
use crate::model::Model;
use crate::options::Options;
use crate::shrink::Limits;
use crate::sweep::cores;

/// No machine has more cores.
const JOBS_MAX: usize = 1_024;

/// Which seeds, and what is shown of them.
#[derive(Debug, Args)]
pub struct SweepArgs<F: FaultType> {
    /// The seeds to sweep
    #[arg(long, value_name = "A..B", default_value = "0..200", conflicts_with = "seed")]
    seeds: Seeds,
    /// One seed, with its transcript
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    #[command(flatten)]
    size: RunSize<F>,
    /// Threads [default: one a core]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Stop at the first seed that fails
    #[arg(long, conflicts_with = "seed")]
    first: bool,
    /// Draw the run of the one seed as a page
    #[arg(long, value_name = "FILE", requires = "seed")]
    html: Option<PathBuf>,
    /// Write what the run of the one seed logged with tracing
    #[arg(long, value_name = "FILE", requires = "seed")]
    log: Option<PathBuf>,
    /// Runs to shrink the first failure of each kind; 0 leaves the plans as they are
    #[arg(long, value_name = "N", default_value_t = 1_000, conflicts_with = "seed")]
    shrink_runs: u64,
    /// Fail when a rare state was never reached
    #[arg(long, conflicts_with = "seed")]
    require_coverage: bool,
    /// List each kind of fault and each rare state with its count
    #[arg(long, short, conflicts_with = "seed")]
    verbose: bool,
}

impl<F: FaultType> SweepArgs<F> {
    pub(super) fn run<M: Model<Fault = F>>(
        &self,
        cli: &CommandLine<M>,
        output: &Output,
    ) -> anyhow::Result<Outcome> {
        let options = self.size.options(&cli.model)?;
        let jobs = threads(self.jobs)?;
        match self.seed {
            Some(seed) => {
                let plan = cli.generate(seed, &options)?;
                let files = Files { html: self.html.as_deref(), log: self.log.as_deref() };
                show(cli, &plan, &format!("seed {seed}"), files, output)
            }
            None => self.sweep(cli, &options, jobs, output),
        }
    }

    fn sweep<M: Model<Fault = F>>(
        &self,
        cli: &CommandLine<M>,
        options: &Options<F>,
        jobs: usize,
        output: &Output,
    ) -> anyhow::Result<Outcome> {
        cli.generate(self.seeds.0.start, options)?;
        output.check_out()?;
        let swept = Swept::run(&cli.model, &self.seeds, options, jobs, self.first)?;
        let dir = output.dir("sim");
        swept.write_plans(&dir)?;
        let limits = Limits { runs_max: self.shrink_runs, jobs, ..Limits::default() };
        let failures = if self.shrink_runs == 0 { &[] } else { swept.failures() };
        let (smallest, shrunk) = first_of_each_kind(cli, failures, &limits, &dir)?;
        let unreached = self.require_coverage && !swept.missing().is_empty();
        let complaint = if unreached {
            "\nFAILED: --require-coverage asks for every rare state, and some were never reached\n"
        } else {
            ""
        };
        let details = match (self.verbose, unreached) {
            (true, _) => swept.describe_faults() + &swept.describe_coverage(),
            (false, true) => swept.describe_missing(),
            (false, false) => String::new(),
        };
        let text = format!(
            "{}{details}{}{smallest}{complaint}",
            swept.describe(),
            swept.describe_failures(cli, &dir)
        );
        output.result(&text, || {
            let mut json = swept.to_json(&dir);
            json["shrunk"] = shrunk.into();
            json
        })?;
        Ok(if unreached { Outcome::Bad } else { swept.outcome() })
    }
}

/// The threads that are asked for, or one a core.
pub(super) fn threads(jobs: Option<usize>) -> anyhow::Result<usize> {
    let jobs = jobs.unwrap_or_else(cores);
    ensure!((1..=JOBS_MAX).contains(&jobs), "--jobs {jobs}: 1 to {JOBS_MAX} threads can run");
    Ok(jobs)
}
