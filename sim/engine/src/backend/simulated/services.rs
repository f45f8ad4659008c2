//! The servers of a run and their processes: one each, and a second one where the plan rolls a server over.
//!
//! New connections to a server go to its current process. A standby is down until it takes over. Where a process has
//! ended or was killed, its kernel refuses connections; where a machine lost its power, nothing answers.

use std::net::IpAddr;
use std::time::Duration;

use turmoil::Sim;

use super::host::Process;
use crate::backend::LifeId;
use crate::fault::FaultKind;
use crate::net::Network;

/// All servers.
pub(super) struct Services {
    network: Network,
    services: Vec<Service>,
}

/// One server.
struct Service {
    name: String,
    /// By host; the first is the one that runs in the beginning.
    processes: Vec<(String, Process)>,
    current: usize,
    /// How often each was started again.
    lives: Vec<u32>,
}

/// The hosts of a server's processes.
pub(super) fn host_names(server: &str, has_standby: bool) -> Vec<String> {
    let standby = has_standby.then(|| format!("{server}-2"));
    std::iter::once(server.to_owned()).chain(standby).collect()
}

impl Services {
    pub(super) fn new(network: Network) -> Self {
        Self { network, services: Vec::new() }
    }

    /// Adds a server with its processes.
    pub(super) fn add(&mut self, name: &str, processes: Vec<(String, Process)>) {
        let lives = vec![0; processes.len()];
        self.services.push(Service { name: name.to_owned(), processes, current: 0, lives });
    }

    /// The process of a server that new connections go to; none if no server has that name.
    pub(super) fn current(&self, server: &str) -> Option<LifeId> {
        let service = self.services.iter().position(|service| service.name == server)?;
        let process = self.services[service].current;
        Some(LifeId { service, process, number: self.services[service].lives[process] })
    }

    /// Closes the sockets of processes that ended by themselves; returns how many did.
    pub(super) fn reap(&self, sim: &mut Sim<'_>) -> usize {
        let mut count = 0;
        for (service, process, (_, handle)) in self.all() {
            if handle.take_exited() {
                self.kill(sim, service, process);
                count += 1;
            }
        }
        count
    }

    /// Hits the current process of a server; returns how many connections that touched, unless no process was up.
    pub(super) fn inject(
        &mut self,
        sim: &mut Sim<'_>,
        kind: FaultKind,
        hit: LifeId,
    ) -> Option<usize> {
        let LifeId { service, process, .. } = hit;
        let (host, handle) = &self.services[service].processes[process];
        if !handle.is_up() {
            return None;
        }
        match kind {
            FaultKind::Crash => Some(self.kill(sim, service, process)),
            FaultKind::CrashBlackHole => Some(handle.cut_power(sim, &self.network, host)),
            FaultKind::Drain => {
                handle.terminate();
                Some(self.network.open())
            }
            _ => self.roll(sim, service),
        }
    }

    /// Starts the hit process again; one that was rolled over ends for good.
    pub(super) fn end(&mut self, sim: &mut Sim<'_>, kind: FaultKind, hit: LifeId) {
        let LifeId { service, process, number } = hit;
        if self.services[service].lives[process] == number {
            // A drain may still be under way; its time is over.
            if self.services[service].processes[process].1.is_up() {
                self.kill(sim, service, process);
            }
            if process == self.services[service].current {
                self.start(sim, service, process);
            }
        }
        if kind == FaultKind::CrashBlackHole {
            self.network.recover_lost(|_| true);
        }
    }

    /// The addresses of all processes of a server.
    pub(super) fn addresses(&self, sim: &Sim<'_>, hit: LifeId) -> Vec<IpAddr> {
        let processes = self.services[hit.service].processes.iter();
        processes.map(|(host, _)| sim.lookup(host.as_str())).collect()
    }

    fn roll(&mut self, sim: &mut Sim<'_>, service: usize) -> Option<usize> {
        let old = self.services[service].current;
        let new = 1 - old;
        if self.services[service].processes[new].1.is_up() {
            // It still drains.
            return None;
        }
        self.start(sim, service, new);
        let Service { name, processes, current, .. } = &mut self.services[service];
        *current = new;
        self.network.redirect(name, &processes[new].0);
        processes[old].1.terminate();
        Some(self.network.open())
    }

    fn start(&mut self, sim: &mut Sim<'_>, service: usize, process: usize) {
        let Service { processes, lives, .. } = &mut self.services[service];
        lives[process] += 1;
        let (host, handle) = &processes[process];
        handle.start(sim, host);
    }

    /// Ends a process; returns how many connections it had.
    fn kill(&self, sim: &mut Sim<'_>, service: usize, process: usize) -> usize {
        let (host, handle) = &self.services[service].processes[process];
        handle.kill(sim, &self.network, host)
    }

    /// Packets between a client host and all servers wait.
    pub(super) fn hold(&self, sim: &Sim<'_>, client: &str) {
        self.hosts().for_each(|host| sim.hold(client, host));
    }

    /// They go on; returns how many there are.
    pub(super) fn release(&self, sim: &Sim<'_>, client: &str) -> usize {
        let held = self.hosts().map(|host| {
            let count = in_flight(sim, client, host);
            sim.release(client, host);
            count
        });
        held.sum()
    }

    pub(super) fn set_latency_max(&self, sim: &Sim<'_>, client: &str, latency_max: Duration) {
        for host in self.hosts() {
            sim.set_link_max_message_latency(client, host, latency_max);
        }
    }

    fn hosts(&self) -> impl Iterator<Item = &str> {
        self.all().map(|(_, _, (host, _))| host.as_str())
    }

    fn all(&self) -> impl Iterator<Item = (usize, usize, &(String, Process))> {
        let services = self.services.iter().enumerate();
        services.flat_map(|(service, Service { processes, .. })| {
            let processes = processes.iter().enumerate();
            processes.map(move |(process, entry)| (service, process, entry))
        })
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
