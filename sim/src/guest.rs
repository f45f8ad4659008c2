//! Anybody's own client code as the guest of the simulated server.
//!
//! A plan says what people do step by step and is checked by checkers. A guest is the other way
//! in: one async function that gets connectors and does what it likes, as it would over real
//! sockets, while the seed decides latency, order and entropy. It brings its own assertions; no
//! fault strikes and no checker looks.

use std::cell::Cell;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use server::config::Config;

use crate::determinism::{self, TraceReport};
use crate::host::Process;
use crate::net::{Limits, Network, SimConnector};
use crate::plan::Settings;
use crate::simulation::{self, EPOCH_MS};
use crate::workload::{PORT, SERVER};

/// The longest visit, in simulated time.
const VISIT_MAX: Duration = Duration::from_secs(600);

/// The server's name and port on the simulated network.
#[must_use]
pub fn address() -> String {
    format!("{SERVER}:{PORT}")
}

/// Runs `visit` on a host of its own beside `server::serve`, on a thread of its own, until it
/// returns; gives what it returned, and the fingerprint of the run.
///
/// # Errors
///
/// The text of a panic of the guest or of the server, how one of them reached past its seed, or that the visit took more than ten
/// simulated minutes.
pub fn guest<T, F, V>(seed: u64, server: Config, visit: F) -> (Result<T, String>, TraceReport)
where
    T: Send + 'static,
    F: FnOnce(SimConnector) -> V + Send + 'static,
    V: Future<Output = T> + 'static,
{
    let (outcome, trace) =
        determinism::simulated(seed, EPOCH_MS, false, move || host(seed, server, visit));
    let outcome = outcome.and_then(|visited| visited);
    // A task of the server that panics takes nobody with it, and must not pass unseen; nor must
    // code that reaches past its seed.
    let outcome = match (&trace.escape, trace.panics.first()) {
        (Some(escape), _) => Err(escape.clone()),
        (None, Some(panic)) if outcome.is_ok() => Err(panic.clone()),
        _ => outcome,
    };
    (outcome, trace)
}

fn host<T, F, V>(seed: u64, server: Config, visit: F) -> Result<T, String>
where
    T: 'static,
    F: FnOnce(SimConnector) -> V,
    V: Future<Output = T> + 'static,
{
    let network = Network::new(Limits::default());
    let (process, served) = (Process::default(), network.clone());
    let mut sim = simulation::world(seed, &Settings::default(), VISIT_MAX);
    sim.host(SERVER, move || process.start(served.clone(), server.clone()));
    let visited = Rc::new(Cell::new(None));
    let connector = SimConnector::new(network.clone(), (SERVER.to_owned(), PORT), "guest");
    let (visit, result) = (visit(connector), Rc::clone(&visited));
    sim.client("guest", async move {
        result.set(Some(visit.await));
        Ok(())
    });
    let error = simulation::run_until_done(&mut sim).err().map(|error| error.to_string());
    network.crash(|| drop(sim));
    visited.take().ok_or_else(|| error.unwrap_or_else(|| "the visit came to no end".to_owned()))
}
