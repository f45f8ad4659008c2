//! The admission gate: the checks that every request passes before the router, Socket.IO included.
//!
//! ```text
//!   connection ──> for whom?  ──> Host   ──> Origin ──> permit of the address ──> router
//!                 `forwarded`    `host`     `origin`    `addresses`
//! ```
//!
//! The checks know no transport; a request that they refuse never reaches one. The gate also counts
//! every answer and refusal, and passes each answer through `answers`, which adds the common headers.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, TRANSFER_ENCODING};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use hyper::body::{Frame, Incoming, SizeHint};
use tower::Service;
use tracing::{Level, debug, enabled};

use crate::addresses::{AddressPermit, Addresses};
use crate::answers::Answers;
use crate::connection::Peer;
use crate::deadline::Deadline;
use crate::error::{HttpError, Reason};
use crate::forwarded::{self, Client};
use crate::hub::{Hub, Transport};
use crate::source::{self, Source};
use crate::{fields, host, origin, problem_page, router};

/// The checks and the router behind them; shared by all connections.
pub(crate) struct Gate {
    pub(crate) hub: Arc<Hub>,
    pub(crate) addresses: Arc<Addresses>,
    pub(crate) answers: Answers,
    pub(crate) router: Router,
}

/// The hyper service of one connection.
pub(crate) struct GateService {
    pub(crate) gate: Arc<Gate>,
    pub(crate) peer: Arc<Peer>,
}

impl hyper::service::Service<Request<Incoming>> for GateService {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let (gate, peer) = (Arc::clone(&self.gate), Arc::clone(&self.peer));
        let page = gate.answers.page(&request);
        if let Some(page) = page.as_ref().filter(|page| page.is_preflight()).cloned() {
            return Box::pin(async move { Ok(gate.answers.finish(Some(page), None).await) });
        }
        let (mut parts, body) = request.into_parts();
        let client = gate.client(&peer, &parts.headers);
        let asked = Asked::of(&parts, &client);
        let over = router::transport(&parts.uri);
        let wants_page = problem_page::is_wanted(&parts.headers);
        let admitted = gate.admit(&peer, &parts, &client).map(|(permit, source)| {
            parts.extensions.insert(source);
            let request = Request::from_parts(parts, gate.in_time(body));
            (permit, gate.router.clone().call(request))
        });
        Box::pin(async move {
            let (permit, response) = match admitted {
                Err(refused) => (None, refused.into_response()),
                Ok((permit, answer)) => (permit, answer.await?),
            };
            let response = problem_page::present(gate.noted(asked, over, response), wants_page);
            let response = match permit {
                Some(permit) => hold(permit, &peer, response),
                None => response,
            };
            Ok(gate.answers.finish(page, Some(response)).await)
        })
    }
}

impl Gate {
    fn client(&self, peer: &Peer, headers: &HeaderMap) -> Client {
        let config = self.hub.config();
        if peer.is_proxy {
            forwarded::client(peer.address, headers, config.forwarded_by, &config.trusted_proxies)
        } else {
            Client::direct(peer.address)
        }
    }

    /// Admits a request; with a permit of its client's address where the connection comes from a proxy.
    fn admit(
        &self,
        peer: &Peer,
        parts: &Parts,
        client: &Client,
    ) -> Result<(Option<AddressPermit>, Source), HttpError> {
        let config = self.hub.config();
        let host = host::of(parts)?;
        let host = client.host.as_deref().unwrap_or(host);
        let is_foreign = source::is_foreign(&parts.headers)
            || !origin::is_allowed(&parts.headers, client.scheme, host, &config.allowed_origins);
        if is_foreign && origin::matters(&parts.method, &parts.uri, &parts.headers) {
            return Err(HttpError::Origin);
        }
        if is_encoded(&parts.headers) {
            return Err(HttpError::Encoding);
        }
        let source = Source::of(parts, client, host, config);
        if !peer.is_proxy {
            return Ok((None, source));
        }
        let permit = self.addresses.enter(client.address);
        let permit = permit.ok_or_else(|| self.addresses.refusal(config.retry_after_ms))?;
        Ok((Some(permit), source))
    }

    /// Wraps the body in a deadline of `body_read_ms_max`; an empty body has none.
    fn in_time(&self, body: Incoming) -> Body {
        if body.is_end_stream() {
            return Body::empty();
        }
        Body::new(Deadline::new(body, self.hub.config().body_read_ms_max))
    }

    /// Counts the answer and what was refused, and writes the request to the log.
    fn noted(&self, asked: Option<Asked>, over: Option<Transport>, response: Response) -> Response {
        self.hub.telemetry().answered(over, response.status());
        if let Some(Reason(reason)) = response.extensions().get() {
            self.hub.telemetry().rejected(reason);
        }
        if let Some(Asked { method, path, address }) = asked {
            debug!(%address, %method, path, status = response.status().as_u16(), "request");
        }
        response
    }
}

/// True for a body in a content coding (RFC 9110, section 8.4), which nothing here reads.
fn is_encoded(headers: &HeaderMap) -> bool {
    let has_body = headers.contains_key(TRANSFER_ENCODING)
        || headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0");
    let is_coding = |coding: &[u8]| !coding.eq_ignore_ascii_case(b"identity");
    has_body && fields::elements(headers, CONTENT_ENCODING).any(is_coding)
}

/// What the log tells of a request: never its query, headers or body, which hold secrets.
struct Asked {
    method: Method,
    path: String,
    address: std::net::IpAddr,
}

impl Asked {
    fn of(parts: &Parts, client: &Client) -> Option<Self> {
        enabled!(Level::DEBUG).then(|| Self {
            method: parts.method.clone(),
            path: parts.uri.path().to_owned(),
            address: client.address,
        })
    }
}

/// Keeps the permit until the answer has been written, or until the upgraded socket closes.
fn hold(permit: AddressPermit, peer: &Peer, response: Response) -> Response {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        peer.upgraded_for(permit);
        return response;
    }
    response.map(|body| Body::new(Held { body, _permit: permit }))
}

struct Held {
    body: Body,
    _permit: AddressPermit,
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
