//! The upgrade from polling to a WebSocket, which may fail and then leaves the polls alone.
//!
//! engineioxide 0.17.9 gives a connection up to a WebSocket before that has said a word: from then on
//! polls fetch nothing, and if the WebSocket fails, the connection ends (docs/upstream/engineioxide.md).
//! So the probe is answered here, and engineioxide is shown the WebSocket when the client has sent `5`:
//!
//! ```text
//! client                          here                              engineioxide
//!   |== GET &sid, WebSocket =======>|  one at a time                       |
//!   |== 2probe ====================>|                                      |
//!   |<= 3probe =====================|-- NOOP to the poll that waits        |
//!   |== 5 =========================>|== 2probe, 5 ========================>|
//!   |                               |<= 3probe, which the client has had ==|
//!   |<=============== every byte behind that, as it is ===================>|
//! ```
//!
//! An attempt ends with its connection, with the time allowed for it, and with the begin of a drain. It
//! never touches a packet of the connection, and ends nothing but its own WebSocket.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use futures_util::{FutureExt, SinkExt, StreamExt};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use socketioxide::service::SocketIoService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{oneshot, watch};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tracing::trace;

use super::NotSocketIo;
use super::polling::Presence;
use super::socket::give;
use crate::config::Config;
use crate::error::HttpError;
use crate::hub::Rejected;
use crate::transport::handshake::handshake;

const PROBE: &str = "2probe";
const PROBE_ANSWER: &str = "3probe";
const UPGRADE: &str = "5";
/// `2probe` and `5` as a client sends them, masked with zeros.
const PROBED_AND_UPGRADED: &[u8] = b"\x81\x86\0\0\0\x002probe\x81\x81\0\0\0\x005";
/// Bytes of `3probe` as engineioxide sends it, with the head of its frame.
const PROBE_ANSWER_BYTES: usize = 2 + PROBE_ANSWER.len();
/// The longest message of an attempt; all that are understood are shorter.
const MESSAGE_BYTES_MAX: usize = 128;
/// The first pause between two answers to polls that wait for the upgrade; each further one is twice
/// as long. A client may have begun a poll before it hears that its probe was answered, and waits for it.
const NOOP_PAUSE: Duration = Duration::from_millis(100);

/// What all attempts share.
pub(super) struct Upgrades {
    ms_max: u64,
    retry_after_ms: u64,
    draining: watch::Sender<bool>,
}

/// How far a connection has come with its upgrade.
#[derive(Default)]
pub(super) enum Progress {
    #[default]
    Polling,
    /// Dropped with the connection, which ends the attempt; closed when the attempt has ended.
    Trying(oneshot::Sender<Infallible>),
    Upgraded,
}

impl Progress {
    /// Begins an attempt, if there is none. What is given back tells when the connection ends.
    pub(super) fn begin(&mut self) -> Option<oneshot::Receiver<Infallible>> {
        if matches!(self, Self::Upgraded) || self.is_under_way() {
            return None;
        }
        let (attempt, connection) = oneshot::channel();
        *self = Self::Trying(attempt);
        Some(connection)
    }

    /// True while there is an attempt.
    pub(super) fn is_under_way(&self) -> bool {
        matches!(self, Self::Trying(attempt) if !attempt.is_closed())
    }

    /// True once an attempt has ended without a WebSocket, until there is another one.
    pub(super) fn has_failed(&self) -> bool {
        matches!(self, Self::Trying(attempt) if attempt.is_closed())
    }
}

impl Upgrades {
    pub(super) fn new(config: &Config) -> Self {
        let draining = watch::Sender::new(false);
        Self { ms_max: config.upgrade_ms_max, retry_after_ms: config.retry_after_ms, draining }
    }

    /// Ends all attempts, and lets none begin.
    pub(super) fn drain(&self) {
        self.draining.send_replace(true);
    }

    /// Answers the handshake and begins an attempt. `request` asks for a WebSocket for this connection.
    pub(super) fn begin(
        &self,
        engine: &SocketIoService<NotSocketIo>,
        presence: Option<Arc<Presence>>,
        mut request: Request,
    ) -> Result<Response, HttpError> {
        let response = handshake(&request)?;
        if *self.draining.borrow() {
            return Err(Rejected::Draining { retry_after_ms: self.retry_after_ms }.into());
        }
        let presence = presence.ok_or(HttpError::NoUpgrade("there is no such connection"))?;
        let connection = presence.progress().begin();
        let connection = connection.ok_or(HttpError::NoUpgrade("it has or tries one already"))?;
        let upgrade = hyper::upgrade::on(&mut request);
        let attempt = Attempt {
            engine: engine.clone(),
            presence: Arc::downgrade(&presence),
            connection,
            draining: self.draining.subscribe(),
            duration_max: Duration::from_millis(self.ms_max),
        };
        let (parts, _empty) = request.into_parts();
        let mut plain = axum::http::Request::new(());
        *plain.uri_mut() = parts.uri;
        tokio::spawn(attempt.run(upgrade, plain));
        Ok(response.into_response())
    }
}

/// One attempt to upgrade a connection.
struct Attempt {
    engine: SocketIoService<NotSocketIo>,
    presence: Weak<Presence>,
    /// Fails when the connection has ended.
    connection: oneshot::Receiver<Infallible>,
    draining: watch::Receiver<bool>,
    duration_max: Duration,
}

impl Attempt {
    async fn run(self, upgrade: OnUpgrade, request: axum::http::Request<()>) {
        let Self { mut engine, presence, mut connection, mut draining, duration_max } = self;
        let end = async {
            tokio::select! {
                _ = &mut connection => {}
                // Fails only without a sender, which is an end as well.
                _ = draining.wait_for(|draining| *draining) => {}
                () = tokio::time::sleep(duration_max) => {}
            }
        };
        let mut end = std::pin::pin!(end);
        let upgraded = tokio::select! {
            biased;
            () = &mut end => return,
            upgraded = upgrade => upgraded,
        };
        let Ok(upgraded) = upgraded else { return };
        let mut socket = socket(upgraded).await;
        let is_probed = tokio::select! {
            biased;
            () = &mut end => false,
            is_probed = probe(&mut socket, &presence) => is_probed,
        };
        // What cannot be written at once is not worth waiting for.
        let _pongs_or_close = match is_probed {
            true => socket.flush().now_or_never(),
            false => socket.close(None).now_or_never(),
        };
        match presence.upgrade().filter(|_| is_probed) {
            Some(presence) => {
                presence.upgraded();
                let stream = Replay::new(socket.into_inner().0);
                give(&mut engine, stream, presence, request).await;
            }
            None => trace!(name: "upgrade failed", "the polls go on"),
        }
    }
}

async fn socket(upgraded: Upgraded) -> WebSocketStream<ByteByByte> {
    let config = WebSocketConfig::default()
        .read_buffer_size(MESSAGE_BYTES_MAX)
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX));
    let stream = ByteByByte(TokioIo::new(upgraded));
    WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await
}

/// Answers probes until the client upgrades, which is true, or does anything else.
async fn probe(socket: &mut WebSocketStream<ByteByByte>, presence: &Weak<Presence>) -> bool {
    let mut pause = NOOP_PAUSE;
    let mut is_probed = false;
    loop {
        tokio::select! {
            biased;
            message = socket.next() => match message {
                Some(Ok(Message::Text(packet))) if packet == UPGRADE => return true,
                Some(Ok(Message::Text(packet))) if packet == PROBE => {
                    if socket.send(Message::text(PROBE_ANSWER)).await.is_err() {
                        return false;
                    }
                    is_probed = true;
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                _ => return false,
            },
            () = tokio::time::sleep(pause), if is_probed => pause *= 2,
        }
        if let Some(presence) = presence.upgrade() {
            presence.answer_poll();
        }
    }
}

/// Reads one byte at a time, so that nothing is taken from the client that stands behind the last
/// message. An attempt has some twenty of them.
struct ByteByByte(TokioIo<Upgraded>);

impl AsyncRead for ByteByByte {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut byte = [0];
        let mut read = ReadBuf::new(&mut byte);
        ready!(Pin::new(&mut self.0).poll_read(cx, &mut read))?;
        buf.put_slice(read.filled());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ByteByByte {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// The stream of a client that has upgraded, to somebody who has not seen that yet.
struct Replay<Io> {
    io: Io,
    /// What is read before anything else.
    unread: &'static [u8],
    /// How much of what is written the client has had already.
    had: usize,
}

impl<Io> Replay<Io> {
    fn new(io: Io) -> Self {
        Self { io, unread: PROBED_AND_UPGRADED, had: PROBE_ANSWER_BYTES }
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for Replay<Io> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.unread.is_empty() {
            return Pin::new(&mut self.io).poll_read(cx, buf);
        }
        let (read, unread) = self.unread.split_at(self.unread.len().min(buf.remaining()));
        buf.put_slice(read);
        self.unread = unread;
        Poll::Ready(Ok(()))
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Replay<Io> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.had == 0 {
            return Pin::new(&mut self.io).poll_write(cx, buf);
        }
        let had = self.had.min(buf.len());
        self.had -= had;
        Poll::Ready(Ok(had))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
