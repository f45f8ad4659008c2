//! What one socket is sent next, in order, as soon as it takes it.
//!
//! socketioxide keeps a short queue a socket and takes nothing when it is full. What it did not
//! take stays here, a batch at most, and everything behind that in the mailbox: nothing is
//! dropped. A socket that stays full is asked less and less often, so that a thousand of them cost
//! nothing; it ends when its heartbeat finds no room either.
//!
//! A client that polls is sent no more than one answer holds before it has fetched that: of what does
//! not fit, engineioxide 0.17.9 keeps a packet for the next poll, and forgets it where a WebSocket
//! comes instead.

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
use super::polling::{Polls, Presence};
use super::words::Language;
use crate::protocol::{Event, Opened, Refusal};

/// The first wait for a full socket that did not even clear when everybody else had a turn.
const PAUSE_MIN: Duration = Duration::from_millis(1);
/// The longest wait for a full socket.
const PAUSE_MAX: Duration = Duration::from_millis(500);
/// What a packet has beside its arguments, in bytes: its kind, the namespace, the name of the event.
const ENVELOPE_BYTES: usize = 64;
/// Room in an answer for what does not come from here: a ping, an echo.
const RESERVED_BYTES: usize = 1_024;

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

    /// How long it is on its way, at most.
    fn bytes(&self) -> usize {
        let arguments = match self {
            Self::Session(opened) => serde_json::to_vec(opened),
            Self::Event(event, language) => serde_json::to_vec(&(language.words(event), event)),
            Self::Refused(refusal) => serde_json::to_vec(refusal),
            Self::Answered(_, refusal) => serde_json::to_vec(refusal),
            Self::Disconnect => Ok(Vec::new()),
        };
        ENVELOPE_BYTES + arguments.expect("the wire is plain data").len()
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
    unfetched: Unfetched,
    pause: Pause,
}

/// What a client that polls may not have fetched yet.
struct Unfetched {
    /// How many polls had begun when each packet had been sent, and its length.
    packets: VecDeque<(u64, usize)>,
    bytes: usize,
    bytes_max: usize,
}

impl Unfetched {
    /// Forgets what was fetched for certain: a poll that was under way already may have come too early.
    /// Says whether there is room.
    fn has_room(&mut self, polls: Polls, bytes: usize) -> bool {
        while let Some((begun, fetched)) = self.packets.front()
            && *begun < polls.fetched
        {
            self.bytes -= fetched;
            self.packets.pop_front();
        }
        self.packets.is_empty() || self.bytes + bytes <= self.bytes_max
    }

    /// Remembers what was sent, by how the polls went behind that.
    fn add(&mut self, polls: Polls, bytes: usize) {
        self.packets.push_back((polls.begun, bytes));
        self.bytes += bytes;
    }
}

/// How long to leave a full socket alone.
#[derive(Clone, Copy)]
enum Pause {
    /// Until everybody else had a turn, the socket's own writer among them.
    Turn,
    Sleep(Duration),
}

impl Outbox {
    /// The answer to a poll holds so many bytes.
    pub(super) fn new(answer_bytes_max: usize) -> Self {
        let bytes_max = answer_bytes_max.saturating_sub(RESERVED_BYTES);
        let unfetched = Unfetched { packets: VecDeque::new(), bytes: 0, bytes_max };
        Self { waiting: VecDeque::new(), unfetched, pause: Pause::Turn }
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

    /// Sends what the socket takes, or what whoever polls can fetch at once.
    pub(super) fn flush(&mut self, socket: &Arc<Socket>, polls: Option<&Presence>) -> Outcome {
        while let Some(packet) = self.waiting.front() {
            let polled = polls.map(|presence| (presence, packet.bytes()));
            if let Some((presence, bytes)) = polled
                && !self.unfetched.has_room(presence.polls(), bytes)
            {
                return Outcome::Full;
            }
            match packet.send(socket) {
                Outcome::Sent => {
                    if let Some((presence, bytes)) = polled {
                        self.unfetched.add(presence.polls(), bytes);
                    }
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
