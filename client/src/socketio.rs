//! Socket.IO over one WebSocket.
//!
//! ```text
//! client                                        server
//!    |---- GET /socket.io/?EIO=4&transport=websocket -->|
//!    |<--- 101, then OPEN {pingInterval, pingTimeout} --|
//!    |---- CONNECT /chat {after, token?} -------------->|
//!    |<--- CONNECT /chat {sid}, then "session" Opened --|
//!    |<--- "msg" Event, "refused" Refusal, ping --------|
//!    |---- "say", "next", "leave", "ack", pong -------->|
//! ```
//!
//! The two halves share the socket; the receiver also writes, because pings and acknowledgements
//! follow from what it reads. It never opens a second connection.

use std::sync::Arc;
use std::time::Duration;

use futures_util::SinkExt;
use protocol::{ClientEvent, Opened, Seq};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::packet::{self, Commands, Frame, NAMESPACE, OpenParameters};
use crate::reading::{Owed, Reading, joined};
use crate::socket::{self, Listener, Sink};
use crate::{ClientError, Connect, Options, Received, Resume, Sent};

/// Path and query of the upgrade.
const TARGET: &str = "/socket.io/?EIO=4&transport=websocket";

/// Opens or resumes a session.
pub(crate) async fn open<C: Connect>(
    connector: &C,
    options: Options,
) -> Result<(Resume, Sender<C::Stream>, Receiver<C::Stream>), ClientError> {
    let handshake = async {
        let stream = connector.connect().await?;
        let mut socket = socket::upgrade(stream, &options.host, TARGET, None).await?;
        let (parameters, opened) = join(&mut socket, &options).await?;
        Ok::<_, ClientError>((socket, parameters, opened))
    };
    let (socket, parameters, opened) =
        tokio::time::timeout(options.answer_max, handshake)
            .await
            .map_err(|_| ClientError::Unanswered(options.answer_max))??;
    let identity = socket::identify(opened, options.resume)?;
    let commands = Commands::new(options.answer_every);
    let (sink, listener) = socket::split(socket);
    let reading = Reading::owing(identity.after, options.acknowledge_every, Owed::default());
    let receiver = Receiver::new(Arc::clone(&sink), listener, reading, parameters.silence_max());
    Ok((identity, Sender { sink, commands, requests: OPENING_REQUESTS }, receiver))
}

/// The upgrade and the CONNECT packet.
const OPENING_REQUESTS: u64 = 2;

/// From the first frame to the `session` event.
async fn join<S>(
    socket: &mut WebSocketStream<S>,
    options: &Options,
) -> Result<(OpenParameters, Opened), ClientError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let first = socket::next_text(socket).await?;
    let Frame::Open(parameters) = Frame::parse(&first)? else {
        return Err(ClientError::Protocol(format!("OPEN comes first, not {first:.60}")));
    };
    let parameters = OpenParameters::parse(parameters)?;
    socket.send(Message::text(packet::connect(options))).await?;
    loop {
        let text = socket::next_text(socket).await?;
        match Frame::parse(&text)? {
            Frame::Ping => socket.send(Message::text(packet::PONG)).await?,
            Frame::Close => return Err(ClientError::Closed),
            Frame::Message(packet) if packet.namespace == NAMESPACE => {
                if let Some(opened) = joined(&packet)? {
                    return Ok((parameters, opened));
                }
            }
            _ => {}
        }
    }
}

/// Commands, one frame each.
pub(crate) struct Sender<S> {
    sink: Sink<S>,
    commands: Commands,
    requests: u64,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Sender<S> {
    pub(crate) async fn send(&mut self, event: ClientEvent) -> Result<Sent, ClientError> {
        let message = Message::text(self.commands.frame(&event));
        self.sink.lock().await.send(message).await?;
        self.requests += 1;
        Ok(Sent::Written)
    }

    pub(crate) fn requests(&self) -> u64 {
        self.requests
    }
}

/// Events, one frame each.
pub(crate) struct Receiver<S> {
    listener: Listener<S>,
    sink: Sink<S>,
    reading: Reading,
    /// What the sink has taken must still be written.
    unflushed: bool,
    silence_max: Duration,
    closed: bool,
    requests: u64,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Receiver<S> {
    /// Reads on where `reading` is, over a socket that was opened for it.
    pub(crate) fn new(
        sink: Sink<S>,
        listener: Listener<S>,
        reading: Reading,
        silence_max: Duration,
    ) -> Self {
        Self { listener, sink, reading, unflushed: false, silence_max, closed: false, requests: 0 }
    }

    pub(crate) async fn receive(&mut self) -> Result<Received, ClientError> {
        if self.closed {
            return Err(ClientError::Closed);
        }
        loop {
            let message = self.next_message().await?;
            // There is no await from here to the return, so a dropped call loses nothing.
            let mut received = Received::default();
            let taken = self.take(&message, &mut received);
            self.closed = matches!(taken, Err(ClientError::Closed));
            taken?;
            if received != Received::default() {
                return Ok(received);
            }
        }
    }

    /// The next WebSocket message; meanwhile writes what is owed.
    async fn next_message(&mut self) -> Result<Message, ClientError> {
        loop {
            let owes = self.unflushed || !self.reading.owed.is_nothing();
            let Self { sink, reading, unflushed, requests, listener, .. } = self;
            tokio::select! {
                biased;
                () = write(sink, &mut reading.owed, unflushed, requests), if owes => {}
                message = listener.next(self.silence_max) => return message,
            }
        }
    }

    fn take(&mut self, message: &Message, received: &mut Received) -> Result<(), ClientError> {
        match message {
            Message::Text(text) => self.reading.take(Frame::parse(text)?, received),
            Message::Close(_) => Err(self.reading.end()),
            Message::Binary(_) => Err(socket::unexpected_binary()),
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => Ok(()),
        }
    }

    pub(crate) fn cursor(&self) -> Seq {
        self.reading.cursor()
    }

    pub(crate) fn requests(&self) -> u64 {
        self.requests
    }
}

/// Writes all that is owed. A frame is crossed off when the sink has taken it, so dropping the
/// future neither loses a frame nor sends one twice.
///
/// An error is left for the reading side, which may still have the session's last events.
async fn write<S>(sink: &Sink<S>, owed: &mut Owed, unflushed: &mut bool, requests: &mut u64)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut sink = sink.lock().await;
    while let Some(text) = owed.frame() {
        if sink.feed(Message::text(text)).await.is_err() {
            *owed = Owed::default();
            *unflushed = false;
            return;
        }
        owed.cross_off();
        *unflushed = true;
        *requests += 1;
    }
    // Whether or not it worked, there is nothing more to be done about it here.
    let _ = sink.flush().await;
    *unflushed = false;
}
