//! `racetrack sim`: sweep many seeds, look at one; what one does with a plan is in files of their own.

use std::borrow::Cow;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use chat_sim::{Chat, Options, Report, coverage, generate};
use clap::{Args, Subcommand};
use loadtest::Span;
use nix::time::{ClockId, clock_gettime};
use racetrack_sim::shrink::Limits;
use racetrack_sim::{Failure, Sweep};
use reports::run::SimulationSummary;
use serde_json::{Value, json};

use crate::bar::Bar;
use crate::diff::Diff;
use crate::help;
use crate::live::RunLive;
use crate::meta::Meta;
use crate::outcome::Outcome;
use crate::output::{self, Output};
use crate::seeds::Seeds;
use crate::show::{Replay, show};
use crate::shrink::{Shrink, first_of_each_kind};
use crate::world::World;

/// Failures that are told in words; the rest is in the files.
const FAILURES_SHOWN_MAX: usize = 5;
/// No machine has more cores.
const JOBS_MAX: usize = 1_024;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Sim {
    #[command(subcommand)]
    command: Option<SimCommand>,
    /// The seeds to sweep
    #[arg(long, value_name = "A..B", default_value = "0..200", conflicts_with = "seed")]
    seeds: Seeds,
    /// One seed, with its transcript
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    #[command(flatten)]
    world: World,
    /// Threads [default: one a core]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Stop at the first seed that fails
    #[arg(long, conflicts_with = "seed")]
    first: bool,
    /// Draw the run of the one seed as a page
    #[arg(long, value_name = "FILE", requires = "seed")]
    html: Option<PathBuf>,
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

#[derive(Debug, Subcommand)]
enum SimCommand {
    /// Run each seed in two processes and compare their traces
    #[command(after_long_help = help::META)]
    Meta(Meta),
    /// Run the plan in a file once more
    #[command(after_long_help = help::REPLAY)]
    Replay(Replay),
    /// Find the smallest plan that fails like this one
    #[command(after_long_help = help::SHRINK)]
    Shrink(Shrink),
    /// Run two plans and name the first event at which they part
    #[command(after_long_help = help::DIFF)]
    Diff(Diff),
    /// Run the same plans against real servers over loopback
    #[command(alias = "twin", after_long_help = help::LIVE)]
    Live(RunLive),
    /// Print each seed's trace, for `meta`
    #[command(hide = true)]
    Trace(crate::meta::Trace),
}

impl Sim {
    pub(crate) fn run(&self, output: &Output) -> anyhow::Result<Outcome> {
        match (&self.command, self.seed) {
            (Some(SimCommand::Meta(meta)), _) => meta.run(output),
            (Some(SimCommand::Trace(trace)), _) => trace.run(),
            (Some(SimCommand::Replay(replay)), _) => replay.run(output),
            (Some(SimCommand::Shrink(shrink)), _) => shrink.run(output),
            (Some(SimCommand::Diff(diff)), _) => diff.run(output),
            (Some(SimCommand::Live(live)), _) => live.run(output),
            (None, Some(seed)) => {
                let _one_thread_does = threads(self.jobs)?;
                let plan = generate::plan(seed, &self.world.options()?);
                show(&plan, &format!("seed {seed}"), self.html.as_deref(), output)
            }
            (None, None) => self.sweep(output),
        }
    }

    fn sweep(&self, output: &Output) -> anyhow::Result<Outcome> {
        let (jobs, options) = (threads(self.jobs)?, self.world.options()?);
        output.check_out()?;
        let swept = Swept::run(&self.seeds, &options, jobs, self.first)?;
        let dir = output.dir("sim");
        swept.write_plans(&dir)?;
        let limits = Limits { runs_max: self.shrink_runs, jobs, ..Limits::default() };
        let failures = &swept.sweep.failures[..];
        let failures = if self.shrink_runs == 0 { &[] } else { failures };
        let (smallest, shrunk) = first_of_each_kind(failures, &limits, &dir)?;
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
            swept.describe_failures(&dir)
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
pub(crate) fn threads(jobs: Option<usize>) -> anyhow::Result<usize> {
    let jobs = jobs.unwrap_or_else(cores);
    ensure!((1..=JOBS_MAX).contains(&jobs), "--jobs {jobs}: 1 to {JOBS_MAX} threads can run");
    Ok(jobs)
}

pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// A sweep and how long it took.
pub(crate) struct Swept {
    seeds: Seeds,
    options: Options,
    sweep: Sweep<Chat>,
    took: Duration,
    /// Processor time.
    cpu: Duration,
}

impl Swept {
    #[expect(clippy::disallowed_methods, reason = "how long a sweep takes is real time")]
    pub(crate) fn run(
        seeds: &Seeds,
        options: &Options,
        jobs: usize,
        to_first_failure: bool,
    ) -> anyhow::Result<Self> {
        let bar = Bar::new(seeds.len(), "simulating");
        let (begun, cpu_before) = (Instant::now(), cpu()?);
        let done = |_: &Report| bar.inc();
        let sweep = if to_first_failure {
            racetrack_sim::sweep_to_first_failure(&Chat, seeds.0.clone(), options, jobs, done)
        } else {
            racetrack_sim::sweep(&Chat, seeds.0.clone(), options, jobs, done)
        };
        let (took, cpu) = (begun.elapsed(), cpu()?.saturating_sub(cpu_before));
        bar.end();
        Ok(Self { seeds: seeds.clone(), options: options.clone(), sweep, took, cpu })
    }

    pub(crate) fn outcome(&self) -> Outcome {
        if self.sweep.failures.is_empty() { Outcome::Good } else { Outcome::Bad }
    }

    fn seeds_per_second(&self) -> f64 {
        self.sweep.seeds as f64 / self.took.as_secs_f64()
    }

    fn simulated_per_wall(&self) -> f64 {
        self.sweep.simulated.as_secs_f64() / self.took.as_secs_f64()
    }

    pub(crate) fn write_plans(&self, dir: &Path) -> anyhow::Result<()> {
        for Failure { seed, plan, .. } in &self.sweep.failures {
            output::write(dir, &plan_file(*seed), &plan.to_json())?;
        }
        Ok(())
    }

    /// The verdict and the most important figures, in four short lines.
    pub(crate) fn describe(&self) -> String {
        let Sweep::<Chat> { seeds, failures, jobs, events, .. } = &self.sweep;
        let verdict = match failures.len() {
            0 => "every promise kept".to_owned(),
            1 => "1 seed FAILED".to_owned(),
            count => format!("{count} seeds FAILED"),
        };
        let mut text = format!(
            "simulated {seeds} seeds of {} people and {}: {verdict}\n  {:.1} seeds/s on {jobs} \
             threads, {:.0} simulated seconds a second, {events} events checked\n",
            self.options.clients,
            Span(Duration::from_millis(self.options.simulated_ms)),
            self.seeds_per_second(),
            self.simulated_per_wall(),
        );
        let faults = self.sweep.faults.values();
        let (planned, effective) = faults.fold((0, 0), |(planned, effective), strikes| {
            (planned + strikes.planned, effective + strikes.effective)
        });
        let _infallible = writeln!(text, "  faults: {planned} planned, {effective} with effect");
        let (reached, known) = (self.sweep.reached.len(), coverage::known().len());
        let _infallible = writeln!(text, "  rare states reached: {reached} of {known}");
        text
    }

    /// The rare states that no seed has reached.
    fn describe_missing(&self) -> String {
        self.missing().into_iter().map(|state| format!("    never  {state}\n")).collect()
    }

    /// Every kind of fault, how often it was planned and how often it touched anything.
    fn describe_faults(&self) -> String {
        let head = format!("    {:<20} {:>7} {:>11}\n", "fault", "planned", "with effect");
        let rows = self.sweep.faults.iter().map(|(kind, strikes)| {
            format!(
                "    {:<20} {:>7} {:>11}\n",
                kind.to_string(),
                strikes.planned,
                strikes.effective
            )
        });
        head + &rows.collect::<String>()
    }

    /// Every rare state and how many seeds reached it, the rarest first.
    fn describe_coverage(&self) -> String {
        let count = |state| self.sweep.reached.get(state).copied().unwrap_or_default();
        let mut counts: Vec<_> =
            coverage::known().into_iter().map(|state| (count(state), state)).collect();
        counts.sort_unstable();
        let line = |(count, state): &(u64, &str)| match count {
            0 => format!("    never  {state}\n"),
            count => format!("    {count:5}  {state}\n"),
        };
        "    seeds  rare state\n".to_owned() + &counts.iter().map(line).collect::<String>()
    }

    fn missing(&self) -> Vec<Cow<'static, str>> {
        self.sweep.missing(&Chat)
    }

    pub(crate) fn describe_failures(&self, dir: &Path) -> String {
        let mut text = String::new();
        for failure in self.sweep.failures.iter().take(FAILURES_SHOWN_MAX) {
            let Failure { seed, checker, what, evidence, .. } = failure;
            let plan = dir.join(plan_file(*seed));
            let _infallible = writeln!(text, "\nseed {seed} failed: {checker}: {what}");
            for event in evidence {
                let _infallible = writeln!(text, "    {event}");
            }
            let _infallible =
                writeln!(text, "  see it again: racetrack sim replay {}", plan.display());
        }
        let more = self.sweep.failures.len().saturating_sub(FAILURES_SHOWN_MAX);
        if more > 0 {
            let _infallible =
                writeln!(text, "\nand {more} more; the plans are in {}", dir.display());
        }
        text
    }

    pub(crate) fn to_json(&self, dir: &Path) -> Value {
        let faults: serde_json::Map<_, _> = self
            .sweep
            .faults
            .iter()
            .map(|(kind, strikes)| {
                let counts = json!({ "planned": strikes.planned, "effective": strikes.effective });
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
                "known": coverage::known(),
                "missing": self.missing(),
            },
            "faults": faults,
            "out": (!self.sweep.failures.is_empty()).then_some(dir),
        })
    }

    /// The sweep as a part of a run.
    pub(crate) fn summary(&self) -> SimulationSummary {
        let failures = self.sweep.failures.iter();
        let faults = self
            .sweep
            .faults
            .iter()
            .map(|(kind, strikes)| (kind.to_string(), (strikes.planned, strikes.effective)));
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
pub(crate) fn plan_file(seed: u64) -> String {
    format!("seed-{seed}.json")
}
