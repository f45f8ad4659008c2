//! `racetrack sim live`: the plans of seeds against real servers on this machine's loopback.
//!
//! Each server is a child of this program, and none is left when it ends: not after Ctrl-C either.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use anyhow::{Context, bail, ensure};
use chat_sim::Chat;
use chat_sim::fault::ChatFaultKind;
use chat_sim::live::program as program_of;
use chat_sim::transcript::short_names;
use chat_sim::{SeedQueue, generate};
use clap::Args;
use racetrack_sim::transcript::line;
use racetrack_sim::{LiveReport, Report, live};
use serde_json::{Value, json};
use server::Interrupt;

use crate::bar::Bar;
use crate::outcome::Outcome;
use crate::output::Output;
use crate::runtime;
use crate::seeds::Seeds;
use crate::world::World;

/// Runs at once at most: more would get into each other's way, and be late.
const JOBS_MAX: u64 = 32;

#[derive(Debug, Args)]
pub(crate) struct RunLive {
    /// The seeds whose plans are run
    #[arg(long, value_name = "A..B", default_value = "0..20")]
    seeds: Seeds,
    /// Runs at once; each takes its plan's time, and is mostly idle
    #[arg(long, value_name = "N", default_value_t = 4)]
    jobs: u64,
    /// A program whose command `serve` is the server [default: this program]
    #[arg(long, value_name = "PROGRAM")]
    server: Option<PathBuf>,
    #[command(flatten)]
    world: World,
}

impl RunLive {
    pub(crate) fn run(&self, output: &Output) -> anyhow::Result<Outcome> {
        ensure!(
            (1..=JOBS_MAX).contains(&self.jobs),
            "--jobs {}: 1 to {JOBS_MAX} runs at once are possible",
            self.jobs
        );
        self.world.options()?;
        let runtime = runtime()?;
        let stopped = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&stopped);
        let mut interrupt = runtime.block_on(async { Interrupt::listen() })?;
        runtime.spawn(async move {
            interrupt.came().await;
            stop.store(true, Ordering::Relaxed);
        });
        let runs = self.run_all(&stopped)?;
        if stopped.load(Ordering::Relaxed) {
            bail!("interrupted; every server that was started is gone");
        }
        let result = Runs(runs);
        output.result(&result.describe(), || result.to_json())?;
        Ok(if result.failures().next().is_none() { Outcome::Good } else { Outcome::Bad })
    }

    fn run_all(
        &self,
        stopped: &Arc<AtomicBool>,
    ) -> anyhow::Result<BTreeMap<u64, LiveReport<Chat>>> {
        let options = self.world.options()?;
        let program = match &self.server {
            Some(program) => program.clone(),
            None => std::env::current_exe().context("this program has no path")?,
        };
        let bar = Bar::new(self.seeds.len(), "running for real");
        let queue = SeedQueue::new(self.seeds.0.clone());
        let server = program.clone();
        let runs = live(Chat)
            .programs(move |plan, _| Some(program_of(plan, &server)))
            .stop_when(Arc::clone(stopped));
        let reports = Mutex::new(BTreeMap::new());
        let work = || -> io::Result<()> {
            while let Some(seed) = queue.take() {
                let ran = runs.run_plan(&generate::plan(seed, &options));
                let ran = ran.inspect_err(|_| queue.end_at(0))?;
                let Some(ran) = ran else { return Ok(()) };
                bar.inc();
                reports.lock().expect("no thread panics here").insert(seed, ran);
            }
            Ok(())
        };
        let ran = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..self.jobs).map(|_| scope.spawn(work)).collect();
            threads.into_iter().try_for_each(|thread| thread.join().expect("no thread panics"))
        });
        bar.end();
        ran.with_context(|| format!("cannot run `{} serve`; is it racetrack?", program.display()))?;
        Ok(reports.into_inner().expect("all threads have ended"))
    }
}

/// What came of each seed.
struct Runs(BTreeMap<u64, LiveReport<Chat>>);

impl Runs {
    fn failures(&self) -> impl Iterator<Item = (u64, &Report<Chat>)> {
        let reports = self.0.iter().map(|(seed, run)| (*seed, &run.report));
        reports.filter(|(_, report)| !report.passed())
    }

    fn left_out(&self) -> BTreeMap<ChatFaultKind, u64> {
        let mut all = BTreeMap::new();
        for (kind, count) in self.0.values().flat_map(|run| &run.left_out) {
            *all.entry(*kind).or_default() += count;
        }
        all
    }

    fn describe(&self) -> String {
        let mut text = String::new();
        for (seed, LiveReport { report, .. }) in &self.0 {
            let (mut planned, mut effective) = (0, 0);
            for count in report.faults.values() {
                planned += count.planned;
                effective += count.effective;
            }
            let events = report.history.len();
            let verdict = if report.passed() { "ok" } else { "FAILED" };
            let _infallible = writeln!(
                text,
                "seed {seed}: {verdict}, {events} events, {planned} faults ({effective} with effect)"
            );
            for line in evidence(report) {
                let _infallible = writeln!(text, "    {line}");
            }
        }
        let left_out = self.left_out();
        if !left_out.is_empty() {
            let left_out = left_out.iter().map(|(kind, count)| format!("{kind} {count}"));
            let left_out = left_out.collect::<Vec<_>>().join(", ");
            let _infallible =
                writeln!(text, "left out, as a loopback has no such thing: {left_out}");
        }
        let (seeds, failed) = (self.0.len(), self.failures().count());
        let verdict = match failed {
            0 => "every promise kept".to_owned(),
            _ => format!("{failed} FAILED"),
        };
        let _infallible = writeln!(text, "{seeds} plans against real servers: {verdict}");
        text
    }

    fn to_json(&self) -> Value {
        let failures = self.failures().map(|(seed, report)| {
            let first = report.violations.first();
            json!({
                "seed": seed,
                "checker": first.map(|violation| &violation.checker),
                "evidence": evidence(report),
                "plan": report.plan,
            })
        });
        let mut faults: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        for (kind, count) in self.0.values().flat_map(|run| &run.report.faults) {
            let (planned, effective) = faults.entry(kind.to_string()).or_default();
            *planned += count.planned;
            *effective += count.effective;
        }
        let faults = faults.into_iter().map(|(kind, (planned, effective))| {
            (kind, json!({ "planned": planned, "effective": effective }))
        });
        let left_out = self.left_out().into_iter();
        let left_out = left_out.map(|(kind, count)| (kind.to_string(), count));
        json!({
            "seeds": self.0.len(),
            "failures": failures.collect::<Vec<_>>(),
            "events": self.0.values().map(|run| run.report.history.len()).sum::<usize>(),
            "faults": faults.collect::<serde_json::Map<_, _>>(),
            "left_out": left_out.collect::<BTreeMap<_, _>>(),
        })
    }
}

/// The first violation and the events that contradict the promise, a line each.
fn evidence(report: &Report<Chat>) -> Vec<String> {
    let Some(violation) = report.violations.first() else { return Vec::new() };
    let names = short_names(&report.history);
    let events = violation.evidence.iter().filter_map(|index| report.history.get(*index));
    let events = events.map(|event| names.shorten(&line(&Chat, event)));
    std::iter::once(names.shorten(&violation.to_string())).chain(events).collect()
}
