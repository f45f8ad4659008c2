//! Socket.IO: the mailbox is pushed as it grows, over WebSocket or HTTP long-polling.
//!
//! ```text
//!   CONNECT /chat {token?, after?, lang?}  ──>  open or resume
//!                                          <──  "session" {session, token, next}
//!                                          <──  "msg" words, event        each event of the mailbox
//!   "say" {id, text, pair?}, "msg" text    ──>
//!   "next" {pair?}?, "leave", "ack" {seq}  ──>  with a callback: {accepted: true} or {refused: ..}
//!                                          <──  "refused" {id?, problem}  without one, if refused
//! ```
//!
//! A session that was opened with `after`, or resumed with a token, outlives its connection, and
//! its client acknowledges. DISCONNECT leaves at once.
//!
//! Engine.IO does not number its packets: where a browser repeats a poll by itself, because its
//! answer was cut off on the way, that answer is gone, and the next one leaves a gap in `seq`. Who
//! keeps a cursor then connects again with it.
//!
//! Engine.IO 4 is what today's clients speak. Those of Socket.IO 2 speak Engine.IO 3: they are
//! connected to `/` first, and have a query instead of a payload: that of the handshake, and that
//! behind the namespace.
//!
//! Reading order: `auth` (who connects), `commands` (what comes in), `outbox` and `departures` (what goes
//! out), `conversation` (the two together), `words` (for people), `polling` (who is still there),
//! `admission` (who may poll), `socket` (how the engine gets a WebSocket), `upgrade` (from polls to a
//! WebSocket), `version3` and `namespace_query` (what old clients send), `echo` (another namespace).

mod admission;
mod auth;
mod commands;
mod conversation;
mod departures;
mod describe;
mod echo;
mod namespace_query;
mod outbox;
mod polling;
mod socket;
mod upgrade;
mod version3;

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use socketioxide::adapter::LocalAdapter;
use socketioxide::extract::SocketRef;
use socketioxide::handler::{ConnectHandler, FromConnectParts};
use socketioxide::socket::Socket;
use socketioxide::{ParserConfig, ProtocolVersion, SocketIo, TransportType};
use socketioxide_core::Value;
use tokio::sync::watch;
use tower::Service;

use self::auth::{Auth, TryAuth};
use self::commands::{Line, listen};
use self::conversation::{Beginning, Conversation};
use self::outbox::Outgoing;
use self::polling::{EngineGate, Presence};
use crate::error::HttpError;
use crate::hub::{Hub, Reader, Rejected, Start, Transport};
use crate::router::not_allowed;
use crate::source::Source;
use protocol::{Opened, Refusal};

const NAMESPACE: &str = "/chat";
/// Why nobody is let in any more, where the server is being dropped.
const CLOSED: &str = "The server has closed";
/// Where Socket.IO listens; every client uses this path unless told otherwise.
const PATH: &str = "/socket.io/";

/// Every Socket.IO connection.
pub(crate) struct Sockets {
    io: SocketIo,
    gate: Arc<EngineGate>,
    conversations: watch::Sender<usize>,
    grace: Duration,
}

impl Sockets {
    /// Ends all upgrades that are under way; their connections are told by polls.
    pub(crate) fn drain(&self) {
        self.gate.upgrades.drain();
    }

    /// Closes all connections, once those who were told that their session is over had time to
    /// hear it.
    pub(crate) async fn close(&self) {
        let mut conversations = self.conversations.subscribe();
        let over = async {
            // Fails only without a sender, and this is one.
            let _none_is_left = conversations.wait_for(|conversations| *conversations == 0).await;
        };
        let _late = tokio::time::timeout(self.grace, over).await;
        let _released = Released::everybody(&self.io);
        self.io.close().await;
    }
}

/// Lets go of sockets when it is dropped. What socketioxide closes it has forgotten before, so that
/// a socket would stay in its namespace, and each would keep the other for ever.
struct Released(Vec<SocketRef>);

impl Released {
    fn everybody(io: &SocketIo) -> Self {
        let namespaces = ["/", NAMESPACE, echo::NAMESPACE].into_iter();
        Self(namespaces.filter_map(|name| io.of(name)).flat_map(|room| room.sockets()).collect())
    }
}

impl Drop for Released {
    fn drop(&mut self) {
        for socket in self.0.drain(..) {
            let _has_no_room_for_a_goodbye = socket.disconnect();
        }
    }
}

/// Adds `/socket.io/` to a router.
pub(crate) fn mount(router: Router, hub: Arc<Hub>) -> (Router, Sockets) {
    let config = hub.config();
    let (engine, io) = SocketIo::builder()
        .transports([TransportType::Polling, TransportType::Websocket])
        .ping_interval(Duration::from_millis(config.heartbeat_interval_ms))
        .ping_timeout(Duration::from_millis(config.heartbeat_timeout_ms))
        .upgrade_timeout(Duration::from_millis(config.upgrade_ms_max))
        .connect_timeout(Duration::from_millis(config.header_read_ms_max))
        .max_payload(config.body_bytes_max as u64)
        .ws_max_message_size(config.body_bytes_max)
        .ws_max_frame_size(config.body_bytes_max)
        // Kept by every connection; a message of a chat is shorter, and a longer one is read in parts.
        .ws_read_buffer_size(1_024)
        // Nobody here sends anything binary.
        .with_parser(ParserConfig::common().max_incoming_binaries(0))
        .build_with_inner_svc(NotSocketIo);
    let gate = Arc::new(EngineGate::new(engine, config));
    let conversations = watch::Sender::new(0);
    let grace = Duration::from_millis(config.poll_grace_ms);
    io.ns("/", root.with(old_clients_only));
    echo::mount(&io, &hub);
    chat(&io, &hub, &gate, &conversations);
    let enter =
        get(EngineGate::enter).post(EngineGate::enter).head(polling::head).fallback(not_allowed);
    let enter = enter.with_state(Arc::clone(&gate));
    (router.route_service(PATH, enter), Sockets { io, gate, conversations, grace })
}

/// Clients of Socket.IO 2 are connected to `/` before anything else; nothing happens there.
async fn root() {}

async fn old_clients_only(protocol: ProtocolVersion) -> Result<(), &'static str> {
    match protocol {
        ProtocolVersion::V4 => Ok(()),
        // As any other namespace that is not there.
        ProtocolVersion::V5 => Err("Invalid namespace"),
    }
}

/// What handlers hold on to is weak: they belong to a namespace, which the server belongs to.
fn chat(
    io: &SocketIo,
    hub: &Arc<Hub>,
    gate: &Arc<EngineGate>,
    conversations: &watch::Sender<usize>,
) {
    let listener = {
        let hub = Arc::downgrade(hub);
        async move |socket: SocketRef| {
            let hub = hub.upgrade().ok_or(CLOSED)?;
            Handover::leave(&socket, listen(&socket, &hub));
            Ok::<_, &'static str>(())
        }
    };
    let (hub, gate) = (Arc::downgrade(hub), Arc::downgrade(gate));
    let conversations = conversations.clone();
    let connected = async move |InnerSocket(socket): InnerSocket, auth: TryAuth| {
        let (Some(hub), Some(gate)) = (hub.upgrade(), gate.upgrade()) else { return };
        let line = Handover::take(&socket);
        conversations.send_modify(|conversations| *conversations += 1);
        // Most of a conversation is waiting, and what waits should be small.
        Box::pin(converse(hub, gate, socket, auth, line)).await;
        conversations.send_modify(|conversations| *conversations -= 1);
    };
    io.ns(NAMESPACE, connected.with(listener));
}

/// One connection to `/chat`, from beginning to end.
async fn converse(
    hub: Arc<Hub>,
    gate: Arc<EngineGate>,
    socket: Arc<Socket>,
    TryAuth(auth): TryAuth,
    line: Arc<Line>,
) {
    let presence = Arc::clone(Presence::of(&socket));
    let auth = match auth {
        Ok(auth) => auth,
        Err(error) => return turn_away(&socket, HttpError::Malformed(error.to_string())),
    };
    let (resumable, language) = (auth.is_resumable(), auth.language.unwrap_or_default());
    let address = socket.req_parts().extensions.get::<Source>().and_then(|source| source.address);
    match open_or_resume(&hub, address, auth, transport(&socket)).await {
        Ok((opened, reader)) => {
            let beginning =
                Beginning { socket, line, presence, opened, reader, language, resumable };
            Conversation::new(hub, gate, beginning).run().await;
        }
        Err(rejected) => turn_away(&socket, rejected.into()),
    }
}

/// The queue of a new connection is empty, so both packets fit.
fn turn_away(socket: &Arc<Socket>, why: HttpError) {
    let refusal = Refusal { id: None, problem: why.into() };
    let _already_gone = Outgoing::refused(refusal, None).send(socket);
    let _already_gone = Outgoing::Disconnect.send(socket);
}

/// What a connection is carried by at this moment.
fn transport(socket: &Socket) -> Transport {
    match socket.transport_type() {
        TransportType::Polling => Transport::SocketIoPolling,
        TransportType::Websocket => Transport::SocketIoWebSocket,
    }
}

async fn open_or_resume(
    hub: &Arc<Hub>,
    address: Option<IpAddr>,
    auth: Auth,
    over: Transport,
) -> Result<(Opened, Reader), Rejected> {
    let Some(token) = auth.token else {
        let opened = hub.open(address).await?;
        let reader = hub.attach(opened.session, over).await?;
        return Ok((opened, reader));
    };
    let session = hub.authenticate(&token).ok_or(Rejected::UnknownSession)?;
    let (reader, next) = hub.attach_at(session, Start::Pushed(auth.after), over).await?;
    Ok((Opened { session, token, next }, reader))
}

/// Extracts the `Arc<Socket>` that `SocketRef` wraps.
struct InnerSocket(Arc<Socket>);

impl FromConnectParts<LocalAdapter> for InnerSocket {
    type Error = Infallible;

    fn from_connect_parts(socket: &Arc<Socket>, _: &Option<Value>) -> Result<Self, Infallible> {
        Ok(Self(Arc::clone(socket)))
    }
}

/// Carries something from before a socket is connected to behind that.
struct Handover<T>(Arc<Mutex<Option<T>>>);

impl<T> Clone for Handover<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Send + 'static> Handover<T> {
    fn leave(socket: &Socket, it: T) {
        socket.extensions.insert(Self(Arc::new(Mutex::new(Some(it)))));
    }

    fn take(socket: &Socket) -> T {
        let left = socket.extensions.remove::<Self>().expect("it was left before");
        let mut left = left.0.lock().unwrap_or_else(PoisonError::into_inner);
        left.take().expect("it is taken once")
    }
}

/// Stands where Engine.IO wants a service for what is not its own; no such request gets here.
#[derive(Debug, Clone)]
struct NotSocketIo;

impl Service<Request> for NotSocketIo {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request) -> Self::Future {
        ready(Ok(HttpError::NotFound.into_response()))
    }
}
