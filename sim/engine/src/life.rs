//! One life of a server's process: what it is given when its host starts it.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crate::local::Local;
use crate::net::{Network, PORT, SimConnector, SimListener, lock};

/// One life of a server's process.
pub struct Life {
    /// The name of the server.
    pub server: String,
    /// Where it accepts connections, on [`PORT`].
    pub listener: SimListener,
    /// Done when the process is asked to terminate: SIGTERM.
    pub terminated: Local<()>,
    /// Opens connections to other servers.
    pub dialer: Dialer,
    /// What outlives the process.
    pub disk: Disk,
}

/// Opens connections of one server to others.
#[derive(Clone)]
pub struct Dialer {
    network: Network,
    server: String,
}

impl Dialer {
    pub(crate) fn new(network: Network, server: String) -> Self {
        Self { network, server }
    }

    /// A connector to the server of that name, as a client has it.
    #[must_use]
    pub fn connector(&self, server: &str) -> SimConnector {
        SimConnector::new(self.network.clone(), (server.to_owned(), PORT), &self.server)
    }

    /// A connector for hyper-util's clients, which names the server in the URI of each request.
    #[cfg(feature = "hyper-util")]
    #[must_use]
    pub fn hyper_connector(&self) -> crate::net::HyperConnector {
        crate::net::HyperConnector::new(self.network.clone(), &self.server)
    }
}

/// What outlives the processes of one server in one run: one value of each type, shared by all lives.
#[derive(Clone, Default)]
pub struct Disk(Arc<Mutex<BTreeMap<TypeId, Arc<dyn Any + Send + Sync>>>>);

impl Disk {
    /// The value of that type; in each run it begins with its default.
    ///
    /// # Panics
    ///
    /// Never: a value has the type that it is kept under.
    #[must_use]
    pub fn load<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        let mut values = lock(&self.0);
        let value = values.entry(TypeId::of::<T>()).or_insert_with(|| Arc::new(T::default()));
        Arc::clone(value).downcast().expect("a value has the type that it is kept under")
    }
}
