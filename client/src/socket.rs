//! What the transports over one WebSocket have in common: the upgrade, the two halves, silence.
//!
//! The halves share the socket, because a receiver writes too: pongs and acknowledgements follow
//! from what it reads. Nothing here knows what the frames mean.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::{SplitSink, SplitStream};
use hyper::header::{AUTHORIZATION, HeaderValue};
use protocol::Opened;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::{ANSWER_BYTES_MAX, ClientError, Resume};

/// Eagerly allocated for every connection, and there may be ten thousand.
const READ_BUFFER_BYTES: usize = 4096;
/// What may wait to be written; a command is at most a message of a few KiB.
const WRITE_BUFFER_BYTES_MAX: usize = 256 * 1024;

/// The half that both halves write to.
pub(crate) type Sink<S> = Arc<Mutex<SplitSink<WebSocketStream<S>, Message>>>;

/// Upgrades a connection; `target` is path and query.
pub(crate) async fn upgrade<S>(
    stream: S,
    host: &str,
    target: &str,
    bearer: Option<HeaderValue>,
) -> Result<WebSocketStream<S>, ClientError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut request = format!("ws://{host}{target}").into_client_request()?;
    if let Some(bearer) = bearer {
        request.headers_mut().insert(AUTHORIZATION, bearer);
    }
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_BUFFER_BYTES_MAX)
        .max_message_size(Some(ANSWER_BYTES_MAX))
        .max_frame_size(Some(ANSWER_BYTES_MAX));
    let (socket, _) = client_async_with_config(request, stream, Some(config)).await?;
    Ok(socket)
}

/// The two halves of a socket.
pub(crate) fn split<S>(socket: WebSocketStream<S>) -> (Sink<S>, Listener<S>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (sink, stream) = socket.split();
    (Arc::new(Mutex::new(sink)), Listener { stream, heard_at: Instant::now() })
}

/// The half that is read.
pub(crate) struct Listener<S> {
    stream: SplitStream<WebSocketStream<S>>,
    heard_at: Instant,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Listener<S> {
    /// The next message, whatever its kind; an error when none came for `silence_max`.
    pub(crate) async fn next(&mut self, silence_max: Duration) -> Result<Message, ClientError> {
        let silent_at = self.heard_at + silence_max;
        tokio::select! {
            biased;
            message = self.stream.next() => {
                self.heard_at = Instant::now();
                message.transpose()?.ok_or_else(ClientError::cut_off)
            }
            () = tokio::time::sleep_until(silent_at) => {
                Err(ClientError::HeartbeatMissed(silence_max))
            }
        }
    }
}

/// The first text of a new socket, or the next one.
pub(crate) async fn next_text<S>(socket: &mut WebSocketStream<S>) -> Result<String, ClientError>
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

pub(crate) fn unexpected_binary() -> ClientError {
    ClientError::Protocol("a binary frame".to_owned())
}

/// Who speaks now. A resumed session keeps the application's own cursor.
pub(crate) fn identify(opened: Opened, resume: Option<Resume>) -> Result<Resume, ClientError> {
    let Opened { session, token, next } = opened;
    match resume {
        None => Ok(Resume { session, token, after: next }),
        Some(resume) if resume.session == session => Ok(resume),
        Some(Resume { session: asked, .. }) => {
            Err(ClientError::Protocol(format!("asked to resume {asked}, got {session}")))
        }
    }
}
