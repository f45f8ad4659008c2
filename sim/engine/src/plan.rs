//! A run, written down before it happens: which clients do what when, and what goes wrong.
//!
//! A seed makes a plan, a test writes one, a failure leaves one behind. A plan, its model and the build decide
//! everything else, down to the last packet. A plan file has a version and names its model, so that a reader
//! refuses what it does not understand.

mod check;
mod error;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use check::{CLIENTS_MAX, RESERVED, RUN_MS_MAX, SLOW_LATENCY_MS, within};
pub use error::PlanError;

use crate::fault::{Fault, Scope};
use crate::model::Model;
use crate::net::Limits;

/// The version of plan files that is written.
pub const VERSION: u32 = 2;

/// A run, explicit to the last step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound = "")]
pub struct Plan<M: Model> {
    /// [`VERSION`] of the writer.
    pub version: u32,
    /// The name of the model that the plan is for.
    pub model: String,
    /// The seed of everything that the plan leaves open: latencies, entropy, order of tasks.
    pub seed: u64,
    /// The network and the phases.
    pub settings: Settings,
    /// The model's configuration: for instance limits and time-outs of the servers.
    pub config: M::Config,
    /// The clients.
    pub clients: Vec<ClientSpec<M::Profile>>,
    /// What they do, in order of time.
    pub steps: Vec<Step<M::Action>>,
    /// What goes wrong, in order of time.
    pub faults: Vec<Fault<M::Fault>>,
}

/// The simulated network and the length of each phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The granularity of simulated time, in milliseconds.
    pub tick_ms: u64,
    /// The lowest latency of a packet, in milliseconds.
    pub latency_ms_min: u64,
    /// The highest latency of a packet, in milliseconds.
    pub latency_ms_max: u64,
    /// Hosts that the clients share.
    pub client_hosts: usize,
    /// How long clients act and faults are injected, in milliseconds.
    pub disturb_ms: u64,
    /// How long everything then has to come to rest, in milliseconds.
    pub settle_ms: u64,
    /// How long the servers have to forget all clients, in milliseconds.
    pub forget_ms: u64,
    /// The most bytes that travel in one segment.
    pub segment_bytes_max: usize,
    /// The most bytes that one end of a connection has sent and the other has not read.
    pub window_bytes: usize,
    /// How many in a hundred reads and writes let the tasks go first that are ready at the same time.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub yield_percent: u8,
    /// How many operations of tokio's channels, locks and timers a task may complete in one turn after a read or a write,
    /// at most, before it goes behind the tasks that are ready; 0 leaves tokio's own budget, which hardly ever ends a turn.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub task_budget: u8,
}

/// One client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientSpec<P> {
    /// The name, unique in the plan.
    pub name: String,
    /// The client host, from 0.
    pub host: usize,
    /// What the model knows of it: for instance its transport.
    pub profile: P,
}

/// One action of one client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step<A> {
    /// When, in milliseconds since the start.
    pub at_ms: u64,
    /// The client's name.
    pub client: String,
    /// What it does.
    pub action: A,
}

/// What every plan file says of itself.
#[derive(Deserialize)]
#[serde(expecting = "a plan")]
struct PlanHead {
    version: u32,
    model: Option<String>,
}

impl Settings {
    /// When the faults have ended, in milliseconds.
    #[must_use]
    pub fn healed_ms(&self) -> u64 {
        self.disturb_ms
    }

    /// When everything is at rest and clients leave, in milliseconds.
    #[must_use]
    pub fn settled_ms(&self) -> u64 {
        self.disturb_ms + self.settle_ms
    }

    /// When the run is over, in milliseconds.
    #[must_use]
    pub fn ended_ms(&self) -> u64 {
        self.settled_ms() + self.forget_ms
    }
}

impl Default for Settings {
    fn default() -> Self {
        let Limits { segment_bytes_max, window_bytes, yield_percent, .. } = Limits::default();
        Self {
            tick_ms: 5,
            latency_ms_min: 1,
            latency_ms_max: 20,
            client_hosts: 2,
            disturb_ms: 3_000,
            // A client that polls a machine without power learns of it after its wait and the time of an answer.
            settle_ms: 3_500,
            forget_ms: 3_500,
            segment_bytes_max,
            window_bytes,
            yield_percent,
            task_budget: 0,
        }
    }
}

/// A plan that says nothing of the order of tasks leaves it to tokio.
fn is_zero(setting: &u8) -> bool {
    *setting == 0
}

/// The name of a client host.
#[must_use]
pub fn client_host(number: usize) -> String {
    format!("clients-{number}")
}

impl<M: Model> Plan<M> {
    /// A plan without clients, steps and faults.
    #[must_use]
    pub fn new(model: &M, seed: u64) -> Self {
        Self {
            version: VERSION,
            model: model.name().to_owned(),
            seed,
            settings: Settings::default(),
            config: model.usual_config(),
            clients: Vec::new(),
            steps: Vec::new(),
            faults: Vec::new(),
        }
    }

    /// Reads a plan file of this model, of this version or of an older one that the model can convert.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in one line.
    pub fn from_json(model: &M, text: &str) -> Result<Self, PlanError> {
        let head: PlanHead = serde_json::from_str(text).map_err(PlanError::NotAPlan)?;
        let name = head.model.unwrap_or_else(|| model.name().to_owned());
        if name != model.name() {
            return Err(PlanError::OtherModel { found: name, known: model.name().to_owned() });
        }
        let plan: Self = if head.version == VERSION {
            serde_json::from_str(text).map_err(PlanError::NotAPlan)?
        } else {
            let value: Value = serde_json::from_str(text).map_err(PlanError::NotAPlan)?;
            let value =
                model.convert(head.version, value).ok_or(PlanError::OtherVersion(head.version))?;
            serde_json::from_value(value.map_err(PlanError::Invalid)?)
                .map_err(PlanError::NotAPlan)?
        };
        plan.check(model)?;
        Ok(plan)
    }

    /// The plan file.
    ///
    /// # Panics
    ///
    /// If the model's data cannot be written as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a plan is plain data")
    }

    /// The client of that name.
    #[must_use]
    pub fn client(&self, name: &str) -> Option<&ClientSpec<M::Profile>> {
        self.clients.iter().find(|client| client.name == name)
    }

    /// The number of the client host that a fault hits: its own name, or that of a client on it.
    #[must_use]
    pub fn host_of(&self, target: &str) -> Option<usize> {
        let named = (0..self.settings.client_hosts).find(|host| client_host(*host) == target);
        named.or_else(|| self.client(target).map(|client| client.host))
    }

    /// Whether a fault hits a client, alone or among others.
    #[must_use]
    pub fn concerns(&self, fault: &Fault<M::Fault>, client: &str) -> bool {
        match fault.kind.scope() {
            Scope::Server => true,
            Scope::Attack => false,
            Scope::Client => fault.target == client,
            Scope::ClientHost => {
                let host = self.host_of(&fault.target);
                self.client(client).is_some_and(|client| Some(client.host) == host)
            }
        }
    }
}
