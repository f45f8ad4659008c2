//! A service under test, declared by a function: its hosts, its clients, and what must hold of what the clients
//! recorded. This is how a test uses the simulation without a model of its own.
//!
//! ```
//! use racetrack_sim::{Client, Error, Sim, Violation, scenario};
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! fn greeter(sim: &mut Sim<bool>) {
//!     sim.host("greeter", |listener| {
//!         let service = axum::Router::new().route("/", axum::routing::get(|| async { "hello" }));
//!         axum::serve(listener, service)
//!     });
//!     sim.client("ann", |ann| async move {
//!         let mut stream = ann.connect("greeter").await?;
//!         stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await?;
//!         let mut answer = String::new();
//!         stream.read_to_string(&mut answer).await?;
//!         ann.record(answer.ends_with("hello"));
//!         Ok(())
//!     });
//!     sim.checker("greets", |history| {
//!         let rude = history.iter().filter(|event| !event.what);
//!         rude.map(|event| Violation::because("the greeting was wrong", &[event.index])).collect()
//!     });
//! }
//!
//! # fn main() -> Result<(), Error> {
//! let report = scenario(greeter).seed(7).run()?;
//! assert_eq!(report.history().len(), 1);
//! # Ok(())
//! # }
//! ```

mod client;
mod draw;
mod history;
mod model;

use std::fmt::Debug;
use std::future::{Future, IntoFuture};
use std::io;
use std::ops::RangeInclusive;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use client::Client;
pub use history::{History, Recorded};
pub use model::{IntoModel, NoAction, Service, Start};

use crate::fault::FaultKind;
use crate::life::Life;
use crate::local::{ClientResult, Local};
use crate::net::SimListener;
use crate::plan::Settings;
use crate::violation::Violation;

/// What clients may record: plain data.
pub trait Note:
    Clone + Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static
{
}

impl<E: Clone + Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static> Note
    for E
{
}

type Serve = Arc<dyn Fn(Life) -> Local<io::Result<()>> + Send + Sync>;
type Visit<E> = Arc<dyn Fn(Client<E>) -> Local<ClientResult> + Send + Sync>;
type Check<E> = Arc<dyn Fn(&History<E>) -> Vec<Violation> + Send + Sync>;
type Reaches<E> = Arc<dyn Fn(&History<E>) -> bool + Send + Sync>;

/// What a function declares of a service: hosts, clients, checkers, rare states.
pub struct Sim<E: Note> {
    hosts: Vec<Host>,
    clients: Vec<(String, Visit<E>)>,
    checkers: Vec<(String, Check<E>)>,
    states: Vec<(String, Reaches<E>)>,
    faults: Vec<FaultKind>,
    settings: Settings,
}

struct Host {
    name: String,
    serve: Serve,
    /// It ends when it is asked to.
    is_graceful: bool,
}

impl<E: Note> Sim<E> {
    fn new() -> Self {
        let (hosts, clients, checkers, states) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        // A fine clock: most services answer within milliseconds.
        let settings = Settings { tick_ms: 1, ..Settings::default() };
        Self { hosts, clients, checkers, states, faults: FaultKind::ALL.to_vec(), settings }
    }

    /// A server on a host of that name, which listens on [`PORT`](crate::PORT). It is called again whenever the host starts again,
    /// and finds nothing of what its last life kept in memory. When it returns, its process has ended: its connections are reset, and
    /// new ones are refused.
    pub fn host<S, F>(&mut self, name: &str, serve: S)
    where
        S: Fn(SimListener) -> F + Send + Sync + 'static,
        F: IntoFuture<Output = io::Result<()>>,
        F::IntoFuture: 'static,
    {
        let serve: Serve = Arc::new(move |life: Life| Box::pin(serve(life.listener).into_future()));
        self.hosts.push(Host { name: name.to_owned(), serve, is_graceful: false });
    }

    /// As [`host`](Self::host), of a server that ends in good order when [`Life::terminated`] is done, dials other servers, or keeps
    /// something that outlives its process.
    pub fn server<S, F>(&mut self, name: &str, serve: S)
    where
        S: Fn(Life) -> F + Send + Sync + 'static,
        F: Future<Output = io::Result<()>> + 'static,
    {
        let serve: Serve = Arc::new(move |life| Box::pin(serve(life)));
        self.hosts.push(Host { name: name.to_owned(), serve, is_graceful: true });
    }

    /// A client, on a host of its own where there are no more than 8 of them. A run ends when every client has returned; an error
    /// of a client is a violation.
    pub fn client<V, F>(&mut self, name: &str, visit: V)
    where
        V: Fn(Client<E>) -> F + Send + Sync + 'static,
        F: Future<Output = ClientResult> + 'static,
    {
        self.clients.push((name.to_owned(), Arc::new(move |client| Box::pin(visit(client)))));
    }

    /// What must hold of every history: the checker returns what contradicts it.
    pub fn checker(
        &mut self,
        name: &str,
        check: impl Fn(&History<E>) -> Vec<Violation> + Send + Sync + 'static,
    ) {
        self.checkers.push((name.to_owned(), Arc::new(check)));
    }

    /// A rare state that some seed should reach: exploration counts the seeds that do.
    pub fn sometimes(
        &mut self,
        name: &str,
        reaches: impl Fn(&History<E>) -> bool + Send + Sync + 'static,
    ) {
        self.states.push((name.to_owned(), Arc::new(reaches)));
    }

    /// The kinds of faults that the service should survive; all, unless told otherwise. A service that keeps everything in memory
    /// leaves out those that end its process.
    pub fn faults(&mut self, kinds: impl IntoIterator<Item = FaultKind>) {
        self.faults = kinds.into_iter().collect();
    }

    /// How long a packet takes, in milliseconds, in runs that are not drawn; the seed draws from the range. Drawn runs draw the range too.
    pub fn latency_ms(&mut self, range: RangeInclusive<u64>) {
        (self.settings.latency_ms_min, self.settings.latency_ms_max) = range.into_inner();
    }

    /// The settings of runs that are not drawn.
    pub fn settings(&mut self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.settings);
    }
}
