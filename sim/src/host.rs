//! The server as a host of the simulated network: the production `serve`, nothing else.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::rc::Rc;

use client::Connect;
use server::config::Config;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;

use crate::net::{Network, SimConnector, SimListener};
use crate::workload::{PORT, SERVER};

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

/// Asks the server for its figures, as an operator would.
pub(crate) async fn scrape(network: Network) -> io::Result<Vec<(String, u64)>> {
    let connector = SimConnector::new(network, (SERVER.to_owned(), PORT), "operator");
    let mut stream = connector.connect().await?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: server\r\nconnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let figures = answer.lines().filter_map(|line| {
        let (name, value) = line.strip_prefix("racetrack_")?.split_once(' ')?;
        Some((name.to_owned(), value.parse().ok()?))
    });
    Ok(figures.collect())
}
