//! What comes in from one socket, in order.
//!
//! socketioxide runs each event handler as a task of its own, which gives up the order of a
//! user's messages. The handler here runs where the packet was read. While a conversation is under
//! way and nothing waits in front of it, a command is executed there and then, so that the task of the
//! conversation is woken only once, by the events that follow. Everything else goes into a
//! short line that this task takes it from: what comes before the session is open, what wants an
//! answer, and what was refused. Where the line is full, in commands or in bytes, the command is refused.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Poll;

use futures_util::task::AtomicWaker;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use socketioxide::adapter::Adapter;
use socketioxide::extract::{Data, Event as EventName, SocketRef};
use socketioxide::handler::{FromMessageParts, MessageHandler};
use socketioxide::socket::{DisconnectReason, Socket};
use socketioxide_core::Value;

use super::outbox::{Outcome, Outgoing};
use crate::error::HttpError;
use crate::hub::{Hub, ReaderHandle, Rejected};
use protocol::{ClientEvent, MessageId, PairId, Refusal, Seq};

/// Commands that may wait beyond the burst that the rate limit of a session admits.
const COMMANDS_SPARE: usize = 64;

/// How much of a complaint is kept, in bytes: it may quote what was sent.
const COMPLAINT_BYTES_MAX: usize = 256;

/// The number under which the client wants an answer.
pub(super) type AckId = i64;

/// One thing that happened to a socket.
#[derive(Debug)]
pub(super) enum Incoming {
    Command(Command, Option<AckId>),
    /// The event was not understood.
    Malformed(String, Option<AckId>),
    /// The event was refused before it came here.
    Refused(Option<MessageId>, Rejected),
    Disconnected(DisconnectReason),
}

/// A command of the user.
#[derive(Debug)]
pub(super) enum Command {
    Event(ClientEvent),
    /// A message as the original random chat sends it: without an id.
    Text(Arc<str>),
}

/// The line of one socket, between the handler that fills it and the task that empties it. A
/// channel would do the same, and keep 2.5 KiB for a socket that says nothing.
pub(super) struct Line {
    /// Not kept alive by a socket.
    hub: Weak<Hub>,
    state: Mutex<LineState>,
    arrived: AtomicWaker,
    overrun: AtomicBool,
    commands_max: usize,
    /// Bytes of text that may wait: as much as may be said at once.
    bytes_max: usize,
}

#[derive(Default)]
struct LineState {
    waiting: VecDeque<Incoming>,
    /// The texts in `waiting`.
    bytes: usize,
    /// What was taken last may still be under way.
    is_busy: bool,
    /// The reader through which commands are executed at once; `None` makes them wait.
    reader: Option<ReaderHandle>,
}

impl Line {
    /// What came in next; what was taken before that has been dealt with. Only one may wait, and a
    /// dropped call loses nothing.
    pub(super) async fn next(&self) -> Incoming {
        poll_fn(|cx| {
            self.arrived.register(cx.waker());
            match self.take() {
                Some(incoming) => Poll::Ready(incoming),
                None => Poll::Pending,
            }
        })
        .await
    }

    /// Sets the reader through which commands are executed at once.
    pub(super) fn set_reader(&self, reader: Option<ReaderHandle>) {
        self.lock().reader = reader;
    }

    /// True when a command was given up without a word, because the client neither reads nor
    /// stops.
    pub(super) fn is_overrun(&self) -> bool {
        self.overrun.load(Ordering::Relaxed)
    }

    fn take(&self) -> Option<Incoming> {
        let mut state = self.lock();
        let incoming = state.waiting.pop_front();
        state.bytes -= incoming.as_ref().map_or(0, Incoming::bytes);
        state.is_busy = incoming.is_some();
        if state.waiting.is_empty() {
            state.waiting = VecDeque::new();
        }
        incoming
    }

    /// Executes or queues the command; returns it where the queue is full.
    fn offer(&self, incoming: Incoming) -> Result<(), Incoming> {
        let mut state = self.lock();
        let incoming = match (incoming, state.reader) {
            (Incoming::Command(Command::Event(event), None), Some(handle))
                if state.waiting.is_empty() && !state.is_busy =>
            {
                let id = event.message_id();
                let Some(hub) = self.hub.upgrade() else { return Ok(()) };
                let Err(rejected) = hub.send_at_once(handle, event) else { return Ok(()) };
                Incoming::Refused(id, rejected)
            }
            (incoming, _) => incoming,
        };
        let bytes = state.bytes + incoming.bytes();
        let is_too_long = bytes > self.bytes_max && !state.waiting.is_empty();
        if state.waiting.len() >= self.commands_max || is_too_long {
            return Err(incoming);
        }
        state.bytes = bytes;
        state.waiting.push_back(incoming);
        drop(state);
        self.arrived.wake();
        Ok(())
    }

    /// There is always room for the end.
    fn end(&self, reason: DisconnectReason) {
        self.lock().waiting.push_back(Incoming::Disconnected(reason));
        self.arrived.wake();
    }

    fn lock(&self) -> MutexGuard<'_, LineState> {
        // Each change is one call, so there is no half of one to be afraid of.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts everything that the socket sends into one line. Call it before the socket is connected, or
/// what a client says first is lost.
pub(super) fn listen(socket: &SocketRef, hub: &Arc<Hub>) -> Arc<Line> {
    let config = hub.config();
    let line = Arc::new(Line {
        state: Mutex::default(),
        arrived: AtomicWaker::new(),
        overrun: AtomicBool::new(false),
        commands_max: config.messages_burst_max as usize + COMMANDS_SPARE,
        bytes_max: (config.messages_burst_max as usize).saturating_mul(config.message_bytes_max),
        hub: Arc::downgrade(hub),
    });
    // One handler for all events: a table of them for each socket would cost memory.
    socket.on_fallback(InOrder(Arc::clone(&line)));
    let ending = Arc::clone(&line);
    socket.on_disconnect(async move |reason: DisconnectReason| ending.end(reason));
    line
}

/// A message handler that runs where the packet was read.
struct InOrder(Arc<Line>);

impl<A: Adapter> MessageHandler<A, InOrder> for InOrder {
    fn call(&self, socket: Arc<Socket<A>>, mut value: Value, ack_id: Option<AckId>) {
        let incoming = match understand(&socket, &mut value, ack_id) {
            Ok(command) => Incoming::Command(command, ack_id),
            Err(why) => Incoming::Malformed(why, ack_id),
        };
        let Self(line) = self;
        let Err(refused) = line.offer(incoming) else {
            return;
        };
        let problem = HttpError::Flood { commands_max: line.commands_max }.into();
        let refusal = Outgoing::refused(Refusal { id: refused.message_id(), problem }, ack_id);
        if refusal.send(&socket) == Outcome::Full {
            line.overrun.store(true, Ordering::Relaxed);
        }
    }
}

impl Incoming {
    /// The length of the text in it.
    fn bytes(&self) -> usize {
        match self {
            Self::Command(Command::Event(ClientEvent::Say(say)), _) => say.text.len(),
            Self::Command(Command::Text(text), _) => text.len(),
            _ => 0,
        }
    }

    fn message_id(self) -> Option<MessageId> {
        match self {
            Self::Command(Command::Event(event), _) => event.message_id(),
            Self::Refused(id, _) => id,
            _ => None,
        }
    }
}

#[derive(Debug, Deserialize)]
struct Ack {
    seq: Seq,
}

/// The arguments of `next`, all of which may be left out. With two fields, of which the second is
/// never there, it is read from the list of arguments and not from the first of them.
#[derive(Debug, Deserialize)]
struct Next(#[serde(default)] Meant, #[serde(default)] IgnoredAny);

#[derive(Debug, Default, Deserialize)]
struct Meant {
    pair: Option<PairId>,
}

fn understand<A: Adapter>(
    socket: &Arc<Socket<A>>,
    value: &mut Value,
    ack_id: Option<AckId>,
) -> Result<Command, String> {
    let EventName(name) = EventName::from_message_parts(socket, value, &ack_id).map_err(say_why)?;
    let event = match name.as_str() {
        "say" => ClientEvent::Say(argument(socket, value)?),
        "msg" => return argument(socket, value).map(Command::Text),
        "ack" => ClientEvent::Ack { seq: argument::<Ack, _>(socket, value)?.seq },
        "next" => ClientEvent::Next { pair: argument::<Next, _>(socket, value)?.0.pair },
        "leave" => ClientEvent::Leave,
        _ => return Err("the events are say, msg, next, leave and ack".to_owned()),
    };
    Ok(Command::Event(event))
}

fn argument<T: DeserializeOwned, A: Adapter>(
    socket: &Arc<Socket<A>>,
    value: &mut Value,
) -> Result<T, String> {
    let Data(argument) = Data::from_message_parts(socket, value, &None).map_err(say_why)?;
    Ok(argument)
}

fn say_why(error: impl std::error::Error) -> String {
    let mut why = error.to_string();
    why.truncate(why.floor_char_boundary(COMPLAINT_BYTES_MAX));
    why.shrink_to_fit();
    why
}
