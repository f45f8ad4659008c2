//! What carries the bytes between people and their server: the simulated network or, in a twin,
//! the loopback of this machine. People do not know which.
//!
//! It only passes on; what either does is in `net` and in `twin::loopback`.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use client::Connect;
use tokio_util::either::Either;

use crate::model::SERVER;
use crate::net::{Network, SimConnector, SimStream, Trap};
use crate::twin::loopback::{Loopback, LoopbackConnector, LoopbackStream};
use racetrack_sim::PORT;

/// Clones share everything.
#[derive(Clone)]
pub(crate) enum Medium {
    Simulated(Network),
    Real(Loopback),
}

/// Opens connections on behalf of one person.
#[derive(Clone)]
pub(crate) enum MediumConnector {
    Simulated(SimConnector),
    Real(LoopbackConnector),
}

/// The client's end of a connection: a simulated one, or a real one.
pub(crate) type MediumStream = Either<SimStream, LoopbackStream>;

impl Medium {
    /// Connections of `owner`, who lives on that host. A simulated one opens them from the host
    /// that it is asked on.
    pub(crate) fn connector(&self, owner: &str, host: usize) -> MediumConnector {
        match self {
            Self::Simulated(network) => MediumConnector::simulated(network, owner),
            Self::Real(loopback) => MediumConnector::Real(loopback.connector(owner, host)),
        }
    }

    /// Sets a trap on every live connection of `owner`; the counter tells how many were sprung.
    pub(crate) fn trap(&self, owner: &str, trap: Trap) -> Arc<AtomicUsize> {
        match self {
            Self::Simulated(network) => network.trap(owner, trap),
            Self::Real(loopback) => loopback.trap(owner, trap),
        }
    }

    /// From now on, nothing arrives on any live connection of `owner`, and neither end is told;
    /// returns how many there were: none of real ones, whose kernel always tells.
    pub(crate) fn lose(&self, owner: &str) -> usize {
        match self {
            Self::Simulated(network) => network.lose(owner),
            Self::Real(_) => 0,
        }
    }

    /// The program of `owner` hangs, and what it drops stays open; returns how many connections there
    /// were: none of real ones, because no program here hangs alone.
    pub(crate) fn hang(&self, owner: &str) -> usize {
        match self {
            Self::Simulated(network) => network.hang(owner),
            Self::Real(_) => 0,
        }
    }

    /// `owner` reads nothing from the connections of this moment; returns how many there are.
    pub(crate) fn stall(&self, owner: &str) -> usize {
        match self {
            Self::Simulated(network) => network.stall(owner),
            Self::Real(loopback) => loopback.stall(owner),
        }
    }

    /// `owner` reads again; returns on how many connections something had come in meanwhile.
    pub(crate) fn resume_reads(&self, owner: &str) -> usize {
        match self {
            Self::Simulated(network) => network.resume_reads(owner),
            Self::Real(loopback) => loopback.resume_reads(owner),
        }
    }
}

impl MediumConnector {
    /// Connections of `owner` to the simulated server, from the host that asks for one.
    pub(crate) fn simulated(network: &Network, owner: &str) -> Self {
        Self::Simulated(SimConnector::new(network.clone(), (SERVER.to_owned(), PORT), owner))
    }
}

/// A connector of the simulated network, for clients of the chat.
#[derive(Clone)]
pub struct SimulatedConnector(pub SimConnector);

impl Connect for SimulatedConnector {
    type Stream = SimStream;

    async fn connect(&self) -> io::Result<SimStream> {
        self.0.connect().await
    }
}

impl Connect for MediumConnector {
    type Stream = MediumStream;

    async fn connect(&self) -> io::Result<MediumStream> {
        match self {
            Self::Simulated(connector) => connector.connect().await.map(Either::Left),
            Self::Real(connector) => connector.connect().await.map(Either::Right),
        }
    }
}
