//! What is recorded of the chat: what users did and what they were told.
//!
//! The list of events is the engine's; a [`Note`] is one record in it. Checkers are functions of this list and of nothing else.

use std::fmt;
use std::time::Duration;

use client::{ClientError, TransportKind};
use jiff::Timestamp;
use protocol::{MessageId, PairId, Problem, Refusal, Seq, ServerEvent, SessionId};
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
    /// How, or why not.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub detail: Option<Detail>,
}

/// How something was done, or why it failed. Checkers decide by this and by the kinds of problems, never by their texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Detail {
    /// A message is sent again when another one was sent after it.
    AfterAnother,
    /// A message is sent over a connection beside the user's own.
    OtherConnection,
    /// A connection was refused that named no cursor which could be behind another's.
    NamedNoCursor,
    /// The user broke off a request or a connection.
    Aborted,
    /// The user let go of every connection and keeps the session.
    WentAway,
    /// The user's machine lost its power: no connection was ended.
    PowerCut,
    /// The user's program hangs.
    Hangs,
    /// The user had no connection.
    NotConnected,
    /// A socket took what was written to it, which says nothing about its arrival.
    Written,
    /// The server answered and refused.
    Refused {
        /// How.
        problem: Problem,
    },
    /// The server ended the session in good order.
    Closed,
    /// No answer came in time.
    Unanswered {
        /// How long the client waited, in milliseconds.
        after_ms: u64,
    },
    /// Nothing came over a socket or stream in time.
    HeartbeatMissed {
        /// How long the client waited, in milliseconds.
        after_ms: u64,
    },
    /// The connection failed, or the server said what the protocol does not allow.
    Failed {
        /// How, for people.
        text: String,
    },
}

/// True for a problem of that kind: the last part of its type.
#[must_use]
pub fn is_kind(problem: &Problem, kind: &str) -> bool {
    problem.kind.rsplit('/').next() == Some(kind)
}

impl From<&ClientError> for Detail {
    fn from(error: &ClientError) -> Self {
        let ms = |time: &Duration| time.as_millis() as u64;
        match error {
            ClientError::Refused(problem) => Self::Refused { problem: problem.clone() },
            ClientError::Closed => Self::Closed,
            ClientError::Unanswered(time) => Self::Unanswered { after_ms: ms(time) },
            ClientError::HeartbeatMissed(time) => Self::HeartbeatMissed { after_ms: ms(time) },
            error => Self::Failed { text: error.to_string() },
        }
    }
}

impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AfterAnother => f.write_str("again, after another one"),
            Self::OtherConnection => f.write_str("over another connection"),
            Self::NamedNoCursor => f.write_str("had named no cursor"),
            Self::Aborted => f.write_str("aborted"),
            Self::WentAway => f.write_str("went away"),
            Self::PowerCut => f.write_str("power cut"),
            Self::Hangs => f.write_str("its program hangs"),
            Self::NotConnected => f.write_str("not connected"),
            Self::Written => f.write_str("written"),
            Self::Refused { problem } => write!(f, "refused: {}", problem.detail),
            Self::Closed => f.write_str("closed by the server"),
            Self::Unanswered { after_ms } => write!(f, "no answer within {after_ms} ms"),
            Self::HeartbeatMissed { after_ms } => write!(f, "no heartbeat within {after_ms} ms"),
            Self::Failed { text } => f.write_str(text),
        }
    }
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
        /// The length of its text.
        bytes: usize,
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
    /// The problem that the server refused this with, whether it answered a request or a socket's command.
    #[must_use]
    pub fn problem(&self) -> Option<&Problem> {
        match (&self.op, &self.detail) {
            (Op::Refused { refusal }, _) => Some(&refusal.problem),
            (_, Some(Detail::Refused { problem })) => Some(problem),
            _ => None,
        }
    }

    /// Whether the server refused this with a problem of that kind: the last part of its type.
    #[must_use]
    pub fn is_refused_as(&self, kind: &str) -> bool {
        self.problem().is_some_and(|problem| is_kind(problem, kind))
    }

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
        self.is_over_another_connection() || self.detail == Some(Detail::AfterAnother)
    }

    /// Whether somebody let go of every connection, to come back later or never.
    #[must_use]
    pub fn is_away(&self) -> bool {
        self.detail == Some(Detail::WentAway)
    }

    /// Whether somebody broke off the own connection, or went away.
    #[must_use]
    pub fn is_own_doing(&self) -> bool {
        self.is_away() || self.detail == Some(Detail::Aborted)
    }

    /// Whether something was sent over a connection beside the person's own.
    #[must_use]
    pub fn is_over_another_connection(&self) -> bool {
        self.detail == Some(Detail::OtherConnection)
    }
}

/// The server tells its time to the millisecond, in microseconds: see [`Event::put_us`].
pub(crate) const PUT_GRAIN_US: u64 = 1_000;

/// Records events of users; clones write into the same history.
#[derive(Debug, Clone, Default)]
pub struct Recorder(racetrack_sim::Recorder<Note>);

impl From<racetrack_sim::Recorder<Note>> for Recorder {
    fn from(recorder: racetrack_sim::Recorder<Note>) -> Self {
        Self(recorder)
    }
}

impl Recorder {
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
        detail: Option<Detail>,
    ) {
        self.0.record(process, kind, Note { session, op, detail });
    }
}
