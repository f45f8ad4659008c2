//! Why the server says no.

use super::Rated;
use protocol::{PairId, Seq, Speaker};

/// A refusal; the transport turns it into a status code or a refusal event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// No session has this id; it was never opened, or its time ran out.
    #[error("there is no such session, or it has ended; open a new one")]
    UnknownSession,
    /// The session has ended; only its last events can be read.
    #[error("the session has ended; open a new one")]
    Closed,
    /// The server shuts down.
    #[error("the server is shutting down; come back in {retry_after_ms} ms")]
    Draining {
        /// When to try again, in milliseconds.
        retry_after_ms: u64,
    },
    /// As many sessions are open as the server allows.
    #[error("the server is full; come back in {retry_after_ms} ms")]
    Full {
        /// When to try again, in milliseconds.
        retry_after_ms: u64,
    },
    /// The address has as many sessions as one may have.
    #[error("this address has {each_max} sessions; end one or come back in {retry_after_ms} ms")]
    TooManySessions {
        /// The limit.
        each_max: usize,
        /// When to try again, in milliseconds.
        retry_after_ms: u64,
    },
    /// The address opens more than one may in that time.
    #[error("this address opens too many; the next one is welcome in {retry_after_ms} ms")]
    OpensTooFast {
        /// When to try again, in milliseconds.
        retry_after_ms: u64,
    },
    /// There is nobody to say it to.
    #[error("there is no partner to say it to")]
    NotPaired,
    /// The conversation that the message was meant for is over.
    #[error("the conversation {meant} is over, and the message was not said to anybody")]
    StalePair {
        /// The conversation that the message named.
        meant: PairId,
    },
    /// More of something than the session may do.
    #[error("too many {what}; the next one is welcome in {retry_after_ms} ms")]
    TooFast {
        /// Of what.
        what: Rated,
        /// When to try again, in milliseconds.
        retry_after_ms: u64,
    },
    /// A mailbox that the message belongs into is full, and its person does not read.
    #[error("{} mailbox is full; try again in {retry_after_ms} ms", owner(*.whose))]
    MailboxFull {
        /// Whose mailbox.
        whose: Speaker,
        /// When to try again, in milliseconds.
        retry_after_ms: u64,
    },
    /// The text is longer than the server allows.
    #[error("a message has at most {bytes_max} bytes, this one has {bytes}")]
    TooLong {
        /// The length of the text.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// Another connection has taken the session over.
    #[error("another connection speaks for this session now, and reads its events")]
    Superseded,
    /// The cursor is outside what the mailbox holds.
    #[error("the cursor {after} is outside of {acknowledged} to {head}")]
    Cursor {
        /// The cursor asked for.
        after: Seq,
        /// The lowest cursor that can be read from.
        acknowledged: Seq,
        /// The highest.
        head: Seq,
    },
}

impl Rejected {
    /// The kind of refusal in a word or two, which never changes: what is counted and what clients
    /// may tell refusals apart by.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::UnknownSession => "no-session",
            Self::Closed => "closed",
            Self::Draining { .. } => "draining",
            Self::Full { .. } => "full",
            Self::TooManySessions { .. } => "too-many-sessions",
            Self::OpensTooFast { .. } => "opens-too-fast",
            Self::NotPaired => "not-paired",
            Self::StalePair { .. } => "stale-pair",
            Self::TooFast { .. } => "too-fast",
            Self::MailboxFull { .. } => "mailbox-full",
            Self::TooLong { .. } => "message-too-long",
            Self::Superseded => "superseded",
            Self::Cursor { .. } => "cursor",
        }
    }
}

fn owner(whose: Speaker) -> &'static str {
    match whose {
        Speaker::Me => "this session's",
        Speaker::Partner => "the partner's",
    }
}
