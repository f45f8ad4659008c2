//! Clients of the server's transports, generic over the byte stream.
//!
//! The load suite and the tests run them over the operating system's TCP, the simulation over
//! simulated TCP; everything above [`Connect`] is the same code. A client is two halves, a
//! [`Sender`] and a [`Receiver`], that may live in two tasks. Neither half spawns a task, and
//! neither keeps a queue of its own: what was not yet received lies in the server's mailbox.
//!
//! ```text
//!                 Sender                             Receiver
//!  short poll     POST on its own connection         GET on its own connection, on a schedule
//!  long poll      POST on its own connection         GET on its own connection, that waits
//!  SSE            POST on its own connection         one GET without an end; POST on another
//!                                                    connection to acknowledge
//!  WebSocket      both halves share one WebSocket; pongs acknowledge
//!  Socket.IO      both halves share one WebSocket; the receiver answers pings and acknowledges
//!    by polling   POST on its own connection         GET on its own connection, that waits; POST on
//!                                                    another for pongs; or all that, then one
//!                                                    WebSocket after an upgrade
//! ```
//!
//! Every receiver keeps a cursor, so the application sees each event once and in order,
//! whatever the wire repeats.
//!
//! Reading order: `connect` (the byte stream), `error`, `cursor`, `http` (one request, one
//! answer), `commands` (what is said over HTTP), `poll` (the two polling transports),
//! `event_stream` and `sse`, `socket` (one WebSocket), `websocket`, `packet` (the text of Socket.IO packets),
//! `reading` (what they bring), `socketio` and `socketio_polling`.

mod commands;
mod connect;
mod cursor;
mod error;
mod event_stream;
mod http;
#[macro_use]
mod kinds;
mod packet;
mod poll;
mod reading;
mod socket;
mod socketio;
mod socketio_polling;
mod sse;
#[cfg(test)]
mod tests;
mod websocket;

use std::num::NonZeroU64;
use std::time::Duration;

use protocol::{ClientEvent, Event, Refusal, Seq, SessionId};
use serde::{Deserialize, Serialize};

pub use connect::{Connect, TcpConnector};
pub use error::ClientError;
/// The wire types of the server that these clients speak to.
pub use protocol;

/// How long an answer may take by default, beyond the wait that a long poll asks for.
///
/// It bounds a request over a network that swallows packets without closing the connection.
pub const ANSWER_WAIT_MAX: Duration = Duration::from_secs(30);

/// The largest answer or frame that a client reads, in bytes.
pub const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// How many events are received before they are acknowledged, unless
/// [`Options::acknowledge_every`] says otherwise.
pub const ACKNOWLEDGE_EVERY: u64 = 64;

kinds! {
    /// The transports that a client can speak.
    TransportKind, "transport";
    /// Every transport, from the oldest technique to the newest.
    ALL;

    /// Ask on a schedule; the server answers at once.
    ShortPoll = "short-poll",
    /// Ask always; the server answers when there is something, or after a wait.
    LongPoll = "long-poll",
    /// Ask once; the answer does not end (server-sent events).
    Sse = "sse",
    /// One JSON object a frame.
    Websocket = "websocket",
    /// Socket.IO 5 over Engine.IO 4 over WebSocket, without the upgrade from polling.
    SocketioWebsocket = "socketio-websocket",
    /// Socket.IO 5 over Engine.IO 4 over HTTP long-polling, with the upgrade to a WebSocket where
    /// [`Options::upgrade_after_events`] asks for it.
    SocketioPolling = "socketio-polling",
}

impl TransportKind {
    /// True where a [`Receiver`] whose call failed goes on by itself when it is called again; a
    /// client whose connection is all that it has must be opened again, with [`Options::resume`].
    #[must_use]
    pub const fn reconnects(self) -> bool {
        match self {
            Self::ShortPoll | Self::LongPoll | Self::Sse => true,
            Self::Websocket | Self::SocketioWebsocket | Self::SocketioPolling => false,
        }
    }

    /// True where commands and events go over one connection, which may begin with polls.
    #[must_use]
    pub const fn is_socket(self) -> bool {
        match self {
            Self::ShortPoll | Self::LongPoll | Self::Sse => false,
            Self::Websocket | Self::SocketioWebsocket | Self::SocketioPolling => true,
        }
    }

    /// True where events come over a connection that stays, and need not be asked for one answer at a
    /// time.
    #[must_use]
    pub const fn is_pushed(self) -> bool {
        match self {
            Self::Sse | Self::Websocket | Self::SocketioWebsocket => true,
            Self::ShortPoll | Self::LongPoll | Self::SocketioPolling => false,
        }
    }
}

/// How a client behaves, beside its transport.
#[derive(Clone, Debug)]
pub struct Options {
    /// The Host header, for example `127.0.0.1:3000`.
    pub host: String,
    /// Short poll: the time from one request to the next. Requests are due at whole multiples of
    /// it after the opening, the first one at once: a slow answer does not shift those after it,
    /// and a request that is due while another is unanswered is left out.
    pub poll_interval: Duration,
    /// Long poll: how long the server may wait for an event before it answers without one.
    pub poll_wait: Duration,
    /// SSE and WebSocket: how long the server may say nothing, not even a comment or a ping, before
    /// the connection counts as lost. Socket.IO's server says so itself.
    pub silence_max: Duration,
    /// How long an answer, or an upgrade to a socket, may take beyond the wait that a poll asks for.
    pub answer_max: Duration,
    /// Socket.IO by polling: change to a WebSocket once so many events have been received.
    pub upgrade_after_events: Option<u64>,
    /// Socket.IO: ask for an answer to every so-many-th command; a refusal in it is given out as
    /// any other.
    pub answer_every: Option<NonZeroU64>,
    /// SSE and Socket.IO: how many events are received before they are acknowledged. It should be well
    /// below what a mailbox of the server holds: a full one refuses messages.
    pub acknowledge_every: u64,
    /// Keep the connections that commands go over. Without it, each command over HTTP takes a
    /// connection of its own, which ends with the answer; what is listened on is kept all the same.
    pub keep_alive: bool,
    /// The session to take up again; without it, a new one is opened.
    pub resume: Option<Resume>,
    /// Tell a socket's server up to where a session that is taken up was read. Without it the server
    /// sends all that it still has, of which only what is new is given out. What asks over HTTP always
    /// tells.
    pub names_cursor: bool,
}

impl Options {
    /// The usual behaviour: a short poll every second, a long poll of 25 s, silence for twice as long
    /// as the server is silent by default, answers within [`ANSWER_WAIT_MAX`], connections that are
    /// kept, a new session, or an old one from where it was read.
    #[must_use]
    pub fn new(host: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            poll_interval: Duration::from_secs(1),
            poll_wait: Duration::from_secs(25),
            silence_max: Duration::from_secs(50),
            answer_max: ANSWER_WAIT_MAX,
            upgrade_after_events: None,
            answer_every: None,
            acknowledge_every: ACKNOWLEDGE_EVERY,
            keep_alive: true,
            resume: None,
            names_cursor: true,
        }
    }
}

/// A session that was opened before, and how far it was read; see [`Sender::resume`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Resume {
    /// The session.
    pub session: SessionId,
    /// Its bearer token.
    pub token: String,
    /// The last event that the application has seen.
    pub after: Seq,
}

/// Opens or resumes a session and gives the two halves of a client.
///
/// Resuming over HTTP sends nothing yet, so a token that is no longer valid is refused by the
/// first request; over a socket it is refused here.
///
/// # Errors
///
/// When the server cannot be reached, refuses, or does not answer within
/// [`Options::answer_max`].
pub async fn open<C: Connect>(
    kind: TransportKind,
    connector: C,
    options: Options,
) -> Result<(Sender<C>, Receiver<C>), ClientError> {
    match kind {
        TransportKind::ShortPoll | TransportKind::LongPoll => {
            let (identity, sender, receiver) = poll::open(kind, connector, options).await?;
            Ok((
                Sender { identity, half: SenderHalf::Commands(sender) },
                Receiver(ReceiverHalf::Poll(receiver)),
            ))
        }
        TransportKind::Sse => {
            let (identity, sender, receiver) = sse::open(connector, options).await?;
            Ok((
                Sender { identity, half: SenderHalf::Commands(sender) },
                Receiver(ReceiverHalf::Sse(Box::new(receiver))),
            ))
        }
        TransportKind::Websocket => {
            let (identity, sender, receiver) = websocket::open(&connector, options).await?;
            Ok((
                Sender { identity, half: SenderHalf::Websocket(sender) },
                Receiver(ReceiverHalf::Websocket(receiver)),
            ))
        }
        TransportKind::SocketioPolling => {
            let (identity, sender, receiver) = socketio_polling::open(connector, options).await?;
            Ok((
                Sender { identity, half: SenderHalf::SocketioPolling(sender) },
                Receiver(ReceiverHalf::SocketioPolling(Box::new(receiver))),
            ))
        }
        TransportKind::SocketioWebsocket => {
            let (identity, sender, receiver) = socketio::open(&connector, options).await?;
            Ok((
                Sender { identity, half: SenderHalf::Socketio(sender) },
                Receiver(ReceiverHalf::Socketio(receiver)),
            ))
        }
    }
}

/// The half that speaks.
///
/// Dropping it closes its HTTP connection; a WebSocket closes, without a word, when both halves
/// are dropped.
pub struct Sender<C: Connect> {
    identity: Resume,
    half: SenderHalf<C>,
}

enum SenderHalf<C: Connect> {
    Commands(commands::Sender<C>),
    Websocket(websocket::Sender<C::Stream>),
    Socketio(socketio::Sender<C::Stream>),
    SocketioPolling(socketio_polling::Sender<C>),
}

/// What is known when a command has been sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sent {
    /// The server accepted it: an HTTP answer of 2xx.
    Accepted,
    /// It was written to the socket; the outcome comes as an event or as a refusal.
    Written,
}

impl<C: Connect> Sender<C> {
    /// The session that this client speaks for.
    #[must_use]
    pub fn session(&self) -> SessionId {
        self.identity.session
    }

    /// The session's bearer token.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.identity.token
    }

    /// What another client needs to take this session up after the event `after`, usually
    /// [`Receiver::cursor`].
    #[must_use]
    pub fn resume(&self, after: Seq) -> Resume {
        Resume { after, ..self.identity.clone() }
    }

    /// Sends one command.
    ///
    /// A poller's explicit [`ClientEvent::Ack`] sends nothing and is accepted, because the next poll
    /// acknowledges. Over a WebSocket it ends the acknowledging by pongs. A request on a kept connection that turns out to be closed is
    /// sent once more on a new one: `say` always, since its id makes that harmless, and `leave`;
    /// `next` only when it is certain that nothing of it was written.
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`] over HTTP, where the answer says so; every transport may fail
    /// with an error of the connection, and then the server may or may not have got the command.
    pub async fn send(&mut self, event: ClientEvent) -> Result<Sent, ClientError> {
        match &mut self.half {
            SenderHalf::Commands(half) => half.send(event).await,
            SenderHalf::Websocket(half) => half.send(event).await,
            SenderHalf::Socketio(half) => half.send(event).await,
            SenderHalf::SocketioPolling(half) => half.send(event).await,
        }
    }

    /// HTTP requests or socket messages that this half sent, those of the opening included.
    #[must_use]
    pub fn requests(&self) -> u64 {
        match &self.half {
            SenderHalf::Commands(half) => half.requests(),
            SenderHalf::Websocket(half) => half.requests(),
            SenderHalf::Socketio(half) => half.requests(),
            SenderHalf::SocketioPolling(half) => half.requests(),
        }
    }
}

/// The half that listens.
pub struct Receiver<C: Connect>(ReceiverHalf<C>);

enum ReceiverHalf<C: Connect> {
    Poll(poll::Receiver<C>),
    Sse(Box<sse::Receiver<C>>),
    Websocket(websocket::Receiver<C::Stream>),
    Socketio(socketio::Receiver<C::Stream>),
    SocketioPolling(Box<socketio_polling::Receiver<C>>),
}

/// What one call of [`Receiver::receive`] brought.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Received {
    /// Events that this receiver has not given out before, in order; none where a poll was
    /// answered without any.
    pub events: Vec<Event>,
    /// The places of events that the server sent though it had been told that they were given out;
    /// a server in good order never does.
    pub repeated: Vec<Seq>,
    /// Commands that a socket transport refused; always none over HTTP.
    pub refused: Vec<Refusal>,
}

impl<C: Connect> Receiver<C> {
    /// Waits for the next answer of a poll or the next event of a socket.
    ///
    /// Dropping the future loses no event. It closes the connection on which a poll was waiting, and
    /// the next call opens a new one; over a stream or a socket it changes nothing. A socket's pings
    /// are answered, and a stream is acknowledged, only while a call is waiting.
    ///
    /// # Errors
    ///
    /// [`ClientError::Closed`] after the session's last event; any other error means that this
    /// connection or session is of no further use, but that the session may be resumed. Polls and
    /// streams may just be asked again. [`ClientError::Refused`] with [`Problem::SUPERSEDED`] says
    /// that another client reads this session now.
    ///
    /// [`Problem::SUPERSEDED`]: protocol::Problem::SUPERSEDED
    pub async fn receive(&mut self) -> Result<Received, ClientError> {
        match &mut self.0 {
            // Boxed, so that a socket does not keep the room that a request under way takes.
            ReceiverHalf::Poll(half) => Box::pin(half.receive()).await,
            ReceiverHalf::Sse(half) => Box::pin(half.receive()).await,
            ReceiverHalf::Websocket(half) => half.receive().await,
            ReceiverHalf::Socketio(half) => half.receive().await,
            ReceiverHalf::SocketioPolling(half) => half.receive().await,
        }
    }

    /// The last event that was given out.
    #[must_use]
    pub fn cursor(&self) -> Seq {
        match &self.0 {
            ReceiverHalf::Poll(half) => half.cursor(),
            ReceiverHalf::Sse(half) => half.cursor(),
            ReceiverHalf::Websocket(half) => half.cursor(),
            ReceiverHalf::Socketio(half) => half.cursor(),
            ReceiverHalf::SocketioPolling(half) => half.cursor(),
        }
    }

    /// True once Socket.IO that began with polls goes over a WebSocket.
    #[must_use]
    pub fn is_upgraded(&self) -> bool {
        match &self.0 {
            ReceiverHalf::SocketioPolling(half) => half.is_upgraded(),
            _ => false,
        }
    }

    /// HTTP requests, or acknowledgements and pongs, that this half sent.
    #[must_use]
    pub fn requests(&self) -> u64 {
        match &self.0 {
            ReceiverHalf::Poll(half) => half.requests(),
            ReceiverHalf::Sse(half) => half.requests(),
            ReceiverHalf::Websocket(half) => half.requests(),
            ReceiverHalf::Socketio(half) => half.requests(),
            ReceiverHalf::SocketioPolling(half) => half.requests(),
        }
    }
}
