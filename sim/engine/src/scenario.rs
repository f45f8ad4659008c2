//! A race, written by hand: which fault begins at which millisecond, over a network without surprises.

use crate::error::Error;
use crate::fault::{AnyFault, Fault, FaultKind, FaultType};
use crate::log::{log, tail};
use crate::model::Model;
use crate::plan::{Plan, Settings};
use crate::report::Report;
use crate::run::run;
use crate::service::{IntoModel, Note, Service, Sim};
use crate::transcript::transcript;
use crate::violation::Violation;

/// A fault and what it hits, before it is scheduled.
#[derive(Debug, Clone)]
pub struct Injected<F: FaultType> {
    kind: AnyFault<F>,
    target: String,
    for_ms: u64,
}

impl FaultKind {
    /// The fault of this kind that hits a client or a server of that name.
    #[must_use]
    pub fn on<F: FaultType>(self, target: &str) -> Injected<F> {
        Injected { kind: self.into(), target: target.to_owned(), for_ms: 0 }
    }
}

impl<F: FaultType> Injected<F> {
    /// It lasts so many milliseconds.
    #[must_use]
    pub fn for_ms(mut self, for_ms: u64) -> Self {
        self.for_ms = for_ms;
        self
    }
}

/// A plan under construction. Packets take 10 ms each way unless settings say otherwise.
#[derive(Debug, Clone)]
#[must_use = "a scenario does nothing until it runs"]
pub struct Scenario<M: Model> {
    model: M,
    plan: Plan<M>,
}

/// A race of a declared service, written by hand.
pub fn scenario<E: Note>(declare: impl Fn(&mut Sim<E>)) -> Scenario<Service<E>> {
    let model = declare.into_model();
    let mut plan = model.calm(1);
    let usual = Settings::default();
    if (plan.settings.latency_ms_min, plan.settings.latency_ms_max)
        == (usual.latency_ms_min, usual.latency_ms_max)
    {
        (plan.settings.latency_ms_min, plan.settings.latency_ms_max) = (10, 10);
    }
    Scenario { model, plan }
}

impl<M: Model> Scenario<M> {
    /// The seed of what the plan leaves open: latencies, entropy, the order of tasks.
    pub fn seed(mut self, seed: u64) -> Self {
        self.plan.seed = seed;
        self
    }

    /// A fault begins at that time.
    pub fn at_ms(mut self, at_ms: u64, fault: Injected<M::Fault>) -> Self {
        let Injected { kind, target, for_ms } = fault;
        self.plan.faults.push(Fault { at_ms, kind, target, for_ms, count: None });
        self
    }

    /// The network and the phases.
    pub fn settings(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.plan.settings);
        self
    }

    /// The plan so far.
    #[must_use]
    pub fn plan(&self) -> Plan<M> {
        let mut plan = self.plan.clone();
        plan.faults.sort_by_key(|fault| fault.at_ms);
        let last_ms = plan.faults.last().map_or(0, |fault| fault.at_ms + fault.for_ms);
        plan.settings.disturb_ms = plan.settings.disturb_ms.max(last_ms + 1);
        plan
    }

    /// Runs it; returns what is wrong, or nothing.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        run(&self.model, &self.plan(), false).violations
    }

    /// Runs it.
    ///
    /// # Errors
    ///
    /// One line if no run can be made of it, as where a fault names an unknown client; the transcript if an invariant
    /// is broken.
    pub fn run(&self) -> Result<Report<M>, Error> {
        let plan = self.plan();
        plan.check(&self.model)?;
        let report = run(&self.model, &plan, false);
        if !report.passed() {
            let logged = tail(&log(&self.model, &report.plan)?);
            return Err(Error::Failed(transcript(&self.model, &report) + &logged));
        }
        Ok(report)
    }
}

impl<M: Model> Report<M> {
    /// What the fault at that place among the faults, in order of time, has touched: connections, packets.
    #[must_use]
    pub fn effect(&self, place: usize) -> usize {
        use crate::history::{Kind, Mark, Record};
        let effects = self.history.iter().filter(|event| event.kind == Kind::Ok);
        let mut effects = effects.filter_map(|event| match event.what.mark()? {
            Mark::Fault { fault, effect, .. } if fault == place => Some(effect),
            _ => None,
        });
        effects.next().unwrap_or_default()
    }
}
