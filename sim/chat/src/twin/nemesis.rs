//! What goes wrong with a real server, when the plan says so.
//!
//! Each fault is a task that strikes, waits and mends. All of them have ended when the plan heals,
//! but for the time that a server takes to start.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use racetrack_sim::QUIET_MIN;
use racetrack_sim::injection::ATTACKER;
use tokio::task::JoinSet;

use super::loopback::Loopback;
use super::process::Servers;
use crate::fault::{ChatFault, ChatFaultKind};
use crate::history::{Kind, Op, Recorder};
use crate::net::{Cut, Trap};
use crate::plan::{AnyFault, ChatPlan, FaultKind, Plan};
use crate::storm;

/// How often a proxy looks for idle connections.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Whether a program can do this to its own connections and children, without being the
/// machine's administrator.
pub(super) const fn is_possible(kind: ChatFaultKind) -> bool {
    match kind {
        AnyFault::Engine(
            FaultKind::CutReset
            | FaultKind::CutFinish
            | FaultKind::SlowReader
            | FaultKind::AbortRequest
            | FaultKind::AbortAnswer
            | FaultKind::IdleProxy
            | FaultKind::Crash
            | FaultKind::Drain
            | FaultKind::RollingDrain
            | FaultKind::Freeze,
        )
        | AnyFault::Model(ChatFault::Storm | ChatFault::Flood(_)) => true,
        // Only the kernel can delay, lose or forget what its TCP carries, or set the clock.
        AnyFault::Engine(
            FaultKind::Hold
            | FaultKind::LatencyStep
            | FaultKind::BlackHole
            | FaultKind::HalfOpen
            | FaultKind::PartitionToServer
            | FaultKind::PartitionToClient
            | FaultKind::CrashBlackHole
            | FaultKind::ClockForward
            | FaultKind::ClockBackward,
        ) => false,
        // Nothing looks into what these sockets carry.
        AnyFault::Model(ChatFault::UpgradeCut | ChatFault::UpgradeSilence) => false,
    }
}

pub(super) struct Nemesis {
    plan: Rc<Plan>,
    loopback: Loopback,
    servers: Rc<Servers>,
    recorder: Recorder,
}

impl Nemesis {
    pub(super) fn new(
        plan: Rc<Plan>,
        loopback: Loopback,
        servers: Rc<Servers>,
        recorder: Recorder,
    ) -> Self {
        Self { plan, loopback, servers, recorder }
    }

    /// Carries out every fault; returns when the last has ended.
    ///
    /// # Errors
    ///
    /// A server does not start any more.
    pub(super) async fn disturb(self: Rc<Self>) -> io::Result<()> {
        let mut faults = JoinSet::new();
        for index in 0..self.plan.faults.len() {
            let nemesis = Rc::clone(&self);
            faults.spawn_local(async move { nemesis.carry_out(index).await });
        }
        while let Some(ended) = faults.join_next().await {
            ended.map_err(io::Error::other)??;
        }
        Ok(())
    }

    async fn carry_out(&self, index: usize) -> io::Result<()> {
        let fault = &self.plan.faults[index];
        let end_ms = (fault.at_ms + fault.for_ms).min(self.plan.settings.healed_ms());
        let lasts = Duration::from_millis(end_ms.saturating_sub(fault.at_ms));
        self.recorder.until(fault.at_ms).await;
        self.record(Kind::Invoke, index, 0);
        let (loopback, person) = (&self.loopback, &fault.target);
        let kind = match fault.kind {
            AnyFault::Engine(kind) => kind,
            AnyFault::Model(ChatFault::Storm) => {
                let count = storm::start(&loopback.connector("storm", 0), lasts);
                self.record(Kind::Ok, index, count);
                return Ok(());
            }
            AnyFault::Model(_) => {
                let count = self.flood(index).await;
                self.record(Kind::Ok, index, count);
                return Ok(());
            }
        };
        let effect = match kind {
            FaultKind::CutReset => loopback.cut(person, Cut::Reset),
            FaultKind::CutFinish => loopback.cut(person, Cut::Finish),
            FaultKind::SlowReader => {
                loopback.stall(person);
                tokio::time::sleep(lasts).await;
                loopback.resume_reads(person)
            }
            FaultKind::AbortRequest => self.trap(person, Trap::Asking, lasts).await,
            FaultKind::AbortAnswer => self.trap(person, Trap::Answered, lasts).await,
            FaultKind::IdleProxy => self.end_idle(person, lasts).await,
            _ => self.servers.strike(kind, lasts).await?,
        };
        self.record(Kind::Ok, index, effect);
        Ok(())
    }

    /// Floods the server, from an address of its own.
    async fn flood(&self, fault: usize) -> usize {
        let Some(attack) = self.plan.attack(fault) else { return 0 };
        let touched = Arc::new(AtomicUsize::new(0));
        let connector = self.loopback.connector(ATTACKER, self.plan.settings.client_hosts);
        attack.carry_out(connector, Arc::clone(&touched)).await;
        touched.load(Ordering::Relaxed)
    }

    async fn trap(&self, person: &str, trap: Trap, lasts: Duration) -> usize {
        let sprung = self.loopback.trap(person, trap);
        tokio::time::sleep(lasts).await;
        self.loopback.untrap(person);
        sprung.load(Ordering::Relaxed)
    }

    async fn end_idle(&self, person: &str, lasts: Duration) -> usize {
        let mut count = 0;
        let looking = async {
            loop {
                count += self.loopback.cut_idle(person, QUIET_MIN);
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        let _over = tokio::time::timeout(lasts, looking).await;
        count
    }

    fn record(&self, kind: Kind, fault: usize, effect: usize) {
        let op = Op::Fault { fault, kind: self.plan.faults[fault].kind, effect };
        self.recorder.record("nemesis", None, kind, op);
    }
}
