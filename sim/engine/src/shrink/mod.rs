//! From a plan that fails to the smallest one that still does: delta debugging.
//!
//! ```text
//!   failing plan ──> simpler network ─> fewer clients, faults, steps ─> shorter waits ──┐
//!        ^                                                                             │
//!        └──────────────── again, until a round changes nothing ──────────────────────┘
//!                          then once more, each candidate under a few other seeds
//! ```
//!
//! A candidate replaces the plan when it fails with the same [`signature()`], or as the caller defines. Lists lose chunks of halving size
//! (ddmin: Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002), from
//! the end, because what happens later disturbs the least. A run that lost a packet draws its
//! latencies otherwise, so a candidate may pass by chance alone; that is what the other seeds
//! are for.
//!
//! The result is a function of the plan and the limits: candidates may run on several threads, but
//! the first in order that fails is taken, and only those up to it are counted.
//!
//! The time to come to rest is never cut below [`Settings::default`]'s: with less of it, a server
//! without any fault would fail too, and the plan could not stay behind as a test.

mod closer;
mod fewer;
mod signature;
mod simpler;
mod trials;

use serde::Serialize;

pub use signature::{file_stem, signature};

use crate::model::Model;
use crate::plan::Plan;
#[cfg(doc)]
use crate::plan::Settings;
use crate::report::Report;
use crate::run::run;
use trials::Trials;

/// How long to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Runs at most; the smallest plan so far is the result when they are used up.
    pub runs_max: u64,
    /// Seeds that a candidate is tried under besides its own, once nothing else helps.
    pub other_seeds: u64,
    /// Threads; the result does not depend on it.
    pub jobs: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { runs_max: 2_000, other_seeds: 3, jobs: 1 }
    }
}

/// How large a plan is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Size {
    /// Steps of all clients.
    pub steps: usize,
    /// Clients.
    pub clients: usize,
    /// Faults.
    pub faults: usize,
}

impl Size {
    /// The size of a plan.
    #[must_use]
    pub fn of<M: Model>(plan: &Plan<M>) -> Self {
        Self { steps: plan.steps.len(), clients: plan.clients.len(), faults: plan.faults.len() }
    }
}

/// What is left of a plan, and what it took.
#[derive(Debug, Clone)]
pub struct Shrunk<M: Model> {
    /// The smallest plan that fails.
    pub plan: Plan<M>,
    /// Plans with one step, client or fault less, each of which was seen to pass. With
    /// [`Self::is_minimal`] these are all that there are.
    pub passing: Vec<Plan<M>>,
    /// Runs until then.
    pub runs: u64,
    /// The size in the beginning.
    pub before: Size,
    /// The size in the end.
    pub after: Size,
    /// True when nothing can be taken away any more; false when the runs were used up before.
    pub is_minimal: bool,
}

/// Shrinks the plan of a run that failed, and keeps the signature of its first violation; none without a violation. `tried`
/// is told the number of runs so far.
pub fn shrink_failure<M: Model>(
    model: &M,
    report: &Report<M>,
    limits: &Limits,
    tried: impl Fn(u64),
) -> Option<Shrunk<M>> {
    let wanted = signature(model, report, report.violations.first()?);
    let fails = |plan: &Plan<M>| {
        let candidate = run(model, plan, false);
        candidate.violations.iter().any(|found| signature(model, &candidate, found) == wanted)
    };
    Some(shrink(model, &report.plan, limits, fails, tried))
}

/// Shrinks a plan of which `fails` is true, as long as it stays true.
pub fn shrink<M: Model>(
    model: &M,
    plan: &Plan<M>,
    limits: &Limits,
    fails: impl Fn(&Plan<M>) -> bool + Sync,
    tried: impl Fn(u64),
) -> Shrunk<M> {
    let mut trials = Trials::new(limits, &fails, &tried);
    let own_seed = to_rest(model, plan.clone(), &mut trials);
    trials.try_other_seeds();
    let smallest = to_rest(model, own_seed, &mut trials);
    Shrunk {
        passing: trials.known_to_pass(fewer::neighbours(&smallest)),
        runs: trials.runs(),
        before: Size::of(plan),
        after: Size::of(&smallest),
        is_minimal: !trials.are_used_up(),
        plan: smallest,
    }
}

/// Rounds of everything, until one changes nothing.
fn to_rest<M: Model>(model: &M, mut plan: Plan<M>, trials: &mut Trials<'_, M>) -> Plan<M> {
    loop {
        let before = plan.clone();
        plan = simpler::network(model, plan, trials);
        plan = fewer::clients(plan, trials);
        plan = fewer::faults(plan, trials);
        plan = fewer::steps(plan, trials);
        plan = fewer::pairs(plan, trials);
        plan = simpler::clients(model, plan, trials);
        plan = closer::times(plan, trials);
        plan = simpler::clock(plan, trials);
        if plan == before || trials.are_used_up() {
            return plan;
        }
    }
}
