//! A declared service as a [`Model`].

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Client, History, Note, Sim, draw};
use crate::context::Context;
use crate::fault::{AnyFault, FaultKind, NoFault};
use crate::history::{Event, Kind, Mark, Noted};
use crate::life::Life;
use crate::local::{ClientResult, Local};
use crate::model::Model;
use crate::options::Options;
use crate::plan::{ClientSpec, Plan, Settings};
use crate::report::Report;
use crate::run::run;
use crate::violation::Violation;

/// Hosts of clients at most: each costs time in every step of a run.
const CLIENT_HOSTS_MAX: usize = 8;

/// A service that a function has declared.
pub struct Service<E: Note> {
    name: Arc<str>,
    sim: Arc<Sim<E>>,
    /// How long a run without faults takes, in milliseconds.
    calm_ms: Arc<OnceLock<u64>>,
}

/// Clients of a declared service have no actions but to start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum NoAction {}

/// When a client of a declared service starts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// How long after the start of the run, in milliseconds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub start_ms: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(start_ms: &u64) -> bool {
    *start_ms == 0
}

/// Models, and functions that declare a service. `K` tells the two apart.
pub trait IntoModel<K> {
    /// The model.
    type Model: Model;

    /// The model.
    fn into_model(self) -> Self::Model;
}

impl<M: Model> IntoModel<()> for M {
    type Model = M;

    fn into_model(self) -> M {
        self
    }
}

impl<E: Note, F: Fn(&mut Sim<E>)> IntoModel<fn(E)> for F {
    type Model = Service<E>;

    fn into_model(self) -> Service<E> {
        let mut sim = Sim::new();
        self(&mut sim);
        let name = std::any::type_name::<F>().rsplit("::").find(|part| *part != "{{closure}}");
        let name = Arc::from(name.unwrap_or_default());
        Service { name, sim: Arc::new(sim), calm_ms: Arc::default() }
    }
}

impl<E: Note> Clone for Service<E> {
    fn clone(&self) -> Self {
        let (sim, calm_ms) = (Arc::clone(&self.sim), Arc::clone(&self.calm_ms));
        Self { name: Arc::clone(&self.name), sim, calm_ms }
    }
}

impl<E: Note> PartialEq for Service<E> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.sim, &other.sim)
    }
}

impl<E: Note> fmt::Debug for Service<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Service").field(&self.name).finish()
    }
}

impl<E: Note> Service<E> {
    /// A plan with all clients, in which nothing goes wrong.
    pub(crate) fn calm(&self, seed: u64) -> Plan<Self> {
        let client_hosts = self.sim.clients.len().clamp(1, CLIENT_HOSTS_MAX);
        let clients = self.sim.clients.iter().enumerate();
        let clients = clients.map(|(number, (name, _))| ClientSpec {
            name: name.clone(),
            host: number % client_hosts,
            profile: Start::default(),
        });
        let (clients, settle_ms) = (clients.collect(), draw::RETURN_MS);
        let settings = Settings { client_hosts, settle_ms, ..self.sim.settings };
        Plan { settings, clients, ..Plan::new(self, seed) }
    }

    /// How long a run without faults takes, in milliseconds: faults are drawn within that.
    pub(super) fn calm_ms(&self) -> u64 {
        *self.calm_ms.get_or_init(|| {
            let report = run(self, &self.calm(0), false);
            report.history.last().map_or(0, |event| event.at_us / 1_000)
        })
    }
}

impl<E: Note> Model for Service<E> {
    type Config = ();
    type Profile = Start;
    type Action = NoAction;
    type Fault = NoFault;
    type Record = Noted<E, NoFault>;

    fn name(&self) -> &str {
        &self.name
    }

    fn usual_config(&self) {}

    /// Those that the function names, but for the termination of servers where none ends when it is asked to.
    fn faults(&self) -> Vec<AnyFault<NoFault>> {
        let is_graceful = self.sim.hosts.iter().any(|host| host.is_graceful);
        let drains = |kind: &FaultKind| matches!(kind, FaultKind::Drain | FaultKind::RollingDrain);
        let kinds = self.sim.faults.iter().copied();
        let kinds = kinds.filter(|kind| is_graceful || !drains(kind));
        kinds.map(AnyFault::Engine).collect()
    }

    /// The function declares the clients, and a run ends with them.
    fn check_size(&self, options: &Options<NoFault>) -> Result<(), String> {
        let Options { clients, simulated_ms, .. } = Options::<NoFault>::default();
        match (options.clients, options.simulated_ms) == (clients, simulated_ms) {
            true => Ok(()),
            false => Err(format!(
                "{} declares its clients, and its runs end with them; leave out --clients and --simulated",
                self.name
            )),
        }
    }

    fn generate(&self, seed: u64, options: &Options<NoFault>) -> Plan<Self> {
        draw::plan(self, seed, options)
    }

    fn check(&self, plan: &Plan<Self>) -> Result<(), String> {
        let declared = || self.sim.clients.iter().map(|(name, _)| name.as_str());
        let is_unknown = |client: &&ClientSpec<Start>| declared().all(|name| name != client.name);
        let unknown = plan.clients.iter().find(is_unknown);
        let hosts = || self.sim.hosts.iter().map(|host| host.name.as_str());
        match unknown {
            Some(client) => Err(crate::names::unknown("client", &client.name, declared())),
            None => crate::names::check_hosts(hosts(), declared()),
        }
    }

    fn hosts(&self, _plan: &Plan<Self>) -> Vec<String> {
        self.sim.hosts.iter().map(|host| host.name.clone()).collect()
    }

    fn serve(&self, _plan: &Plan<Self>, life: Life) -> Local<io::Result<()>> {
        let host = self.sim.hosts.iter().find(|host| host.name == life.server);
        (host.expect("the engine starts the hosts of the model").serve)(life)
    }

    fn client(&self, context: Context<Self>) -> Local<ClientResult> {
        let visit = self.sim.clients.iter().find(|(name, _)| name == context.name());
        let (_, visit) = visit.expect("a plan with unknown clients is refused");
        let visit = Arc::clone(visit);
        Box::pin(async move {
            let client = context.plan().client(context.name());
            let start_ms = client.map_or(0, |client| client.profile.start_ms);
            // Servers listen from the first step on.
            let start_ms = start_ms.max(context.plan().settings.tick_ms);
            tokio::time::sleep(Duration::from_millis(start_ms)).await;
            visit(Client::new(context)).await
        })
    }

    fn ends_with_clients(&self) -> bool {
        true
    }

    fn user_timeout(&self, _plan: &Plan<Self>) -> Option<Duration> {
        Some(draw::USER_TIMEOUT)
    }

    fn violations(&self, _plan: &Plan<Self>, history: &[Event<Self::Record>]) -> Vec<Violation> {
        let history = History::of(history);
        let found = self.sim.checkers.iter().flat_map(|(name, check)| {
            let named = |found: Violation| Violation { checker: name.clone(), ..found };
            check(&history).into_iter().map(named)
        });
        found.collect()
    }

    fn states(&self) -> Vec<Cow<'static, str>> {
        self.sim.states.iter().map(|(name, _)| name.clone().into()).collect()
    }

    fn reached(&self, report: &Report<Self>) -> BTreeSet<Cow<'static, str>> {
        let history = report.history();
        let reached = self.sim.states.iter().filter(|(_, reaches)| reaches(&history));
        reached.map(|(name, _)| name.clone().into()).collect()
    }

    fn describe(&self, event: &Event<Self::Record>) -> String {
        match (&event.what, event.kind) {
            (Noted::Note(what), _) => format!("{what:?}"),
            (Noted::Mark(Mark::Fault { kind, .. }), Kind::Invoke) => format!("*** {kind}"),
            (Noted::Mark(Mark::Fault { kind, effect, .. }), _) => {
                format!("*** {kind} done, touched {effect}")
            }
            (Noted::Mark(Mark::Exited), _) => "*** a server has ended by itself".to_owned(),
            (Noted::Mark(Mark::Phase { phase }), _) => format!("--- {phase:?}"),
        }
    }

    fn simpler_profiles(&self, start: &Start) -> Vec<Start> {
        Some(Start::default()).filter(|simpler| simpler != start).into_iter().collect()
    }
}
