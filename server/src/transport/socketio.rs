//! Socket.IO, namespace `/chat`: the mailbox is pushed as it grows.
//!
//! ```text
//!   CONNECT /chat {token?, after?}  ──>  open or resume
//!                                   <──  "session" {session, token, next}
//!                                   <──  "msg" text, event        each event of the mailbox
//!   "say" {id, text, pair?}         ──>                "next" {pair?}?, "leave", "ack" {seq}
//!                                   <──  "refused" {id?, problem} where a command was refused
//! ```
//!
//! socketioxide runs each event handler as a task of its own, which gives up the order of a
//! person's messages. The handler here is synchronous: it puts the command into a short line
//! that one task a socket takes them from, so that order is kept and a flood is refused. What
//! socketioxide cannot take from us stays in the mailbox until there is room.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use serde::Deserialize;
use socketioxide::adapter::Adapter;
use socketioxide::extract::{Data, SocketRef, TryData};
use socketioxide::handler::{FromMessageParts, MessageHandler};
use socketioxide::socket::{DisconnectReason, Socket};
use socketioxide::{SendError, SocketError, SocketIo, TransportType};
use socketioxide_core::Value;
use tokio::sync::mpsc;

use crate::error::HttpError;
use crate::hub::{Detach, Hub, Reader, Rejected};
use crate::protocol::{
    Batch, ClientEvent, Event, MessageId, Opened, PairId, Refusal, Seq, ServerEvent, Speaker,
};

/// Commands of one socket that wait for their turn.
const COMMANDS_MAX: usize = 64;
/// How long to leave a socket alone whose send queue is full.
const FULL_PAUSE: Duration = Duration::from_millis(5);

/// What a client may say when it connects.
#[derive(Debug, Default, Deserialize)]
struct Auth {
    token: Option<String>,
    #[serde(default)]
    after: Seq,
}

#[derive(Debug, Deserialize)]
struct Ack {
    seq: Seq,
}

/// The arguments of `next`, all of which may be left out. With two fields, of which the second is
/// never there, it is read from the list of arguments and not from the first of them.
#[derive(Debug, Deserialize)]
struct Next(#[serde(default)] Meant, #[serde(default)] serde::de::IgnoredAny);

#[derive(Debug, Default, Deserialize)]
struct Meant {
    pair: Option<PairId>,
}

/// What comes in from one socket, in order.
#[derive(Debug)]
enum Incoming {
    Command(ClientEvent),
    /// The event was not understood.
    Malformed(String),
    Disconnected(DisconnectReason),
}

/// Adds `/socket.io/` to a router.
pub(crate) fn mount(router: Router, hub: Arc<Hub>) -> (Router, SocketIo) {
    let config = hub.config();
    let (layer, io) = SocketIo::builder()
        .transports([TransportType::Websocket])
        .ping_interval(Duration::from_millis(config.heartbeat_interval_ms))
        .ping_timeout(Duration::from_millis(config.heartbeat_timeout_ms))
        .max_payload(config.body_bytes_max as u64)
        .ws_max_message_size(config.body_bytes_max)
        .ws_max_frame_size(config.body_bytes_max)
        .ws_read_buffer_size(4_096)
        .build_layer();
    io.ns("/chat", async move |socket: SocketRef, auth: TryData<Option<Auth>>| {
        let auth = auth.0.ok().flatten().unwrap_or_default();
        connected(hub, socket, auth).await;
    });
    (router.layer(layer), io)
}

async fn connected(hub: Arc<Hub>, socket: SocketRef, auth: Auth) {
    let resumable = auth.token.is_some();
    let (opened, reader) = match open_or_resume(&hub, auth).await {
        Ok(opened) => opened,
        Err(rejected) => {
            refuse(&socket, None, rejected);
            let _already_gone = socket.disconnect();
            return;
        }
    };
    let incoming = listen(&socket);
    let conversation = Conversation { hub, socket, reader, opened, incoming, resumable };
    conversation.run().await;
}

async fn open_or_resume(hub: &Arc<Hub>, auth: Auth) -> Result<(Opened, Reader), Rejected> {
    let Some(token) = auth.token else {
        let opened = hub.open().await?;
        let reader = hub.attach(opened.session).await?;
        return Ok((opened, reader));
    };
    let session = hub.authenticate(&token).ok_or(Rejected::UnknownSession)?;
    let reader = hub.attach(session).await?;
    if let Err(rejected) = reader.acknowledge(auth.after).await {
        reader.finish(Detach::Answered).await;
        return Err(rejected);
    }
    Ok((Opened { session, token, next: auth.after }, reader))
}

/// Puts everything that the socket sends into one line.
fn listen(socket: &SocketRef) -> mpsc::Receiver<Incoming> {
    let (line, incoming) = mpsc::channel(COMMANDS_MAX);
    socket.on("say", InOrder::with_argument(&line, ClientEvent::Say));
    socket.on("ack", InOrder::with_argument(&line, |ack: Ack| ClientEvent::Ack { seq: ack.seq }));
    socket.on(
        "next",
        InOrder::with_argument(&line, |Next(next, _): Next| ClientEvent::Next { pair: next.pair }),
    );
    socket.on("leave", InOrder::without_argument(&line, || ClientEvent::Leave));
    socket.on_disconnect(async move |reason: DisconnectReason| {
        // Waits for its turn behind the commands; fails only when nobody listens any more.
        let _nobody_listens = line.send(Incoming::Disconnected(reason)).await;
    });
    incoming
}

/// One socket at work.
struct Conversation {
    hub: Arc<Hub>,
    socket: SocketRef,
    reader: Reader,
    opened: Opened,
    incoming: mpsc::Receiver<Incoming>,
    resumable: bool,
}

impl Conversation {
    async fn run(mut self) {
        let how = match self.socket.emit("session", &self.opened) {
            Ok(()) => self.converse().await,
            // The connection broke while we listened up, too late or too early to be told so.
            Err(_) => self.lost(),
        };
        self.reader.finish(how).await;
    }

    async fn converse(&mut self) -> Detach {
        let mut cursor = self.opened.next;
        loop {
            tokio::select! {
                biased;
                incoming = self.incoming.recv() => match incoming {
                    Some(Incoming::Command(event)) => self.obey(event).await,
                    Some(Incoming::Malformed(why)) => {
                        refuse(&self.socket, None, HttpError::Malformed(why));
                    },
                    Some(Incoming::Disconnected(reason)) => return self.disconnected(reason).await,
                    None => return self.lost(),
                },
                batch = self.reader.receive(cursor, None) => match batch {
                    Ok(batch) if !batch.events.is_empty() => match self.push(batch).await {
                        Some(next) => cursor = next,
                        None => return self.lost(),
                    },
                    // Another reader took over, or the session is over: this socket is done.
                    Ok(_) | Err(_) => {
                        let _already_gone = self.socket.clone().disconnect();
                        return Detach::Answered;
                    }
                },
            }
        }
    }

    async fn obey(&self, event: ClientEvent) {
        let id = match &event {
            ClientEvent::Say(say) => Some(say.id.clone()),
            ClientEvent::Next { .. } | ClientEvent::Leave | ClientEvent::Ack { .. } => None,
        };
        if let Err(rejected) = self.hub.send(self.opened.session, event).await {
            refuse(&self.socket, id, rejected);
        }
    }

    /// Sends a batch, forgets what nobody can ask for again, and returns the new cursor; none
    /// when the socket is gone.
    async fn push(&self, batch: Batch) -> Option<Seq> {
        for event in &batch.events {
            self.emit(event).await?;
        }
        if !self.resumable {
            let _session_is_over = self.reader.acknowledge(batch.next).await;
        }
        let last = batch.events.last().map(|event| &event.body);
        if let Some(ServerEvent::Closing { .. }) = last {
            let _already_gone = self.socket.clone().disconnect();
        }
        Some(batch.next)
    }

    /// Sends one event as soon as the socket has room for it; none when the socket is gone.
    async fn emit(&self, event: &Event) -> Option<()> {
        let text = classic_text(event);
        loop {
            match self.socket.emit("msg", &(&text, event)) {
                Ok(()) => return Some(()),
                Err(SendError::Socket(SocketError::InternalChannelFull)) => {
                    tokio::time::sleep(FULL_PAUSE).await;
                }
                Err(_) => return None,
            }
        }
    }

    async fn disconnected(&self, reason: DisconnectReason) -> Detach {
        match reason {
            DisconnectReason::ClientNSDisconnect => {
                let _session_is_over = self.hub.send(self.opened.session, ClientEvent::Leave).await;
                Detach::Answered
            }
            _ => self.lost(),
        }
    }

    fn lost(&self) -> Detach {
        if self.resumable { Detach::Dropped } else { Detach::Ended }
    }
}

fn refuse<A: Adapter>(socket: &Socket<A>, id: Option<MessageId>, why: impl Into<HttpError>) {
    let refusal = Refusal { id, problem: why.into().into() };
    let _already_gone = socket.emit("refused", &refusal);
}

/// A message handler that runs where the packet was read, so that order is kept.
struct InOrder<T> {
    line: mpsc::Sender<Incoming>,
    command: Command<T>,
}

enum Command<T> {
    WithArgument(fn(T) -> ClientEvent),
    WithoutArgument(fn() -> ClientEvent),
}

impl<T> InOrder<T> {
    fn with_argument(line: &mpsc::Sender<Incoming>, command: fn(T) -> ClientEvent) -> Self {
        Self { line: line.clone(), command: Command::WithArgument(command) }
    }
}

impl InOrder<()> {
    fn without_argument(line: &mpsc::Sender<Incoming>, command: fn() -> ClientEvent) -> Self {
        Self { line: line.clone(), command: Command::WithoutArgument(command) }
    }
}

impl<A: Adapter, T> MessageHandler<A, InOrder<T>> for InOrder<T>
where
    T: serde::de::DeserializeOwned + 'static,
{
    fn call(&self, socket: Arc<Socket<A>>, mut value: Value, ack_id: Option<i64>) {
        let incoming = match self.command {
            Command::WithoutArgument(command) => Incoming::Command(command()),
            Command::WithArgument(command) => {
                match Data::<T>::from_message_parts(&socket, &mut value, &ack_id) {
                    Ok(Data(argument)) => Incoming::Command(command(argument)),
                    Err(error) => Incoming::Malformed(error.to_string()),
                }
            }
        };
        if self.line.try_send(incoming).is_err() {
            refuse(&socket, None, HttpError::Flood { commands_max: COMMANDS_MAX });
        }
    }
}

/// The event as the original random chat worded it, in Korean.
fn classic_text(event: &Event) -> String {
    match &event.body {
        ServerEvent::Welcome { .. } => format!("서버에 접속되었습니다.{}", event.at),
        ServerEvent::Waiting => "[상대방을 기다리고 있습니다.]".to_owned(),
        ServerEvent::Paired { .. } => "[상대방과 연결되었습니다.]".to_owned(),
        ServerEvent::Message { from: Speaker::Me, text, .. } => format!("[나]{text}"),
        ServerEvent::Message { from: Speaker::Partner, text, .. } => format!("[상대방]{text}"),
        ServerEvent::PartnerLeft { .. } => "상대방이 접속을 종료합니다.".to_owned(),
        ServerEvent::Notice { online } => {
            format!("[전체공지]현재 접속 인원은 총 {online}명입니다.")
        }
        ServerEvent::Lagged { missed } => format!("[알림]공지 {missed}개를 건너뛰었습니다."),
        ServerEvent::Closing { .. } => "[서버와의 연결이 종료됩니다.]".to_owned(),
    }
}
