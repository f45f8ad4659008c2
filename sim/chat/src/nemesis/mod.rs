//! What goes wrong: carries out the plan's faults between two steps of the simulation.
//!
//! Every fault ends by itself, at the latest when the network heals, and records what it
//! touched: a fault that touched nothing has proved nothing, and is counted as such. `mod` says
//! when, `servers` what happens to the server's processes, `storm` opens connections by the dozen,
//! `attacker` floods the server.

mod attacker;
mod servers;
mod storm;

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use turmoil::Sim;

use crate::determinism::clock;
use crate::history::{Kind, Op, Recorder};
use crate::net::{Breakage, Cut, Network, Side, Trap};
use crate::plan::{Action, Fault, FaultKind, Plan};

pub(crate) use attacker::{Attacker, Attacks};
use servers::Life;
pub(crate) use servers::{Servers, host_names};
pub(crate) use storm::{Storm, Winds, rage};

/// Who does all this, in the history.
const NEMESIS: &str = "nemesis";
/// How far the wall clock jumps, in nanoseconds.
const JUMP_NS: i64 = 3_600 * 1_000_000_000;
/// What a packet takes at most during [`FaultKind::LatencyStep`].
pub(crate) const SLOW_LATENCY_MS: u64 = 500;
/// What a client writes until it has upgraded: the handshake, the probe, the packet that upgrades.
const UPGRADE_WRITES: u64 = 3;
/// After how long without a byte a proxy ends a connection.
pub(crate) const QUIET_MIN: Duration = Duration::from_millis(250);

pub(crate) struct Nemesis {
    plan: Rc<Plan>,
    network: Network,
    servers: Servers,
    storm: Storm,
    attacker: Attacker,
    recorder: Recorder,
    /// Whether the plan takes somebody's power, which may lose connections at any time.
    cuts_power: bool,
    /// The next fault that has not begun.
    next: usize,
    under_way: Vec<UnderWay>,
}

/// A fault that has begun and ends later.
struct UnderWay {
    fault: usize,
    began: Duration,
    end_ms: u64,
    /// What it has touched so far.
    effect: usize,
    /// The traps of it that were sprung, or the connections that an attacker touched.
    counted: Option<Arc<AtomicUsize>>,
    /// The server that it struck.
    server: Life,
}

impl Nemesis {
    pub(crate) fn new(
        plan: Rc<Plan>,
        network: Network,
        servers: Servers,
        storm: Storm,
        attacker: Attacker,
        recorder: Recorder,
    ) -> Self {
        let cuts_power = plan.steps.iter().any(|step| step.action == Action::PowerCut);
        let (next, under_way) = (0, Vec::new());
        Self { plan, network, servers, storm, attacker, recorder, cuts_power, next, under_way }
    }

    /// Ends what is due to end and begins what is due to begin.
    pub(crate) fn act(&mut self, sim: &mut Sim<'_>, now_ms: u64) {
        for _ in 0..self.servers.bury(sim) {
            self.recorder.record(NEMESIS, None, Kind::Observe, Op::Exited);
        }
        let (due, later): (Vec<_>, Vec<_>) =
            self.under_way.drain(..).partition(|under_way| under_way.end_ms <= now_ms);
        self.under_way = later;
        for under_way in due {
            self.end(sim, under_way);
        }
        while let Some(fault) = self.plan.faults.get(self.next).filter(|f| f.at_ms <= now_ms) {
            self.begin(sim, self.next, *fault);
            self.next += 1;
        }
        self.go_on();
    }

    /// Ends everything, whatever was planned.
    pub(crate) fn heal(&mut self, sim: &mut Sim<'_>) {
        for under_way in std::mem::take(&mut self.under_way) {
            self.end(sim, under_way);
        }
        self.attacker.stop();
        // What people did to themselves ends too.
        for person in &self.plan.people {
            self.network.untrap(&person.name);
            self.network.go_on_reading(&person.name);
        }
        // A device that had lost its power is back, and knows nothing of its connections.
        self.network.answer_lost(|_| true);
        self.next = self.plan.faults.len();
    }

    fn begin(&mut self, sim: &mut Sim<'_>, index: usize, fault: Fault) {
        self.record(Kind::Invoke, index, 0);
        let mut under_way = UnderWay {
            fault: index,
            began: clock::elapsed(),
            end_ms: fault.at_ms + fault.for_ms,
            effect: 0,
            counted: None,
            server: self.servers.current(),
        };
        if self.strike(sim, fault, &mut under_way) {
            self.under_way.push(under_way);
        } else {
            self.record(Kind::Ok, index, under_way.effect);
        }
    }

    /// Begins a fault; says whether it lasts.
    fn strike(&mut self, sim: &mut Sim<'_>, fault: Fault, under_way: &mut UnderWay) -> bool {
        let (network, person) = (self.network.clone(), self.person(fault));
        let effect = &mut under_way.effect;
        match fault.kind {
            FaultKind::Hold => self.servers.hold(sim, &self.host(fault)),
            FaultKind::LatencyStep => {
                self.servers.set_latency_max(
                    sim,
                    &self.host(fault),
                    Duration::from_millis(SLOW_LATENCY_MS),
                );
            }
            FaultKind::CutReset => *effect = network.cut(&person, Cut::Reset),
            FaultKind::CutFinish => *effect = network.cut(&person, Cut::Finish),
            FaultKind::BlackHole => *effect = network.lose(&person),
            FaultKind::HalfOpen => *effect = network.half_open(&person),
            FaultKind::PartitionToServer => *effect = network.mute(&person, Side::Client),
            FaultKind::PartitionToClient => *effect = network.mute(&person, Side::Server),
            FaultKind::SlowReader => drop(network.stall(&person)),
            FaultKind::AbortRequest => {
                under_way.counted = Some(network.trap(&person, Trap::Asking));
            }
            FaultKind::AbortAnswer => {
                under_way.counted = Some(network.trap(&person, Trap::Answered));
            }
            FaultKind::IdleProxy | FaultKind::UpgradeCut | FaultKind::UpgradeSilence => {}
            FaultKind::Storm => *effect = self.storm.brew(Duration::from_millis(fault.for_ms)),
            FaultKind::Freeze => *effect = network.freeze(),
            FaultKind::ClockForward => {
                clock::jump_wall_clock(JUMP_NS);
                *effect = network.live_connections();
            }
            FaultKind::ClockBackward => {
                clock::jump_wall_clock(-JUMP_NS);
                *effect = network.live_connections();
            }
            FaultKind::Crash
            | FaultKind::CrashBlackHole
            | FaultKind::Drain
            | FaultKind::RollingDrain => {
                let struck = self.servers.strike(sim, fault.kind);
                *effect = struck.unwrap_or_default();
                return struck.is_some();
            }
            FaultKind::FloodSessions
            | FaultKind::FloodStreams
            | FaultKind::FloodWebSockets
            | FaultKind::FloodEngineIo
            | FaultKind::FloodSocketIo
            | FaultKind::FloodParked
            | FaultKind::FloodNext
            | FaultKind::FloodSay
            | FaultKind::FloodAck
            | FaultKind::FloodConnections
            | FaultKind::FloodHalfRequests => {
                let attack = self.plan.attack(under_way.fault);
                under_way.counted = attack.map(|attack| self.attacker.begin(attack));
            }
        }
        !matches!(fault.kind, FaultKind::CutReset | FaultKind::CutFinish | FaultKind::Storm)
    }

    /// What a fault does all the time.
    fn go_on(&mut self) {
        let now = clock::elapsed();
        let user_timeout = Duration::from_millis(self.plan.server.write_ms_max);
        let mut may_be_lost = self.cuts_power;
        for index in 0..self.under_way.len() {
            let fault = self.plan.faults[self.under_way[index].fault];
            if fault.kind == FaultKind::IdleProxy {
                let cut = self.network.cut_idle(&self.person(fault), now, QUIET_MIN);
                self.under_way[index].effect += cut;
            }
            if let Some(breakage) = breakage(fault) {
                let broken = self.network.break_marked(&self.person(fault), breakage);
                self.under_way[index].effect += broken;
            }
            may_be_lost |= matches!(
                fault.kind,
                FaultKind::BlackHole
                    | FaultKind::HalfOpen
                    | FaultKind::PartitionToClient
                    | FaultKind::UpgradeSilence
            );
        }
        if may_be_lost {
            self.network.give_up_unacknowledged(now, user_timeout);
        }
    }

    fn end(&mut self, sim: &mut Sim<'_>, under_way: UnderWay) {
        let UnderWay { fault: index, began, mut effect, counted, server, .. } = under_way;
        let fault = self.plan.faults[index];
        let (network, person) = (&self.network, self.person(fault));
        match fault.kind {
            FaultKind::Hold => effect = self.servers.release(sim, &self.host(fault)),
            FaultKind::LatencyStep => {
                let usual = Duration::from_millis(self.plan.settings.latency_ms_max);
                let host = self.host(fault);
                self.servers.set_latency_max(sim, &host, usual);
                effect = network.moved_since(sim.lookup(host), began);
            }
            FaultKind::BlackHole | FaultKind::HalfOpen | FaultKind::UpgradeSilence => {
                network.answer_lost(|owner| owner == Some(&person));
            }
            FaultKind::PartitionToServer => network.unmute(&person, Side::Client),
            FaultKind::PartitionToClient => network.unmute(&person, Side::Server),
            FaultKind::SlowReader => effect = network.go_on_reading(&person),
            FaultKind::AbortRequest | FaultKind::AbortAnswer => {
                network.untrap(&person);
                effect = counted.map_or(0, |sprung| sprung.load(Ordering::Relaxed));
            }
            FaultKind::Freeze => network.thaw(),
            FaultKind::ClockForward => clock::jump_wall_clock(-JUMP_NS),
            FaultKind::ClockBackward => clock::jump_wall_clock(JUMP_NS),
            FaultKind::Crash
            | FaultKind::CrashBlackHole
            | FaultKind::Drain
            | FaultKind::RollingDrain => self.servers.end(sim, fault.kind, server),
            FaultKind::FloodSessions
            | FaultKind::FloodStreams
            | FaultKind::FloodWebSockets
            | FaultKind::FloodEngineIo
            | FaultKind::FloodSocketIo
            | FaultKind::FloodParked
            | FaultKind::FloodNext
            | FaultKind::FloodSay
            | FaultKind::FloodAck
            | FaultKind::FloodConnections
            | FaultKind::FloodHalfRequests => {
                effect = counted.map_or(0, |touched| touched.load(Ordering::Relaxed));
            }
            FaultKind::CutReset
            | FaultKind::CutFinish
            | FaultKind::IdleProxy
            | FaultKind::UpgradeCut
            | FaultKind::Storm => {}
        }
        self.record(Kind::Ok, index, effect);
    }

    fn person(&self, fault: Fault) -> String {
        self.plan.struck(fault)
    }

    fn host(&self, fault: Fault) -> String {
        client_host(fault.target % self.plan.settings.client_hosts)
    }

    fn record(&self, kind: Kind, fault: usize, effect: usize) {
        let op = Op::Fault { fault, kind: self.plan.faults[fault].kind, effect };
        self.recorder.record(NEMESIS, None, kind, op);
    }
}

/// What a fault of upgrades does, and how far one comes before: its time says so, for want of a number of its
/// own.
fn breakage(fault: Fault) -> Option<Breakage> {
    let is_silent = match fault.kind {
        FaultKind::UpgradeCut => false,
        FaultKind::UpgradeSilence => true,
        _ => return None,
    };
    Some(Breakage { is_silent, writes_min: 1 + (fault.at_ms % UPGRADE_WRITES) as usize })
}

/// The name of a host that people live on.
pub(crate) fn client_host(number: usize) -> String {
    format!("clients-{number}")
}
