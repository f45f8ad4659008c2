//! A finished sweep, as text and as JSON.

use std::borrow::Cow;
use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use nix::time::{ClockId, clock_gettime};
use reports::Seeds;
use reports::cli::bar::Bar;
use reports::cli::{Outcome, output};
use reports::run::SimulationSummary;
use serde_json::{Value, json};

use super::CommandLine;
use crate::model::Model;
use crate::options::Options;
use crate::report::Report;
use crate::sweep::{self, Failure, Sweep};

/// Failures that are shown; the rest is in the files.
const FAILURES_SHOWN_MAX: usize = 5;

/// A sweep and how long it took.
#[derive(Debug)]
pub struct Swept<M: Model> {
    model: M,
    seeds: Seeds,
    sweep: Sweep<M>,
    took: Duration,
    /// Processor time.
    cpu: Duration,
}

impl<M: Model> Swept<M> {
    /// Runs the seeds on `jobs` threads, or up to the first that fails.
    ///
    /// # Errors
    ///
    /// The system does not say how much processor time was used.
    #[expect(clippy::disallowed_methods, reason = "how long a sweep takes is real time")]
    pub fn run(
        model: &M,
        seeds: &Seeds,
        options: &Options<M::Fault>,
        jobs: usize,
        to_first_failure: bool,
    ) -> anyhow::Result<Self> {
        let bar = Bar::new(seeds.count(), "simulating");
        let (begun, cpu_before) = (Instant::now(), cpu()?);
        let done = |_: &Report<M>| bar.inc();
        let sweep = if to_first_failure {
            sweep::sweep_to_first_failure(model, seeds.0.clone(), options, jobs, done)
        } else {
            sweep::sweep(model, seeds.0.clone(), options, jobs, done)
        };
        let (took, cpu) = (begun.elapsed(), cpu()?.saturating_sub(cpu_before));
        bar.end();
        Ok(Self { model: model.clone(), seeds: seeds.clone(), sweep, took, cpu })
    }

    /// Whether every invariant held.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        if self.sweep.failures.is_empty() { Outcome::Good } else { Outcome::Bad }
    }

    pub(super) fn failures(&self) -> &[Failure<M>] {
        &self.sweep.failures
    }

    fn seeds_per_second(&self) -> f64 {
        self.sweep.seeds as f64 / self.took.as_secs_f64()
    }

    fn simulated_per_wall(&self) -> f64 {
        self.sweep.simulated.as_secs_f64() / self.took.as_secs_f64()
    }

    /// Writes the plan of each seed that failed.
    ///
    /// # Errors
    ///
    /// A file cannot be written.
    pub fn write_plans(&self, dir: &Path) -> anyhow::Result<()> {
        for Failure { seed, plan, .. } in &self.sweep.failures {
            output::write(dir, &plan_file(*seed), &plan.to_json())?;
        }
        Ok(())
    }

    /// The verdict and the most important figures, in four short lines.
    #[must_use]
    pub fn describe(&self) -> String {
        let Sweep::<M> { seeds, failures, jobs, events, .. } = &self.sweep;
        let verdict = match failures.len() {
            0 => "every invariant held".to_owned(),
            1 => "1 seed FAILED".to_owned(),
            count => format!("{count} seeds FAILED"),
        };
        let noun = if *seeds == 1 { "seed" } else { "seeds" };
        let mut text = format!(
            "simulated {seeds} {noun}: {verdict}\n  {:.1} seeds/s on {jobs} threads, {:.0} simulated seconds a \
             second, {events} events checked\n",
            self.seeds_per_second(),
            self.simulated_per_wall(),
        );
        let faults = self.sweep.faults.values();
        let (planned, effective) = faults.fold((0, 0), |(planned, effective), count| {
            (planned + count.planned, effective + count.effective)
        });
        let _infallible = writeln!(text, "  faults: {planned} planned, {effective} with effect");
        let (reached, known) = (self.sweep.reached.len(), self.model.states().len());
        if known > 0 {
            let _infallible = writeln!(text, "  rare states reached: {reached} of {known}");
        }
        text
    }

    /// The rare states that no seed has reached.
    pub(super) fn describe_missing(&self) -> String {
        self.missing().into_iter().map(|state| format!("    never  {state}\n")).collect()
    }

    /// Every kind of fault, how often it was planned and how often it touched anything.
    pub(super) fn describe_faults(&self) -> String {
        let head = format!("    {:<20} {:>7} {:>11}\n", "fault", "planned", "with effect");
        let rows = self.sweep.faults.iter().map(|(kind, count)| {
            format!("    {:<20} {:>7} {:>11}\n", kind.to_string(), count.planned, count.effective)
        });
        head + &rows.collect::<String>()
    }

    /// Every rare state and how many seeds reached it, the rarest first.
    pub(super) fn describe_coverage(&self) -> String {
        let count =
            |state: &Cow<'_, str>| self.sweep.reached.get(state).copied().unwrap_or_default();
        let mut counts: Vec<_> =
            self.model.states().into_iter().map(|state| (count(&state), state)).collect();
        counts.sort_unstable();
        let line = |(count, state): &(u64, Cow<'_, str>)| match count {
            0 => format!("    never  {state}\n"),
            count => format!("    {count:5}  {state}\n"),
        };
        "    seeds  rare state\n".to_owned() + &counts.iter().map(line).collect::<String>()
    }

    pub(super) fn missing(&self) -> Vec<Cow<'static, str>> {
        self.sweep.missing(&self.model)
    }

    /// The first failures with their evidence, whose plans are in `dir`.
    #[must_use]
    pub fn describe_failures(&self, cli: &CommandLine<M>, dir: &Path) -> String {
        let mut text = String::new();
        for failure in self.sweep.failures.iter().take(FAILURES_SHOWN_MAX) {
            let Failure { seed, checker, what, evidence, .. } = failure;
            let plan = dir.join(plan_file(*seed));
            let _infallible = writeln!(text, "\nseed {seed} failed: {checker}: {what}");
            for event in evidence {
                let _infallible = writeln!(text, "    {event}");
            }
            let _infallible =
                writeln!(text, "  see it again: {} replay {}", cli.typed, plan.display());
        }
        let more = self.sweep.failures.len().saturating_sub(FAILURES_SHOWN_MAX);
        if more > 0 {
            let _infallible =
                writeln!(text, "\nand {more} more; the plans are in {}", dir.display());
        }
        text
    }

    /// The result for programs.
    #[must_use]
    pub fn to_json(&self, dir: &Path) -> Value {
        let faults: serde_json::Map<_, _> = self
            .sweep
            .faults
            .iter()
            .map(|(kind, count)| {
                let counts = json!({ "planned": count.planned, "effective": count.effective });
                (kind.to_string(), counts)
            })
            .collect();
        json!({
            "seeds": self.sweep.seeds,
            "failures": self.sweep.failures,
            "seeds_per_second": self.seeds_per_second(),
            "simulated_per_wall": self.simulated_per_wall(),
            "jobs": self.sweep.jobs,
            "cpu_seconds": self.cpu.as_secs_f64(),
            "trace_hash": format!("{:016x}", self.sweep.trace_hash),
            "rare_states": {
                "reached": self.sweep.reached,
                "known": self.model.states(),
                "missing": self.missing(),
            },
            "faults": faults,
            "out": (!self.sweep.failures.is_empty()).then_some(dir),
        })
    }

    /// The sweep as a part of a run.
    #[must_use]
    pub fn summary(&self) -> SimulationSummary {
        let failures = self.sweep.failures.iter();
        let faults = self
            .sweep
            .faults
            .iter()
            .map(|(kind, count)| (kind.to_string(), (count.planned, count.effective)));
        SimulationSummary {
            seeds: self.seeds.to_string(),
            seeds_run: self.sweep.seeds,
            failures: failures.map(|failure| (failure.seed, failure.checker.clone())).collect(),
            seeds_per_second: self.seeds_per_second(),
            simulated_per_wall: self.simulated_per_wall(),
            jobs: self.sweep.jobs,
            faults: faults.collect(),
        }
    }
}

/// The processor time of this program so far, all threads together.
fn cpu() -> anyhow::Result<Duration> {
    let time = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID);
    Ok(time.context("the system does not say how much processor time was used")?.into())
}

/// The file of a failing seed's plan.
fn plan_file(seed: u64) -> String {
    format!("seed-{seed}.json")
}
