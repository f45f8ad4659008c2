//! What a plan of the chat says: the limits of the server, each user's transport, what users do, and how a plan file of
//! version 1 is read.

mod convert;
#[cfg(test)]
mod tests;

use std::num::NonZeroU64;
use std::time::Duration;

use client::TransportKind;
use racetrack_sim::PlanError;
use serde::{Deserialize, Serialize};
use server::config::Config;

use crate::fault::{ChatFault, FaultOfChat};
use crate::flood::{Attack, Flood, Rate};
use crate::model::Chat;
pub(crate) use convert::convert;
pub use racetrack_sim::plan::{RUN_MS_MAX, Settings};
pub use racetrack_sim::{AnyFault, FaultKind, Scope};

/// A run of the chat.
pub type Plan = racetrack_sim::Plan<Chat>;
/// A user.
pub type Person = racetrack_sim::ClientSpec<Profile>;
/// One action of one user.
pub type Step = racetrack_sim::Step<Action>;
/// One thing that goes wrong.
pub type Fault = racetrack_sim::Fault<ChatFault>;

/// Requests, connections or commands of a flood, where the plan does not say how many.
const FLOOD_COUNT: NonZeroU64 = NonZeroU64::new(200).expect("it is not zero");

/// What a plan says of the chat beside its users.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChatConfig {
    /// The server's limits and time-outs.
    pub server: Config,
    /// Between two short polls, in milliseconds.
    pub poll_interval_ms: u64,
    /// How long a long poll is parked, in milliseconds.
    pub poll_wait_ms: u64,
}

/// What a plan says of a user beside name and host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The transport.
    pub transport: TransportKind,
    /// Socket.IO by polling: after how many events the connection becomes a WebSocket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgrade_after_events: Option<u64>,
    /// Socket.IO: every so-many-th command asks for an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_every: Option<NonZeroU64>,
}

impl From<TransportKind> for Profile {
    fn from(transport: TransportKind) -> Self {
        Self { transport, upgrade_after_events: None, answer_every: None }
    }
}

/// What a user can do.
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

impl Default for ChatConfig {
    fn default() -> Self {
        Self { server: quick_server(), poll_interval_ms: 300, poll_wait_ms: 1_200 }
    }
}

/// A plan in which nothing happens.
#[must_use]
pub fn empty(seed: u64) -> Plan {
    Plan::new(&Chat, seed)
}

/// Reads a plan file.
///
/// # Errors
///
/// What is wrong with it, in one line.
pub fn read(text: &str) -> Result<Plan, PlanError> {
    Plan::from_json(&Chat, text)
}

/// What the chat's checkers ask of a plan.
pub(crate) trait ChatPlan {
    /// True where the wall clock jumps, so that the times that the server tells mean nothing.
    fn moves_the_clock(&self) -> bool;

    /// The floods of an attacker, each with its place among the faults.
    fn floods(&self) -> impl Iterator<Item = (Flood, usize, &Fault)>;

    /// The flood at that place among the faults, if it is one; it ends with everything else that goes wrong.
    fn attack(&self, place: usize) -> Option<Attack>;
}

impl ChatPlan for Plan {
    fn moves_the_clock(&self) -> bool {
        let jumps = [FaultKind::ClockForward, FaultKind::ClockBackward];
        self.faults.iter().any(|fault| jumps.iter().any(|jump| fault.kind == *jump))
    }

    fn floods(&self) -> impl Iterator<Item = (Flood, usize, &Fault)> {
        let faults = self.faults.iter().enumerate();
        faults.filter_map(|(place, fault)| Some((fault.kind.flood()?, place, fault)))
    }

    fn attack(&self, place: usize) -> Option<Attack> {
        let fault = self.faults.get(place)?;
        let flood = fault.kind.flood()?;
        let left_ms = self.settings.healed_ms().saturating_sub(fault.at_ms);
        Some(Attack {
            flood,
            number: place,
            count: flood_count(fault)?.get() as usize,
            lasts: Duration::from_millis(fault.for_ms.min(left_ms)),
            rate: Rate::of(flood, &self.config.server),
        })
    }
}

/// Requests, connections or commands at most, if it is a flood.
pub(crate) fn flood_count(fault: &Fault) -> Option<NonZeroU64> {
    fault.kind.flood().map(|_| fault.count.unwrap_or(FLOOD_COUNT))
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
