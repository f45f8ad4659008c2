//! A server that runs on a thread of this program, with a runtime of its own.
//!
//! Killing it drops its runtime: its sockets are closed by the kernel, as those of a killed process are. What it had in memory is
//! gone, unless it is in a static.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::runtime;
use tokio::sync::{Notify, oneshot};
use tokio::task::LocalSet;

use super::process::{Process, Signal};
use crate::determinism::panics;
use crate::life::{Dialer, Disk, Life};
use crate::model::Model;
use crate::net::{Network, SimListener};
use crate::plan::Plan;

struct ServerThread {
    address: SocketAddr,
    network: Network,
    terminate: Arc<Notify>,
    /// Dropped or sent, it kills the server.
    kill: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<(), String>>>,
}

/// Starts a server of the model on a thread, at this address.
pub(crate) fn start_thread<M: Model>(
    model: &M,
    plan: &Plan<M>,
    network: &Network,
    server: &str,
    (address, disk): (Ipv4Addr, Disk),
) -> io::Result<Box<dyn Process>> {
    let listener = TcpListener::bind((address, 0))?;
    let address = listener.local_addr()?;
    let (kill, killed) = oneshot::channel();
    let terminate = Arc::new(Notify::new());
    let (model, plan, told) = (model.clone(), plan.clone(), Arc::clone(&terminate));
    let (on_network, server) = (network.clone(), server.to_owned());
    let thread = std::thread::Builder::new().name(server.clone()).spawn(move || {
        let serving = AssertUnwindSafe(|| {
            let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
            let serving = serve(model, plan, on_network, (server, disk), listener, told);
            let outcome = LocalSet::new().block_on(&runtime, async {
                tokio::select! {
                    biased;
                    _ = killed => Ok(()),
                    served = serving => served,
                }
            });
            runtime.shutdown_background();
            outcome
        });
        match catch_unwind(serving) {
            Ok(served) => served.map_err(|error: io::Error| format!("failed: {error}")),
            Err(panic) => Err(format!("panicked: {}", panics::text_of(panic.as_ref()))),
        }
    })?;
    let (kill, thread, network) = (Some(kill), Some(thread), network.clone());
    Ok(Box::new(ServerThread { address, network, terminate, kill, thread }))
}

async fn serve<M: Model>(
    model: M,
    plan: Plan<M>,
    network: Network,
    (server, disk): (String, Disk),
    listener: TcpListener,
    told: Arc<Notify>,
) -> io::Result<()> {
    let dialer = Dialer::new(network.clone(), server.clone());
    let listener = SimListener::real(network, listener)?;
    let terminated = Box::pin(async move { told.notified().await });
    model.serve(&Rc::new(plan), Life { server, listener, terminated, dialer, disk }).await
}

impl Process for ServerThread {
    fn address(&self) -> Option<SocketAddr> {
        Some(self.address)
    }

    fn signal(&mut self, signal: Signal) {
        let servers = [self.address.ip()];
        match signal {
            Signal::Terminate => self.terminate.notify_one(),
            Signal::Kill => self.kill = None,
            // A thread cannot be stopped: its connections do nothing.
            Signal::Stop => drop(self.network.freeze(&servers)),
            Signal::Continue => self.network.thaw(&servers),
        }
    }

    fn has_ended(&mut self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    fn complaints(&mut self, is_told: bool) -> Vec<String> {
        let Some(thread) = self.thread.take_if(|thread| thread.is_finished()) else {
            return Vec::new();
        };
        match thread.join() {
            Ok(Err(what)) => vec![what],
            Ok(Ok(())) if !is_told => vec!["ended by itself".to_owned()],
            Ok(Ok(())) | Err(_) => Vec::new(),
        }
    }
}
