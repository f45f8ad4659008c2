//! Real connections over the loopback of this machine, for live runs. Nothing here leaves the machine.
//!
//! Each client host has a loopback address of its own, so that a limit for each address means what it does in the
//! simulation.

#![expect(clippy::disallowed_methods, reason = "a live run takes real time")]

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::net::{TcpSocket, TcpStream};

use super::{Limits, Network, lock};
use crate::determinism::clock;

/// What a live run adds to a network.
pub(super) struct Loopback {
    began: Instant,
    /// Where each server listens now.
    servers: Mutex<BTreeMap<String, SocketAddr>>,
    /// The address that each owner of connections connects from.
    sources: BTreeMap<String, Ipv4Addr>,
}

impl Network {
    /// A network of real connections. Owners that `sources` does not name connect from `127.0.0.1`.
    pub(crate) fn real(sources: BTreeMap<String, Ipv4Addr>) -> Self {
        let (began, servers) = (Instant::now(), Mutex::default());
        let loopback = Some(Arc::new(Loopback { began, servers, sources }));
        Self { loopback, ..Self::new(Limits::default()) }
    }

    /// Time since the start of the run: simulated, or real.
    pub(crate) fn now(&self) -> Duration {
        self.began().map_or_else(clock::elapsed, |began| began.elapsed())
    }

    /// When a live run began; none in the simulation.
    pub(crate) fn began(&self) -> Option<Instant> {
        self.loopback.as_ref().map(|loopback| loopback.began)
    }

    /// New connections to a server go there from now on; where there is no address, they are refused.
    pub(crate) fn serve_at(&self, server: &str, address: Option<SocketAddr>) {
        let Some(loopback) = &self.loopback else { return };
        let mut servers = lock(&loopback.servers);
        match address {
            Some(address) => drop(servers.insert(server.to_owned(), address)),
            None => drop(servers.remove(server)),
        }
    }
}

impl Loopback {
    /// Opens a connection to a server from the address of `owner`.
    pub(super) async fn dial(&self, server: &str, owner: &str) -> io::Result<TcpStream> {
        let target = lock(&self.servers).get(server).copied();
        let target = target.ok_or_else(|| {
            io::Error::new(ErrorKind::ConnectionRefused, format!("{server} refuses connections"))
        })?;
        let source = self.sources.get(owner).copied().unwrap_or(Ipv4Addr::LOCALHOST);
        let socket = TcpSocket::new_v4()?;
        choose_port_at_connect(&socket)?;
        socket.bind(SocketAddr::new(IpAddr::V4(source), 0))?;
        let stream = socket.connect(target).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

/// Without this, `bind` would take a port away from every other destination of the same source address.
#[cfg(target_os = "linux")]
fn choose_port_at_connect(socket: &TcpSocket) -> io::Result<()> {
    use nix::sys::socket::{setsockopt, sockopt::IpBindAddressNoPort};
    Ok(setsockopt(socket, IpBindAddressNoPort, &true)?)
}

#[cfg(not(target_os = "linux"))]
fn choose_port_at_connect(_socket: &TcpSocket) -> io::Result<()> {
    Ok(())
}
