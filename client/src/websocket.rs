//! One JSON object a text frame, over one WebSocket.
//!
//! ```text
//! client                                        server
//!    |---- GET /api/ws?after=6, bearer token ---------->|  or neither, for a new session
//!    |<--- 101, then "opened" --------------------------|
//!    |<--- events, "refused", ping ---------------------|
//!    |---- "say", "next", "leave", "ack", pong -------->|
//! ```
//!
//! A pong acknowledges what came before its ping, and tungstenite writes it when the next call
//! reads on: by then the application has been given those events. So the receiver has nothing to
//! write itself. It never opens a second connection.

use std::time::Duration;

use futures_util::SinkExt;
use protocol::{ClientEvent, Opened, Problem, Seq, ServerEvent, ServerFrame};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::cursor::Cursor;
use crate::http::bearer;
use crate::socket::{self, Listener, Sink};
use crate::{ClientError, Connect, Options, Received, Resume, Sent};

/// Opens or resumes a session.
pub(crate) async fn open<C: Connect>(
    connector: &C,
    options: Options,
) -> Result<(Resume, Sender<C::Stream>, Receiver<C::Stream>), ClientError> {
    let handshake = async {
        let mut socket = upgrade(connector.connect().await?, &options).await?;
        let opened = opened(&mut socket).await?;
        Ok::<_, ClientError>((socket, opened))
    };
    let (socket, opened) = tokio::time::timeout(options.answer_max, handshake)
        .await
        .map_err(|_| ClientError::Unanswered(options.answer_max))??;
    let identity = socket::identify(opened, options.resume)?;
    let (sink, listener) = socket::split(socket);
    let receiver = Receiver {
        listener,
        cursor: Cursor::after(identity.after),
        silence_max: options.silence_max,
        closed: false,
    };
    Ok((identity, Sender { sink, requests: 1 }, receiver))
}

async fn upgrade<S>(stream: S, options: &Options) -> Result<WebSocketStream<S>, ClientError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    match &options.resume {
        None => socket::upgrade(stream, &options.host, "/api/ws", None).await,
        Some(Resume { token, after, .. }) => {
            let target = match options.names_cursor {
                true => format!("/api/ws?after={}", after.0),
                false => "/api/ws".to_owned(),
            };
            socket::upgrade(stream, &options.host, &target, Some(bearer(token)?)).await
        }
    }
}

/// The first frame.
async fn opened<S>(socket: &mut WebSocketStream<S>) -> Result<Opened, ClientError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let text = socket::next_text(socket).await?;
    match parse(&text)? {
        ServerFrame::Opened(opened) => Ok(opened),
        ServerFrame::Refused(refusal) => Err(ClientError::Refused(refusal.problem)),
        ServerFrame::Event(event) => {
            Err(ClientError::Protocol(format!("event {} before the session", event.seq)))
        }
    }
}

fn parse(text: &str) -> Result<ServerFrame, ClientError> {
    serde_json::from_str(text).map_err(|error| ClientError::unreadable("a frame", &error))
}

/// Commands, one frame each.
pub(crate) struct Sender<S> {
    sink: Sink<S>,
    requests: u64,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Sender<S> {
    pub(crate) async fn send(&mut self, event: ClientEvent) -> Result<Sent, ClientError> {
        let text = serde_json::to_string(&event).expect("text and numbers are JSON");
        self.sink.lock().await.send(Message::text(text)).await?;
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
    cursor: Cursor,
    silence_max: Duration,
    closed: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Receiver<S> {
    pub(crate) async fn receive(&mut self) -> Result<Received, ClientError> {
        if self.closed {
            return Err(ClientError::Closed);
        }
        loop {
            let message = self.listener.next(self.silence_max).await?;
            // There is no await from here to the return, so a dropped call loses nothing.
            if let Some(received) = self.take(message)? {
                return Ok(received);
            }
        }
    }

    fn take(&mut self, message: Message) -> Result<Option<Received>, ClientError> {
        match message {
            Message::Text(text) => self.take_frame(parse(&text)?),
            Message::Close(frame) => {
                self.closed = true;
                Err(closed(frame))
            }
            Message::Binary(_) => Err(socket::unexpected_binary()),
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => Ok(None),
        }
    }

    fn take_frame(&mut self, frame: ServerFrame) -> Result<Option<Received>, ClientError> {
        match frame {
            ServerFrame::Event(event) => {
                self.closed |= matches!(event.body, ServerEvent::Closing { .. });
                let mut received = Received::default();
                received.take(event, &mut self.cursor);
                Ok(Some(received))
            }
            ServerFrame::Refused(refusal) if refusal.problem.kind == Problem::SUPERSEDED => {
                Err(ClientError::Refused(refusal.problem))
            }
            ServerFrame::Refused(refusal) => {
                Ok(Some(Received { refused: vec![refusal], ..Received::default() }))
            }
            ServerFrame::Opened(_) => Err(ClientError::Protocol("a second opening".to_owned())),
        }
    }

    pub(crate) fn cursor(&self) -> Seq {
        self.cursor.seq()
    }

    /// Pongs are tungstenite's, and nobody counts them.
    pub(crate) fn requests(&self) -> u64 {
        0
    }
}

/// What a close frame says: the session is over, or this client has done something wrong.
fn closed(frame: Option<CloseFrame>) -> ClientError {
    match frame {
        Some(CloseFrame { code, reason })
            if matches!(
                code,
                CloseCode::Protocol
                    | CloseCode::Unsupported
                    | CloseCode::Invalid
                    | CloseCode::Policy
                    | CloseCode::Size
            ) =>
        {
            ClientError::Protocol(format!("closed with {code}: {reason}"))
        }
        _ => ClientError::Closed,
    }
}
