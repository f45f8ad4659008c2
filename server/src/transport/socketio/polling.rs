//! What Engine.IO does not tell: whether a client that polls is there.
//!
//! A client that polls is either asking or about to ask. socketioxide notices that it is gone when
//! a heartbeat is missed, 45 s later. This gate stands in front of it and sees each request:
//!
//! ```text
//!   GET ?transport=polling          takes a permit for the connection, or 503; one of the address, or
//!                                   429. Who never polls after that, or once, is gone after a while
//!   GET ?transport=polling&sid=S    answered: nothing happens      cut while it waits: Cut::Waiting
//!                                   cut while the answer is written, which is lost: Cut::Answer
//! ```
//!
//! The answer to a poll during an upgrade is an answer like others, so an upgrade cuts nothing; `upgrade`
//! says when a poll is answered with nothing, and has what comes over the WebSocket. Who asks twice at a
//! time is closed by Engine.IO. Who was answered and never asks again is noticed by the heartbeat, as
//! there is nothing that could be cut, or by `admission` where that was the first answer.
//!
//! The gate never reads a packet, and keeps of a request only what Engine.IO needs.

mod watched;

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::pin;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::Poll;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, HeaderName, SEC_WEBSOCKET_KEY};
use axum::http::{HeaderMap, HeaderValue, Method, Uri};
use axum::response::{IntoResponse, Response};
use socketioxide::ProtocolVersion;
use socketioxide::adapter::Adapter;
use socketioxide::service::SocketIoService;
use socketioxide::socket::{Sid, Socket};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::unconstrained;
use tokio::time::Instant;
use tower::Service;
use tracing::trace;

pub(super) use self::watched::Watched;
use super::admission::{self, Admission};
use super::departures::Departures;
use super::upgrade::{Progress, Upgrades};
use super::{NotSocketIo, socket, version3};
use crate::config::Config;
use crate::error::{HttpError, Reason};
use crate::hub::Rejected;
use crate::openings::Opening;
use crate::transport::no_body;
use crate::transport::socketio::PATH;

/// The headers that Engine.IO looks at.
const HEADERS_KEPT: [HeaderName; 2] = [CONTENT_TYPE, SEC_WEBSOCKET_KEY];
/// As the query says it.
const VERSION_4: &str = "4";
/// A NOOP packet: the answer to a poll during an upgrade, which fetches nothing.
const NOOP: &str = "6";
/// The same as protocol 3 has it, with its length before it.
const NOOP_3: &str = "1:6";
/// No more than a NOOP has.
const NOOP_BYTES_MAX: u64 = NOOP_3.len() as u64;
/// More than an OPEN packet has.
const OPEN_BYTES_MAX: usize = 1_024;

/// The admission gate in front of Engine.IO: every request for `/socket.io/` passes it.
pub(super) struct EngineGate {
    engine: SocketIoService<NotSocketIo>,
    permits: Arc<Semaphore>,
    pub(super) admission: Admission,
    present: Arc<Present>,
    pub(super) upgrades: Upgrades,
    retry_after_ms: u64,
    payload_bytes_max: usize,
}

/// The polling connections, by the name that Engine.IO gives them. An entry lives as long as its
/// connection.
#[derive(Default)]
struct Present(Mutex<HashMap<Sid, Weak<Presence>>>);

/// One Engine.IO connection seen from its requests. Engine.IO keeps it as long as the connection.
pub(super) struct Presence {
    polls: Mutex<Polls>,
    changed: Notify,
    /// Answers the poll that waits.
    answer_poll: Notify,
    upgrade: Mutex<Progress>,
    departures: Departures,
    /// None where the client does not poll, so that nobody looks for it.
    name: OnceLock<(Sid, Weak<Present>)>,
    _permit: OwnedSemaphorePermit,
    /// None where the client does not poll.
    _opening: Option<Opening>,
}

/// How the polls of one connection went.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Polls {
    pub(super) begun: u64,
    /// Polls whose answer was handed to the connection to be written.
    pub(super) answered: u64,
    /// The latest poll, counted from 1, which left nothing behind of what was sent before it began:
    /// it was answered, or found nothing and waits.
    pub(super) fetched: u64,
    /// How the latest poll was cut off, until there is another one.
    pub(super) cut: Option<Cut>,
    /// When the latest poll ended, however it did; none while it goes on.
    pub(super) idle_since: Option<Instant>,
    /// A WebSocket has taken over.
    pub(super) are_over: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// Nothing was lost.
    Waiting,
    /// What it was answered is lost.
    Answer,
}

impl EngineGate {
    pub(super) fn new(engine: SocketIoService<NotSocketIo>, config: &Config) -> Self {
        Self {
            engine,
            permits: Arc::new(Semaphore::new(config.connections_max)),
            admission: Admission::new(config),
            present: Arc::default(),
            upgrades: Upgrades::new(config),
            retry_after_ms: config.retry_after_ms,
            payload_bytes_max: config.body_bytes_max,
        }
    }

    /// Any request for Socket.IO.
    pub(super) async fn enter(State(gate): State<Arc<Self>>, request: Request) -> Response {
        let query = request.uri().query().unwrap_or_default();
        let is_get = request.method() == Method::GET;
        let transport = field(query, "transport").filter(|_| is_get);
        let is_poll = transport == Some("polling");
        if let (Some("websocket"), Some(sid)) = (transport, field(query, "sid")) {
            let presence = gate.present.named(sid);
            return gate.upgrades.begin(&gate.engine, presence, request).into_response();
        }
        let request = gate.strip(request);
        let query = request.uri().query().unwrap_or_default();
        match field(query, "sid") {
            None if is_get => gate.open(request, is_poll).await,
            Some(sid) if is_poll => {
                let presence = gate.present.named(sid);
                let is_4 = field(query, "EIO") == Some(VERSION_4);
                gate.poll(request, presence, if is_4 { NOOP } else { NOOP_3 }).await
            }
            Some(_)
                if request.method() == Method::POST && field(query, "EIO") != Some(VERSION_4) =>
            {
                gate.call(version3::readable(request, gate.payload_bytes_max).await).await
            }
            _ => gate.call(request).await,
        }
    }

    /// The first request of a connection.
    async fn open(self: &Arc<Self>, mut request: Request, is_poll: bool) -> Response {
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            let retry_after_ms = self.retry_after_ms;
            return refuse(Rejected::Full { retry_after_ms }.into());
        };
        let opening = match self.admission.enter(&request, is_poll) {
            Ok(opening) => opening,
            Err(refused) => return refuse(refused),
        };
        let presence = Arc::new(Presence::new(permit, opening));
        request.extensions_mut().insert(Arc::clone(&presence));
        if !is_poll {
            return socket::open(&self.engine, presence, request).await;
        }
        let is_4 = field(request.uri().query().unwrap_or_default(), "EIO") == Some(VERSION_4);
        let response = self.call(request).await;
        let (parts, body) = response.into_parts();
        let Ok(open) = axum::body::to_bytes(body, OPEN_BYTES_MAX).await else {
            return HttpError::NotFound.into_response();
        };
        if let Some(sid) = sid(&open) {
            self.present.remember(sid, &presence);
            let protocol = if is_4 { ProtocolVersion::V5 } else { ProtocolVersion::V4 };
            tokio::spawn(admission::expect_polls(
                Arc::downgrade(self),
                Arc::downgrade(&presence),
                protocol,
            ));
        }
        Response::from_parts(parts, Body::from(open))
    }

    async fn poll(
        &self,
        request: Request,
        presence: Option<Arc<Presence>>,
        noop: &'static str,
    ) -> Response {
        let Some(presence) = presence else {
            return self.call(request).await;
        };
        let mut watched = Watched::begin(Arc::clone(&presence));
        let is_version3 = version3::is_meant(request.uri());
        let mut answer_at_once = pin!(presence.answer_poll.notified());
        // A poll waits where there is nothing to fetch, and must not where tokio only thinks that it is
        // somebody else's turn.
        let mut call = pin!(unconstrained(self.call(request)));
        let response = poll_fn(|cx| {
            if let Poll::Ready(response) = call.as_mut().poll(cx) {
                return Poll::Ready(response);
            }
            watched.wait();
            // Nothing is lost with a call that waits: it has fetched nothing.
            answer_at_once.as_mut().poll(cx).map(|()| noop.into_response())
        });
        let response = response.await;
        if presence.progress().has_failed() {
            trace!(name: "polled after an upgrade failed", "the polls go on");
        }
        watched.answer(response, is_version3)
    }

    async fn call(&self, request: Request) -> Response {
        let mut engine = self.engine.clone();
        let Ok(response) = Service::call(&mut engine, request).await;
        response.map(Body::new)
    }

    /// Ends a connection in the name of its client, who is gone and cannot do so.
    pub(super) async fn close(&self, sid: Sid, protocol: ProtocolVersion) {
        let (version, close) = match protocol {
            ProtocolVersion::V4 => (3, "1:1"),
            ProtocolVersion::V5 => (4, "1"),
        };
        let target = format!("{PATH}?EIO={version}&transport=polling&sid={sid}");
        let mut request = Request::new(Body::from(close));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = target.parse().expect("an Engine.IO id is letters and digits");
        // Refused only where the connection has ended in the meantime.
        let _answer = self.call(request).await;
    }

    /// Engine.IO keeps the first request for as long as the connection. What is copied here does not
    /// hold on to the buffer that the request was read into.
    fn strip(&self, request: Request) -> Request {
        let (mut parts, body) = request.into_parts();
        let kept = HEADERS_KEPT.iter().filter(|name| parts.headers.contains_key(*name)).count();
        let mut headers = HeaderMap::with_capacity(kept);
        for name in HEADERS_KEPT {
            if let Some(value) = parts.headers.get(&name) {
                let copy = HeaderValue::from_bytes(value.as_bytes());
                headers.insert(name, copy.expect("it was a value before"));
            }
        }
        parts.headers = headers;
        let target = parts.uri.path_and_query().map_or(PATH, |target| target.as_str());
        parts.uri = Uri::from_str(target).expect("it was a target before");
        Request::from_parts(parts, body)
    }
}

/// A refusal that nobody else counts.
fn refuse(refused: HttpError) -> Response {
    let reason = match &refused {
        HttpError::Rejected(rejected) => Some(Reason(rejected.reason())),
        _ => None,
    };
    let mut response = refused.into_response();
    if let Some(reason) = reason {
        response.extensions_mut().insert(reason);
    }
    response
}

/// Answers HEAD as GET, without opening a connection or fetching what waits for one: what it would fetch
/// is not known, but that it is text is.
pub(super) async fn head(uri: Uri) -> Result<impl IntoResponse, HttpError> {
    let query = uri.query().unwrap_or_default();
    let is_known = matches!(field(query, "EIO"), Some("3" | VERSION_4));
    if !is_known || field(query, "transport") != Some("polling") {
        return Err(HttpError::Header("HEAD is answered for polling"));
    }
    Ok(([(CONTENT_TYPE, "text/plain; charset=UTF-8")], no_body()))
}

/// The first field of that name, as Engine.IO reads it.
pub(super) fn field<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

/// The name of the connection in an OPEN packet: `0{"sid":"..."` or `97:0{"sid":"..."`.
fn sid(open: &[u8]) -> Option<Sid> {
    let (_, rest) = std::str::from_utf8(open).ok()?.split_once("\"sid\":\"")?;
    rest.split_once('"')?.0.parse().ok()
}

impl Present {
    fn named(&self, sid: &str) -> Option<Arc<Presence>> {
        self.find(Sid::from_str(sid).ok()?)
    }

    fn find(&self, sid: Sid) -> Option<Arc<Presence>> {
        self.lock().get(&sid).and_then(Weak::upgrade)
    }

    fn remember(self: &Arc<Self>, sid: Sid, presence: &Arc<Presence>) {
        let named = presence.name.set((sid, Arc::downgrade(self)));
        named.expect("a connection is opened once");
        self.lock().insert(sid, Arc::downgrade(presence));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Sid, Weak<Presence>>> {
        // Each change is one call, so there is no half of one to be afraid of.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Presence {
    pub(super) fn new(permit: OwnedSemaphorePermit, opening: Option<Opening>) -> Self {
        Self {
            polls: Mutex::default(),
            changed: Notify::new(),
            departures: Departures::default(),
            answer_poll: Notify::new(),
            upgrade: Mutex::default(),
            name: OnceLock::new(),
            _permit: permit,
            _opening: opening,
        }
    }

    /// That of the connection which a socket belongs to.
    pub(super) fn of<A: Adapter>(socket: &Socket<A>) -> &Arc<Self> {
        let presence = socket.req_parts().extensions.get();
        presence.expect("every connection came through the gate")
    }

    /// The packets of its conversation.
    pub(super) fn departures(&self) -> &Departures {
        &self.departures
    }

    /// True where the connection began with polls.
    pub(super) fn is_watched(&self) -> bool {
        self.name.get().is_some()
    }

    /// The name that Engine.IO gives it, where the client began with polls.
    pub(super) fn sid(&self) -> Option<Sid> {
        self.name.get().map(|(sid, _)| *sid)
    }

    /// How the polls went so far.
    pub(super) fn polls(&self) -> Polls {
        *self.lock()
    }

    /// How the polls went, as soon as that is not what was `seen`. There is one who waits.
    pub(super) async fn changed(&self, seen: Polls) -> Polls {
        loop {
            let polls = self.polls();
            if polls != seen {
                return polls;
            }
            self.changed.notified().await;
        }
    }

    /// Answers the poll that waits, if there is one, with nothing.
    pub(super) fn answer_poll(&self) {
        self.answer_poll.notify_waiters();
    }

    /// The client has changed to a WebSocket, which the conversation learns at once.
    pub(super) fn upgraded(&self) {
        *self.progress() = Progress::Upgraded;
        self.change(|polls| polls.are_over = true);
    }

    /// How far its upgrade has come.
    pub(super) fn progress(&self) -> MutexGuard<'_, Progress> {
        // Each change is one call or assignment.
        self.upgrade.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Polls)) {
        change(&mut self.lock());
        self.changed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Polls> {
        // A change is a few assignments, which do not panic.
        self.polls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        if let Some((sid, present)) = self.name.get()
            && let Some(present) = present.upgrade()
        {
            present.lock().remove(sid);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_read_from_the_open_packet_of_both_protocols() {
        let name = "AAAAAAAAAAAAAAAA";
        let open = format!("0{{\"sid\":\"{name}\",\"upgrades\":[]}}");
        assert_eq!(sid(open.as_bytes()).map(|sid| sid.to_string()).as_deref(), Some(name));
        let open = format!("{}:{open}", open.len());
        assert_eq!(sid(open.as_bytes()).map(|sid| sid.to_string()).as_deref(), Some(name));
        assert_eq!(sid(b"{\"code\":\"0\"}"), None);
    }

    #[test]
    fn a_field_of_the_query_is_found_by_its_whole_name() {
        assert_eq!(field("EIO=4&xsid=a&sid=b&sid=c", "sid"), Some("b"));
        assert_eq!(field("sidx=a", "sid"), None);
        assert_eq!(field("", "sid"), None);
    }
}
