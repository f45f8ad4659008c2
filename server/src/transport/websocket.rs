//! WebSocket: the mailbox is pushed as it grows, one JSON object a text frame.
//!
//! ```text
//!   GET /api/ws?after=S   ──>  open or resume; the upgrade succeeds whatever comes of it, because
//!                              a page cannot see why one was refused
//!                         <──  {"type":"opened", session, token, next}
//!                         <──  {"seq", "at", "type", ..}       each event of the mailbox
//!   {"type":"say", ..}    ──>                                  also "next", "leave", "ack"
//!                         <──  {"type":"refused", id?, problem}     where a command was refused
//!                         <──  ping with the last place        every 16 events, fewer where the
//!                                                             mailbox is small, and when quiet
//!   pong                  ──>  acknowledges it, until the client acknowledges by itself
//! ```
//!
//! | close code | from the server: why |
//! |---|---|
//! | 1000 | the session is over |
//! | 1002, 1003, 1007, 1009 | not WebSocket, not text, not UTF-8, too big |
//! | 1008 | the mailbox is full because nobody reads; or too many frames were not understood |
//! | 1012 | the server shuts down |
//! | 4000 + status | the `refused` frame before says why: 4401 no session, 4409 superseded or a cursor out of bounds, 4429 too many of this address, 4503 full or shutting down |
//!
//! | close code | from the client: what becomes of the session |
//! |---|---|
//! | 1000, none | it ends at once |
//! | any other, or a lost connection | it can be resumed |
//!
//! A connection is one task, and it keeps nothing that was not asked for: what cannot be written
//! stays in the mailbox. Everything that a client has sent is carried out before anything is
//! written, so a burst costs one write; never more than [`COMMANDS_A_TURN_MAX`] of it, so that
//! nobody who only speaks hears nothing. A refusal has no place in the mailbox, and may overtake
//! the events of commands that came before it. Nothing is carried out any more from the moment when
//! another connection has taken the session over, not even a close frame's farewell.
//!
//! The task is as large as its largest step, for every connection and all the time; so what is rare
//! takes a box.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::http::HeaderValue;
use axum::http::header::{SEC_WEBSOCKET_PROTOCOL, SET_COOKIE};
use axum::response::Response;
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, Sleep};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::Opening;
use super::credentials::{Credential, SUBPROTOCOL, offers_subprotocol, set_cookie};
use super::handshake::handshake;
use crate::config::Config;
use crate::error::HttpError;
use crate::hub::{Detach, Hub, Reader, Rejected, Start, Transport};
use crate::source::Source;
use protocol::{
    Batch, ClientEvent, CloseReason, MessageId, Opened, Problem, Refusal, Seq, ServerEvent,
    ServerFrame,
};

/// What one read takes from the network; larger frames are read in steps.
const READ_BUFFER_BYTES: usize = 512;
/// Frames are collected up to this much before they are written; with one frame that is longer,
/// this is all that waits to be written.
const WRITE_BUFFER_BYTES: usize = 4_096;
/// Frames that are taken from the client before it is told what came of them.
const COMMANDS_A_TURN_MAX: usize = 64;
/// Events that may be under way without an acknowledgement being asked for...
const ACKNOWLEDGE_EVERY: u64 = 16;
/// ...and the share of the mailbox that they fill at most: a full one keeps its session from being paired.
const ACKNOWLEDGE_SHARE: usize = 4;
/// Frames that a connection may send without their being understood.
const MALFORMED_MAX: u32 = 16;
/// How long a connection that was closed waits for the client's last word.
const LINGER_MAX: Duration = Duration::from_secs(2);
/// How much it reads meanwhile; unread bytes would make the system throw away the close frame.
const LINGER_BYTES_MAX: u64 = 1024 * 1024;

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// `GET /api/ws?after=S`
#[utoipa::path(
    get,
    path = "/api/ws",
    summary = "WebSocket (RFC 6455)",
    description = "Opens a session where there is none, and resumes where there is. Text frames: \
                   the client sends a `ClientEvent`, the server a `ServerFrame`. What concerns the \
                   session is told after the upgrade, by a `refused` frame and the close code 4000 \
                   + status.",
    security((), ("bearer" = []), ("cookie" = []), ("subprotocol" = [])),
    params(Opening),
    responses(
        (status = 101, description = "Frames follow"),
        (status = 426, description = "The request is no upgrade to a WebSocket"),
    )
)]
pub(crate) async fn upgrade(
    State(hub): State<Arc<Hub>>,
    opening: Result<Query<Opening>, QueryRejection>,
    source: Source,
    mut request: Request,
) -> Result<Response, HttpError> {
    let Query(Opening { after }) = opening?;
    let mut response = handshake(&request)?;
    let admitted = match Credential::find(request.headers(), source) {
        Ok(credential) => admit(&hub, source, credential, after).await,
        Err(error) => Err(error),
    };
    let headers = response.headers_mut();
    if offers_subprotocol(request.headers()) {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    }
    if let Ok(Admitted { opened, is_new: true, .. }) = &admitted {
        headers.insert(SET_COOKIE, set_cookie(&opened.token, source));
    }
    tokio::spawn(serve(hub, hyper::upgrade::on(&mut request), admitted));
    Ok(response)
}

/// Who was let in.
struct Admitted {
    opened: Opened,
    reader: Reader,
    is_new: bool,
}

async fn admit(
    hub: &Arc<Hub>,
    source: Source,
    credential: Option<Credential<'_>>,
    after: Option<Seq>,
) -> Result<Admitted, HttpError> {
    let known = credential.and_then(|credential| {
        let token = credential.token();
        Some((hub.authenticate(token)?, token.to_owned()))
    });
    let is_new = known.is_none();
    let (session, token, after) = match known {
        Some((session, token)) => (session, token, after),
        None if may_begin_anew(credential, after) => {
            let opened = hub.open(source.address).await?;
            (opened.session, opened.token, Some(opened.next))
        }
        None => return Err(HttpError::NoSession),
    };
    let start = Start::Pushed(after);
    let (reader, next) = hub.attach_at(session, start, Transport::WebSocket).await?;
    Ok(Admitted { opened: Opened { session, token, next }, reader, is_new })
}

/// A cookie outlives its session, so one that is not known any more only says that somebody was
/// here before. Whoever names a token or a cursor means that very session.
fn may_begin_anew(credential: Option<Credential<'_>>, after: Option<Seq>) -> bool {
    !matches!(credential, Some(Credential::Token(_))) && after.unwrap_or_default() == Seq(0)
}

/// One connection, from the upgrade to its end. A reader that is dropped on the way is a lost
/// connection.
async fn serve(hub: Arc<Hub>, upgrade: OnUpgrade, admitted: Result<Admitted, HttpError>) {
    let Ok(upgraded) = upgrade.await else { return };
    let config = Some(socket_config(hub.config()));
    let mut socket =
        WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, config).await;
    let end = match admitted {
        Ok(admitted) => {
            let mut conversation = Conversation::new(&hub, &mut socket, admitted);
            let Err(end) = conversation.converse().await;
            conversation.end(&end).await;
            end
        }
        Err(error) => error.into(),
    };
    bid_farewell(socket, end).await;
}

fn socket_config(config: &Config) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_message_size(Some(config.body_bytes_max))
        .max_frame_size(Some(config.body_bytes_max))
}

/// How a connection comes to its end.
enum End {
    /// The client is gone, or does not answer.
    Lost,
    /// The client said that it goes, and for good.
    Left,
    /// The client said that it goes, and may come back.
    Away,
    /// The server ends it, for a reason that has a code.
    Closed(CloseCode, &'static str),
    /// The server ends it, for a reason that the client is told first.
    Refused(Box<Problem>),
}

impl From<HttpError> for End {
    fn from(error: HttpError) -> Self {
        Self::Refused(Box::new(error.into()))
    }
}

/// Writes the last word and gives the client the time to read it.
async fn bid_farewell(mut socket: Socket, end: End) {
    let (code, reason) = match end {
        End::Lost => return,
        End::Left | End::Away => {
            // The answer to the client's close frame was made when that was read.
            let _already_gone = socket.flush().await;
            return;
        }
        End::Closed(code, reason) => (code, reason.into()),
        End::Refused(problem) => {
            let (code, title) = (4_000 + problem.status, problem.title.clone());
            let refused = ServerFrame::Refused(Refusal { id: None, problem: *problem });
            if socket.feed(json(&refused)).await.is_err() {
                return;
            }
            (CloseCode::from(code), title.into())
        }
    };
    if socket.close(Some(CloseFrame { code, reason })).await.is_ok() {
        let _late = tokio::time::timeout(LINGER_MAX, linger(&mut socket)).await;
    }
}

/// Reads until the client has closed as well, or has had its chance.
async fn linger(socket: &mut Socket) {
    while let Some(Ok(_)) = socket.next().await {}
    let stream = socket.get_mut();
    if stream.shutdown().await.is_ok() {
        let mut rest = stream.take(LINGER_BYTES_MAX);
        let _already_gone = tokio::io::copy(&mut rest, &mut tokio::io::sink()).await;
    }
}

/// One person at a socket.
struct Conversation<'a> {
    hub: &'a Hub,
    socket: &'a mut Socket,
    opened: Option<Opened>,
    reader: Reader,
    /// The last event that was written.
    cursor: Seq,
    /// The last event that a ping was sent behind.
    pinged: Seq,
    /// A ping waits for its pong.
    ping_under_way: bool,
    /// The client sends acknowledgements, so that pongs mean nothing but life.
    acknowledges: bool,
    /// Something came since the client was last asked for a sign of life.
    heard: bool,
    malformed: u32,
}

impl<'a> Conversation<'a> {
    fn new(hub: &'a Hub, socket: &'a mut Socket, admitted: Admitted) -> Self {
        let Admitted { opened, reader, .. } = admitted;
        let cursor = opened.next;
        Self {
            hub,
            socket,
            opened: Some(opened),
            reader,
            cursor,
            pinged: cursor,
            ping_under_way: false,
            acknowledges: false,
            heard: false,
            malformed: 0,
        }
    }

    /// Gives up the mailbox, and says whether the person is expected back.
    async fn end(self, end: &End) {
        let how = match end {
            End::Left => {
                let _not_for_us_to_end = self.reader.send(ClientEvent::Leave).await;
                Detach::Answered
            }
            End::Lost | End::Away | End::Closed(..) | End::Refused(_) => Detach::Dropped,
        };
        self.reader.finish(how).await;
    }

    /// Goes on until something ends it.
    async fn converse(&mut self) -> Result<Infallible, End> {
        if let Some(opened) = self.opened.take() {
            self.feed(json(&ServerFrame::Opened(opened))).await?;
        }
        let mut heartbeat = std::pin::pin!(tokio::time::sleep(self.heartbeat_interval()));
        let mut asked = false;
        // The first frame goes out with the first events, or by itself: there may be none for long.
        let mut taken = 1;
        loop {
            tokio::select! {
                biased;
                message = self.socket.next(), if taken < COMMANDS_A_TURN_MAX => {
                    taken += 1;
                    self.take(message).await?;
                }
                batch = self.reader.receive(self.cursor, None) => {
                    taken = 0;
                    self.deliver(batch).await?;
                }
                // Nothing more has come, and nothing follows from it but refusals.
                () = std::future::ready(()), if taken > 0 => {
                    taken = 0;
                    self.flush().await?;
                }
                () = heartbeat.as_mut() => {
                    asked = Box::pin(self.beat(asked, heartbeat.as_mut())).await?;
                }
            }
        }
    }

    fn heartbeat_interval(&self) -> Duration {
        Duration::from_millis(self.hub.config().heartbeat_interval_ms)
    }

    /// Asks for a sign of life, or looks for the one that was asked for; says whether one is owed.
    async fn beat(
        &mut self,
        asked: bool,
        mut timer: std::pin::Pin<&mut Sleep>,
    ) -> Result<bool, End> {
        let answer_max = Duration::from_millis(self.hub.config().heartbeat_timeout_ms);
        if asked && !self.heard {
            return Err(End::Lost);
        }
        let pause = if asked {
            self.heartbeat_interval().saturating_sub(answer_max)
        } else {
            self.heard = false;
            self.ping().await?;
            self.flush().await?;
            answer_max
        };
        timer.as_mut().reset(Instant::now() + pause);
        Ok(!asked)
    }

    async fn take(&mut self, message: Option<Result<Message, Error>>) -> Result<(), End> {
        self.heard = true;
        match message {
            Some(Ok(Message::Text(text))) => match serde_json::from_str(&text) {
                Ok(command) => self.obey(command).await,
                Err(error) => self.misunderstand(error.to_string()).await,
            },
            Some(Ok(Message::Pong(payload))) => self.answered(&payload).await,
            // The pong was made when the ping was read, and is written with what comes next.
            Some(Ok(Message::Ping(_) | Message::Frame(_))) => Ok(()),
            Some(Ok(Message::Binary(_))) => {
                Err(End::Closed(CloseCode::Unsupported, "text frames only"))
            }
            Some(Ok(Message::Close(frame))) => Err(match frame.map(|frame| frame.code) {
                None | Some(CloseCode::Normal) => End::Left,
                Some(_) => End::Away,
            }),
            Some(Err(error)) => Err(failed(&error)),
            None => Err(End::Lost),
        }
    }

    async fn obey(&mut self, command: ClientEvent) -> Result<(), End> {
        self.acknowledges |= matches!(command, ClientEvent::Ack { .. });
        let id = command.message_id();
        match self.reader.send(command).await {
            Ok(()) => Ok(()),
            Err(Rejected::Superseded) => {
                Box::pin(self.refuse(id, Rejected::Superseded.into())).await?;
                Err(HttpError::from(Rejected::Superseded).into())
            }
            Err(rejected) => Box::pin(self.refuse(id, rejected.into())).await,
        }
    }

    async fn misunderstand(&mut self, why: String) -> Result<(), End> {
        self.malformed += 1;
        if self.malformed > MALFORMED_MAX {
            return Err(End::Closed(CloseCode::Policy, "too many frames were not understood"));
        }
        Box::pin(self.refuse(None, HttpError::Malformed(why))).await
    }

    async fn refuse(&mut self, id: Option<MessageId>, why: HttpError) -> Result<(), End> {
        let refusal = Refusal { id, problem: why.into() };
        self.feed(json(&ServerFrame::Refused(refusal))).await
    }

    /// The network of the client has the events up to the ping that this answers.
    async fn answered(&mut self, payload: &[u8]) -> Result<(), End> {
        if !self.ping_under_way || payload != self.pinged.0.to_be_bytes() {
            return Ok(());
        }
        self.ping_under_way = false;
        if !self.acknowledges {
            let _acknowledged_already = self.reader.acknowledge(self.pinged).await;
        }
        self.ask_for_acknowledgement().await
    }

    /// Writes a batch, all of it at once.
    async fn deliver(&mut self, batch: Result<Batch, Rejected>) -> Result<(), End> {
        let batch = batch.map_err(HttpError::from)?;
        if batch.events.is_empty() {
            return Err(HttpError::from(Rejected::Superseded).into());
        }
        let mut closing = None;
        for event in &batch.events {
            self.feed(json(event)).await?;
            if let ServerEvent::Closing { reason, .. } = event.body {
                closing = Some(reason);
            }
        }
        self.cursor = batch.next;
        if let Some(reason) = closing {
            return Err(closed(reason));
        }
        self.ask_for_acknowledgement().await?;
        self.flush().await
    }

    async fn ask_for_acknowledgement(&mut self) -> Result<(), End> {
        let unasked = self.cursor.0 - self.pinged.0;
        let share = self.hub.config().mailbox_events_max / ACKNOWLEDGE_SHARE;
        if self.acknowledges || unasked < ACKNOWLEDGE_EVERY.min(share as u64) {
            return Ok(());
        }
        self.ping().await
    }

    /// Sends a ping unless one is under way.
    async fn ping(&mut self) -> Result<(), End> {
        if self.ping_under_way {
            return Ok(());
        }
        self.ping_under_way = true;
        self.pinged = self.cursor;
        self.feed(Message::Ping(self.pinged.0.to_be_bytes().to_vec().into())).await
    }

    async fn feed(&mut self, message: Message) -> Result<(), End> {
        self.socket.feed(message).await.map_err(|_| End::Lost)
    }

    async fn flush(&mut self) -> Result<(), End> {
        self.socket.flush().await.map_err(|_| End::Lost)
    }
}

fn json(frame: &impl Serialize) -> Message {
    Message::text(serde_json::to_string(frame).expect("the wire is plain data"))
}

/// The session is over, and the person knows why.
fn closed(reason: CloseReason) -> End {
    match reason {
        CloseReason::Left => End::Closed(CloseCode::Normal, "left"),
        CloseReason::Lost => End::Closed(CloseCode::Normal, "lost"),
        CloseReason::Slow => End::Closed(CloseCode::Policy, "slow"),
        CloseReason::Draining => End::Closed(CloseCode::Restart, "draining"),
    }
}

/// What came is not what a WebSocket sends, or nothing comes any more.
fn failed(error: &Error) -> End {
    match error {
        Error::Capacity(_) => End::Closed(CloseCode::Size, "the message is too big"),
        Error::Utf8(_) => End::Closed(CloseCode::Invalid, "text is UTF-8"),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => End::Lost,
        Error::Protocol(_) => End::Closed(CloseCode::Protocol, "this is not WebSocket"),
        _ => End::Lost,
    }
}
