//! What a run left behind, and what is wrong with it.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::capture::CapturedEvent;
use crate::determinism::{TraceReport, panics};
use crate::fault::AnyFault;
use crate::history::{Event, Kind, Mark, Record};
use crate::model::Model;
use crate::plan::Plan;
use crate::violation::{CLIENT, DETERMINISM, PANIC, PLAN, STANDSTILL, Violation};

/// What a run left behind.
#[derive(Debug, Clone)]
pub struct Report<M: Model> {
    /// The plan that ran.
    pub plan: Plan<M>,
    /// What happened.
    pub history: Vec<Event<M::Record>>,
    /// Tracing events of the servers.
    pub captured: Vec<CapturedEvent>,
    /// What is wrong.
    pub violations: Vec<Violation>,
    /// The fingerprint of the run.
    pub trace: TraceReport,
    /// Faults by kind.
    pub faults: BTreeMap<AnyFault<M::Fault>, FaultCount>,
}

/// How often a kind of fault was planned, and how often it touched anything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FaultCount {
    /// Faults in the plan.
    pub planned: u64,
    /// Faults with an effect.
    pub effective: u64,
}

impl<M: Model> Report<M> {
    /// True when no checker found anything.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.violations.is_empty()
    }
}

/// The report of a plan of which no run can be made.
pub(crate) fn refused<M: Model>(plan: &Plan<M>, why: &str) -> Report<M> {
    let (history, captured) = (Vec::new(), Vec::new());
    let violations = vec![Violation::new(PLAN, why, &[])];
    let (trace, faults) = (TraceReport::default(), fault_counts::<M>(plan, &history));
    Report { plan: plan.clone(), history, captured, violations, trace, faults }
}

/// What is wrong with a run, the cause of it first.
pub(crate) fn judge<M: Model>(
    model: &M,
    plan: &Plan<M>,
    history: &[Event<M::Record>],
    error: Option<String>,
    trace: &TraceReport,
) -> Vec<Violation> {
    // What follows from reaching past the seed, for instance a panic, is not the cause.
    if let Some(escape) = &trace.escape {
        return vec![Violation::new(DETERMINISM, escape, &[])];
    }
    if trace.stands_still {
        return vec![Violation::new(STANDSTILL, error.unwrap_or_default(), &[])];
    }
    // An error that follows from a panic names a task by a number, if at all.
    match (trace.panics.first(), error) {
        (Some(panic), _) => vec![Violation::new(PANIC, panic, &[])],
        (None, Some(error)) => vec![Violation::new(CLIENT, error, &[])],
        (None, None) => check(model, plan, history),
    }
}

/// What the checkers find; a checker that panics has found that it is wrong itself.
pub(crate) fn check<M: Model>(
    model: &M,
    plan: &Plan<M>,
    history: &[Event<M::Record>],
) -> Vec<Violation> {
    let checking = AssertUnwindSafe(|| model.violations(plan, history));
    catch_unwind(checking).unwrap_or_else(|panic| {
        let text = panics::text_of(panic.as_ref());
        vec![Violation::new(PANIC, format!("a checker panicked: {text}"), &[])]
    })
}

/// How often each kind of fault was planned, and how often it touched anything.
#[must_use]
pub fn fault_counts<M: Model>(
    plan: &Plan<M>,
    history: &[Event<M::Record>],
) -> BTreeMap<AnyFault<M::Fault>, FaultCount> {
    let mut counts = BTreeMap::<_, FaultCount>::new();
    for fault in &plan.faults {
        counts.entry(fault.kind).or_default().planned += 1;
    }
    for event in history.iter().filter(|event| event.kind == Kind::Ok) {
        if let Some(Mark::Fault { kind, effect: 1.., .. }) = event.what.mark() {
            counts.entry(kind).or_default().effective += 1;
        }
    }
    counts
}

/// The names of kinds of faults that were planned and never touched anything.
#[must_use]
pub fn without_effect<M: Model>(
    counts: &BTreeMap<AnyFault<M::Fault>, FaultCount>,
) -> BTreeSet<String> {
    let idle = counts.iter().filter(|(_, count)| count.planned > 0 && count.effective == 0);
    idle.map(|(kind, _)| kind.to_string()).collect()
}
