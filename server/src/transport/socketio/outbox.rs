//! What one socket is sent next, in order, as soon as it takes it.
//!
//! socketioxide keeps a short queue a socket and takes nothing when it is full. What it did not
//! take stays here, a batch at most, and everything behind that in the mailbox: nothing is
//! dropped. A socket that stays full is asked less and less often, so that a thousand of them cost
//! nothing; it ends when its heartbeat finds no room either.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use socketioxide::adapter::Adapter;
use socketioxide::extract::AckSender;
use socketioxide::handler::FromMessageParts;
use socketioxide::socket::Socket;
use socketioxide::{SendError, SocketError};
use socketioxide_core::Value;

use super::commands::AckId;
use super::words::Language;
use crate::protocol::{Event, Opened, Refusal};

/// The first wait for a full socket that did not even clear when everybody else had a turn.
const PAUSE_MIN: Duration = Duration::from_millis(1);
/// The longest wait for a full socket.
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// One packet.
#[derive(Debug)]
pub(super) enum Outgoing {
    Session(Opened),
    Event(Event, Language),
    Refused(Box<Refusal>),
    /// The answer to a command whose sender wants one; without a refusal it was accepted.
    Answered(AckId, Option<Box<Refusal>>),
    Disconnect,
}

/// What became of a packet.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Sent,
    /// The socket takes nothing now.
    Full,
    /// There is no socket any more.
    Gone,
}

impl Outgoing {
    /// A refusal goes where its sender waits for it.
    pub(super) fn refused(refusal: Refusal, ack_id: Option<AckId>) -> Self {
        match ack_id {
            Some(ack_id) => Self::Answered(ack_id, Some(Box::new(refusal))),
            None => Self::Refused(Box::new(refusal)),
        }
    }

    pub(super) fn send<A: Adapter>(&self, socket: &Arc<Socket<A>>) -> Outcome {
        let outcome = match self {
            Self::Session(opened) => socket.emit("session", opened),
            Self::Event(event, language) => socket.emit("msg", &(language.words(event), event)),
            Self::Refused(refusal) => socket.emit("refused", refusal),
            Self::Answered(ack_id, refusal) => answer(socket, *ack_id, refusal.as_deref()),
            Self::Disconnect => Arc::clone(socket).disconnect().map_err(SendError::Socket),
        };
        match outcome {
            Ok(()) => Outcome::Sent,
            Err(SendError::Socket(SocketError::InternalChannelFull)) => Outcome::Full,
            Err(_) => Outcome::Gone,
        }
    }
}

fn answer<A: Adapter>(
    socket: &Arc<Socket<A>>,
    ack_id: AckId,
    refusal: Option<&Refusal>,
) -> Result<(), SendError> {
    let mut no_value = Value::Str("".into(), None);
    let sender = AckSender::from_message_parts(socket, &mut no_value, &Some(ack_id));
    let Ok(sender) = sender;
    match refusal {
        Some(refusal) => sender.send(&json!({ "refused": refusal })),
        None => sender.send(&json!({ "accepted": true })),
    }
}

/// The packets of one socket.
pub(super) struct Outbox {
    waiting: VecDeque<Outgoing>,
    pause: Pause,
}

/// How long to leave a full socket alone.
#[derive(Clone, Copy)]
enum Pause {
    /// Until everybody else had a turn, the socket's own writer among them.
    Turn,
    Sleep(Duration),
}

impl Outbox {
    pub(super) fn new() -> Self {
        Self { waiting: VecDeque::new(), pause: Pause::Turn }
    }

    pub(super) fn push(&mut self, packet: Outgoing) {
        self.waiting.push_back(packet);
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Sends what the socket takes.
    pub(super) fn flush(&mut self, socket: &Arc<Socket>) -> Outcome {
        while let Some(packet) = self.waiting.front() {
            match packet.send(socket) {
                Outcome::Sent => {
                    self.waiting.pop_front();
                    self.pause = Pause::Turn;
                }
                Outcome::Full => return Outcome::Full,
                Outcome::Gone => return Outcome::Gone,
            }
        }
        // Most of the time there is nothing, and for nothing no room is kept.
        self.waiting = VecDeque::new();
        Outcome::Sent
    }

    /// Waits until it makes sense to try again, longer each time.
    pub(super) async fn pause(&mut self) {
        match self.pause {
            Pause::Turn => {
                tokio::task::yield_now().await;
                self.pause = Pause::Sleep(PAUSE_MIN);
            }
            Pause::Sleep(pause) => {
                tokio::time::sleep(pause).await;
                self.pause = Pause::Sleep((pause * 2).min(PAUSE_MAX));
            }
        }
    }
}
