//! What is recorded of the chat: what users did and what they were told.
//!
//! The list of events is the engine's; a [`Note`] is one record in it. Checkers are functions of this list and of nothing else.

use std::time::Duration;

use client::TransportKind;
use jiff::Timestamp;
use protocol::{MessageId, PairId, Refusal, Seq, ServerEvent, SessionId};
use racetrack_sim::Mark;
use racetrack_sim::run::EPOCH_MS;
pub use racetrack_sim::{Kind, Phase};
use serde::{Deserialize, Serialize};

use crate::fault::{ChatFault, ChatFaultKind};

/// One event of a run.
pub type Event = racetrack_sim::Event<Note>;

/// What one event records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The session that the user had.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub session: Option<SessionId>,
    /// The operation.
    pub op: Op,
    /// An error, in words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub detail: Option<String>,
}

impl From<Op> for Note {
    fn from(op: Op) -> Self {
        Self { session: None, op, detail: None }
    }
}

impl racetrack_sim::Record<ChatFault> for Note {
    fn of_mark(mark: Mark<ChatFault>) -> Self {
        Self::from(match mark {
            Mark::Fault { fault, kind, effect } => Op::Fault { fault, kind, effect },
            Mark::Exited => Op::Exited,
            Mark::Phase { phase } => Op::Phase { phase },
        })
    }

    fn mark(&self) -> Option<Mark<ChatFault>> {
        Some(match self.op {
            Op::Fault { fault, kind, effect } => Mark::Fault { fault, kind, effect },
            Op::Exited => Mark::Exited,
            Op::Phase { phase } => Mark::Phase { phase },
            _ => return None,
        })
    }
}

/// What is done or told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Op {
    /// Open a session, or resume one.
    Open {
        /// The way in.
        transport: TransportKind,
        /// The session that is resumed, and from where.
        resumes: Option<Seq>,
    },
    /// Say something.
    Say {
        /// The message.
        id: MessageId,
        /// The conversation that it is meant for.
        pair: PairId,
    },
    /// Ask for another partner.
    Next,
    /// End the session.
    Leave,
    /// Let go of every connection, without a word.
    Vanish,
    /// Park a long poll.
    Poll {
        /// The cursor.
        after: Seq,
    },
    /// An event from the mailbox.
    Told {
        /// The event.
        event: protocol::Event,
    },
    /// An event came over the wire that the person had been given before, and said so.
    Repeated {
        /// Its place in the mailbox.
        seq: Seq,
    },
    /// A socket's command was refused.
    Refused {
        /// What and why.
        refusal: Refusal,
    },
    /// The connection broke.
    Lost,
    /// A fault of the plan.
    Fault {
        /// The place in the plan's list of faults.
        fault: usize,
        /// Which kind.
        kind: ChatFaultKind,
        /// What it touched; with [`Kind::Ok`] only.
        effect: usize,
    },
    /// The server that drained has come to its end by itself.
    Exited,
    /// The run enters a phase.
    Phase {
        /// The phase.
        phase: Phase,
    },
    /// What the server said of itself in the end, by name of the gauge.
    Gauges {
        /// The figures.
        gauges: std::collections::BTreeMap<String, u64>,
    },
}

impl Note {
    /// What the person was told, if this is that.
    #[must_use]
    pub fn told(&self) -> Option<&ServerEvent> {
        match &self.op {
            Op::Told { event } => Some(&event.body),
            _ => None,
        }
    }
}

impl Note {
    /// When the server put an event into the mailbox that this tells of, by its own clock, in
    /// microseconds since the start.
    #[must_use]
    pub fn put_us(&self) -> Option<u64> {
        let Op::Told { event } = &self.op else { return None };
        let at: Timestamp = event.at.parse().ok()?;
        let since_start_ms = at.as_millisecond().checked_sub(i64::try_from(EPOCH_MS).ok()?)?;
        u64::try_from(since_start_ms).ok().map(|ms| ms * 1_000)
    }

    /// The message that is said, if this is about that.
    #[must_use]
    pub fn said(&self) -> Option<&MessageId> {
        match &self.op {
            Op::Say { id, .. } => Some(id),
            _ => None,
        }
    }

    /// Whether this message was sent in a way that may change the order of messages.
    #[must_use]
    pub fn may_be_out_of_order(&self) -> bool {
        self.is_over_another_connection() || self.detail.as_deref() == Some(AFTER_ANOTHER)
    }

    /// Whether somebody let go of every connection, to come back later or never.
    #[must_use]
    pub fn is_away(&self) -> bool {
        self.detail.as_deref() == Some(WENT_AWAY)
    }

    /// Whether somebody broke off the own connection, or went away.
    #[must_use]
    pub fn is_own_doing(&self) -> bool {
        self.is_away() || self.detail.as_deref() == Some(ABORTED)
    }

    /// Whether something was sent over a connection beside the person's own.
    #[must_use]
    pub fn is_over_another_connection(&self) -> bool {
        self.detail.as_deref() == Some(OTHER_CONNECTION)
    }
}

/// The server tells its time to the millisecond, in microseconds: see [`Event::put_us`].
pub(crate) const PUT_GRAIN_US: u64 = 1_000;

/// What is noted of a message that is said again when another one was said after it.
pub(crate) const AFTER_ANOTHER: &str = "again, after another one";

/// What is noted of a message that is sent over a connection beside the person's own.
pub(crate) const OTHER_CONNECTION: &str = "over another connection";

/// Noted beside a refusal where no cursor was named that anybody could be behind.
pub(crate) const NAMED_NO_CURSOR: &str = "had named no cursor";

/// What is noted of somebody who breaks off a request or a connection.
pub(crate) const ABORTED: &str = "aborted";

/// What is noted of somebody who lets go of every connection and keeps the session.
pub(crate) const WENT_AWAY: &str = "went away";

/// What is noted of somebody who vanishes without so much as the end of a connection.
pub(crate) const POWER_CUT: &str = "power cut";

/// What is noted of somebody whose program hangs, and who is gone with it.
pub(crate) const HANGS: &str = "its program hangs";

/// Records events of users; clones write into the same history.
#[derive(Debug, Clone, Default)]
pub struct Recorder(racetrack_sim::Recorder<Note>);

impl From<racetrack_sim::Recorder<Note>> for Recorder {
    fn from(recorder: racetrack_sim::Recorder<Note>) -> Self {
        Self(recorder)
    }
}

impl Recorder {
    /// A history of things that really happen, from now on.
    pub(crate) fn in_real_time() -> Self {
        Self(racetrack_sim::Recorder::in_real_time())
    }

    /// The time since the start.
    pub(crate) fn now(&self) -> Duration {
        self.0.now()
    }

    /// Returns when so many milliseconds have passed since the start.
    pub(crate) async fn until(&self, at_ms: u64) {
        self.0.until(at_ms).await;
    }

    /// Records one event, whose index and time are filled in here.
    pub(crate) fn record(&self, process: &str, session: Option<SessionId>, kind: Kind, op: Op) {
        self.record_with(process, session, kind, op, None);
    }

    pub(crate) fn record_with(
        &self,
        process: &str,
        session: Option<SessionId>,
        kind: Kind,
        op: Op,
        detail: Option<String>,
    ) {
        self.0.record(process, kind, Note { session, op, detail });
    }

    /// The history so far.
    pub(crate) fn take(&self) -> Vec<Event> {
        self.0.take()
    }
}
