//! What one socket is sent next, in order, as soon as it takes it.
//!
//! socketioxide keeps a queue of packets a socket, whatever their length. So it is handed no more bytes than
//! one answer to a poll holds, no more packets than one portion of the mailbox, and one more packet only when
//! those before have left: written to a WebSocket, or taken for the answer to a poll (`departures`). What it
//! was not handed stays here, a batch at most, and everything behind that in the mailbox: nothing is dropped. A socket that stays full
//! is asked less and less often, so that a thousand of them cost nothing; it ends when its heartbeat finds
//! no room either, or when its connection is cut because nothing of it is taken.
//!
//! To a client that polls this matters twice: of what does not fit into an answer, engineioxide 0.17.9 keeps
//! a packet for the next poll, and forgets it where a WebSocket comes instead.

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

use super::NAMESPACE;
use super::commands::AckId;
use super::departures::Departures;
use super::describe::Language;
use super::polling::Presence;
use crate::core::json_bytes;
use protocol::{Event, Opened, Refusal};

/// The first sleep for a socket that is still full after yielding to other tasks.
const PAUSE_MIN: Duration = Duration::from_millis(1);
/// The longest wait for a full socket.
const PAUSE_MAX: Duration = Duration::from_millis(500);
/// What a packet has beside its arguments, in bytes: its kind, the namespace, the name of the event.
const ENVELOPE_BYTES: usize = 64;
/// What an event has beside its text and id, with its words: none of these is longer.
const EVENT_BYTES: usize = 256;
/// Room in an answer for what does not come from here: a ping, an echo.
const RESERVED_BYTES: usize = 1_024;
/// Packets that were handed over and have not left, at most: as many as one portion of the mailbox. Packets
/// that are short cost the engine much more than their length.
const UNDER_WAY_MAX: usize = 64;

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
            Self::Event(event, language) => socket.emit("msg", &(language.describe(event), event)),
            Self::Refused(refusal) => socket.emit("refused", refusal),
            Self::Answered(ack_id, refusal) => answer(socket, *ack_id, refusal.as_deref()),
            Self::Disconnect => Arc::clone(socket).disconnect().map_err(SendError::Socket),
        };
        match outcome {
            Ok(()) => {
                if !matches!(self, Self::Disconnect) && socket.ns() == NAMESPACE {
                    Presence::of(socket).departures().hand_over();
                }
                Outcome::Sent
            }
            Err(SendError::Socket(SocketError::InternalChannelFull)) => Outcome::Full,
            Err(_) => Outcome::Gone,
        }
    }

    /// How long it is on its way, at most.
    fn bytes(&self) -> usize {
        let arguments = match self {
            Self::Session(opened) => serde_json::to_vec(opened),
            // The description repeats the text.
            Self::Event(event, _) => return EVENT_BYTES + 2 * json_bytes(&event.body),
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
    under_way: UnderWay,
    pause: Pause,
}

/// What was handed over and may not have left.
struct UnderWay {
    /// The number of each packet and its length.
    packets: VecDeque<(u64, usize)>,
    bytes: usize,
    bytes_max: usize,
    /// Packets that have left, when that was last looked at.
    left: u64,
}

impl UnderWay {
    /// Forgets what has left. Says whether there is room.
    fn has_room(&mut self, departures: &Departures, bytes: usize) -> bool {
        self.left = departures.left();
        while let Some((number, length)) = self.packets.front()
            && *number <= self.left
        {
            self.bytes -= length;
            self.packets.pop_front();
        }
        if self.packets.is_empty() {
            self.packets = VecDeque::new();
        }
        let fits = self.packets.len() < UNDER_WAY_MAX && self.bytes + bytes <= self.bytes_max;
        fits || self.packets.is_empty()
    }

    /// Remembers the packet that was handed over last.
    fn add(&mut self, departures: &Departures, bytes: usize) {
        self.packets.push_back((departures.handed_over(), bytes));
        self.bytes += bytes;
    }
}

/// How long to leave a full socket alone.
#[derive(Clone, Copy)]
enum Pause {
    /// Until other tasks have run, the socket's own writer among them.
    Yield,
    Sleep(Duration),
}

impl Outbox {
    /// The answer to a poll holds so many bytes.
    pub(super) fn new(answer_bytes_max: usize) -> Self {
        let bytes_max = answer_bytes_max.saturating_sub(RESERVED_BYTES);
        let under_way = UnderWay { packets: VecDeque::new(), bytes: 0, bytes_max, left: 0 };
        Self { waiting: VecDeque::new(), under_way, pause: Pause::Yield }
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

    /// Hands over what there is room for.
    pub(super) fn flush(&mut self, socket: &Arc<Socket>, departures: &Departures) -> Outcome {
        while let Some(packet) = self.waiting.front() {
            let bytes = packet.bytes();
            if !self.under_way.has_room(departures, bytes) {
                return Outcome::Full;
            }
            match packet.send(socket) {
                Outcome::Sent => {
                    self.under_way.add(departures, bytes);
                    self.waiting.pop_front();
                    self.pause = Pause::Yield;
                }
                Outcome::Full => return Outcome::Full,
                Outcome::Gone => return Outcome::Gone,
            }
        }
        // Most of the time there is nothing, and for nothing no room is kept.
        self.waiting = VecDeque::new();
        Outcome::Sent
    }

    /// Waits until it makes sense to try again: until a packet has left, or some time, longer each time.
    pub(super) async fn pause(&mut self, departures: &Departures) {
        let left = departures.leaves(self.under_way.left);
        match self.pause {
            Pause::Yield => {
                tokio::task::yield_now().await;
                self.pause = Pause::Sleep(PAUSE_MIN);
            }
            Pause::Sleep(pause) => {
                if tokio::time::timeout(pause, left).await.is_err() {
                    self.pause = Pause::Sleep((pause * 2).min(PAUSE_MAX));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hands over packets of that length for as long as there is room.
    fn fill(under_way: &mut UnderWay, departures: &Departures, bytes: usize) -> usize {
        let mut count = 0;
        while under_way.has_room(departures, bytes) {
            departures.hand_over();
            under_way.add(departures, bytes);
            count += 1;
        }
        count
    }

    #[test]
    fn packets_under_way_are_limited_in_number_and_in_bytes_until_some_have_left() {
        let departures = Departures::default();
        let mut under_way = Outbox::new(16_384).under_way;
        assert_eq!(fill(&mut under_way, &departures, 1), UNDER_WAY_MAX);
        departures.leave_in(b"42/chat,[]\x1e43/chat,1[]", false);
        assert_eq!(fill(&mut under_way, &departures, 1), 2);
        departures.leave_in("42/chat,[]\x1e".repeat(UNDER_WAY_MAX).as_bytes(), false);
        assert_eq!(fill(&mut under_way, &departures, 4_000), 3);
        assert_eq!(fill(&mut under_way, &departures, 4_000), 0);
        departures.leave_in(b"42/chat,[]\x1e42/chat,[]\x1e42/chat,[]", false);
        assert_eq!(fill(&mut under_way, &departures, 1 << 20), 1, "one always fits");
    }
}
