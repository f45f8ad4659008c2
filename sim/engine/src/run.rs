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
use std::time::Duration;

use tokio::task::JoinSet;
use tracing_subscriber::filter::Targets;

use crate::agent::{AgentTask, agent};
use crate::backend::Backend;
use crate::backend::simulated::Simulated;
use crate::capture::capturing;
use crate::context::Context;
pub use crate::determinism::clock::EPOCH_MS;
use crate::determinism::{self, TraceReport};
use crate::fault::Scope;
use crate::history::{Event, Kind, Mark, Phase, Record, Recorder};
use crate::injection::ATTACKER;
use crate::local::{ClientResult, Local};
use crate::log::{Lines, logging};
use crate::model::{Model, Probe};
use crate::nemesis::Nemesis;
use crate::net::Network;
use crate::plan::{Plan, client_host};
use crate::report::{Report, fault_counts, judge, refused};

/// The owner of probes' connections.
pub(crate) const PROBE: &str = "operator";

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

/// Runs a plan for the lines that it logs, and checks nothing.
pub(crate) fn run_logged<M: Model>(
    model: &M,
    plan: &Plan<M>,
    targets: Targets,
) -> (TraceReport, String) {
    if plan.check(model).is_err() {
        return (TraceReport::default(), String::new());
    }
    let (planned, simulated) = (plan.clone(), model.clone());
    let lines = Lines::default();
    let kept = lines.clone();
    // A run that ends with a panic has logged until then.
    let (_ended, trace) = determinism::simulated(plan.seed, EPOCH_MS, false, move || {
        logging(targets, &kept, move || simulate(&simulated, planned))
    });
    (trace, lines.text())
}

/// Everything that happens on the simulated thread.
fn simulate<M: Model>(model: &M, plan: Plan<M>) -> (Vec<Event<M::Record>>, Option<String>) {
    determinism::limit_task_budgets(plan.seed, plan.settings.task_budget);
    let (recorder, plan) = (Recorder::default(), Rc::new(plan));
    let network = Simulated::network(model, &plan);
    let backend = Simulated::new(model, &plan, &network);
    let mut run = Run::new(model, plan, backend, network, recorder.clone());
    let result = run.phases();
    run.finish();
    (recorder.take(), result.err().map(|error| error.to_string()))
}

/// A run under way.
pub(crate) struct Run<M: Model, B: Backend> {
    plan: Rc<Plan<M>>,
    backend: B,
    nemesis: Nemesis<M>,
    probes: Vec<Probe>,
    probed: usize,
    recorder: Recorder<M::Record>,
    running: Running,
}

/// The names of clients that have not returned.
type Running = Rc<RefCell<BTreeSet<String>>>;

/// An error that ends a run.
type RunError = Box<dyn std::error::Error>;

impl<M: Model, B: Backend> Run<M, B> {
    /// Starts the clients; the servers run already.
    pub(crate) fn new(
        model: &M,
        plan: Rc<Plan<M>>,
        mut backend: B,
        network: Network,
        recorder: Recorder<M::Record>,
    ) -> Self {
        let ((on_clients, client_tasks), (on_attacker, attacker_task)) = (agent(), agent());
        let mut start = Start { backend: &mut backend, model, plan: &plan, network: &network };
        let running = start.clients(client_tasks, &recorder);
        start.attacker(attacker_task);
        let agents = [on_clients, on_attacker];
        let mut probes = model.probes(&plan);
        // A real machine may be too late for a probe that hits a moment, as that of a drain.
        probes.retain(|probe| probe.is_required || network.began().is_none());
        probes.reverse();
        let planned = Rc::clone(&plan);
        let nemesis = Nemesis::new(model.clone(), planned, network, agents, recorder.clone());
        Self { plan, backend, nemesis, probes, probed: 0, recorder, running }
    }

    /// Runs all phases.
    ///
    /// # Errors
    ///
    /// That of a client; that clients which must return have not.
    pub(crate) fn phases(&mut self) -> Result<(), RunError> {
        let settings = self.plan.settings;
        let is_over = self.run_until(settings.healed_ms(), true)?;
        self.nemesis.heal(&mut self.backend);
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

    /// Ends everything; returns what servers did that they must not.
    pub(crate) fn finish(self) -> Vec<String> {
        self.backend.finish(&self.nemesis.network)
    }

    fn describe_running(&self) -> String {
        let running = self.running.borrow();
        let names: Vec<_> = running.iter().map(String::as_str).collect();
        let waited_ms = self.plan.settings.ended_ms() - self.plan.settings.healed_ms();
        let names = names.join(", ");
        format!("still running {waited_ms} ms after all faults have ended: {names}")
    }

    /// Steps until that time, or until all clients have returned where that ends a run; returns whether it did.
    fn run_until(&mut self, end_ms: u64, is_disturbed: bool) -> Result<bool, RunError> {
        let end = Duration::from_millis(end_ms).saturating_sub(self.backend.early());
        loop {
            let now = self.backend.now();
            if now >= end {
                return Ok(false);
            }
            self.backend.observe();
            if is_disturbed {
                self.nemesis.act(&mut self.backend, now);
            } else {
                self.nemesis.reap(&mut self.backend);
            }
            self.probe(now.as_millis() as u64);
            let all_returned = self.backend.step()?;
            if determinism::has_failed() {
                return Err("the run has failed, for the reason that its trace names".into());
            }
            if all_returned && self.nemesis.model.ends_with_clients() {
                self.backend.now();
                return Ok(true);
            }
        }
    }

    /// Starts the probes that are due, each on a new host: a host costs time in every step for as long as something
    /// runs on it.
    fn probe(&mut self, now_ms: u64) {
        while let Some(probe) = self.probes.pop_if(|probe| probe.at_ms <= now_ms) {
            self.probed += 1;
            let client = self.nemesis.client(PROBE.to_owned());
            let model = self.nemesis.model.clone();
            let time_max = Duration::from_millis(model.probe_ms_max());
            let probing = async move {
                let probing = model.probe(client);
                if probe.is_required {
                    return Ok(probing.await?);
                }
                // A server that has ended, or is hit by something else, does not answer.
                drop(tokio::time::timeout(time_max, probing).await);
                Ok(())
            };
            self.backend.spawn(&format!("{PROBE}-{}", self.probed), Box::pin(probing));
        }
    }

    fn enter(&self, phase: Phase) {
        let mark = M::Record::of_mark(Mark::Phase { phase });
        self.recorder.record("simulation", Kind::Info, mark);
    }
}

/// What starts the client hosts.
struct Start<'a, M: Model, B: Backend> {
    backend: &'a mut B,
    model: &'a M,
    plan: &'a Rc<Plan<M>>,
    network: &'a Network,
}

impl<M: Model, B: Backend> Start<'_, M, B> {
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
            let (model, agent) = (self.model.clone(), agent.take());
            let host_of_clients = async move {
                if let Some(agent) = agent {
                    tokio::task::spawn_local(agent.run());
                }
                let started = clients.into_iter().map(|client| {
                    let name = client.name().to_owned();
                    (name, model.client(client))
                });
                all(started, &running).await
            };
            self.backend.spawn(&client_host(host), Box::pin(host_of_clients));
        }
        running
    }

    /// Starts the attacker's host, where the plan has an attack.
    fn attacker(&mut self, task: AgentTask) {
        let mut faults = self.plan.faults.iter();
        if faults.any(|fault| fault.kind.scope() == Scope::Attack) {
            let attacker = async move {
                task.run().await;
                Ok(())
            };
            self.backend.spawn(ATTACKER, Box::pin(attacker));
        }
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
