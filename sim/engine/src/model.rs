//! What a simulation is of: the interface between the engine and the service that is simulated.
//!
//! A model says which servers run, what its clients do, what is recorded and what must hold of the record. A
//! test of a service usually needs no implementation of its own: a function that names hosts, clients and
//! checkers is a model too (see [`Sim`](crate::Sim)). A model with actions of its own implements [`Model`];
//! its steps are then drawn, written into plans, shrunk and shown like faults.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::io;
use std::path::Path;
use std::time::Duration;

use reports::sequence::Sequence;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::backend::live::Program;
use crate::context::Context;
use crate::diagram::{self, ShortNames};
use crate::fault::{AnyFault, FaultKind, FaultType};
use crate::history::{Event, Record};
use crate::injection::{Injected, Injection};
use crate::life::Life;
pub use crate::local::{ClientResult, Local};
use crate::options::Options;
use crate::plan::Plan;
use crate::report::Report;
use crate::violation::Violation;

/// Plain data of a plan.
pub trait Data:
    Clone + Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static
{
}

impl<T: Clone + Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static> Data
    for T
{
}

/// A probe: a client that the engine starts at a given time, for instance to read metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// When, in milliseconds since the start.
    pub at_ms: u64,
    /// Whether a probe that fails ends the run.
    pub is_required: bool,
}

/// What a simulation is of.
pub trait Model: Clone + Debug + PartialEq + Send + Sync + 'static {
    /// The configuration in a plan: for instance limits and time-outs of the servers.
    type Config: Data;
    /// What a plan says of a client beside name and host.
    type Profile: Data;
    /// What a client can do.
    type Action: Data;
    /// Kinds of faults beside the engine's.
    type Fault: FaultType;
    /// What is recorded.
    type Record: Record<Self::Fault>;

    /// The name, as plan files have it.
    fn name(&self) -> &str;

    /// The configuration that shrinking tends to.
    fn usual_config(&self) -> Self::Config;

    /// The kinds of faults that a seed may draw.
    fn faults(&self) -> Vec<AnyFault<Self::Fault>> {
        FaultKind::ALL.map(AnyFault::Engine).to_vec()
    }

    /// What seeds are drawn by where nothing else is asked for: with every kind of fault that the model can suffer.
    fn usual_options(&self) -> Options<Self::Fault> {
        Options { faults: self.faults(), ..Options::default() }
    }

    /// Looks for a size of drawn runs that the model cannot draw.
    ///
    /// # Errors
    ///
    /// What is wrong, in one line.
    fn check_size(&self, _options: &Options<Self::Fault>) -> Result<(), String> {
        Ok(())
    }

    /// The plan of a seed.
    fn generate(&self, seed: u64, options: &Options<Self::Fault>) -> Plan<Self>;

    /// Looks for what the model cannot run in a plan; the engine checks the rest.
    ///
    /// # Errors
    ///
    /// What is wrong, in one line.
    fn check(&self, _plan: &Plan<Self>) -> Result<(), String> {
        Ok(())
    }

    /// Converts the JSON of a plan of an older version; none where that version is not known.
    fn convert(&self, _version: u32, _plan: Value) -> Option<Result<Value, String>> {
        None
    }

    /// The names of all servers that a plan has.
    fn hosts(&self, plan: &Plan<Self>) -> Vec<String>;

    /// Runs a server's process from its start until it ends or is killed. Once it returns, its connections are
    /// reset and new ones are refused.
    fn serve(&self, plan: &Plan<Self>, life: Life) -> Local<io::Result<()>>;

    /// Runs one client.
    fn client(&self, client: Context<Self>) -> Local<ClientResult>;

    /// Whether a run ends when all clients have returned; else it ends at the time that its settings give.
    fn ends_with_clients(&self) -> bool {
        false
    }

    /// The probes of a run, in order of time.
    fn probes(&self, _plan: &Plan<Self>) -> Vec<Probe> {
        Vec::new()
    }

    /// What a probe may take, in milliseconds.
    fn probe_ms_max(&self) -> u64 {
        0
    }

    /// Runs a probe, on a host of its own.
    fn probe(&self, _client: Context<Self>) -> Local<io::Result<()>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// The bytes that mark a connection when a client writes them: see
    /// [`Network::break_marked`](crate::net::Network::break_marked).
    fn connection_mark(&self) -> Option<&'static [u8]> {
        None
    }

    /// How long a server's kernel keeps a connection on which something it sent is not acknowledged (RFC 5482).
    fn user_timeout(&self, _plan: &Plan<Self>) -> Option<Duration> {
        None
    }

    /// Whether a plan's actions may lose connections without a packet, as when a client's power is cut.
    fn loses_connections(&self, _plan: &Plan<Self>) -> bool {
        false
    }

    /// Begins a fault of the model's own kinds.
    fn begin_fault(&self, _injection: &Injection<'_, Self>) -> Injected {
        Injected::default()
    }

    /// Goes on with a fault of the model's own kinds, between two steps; returns what it touched now.
    fn continue_fault(&self, _injection: &Injection<'_, Self>) -> usize {
        0
    }

    /// Ends a fault of the model's own kinds.
    fn end_fault(&self, _injection: &Injection<'_, Self>) {}

    /// A program file as the server of that name in a live run; none if servers are no programs, but run on threads.
    fn program(&self, _plan: &Plan<Self>, _host: &str, _file: &Path) -> Option<Program> {
        None
    }

    /// A plan as real sockets and processes allow it: see a live run.
    fn live_plan(&self, plan: Plan<Self>) -> Plan<Self> {
        plan
    }

    /// Moves the wall-clock times in a record of a live run that began at `began_ms` to a run that began at `epoch_ms`, both in milliseconds since
    /// 1970: checkers take every run to begin when simulations do.
    fn rebase(&self, _record: &mut Self::Record, _began_ms: u64, _epoch_ms: u64) {}

    /// The target prefix of tracing events that are captured for rare states; none captures nothing.
    fn captured_target(&self) -> Option<&'static str> {
        None
    }

    /// What is wrong with a history, by all checkers.
    fn violations(&self, plan: &Plan<Self>, history: &[Event<Self::Record>]) -> Vec<Violation>;

    /// Whether a violation is only a total at the end of a run: see [`findings`](crate::findings).
    fn is_total(&self, _violation: &Violation) -> bool {
        false
    }

    /// The names of all rare states.
    fn states(&self) -> Vec<Cow<'static, str>> {
        Vec::new()
    }

    /// The rare states that a run was in.
    fn reached(&self, _report: &Report<Self>) -> BTreeSet<Cow<'static, str>> {
        BTreeSet::new()
    }

    /// One event, in a few words.
    fn describe(&self, event: &Event<Self::Record>) -> String;

    /// Short names for ids that differ from run to run.
    fn short_names(&self, _history: &[Event<Self::Record>]) -> ShortNames {
        ShortNames::default()
    }

    /// A run as a sequence diagram.
    fn sequence(&self, report: &Report<Self>) -> Sequence {
        diagram::sequence(self, report)
    }

    /// A client in a few words, for the summary of a plan.
    fn describe_client(&self, profile: &Self::Profile) -> String {
        let _profile = profile;
        String::new()
    }

    /// Simpler profiles that shrinking tries for a client, the simplest first.
    fn simpler_profiles(&self, _profile: &Self::Profile) -> Vec<Self::Profile> {
        Vec::new()
    }
}
