//! A run, written down before it happens: who does what when, and what goes wrong.
//!
//! A seed makes a plan (see `generate`), a person writes one (see `scenario`), a failure leaves
//! one behind. A plan and the build decide everything else, down to the last packet.

mod check;
mod describe;
mod fault;

use std::num::NonZeroU64;
use std::time::Duration;

use client::TransportKind;
use serde::{Deserialize, Serialize};
use server::config::Config;

use crate::flood::{Attack, Flood, Rate};
use crate::net::Limits;
pub use check::RUN_MS_MAX;
pub use fault::{FaultKind, Struck};

/// The version of a plan's file; a reader refuses what it does not know.
pub const VERSION: u32 = 1;
/// Requests, connections or commands of a flood, where the plan does not say how many.
const FLOOD_COUNT: NonZeroU64 = NonZeroU64::new(200).expect("it is not zero");

/// A run, explicit to the last step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// [`VERSION`] of the writer.
    pub version: u32,
    /// The seed of everything that the plan leaves open: latencies, entropy, order of tasks.
    pub seed: u64,
    /// The network and the phases.
    pub settings: Settings,
    /// The server's limits and time-outs.
    pub server: Config,
    /// Who takes part.
    pub people: Vec<Person>,
    /// What they do, in order of time.
    pub steps: Vec<Step>,
    /// What goes wrong, in order of time.
    pub faults: Vec<Fault>,
}

/// How the simulated world runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The grain of simulated time, in milliseconds.
    pub tick_ms: u64,
    /// The quickest packet, in milliseconds.
    pub latency_ms_min: u64,
    /// The slowest packet, in milliseconds.
    pub latency_ms_max: u64,
    /// Hosts that the people share.
    pub client_hosts: usize,
    /// How long people act and faults strike, in milliseconds.
    pub disturb_ms: u64,
    /// How long everything then has to come to rest, in milliseconds.
    pub settle_ms: u64,
    /// How long the server has to forget everybody, in milliseconds.
    pub forget_ms: u64,
    /// Between two short polls, in milliseconds.
    pub poll_interval_ms: u64,
    /// How long a long poll is parked, in milliseconds.
    pub poll_wait_ms: u64,
    /// The most bytes that travel in one piece.
    #[serde(default = "segment_bytes_max")]
    pub segment_bytes_max: usize,
    /// The most bytes that one end of a connection has sent and the other has not read.
    #[serde(default = "window_bytes")]
    pub window_bytes: usize,
}

/// Somebody who takes part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// The name, unique in the plan.
    pub name: String,
    /// The way in.
    pub transport: TransportKind,
    /// The host, from 0.
    pub host: usize,
    /// Socket.IO by polling: after how many events the connection becomes a WebSocket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgrade_after_events: Option<u64>,
    /// Socket.IO: every so-many-th command asks for an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_every: Option<NonZeroU64>,
}

/// One thing that one person does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// When, in milliseconds since the start.
    pub at_ms: u64,
    /// Who.
    pub who: String,
    /// What.
    pub action: Action,
}

/// What a person can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Open a session, and open another whenever it is lost.
    Join,
    /// Say something to the partner; nothing happens without one.
    Say,
    /// Say the last message again, with the same id.
    Repeat,
    /// Say the message before the last again, with the same id.
    RepeatEarlier,
    /// Say something that is as long as the server allows.
    SayMuch,
    /// Say something that is longer than that, by one byte.
    SayTooMuch,
    /// Acknowledge once more what was acknowledged long ago, where that is a command of its own.
    AcknowledgeAgain,
    /// Acknowledge what was never told, where that is a request of its own, which must be refused.
    AcknowledgeTooFar,
    /// Ask for the own mailbox with a token that is wrong by its last letter, which must not succeed.
    Guess,
    /// Ask for another partner.
    Next,
    /// Say many things at once.
    Flood,
    /// Say something twice in the same instant, over two connections and with one id.
    DoublePost,
    /// Abort the poll under way and ask again; break off a stream or a socket and resume.
    Abort,
    /// Be gone in the middle of the next answer, with its first bytes read.
    AbortAnswer,
    /// Read the mailbox with another poll from the same cursor, as a second tab does; the
    /// first one is superseded.
    SecondPoll,
    /// Open a second tab of the same transport with the same cursor, and close it after a while.
    SecondTab,
    /// Open a second tab of the same transport that knows of no cursor, where it is a socket, and close
    /// it after a while.
    FreshTab,
    /// Read nothing from any connection for a while.
    ReadSlowly,
    /// Let go of every connection without a word, and keep the session and the cursor.
    GoAway,
    /// Take up the session that was kept.
    ComeBack,
    /// End the session in good order.
    Leave,
    /// Let go of every connection without a word, and forget the session.
    Vanish,
    /// As [`Action::Vanish`], by a device that loses its power: the server is told nothing.
    PowerCut,
    /// As [`Action::Vanish`], by a program that hangs: its system takes what comes in, and nobody reads it.
    Hang,
}

/// One thing that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// When, in milliseconds since the start.
    pub at_ms: u64,
    /// What.
    pub kind: FaultKind,
    /// Whom: a person or a client host, as [`FaultKind`] says; the number is taken modulo how many
    /// there are.
    pub target: usize,
    /// For how long, in milliseconds, where it has a length.
    pub for_ms: u64,
    /// A flood: requests, connections or commands at most; as many as usual without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<NonZeroU64>,
}

impl Fault {
    /// Requests, connections or commands at most, if it is a flood.
    pub(crate) fn flood_count(&self) -> Option<NonZeroU64> {
        self.kind.flood().map(|_| self.count.unwrap_or(FLOOD_COUNT))
    }
}

impl Settings {
    /// When the faults have ended, in milliseconds.
    #[must_use]
    pub fn healed_ms(&self) -> u64 {
        self.disturb_ms
    }

    /// When everything is at rest and people leave, in milliseconds.
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
        Self {
            tick_ms: 5,
            latency_ms_min: 1,
            latency_ms_max: 20,
            client_hosts: 2,
            disturb_ms: 3_000,
            // Whoever polls over a machine that is gone finds out after the wait and an answer's time.
            settle_ms: 3_500,
            forget_ms: 3_500,
            poll_interval_ms: 300,
            poll_wait_ms: 1_200,
            segment_bytes_max: segment_bytes_max(),
            window_bytes: window_bytes(),
        }
    }
}

fn segment_bytes_max() -> usize {
    Limits::default().segment_bytes_max
}

fn window_bytes() -> usize {
    Limits::default().window_bytes
}

impl Plan {
    /// A plan in which nobody does anything.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            version: VERSION,
            seed,
            settings: Settings::default(),
            server: quick_server(),
            people: Vec::new(),
            steps: Vec::new(),
            faults: Vec::new(),
        }
    }

    /// Reads a plan's file.
    ///
    /// # Errors
    ///
    /// One line that says what is wrong with it.
    pub fn from_json(text: &str) -> Result<Self, String> {
        let plan: Self =
            serde_json::from_str(text).map_err(|error| format!("this is not a plan: {error}"))?;
        if plan.version != VERSION {
            return Err(format!(
                "the plan has version {}, this racetrack reads version {VERSION}",
                plan.version
            ));
        }
        plan.check()?;
        Ok(plan)
    }

    /// The plan's file.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a plan is plain data")
    }

    /// True where the wall clock jumps, so that the times that the server tells mean nothing.
    pub(crate) fn moves_the_clock(&self) -> bool {
        let jumps = [FaultKind::ClockForward, FaultKind::ClockBackward];
        self.faults.iter().any(|fault| jumps.contains(&fault.kind))
    }

    /// Whether a fault strikes `who`, alone or among others.
    pub(crate) fn concerns(&self, fault: Fault, who: &str) -> bool {
        match fault.kind.struck() {
            Struck::All => true,
            Struck::Nobody => false,
            Struck::Person => self.struck(fault) == who,
            Struck::Host => {
                let host = fault.target % self.settings.client_hosts.max(1);
                self.people.iter().any(|person| person.name == who && person.host == host)
            }
        }
    }

    /// The floods of an attacker, each with its place among the faults.
    pub(crate) fn floods(&self) -> impl Iterator<Item = (Flood, usize, Fault)> {
        let faults = self.faults.iter().enumerate();
        faults.filter_map(|(place, fault)| Some((fault.kind.flood()?, place, *fault)))
    }

    /// The flood at that place among the faults, if it is one; it ends with everything else that goes wrong.
    pub(crate) fn attack(&self, place: usize) -> Option<Attack> {
        let fault = self.faults.get(place)?;
        let flood = fault.kind.flood()?;
        let left_ms = self.settings.healed_ms().saturating_sub(fault.at_ms);
        Some(Attack {
            flood,
            number: place,
            count: fault.flood_count()?.get() as usize,
            lasts: Duration::from_millis(fault.for_ms.min(left_ms)),
            rate: Rate::of(flood, &self.server),
        })
    }

    /// The person whom a fault strikes, if it is one that strikes a person.
    pub(crate) fn struck(&self, fault: Fault) -> String {
        let person = self.people.get(fault.target % self.people.len().max(1));
        person.map(|person| person.name.clone()).unwrap_or_default()
    }
}

/// The production server with time-outs that fire inside a short run: about a tenth to a
/// thirtieth of the defaults, in the same order of size.
#[must_use]
pub fn quick_server() -> Config {
    Config {
        session_lease_ms: 1_500,
        first_lease_ms: 600,
        resume_window_ms: 700,
        heartbeat_interval_ms: 800,
        heartbeat_timeout_ms: 600,
        stream_comment_ms: 500,
        notice_interval_ms: 1_000,
        drain_ms_max: 1_000,
        retry_after_ms: 100,
        poll_grace_ms: 200,
        upgrade_ms_max: 600,
        header_read_ms_max: 2_000,
        keep_alive_ms_max: 2_500,
        body_read_ms_max: 2_000,
        write_ms_max: 1_500,
        unread_ms_max: 700,
        ..Config::default()
    }
}
