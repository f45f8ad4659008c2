//! `shrink`: the smallest plan with the same failure signature, and where the nearest one that passes diverges from it.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::ensure;
use clap::Args;
use reports::cli::bar::Bar;
use reports::cli::{Outcome, Output, output};
use serde_json::{Value, json};

use super::CommandLine;
use super::diff::describe_divergence;
use super::show::{Subject, write_page};
use super::size::RunSize;
use super::sweep::threads;
use crate::diff;
use crate::fault::FaultType;
use crate::model::Model;
use crate::report::Report;
use crate::run::run;
use crate::shrink::{self, Limits, Shrunk, Size};
use crate::summary::planned;
use crate::sweep::Failure;
use crate::transcript::brief;
use crate::violation::STANDSTILL;

/// Why a run that stands still is left as it is.
const CANNOT_SHRINK: &str = "its run never ends, so each try would take seconds and keep a core; its failure \
                             names the place where it stands still";
/// Kinds of failures that a sweep shrinks one of.
const KINDS_MAX: usize = 3;

/// Which plan, and how long.
#[derive(Debug, Args)]
pub struct Shrink<F: FaultType> {
    /// The plan, as a failing sweep writes it
    #[arg(required_unless_present = "seed", conflicts_with = "seed")]
    file: Option<PathBuf>,
    /// The plan of this seed
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    #[command(flatten)]
    size: RunSize<F>,
    /// Runs at most
    #[arg(long, value_name = "N", default_value_t = Limits::default().runs_max,
        value_parser = clap::value_parser!(u64).range(1..))]
    runs: u64,
    /// Threads; the result does not depend on it [default: one a core]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
}

impl<F: FaultType> Shrink<F> {
    pub(super) fn run<M: Model<Fault = F>>(
        &self,
        cli: &CommandLine<M>,
        output: &Output,
    ) -> anyhow::Result<Outcome> {
        let jobs = threads(self.jobs)?;
        let subject = match (self.seed, &self.file) {
            (Some(seed), _) => Subject::Seed(seed),
            (None, file) => Subject::File(file.clone().unwrap_or_default()),
        };
        let plan = subject.plan(cli, &self.size)?;
        output.check_out()?;
        let report = run(&cli.model, &plan, false);
        ensure!(!report.trace.stands_still, "the plan cannot be shrunk: {CANNOT_SHRINK}");
        let limits = Limits { runs_max: self.runs, jobs, ..Limits::default() };
        let Some(smallest) = Smallest::of(&cli.model, &report, subject.title(cli, &plan), &limits)
        else {
            let text = "the plan does not fail: there is nothing to shrink";
            output.result(text, || json!({ "failed": false, "plan": report.plan }))?;
            return Ok(Outcome::Bad);
        };
        let files = smallest.write(&cli.model, &output.dir("shrink"))?;
        output.result(&smallest.describe(cli, &files), || smallest.to_json(cli, &files))?;
        Ok(Outcome::Good)
    }
}

/// Shrinks the first failure of each kind that a sweep found, as far as `limits` allow for each,
/// and writes what is left; returns it in words and for programs.
pub(super) fn first_of_each_kind<M: Model>(
    cli: &CommandLine<M>,
    failures: &[Failure<M>],
    limits: &Limits,
    dir: &Path,
) -> anyhow::Result<(String, Vec<Value>)> {
    let (mut text, mut values) = (String::new(), Vec::new());
    let mut kinds: Vec<&str> = Vec::new();
    for failure in failures {
        if kinds.contains(&failure.kind.as_str()) || kinds.len() == KINDS_MAX {
            continue;
        }
        kinds.push(&failure.kind);
        if failure.checker == STANDSTILL {
            let _infallible =
                writeln!(text, "\nseed {} is not shrunk: {CANNOT_SHRINK}", failure.seed);
            continue;
        }
        let report = run(&cli.model, &failure.plan, false);
        let origin = format!("seed {}", failure.seed);
        if let Some(smallest) = Smallest::of(&cli.model, &report, origin, limits) {
            let files = smallest.write(&cli.model, dir)?;
            text += &smallest.describe(cli, &files);
            values.push(smallest.to_json(cli, &files));
        }
    }
    Ok((text, values))
}

/// A shrunk plan, its run, and the run of its nearest neighbour that passes.
struct Smallest<M: Model> {
    /// What was shrunk: a seed, or the name of a file.
    origin: String,
    /// The seed of what was shrunk. The smallest plan may have another one.
    seed: u64,
    kind: String,
    shrunk: Shrunk<M>,
    report: Report<M>,
    passing: Option<Report<M>>,
}

/// Where a shrunk plan is.
struct Files {
    plan: PathBuf,
    page: PathBuf,
}

impl<M: Model> Smallest<M> {
    fn of(model: &M, report: &Report<M>, origin: String, limits: &Limits) -> Option<Self> {
        let kind = shrink::signature(model, report, report.violations.first()?);
        let bar = Bar::new(limits.runs_max, "shrinking, in runs");
        let shrunk = shrink::shrink_failure(model, report, limits, |runs| bar.set_position(runs));
        bar.end();
        let shrunk = shrunk?;
        let mut smallest = run(model, &shrunk.plan, false);
        // What was kept comes first, whatever else is wrong with the smallest plan.
        let is_other = |found: &_| shrink::signature(model, &smallest, found) != kind;
        let mut violations = smallest.violations.clone();
        violations.sort_by_key(is_other);
        smallest.violations = violations;
        let passing = diff::nearest(model, &smallest, &shrunk.passing);
        Some(Self { origin, seed: report.plan.seed, kind, shrunk, report: smallest, passing })
    }

    fn write(&self, model: &M, dir: &Path) -> anyhow::Result<Files> {
        let name = shrink::file_stem(&self.kind);
        let plan = output::write(dir, &format!("{name}.json"), &self.shrunk.plan.to_json())?;
        let title = format!("{name}, shrunk from {}", self.origin);
        let page = write_page(model, &self.report, &title, &dir.join(format!("{name}.html")))?;
        Ok(Files { plan, page })
    }

    fn describe(&self, cli: &CommandLine<M>, files: &Files) -> String {
        let Size { steps, clients, faults } = self.shrunk.before;
        let after = self.shrunk.after;
        let end = if self.shrunk.is_minimal {
            "nothing more can be taken away"
        } else {
            "the runs were used up before it was the smallest"
        };
        let mut text = format!(
            "\n{} shrunk in {} runs: {steps} steps to {}, {clients} clients to {}, {faults} \
             faults to {}; {end}\n\n",
            self.origin, self.shrunk.runs, after.steps, after.clients, after.faults
        );
        for line in planned(&self.shrunk.plan) {
            let _infallible = writeln!(text, "{line}");
        }
        let _infallible = writeln!(text, "\n{}", brief(&cli.model, &self.report));
        if let Some(passing) = &self.passing {
            text += &describe_divergence(
                &diff::diff(&cli.model, &self.report, passing),
                ["the smallest plan", "its nearest that passes"],
            );
        }
        let _infallible = writeln!(
            text,
            "\n  the smallest plan: {plan}\n  its picture:       {page}\n  see it again:      \
             {typed} replay {plan}\n  keep it for ever:  cp {plan} {regressions}",
            typed = cli.typed,
            regressions = cli.regressions,
            plan = files.plan.display(),
            page = files.page.display(),
        );
        text
    }

    fn to_json(&self, cli: &CommandLine<M>, files: &Files) -> Value {
        let Shrunk { before, after, runs, is_minimal, .. } = &self.shrunk;
        let divergence =
            self.passing.as_ref().map(|passing| diff::diff(&cli.model, &self.report, passing));
        json!({
            "failed": true,
            "seed": self.seed,
            "kind": self.kind,
            "runs": runs,
            "is_minimal": is_minimal,
            "steps_before": before.steps,
            "clients_before": before.clients,
            "faults_before": before.faults,
            "steps_after": after.steps,
            "clients_after": after.clients,
            "faults_after": after.faults,
            "file": files.plan,
            "html": files.page,
            "divergence": divergence,
            "plan": self.shrunk.plan,
        })
    }
}
