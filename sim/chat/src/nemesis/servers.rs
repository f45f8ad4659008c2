//! What happens to the server's processes: one, and where the plan rolls, another one beside it.
//!
//! New connections go to the current one. The other is down until it takes over. Where a process has
//! ended or was killed, its system refuses connections; where a machine lost its power, nothing answers.

use std::time::Duration;

use turmoil::Sim;

use crate::host::Process;
use crate::net::Network;
use crate::plan::{FaultKind, Plan};
use crate::workload::SERVER;

/// The host of the other server.
const OTHER_SERVER: &str = "server-2";

/// The hosts that servers run on; the second is there only where it is needed, because each host
/// slows every step.
pub(crate) fn host_names(plan: &Plan) -> Vec<&'static str> {
    let rolls = plan.faults.iter().any(|fault| fault.kind == FaultKind::RollingDrain);
    if rolls { vec![SERVER, OTHER_SERVER] } else { vec![SERVER] }
}

pub(crate) struct Servers {
    network: Network,
    /// By host; the first is the one that runs in the beginning.
    processes: Vec<(&'static str, Process)>,
    current: usize,
    /// How often each was started anew.
    lives: Vec<u32>,
}

/// One life of one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Life {
    server: usize,
    number: u32,
}

impl Servers {
    pub(crate) fn new(network: Network, processes: Vec<(&'static str, Process)>) -> Self {
        let lives = vec![0; processes.len()];
        Self { network, processes, current: 0, lives }
    }

    /// The one that new connections go to.
    pub(crate) fn current(&self) -> Life {
        Life { server: self.current, number: self.lives[self.current] }
    }

    /// Closes the sockets of processes that came to their end by themselves; says how many did.
    pub(crate) fn bury(&self, sim: &mut Sim<'_>) -> usize {
        let mut count = 0;
        for (server, (_, process)) in self.processes.iter().enumerate() {
            if process.take_exited() {
                self.kill(sim, server);
                count += 1;
            }
        }
        count
    }

    /// Strikes the current server; says how many connections that touched, unless there was none
    /// to strike.
    pub(crate) fn strike(&mut self, sim: &mut Sim<'_>, kind: FaultKind) -> Option<usize> {
        let (host, process) = &self.processes[self.current];
        if !process.is_up() {
            return None;
        }
        match kind {
            FaultKind::Crash => Some(self.kill(sim, self.current)),
            FaultKind::CrashBlackHole => Some(process.cut_power(sim, &self.network, host)),
            FaultKind::Drain => {
                process.terminate();
                Some(self.network.open())
            }
            _ => self.roll(sim),
        }
    }

    /// Brings the struck server back; a rolling one has been replaced and ends for good.
    pub(crate) fn end(&mut self, sim: &mut Sim<'_>, kind: FaultKind, struck: Life) {
        let Life { server, number } = struck;
        if self.lives[server] == number {
            // A drain may still be under way; its time is over.
            if self.processes[server].1.is_up() {
                self.kill(sim, server);
            }
            if server == self.current {
                self.start(sim, server);
            }
        }
        if kind == FaultKind::CrashBlackHole {
            self.network.answer_lost(|_| true);
        }
    }

    fn roll(&mut self, sim: &mut Sim<'_>) -> Option<usize> {
        let old = self.current;
        let new = 1 - old;
        let host = self.processes[new].0;
        if self.processes[new].1.is_up() {
            // It still drains.
            return None;
        }
        self.start(sim, new);
        self.current = new;
        self.network.redirect(host);
        self.processes[old].1.terminate();
        Some(self.network.open())
    }

    fn start(&mut self, sim: &mut Sim<'_>, server: usize) {
        self.lives[server] += 1;
        let (host, process) = &self.processes[server];
        process.start(sim, host);
    }

    /// Ends a server's process; returns how many connections it had.
    fn kill(&self, sim: &mut Sim<'_>, server: usize) -> usize {
        let (host, process) = &self.processes[server];
        process.kill(sim, &self.network, host)
    }

    /// Packets between a client host and all servers wait.
    pub(crate) fn hold(&self, sim: &Sim<'_>, client: &str) {
        self.processes.iter().for_each(|(host, _)| sim.hold(client, *host));
    }

    /// They go on; returns how many there are.
    pub(crate) fn release(&self, sim: &Sim<'_>, client: &str) -> usize {
        let held = self.processes.iter().map(|(host, _)| {
            let count = in_flight(sim, client, host);
            sim.release(client, *host);
            count
        });
        held.sum()
    }

    pub(crate) fn set_latency_max(&self, sim: &Sim<'_>, client: &str, latency_max: Duration) {
        for (host, _) in &self.processes {
            sim.set_link_max_message_latency(client, *host, latency_max);
        }
    }
}

/// Packets between a client host and a server.
fn in_flight(sim: &Sim<'_>, client: &str, server: &str) -> usize {
    let (client, server) = (sim.lookup(client), sim.lookup(server));
    let mut count = 0;
    sim.links(|links| {
        for link in links {
            let (one, other) = link.pair();
            if (one, other) == (client, server) || (one, other) == (server, client) {
                count = link.count();
            }
        }
    });
    count
}
