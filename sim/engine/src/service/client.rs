//! What a client has in hand: connections, and a record of what it saw.

use std::io;
use std::time::Duration;

use super::{Note, Service};
use crate::context::Context;
use crate::history::{Kind, Noted};
use crate::net::{SimConnector, SimStream};

/// A client that runs. Clones are the same client.
pub struct Client<E: Note>(Context<Service<E>>);

impl<E: Note> Clone for Client<E> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<E: Note> Client<E> {
    pub(super) fn new(context: Context<Service<E>>) -> Self {
        Self(context)
    }

    /// The name of this client.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// A connector to a server, for libraries that open connections themselves.
    #[must_use]
    pub fn connector(&self, server: &str) -> SimConnector {
        self.0.connector(server)
    }

    /// A connector for hyper-util's clients, which names the server in the URI of each request.
    #[cfg(feature = "hyper-util")]
    #[must_use]
    pub fn hyper_connector(&self) -> crate::net::HyperConnector {
        self.0.hyper_connector()
    }

    /// Opens one connection to a server.
    ///
    /// # Errors
    ///
    /// `ConnectionRefused` if the server does not listen; `NotFound` if no server has that name, with the
    /// names that exist.
    pub async fn connect(&self, server: &str) -> io::Result<SimStream> {
        self.0.connect(server).await
    }

    /// Records what this client saw, for checkers and for the fingerprint of the run.
    pub fn record(&self, what: E) {
        self.0.record(Kind::Observe, Noted::Note(what));
    }

    /// Simulated time since the start.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.0.now()
    }
}
