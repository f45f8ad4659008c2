//! What people do: each is a talker that follows the plan and a listener that keeps reading.
//!
//! A person behaves as a good client: keeps the cursor, resumes after a lost connection, opens a
//! new session when the old one is over, repeats a message whose answer was lost, and names the
//! conversation that a message is meant for.

mod listener;
mod talker;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use client::{Resume, Sender};
use protocol::{PairId, Say, SessionId};
use tokio::sync::{Mutex, Notify, watch};

use crate::connector::SimulatedConnector;
use crate::history::{Detail, Kind, Op, Recorder};
use crate::model::{Chat, SERVER};
use crate::net::Network;
use crate::plan::{Action, Person, Plan};
use racetrack_sim::Context;

/// How long a client bears silence on a stream or a socket: as long as the simulated server lets a
/// heartbeat take, so that an outage sometimes outlasts it.
const SILENCE_MAX: Duration = Duration::from_millis(1_400);
/// How long a client waits for an answer, beyond the wait that a poll asks for.
const ANSWER_MAX: Duration = Duration::from_millis(700);
/// The text of whoever says nothing long.
pub(crate) const TEXT_BYTES_MAX: usize = 128;
/// How long a client waits before it tries again.
const BACKOFF: Duration = Duration::from_millis(100);

/// What a person's talker and listener share.
struct Shared {
    person: Person,
    recorder: Recorder,
    network: Network,
    connector: SimulatedConnector,
    options: client::Options,
    /// The person wants to be in the chat.
    wanted: watch::Sender<bool>,
    /// The listener is to let go of everything at once.
    let_go: Notify,
    /// The listener is to abort its poll.
    abort: Notify,
    /// The listener has a connection to read from.
    reading: watch::Sender<bool>,
    sender: Mutex<Option<Sender<SimulatedConnector>>>,
    session: Cell<Option<SessionId>>,
    pair: Cell<Option<PairId>>,
    resume: RefCell<Option<Resume>>,
    /// The two latest messages, the last one first.
    latest: RefCell<[Option<Say>; 2]>,
    /// Messages so far.
    said: Cell<usize>,
    /// What the server lets one person say at once.
    burst_messages_max: usize,
    /// The longest text that the server takes.
    text_bytes_max: usize,
}

/// Runs one user until they have left.
pub(crate) async fn user(plan: &Plan, person: &Person, client: &Context<Chat>) {
    let shared = Rc::new(Shared::new(plan, person.clone(), client));
    let steps = plan.steps.iter().filter(|step| step.client == person.name);
    let steps: Vec<(u64, Action)> = steps.map(|step| (step.at_ms, step.action)).collect();
    let settings = plan.settings;
    let listener = tokio::task::spawn_local(listener::listen(Rc::clone(&shared)));
    talker::talk(&shared, &steps, &settings).await;
    listener.abort();
}

/// Clients acknowledge in time for what a mailbox holds.
fn acknowledge_every(plan: &Plan) -> u64 {
    client::ACKNOWLEDGE_EVERY.min((plan.config.server.mailbox_events_max / 4).max(1) as u64)
}

impl Shared {
    fn new(plan: &Plan, person: Person, client: &Context<Chat>) -> Self {
        let options = client::Options {
            poll_interval: Duration::from_millis(plan.config.poll_interval_ms),
            poll_wait: Duration::from_millis(plan.config.poll_wait_ms),
            silence_max: SILENCE_MAX,
            answer_max: ANSWER_MAX,
            upgrade_after_events: person.profile.upgrade_after_events,
            answer_every: person.profile.answer_every,
            acknowledge_every: acknowledge_every(plan),
            ..client::Options::new(SERVER)
        };
        Self {
            connector: SimulatedConnector(client.connector(SERVER)),
            person,
            recorder: Recorder::from(client.recorder().clone()),
            network: client.network().clone(),
            options,
            wanted: watch::Sender::new(false),
            let_go: Notify::new(),
            abort: Notify::new(),
            reading: watch::Sender::new(false),
            sender: Mutex::new(None),
            session: Cell::new(None),
            pair: Cell::new(None),
            resume: RefCell::new(None),
            latest: RefCell::default(),
            said: Cell::new(0),
            burst_messages_max: plan.config.server.messages_burst_max as usize,
            text_bytes_max: plan.config.server.message_bytes_max,
        }
    }

    fn record(&self, kind: Kind, op: Op) {
        self.recorder.record(&self.person.name, self.session.get(), kind, op);
    }

    fn record_with(&self, kind: Kind, op: Op, detail: impl Into<Detail>) {
        let detail = Some(detail.into());
        self.recorder.record_with(&self.person.name, self.session.get(), kind, op, detail);
    }
}
