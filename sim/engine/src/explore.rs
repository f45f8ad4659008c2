//! Explores many seeds of a model in a test: replays what once failed, sweeps until a seed fails, shrinks it, keeps it, and says
//! how to see it again.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::ops::Range;
use std::path::Path;

use reports::Seeds;

use crate::error::Error;
use crate::fault::AnyFault;
use crate::log::{log, tail};
use crate::model::Model;
use crate::options::Options;
use crate::regressions::Regressions;
use crate::report::{Report, without_effect};
use crate::run::run;
use crate::service::IntoModel;
use crate::shrink::{self, Limits};
use crate::summary::{network, planned};
use crate::sweep::{Failure, Sweep, cores, drawn, sweep_to_first_failure};
use crate::transcript::brief;
use crate::violation::STANDSTILL;

/// Environment variables that override what a test says: a range or a count of seeds,
pub const SEEDS: &str = "RACETRACK_SEEDS";
/// and one seed.
pub const SEED: &str = "RACETRACK_SEED";
/// Runs that shrinking may take.
const SHRINK_RUNS: u64 = 500;

/// An exploration under construction.
#[derive(Debug, Clone)]
#[must_use = "an exploration does nothing until it runs"]
pub struct Exploration<M: Model> {
    model: M,
    seeds: Range<u64>,
    options: Options<M::Fault>,
    regressions: Option<Regressions>,
    jobs: usize,
    shrink_runs: u64,
    /// Kinds of faults that may have no effect in any seed.
    may_be_idle: BTreeSet<String>,
    requires_states: bool,
}

/// What an exploration found good.
#[derive(Debug, Clone)]
pub struct Explored<M: Model> {
    /// Plans of the regressions folder that were replayed.
    pub replayed: usize,
    /// The seeds.
    pub sweep: Sweep<M>,
}

/// Explores the seeds 0 to 99 with every kind of fault, unless told otherwise.
pub fn explore<K, I: IntoModel<K>>(model: I) -> Exploration<I::Model> {
    let model = model.into_model();
    Exploration {
        options: model.usual_options(),
        model,
        seeds: 0..100,
        regressions: None,
        jobs: cores(),
        shrink_runs: SHRINK_RUNS,
        may_be_idle: BTreeSet::new(),
        requires_states: false,
    }
}

impl<M: Model> Exploration<M> {
    /// The seeds.
    pub fn seeds(mut self, seeds: Range<u64>) -> Self {
        self.seeds = seeds;
        self
    }

    /// The kinds of faults that seeds may draw; kinds that the model cannot suffer are left out.
    pub fn faults<T: Into<AnyFault<M::Fault>>>(
        mut self,
        kinds: impl IntoIterator<Item = T>,
    ) -> Self {
        let wanted: Vec<_> = kinds.into_iter().map(Into::into).collect();
        self.options.faults = self.model.faults();
        self.options.faults.retain(|kind| wanted.contains(kind));
        self
    }

    /// Clients and simulated time of each run, where the model draws them.
    pub fn options(mut self, change: impl FnOnce(&mut Options<M::Fault>)) -> Self {
        change(&mut self.options);
        self
    }

    /// Leaves tasks that are ready at the same time in tokio's order, in every seed: for comparison.
    pub fn fifo(mut self) -> Self {
        self.options.reorder = false;
        self
    }

    /// Replays the plans of this folder first, and writes the smallest failing plan into it. A relative path begins at the
    /// package of the test.
    pub fn regressions(mut self, folder: impl AsRef<Path>) -> Self {
        self.regressions = Some(Regressions::at(folder.as_ref()));
        self
    }

    /// Threads; one a core unless told otherwise. The result does not depend on it.
    pub fn jobs(mut self, jobs: usize) -> Self {
        self.jobs = jobs;
        self
    }

    /// Runs that shrinking a failure may take; 0 leaves its plan as it is.
    pub fn shrink_runs(mut self, runs: u64) -> Self {
        self.shrink_runs = runs;
        self
    }

    /// Kinds of faults that may touch nothing in any seed. Others fail the exploration then, for they have tested nothing.
    pub fn may_be_idle<T: Into<AnyFault<M::Fault>>>(
        mut self,
        kinds: impl IntoIterator<Item = T>,
    ) -> Self {
        self.may_be_idle.extend(kinds.into_iter().map(|kind| kind.into().to_string()));
        self
    }

    /// Fails unless some seed reaches each state that the model declares with `sometimes`.
    pub fn require_states(mut self) -> Self {
        self.requires_states = true;
        self
    }

    /// Explores.
    ///
    /// # Panics
    ///
    /// With the seed, the checker, the evidence, the diagram of the smallest plan and the line that runs it again, if an
    /// invariant is broken; with one line if a fault had no effect in any seed, a required state was never reached, or
    /// nothing can be run.
    #[track_caller]
    pub fn run(self) -> Explored<M> {
        self.try_run().unwrap_or_else(|error| panic!("{error}"))
    }

    /// As [`run`](Self::run), without the panic.
    ///
    /// # Errors
    ///
    /// What [`run`](Self::run) panics with.
    pub fn try_run(self) -> Result<Explored<M>, Error> {
        let seeds = seeds_wanted(self.seeds.clone())?;
        self.check(&seeds)?;
        let replayed = match &self.regressions {
            Some(regressions) => regressions.replay(&self.model)?,
            None => 0,
        };
        let is_one = seeds.end - seeds.start == 1;
        let sweep = sweep_to_first_failure(&self.model, seeds, &self.options, self.jobs, |_| {});
        if let Some(failure) = sweep.failures.first() {
            return Err(Error::Failed(self.describe(failure)?));
        }
        if !is_one {
            self.check_effects(&sweep)?;
        }
        Ok(Explored { replayed, sweep })
    }

    fn check(&self, seeds: &Range<u64>) -> Result<(), Error> {
        let invalid = |why: String| Err(Error::Invalid(why));
        if seeds.is_empty() {
            let Range { start, end } = seeds;
            return invalid(format!("{start}..{end} has no seeds: the end lies above the start"));
        }
        drawn(&self.model, seeds.start, &self.options).map(drop)
    }

    fn check_effects(&self, sweep: &Sweep<M>) -> Result<(), Error> {
        let idle = without_effect::<M>(&sweep.faults);
        let idle: Vec<_> = idle.difference(&self.may_be_idle).cloned().collect();
        if !idle.is_empty() {
            let names = idle.join(", ");
            return Err(Error::Invalid(format!(
                "faults without effect in {} seeds: {names}; explore more seeds, leave them out with .faults(..), or allow \
                 it with .may_be_idle(..)",
                sweep.seeds
            )));
        }
        let missing = sweep.missing(&self.model);
        if self.requires_states && !missing.is_empty() {
            let names: Vec<_> = missing.iter().map(|name| format!("{name:?}")).collect();
            return Err(Error::Invalid(format!(
                "states that none of {} seeds reached: {}",
                sweep.seeds,
                names.join(", ")
            )));
        }
        Ok(())
    }

    /// The failure of a seed: shrunk, kept and described.
    fn describe(&self, failure: &Failure<M>) -> Result<String, Error> {
        let Failure { seed, checker, what, .. } = failure;
        let mut text = format!("seed {seed} failed: {checker}: {what}\n");
        let report = run(&self.model, &failure.plan, false);
        let smallest = self.smallest(failure, &report, &mut text);
        for line in planned(&smallest.plan) {
            let _infallible = writeln!(text, "{line}");
        }
        let _infallible = writeln!(text, "{:>9} {}", "", network(&smallest.plan.settings));
        let logged = log(&self.model, &smallest.plan)?;
        let shown = brief(&self.model, &smallest);
        let _infallible = writeln!(text, "\n{shown}{}", tail(&logged));
        let test = test_name();
        let again = format!("{SEED}={seed} cargo test {test}");
        let _infallible = match &self.regressions {
            Some(regressions) => {
                let stem = shrink::file_stem(&failure.kind);
                let file = regressions.keep(&stem, &smallest.plan, &logged)?;
                writeln!(
                    text,
                    "kept as {}, which runs first from now on: cargo test {test}\nthe whole seed: {again}",
                    file.display()
                )
            }
            None => writeln!(text, "run it again: {again}"),
        };
        Ok(text)
    }

    fn smallest(&self, failure: &Failure<M>, report: &Report<M>, text: &mut String) -> Report<M> {
        if self.shrink_runs == 0 || failure.checker == STANDSTILL {
            return report.clone();
        }
        let limits = Limits { runs_max: self.shrink_runs, jobs: self.jobs, ..Limits::default() };
        let Some(shrunk) = shrink::shrink_failure(&self.model, report, &limits, |_| {}) else {
            return report.clone();
        };
        let (before, after) = (shrunk.before, shrunk.after);
        let _infallible = writeln!(
            text,
            "shrunk in {} runs: {} clients to {}, {} steps to {}, {} faults to {}\n",
            shrunk.runs,
            before.clients,
            after.clients,
            before.steps,
            after.steps,
            before.faults,
            after.faults
        );
        run(&self.model, &shrunk.plan, false)
    }
}

/// The name of the test that runs, as libtest names its thread; empty elsewhere.
fn test_name() -> String {
    let thread = std::thread::current();
    thread.name().filter(|name| *name != "main").unwrap_or_default().to_owned()
}

/// The seeds that the environment asks for, or else the test.
fn seeds_wanted(seeds: Range<u64>) -> Result<Range<u64>, Error> {
    let read = |name: &str| std::env::var(name).ok();
    match (read(SEED), read(SEEDS)) {
        (Some(seed), _) => {
            let seed: u64 = seed.parse().map_err(|_| not_seeds(SEED, &seed, "a number, as 7"))?;
            let end = seed.checked_add(1).ok_or_else(|| not_seeds(SEED, "it", "below 2^64 - 1"))?;
            Ok(seed..end)
        }
        (None, Some(text)) => range(&text)
            .ok_or_else(|| not_seeds(SEEDS, &text, "a count, as 500, or a range, as 0..500")),
        (None, None) => Ok(seeds),
    }
}

/// A range, or how many seeds.
fn range(text: &str) -> Option<Range<u64>> {
    let range = text.parse().map(|Seeds(range)| range);
    range.ok().or_else(|| Some(0..text.parse().ok().filter(|count| *count > 0)?))
}

fn not_seeds(name: &str, text: &str, wanted: &str) -> Error {
    Error::Invalid(format!("{name}={text} is no choice of seeds: write {wanted}"))
}
