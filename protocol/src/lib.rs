//! The wire: what a person may send, what a person is told, and how it is numbered.
//!
//! Every transport carries these same types as JSON; a transport adds framing and nothing
//! else. Field names are snake_case and every enum is tagged with `type`. A change here is a
//! change of the golden files in `tests/it/protocol/`.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub mod safe_integer;

pub use safe_integer::SAFE_INTEGER_MAX;

/// The place of an event in one session's mailbox; the first event is 1, and 0 means "nothing yet".
#[derive(
    Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(transparent)]
#[cfg_attr(feature = "openapi", schema(maximum = 9_007_199_254_740_991_u64))]
pub struct Seq(#[serde(deserialize_with = "safe_integer::in_json")] pub u64);

impl Seq {
    /// The next place in the log.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// One person, from opening to closing, whatever the connections in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(transparent)]
#[cfg_attr(feature = "openapi", schema(maximum = 9_007_199_254_740_991_u64))]
pub struct SessionId(#[serde(deserialize_with = "safe_integer::in_json")] pub u64);

/// One conversation of two sessions; never used a second time, not even after a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(transparent)]
#[cfg_attr(feature = "openapi", schema(maximum = 9_007_199_254_740_991_u64))]
pub struct PairId(#[serde(deserialize_with = "safe_integer::in_json")] pub u64);

macro_rules! number {
    ($($name:ident $prefix:literal),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }
    )*};
}
number!(Seq "#", SessionId "s", PairId "p");

/// A message's name, made by the client and unique in its session; 1 to 64 characters.
///
/// Sending the same id again is accepted and changes nothing, so a client may repeat a
/// message whose answer was lost.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(try_from = "Arc<str>")]
#[cfg_attr(feature = "openapi", schema(value_type = String, min_length = 1, max_length = 64))]
pub struct MessageId(Arc<str>);

/// The longest [`MessageId`], in characters.
pub const MESSAGE_ID_CHARS_MAX: usize = 64;

impl MessageId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for MessageId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::try_from(Arc::from(text))
    }
}

impl TryFrom<String> for MessageId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::try_from(Arc::from(text))
    }
}

impl TryFrom<Arc<str>> for MessageId {
    type Error = String;

    fn try_from(text: Arc<str>) -> Result<Self, Self::Error> {
        match text.chars().count() {
            1..=MESSAGE_ID_CHARS_MAX => Ok(Self(text)),
            length => Err(format!(
                "a message id has 1 to {MESSAGE_ID_CHARS_MAX} characters, this one has {length}"
            )),
        }
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One event as a person receives it: its place in the mailbox, when it happened, what happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Event {
    /// The place in this session's mailbox.
    pub seq: Seq,
    /// When the server put it there: RFC 3339, UTC, to the millisecond.
    pub at: String,
    /// What happened.
    #[serde(flatten)]
    pub body: ServerEvent,
}

/// What a person may be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerEvent {
    /// The session was opened.
    Welcome {
        /// The session's id.
        session: SessionId,
        /// Open sessions, this one included.
        online: u64,
    },
    /// The person is in the lobby.
    Waiting,
    /// A partner was found.
    Paired {
        /// The id of the conversation; `say` names it.
        pair: PairId,
    },
    /// A message was accepted.
    Message {
        /// Who said it; `me` is the acknowledgement of one's own message.
        from: Speaker,
        /// The sender's id of the message.
        id: MessageId,
        /// What was said.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        text: Arc<str>,
    },
    /// The conversation ended; `waiting` or `paired` follows at once.
    PartnerLeft {
        /// Why it ended.
        reason: LeftReason,
    },
    /// The head count, every few seconds.
    Notice {
        /// Open sessions.
        online: u64,
    },
    /// The mailbox overflowed and events without a message in them were dropped.
    Lagged {
        /// How many.
        missed: u64,
    },
    /// The last event of a session.
    Closing {
        /// Why the session ends.
        reason: CloseReason,
        /// When to come back, in milliseconds; absent when coming back makes no sense.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        retry_after_ms: Option<u64>,
    },
}

impl ServerEvent {
    /// The event's `type` on the wire.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Welcome { .. } => "welcome",
            Self::Waiting => "waiting",
            Self::Paired { .. } => "paired",
            Self::Message { .. } => "message",
            Self::PartnerLeft { .. } => "partner_left",
            Self::Notice { .. } => "notice",
            Self::Lagged { .. } => "lagged",
            Self::Closing { .. } => "closing",
        }
    }
}

/// Whose message it is, seen from the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    /// The reader's own message, accepted.
    Me,
    /// The partner's message.
    Partner,
}

/// Why a partner is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum LeftReason {
    /// The partner ended the session.
    Left,
    /// One of the two asked for another partner; both are told.
    Skipped,
    /// The partner's connection was lost, or the partner fell too far behind.
    Lost,
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum CloseReason {
    /// The person left.
    Left,
    /// Nothing was heard from the person for too long.
    Lost,
    /// The person did not read, and the mailbox is full.
    Slow,
    /// The server is shutting down.
    Draining,
}

/// What a person may ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientEvent {
    /// Say something to the partner.
    Say(Say),
    /// Leave this partner and wait for another.
    Next {
        /// The conversation to leave. When it has ended in the meantime nothing happens, so that
        /// nobody skips a partner whom they have not met; without it, whoever is the partner is
        /// left.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        pair: Option<PairId>,
    },
    /// End the session.
    Leave,
    /// Everything up to `seq` has arrived; the server may forget it.
    Ack {
        /// The last event that arrived.
        seq: Seq,
    },
}

impl ClientEvent {
    /// The name of the message, where it is one.
    #[must_use]
    pub fn message_id(&self) -> Option<MessageId> {
        match self {
            Self::Say(say) => Some(say.id.clone()),
            Self::Next { .. } | Self::Leave | Self::Ack { .. } => None,
        }
    }
}

/// One message to the partner.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Say {
    /// The client's name for the message.
    pub id: MessageId,
    /// What to say.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub text: Arc<str>,
    /// The conversation that the words are meant for. When it has ended in the meantime the
    /// message is refused, so that it never reaches a stranger; without it, the message goes
    /// to whoever is the partner when the server accepts it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pair: Option<PairId>,
}

/// Tells how long the text is and not what it says, so that no log can.
impl fmt::Debug for Say {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, text, pair } = self;
        let mut say = f.debug_struct("Say");
        say.field("id", id).field("text_bytes", &text.len()).field("pair", pair).finish()
    }
}

/// The answer to `POST /api/session`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Opened {
    /// The new session.
    pub session: SessionId,
    /// The bearer token: 128 random bits in hexadecimal.
    pub token: String,
    /// The cursor to read from.
    pub next: Seq,
}

/// Leaves the token out, so that no log can tell it.
impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { session, token: _, next } = self;
        let mut opened = f.debug_struct("Opened");
        opened.field("session", session).field("next", next).finish_non_exhaustive()
    }
}

/// The answer to `GET /api/events`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Batch {
    /// Events past the cursor, in order; none when the wait ended first.
    pub events: Vec<Event>,
    /// The cursor for the next request.
    pub next: Seq,
}

/// An error as RFC 9457 problem details.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// A relative reference that names the kind of problem.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// This occurrence in words, which may change; programs decide by the other fields.
    pub detail: String,
    /// The rate limit that was exceeded, where it is one of a session.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub limit: Option<Rated>,
    /// When to try again, in milliseconds, where that helps; `Retry-After` has it in whole seconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub retry_after_ms: Option<u64>,
}

/// What a session may do only so often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Rated {
    /// Messages that are no repetition.
    Messages,
    /// Requests for another partner.
    Nexts,
    /// Every other command that may come again and again.
    Commands,
}

impl fmt::Display for Rated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Messages => "messages",
            Self::Nexts => "requests for another partner",
            Self::Commands => "commands",
        })
    }
}

impl Problem {
    /// The [`Problem::kind`] that ends a connection because another one reads the same mailbox.
    /// Whoever gets it must not connect again by itself, or the two would supersede each other for
    /// ever.
    pub const SUPERSEDED: &str = "/problems/superseded";
}

/// What a socket transport answers to a [`ClientEvent`] that was refused; it is not part of the
/// mailbox and has no place in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Refusal {
    /// The message that was refused, where it was one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub id: Option<MessageId>,
    /// Why.
    pub problem: Problem,
}

/// One text frame of the WebSocket, from the server: the first is `opened` or a refusal, every
/// other one an event of the mailbox or a refusal. `type` tells them apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerFrame {
    /// The session that this connection speaks for, and where its events begin.
    Opened(Opened),
    /// What the person asked for was refused; or the connection is, and then it is closed.
    Refused(Refusal),
    /// An event of the mailbox, as it stands in a [`Batch`].
    #[serde(untagged)]
    Event(Event),
}

/// The body of `POST /api/ack`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Ack {
    /// The last event that arrived.
    pub seq: Seq,
}
