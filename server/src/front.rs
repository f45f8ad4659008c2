//! What every request passes before it reaches a transport, Socket.IO included.
//!
//! ```text
//!   connection ──> for whom?  ──> Host   ──> Origin ──> place of the address ──> router
//!                 `forwarded`    `host`     `origin`    `addresses`
//! ```
//!
//! These rules know no transport; what they refuse never reaches one. The same place counts what
//! was refused anywhere behind it, and makes cookies secure where the client speaks TLS.

use std::convert::Infallible;
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::header::SET_COOKIE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use hyper::body::{Frame, Incoming, SizeHint};
use tower::Service;
use tracing::{Level, debug, enabled};

use crate::addresses::{Addresses, Place};
use crate::connection::Peer;
use crate::deadline::Deadline;
use crate::error::{HttpError, Reason};
use crate::forwarded::{self, Client};
use crate::hub::Hub;
use crate::{host, origin};

/// The rules and what stands behind them; the same for all connections.
pub(crate) struct House {
    pub(crate) hub: Arc<Hub>,
    pub(crate) addresses: Arc<Addresses>,
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
        let (parts, body) = request.into_parts();
        let client = self.house.client(&self.peer, &parts.headers);
        let asked = Asked::of(&parts, &client);
        let place = match self.house.admit(&self.peer, &parts, &client) {
            Ok(place) => place,
            Err(refused) => {
                let response = refused.into_response();
                self.house.note(&asked, &response);
                return Box::pin(ready(Ok(response)));
            }
        };
        let request = Request::from_parts(parts, self.house.in_time(body));
        let answer = self.house.router.clone().call(request);
        let (house, peer) = (Arc::clone(&self.house), Arc::clone(&self.peer));
        let is_secure = client.is_secure();
        Box::pin(async move {
            let mut response = answer.await?;
            house.note(&asked, &response);
            if is_secure {
                secure_cookies(response.headers_mut());
            }
            Ok(match place {
                Some(place) => hold(place, &peer, response),
                None => response,
            })
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
    ) -> Result<Option<Place>, HttpError> {
        let config = self.hub.config();
        let host = host::of(parts)?;
        let host = client.host.as_deref().unwrap_or(host);
        let scheme = client.scheme;
        if origin::matters(&parts.method, &parts.uri, &parts.headers)
            && !origin::is_allowed(&parts.headers, scheme, host, &config.allowed_origins)
        {
            return Err(HttpError::Origin);
        }
        if !peer.is_proxy {
            return Ok(None);
        }
        let place = self.addresses.enter(client.address);
        place.map(Some).ok_or_else(|| self.addresses.refusal(config.retry_after_ms))
    }

    /// Most requests have no body; those who have one get only so much time for it.
    fn in_time(&self, body: Incoming) -> Body {
        if body.is_end_stream() {
            return Body::empty();
        }
        Body::new(Deadline::new(body, self.hub.config().body_read_ms_max))
    }

    fn note(&self, asked: &Option<Asked>, response: &Response) {
        if let Some(Reason(reason)) = response.extensions().get() {
            self.hub.telemetry().rejected(reason);
        }
        if let Some(Asked { method, path, address }) = asked {
            debug!(%address, %method, path, status = response.status().as_u16(), "request");
        }
    }
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

fn secure_cookies(headers: &mut HeaderMap) {
    let cookies = headers.get_all(SET_COOKIE).iter();
    let secure: Vec<_> = cookies.map(secure).collect();
    headers.remove(SET_COOKIE);
    for cookie in secure {
        headers.append(SET_COOKIE, cookie);
    }
}

fn secure(cookie: &HeaderValue) -> HeaderValue {
    let secure = HeaderValue::from_bytes(&[cookie.as_bytes(), b"; Secure"].concat());
    let mut secure = secure.expect("a header value stays one with these letters behind it");
    secure.set_sensitive(cookie.is_sensitive());
    secure
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
