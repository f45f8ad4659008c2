//! Injects the plan's faults, between two steps of the simulation.
//!
//! Every fault ends by itself, at the latest when the network heals, and records what it touched. `begin` and `end` are the
//! two halves of the table of built-in kinds; `injection` is how a model injects kinds of its own.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::agent::Agent;
use crate::backend::{Backend, LifeId};
use crate::context::Context;
use crate::fault::{AnyFault, Fault, FaultKind, FaultType, Scope};
use crate::history::{Kind, Mark, Record, Recorder};
use crate::injection::{Injected, Injection};
use crate::model::Model;
use crate::net::{Cut, Network, Side, Trap};
use crate::plan::{Plan, client_host};

/// The process that faults are recorded under.
pub(crate) const NEMESIS: &str = "nemesis";
/// How far the wall clock jumps, in nanoseconds.
const JUMP_NS: i64 = 3_600 * 1_000_000_000;
/// After how long without a byte a proxy ends a connection.
pub const QUIET_MIN: Duration = Duration::from_millis(250);

pub(crate) struct Nemesis<M: Model> {
    pub(crate) model: M,
    pub(crate) plan: Rc<Plan<M>>,
    pub(crate) network: Network,
    pub(crate) on_clients: Agent,
    pub(crate) on_attacker: Agent,
    pub(crate) recorder: Recorder<M::Record>,
    /// Whether actions of the plan may lose connections, at any time.
    loses_connections: bool,
    /// The next fault that has not begun.
    next: usize,
    active: Vec<Active>,
}

/// A fault that has begun and ends later.
struct Active {
    fault: usize,
    began: Duration,
    end_ms: u64,
    /// What it has touched so far.
    effect: usize,
    /// Counts what it touches beside that.
    counter: Option<Arc<AtomicUsize>>,
    /// The process that it hits.
    life: Option<LifeId>,
}

impl<M: Model> Nemesis<M> {
    pub(crate) fn new(
        model: M,
        plan: Rc<Plan<M>>,
        network: Network,
        [on_clients, on_attacker]: [Agent; 2],
        recorder: Recorder<M::Record>,
    ) -> Self {
        let loses_connections = model.loses_connections(&plan);
        let (next, active) = (0, Vec::new());
        Self {
            model,
            plan,
            network,
            on_clients,
            on_attacker,
            recorder,
            loses_connections,
            next,
            active,
        }
    }

    /// A client beside those of the plan.
    pub(crate) fn client(&self, name: String) -> Context<M> {
        let (network, plan) = (self.network.clone(), Rc::clone(&self.plan));
        Context::new(name, network, plan, self.recorder.clone())
    }

    /// Ends what is due to end and begins what is due to begin.
    pub(crate) fn act(&mut self, backend: &mut impl Backend, now: Duration) {
        self.reap(backend);
        let now_ms = now.as_millis() as u64;
        let (due, later): (Vec<_>, Vec<_>) =
            self.active.drain(..).partition(|active| active.end_ms <= now_ms);
        self.active = later;
        for active in due {
            self.end(backend, active);
        }
        let plan = Rc::clone(&self.plan);
        while let Some(fault) = plan.faults.get(self.next).filter(|fault| fault.at_ms <= now_ms) {
            self.begin(backend, now, self.next, fault);
            self.next += 1;
        }
        self.go_on(now);
    }

    /// Notes servers that have ended by themselves.
    pub(crate) fn reap(&mut self, backend: &mut impl Backend) {
        for _ in 0..backend.reap() {
            self.recorder.record(NEMESIS, Kind::Observe, M::Record::of_mark(Mark::Exited));
        }
    }

    /// Ends everything, whatever was planned.
    pub(crate) fn heal(&mut self, backend: &mut impl Backend) {
        for active in std::mem::take(&mut self.active) {
            self.end(backend, active);
        }
        self.on_attacker.stop();
        // What clients did to their own connections ends too.
        for client in &self.plan.clients {
            self.network.untrap(&client.name);
            self.network.resume_reads(&client.name);
        }
        // A client's machine that had lost its power is back, and knows nothing of its connections.
        self.network.recover_lost(|_| true);
        self.next = self.plan.faults.len();
    }

    fn begin(
        &mut self,
        backend: &mut impl Backend,
        now: Duration,
        index: usize,
        fault: &Fault<M::Fault>,
    ) {
        self.record(Kind::Invoke, index, 0);
        let life = match fault.kind.scope() {
            Scope::Server => backend.current(&fault.target),
            Scope::Attack | Scope::Client | Scope::ClientHost => None,
        };
        let injected = match fault.kind {
            AnyFault::Engine(kind) => self.inject(backend, kind, fault, life),
            AnyFault::Model(_) => self.model.begin_fault(&self.injection(index)),
        };
        let Injected { effect, counter, is_over } = injected;
        if is_over {
            self.record(Kind::Ok, index, effect);
            return;
        }
        let (began, end_ms) = (now, fault.at_ms + fault.for_ms);
        self.active.push(Active { fault: index, began, end_ms, effect, counter, life });
    }

    /// Begins a fault of a built-in kind.
    fn inject(
        &mut self,
        backend: &mut impl Backend,
        kind: FaultKind,
        fault: &Fault<M::Fault>,
        life: Option<LifeId>,
    ) -> Injected {
        let (network, client) = (&self.network, fault.target.as_str());
        let touched = |effect| Injected { effect, is_over: kind.is_instant(), counter: None };
        let counting = |counter| Injected { counter: Some(counter), ..Injected::default() };
        match kind {
            FaultKind::Hold | FaultKind::LatencyStep => {
                backend.disturb_host(kind, &self.host(fault));
            }
            FaultKind::CutReset => return touched(network.cut(client, Cut::Reset)),
            FaultKind::CutFinish => return touched(network.cut(client, Cut::Finish)),
            FaultKind::BlackHole => return touched(network.lose(client)),
            FaultKind::HalfOpen => return touched(network.half_open(client)),
            FaultKind::PartitionToServer => {
                return touched(network.partition_one_way(client, Side::Client));
            }
            FaultKind::PartitionToClient => {
                return touched(network.partition_one_way(client, Side::Server));
            }
            FaultKind::SlowReader => drop(network.stall(client)),
            FaultKind::AbortRequest => return counting(network.trap(client, Trap::Asking)),
            FaultKind::AbortAnswer => return counting(network.trap(client, Trap::Answered)),
            FaultKind::IdleProxy => {}
            FaultKind::ClockForward | FaultKind::ClockBackward => {
                backend.jump_wall_clock(jump_ns(kind));
                return touched(network.live_connections());
            }
            FaultKind::Freeze
            | FaultKind::Crash
            | FaultKind::CrashBlackHole
            | FaultKind::Drain
            | FaultKind::RollingDrain => {
                let effect = life.and_then(|life| backend.disturb_server(kind, life));
                let (is_over, effect) = (effect.is_none(), effect.unwrap_or_default());
                return Injected { effect, is_over, counter: None };
            }
        }
        Injected::default()
    }

    /// What a fault does all the time.
    fn go_on(&mut self, now: Duration) {
        let mut may_be_lost = self.loses_connections;
        for place in 0..self.active.len() {
            let index = self.active[place].fault;
            let fault = &self.plan.faults[index];
            let touched = match fault.kind {
                AnyFault::Engine(FaultKind::IdleProxy) => {
                    self.network.cut_idle(&fault.target, now, QUIET_MIN)
                }
                AnyFault::Engine(_) => 0,
                AnyFault::Model(_) => self.model.continue_fault(&self.injection(index)),
            };
            may_be_lost |= match fault.kind {
                AnyFault::Engine(kind) => kind.is_silent(),
                AnyFault::Model(kind) => kind.is_silent(),
            };
            self.active[place].effect += touched;
        }
        if may_be_lost && let Some(user_timeout) = self.model.user_timeout(&self.plan) {
            self.network.give_up_unacknowledged(now, user_timeout);
        }
    }

    fn end(&mut self, backend: &mut impl Backend, active: Active) {
        let Active { fault: index, began, mut effect, counter, life, .. } = active;
        let plan = Rc::clone(&self.plan);
        let fault = &plan.faults[index];
        effect += counter.map_or(0, |counter| counter.load(Ordering::Relaxed));
        let (network, client) = (&self.network, fault.target.as_str());
        let kind = match fault.kind {
            AnyFault::Engine(kind) => kind,
            AnyFault::Model(_) => {
                self.model.end_fault(&self.injection(index));
                return self.record(Kind::Ok, index, effect);
            }
        };
        match kind {
            FaultKind::Hold | FaultKind::LatencyStep => {
                effect = backend.restore_host(kind, &self.host(fault), began);
            }
            FaultKind::BlackHole | FaultKind::HalfOpen => {
                network.recover_lost(|owner| owner == Some(client));
            }
            FaultKind::PartitionToServer => network.heal_one_way(client, Side::Client),
            FaultKind::PartitionToClient => network.heal_one_way(client, Side::Server),
            FaultKind::SlowReader => effect = network.resume_reads(client),
            FaultKind::AbortRequest | FaultKind::AbortAnswer => network.untrap(client),
            FaultKind::ClockForward | FaultKind::ClockBackward => {
                backend.jump_wall_clock(-jump_ns(kind));
            }
            FaultKind::Freeze
            | FaultKind::Crash
            | FaultKind::CrashBlackHole
            | FaultKind::Drain
            | FaultKind::RollingDrain => {
                if let Some(life) = life {
                    backend.restore_server(kind, life);
                }
            }
            FaultKind::CutReset | FaultKind::CutFinish | FaultKind::IdleProxy => {}
        }
        self.record(Kind::Ok, index, effect);
    }

    fn injection(&self, index: usize) -> Injection<'_, M> {
        let Self { plan, network, on_clients, on_attacker, .. } = self;
        let fault = &plan.faults[index];
        Injection { plan, index, fault, network, on_clients, on_attacker }
    }

    fn host(&self, fault: &Fault<M::Fault>) -> String {
        client_host(self.plan.host_of(&fault.target).unwrap_or_default())
    }

    fn record(&self, kind: Kind, fault: usize, effect: usize) {
        let mark = Mark::Fault { fault, kind: self.plan.faults[fault].kind, effect };
        self.recorder.record(NEMESIS, kind, M::Record::of_mark(mark));
    }
}

/// How far the wall clock jumps by a fault.
fn jump_ns(kind: FaultKind) -> i64 {
    if kind == FaultKind::ClockBackward { -JUMP_NS } else { JUMP_NS }
}
