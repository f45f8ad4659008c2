//! Many seeds, on all cores, and what they say together.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hasher;
use std::ops::Range;
use std::sync::Mutex;
use std::time::Duration;

use serde::Serialize;
use siphasher::sip::SipHasher13;

use crate::SeedQueue;
use crate::coverage;
use crate::generate;
use crate::options::Options;
use crate::plan::{FaultKind, Plan};
use crate::shrink;
use crate::simulation::{self, Report, Strikes};
use crate::transcript::Names;

/// What a sweep says.
#[derive(Debug, Clone, Default)]
pub struct Sweep {
    /// Seeds that ran.
    pub seeds: u64,
    /// Seeds that failed, in order.
    pub failures: Vec<Failure>,
    /// Simulated time, all runs together.
    pub simulated: Duration,
    /// Threads used.
    pub jobs: usize,
    /// The fingerprint of all runs together, in order of the seeds.
    pub trace_hash: u64,
    /// Faults by kind.
    pub faults: BTreeMap<FaultKind, Strikes>,
    /// Rare states that were reached, and by how many seeds.
    pub reached: BTreeMap<&'static str, u64>,
    /// Events in all histories together.
    pub events: u64,
}

impl Sweep {
    /// Rare states that no seed reached.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        let known = coverage::known().into_iter();
        known.filter(|state| !self.reached.contains_key(state)).collect()
    }
}

/// A seed that failed.
#[derive(Debug, Clone, Serialize)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// What makes failures alike, by [`shrink::kind`](crate::shrink::kind()).
    pub kind: String,
    /// The first checker that found something.
    pub checker: String,
    /// What it found, in one sentence.
    pub what: String,
    /// The events that contradict the promise.
    pub evidence: Vec<String>,
    /// The plan, which runs again as it is.
    pub plan: Plan,
}

/// Runs the plan of every seed in the range on `jobs` threads. `done` is called after each, from
/// any of the threads.
pub fn sweep(
    seeds: Range<u64>,
    options: &Options,
    jobs: usize,
    done: impl Fn(&Report) + Sync,
) -> Sweep {
    combine(run_all(seeds, options, jobs, false, done), options, jobs)
}

/// As [`sweep`], until a seed fails: what comes behind the first that does is not looked at, so
/// the result does not depend on the threads.
pub fn sweep_to_first_failure(
    seeds: Range<u64>,
    options: &Options,
    jobs: usize,
    done: impl Fn(&Report) + Sync,
) -> Sweep {
    let mut results = run_all(seeds, options, jobs, true, done);
    let failed = results.iter().find(|(_, result)| result.failure.is_some());
    if let Some(first) = failed.map(|(seed, _)| *seed) {
        results.retain(|seed, _| *seed <= first);
    }
    combine(results, options, jobs)
}

fn run_all(
    seeds: Range<u64>,
    options: &Options,
    jobs: usize,
    until_failure: bool,
    done: impl Fn(&Report) + Sync,
) -> BTreeMap<u64, SeedResult> {
    let queue = SeedQueue::new(seeds);
    let results = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                while let Some(seed) = queue.take() {
                    let report = simulation::run(&generate::plan(seed, options), false);
                    done(&report);
                    let result = SeedResult::new(seed, &report);
                    if result.failure.is_some() && (until_failure || report.trace.stands_still) {
                        // Seeds before this one are under way, and go on. A run that stands still
                        // keeps its core, so others would only be slower.
                        queue.end_at(seed);
                    }
                    results.lock().expect("no thread panics here").insert(seed, result);
                }
            });
        }
    });
    results.into_inner().expect("all threads have ended")
}

/// What is kept of one seed.
struct SeedResult {
    failure: Option<Failure>,
    trace_hash: u64,
    simulated: Duration,
    faults: BTreeMap<FaultKind, Strikes>,
    reached: BTreeSet<&'static str>,
    events: u64,
}

impl SeedResult {
    fn new(seed: u64, report: &Report) -> Self {
        Self {
            failure: failure(seed, report),
            trace_hash: report.trace.hash,
            simulated: Duration::from_millis(report.plan.settings.ended_ms()),
            faults: report.faults.clone(),
            reached: coverage::reached(report),
            events: report.history.len() as u64,
        }
    }
}

/// The first violation of a run, ready to be shown.
#[must_use]
pub fn failure(seed: u64, report: &Report) -> Option<Failure> {
    let violation = report.violations.first()?;
    let names = Names::of(&report.history);
    let events = violation.evidence.iter().filter_map(|index| report.history.get(*index));
    Some(Failure {
        seed,
        kind: shrink::kind(report, violation),
        checker: violation.checker.clone(),
        what: names.shorten(&violation.what),
        evidence: events.map(|event| names.shorten(&event.to_string())).collect(),
        plan: report.plan.clone(),
    })
}

fn combine(results: BTreeMap<u64, SeedResult>, options: &Options, jobs: usize) -> Sweep {
    let mut sweep = Sweep { jobs, ..Sweep::default() };
    let mut hasher = SipHasher13::new();
    for kind in &options.faults {
        sweep.faults.insert(*kind, Strikes::default());
    }
    for (seed, result) in results {
        hasher.write_u64(seed);
        hasher.write_u64(result.trace_hash);
        sweep.seeds += 1;
        sweep.simulated += result.simulated;
        sweep.events += result.events;
        sweep.failures.extend(result.failure);
        for (kind, strikes) in result.faults {
            let total = sweep.faults.entry(kind).or_default();
            total.planned += strikes.planned;
            total.effective += strikes.effective;
        }
        for state in result.reached {
            *sweep.reached.entry(state).or_default() += 1;
        }
    }
    sweep.trace_hash = hasher.finish();
    sweep
}
