//! The server as a host of the simulated network: the production `serve`, nothing else.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::rc::Rc;

use server::config::Config;
use tokio::sync::Notify;

use crate::net::{Network, SimListener};
use crate::workload::PORT;

/// What the simulation does to the server's process, and learns of it.
#[derive(Clone, Default)]
pub(crate) struct Process {
    terminate: Rc<RefCell<Rc<Notify>>>,
    exited: Rc<Cell<bool>>,
}

impl Process {
    /// SIGTERM.
    pub(crate) fn terminate(&self) {
        self.terminate.borrow().notify_one();
    }

    /// True once, after the process has come to its end by itself.
    pub(crate) fn take_exited(&self) -> bool {
        self.exited.take()
    }

    /// One life of the process, from its start until it is killed.
    pub(crate) fn start(
        &self,
        network: Network,
        config: Config,
    ) -> impl Future<Output = turmoil::Result> + use<> {
        let terminate = Rc::new(Notify::new());
        *self.terminate.borrow_mut() = Rc::clone(&terminate);
        let exited = Rc::clone(&self.exited);
        exited.set(false);
        async move {
            let listener = SimListener::bind(network, PORT).await?;
            server::serve(listener, config, async move { terminate.notified().await }).await?;
            exited.set(true);
            // The system closes a process's sockets when it exits; turmoil does when the host is
            // crashed, which the simulation does as soon as it sees the flag.
            std::future::pending().await
        }
    }
}
