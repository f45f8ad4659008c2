//! What a client of a model has in hand while it runs: its name, its connections, the plan, and the recorder.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use crate::history::{Kind, Record, Recorder};
use crate::model::Model;
use crate::net::{Network, PORT, SimConnector, SimStream};
use crate::plan::Plan;

/// A client of a model, while it runs. Clones are the same client.
pub struct Context<M: Model> {
    name: String,
    network: Network,
    plan: Rc<Plan<M>>,
    recorder: Recorder<M::Record>,
}

impl<M: Model> Clone for Context<M> {
    fn clone(&self) -> Self {
        let Self { name, network, plan, recorder } = self;
        let (name, network) = (name.clone(), network.clone());
        Self { name, network, plan: Rc::clone(plan), recorder: recorder.clone() }
    }
}

impl<M: Model> Context<M> {
    pub(crate) fn new(
        name: String,
        network: Network,
        plan: Rc<Plan<M>>,
        recorder: Recorder<M::Record>,
    ) -> Self {
        Self { name, network, plan, recorder }
    }

    /// The name of this client.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The plan that runs.
    #[must_use]
    pub fn plan(&self) -> &Rc<Plan<M>> {
        &self.plan
    }

    /// The network, for faults that a client causes to its own connections.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The recorder of the run.
    #[must_use]
    pub fn recorder(&self) -> &Recorder<M::Record> {
        &self.recorder
    }

    /// A connector to a server, for libraries that open connections themselves.
    #[must_use]
    pub fn connector(&self, server: &str) -> SimConnector {
        SimConnector::new(self.network.clone(), (server.to_owned(), PORT), &self.name)
    }

    /// A connector for hyper-util's clients, which names the server in the URI of each request.
    #[cfg(feature = "hyper-util")]
    #[must_use]
    pub fn hyper_connector(&self) -> crate::net::HyperConnector {
        crate::net::HyperConnector::new(self.network.clone(), &self.name)
    }

    /// Opens one connection to a server.
    ///
    /// # Errors
    ///
    /// `ConnectionRefused` if the server does not listen; `NotFound` if no server has that name, with the
    /// names that exist.
    pub async fn connect(&self, server: &str) -> io::Result<SimStream> {
        self.connector(server).connect().await
    }

    /// Records something about this client, now.
    pub fn record(&self, kind: Kind, what: M::Record)
    where
        M::Record: Record<M::Fault>,
    {
        self.recorder.record(&self.name, kind, what);
    }

    /// Simulated time since the start.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.recorder.now()
    }
}
