//! Who is on a network, where that is known beforehand: a name that nobody has is refused instead of
//! striking nothing.

use std::io::{self, ErrorKind};

use super::{Network, lock};
use crate::names::unknown;

/// The names of all hosts of a network.
#[derive(Debug, Default)]
pub(crate) struct Hosts {
    /// Hosts that listen.
    pub(crate) servers: Vec<String>,
    /// Owners of connections.
    pub(crate) clients: Vec<String>,
}

impl Network {
    /// Says who there is. Without that, any name will do.
    pub(crate) fn introduce(&self, hosts: Hosts) {
        *lock(&self.hosts) = Some(hosts);
    }

    /// Holds the owner of connections against the known clients.
    ///
    /// # Panics
    ///
    /// If no client has that name: a fault that can strike nobody is a mistake of the test.
    #[track_caller]
    pub(super) fn expect_owner(&self, owner: &str) {
        let unknown = lock(&self.hosts).as_ref().and_then(|hosts| {
            let is_known = hosts.clients.iter().any(|client| client == owner);
            let names = hosts.clients.iter().map(String::as_str);
            (!is_known).then(|| unknown("client", owner, names))
        });
        // Not under the lock, which a panic would poison.
        if let Some(unknown) = unknown {
            panic!("{unknown}");
        }
    }

    /// Holds the host that somebody connects to against the known servers.
    pub(super) fn check_server(&self, host: &str) -> io::Result<()> {
        let hosts = lock(&self.hosts);
        let Some(Hosts { servers, .. }) = &*hosts else { return Ok(()) };
        if servers.iter().any(|server| server == host) {
            return Ok(());
        }
        let unknown = unknown("server", host, servers.iter().map(String::as_str));
        Err(io::Error::new(ErrorKind::NotFound, unknown))
    }
}
