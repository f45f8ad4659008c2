//! Plans against real sockets and processes of this machine: whether what holds in the simulated network holds in this one.
//!
//! Time is real: a plan of ten seconds takes ten. What a program cannot do to its own loopback without being the machine's
//! administrator is left out and counted: latencies, partitions, black holes, a wall clock that jumps (see
//! [`FaultType`](crate::FaultType)). Real time is not exact, so a live run's plan says a higher latency and a coarser tick, by
//! which checkers widen their bounds. A seed is no proof here: the same plan may go differently each time.

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

pub use crate::backend::live::Program;
use crate::backend::live::{self, Children, Live, Server, TICK_MS, start_thread};
use crate::determinism::TraceReport;
use crate::determinism::clock::EPOCH_MS;
use crate::error::Error;
use crate::fault::AnyFault;
use crate::history::{Event, Recorder};
use crate::injection::ATTACKER;
use crate::life::Disk;
use crate::model::Model;
use crate::net::Network;
use crate::plan::Plan;
use crate::report::{Report, check, fault_counts};
use crate::run::Run;
use crate::service::IntoModel;
use crate::transcript::brief;
use crate::violation::{LIVE, Violation};

/// How much slower than planned a real machine may be at everything, in milliseconds.
const SLACK_MS: u64 = 200;
/// What a real machine gets beyond the plan to come to rest, and to forget, in milliseconds: processes start in it.
const REST_MS: u64 = 1_500;
/// The address of the first client host, before 127.0.0.2.
const CLIENTS: u32 = 0x7f00_0002;
/// The address of the first server, 127.1.0.1.
const SERVERS: u32 = 0x7f01_0001;

type Programs<M> = Arc<dyn Fn(&Plan<M>, &str) -> Option<Program> + Send + Sync>;

/// Live runs under construction.
#[must_use = "nothing happens until it runs"]
pub struct LiveRuns<M: Model> {
    model: M,
    seeds: Range<u64>,
    programs: Programs<M>,
    stop: Arc<AtomicBool>,
}

/// What a live run left behind.
#[derive(Debug, Clone)]
pub struct LiveReport<M: Model> {
    /// The report; its plan is the one that ran: without the faults that are left out, with the slack of a real machine.
    pub report: Report<M>,
    /// How many faults of the plan were left out, by kind.
    pub left_out: BTreeMap<AnyFault<M::Fault>, u64>,
}

/// Runs plans of the seeds 0 and 1 against servers on threads of this program, unless told otherwise.
pub fn live<K, I: IntoModel<K>>(model: I) -> LiveRuns<I::Model> {
    let programs: Programs<I::Model> = Arc::new(|_, _| None);
    LiveRuns { model: model.into_model(), seeds: 0..2, programs, stop: Arc::default() }
}

impl<M: Model> LiveRuns<M> {
    /// The seeds whose plans run, one after the other.
    pub fn seeds(mut self, seeds: Range<u64>) -> Self {
        self.seeds = seeds;
        self
    }

    /// Programs that are the servers of a plan, by name; a server without a program runs on a thread.
    pub fn programs(
        mut self,
        program: impl Fn(&Plan<M>, &str) -> Option<Program> + Send + Sync + 'static,
    ) -> Self {
        self.programs = Arc::new(program);
        self
    }

    /// Ends a run soon after the flag becomes true.
    pub fn stop_when(mut self, stop: Arc<AtomicBool>) -> Self {
        self.stop = stop;
        self
    }

    /// Runs the plan of each seed.
    ///
    /// # Panics
    ///
    /// With the transcript of the first run in which an invariant was broken; if a server cannot be started.
    #[track_caller]
    pub fn run(&self) -> Vec<LiveReport<M>> {
        self.try_run().unwrap_or_else(|error| panic!("{error}"))
    }

    /// As [`run`](Self::run), without the panic.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`] for the first run in which an invariant was broken; [`Error::Live`] if a server cannot be started.
    pub fn try_run(&self) -> Result<Vec<LiveReport<M>>, Error> {
        let options = self.model.usual_options();
        let mut reports = Vec::new();
        for seed in self.seeds.clone() {
            let plan = self.model.generate(seed, &options);
            plan.check(&self.model)?;
            let Some(live) = self.run_plan(&plan).map_err(Error::Live)? else { break };
            if !live.report.passed() {
                let shown = brief(&self.model, &live.report);
                return Err(Error::Failed(format!("seed {seed}, over real sockets\n{shown}")));
            }
            reports.push(live);
        }
        Ok(reports)
    }

    /// Runs one plan, which takes as long as it says; no process is left when this returns. None if the run was stopped.
    ///
    /// # Errors
    ///
    /// A server cannot be started, or does not listen.
    pub fn run_plan(&self, plan: &Plan<M>) -> io::Result<Option<LiveReport<M>>> {
        let (plan, left_out) = possible(&self.model, plan);
        let plan = Rc::new(plan);
        let network = Network::real(sources(&plan));
        let servers = self.servers(&plan, &network);
        let backend =
            Live::new(live::runtime()?, network.clone(), servers, Arc::clone(&self.stop))?;
        let (began, began_ms) =
            (network.began(), wall_clock_ms() - network.now().as_millis() as u64);
        let recorder = Recorder::since(began);
        let mut run = Run::new(&self.model, Rc::clone(&plan), backend, network, recorder.clone());
        let ended = run.phases();
        let complaints = run.finish();
        if self.stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let mut history = recorder.take();
        history.iter_mut().for_each(|event| self.model.rebase(&mut event.what, began_ms, EPOCH_MS));
        let violations = judge(&self.model, &plan, &history, ended.err(), complaints);
        let (faults, plan) = (fault_counts::<M>(&plan, &history), Plan::clone(&plan));
        let (captured, trace) = (Vec::new(), TraceReport::default());
        let report = Report { plan, history, captured, violations, trace, faults };
        Ok(Some(LiveReport { report, left_out }))
    }

    fn servers(&self, plan: &Rc<Plan<M>>, network: &Network) -> Vec<Server> {
        let names = self.model.hosts(plan).into_iter().zip(SERVERS..);
        let server = |(name, address): (String, u32)| match (self.programs)(plan, &name) {
            Some(program) => {
                let ends_within = program.ends_within;
                let children = Children(program);
                Server { name, start: Box::new(move || children.start()), ends_within }
            }
            None => {
                let (model, plan, network) = (self.model.clone(), Rc::clone(plan), network.clone());
                let (address, disk, server) =
                    (Ipv4Addr::from(address), Disk::default(), name.clone());
                let start =
                    move || start_thread(&model, &plan, &network, &server, (address, disk.clone()));
                Server { name, start: Box::new(start), ends_within: None }
            }
        };
        names.map(server).collect()
    }
}

/// What is wrong with a live run; what its servers did comes first.
fn judge<M: Model>(
    model: &M,
    plan: &Plan<M>,
    history: &[Event<M::Record>],
    error: Option<Box<dyn std::error::Error>>,
    complaints: Vec<String>,
) -> Vec<Violation> {
    let error = error.map(|error| error.to_string());
    let told: Vec<_> = complaints.into_iter().chain(error).collect();
    match told.is_empty() {
        true => check(model, plan, history),
        false => told.into_iter().map(|what| Violation::new(LIVE, what, &[])).collect(),
    }
}

/// The address that each owner of connections connects from.
fn sources<M: Model>(plan: &Plan<M>) -> BTreeMap<String, Ipv4Addr> {
    let address = |host: usize| Ipv4Addr::from(CLIENTS.saturating_add(host as u32));
    let clients = plan.clients.iter().map(|client| (client.name.clone(), address(client.host)));
    clients.chain([(ATTACKER.to_owned(), address(plan.settings.client_hosts))]).collect()
}

/// The plan, as far as a loopback allows it, and how many faults of each kind that is not.
fn possible<M: Model>(model: &M, plan: &Plan<M>) -> (Plan<M>, BTreeMap<AnyFault<M::Fault>, u64>) {
    let mut possible = model.live_plan(plan.clone());
    let settings = &mut possible.settings;
    settings.latency_ms_max = SLACK_MS;
    settings.tick_ms = TICK_MS;
    settings.settle_ms += REST_MS;
    settings.forget_ms += REST_MS;
    let mut left_out = BTreeMap::new();
    possible.faults.retain(|fault| {
        let is_possible = fault.kind.is_possible_live();
        if !is_possible {
            *left_out.entry(fault.kind).or_default() += 1;
        }
        is_possible
    });
    (possible, left_out)
}

/// Milliseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "servers of a live run take the wall clock")]
fn wall_clock_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_millis() as u64
}
