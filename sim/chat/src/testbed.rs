//! Anybody's own servers and clients on the simulated network.
//!
//! A plan says what people do with the server of this project. A testbed knows neither: a server is
//! a function of a listener, a client one of a [`Client`], which connects where it likes and notes
//! what it sees. The seed decides latency, order and entropy, and whoever writes the test decides
//! what goes wrong, and what must be true of the notes.
//!
//! ```
//! use chat_sim::testbed::Testbed;
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! let run = Testbed::new(7)
//!     .server("greeter", |listener| async move {
//!         let service = axum::Router::new().route("/", axum::routing::get(|| async { "hello" }));
//!         axum::serve(listener, service).await
//!     })
//!     .client("ann", |ann| async move {
//!         let mut stream = ann.connect("greeter").await?;
//!         stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await?;
//!         let mut answer = String::new();
//!         stream.read_to_string(&mut answer).await?;
//!         ann.note(answer.ends_with("hello"));
//!         Ok(())
//!     })
//!     .run()
//!     .expect("nobody panics");
//! assert!(run.history[0].what);
//! ```

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use serde::Serialize;
use turmoil::Sim;

use crate::determinism::{self, TraceReport, clock, trace};
use crate::host::Process;
use crate::names::{listed, unknown};
use crate::net::{Hosts, Limits, Network, SimConnector, SimListener, SimStream};
use crate::plan::Settings;
use crate::pulse::Pulses;
use racetrack_sim::run::{EPOCH_MS, empty_network};

/// Where every server of a testbed listens.
pub const PORT: u16 = 80;

/// The longest run, in simulated time.
const RUN_MAX: Duration = Duration::from_secs(600);

type Local<T> = Pin<Box<dyn Future<Output = T>>>;
type Service = Box<dyn Fn(SimListener) -> Local<io::Result<()>> + Send>;
type Visit<E> = Box<dyn FnOnce(Client<E>) -> Local<turmoil::Result> + Send>;
type Strike = Box<dyn FnOnce(&Network) -> usize + Send>;

/// A simulated network under construction: who is on it, and what goes wrong when.
pub struct Testbed<E> {
    seed: u64,
    settings: Settings,
    limits: Limits,
    servers: Vec<(String, Service)>,
    clients: Vec<(String, Visit<E>)>,
    troubles: Vec<(Duration, Trouble)>,
}

enum Trouble {
    Network(Strike),
    Crash(String),
    Start(String),
}

/// What a client has in hand. Clones are the same client.
pub struct Client<E> {
    name: String,
    network: Network,
    history: History<E>,
}

type History<E> = Rc<RefCell<Vec<Noted<E>>>>;

/// Something that a client noted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted<E> {
    /// Simulated time since the start.
    pub at: Duration,
    /// The client.
    pub who: String,
    /// What it noted.
    pub what: E,
}

/// What a run left behind.
#[derive(Debug, Clone)]
pub struct Run<E> {
    /// All notes of all clients, in the order in which they were made.
    pub history: Vec<Noted<E>>,
    /// How much each trouble touched, in order of their times: connections, or whatever its closure
    /// says; 0 if the run was over before. What touched nothing has tested nothing.
    pub struck: Vec<usize>,
    /// The fingerprint of the run: equal for equal seeds, in every process.
    pub trace: TraceReport,
}

impl<E: Serialize + Send + 'static> Testbed<E> {
    /// A network with nobody on it, where a packet takes as long as [`Settings::default`] says.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            settings: Settings::default(),
            limits: Limits::default(),
            servers: Vec::new(),
            clients: Vec::new(),
            troubles: Vec::new(),
        }
    }

    /// How long a packet takes, in milliseconds; the seed draws from the range.
    #[must_use]
    pub fn latency_ms(mut self, range: RangeInclusive<u64>) -> Self {
        (self.settings.latency_ms_min, self.settings.latency_ms_max) = range.into_inner();
        self
    }

    /// In what pieces bytes travel, and how many may be under way.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// A server on a host of that name, listening on [`PORT`]. It is called again whenever the host
    /// starts anew, and finds nothing of what its last life kept in memory unless it is shared. When it
    /// returns, its process has ended: its connections are reset, and new ones are refused.
    #[must_use]
    pub fn server<F, S>(mut self, name: &str, serve: S) -> Self
    where
        S: Fn(SimListener) -> F + Send + 'static,
        F: Future<Output = io::Result<()>> + 'static,
    {
        let service = move |listener| -> Local<_> { Box::pin(serve(listener)) };
        self.servers.push((name.to_owned(), Box::new(service)));
        self
    }

    /// A client on a host of that name. The run ends when every client has returned; an error ends
    /// it at once.
    #[must_use]
    pub fn client<F, V>(mut self, name: &str, visit: V) -> Self
    where
        V: FnOnce(Client<E>) -> F + Send + 'static,
        F: Future<Output = turmoil::Result> + 'static,
    {
        let visit = move |client| -> Local<_> { Box::pin(visit(client)) };
        self.clients.push((name.to_owned(), Box::new(visit)));
        self
    }

    /// Something goes wrong with the network: `strike` does it and says how much it touched. The
    /// connections that a client opened are named by the client; a name that no client has fails the
    /// run.
    #[must_use]
    pub fn trouble(
        mut self,
        at_ms: u64,
        strike: impl FnOnce(&Network) -> usize + Send + 'static,
    ) -> Self {
        self.troubles.push((Duration::from_millis(at_ms), Trouble::Network(Box::new(strike))));
        self
    }

    /// A server's process is killed, and started anew after `down_ms`; meanwhile its system refuses
    /// connections.
    #[must_use]
    pub fn crash(mut self, at_ms: u64, server: &str, down_ms: u64) -> Self {
        let crash = (Duration::from_millis(at_ms), Trouble::Crash(server.to_owned()));
        let start = (Duration::from_millis(at_ms + down_ms), Trouble::Start(server.to_owned()));
        self.troubles.extend([crash, start]);
        self
    }

    /// Runs it, on a thread of its own.
    ///
    /// # Errors
    ///
    /// One line, before anything runs, if two hosts have one name or a server that is to crash is
    /// unknown. The text of a panic or of a client's error, how anybody reached past the seed, or that
    /// the run took more than ten simulated minutes.
    pub fn run(self) -> Result<Run<E>, String> {
        self.check()?;
        let seed = self.seed;
        let (outcome, trace) =
            determinism::simulated(seed, EPOCH_MS, false, move || self.simulate());
        // What comes of it, a panic for one, is not the reason.
        if let Some(escape) = trace.escape {
            return Err(escape);
        }
        let (history, struck) = outcome.and_then(|outcome| outcome)?;
        // A task of a server that panics takes nobody with it, and must not pass unseen.
        match trace.panics.first() {
            Some(panic) => Err(panic.clone()),
            None => Ok(Run { history, struck, trace }),
        }
    }

    /// Holds every name against those that there are.
    fn check(&self) -> Result<(), String> {
        let servers = || self.servers.iter().map(|(name, _)| name.as_str());
        let hosts = || servers().chain(self.clients.iter().map(|(name, _)| name.as_str()));
        let mut seen = BTreeSet::new();
        for name in hosts() {
            if name.is_empty() || name == "localhost" || name.parse::<IpAddr>().is_ok() {
                return Err(format!("a host cannot be named {name:?}; choose a plain name"));
            }
            if !seen.insert(name) {
                let hosts = listed(hosts());
                return Err(format!("two hosts are named {name:?}; {hosts}"));
            }
        }
        let crashed = self.troubles.iter().filter_map(|(_, trouble)| match trouble {
            Trouble::Crash(server) => Some(server),
            Trouble::Network(_) | Trouble::Start(_) => None,
        });
        match crashed.into_iter().find(|name| servers().all(|server| server != *name)) {
            Some(name) => Err(unknown("server", name, servers())),
            None => Ok(()),
        }
    }

    fn simulate(self) -> Result<(Vec<Noted<E>>, Vec<usize>), String> {
        let network = Network::new(self.limits);
        network.introduce(Hosts {
            servers: self.servers.iter().map(|(name, _)| name.clone()).collect(),
            clients: self.clients.iter().map(|(name, _)| name.clone()).collect(),
        });
        let mut sim = empty_network(self.seed, &self.settings, RUN_MAX);
        let pulses = Pulses::default();
        let mut processes = BTreeMap::new();
        for (name, service) in self.servers {
            let (network, pulses, host) = (network.clone(), pulses.clone(), name.clone());
            let (service, process) = (Rc::new(service), Process::default());
            process.set_up();
            processes.insert(name.clone(), process.clone());
            sim.host(name, move || {
                pulses.feel(&host);
                let (network, service) = (network.clone(), Rc::clone(&service));
                process.host(process.is_up().then_some(async move {
                    let listener = SimListener::bind(network, PORT).await?;
                    service(listener).await
                }))
            });
        }
        let history = History::default();
        for (name, visit) in self.clients {
            let (network, history) = (network.clone(), Rc::clone(&history));
            let (pulses, host) = (pulses.clone(), name.clone());
            let visit = visit(Client { name: name.clone(), network, history });
            sim.client(name, async move {
                pulses.feel(&host);
                visit.await
            });
        }
        let ended = steps(&mut sim, &network, &processes, &pulses, self.troubles);
        network.crash(|| drop(sim));
        ended.map(|struck| (history.take(), struck)).map_err(|error| error.to_string())
    }
}

/// Steps until every client has come to its end; says how much each trouble touched.
fn steps(
    sim: &mut Sim<'_>,
    network: &Network,
    processes: &BTreeMap<String, Process>,
    pulses: &Pulses,
    mut troubles: Vec<(Duration, Trouble)>,
) -> turmoil::Result<Vec<usize>> {
    troubles.sort_by_key(|(at, _)| *at);
    let mut struck = Vec::new();
    let mut troubles = troubles.into_iter().peekable();
    loop {
        clock::set_now(sim.elapsed());
        pulses.record();
        for (host, process) in processes.iter().filter(|(_, process)| process.take_exited()) {
            process.kill(sim, network, host);
        }
        while let Some((_, trouble)) = troubles.next_if(|(at, _)| *at <= sim.elapsed()) {
            struck.extend(trouble.strike(sim, network, processes));
        }
        let is_over = sim.step()?;
        if determinism::has_escaped() {
            return Err("the run has left the simulation".into());
        }
        if is_over {
            let missed = troubles.filter(|(_, trouble)| !matches!(trouble, Trouble::Start(_)));
            struck.extend(missed.map(|_| 0));
            return Ok(struck);
        }
    }
}

impl Trouble {
    /// How much it touched; nothing is said of a start.
    fn strike(
        self,
        sim: &mut Sim<'_>,
        network: &Network,
        processes: &BTreeMap<String, Process>,
    ) -> Option<usize> {
        match self {
            Self::Network(strike) => Some(strike(network)),
            Self::Crash(server) => Some(processes[&server].kill(sim, network, &server)),
            Self::Start(server) => {
                processes[&server].start(sim, &server);
                None
            }
        }
    }
}

impl<E> Clone for Client<E> {
    fn clone(&self) -> Self {
        let Self { name, network, history } = self;
        Self { name: name.clone(), network: network.clone(), history: Rc::clone(history) }
    }
}

impl<E: Serialize> Client<E> {
    /// What this client is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Opens connections to that server, for whoever wants a connector.
    #[must_use]
    pub fn connector(&self, server: &str) -> SimConnector {
        SimConnector::new(self.network.clone(), (server.to_owned(), PORT), &self.name)
    }

    /// Opens one connection to that server.
    ///
    /// # Errors
    ///
    /// `ConnectionRefused` if the server does not listen; `NotFound` if no server has that name, with
    /// the names that there are.
    pub async fn connect(&self, server: &str) -> io::Result<SimStream> {
        self.connector(server).connect().await
    }

    /// Takes something down for the checker, and for the fingerprint of the run.
    ///
    /// # Panics
    ///
    /// If the note cannot be written as JSON.
    pub fn note(&self, what: E) {
        let at = turmoil::sim_elapsed().unwrap_or_else(clock::elapsed);
        let bytes = serde_json::to_vec(&(&self.name, &what)).expect("a note is plain data");
        trace::history(at.as_micros() as u64, &bytes);
        self.history.borrow_mut().push(Noted { at, who: self.name.clone(), what });
    }
}
