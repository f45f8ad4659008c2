//! Where a run takes place: the simulated network, or real sockets and processes of this machine. The run loop and the
//! nemesis are the same for both.
pub(crate) mod live;
pub(crate) mod simulated;

use std::time::Duration;

use crate::fault::FaultKind;
use crate::local::{ClientResult, Local};
use crate::net::Network;

/// Hosts, servers and time of one run.
pub(crate) trait Backend {
    /// Time since the start. Every clock that a simulated run can read follows.
    fn now(&mut self) -> Duration;

    /// How long before the end of a phase the run enters the next one: clients must not act on it first.
    fn early(&self) -> Duration {
        Duration::ZERO
    }

    /// Records what the hosts' runtimes did in the last step.
    fn observe(&mut self) {}

    /// Starts a task on a host of clients; an error of it ends the run.
    fn spawn(&mut self, host: &str, task: Local<ClientResult>);

    /// Lets one tick pass; returns whether all clients have returned.
    ///
    /// # Errors
    ///
    /// That of a client.
    fn step(&mut self) -> Result<bool, Box<dyn std::error::Error>>;

    /// Ends everything; returns what servers did that they must not.
    fn finish(self, network: &Network) -> Vec<String>;

    /// The process of a server that new connections go to; none if no server has that name.
    fn current(&self, server: &str) -> Option<LifeId>;

    /// Forgets processes that ended by themselves; returns how many did.
    fn reap(&mut self) -> usize;

    /// Begins a fault of a server's process; returns how many connections that touched, unless no process was up.
    fn disturb_server(&mut self, kind: FaultKind, hit: LifeId) -> Option<usize>;

    /// Ends it: the process runs again, unless it was rolled over.
    fn restore_server(&mut self, kind: FaultKind, hit: LifeId);

    /// Begins a fault of all connections of a client host.
    fn disturb_host(&mut self, kind: FaultKind, host: &str);

    /// Ends it; returns what it touched since it began.
    fn restore_host(&mut self, kind: FaultKind, host: &str, began: Duration) -> usize;

    /// Moves the wall clock of all servers by so many nanoseconds.
    fn jump_wall_clock(&mut self, ns: i64);
}

/// One life of one process of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LifeId {
    /// The server's place among all servers.
    pub(crate) service: usize,
    /// The process's place among those of the server.
    pub(crate) process: usize,
    /// How often it was started before.
    pub(crate) number: u32,
}
