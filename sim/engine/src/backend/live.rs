//! Real sockets and processes of this machine as a backend.
//!
//! ```text
//!   this thread                                 a thread or a child process for each server
//!   clients, probes ── loopback TCP ─────────── the model's server
//!   nemesis: RST, FIN, silence ... and signals ──┘
//! ```
//!
//! Time is real: a step waits for a tick. A server is judged by how it ends: only a fault or the end of the run may end it.

#![expect(clippy::disallowed_methods, reason = "a live run takes real time")]

mod process;
mod program;
mod thread;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::{self, Runtime};
use tokio::task::{JoinSet, LocalSet};

pub(crate) use self::process::{Process, Signal};
pub(crate) use self::program::Children;
pub use self::program::Program;
pub(crate) use self::thread::start_thread;
use super::{Backend, LifeId};
use crate::fault::FaultKind;
use crate::local::{ClientResult, Local};
use crate::net::Network;

/// How exact the timers of a real machine are, in milliseconds; also the time of a step.
pub(crate) const TICK_MS: u64 = 20;
/// A phase ends this long before clients act on it.
const EARLY: Duration = Duration::from_millis(50);
/// How long servers may take until they listen.
const START_MAX: Duration = Duration::from_secs(15);
/// How long a killed process may take until it is gone and its log is read.
const GONE_MAX: Duration = Duration::from_secs(5);

/// Starts a process of one server.
pub(crate) type StartProcess = Box<dyn Fn() -> io::Result<Box<dyn Process>>>;

/// The loopback and the servers of one live run.
pub(crate) struct Live {
    network: Network,
    services: Vec<Service>,
    tasks: JoinSet<ClientResult>,
    local: LocalSet,
    runtime: Runtime,
    next_step: Instant,
    stop: Arc<AtomicBool>,
    complaints: Vec<String>,
}

/// A server and all processes that were started for it.
struct Service {
    name: String,
    start: StartProcess,
    processes: Vec<Entry>,
    /// The process that a standby replaces as soon as it listens.
    replaced: Option<usize>,
    /// How long it may take to end once it is asked to; none if it does not end then.
    ends_within: Option<Duration>,
}

struct Entry {
    process: Box<dyn Process>,
    is_announced: bool,
    /// A fault or the end of the run has ended it.
    is_told: bool,
    is_up: bool,
}

/// What starts one server: its name, how, and how long it may take to end once it is asked to.
pub(crate) struct Server {
    pub(crate) name: String,
    pub(crate) start: StartProcess,
    pub(crate) ends_within: Option<Duration>,
}

/// A runtime for one live run, and the set of its local tasks.
pub(crate) fn runtime() -> io::Result<(Runtime, LocalSet)> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    Ok((runtime, LocalSet::new()))
}

impl Live {
    /// Starts the servers, and waits until all of them listen.
    ///
    /// # Errors
    ///
    /// A server cannot be started, or does not listen in time.
    pub(crate) fn new(
        (runtime, local): (Runtime, LocalSet),
        network: Network,
        servers: Vec<Server>,
        stop: Arc<AtomicBool>,
    ) -> io::Result<Self> {
        let (services, tasks, complaints) = (Vec::new(), JoinSet::new(), Vec::new());
        let next_step = Instant::now();
        let mut live =
            Self { network, services, tasks, local, runtime, next_step, stop, complaints };
        for Server { name, start, ends_within } in servers {
            let (processes, replaced) = (Vec::new(), None);
            live.services.push(Service { name, start, processes, replaced, ends_within });
            live.start(live.services.len() - 1)?;
        }
        live.wait_for_listeners()?;
        live.next_step = Instant::now();
        Ok(live)
    }

    fn wait_for_listeners(&mut self) -> io::Result<()> {
        let began = Instant::now();
        loop {
            self.announce();
            let waiting = self.services.iter_mut().map(Service::current);
            let Some(entry) = waiting.into_iter().find(|entry| !entry.is_announced) else {
                return Ok(());
            };
            if entry.process.has_ended() || began.elapsed() > START_MAX {
                entry.process.signal(Signal::Kill);
                self.wait(
                    |live| {
                        live.services
                            .iter_mut()
                            .any(|it| !it.current().is_announced && it.is_logged())
                    },
                    GONE_MAX,
                );
                let failed = self.services.iter_mut().map(Service::current);
                let mut failed = failed.into_iter().filter(|entry| !entry.is_announced);
                let log = failed.next().map(|entry| entry.process.log()).unwrap_or_default();
                return Err(io::Error::other(format!(
                    "the server does not listen; its log: {log}"
                )));
            }
            self.sleep(Duration::from_millis(5));
        }
    }

    /// Lets tasks run for so long.
    fn sleep(&self, time: Duration) {
        self.sleep_until(Instant::now() + time);
    }

    fn sleep_until(&self, time: Instant) {
        let sleep = async { tokio::time::sleep_until(time.into()).await };
        self.local.block_on(&self.runtime, sleep);
    }

    /// Lets tasks run until this holds, at most for so long; returns whether it does.
    fn wait(&mut self, mut is_done: impl FnMut(&mut Self) -> bool, time_max: Duration) -> bool {
        let began = Instant::now();
        while !is_done(self) {
            if began.elapsed() > time_max {
                return false;
            }
            self.sleep(Duration::from_millis(5));
        }
        true
    }

    /// Starts one more process of a server, which new connections go to once it listens.
    fn start(&mut self, place: usize) -> io::Result<()> {
        let service = &mut self.services[place];
        let _on_local = self.local.enter();
        let _in_runtime = self.runtime.enter();
        let process = (service.start)()?;
        service.processes.push(Entry { process, is_announced: false, is_told: false, is_up: true });
        Ok(())
    }

    /// Sends new connections to processes that have begun to listen, and ends those that they replace.
    fn announce(&mut self) {
        for service in &mut self.services {
            let Some(current) = service.processes.last_mut() else { continue };
            let address = current.process.address().filter(|_| current.is_up);
            if let (Some(address), false) = (address, current.is_announced) {
                current.is_announced = true;
                self.network.serve_at(&service.name, Some(address));
                if let Some(replaced) = service.replaced.take() {
                    service.processes[replaced].tell(Signal::Terminate);
                }
            }
        }
    }

    fn entry(&mut self, hit: LifeId) -> &mut Entry {
        &mut self.services[hit.service].processes[hit.process]
    }

    fn restart(&mut self, place: usize) {
        if let Err(error) = self.start(place) {
            let name = &self.services[place].name;
            self.complaints.push(format!("{name} does not start again: {error}"));
        }
    }
}

impl Service {
    fn current(&mut self) -> &mut Entry {
        self.processes.last_mut().expect("a server is started at once")
    }

    fn is_logged(&mut self) -> bool {
        self.processes.iter_mut().all(|entry| entry.process.is_logged())
    }
}

impl Entry {
    fn tell(&mut self, signal: Signal) {
        self.is_told |= matches!(signal, Signal::Terminate | Signal::Kill);
        self.is_up &= signal != Signal::Kill;
        self.process.signal(signal);
    }
}

impl Backend for Live {
    fn now(&mut self) -> Duration {
        self.network.now()
    }

    fn early(&self) -> Duration {
        EARLY
    }

    fn spawn(&mut self, _host: &str, task: Local<ClientResult>) {
        self.tasks.spawn_local_on(task, &self.local);
    }

    fn step(&mut self) -> Result<bool, Box<dyn std::error::Error>> {
        // Steps that were missed are not made up for.
        self.next_step = (self.next_step + Duration::from_millis(TICK_MS)).max(Instant::now());
        self.sleep_until(self.next_step);
        if self.stop.load(Ordering::Relaxed) {
            return Err("the run was stopped".into());
        }
        self.announce();
        while let Some(ended) = self.tasks.try_join_next() {
            ended.map_err(|error| format!("a client panicked: {error}"))??;
        }
        Ok(self.tasks.is_empty())
    }

    fn finish(mut self, _network: &Network) -> Vec<String> {
        self.tasks.abort_all();
        let is_stopped = self.stop.load(Ordering::Relaxed);
        for service in &mut self.services {
            if service.ends_within.is_some() && service.current().is_up && !is_stopped {
                service.current().tell(Signal::Terminate);
            }
        }
        for place in 0..self.services.len() {
            let (name, ends_within) =
                (self.services[place].name.clone(), self.services[place].ends_within);
            if let Some(time_max) = ends_within.filter(|_| !is_stopped)
                && !self.wait(|live| live.services[place].current().process.has_ended(), time_max)
            {
                self.complaints.push(format!("{name} did not end within {time_max:?} of SIGTERM"));
            }
        }
        for entry in self.services.iter_mut().flat_map(|service| &mut service.processes) {
            if !entry.process.has_ended() {
                entry.tell(Signal::Kill);
            }
        }
        let is_gone = |entry: &mut Entry| entry.process.has_ended() && entry.process.is_logged();
        let all_gone = |live: &mut Self| {
            live.services.iter_mut().flat_map(|service| &mut service.processes).all(is_gone)
        };
        if !self.wait(all_gone, GONE_MAX) {
            self.complaints.push(format!("a killed server is not gone after {GONE_MAX:?}"));
        }
        for Service { name, processes, .. } in &mut self.services {
            let found =
                processes.iter_mut().flat_map(|entry| entry.process.complaints(entry.is_told));
            self.complaints.extend(found.map(|complaint| format!("{name} {complaint}")));
        }
        self.complaints
    }

    fn current(&self, server: &str) -> Option<LifeId> {
        let service = self.services.iter().position(|service| service.name == server)?;
        let process = self.services[service].processes.len().checked_sub(1)?;
        Some(LifeId { service, process, number: 0 })
    }

    fn reap(&mut self) -> usize {
        let mut count = 0;
        for entry in self.services.iter_mut().flat_map(|service| &mut service.processes) {
            if entry.is_up && entry.process.has_ended() {
                entry.is_up = false;
                count += usize::from(entry.is_told);
            }
        }
        count
    }

    fn disturb_server(&mut self, kind: FaultKind, hit: LifeId) -> Option<usize> {
        let touched = self.network.live_connections();
        let service = &mut self.services[hit.service];
        let is_busy = service.replaced.is_some() || !service.current().is_announced;
        if !service.processes[hit.process].is_up || is_busy {
            return None;
        }
        match kind {
            FaultKind::Crash => {
                self.network.serve_at(&service.name, None);
                self.entry(hit).tell(Signal::Kill);
            }
            FaultKind::Drain => self.entry(hit).tell(Signal::Terminate),
            FaultKind::Freeze => self.entry(hit).tell(Signal::Stop),
            _ => {
                service.replaced = Some(hit.process);
                self.restart(hit.service);
            }
        }
        Some(touched)
    }

    fn restore_server(&mut self, kind: FaultKind, hit: LifeId) {
        if kind == FaultKind::Freeze {
            return self.entry(hit).tell(Signal::Continue);
        }
        let is_current = hit.process + 1 == self.services[hit.service].processes.len();
        if self.entry(hit).is_up && !(is_current && kind == FaultKind::RollingDrain) {
            // A drain may still be under way; its time is over.
            self.entry(hit).tell(Signal::Kill);
        }
        if is_current && kind != FaultKind::RollingDrain {
            let name = self.services[hit.service].name.clone();
            self.network.serve_at(&name, None);
            self.restart(hit.service);
        }
    }

    /// Only a kernel delays packets: plans of live runs have no such fault.
    fn disturb_host(&mut self, _kind: FaultKind, _host: &str) {}

    fn restore_host(&mut self, _kind: FaultKind, _host: &str, _began: Duration) -> usize {
        0
    }

    /// The clock of the machine is left alone: plans of live runs have no such fault.
    fn jump_wall_clock(&mut self, _ns: i64) {}
}
