//! One run: set up, disturb, heal, settle, forget, check.
//!
//! ```text
//!   0          disturb_ms            settle_ms              forget_ms
//!   |--------------|---------------------|----------------------|
//!   clients act,   all faults end,       clients leave,         the servers must
//!   faults strike  clients read on       time-outs pass         hold nothing
//! ```
//!
//! A model whose runs end with its clients stops as soon as all of them have returned.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::task::JoinSet;
use turmoil::Sim;

use crate::agent::{AgentTask, agent};
use crate::capture::capturing;
use crate::context::{Context, PORT};
use crate::determinism::{self, clock};
use crate::fault::{FaultKind, Scope};
use crate::history::{Event, Kind, Mark, Phase, Record, Recorder};
use crate::host::Process;
use crate::injection::ATTACKER;
use crate::life::{Dialer, Disk, Life};
use crate::model::{ClientResult, Local, Model, Probe};
use crate::nemesis::Nemesis;
use crate::net::{Hosts, Limits, Network, SimListener};
use crate::plan::{Plan, Settings, client_host};
use crate::report::{Report, fault_counts, judge, refused};
use crate::runtime_trace::RuntimeTrace;
use crate::services::{Services, host_names};

/// 2025-01-01T00:00:00Z, when every simulation begins, in milliseconds since 1970.
pub const EPOCH_MS: u64 = 1_735_689_600_000;
/// More connections than any plan opens at once.
const TCP_CAPACITY: usize = 4_096;
/// Ports that clients connect from: a client must not reuse one of which the server has not learned yet that it was
/// closed, which turmoil does not allow.
const EPHEMERAL_PORTS: std::ops::RangeInclusive<u16> = 1_024..=u16::MAX;
/// The owner of probes' connections.
const PROBE: &str = "operator";

/// Runs a plan on a thread of its own and checks what happened. With `record_entries` the report lists the whole trace,
/// not only its hash.
#[must_use]
pub fn run<M: Model>(model: &M, plan: &Plan<M>, record_entries: bool) -> Report<M> {
    if let Err(why) = plan.check(model) {
        return refused(plan, &why.to_string());
    }
    let (planned, simulated) = (plan.clone(), model.clone());
    let target = model.captured_target();
    let (outcome, trace) = determinism::simulated(plan.seed, EPOCH_MS, record_entries, move || {
        capturing(target, move || simulate(&simulated, planned))
    });
    let ((history, error), captured) = match outcome {
        Ok(outcome) => outcome,
        Err(panic) => ((Vec::new(), Some(panic)), Vec::new()),
    };
    let violations = judge(model, plan, &history, error, &trace);
    let faults = fault_counts::<M>(plan, &history);
    Report { plan: plan.clone(), history, captured, violations, trace, faults }
}

/// Everything that happens on the simulated thread.
fn simulate<M: Model>(model: &M, plan: Plan<M>) -> (Vec<Event<M::Record>>, Option<String>) {
    let recorder = Recorder::default();
    let mut run = Run::new(model, plan, recorder.clone());
    let result = run.phases();
    let Run { network, sim, .. } = run;
    network.crash(|| drop(sim));
    (recorder.take(), result.err().map(|error| error.to_string()))
}

/// A run under way.
struct Run<M: Model> {
    plan: Rc<Plan<M>>,
    sim: Sim<'static>,
    network: Network,
    nemesis: Nemesis<M>,
    probes: Vec<Probe>,
    probed: usize,
    recorder: Recorder<M::Record>,
    runtimes: RuntimeTrace,
    running: Running,
}

/// The names of clients that have not returned.
type Running = Rc<RefCell<BTreeSet<String>>>;

impl<M: Model> Run<M> {
    fn new(model: &M, plan: Plan<M>, recorder: Recorder<M::Record>) -> Self {
        let plan = Rc::new(plan);
        let network = network(model, &plan);
        let runtimes = RuntimeTrace::default();
        let duration = Duration::from_millis(plan.settings.ended_ms() * 2);
        let mut sim = empty_network(plan.seed, &plan.settings, duration);
        let services = serve(&mut sim, model, &plan, &network, &runtimes);
        let ((on_clients, client_tasks), (on_attacker, attacker_task)) = (agent(), agent());
        let mut start =
            Start { sim: &mut sim, model, plan: &plan, network: &network, runtimes: &runtimes };
        let running = start.clients(client_tasks, &recorder);
        start.attacker(attacker_task);
        let agents = [on_clients, on_attacker];
        let (model, planned) = (model.clone(), Rc::clone(&plan));
        let mut probes = model.probes(&plan);
        probes.reverse();
        let nemesis =
            Nemesis::new(model, planned, network.clone(), services, agents, recorder.clone());
        Self { plan, sim, network, nemesis, probes, probed: 0, recorder, runtimes, running }
    }

    fn phases(&mut self) -> turmoil::Result {
        let settings = self.plan.settings;
        let is_over = self.run_until(settings.healed_ms(), true)?;
        self.nemesis.heal(&mut self.sim);
        self.enter(Phase::Healed);
        let is_over = is_over || self.run_until(settings.settled_ms(), false)?;
        self.enter(Phase::Settled);
        let is_over = is_over || self.run_until(settings.ended_ms(), false)?;
        self.enter(Phase::Ended);
        match self.nemesis.model.ends_with_clients() && !is_over {
            true => Err(self.describe_running().into()),
            false => Ok(()),
        }
    }

    fn describe_running(&self) -> String {
        let running = self.running.borrow();
        let names: Vec<_> = running.iter().map(String::as_str).collect();
        let waited_ms = self.plan.settings.ended_ms() - self.plan.settings.healed_ms();
        let names = names.join(", ");
        format!("still running {waited_ms} ms after all faults have ended: {names}")
    }

    /// Steps until that time, or until all clients have returned where that ends a run; returns whether it did.
    fn run_until(&mut self, end_ms: u64, is_disturbed: bool) -> turmoil::Result<bool> {
        while self.sim.elapsed() < Duration::from_millis(end_ms) {
            let now = self.sim.elapsed();
            let now_ms = now.as_millis() as u64;
            clock::set_now(now);
            self.runtimes.record();
            if is_disturbed {
                self.nemesis.act(&mut self.sim, now_ms);
            } else {
                self.nemesis.bury(&mut self.sim);
            }
            self.probe(now_ms);
            let all_returned = self.sim.step()?;
            if determinism::has_failed() {
                return Err("the run has failed, for the reason that its trace names".into());
            }
            if all_returned && self.nemesis.model.ends_with_clients() {
                clock::set_now(self.sim.elapsed());
                return Ok(true);
            }
        }
        clock::set_now(self.sim.elapsed());
        Ok(false)
    }

    /// Starts the probes that are due, each on a new host: a host costs time in every step for as long as something
    /// runs on it.
    fn probe(&mut self, now_ms: u64) {
        while let Some(probe) = self.probes.pop_if(|probe| probe.at_ms <= now_ms) {
            self.probed += 1;
            let host = format!("{PROBE}-{}", self.probed);
            let client = self.nemesis.client(PROBE.to_owned());
            let (model, runtimes) = (self.nemesis.model.clone(), self.runtimes.clone());
            let time_max = Duration::from_millis(model.probe_ms_max());
            self.sim.client(host.as_str(), {
                let host = host.clone();
                async move {
                    runtimes.observe(&host);
                    let probing = model.probe(client);
                    if probe.is_required {
                        return Ok(probing.await?);
                    }
                    // A server that has ended, or is hit by something else, does not answer.
                    drop(tokio::time::timeout(time_max, probing).await);
                    Ok(())
                }
            });
        }
    }

    fn enter(&self, phase: Phase) {
        let mark = M::Record::of_mark(Mark::Phase { phase });
        self.recorder.record("simulation", Kind::Info, mark);
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

/// What starts the client hosts.
struct Start<'a, M: Model> {
    sim: &'a mut Sim<'static>,
    model: &'a M,
    plan: &'a Rc<Plan<M>>,
    network: &'a Network,
    runtimes: &'a RuntimeTrace,
}

impl<M: Model> Start<'_, M> {
    /// Starts every client host with its clients; the agent lives on the first.
    fn clients(&mut self, agent: AgentTask, recorder: &Recorder<M::Record>) -> Running {
        let mut agent = Some(agent);
        let running: Running = Rc::default();
        for host in 0..self.plan.settings.client_hosts {
            let clients = self.plan.clients.iter().filter(|client| client.host == host);
            let clients: Vec<_> = clients
                .map(|client| {
                    let (name, network) = (client.name.clone(), self.network.clone());
                    Context::new(name, network, Rc::clone(self.plan), recorder.clone())
                })
                .collect();
            running.borrow_mut().extend(clients.iter().map(|client| client.name().to_owned()));
            let running = Rc::clone(&running);
            let (model, runtimes, agent) =
                (self.model.clone(), self.runtimes.clone(), agent.take());
            self.sim.client(client_host(host), async move {
                runtimes.observe(&client_host(host));
                if let Some(agent) = agent {
                    tokio::task::spawn_local(agent.run());
                }
                let started = clients.into_iter().map(|client| {
                    let name = client.name().to_owned();
                    (name, model.client(client))
                });
                all(started, &running).await
            });
        }
        running
    }

    /// Starts the attacker's host, where the plan has an attack.
    fn attacker(&mut self, task: AgentTask) {
        let mut faults = self.plan.faults.iter();
        if !faults.any(|fault| fault.kind.scope() == Scope::Attack) {
            return;
        }
        let runtimes = self.runtimes.clone();
        self.sim.client(ATTACKER, async move {
            runtimes.observe(ATTACKER);
            task.run().await;
            Ok(())
        });
    }
}

/// Runs clients until the last has returned, or one has failed.
async fn all(
    clients: impl Iterator<Item = (String, Local<ClientResult>)>,
    running: &Running,
) -> ClientResult {
    let mut tasks = JoinSet::new();
    for (name, client) in clients {
        let running = Rc::clone(running);
        // An error is kept as its text, because a task returns nothing that cannot be sent.
        tasks.spawn_local(async move {
            let ended = client.await.map_err(|error| format!("{name} failed: {error}"));
            running.borrow_mut().remove(&name);
            ended
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.expect("a client's panic ends the simulation before this")?;
    }
    Ok(())
}
