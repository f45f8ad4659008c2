//! Everything that can go wrong between a client and a server.
//!
//! The errors of hyper and tungstenite are translated here and reach no caller.

use std::error::Error;
use std::io;
use std::time::Duration;

use protocol::Problem;
use tokio_tungstenite::tungstenite;
use tungstenite::error::ProtocolError;

/// Why a client did not get what it asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The connection could not be opened, or was lost.
    #[error("connection: {0}")]
    Io(#[from] io::Error),
    /// The server understood and said no.
    #[error("refused: {} {}", .0.status, .0.title)]
    Refused(Problem),
    /// The Socket.IO namespace refused the connection, with this message.
    #[error("connect error: {0}")]
    ConnectError(String),
    /// The server ended the session in good order.
    #[error("closed by the server")]
    Closed,
    /// No answer came within this time.
    #[error("no answer within {0:?}")]
    Unanswered(Duration),
    /// Neither a ping nor anything else came over the socket within this time.
    #[error("no heartbeat within {0:?}")]
    HeartbeatMissed(Duration),
    /// The server said something that the protocol does not allow.
    #[error("protocol: {0}")]
    Protocol(String),
}

/// The bytes of a wrong answer that are shown.
const EXCERPT_BYTES_MAX: usize = 200;

impl ClientError {
    /// An HTTP answer other than 2xx.
    pub(crate) fn from_answer(status: u16, body: &[u8]) -> Self {
        match serde_json::from_slice(body) {
            Ok(problem) => Self::Refused(problem),
            Err(_) if is_unknown_to_engine_io(body) => Self::cut_off(),
            Err(_) => {
                let excerpt = String::from_utf8_lossy(&body[..body.len().min(EXCERPT_BYTES_MAX)]);
                Self::Protocol(format!("status {status} without problem details: {excerpt}"))
            }
        }
    }

    /// A body or payload that is not what it should be.
    pub(crate) fn unreadable(what: &str, error: &serde_json::Error) -> Self {
        Self::Protocol(format!("{what}: {error}"))
    }

    /// The peer is gone in the middle of something.
    pub(crate) fn cut_off() -> Self {
        Self::Io(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection"))
    }
}

/// True when Engine.IO does not know the connection that the request was part of, which is how a
/// poll learns that it was lost.
fn is_unknown_to_engine_io(body: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Refusal<'a> {
        code: &'a str,
    }
    serde_json::from_slice(body).is_ok_and(|Refusal { code }| code == "1")
}

impl From<hyper::Error> for ClientError {
    fn from(error: hyper::Error) -> Self {
        if let Some(io) = io_cause(&error) {
            return Self::Io(io);
        }
        if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
            return Self::cut_off();
        }
        Self::Protocol(format!("http: {error}"))
    }
}

/// The I/O error under `error`, made anew since a cause can only be borrowed.
fn io_cause(error: &hyper::Error) -> Option<io::Error> {
    let cause = error.source()?.downcast_ref::<io::Error>()?;
    Some(match cause.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(cause.kind(), cause.to_string()),
    })
}

impl From<tungstenite::Error> for ClientError {
    fn from(error: tungstenite::Error) -> Self {
        use tungstenite::Error as Ws;
        match error {
            Ws::Io(error) => Self::Io(error),
            Ws::ConnectionClosed | Ws::Protocol(ProtocolError::SendAfterClosing) => Self::Closed,
            // How it was closed was told to whoever read last.
            Ws::AlreadyClosed => Self::cut_off(),
            Ws::Protocol(
                ProtocolError::ResetWithoutClosingHandshake | ProtocolError::HandshakeIncomplete,
            ) => Self::cut_off(),
            Ws::Http(answer) => {
                let body = answer.body().as_deref().unwrap_or_default();
                Self::from_answer(answer.status().as_u16(), body)
            }
            error => Self::Protocol(format!("websocket: {error}")),
        }
    }
}
