//! What every request passes before it reaches a transport, Socket.IO included.
//!
//! ```text
//!   connection ──> for whom?  ──> Host   ──> Origin ──> place of the address ──> router
//!                 `forwarded`    `host`     `origin`    `addresses`
//! ```
//!
//! These rules know no transport; what they refuse never reaches one. The same place counts what
//! was refused anywhere behind it, and adds what every answer has, `answers` says what.

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

use crate::addresses::{Addresses, Place};
use crate::answers::Answers;
use crate::connection::Peer;
use crate::deadline::Deadline;
use crate::error::{HttpError, Reason};
use crate::forwarded::{self, Client};
use crate::hub::{Hub, Transport};
use crate::source::{self, Source};
use crate::{fields, host, origin, problem_page, router};

/// The rules and what stands behind them; the same for all connections.
pub(crate) struct House {
    pub(crate) hub: Arc<Hub>,
    pub(crate) addresses: Arc<Addresses>,
    pub(crate) answers: Answers,
    pub(crate) router: Router,
}

/// The service of one connection.
pub(crate) struct Front {
    pub(crate) house: Arc<House>,
    pub(crate) peer: Arc<Peer>,
}

impl hyper::service::Service<Request<Incoming>> for Front {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let (house, peer) = (Arc::clone(&self.house), Arc::clone(&self.peer));
        let page = house.answers.page(&request);
        if let Some(page) = page.as_ref().filter(|page| page.is_preflight()).cloned() {
            return Box::pin(async move { Ok(house.answers.finish(Some(page), None).await) });
        }
        let (mut parts, body) = request.into_parts();
        let client = house.client(&peer, &parts.headers);
        let asked = Asked::of(&parts, &client);
        let over = router::transport(&parts.uri);
        let wants_page = problem_page::is_wanted(&parts.headers);
        let admitted = house.admit(&peer, &parts, &client).map(|(place, source)| {
            parts.extensions.insert(source);
            let request = Request::from_parts(parts, house.in_time(body));
            (place, house.router.clone().call(request))
        });
        Box::pin(async move {
            let (place, response) = match admitted {
                Err(refused) => (None, refused.into_response()),
                Ok((place, answer)) => (place, answer.await?),
            };
            let response = problem_page::present(house.noted(asked, over, response), wants_page);
            let response = match place {
                Some(place) => hold(place, &peer, response),
                None => response,
            };
            Ok(house.answers.finish(page, Some(response)).await)
        })
    }
}

impl House {
    fn client(&self, peer: &Peer, headers: &HeaderMap) -> Client {
        let config = self.hub.config();
        if peer.is_proxy {
            forwarded::client(peer.address, headers, config.forwarded_by, &config.trusted_proxies)
        } else {
            Client::direct(peer.address)
        }
    }

    /// Lets a request in, with a place where its connection has none of its own.
    fn admit(
        &self,
        peer: &Peer,
        parts: &Parts,
        client: &Client,
    ) -> Result<(Option<Place>, Source), HttpError> {
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
        let place = self.addresses.enter(client.address);
        let place = place.ok_or_else(|| self.addresses.refusal(config.retry_after_ms))?;
        Ok((Some(place), source))
    }

    /// Most requests have no body; those who have one get only so much time for it.
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

/// Holds the place for as long as the answer takes, or as long as the socket lives.
fn hold(place: Place, peer: &Peer, response: Response) -> Response {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        peer.upgraded_for(place);
        return response;
    }
    response.map(|body| Body::new(Held { body, _place: place }))
}

struct Held {
    body: Body,
    _place: Place,
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
