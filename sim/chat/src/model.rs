//! The chat as a model of the simulation: its server, its users, its checkers.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::time::Duration;

use client::TransportKind;
use racetrack_sim::diagram::ShortNames;
use racetrack_sim::injection::{Injected, Injection};
use racetrack_sim::model::{ClientResult, Local};
use racetrack_sim::plan::within;
use racetrack_sim::{Context, Life, Model, Probe, Program};
use reports::sequence::Sequence;
use serde_json::Value;

use crate::checker::{self, Violation};
use crate::connector::SimulatedConnector;
use crate::coverage;
use crate::fault::{self, ChatFault, ChatFaultKind};
use crate::generate;
use crate::history::{Event, Note, Recorder};
use crate::live;
use crate::operator::{self, OPERATOR, SCRAPE_MS};
use crate::options::{self, Options};
use crate::plan::{Action, ChatConfig, FaultKind, Plan, Profile, RUN_MS_MAX, flood_count};
use crate::sequence;
use crate::transcript;
use crate::words;
use crate::workload;

/// The server's host name.
pub(crate) const SERVER: &str = "server";
/// The beginning of a request that upgrades a connection of Socket.IO that polls.
const UPGRADE_REQUEST: &[u8] = b"GET /socket.io/?EIO=4&transport=websocket&sid=";
/// How long after a server was told to stop it is asked, in milliseconds.
const HEARD_MS: u64 = 20;
/// What all floods together may ask for: less than the ports and the backlog of a simulated host.
const FLOODS_COUNT_MAX: u64 = 2_000;

/// The chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chat;

/// What a run left behind.
pub type Report = racetrack_sim::Report<Chat>;

/// Runs a plan on a thread of its own and checks what happened. With `record_entries` the report lists the whole trace,
/// not only its hash.
#[must_use]
pub fn run(plan: &Plan, record_entries: bool) -> Report {
    racetrack_sim::run(&Chat, plan, record_entries)
}

impl Model for Chat {
    type Config = ChatConfig;
    type Profile = Profile;
    type Action = Action;
    type Fault = ChatFault;
    type Record = Note;

    fn name(&self) -> &'static str {
        "chat"
    }

    fn usual_config(&self) -> ChatConfig {
        ChatConfig::default()
    }

    fn faults(&self) -> Vec<ChatFaultKind> {
        fault::all()
    }

    fn check_size(&self, options: &Options) -> Result<(), String> {
        options::check(options)
    }

    fn generate(&self, seed: u64, options: &Options) -> Plan {
        generate::plan(seed, options)
    }

    fn check(&self, plan: &Plan) -> Result<(), String> {
        let ChatConfig { server, poll_interval_ms, poll_wait_ms } = &plan.config;
        server.check().map_err(|nonsense| format!("the plan's server: {nonsense}"))?;
        let in_settings = |why| format!("the plan's settings: {why}");
        within("poll_interval_ms", *poll_interval_ms, 1..=RUN_MS_MAX).map_err(in_settings)?;
        within("poll_wait_ms", *poll_wait_ms, 0..=RUN_MS_MAX).map_err(in_settings)?;
        let counts = plan.faults.iter().filter_map(flood_count);
        let count = counts.map(std::num::NonZeroU64::get).fold(0, u64::saturating_add);
        within("the count of all floods together", count, 0..=FLOODS_COUNT_MAX)
            .map_err(|why| format!("the plan: {why}"))?;
        match plan.clients.iter().find(|client| client.name == OPERATOR) {
            Some(_) => Err(format!("the plan names a client {OPERATOR:?}, which reads metrics")),
            None => Ok(()),
        }
    }

    fn convert(&self, version: u32, plan: Value) -> Option<Result<Value, String>> {
        crate::plan::convert(version, plan)
    }

    fn hosts(&self, _plan: &Plan) -> Vec<String> {
        vec![SERVER.to_owned()]
    }

    fn serve(&self, plan: &Plan, life: Life) -> Local<io::Result<()>> {
        let Life { listener, terminated, .. } = life;
        Box::pin(server::serve(listener, plan.config.server.clone(), terminated))
    }

    fn client(&self, client: Context<Self>) -> Local<ClientResult> {
        let plan = client.plan().clone();
        Box::pin(async move {
            let person = plan.client(client.name()).expect("every client is in the plan");
            workload::user(&plan, person, &client).await;
            Ok(())
        })
    }

    fn probes(&self, plan: &Plan) -> Vec<Probe> {
        let settings = &plan.settings;
        let drains = plan.faults.iter().filter(|fault| fault.kind == FaultKind::Drain);
        let during_drains = drains.map(|fault| fault.at_ms + HEARD_MS);
        // A probe starts with a step, and once everything has healed no server drains.
        let is_disturbed =
            |at_ms: &u64| at_ms.next_multiple_of(settings.tick_ms) < settings.healed_ms();
        let optional = |at_ms| Probe { at_ms, is_required: false };
        let mut probes: Vec<_> = during_drains.filter(is_disturbed).map(optional).collect();
        let settled_ms = settings.settled_ms().saturating_sub(SCRAPE_MS).max(settings.healed_ms());
        let ended_ms = (settings.ended_ms() - SCRAPE_MS).max(settings.settled_ms());
        probes.extend([settled_ms, ended_ms].map(|at_ms| Probe { at_ms, is_required: true }));
        probes
    }

    fn probe_ms_max(&self) -> u64 {
        SCRAPE_MS
    }

    fn probe(&self, client: Context<Self>) -> Local<io::Result<()>> {
        let connector = SimulatedConnector(client.connector(SERVER));
        let recorder = Recorder::from(client.recorder().clone());
        Box::pin(async move { operator::ask(connector, &recorder).await })
    }

    fn connection_mark(&self) -> Option<&'static [u8]> {
        Some(UPGRADE_REQUEST)
    }

    fn user_timeout(&self, plan: &Plan) -> Option<Duration> {
        Some(Duration::from_millis(plan.config.server.write_ms_max))
    }

    fn loses_connections(&self, plan: &Plan) -> bool {
        plan.steps.iter().any(|step| step.action == Action::PowerCut)
    }

    fn begin_fault(&self, injection: &Injection<'_, Self>) -> Injected {
        fault::begin(injection)
    }

    fn continue_fault(&self, injection: &Injection<'_, Self>) -> usize {
        fault::go_on(injection)
    }

    fn end_fault(&self, injection: &Injection<'_, Self>) {
        fault::end(injection);
    }

    fn program(&self, plan: &Plan, _host: &str, file: &Path) -> Option<Program> {
        Some(live::program(plan, file))
    }

    fn live_plan(&self, plan: Plan) -> Plan {
        live::possible(plan)
    }

    fn rebase(&self, record: &mut Note, began_ms: u64, epoch_ms: u64) {
        live::rebase(record, began_ms, epoch_ms);
    }

    fn captured_target(&self) -> Option<&'static str> {
        Some("server::")
    }

    fn violations(&self, plan: &Plan, history: &[Event]) -> Vec<Violation> {
        checker::check(plan, history)
    }

    fn is_total(&self, violation: &Violation) -> bool {
        violation.checker == checker::leaks::NAME
    }

    fn states(&self) -> Vec<Cow<'static, str>> {
        coverage::known().into_iter().map(Cow::Borrowed).collect()
    }

    fn reached(&self, report: &Report) -> BTreeSet<Cow<'static, str>> {
        coverage::reached(report).into_iter().map(Cow::Borrowed).collect()
    }

    fn describe(&self, event: &Event) -> String {
        words::describe(event)
    }

    fn short_names(&self, history: &[Event]) -> ShortNames {
        transcript::short_names(history)
    }

    fn sequence(&self, report: &Report) -> Sequence {
        sequence::sequence(report)
    }

    fn describe_client(&self, profile: &Profile) -> String {
        match profile.upgrade_after_events {
            None => profile.transport.to_string(),
            Some(events) => format!("{} to WebSocket after {events}", profile.transport),
        }
    }

    fn simpler_profiles(&self, profile: &Profile) -> Vec<Profile> {
        let is_newer = |kind: &TransportKind| *kind != profile.transport;
        let older = TransportKind::ALL.into_iter().take_while(is_newer);
        older.map(|transport| Profile { transport, ..profile.clone() }).collect()
    }
}
