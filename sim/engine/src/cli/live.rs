//! `live`: the plans of seeds against real servers on this machine's loopback.
//!
//! A server that is a program is a child of this one, and none is left when it ends: not after Ctrl-C either.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use anyhow::{Context, bail, ensure};
use clap::Args;
use reports::Seeds;
use reports::cli::bar::Bar;
use reports::cli::{Outcome, Output};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

use super::CommandLine;
use super::size::RunSize;
use crate::fault::{AnyFault, FaultType};
use crate::live::{LiveReport, live};
use crate::model::Model;
use crate::report::Report;
use crate::seeds::SeedQueue;
use crate::transcript::line;

/// Runs at once at most: more would get into each other's way, and be late.
const JOBS_MAX: u64 = 32;

/// Which seeds, and which program is the server.
#[derive(Debug, Args)]
pub struct RunLive<F: FaultType> {
    /// The seeds whose plans are run
    #[arg(long, value_name = "A..B", default_value = "0..20")]
    seeds: Seeds,
    /// Runs at once; each takes its plan's time, and is mostly idle
    #[arg(long, value_name = "N", default_value_t = 4)]
    jobs: u64,
    /// The program that is the server, where the model has one [default: this program]
    #[arg(long, value_name = "PROGRAM")]
    server: Option<PathBuf>,
    #[command(flatten)]
    size: RunSize<F>,
}

impl<F: FaultType> RunLive<F> {
    pub(super) fn run<M: Model<Fault = F>>(
        &self,
        cli: &CommandLine<M>,
        output: &Output,
    ) -> anyhow::Result<Outcome> {
        ensure!(
            (1..=JOBS_MAX).contains(&self.jobs),
            "--jobs {}: 1 to {JOBS_MAX} runs at once are possible",
            self.jobs
        );
        let stopped = interrupted()?;
        let runs = self.run_all(cli, &stopped)?;
        if stopped.load(Ordering::Relaxed) {
            bail!("interrupted; every server that was started is gone");
        }
        let result = Runs { model: cli.model.clone(), runs };
        output.result(&result.describe(), || result.to_json())?;
        Ok(if result.failures().next().is_none() { Outcome::Good } else { Outcome::Bad })
    }

    fn run_all<M: Model<Fault = F>>(
        &self,
        cli: &CommandLine<M>,
        stopped: &Arc<AtomicBool>,
    ) -> anyhow::Result<BTreeMap<u64, LiveReport<M>>> {
        let options = self.size.options(&cli.model)?;
        let first = cli.generate(self.seeds.0.start, &options)?;
        let program = match &self.server {
            Some(program) => program.clone(),
            None => std::env::current_exe().context("this program has no path")?,
        };
        let host = cli.model.hosts(&first).into_iter().next().unwrap_or_default();
        ensure!(
            self.server.is_none() || cli.model.program(&first, &host, &program).is_some(),
            "--server: the servers of {} are no programs; leave it out, and they run on threads",
            cli.model.name()
        );
        let bar = Bar::new(self.seeds.count(), "running for real");
        let queue = SeedQueue::new(self.seeds.0.clone());
        let (model, server) = (cli.model.clone(), program.clone());
        let runs = live(cli.model.clone())
            .programs(move |plan, host| model.program(plan, host, &server))
            .stop_when(Arc::clone(stopped));
        let reports = Mutex::new(BTreeMap::new());
        let work = || -> io::Result<()> {
            while let Some(seed) = queue.take() {
                let ran = runs.run_plan(&cli.model.generate(seed, &options));
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
        ran.with_context(|| format!("cannot start a server; is `{}` one?", program.display()))?;
        Ok(reports.into_inner().expect("all threads have ended"))
    }
}

/// True from the first Ctrl-C or SIGTERM on.
fn interrupted() -> anyhow::Result<Arc<AtomicBool>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let signals = runtime.block_on(async {
        io::Result::Ok((signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?))
    });
    let (mut interrupt, mut terminate) = signals?;
    let stopped = Arc::new(AtomicBool::new(false));
    let stop = Arc::clone(&stopped);
    std::thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        });
        stop.store(true, Ordering::Relaxed);
    });
    Ok(stopped)
}

/// What came of each seed.
struct Runs<M: Model> {
    model: M,
    runs: BTreeMap<u64, LiveReport<M>>,
}

impl<M: Model> Runs<M> {
    fn failures(&self) -> impl Iterator<Item = (u64, &Report<M>)> {
        let reports = self.runs.iter().map(|(seed, run)| (*seed, &run.report));
        reports.filter(|(_, report)| !report.passed())
    }

    fn left_out(&self) -> BTreeMap<AnyFault<M::Fault>, u64> {
        let mut all = BTreeMap::new();
        for (kind, count) in self.runs.values().flat_map(|run| &run.left_out) {
            *all.entry(*kind).or_default() += count;
        }
        all
    }

    fn describe(&self) -> String {
        let mut text = String::new();
        for (seed, LiveReport { report, .. }) in &self.runs {
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
            for line in evidence(&self.model, report) {
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
        let (seeds, failed) = (self.runs.len(), self.failures().count());
        let verdict = match failed {
            0 => "every invariant held".to_owned(),
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
                "evidence": evidence(&self.model, report),
                "plan": report.plan,
            })
        });
        let mut faults: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        for (kind, count) in self.runs.values().flat_map(|run| &run.report.faults) {
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
            "seeds": self.runs.len(),
            "failures": failures.collect::<Vec<_>>(),
            "events": self.runs.values().map(|run| run.report.history.len()).sum::<usize>(),
            "faults": faults.collect::<serde_json::Map<_, _>>(),
            "left_out": left_out.collect::<BTreeMap<_, _>>(),
        })
    }
}

/// The first violation and the events that contradict the promise, a line each.
fn evidence<M: Model>(model: &M, report: &Report<M>) -> Vec<String> {
    let Some(violation) = report.violations.first() else { return Vec::new() };
    let names = model.short_names(&report.history);
    let events = violation.evidence.iter().filter_map(|index| report.history.get(*index));
    let events = events.map(|event| names.shorten(&line(model, event)));
    std::iter::once(names.shorten(&violation.to_string())).chain(events).collect()
}
