//! Socket.IO over one WebSocket.
//!
//! ```text
//! client                                        server
//!    |---- GET /socket.io/?EIO=4&transport=websocket -->|
//!    |<--- 101, then OPEN {pingInterval, pingTimeout} --|
//!    |---- CONNECT /chat {token, after}? -------------->|
//!    |<--- CONNECT /chat {sid}, then "session" Opened --|
//!    |<--- "msg" Event, "refused" Refusal, ping --------|
//!    |---- "say", "next", "leave", "ack", pong -------->|
//! ```
//!
//! The two halves share the socket; the receiver also writes, because pings and acknowledgements
//! follow from what it reads. It never opens a second connection.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use server::protocol::{ClientEvent, Opened, Seq};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::cursor::Cursor;
use crate::packet::{self, Emitted, Frame, Kind, NAMESPACE, OpenParameters, Packet};
use crate::{
    ACKNOWLEDGE_EVERY, ANSWER_BYTES_MAX, ANSWER_WAIT_MAX, ClientError, Connect, Options, Received,
    Resume, Sent,
};

/// Eagerly allocated for every connection, and there may be ten thousand.
const READ_BUFFER_BYTES: usize = 4096;
/// What may wait to be written; a command is at most a message of a few KiB.
const WRITE_BUFFER_BYTES_MAX: usize = 256 * 1024;

type Sink<S> = Arc<Mutex<SplitSink<WebSocketStream<S>, Message>>>;

/// Opens or resumes a session.
pub(crate) async fn open<C: Connect>(
    connector: &C,
    options: Options,
) -> Result<(Resume, Sender<C::Stream>, Receiver<C::Stream>), ClientError> {
    let handshake = async {
        let mut socket = upgrade(connector.connect().await?, &options.host).await?;
        let (parameters, opened) = join(&mut socket, options.resume.as_ref()).await?;
        Ok::<_, ClientError>((socket, parameters, opened))
    };
    let (socket, parameters, opened) = tokio::time::timeout(ANSWER_WAIT_MAX, handshake)
        .await
        .map_err(|_| ClientError::Unanswered(ANSWER_WAIT_MAX))??;
    let resumed = options.resume.is_some();
    let identity = identify(opened, options.resume)?;
    let (sink, stream) = socket.split();
    let sink = Arc::new(Mutex::new(sink));
    let receiver = Receiver {
        stream,
        sink: Arc::clone(&sink),
        cursor: Cursor::after(identity.after),
        acknowledged: resumed.then_some(identity.after),
        due: Due::default(),
        silence_max: parameters.silence_max(),
        heard_at: Instant::now(),
        closed: false,
        requests: 0,
    };
    Ok((identity, Sender { sink, requests: OPENING_REQUESTS }, receiver))
}

/// The upgrade and the CONNECT packet.
const OPENING_REQUESTS: u64 = 2;

async fn upgrade<S>(stream: S, host: &str) -> Result<WebSocketStream<S>, ClientError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let url = format!("ws://{host}/socket.io/?EIO=4&transport=websocket");
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_BUFFER_BYTES_MAX)
        .max_message_size(Some(ANSWER_BYTES_MAX))
        .max_frame_size(Some(ANSWER_BYTES_MAX));
    let (socket, _) = client_async_with_config(url, stream, Some(config)).await?;
    Ok(socket)
}

/// From the first frame to the `session` event.
async fn join<S>(
    socket: &mut WebSocketStream<S>,
    resume: Option<&Resume>,
) -> Result<(OpenParameters, Opened), ClientError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let first = next_text(socket).await?;
    let Frame::Open(parameters) = Frame::parse(&first)? else {
        return Err(ClientError::Protocol(format!("OPEN comes first, not {first:.60}")));
    };
    let parameters = OpenParameters::parse(parameters)?;
    socket.send(Message::text(packet::connect(resume))).await?;
    loop {
        let text = next_text(socket).await?;
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

/// The session, when this packet brings it.
fn joined(packet: &Packet<'_>) -> Result<Option<Opened>, ClientError> {
    match packet.kind {
        Kind::Connect | Kind::Ack => Ok(None),
        Kind::Disconnect => Err(ClientError::Closed),
        Kind::ConnectError => Err(packet::connect_error(packet.payload)),
        Kind::Event => match Emitted::parse(packet.payload)? {
            Emitted::Session(opened) => Ok(Some(opened)),
            Emitted::Refused(refusal) => Err(ClientError::Refused(refusal.problem)),
            Emitted::Message(event) => {
                Err(ClientError::Protocol(format!("event {} before the session", event.seq)))
            }
            Emitted::Other => Ok(None),
        },
    }
}

/// Who speaks now. A resumed session keeps the application's own cursor.
fn identify(opened: Opened, resume: Option<Resume>) -> Result<Resume, ClientError> {
    let Opened { session, token, next } = opened;
    match resume {
        None => Ok(Resume { session, token, after: next }),
        Some(resume) if resume.session == session => Ok(resume),
        Some(Resume { session: asked, .. }) => {
            Err(ClientError::Protocol(format!("asked to resume {asked}, got {session}")))
        }
    }
}

async fn next_text<S>(socket: &mut WebSocketStream<S>) -> Result<String, ClientError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        match socket.next().await.transpose()? {
            None => return Err(ClientError::cut_off()),
            Some(Message::Text(text)) => return Ok(text.as_str().to_owned()),
            Some(Message::Close(_)) => return Err(ClientError::Closed),
            Some(Message::Binary(_)) => return Err(unexpected_binary()),
            Some(_) => {}
        }
    }
}

fn unexpected_binary() -> ClientError {
    ClientError::Protocol("a binary frame".to_owned())
}

/// Commands, one frame each.
pub(crate) struct Sender<S> {
    sink: Sink<S>,
    requests: u64,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Sender<S> {
    pub(crate) async fn send(&mut self, event: ClientEvent) -> Result<Sent, ClientError> {
        let message = Message::text(packet::command(&event));
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
    stream: SplitStream<WebSocketStream<S>>,
    sink: Sink<S>,
    cursor: Cursor,
    /// None where there is nothing to acknowledge: a session that this socket opened ends with
    /// this socket, so the server keeps nothing for it that was sent.
    acknowledged: Option<Seq>,
    due: Due,
    silence_max: Duration,
    heard_at: Instant,
    closed: bool,
    requests: u64,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Receiver<S> {
    pub(crate) async fn receive(&mut self) -> Result<Received, ClientError> {
        if self.closed {
            return Err(ClientError::Closed);
        }
        loop {
            let message = self.next_message().await?;
            // There is no await from here to the return, so a dropped call loses nothing.
            let received = self.take(&message);
            self.closed = matches!(received, Err(ClientError::Closed));
            if let Some(received) = received? {
                return Ok(received);
            }
        }
    }

    /// The next WebSocket message; meanwhile writes what is due.
    async fn next_message(&mut self) -> Result<Message, ClientError> {
        let silent_at = self.heard_at + self.silence_max;
        loop {
            tokio::select! {
                biased;
                () = self.due.write(&self.sink, &mut self.requests), if self.due.is_something() => {}
                message = self.stream.next() => {
                    self.heard_at = Instant::now();
                    return message.transpose()?.ok_or_else(ClientError::cut_off);
                }
                () = tokio::time::sleep_until(silent_at) => {
                    return Err(ClientError::HeartbeatMissed(self.silence_max));
                }
            }
        }
    }

    fn take(&mut self, message: &Message) -> Result<Option<Received>, ClientError> {
        match message {
            Message::Text(text) => match Frame::parse(text)? {
                Frame::Ping => {
                    self.due.pong = true;
                    Ok(None)
                }
                Frame::Message(packet) if packet.namespace == NAMESPACE => {
                    self.take_packet(&packet)
                }
                Frame::Close => Err(ClientError::Closed),
                Frame::Open(_) => Err(ClientError::Protocol("a second OPEN".to_owned())),
                Frame::Message(_) | Frame::Pong | Frame::Noop => Ok(None),
            },
            Message::Close(_) => Err(ClientError::Closed),
            Message::Binary(_) => Err(unexpected_binary()),
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => Ok(None),
        }
    }

    fn take_packet(&mut self, packet: &Packet<'_>) -> Result<Option<Received>, ClientError> {
        match packet.kind {
            Kind::Event => Ok(self.take_event(Emitted::parse(packet.payload)?)),
            Kind::Disconnect => Err(ClientError::Closed),
            Kind::ConnectError => Err(packet::connect_error(packet.payload)),
            Kind::Connect => Err(ClientError::Protocol("a second CONNECT".to_owned())),
            Kind::Ack => Ok(None),
        }
    }

    fn take_event(&mut self, emitted: Emitted) -> Option<Received> {
        match emitted {
            Emitted::Message(event) => self.cursor.admits(&event).then(|| {
                self.acknowledge_in_time();
                Received { events: vec![event], refused: Vec::new() }
            }),
            Emitted::Refused(refusal) => {
                Some(Received { events: Vec::new(), refused: vec![refusal] })
            }
            Emitted::Session(_) | Emitted::Other => None,
        }
    }

    fn acknowledge_in_time(&mut self) {
        let seq = self.cursor.seq();
        if self.acknowledged.is_some_and(|before| seq.0 - before.0 >= ACKNOWLEDGE_EVERY) {
            self.acknowledged = Some(seq);
            self.due.acknowledge = Some(seq);
        }
    }

    pub(crate) fn cursor(&self) -> Seq {
        self.cursor.seq()
    }

    pub(crate) fn requests(&self) -> u64 {
        self.requests
    }
}

/// What the receiver has to write; it outlives a dropped call.
#[derive(Default)]
struct Due {
    pong: bool,
    acknowledge: Option<Seq>,
    flush: bool,
}

impl Due {
    fn is_something(&self) -> bool {
        self.pong || self.acknowledge.is_some() || self.flush
    }

    /// Writes all of it. A frame is crossed off when the sink has taken it, so dropping the
    /// future neither loses a frame nor sends one twice.
    ///
    /// An error is left for the reading side, which may still have the session's last events.
    async fn write<S>(&mut self, sink: &Sink<S>, requests: &mut u64)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut sink = sink.lock().await;
        while let Some(text) = self.next_text() {
            if sink.feed(Message::text(text)).await.is_err() {
                *self = Self::default();
                return;
            }
            self.cross_off();
            *requests += 1;
        }
        // Whether or not it worked, there is nothing more to be done about it here.
        let _ = sink.flush().await;
        self.flush = false;
    }

    fn next_text(&self) -> Option<String> {
        if self.pong {
            return Some(packet::PONG.to_owned());
        }
        self.acknowledge.map(|seq| packet::command(&ClientEvent::Ack { seq }))
    }

    fn cross_off(&mut self) {
        if self.pong {
            self.pong = false;
        } else {
            self.acknowledge = None;
        }
        self.flush = true;
    }
}
