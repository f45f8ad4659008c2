//! Connections of the engine, for clients of the chat.

use std::io;

use client::Connect;
use racetrack_sim::{SimConnector, SimStream};

/// A connector of the engine, simulated or real.
#[derive(Clone)]
pub struct SimulatedConnector(pub SimConnector);

impl Connect for SimulatedConnector {
    type Stream = SimStream;

    async fn connect(&self) -> io::Result<SimStream> {
        self.0.connect().await
    }
}
