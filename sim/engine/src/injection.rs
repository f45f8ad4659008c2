//! What a model has in hand to inject a fault of its own kinds.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use crate::agent::Agent;
use crate::fault::{Fault, FaultType};
use crate::model::Model;
use crate::net::{Network, PORT, SimConnector};
use crate::plan::Plan;

/// The name of the host and the owner of connections of attacks.
pub const ATTACKER: &str = "attacker";

/// A fault of a model's own kind, and what it may use.
pub struct Injection<'a, M: Model> {
    /// The plan.
    pub plan: &'a Rc<Plan<M>>,
    /// The fault's place in the plan.
    pub index: usize,
    /// The fault.
    pub fault: &'a Fault<M::Fault>,
    /// The network.
    pub network: &'a Network,
    pub(crate) on_clients: &'a Agent,
    pub(crate) on_attacker: &'a Agent,
}

/// What a fault did when it began.
#[derive(Debug, Default)]
pub struct Injected {
    /// What it has touched.
    pub effect: usize,
    /// Counts what it touches until it ends.
    pub counter: Option<Arc<AtomicUsize>>,
    /// Whether it is over already.
    pub is_over: bool,
}

impl<M: Model> Injection<'_, M>
where
    M::Fault: FaultType,
{
    /// How long the fault lasts: it ends when the network heals.
    #[must_use]
    pub fn lasts(&self) -> Duration {
        let left_ms = self.plan.settings.healed_ms().saturating_sub(self.fault.at_ms);
        Duration::from_millis(self.fault.for_ms.min(left_ms))
    }

    /// A connector to the target of the fault, whose connections belong to `owner`.
    #[must_use]
    pub fn connector(&self, owner: &str) -> SimConnector {
        SimConnector::new(self.network.clone(), (self.fault.target.clone(), PORT), owner)
    }

    /// Runs this on the first client host, where it may start tasks that end by themselves. False if that host does
    /// not run.
    pub fn run_on_clients(&self, start: impl FnOnce() + 'static) -> bool {
        self.on_clients.order(Box::new(|_| start()))
    }

    /// Starts a task on the attacker's host, which ends when the network heals. False if there is none: it exists in
    /// plans with a fault of [`Scope::Attack`](crate::Scope).
    pub fn spawn_on_attacker(&self, task: impl Future<Output = ()> + 'static) -> bool {
        self.on_attacker.order(Box::new(|tasks| drop(tasks.spawn_local(task))))
    }
}
