//! The processes of servers on the hosts of the simulated network.
//!
//! ```text
//!   start ──> running ──> ended by itself, crashed ──> the system refuses connections ──┐
//!    ^           └──────> lost its power ────────────> nothing answers ─────────────────┤
//!    └──────────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! turmoil does not tell a process from its machine: on a host that was crashed no packet arrives, and
//! who connects waits. A machine whose process is gone is therefore started anew without a process:
//! nobody listens there, and turmoil refuses connections as Linux does.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending};
use std::io;
use std::net::IpAddr;
use std::rc::Rc;

use tokio::sync::Notify;
use turmoil::Sim;

use crate::net::Network;

/// What the simulation does to a server's process, and learns of it. Clones are the same process.
#[derive(Clone, Default)]
pub(super) struct Process {
    terminate: Rc<RefCell<Rc<Notify>>>,
    is_up: Rc<Cell<bool>>,
    exited: Rc<Cell<bool>>,
}

impl Process {
    /// SIGTERM.
    pub(super) fn terminate(&self) {
        self.terminate.borrow().notify_one();
    }

    /// It was started, and is neither gone nor known to have ended.
    pub(super) fn is_up(&self) -> bool {
        self.is_up.get()
    }

    /// From now on a start of its host starts it.
    pub(super) fn set_up(&self) {
        self.is_up.set(true);
    }

    /// True once, after the process has come to its end by itself.
    pub(super) fn take_exited(&self) -> bool {
        self.exited.take()
    }

    /// Starts the process, on a host that may be down.
    pub(super) fn start(&self, sim: &mut Sim<'_>, host: &str) {
        self.set_up();
        sim.bounce(host);
    }

    /// Ends the process at once, if there is one, and its connections with it. The system of the host
    /// goes on and refuses connections. Returns how many were open.
    pub(super) fn kill(&self, sim: &mut Sim<'_>, network: &Network, host: &str) -> usize {
        let address: IpAddr = sim.lookup(host);
        self.is_up.set(false);
        self.exited.set(false);
        network.crash_server(address, || sim.bounce(host))
    }

    /// Takes the power of the host away: nobody is told, and nothing answers. Returns how many
    /// connections were open.
    pub(super) fn cut_power(&self, sim: &mut Sim<'_>, network: &Network, host: &str) -> usize {
        let address: IpAddr = sim.lookup(host);
        self.is_up.set(false);
        self.exited.set(false);
        network.black_out(address, || sim.crash(host))
    }

    /// What runs on a host that was started: a life of the process, or nothing where there is none.
    pub(super) fn host<F: Future<Output = io::Result<()>>>(
        &self,
        life: Option<F>,
    ) -> impl Future<Output = turmoil::Result> + use<F> {
        let exited = Rc::clone(&self.exited);
        async move {
            if let Some(life) = life {
                life.await?;
                exited.set(true);
            }
            // The system closes a process's sockets when it exits; here the simulation does, as soon as
            // it sees the flag.
            pending().await
        }
    }

    /// A new life of the process, which ends in good order when the future is done: SIGTERM.
    pub(super) fn termination(&self) -> impl Future<Output = ()> + use<> {
        let terminate = Rc::new(Notify::new());
        *self.terminate.borrow_mut() = Rc::clone(&terminate);
        async move { terminate.notified().await }
    }
}
