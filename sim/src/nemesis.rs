//! What goes wrong: carries out the plan's faults between two steps of the simulation.
//!
//! Every fault ends by itself, at the latest when the network heals, and records what it
//! touched: a fault that touched nothing has proved nothing, and is counted as such.

use turmoil::Sim;

use crate::history::{Kind, Op, Recorder};
use crate::host::Process;
use crate::net::{Cut, Network};
use crate::plan::{Fault, FaultKind, Plan};
use crate::workload::SERVER;

pub(crate) struct Nemesis<'a> {
    plan: &'a Plan,
    network: Network,
    process: Process,
    recorder: Recorder,
    /// The next fault that has not begun.
    next: usize,
    /// Faults that have begun and end later: when, which, and the effect so far.
    under_way: Vec<(u64, usize, usize)>,
}

impl<'a> Nemesis<'a> {
    pub(crate) fn new(
        plan: &'a Plan,
        network: Network,
        process: Process,
        recorder: Recorder,
    ) -> Self {
        Self { plan, network, process, recorder, next: 0, under_way: Vec::new() }
    }

    /// Ends what is due to end and begins what is due to begin.
    pub(crate) fn act(&mut self, sim: &mut Sim<'_>, now_ms: u64) {
        if self.process.take_exited() {
            // The process came to its end by itself; the system closes its sockets.
            self.kill(sim);
        }
        let (due, later): (Vec<_>, Vec<_>) =
            self.under_way.drain(..).partition(|(end_ms, ..)| *end_ms <= now_ms);
        self.under_way = later;
        for (_, fault, effect) in due {
            self.end(sim, fault, effect);
        }
        while let Some(fault) = self.plan.faults.get(self.next).filter(|f| f.at_ms <= now_ms) {
            self.begin(sim, self.next, *fault);
            self.next += 1;
        }
    }

    /// Ends everything, whatever was planned.
    pub(crate) fn heal(&mut self, sim: &mut Sim<'_>) {
        for (_, fault, effect) in std::mem::take(&mut self.under_way) {
            self.end(sim, fault, effect);
        }
        self.next = self.plan.faults.len();
    }

    fn begin(&mut self, sim: &mut Sim<'_>, index: usize, fault: Fault) {
        self.record(Kind::Invoke, index, 0);
        match fault.kind {
            FaultKind::Hold => {
                sim.hold(self.host(fault), SERVER);
                self.last(index, fault, 0);
            }
            FaultKind::CutReset => self.cut(index, fault, Cut::Reset),
            FaultKind::CutFinish => self.cut(index, fault, Cut::Finish),
            FaultKind::Crash | FaultKind::Drain if !sim.is_host_running(SERVER) => {
                self.record(Kind::Ok, index, 0);
            }
            FaultKind::Crash => {
                let effect = self.kill(sim);
                self.last(index, fault, effect);
            }
            FaultKind::Drain => {
                let effect = self.network.open();
                self.process.terminate();
                self.last(index, fault, effect);
            }
        }
    }

    fn end(&mut self, sim: &mut Sim<'_>, index: usize, effect: usize) {
        let fault = self.plan.faults[index];
        let effect = match fault.kind {
            FaultKind::Hold => {
                let held = in_flight(sim, &self.host(fault));
                sim.release(self.host(fault), SERVER);
                held
            }
            FaultKind::Crash | FaultKind::Drain => {
                // A drain may still be under way; its time is over.
                self.kill(sim);
                sim.bounce(SERVER);
                effect
            }
            FaultKind::CutReset | FaultKind::CutFinish => effect,
        };
        self.record(Kind::Ok, index, effect);
    }

    /// Ends the server's process, if there is one; returns how many connections it had.
    fn kill(&self, sim: &mut Sim<'_>) -> usize {
        self.network.crash(|| sim.crash(SERVER))
    }

    fn cut(&mut self, index: usize, fault: Fault, manner: Cut) {
        let people = &self.plan.people;
        let cut = match people.get(fault.target % people.len().max(1)) {
            Some(person) => self.network.cut(&person.name, manner),
            None => 0,
        };
        self.record(Kind::Ok, index, cut);
    }

    /// A fault that lasts until its time is over or the network heals.
    fn last(&mut self, index: usize, fault: Fault, effect: usize) {
        self.under_way.push((fault.at_ms + fault.for_ms, index, effect));
    }

    fn host(&self, fault: Fault) -> String {
        client_host(fault.target % self.plan.settings.client_hosts)
    }

    fn record(&self, kind: Kind, fault: usize, effect: usize) {
        let op = Op::Fault { fault, kind: self.plan.faults[fault].kind, effect };
        self.recorder.record("nemesis", None, kind, op);
    }
}

/// The name of a host that people live on.
pub(crate) fn client_host(number: usize) -> String {
    format!("clients-{number}")
}

/// Packets between a client host and the server.
fn in_flight(sim: &Sim<'_>, host: &str) -> usize {
    let (host, server) = (sim.lookup(host), sim.lookup(SERVER));
    let mut count = 0;
    sim.links(|links| {
        for link in links {
            let (one, other) = link.pair();
            if (one, other) == (host, server) || (one, other) == (server, host) {
                count = link.count();
            }
        }
    });
    count
}
