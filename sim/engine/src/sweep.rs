//! Many seeds, on all cores, and their results together.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hasher;
use std::ops::Range;
use std::sync::Mutex;
use std::time::Duration;

use serde::Serialize;
use siphasher::sip::SipHasher13;

use crate::error::Error;
use crate::fault::AnyFault;
use crate::model::Model;
use crate::options::Options;
use crate::plan::Plan;
use crate::report::{FaultCount, Report};
use crate::run::run;
use crate::seeds::SeedQueue;
use crate::shrink;
use crate::transcript::line;

/// The results of many seeds.
#[derive(Debug, Clone)]
pub struct Sweep<M: Model> {
    /// Seeds that ran.
    pub seeds: u64,
    /// Seeds that failed, in order.
    pub failures: Vec<Failure<M>>,
    /// Simulated time, all runs together.
    pub simulated: Duration,
    /// Threads used.
    pub jobs: usize,
    /// The fingerprint of all runs together, in order of the seeds.
    pub trace_hash: u64,
    /// Faults by kind.
    pub faults: BTreeMap<AnyFault<M::Fault>, FaultCount>,
    /// Rare states that were reached, and by how many seeds.
    pub reached: BTreeMap<Cow<'static, str>, u64>,
    /// Events in all histories together.
    pub events: u64,
}

impl<M: Model> Sweep<M> {
    fn new(jobs: usize) -> Self {
        Self {
            seeds: 0,
            failures: Vec::new(),
            simulated: Duration::ZERO,
            jobs,
            trace_hash: 0,
            faults: BTreeMap::new(),
            reached: BTreeMap::new(),
            events: 0,
        }
    }

    /// Rare states that no seed reached.
    #[must_use]
    pub fn missing(&self, model: &M) -> Vec<Cow<'static, str>> {
        let known = model.states().into_iter();
        known.filter(|state| !self.reached.contains_key(state)).collect()
    }
}

/// A seed that failed.
#[derive(Debug, Clone, Serialize)]
#[serde(bound = "")]
pub struct Failure<M: Model> {
    /// The seed.
    pub seed: u64,
    /// The signature that failures of the same cause share: see [`shrink::signature`](crate::shrink::signature()).
    pub kind: String,
    /// The first checker that found something.
    pub checker: String,
    /// What it found, in one sentence.
    pub what: String,
    /// The events that contradict the invariant.
    pub evidence: Vec<String>,
    /// The plan, which runs again as it is.
    pub plan: Plan<M>,
}

/// The cores of this machine.
#[must_use]
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The plan of a seed, checked.
pub(crate) fn drawn<M: Model>(
    model: &M,
    seed: u64,
    options: &Options<M::Fault>,
) -> Result<Plan<M>, Error> {
    let plan = model.generate(seed, options);
    plan.check(model)?;
    match plan.clients.is_empty() {
        true => {
            let why = "the model has no clients, so nothing happens: declare one";
            Err(Error::Invalid(why.to_owned()))
        }
        false => Ok(plan),
    }
}

/// Runs the plan of every seed in the range on `jobs` threads. `done` is called after each, from
/// any of the threads.
pub fn sweep<M: Model>(
    model: &M,
    seeds: Range<u64>,
    options: &Options<M::Fault>,
    jobs: usize,
    done: impl Fn(&Report<M>) + Sync,
) -> Sweep<M> {
    combine(run_all(model, seeds, options, jobs, false, done), options, jobs)
}

/// As [`sweep`], until a seed fails: what comes behind the first that does is not looked at, so
/// the result does not depend on the threads.
pub fn sweep_to_first_failure<M: Model>(
    model: &M,
    seeds: Range<u64>,
    options: &Options<M::Fault>,
    jobs: usize,
    done: impl Fn(&Report<M>) + Sync,
) -> Sweep<M> {
    let mut results = run_all(model, seeds, options, jobs, true, done);
    let failed = results.iter().find(|(_, result)| result.failure.is_some());
    if let Some(first) = failed.map(|(seed, _)| *seed) {
        results.retain(|seed, _| *seed <= first);
    }
    combine(results, options, jobs)
}

fn run_all<M: Model>(
    model: &M,
    seeds: Range<u64>,
    options: &Options<M::Fault>,
    jobs: usize,
    until_failure: bool,
    done: impl Fn(&Report<M>) + Sync,
) -> BTreeMap<u64, SeedResult<M>> {
    let queue = SeedQueue::new(seeds);
    let results = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                while let Some(seed) = queue.take() {
                    let report = run(model, &model.generate(seed, options), false);
                    done(&report);
                    let result = SeedResult::new(model, seed, &report);
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
struct SeedResult<M: Model> {
    failure: Option<Failure<M>>,
    trace_hash: u64,
    simulated: Duration,
    faults: BTreeMap<AnyFault<M::Fault>, FaultCount>,
    reached: BTreeSet<Cow<'static, str>>,
    events: u64,
}

impl<M: Model> SeedResult<M> {
    fn new(model: &M, seed: u64, report: &Report<M>) -> Self {
        Self {
            failure: failure(model, seed, report),
            trace_hash: report.trace.hash,
            simulated: Duration::from_millis(report.plan.settings.ended_ms()),
            faults: report.faults.clone(),
            reached: model.reached(report),
            events: report.history.len() as u64,
        }
    }
}

/// The first violation of a run, ready to be shown.
#[must_use]
pub fn failure<M: Model>(model: &M, seed: u64, report: &Report<M>) -> Option<Failure<M>> {
    let violation = report.violations.first()?;
    let names = model.short_names(&report.history);
    let events = violation.evidence.iter().filter_map(|index| report.history.get(*index));
    Some(Failure {
        seed,
        kind: shrink::signature(model, report, violation),
        checker: violation.checker.clone(),
        what: names.shorten(&violation.what),
        evidence: events.map(|event| names.shorten(&line(model, event))).collect(),
        plan: report.plan.clone(),
    })
}

fn combine<M: Model>(
    results: BTreeMap<u64, SeedResult<M>>,
    options: &Options<M::Fault>,
    jobs: usize,
) -> Sweep<M> {
    let mut sweep = Sweep::new(jobs);
    let mut hasher = SipHasher13::new();
    for kind in &options.faults {
        sweep.faults.insert(*kind, FaultCount::default());
    }
    for (seed, result) in results {
        hasher.write_u64(seed);
        hasher.write_u64(result.trace_hash);
        sweep.seeds += 1;
        sweep.simulated += result.simulated;
        sweep.events += result.events;
        sweep.failures.extend(result.failure);
        for (kind, count) in result.faults {
            let total = sweep.faults.entry(kind).or_default();
            total.planned += count.planned;
            total.effective += count.effective;
        }
        for state in result.reached {
            *sweep.reached.entry(state).or_default() += 1;
        }
    }
    sweep.trace_hash = hasher.finish();
    sweep
}
