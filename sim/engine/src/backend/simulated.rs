//! The simulated network as a backend: turmoil's hosts, and the servers' processes on them.

mod host;
mod services;

use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use turmoil::Sim;

use self::host::Process;
use self::services::{Services, host_names};
use super::{Backend, LifeId};
use crate::determinism::clock::{self, EPOCH_MS};
use crate::fault::FaultKind;
use crate::life::{Dialer, Disk, Life};
use crate::local::{ClientResult, Local};
use crate::model::Model;
use crate::net::{Hosts, Limits, Network, PORT, SimListener};
use crate::plan::{Plan, SLOW_LATENCY_MS, Settings};
use crate::runtime_trace::RuntimeTrace;

/// More connections than any plan opens at once.
const TCP_CAPACITY: usize = 4_096;
/// Ports that clients connect from: a client must not reuse one of which the server has not learned yet that it was
/// closed, which turmoil does not allow.
const EPHEMERAL_PORTS: std::ops::RangeInclusive<u16> = 1_024..=u16::MAX;

/// The simulated network of one run.
pub(crate) struct Simulated {
    sim: Sim<'static>,
    network: Network,
    services: Services,
    runtimes: RuntimeTrace,
    latency_max: Duration,
}

impl Simulated {
    /// The network of a plan, without a host.
    pub(crate) fn network<M: Model>(model: &M, plan: &Plan<M>) -> Network {
        network(model, plan)
    }

    /// Starts the servers of a plan.
    pub(crate) fn new<M: Model>(model: &M, plan: &Rc<Plan<M>>, network: &Network) -> Self {
        let runtimes = RuntimeTrace::default();
        let duration = Duration::from_millis(plan.settings.ended_ms() * 2);
        let mut sim = empty_network(plan.seed, &plan.settings, duration);
        let services = serve(&mut sim, model, plan, network, &runtimes);
        let latency_max = Duration::from_millis(plan.settings.latency_ms_max);
        Self { sim, network: network.clone(), services, runtimes, latency_max }
    }
}

impl Backend for Simulated {
    fn now(&mut self) -> Duration {
        let now = self.sim.elapsed();
        clock::set_now(now);
        now
    }

    fn observe(&mut self) {
        self.runtimes.record();
    }

    fn spawn(&mut self, host: &str, task: Local<ClientResult>) {
        let (runtimes, name) = (self.runtimes.clone(), host.to_owned());
        self.sim.client(host, async move {
            runtimes.observe(&name);
            task.await
        });
    }

    fn step(&mut self) -> turmoil::Result<bool> {
        self.sim.step()
    }

    fn finish(self, network: &Network) -> Vec<String> {
        let Self { sim, .. } = self;
        network.crash(|| drop(sim));
        Vec::new()
    }

    fn current(&self, server: &str) -> Option<LifeId> {
        self.services.current(server)
    }

    fn reap(&mut self) -> usize {
        self.services.reap(&mut self.sim)
    }

    fn disturb_server(&mut self, kind: FaultKind, hit: LifeId) -> Option<usize> {
        match kind {
            FaultKind::Freeze => {
                Some(self.network.freeze(&self.services.addresses(&self.sim, hit)))
            }
            _ => self.services.inject(&mut self.sim, kind, hit),
        }
    }

    fn restore_server(&mut self, kind: FaultKind, hit: LifeId) {
        match kind {
            FaultKind::Freeze => self.network.thaw(&self.services.addresses(&self.sim, hit)),
            _ => self.services.end(&mut self.sim, kind, hit),
        }
    }

    fn disturb_host(&mut self, kind: FaultKind, host: &str) {
        if kind == FaultKind::Hold {
            self.services.hold(&self.sim, host);
        } else {
            let slow = Duration::from_millis(SLOW_LATENCY_MS);
            self.services.set_latency_max(&self.sim, host, slow);
        }
    }

    fn restore_host(&mut self, kind: FaultKind, host: &str, began: Duration) -> usize {
        if kind == FaultKind::Hold {
            return self.services.release(&self.sim, host);
        }
        self.services.set_latency_max(&self.sim, host, self.latency_max);
        self.network.moved_since(self.sim.lookup(host), began)
    }

    fn jump_wall_clock(&mut self, ns: i64) {
        clock::jump_wall_clock(ns);
    }
}

fn network<M: Model>(model: &M, plan: &Plan<M>) -> Network {
    let settings = &plan.settings;
    let network = Network::new(Limits {
        segment_bytes_max: settings.segment_bytes_max,
        window_bytes: settings.window_bytes,
        yield_percent: settings.yield_percent,
        ..Limits::default()
    });
    let hosts = model.hosts(plan);
    network.introduce(Hosts {
        servers: hosts.iter().flat_map(|server| host_names(server, rolls(plan, server))).collect(),
        clients: plan.clients.iter().map(|client| client.name.clone()).collect(),
    });
    match model.connection_mark() {
        Some(mark) => network.marking(mark),
        None => network,
    }
}

/// Whether a plan rolls a server over, for which it needs a standby: each host costs time in every step.
fn rolls<M: Model>(plan: &Plan<M>, server: &str) -> bool {
    let mut faults = plan.faults.iter();
    faults.any(|fault| fault.kind == FaultKind::RollingDrain && fault.target == server)
}

/// A simulated network without a host, which may exist for `duration`.
fn empty_network(seed: u64, settings: &Settings, duration: Duration) -> Sim<'static> {
    turmoil::Builder::new()
        .epoch(epoch())
        .rng_seed(seed)
        .enable_random_order()
        .tick_duration(Duration::from_millis(settings.tick_ms))
        .simulation_duration(duration)
        .min_message_latency(Duration::from_millis(settings.latency_ms_min))
        .max_message_latency(Duration::from_millis(settings.latency_ms_max))
        .tcp_capacity(TCP_CAPACITY)
        .ephemeral_ports(EPHEMERAL_PORTS)
        .build()
}

fn epoch() -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(EPOCH_MS)
}

/// Starts every server; a standby is down until it is needed.
fn serve<M: Model>(
    sim: &mut Sim<'static>,
    model: &M,
    plan: &Rc<Plan<M>>,
    network: &Network,
    runtimes: &RuntimeTrace,
) -> Services {
    let mut services = Services::new(network.clone());
    for server in model.hosts(plan) {
        let hosts = host_names(&server, rolls(plan, &server));
        let processes: Vec<_> = hosts.into_iter().map(|host| (host, Process::default())).collect();
        if let Some((_, first)) = processes.first() {
            first.set_up();
        }
        let disk = Disk::default();
        for (host, process) in &processes {
            let disk = disk.clone();
            let life = lives(model.clone(), Rc::clone(plan), network.clone(), server.clone(), disk);
            let (process, runtimes, name) = (process.clone(), runtimes.clone(), host.clone());
            sim.host(host.as_str(), move || {
                runtimes.observe(&name);
                process.host(process.is_up().then(|| life(process.termination())))
            });
        }
        // Nothing connects to a standby before it takes over, and a host that runs costs time in every step.
        for (host, _) in processes.iter().skip(1) {
            sim.crash(host.as_str());
        }
        services.add(&server, processes);
    }
    services
}

/// Makes the lives of a server's process.
fn lives<M: Model, T: Future<Output = ()> + 'static>(
    model: M,
    plan: Rc<Plan<M>>,
    network: Network,
    server: String,
    disk: Disk,
) -> impl Fn(T) -> Local<std::io::Result<()>> {
    move |terminated| {
        let (model, plan, disk) = (model.clone(), Rc::clone(&plan), disk.clone());
        let (network, server) = (network.clone(), server.clone());
        Box::pin(async move {
            let dialer = Dialer::new(network.clone(), server.clone());
            let listener = SimListener::bind(network, PORT).await?;
            let life = Life { server, listener, terminated: Box::pin(terminated), dialer, disk };
            model.serve(&plan, life).await
        })
    }
}
