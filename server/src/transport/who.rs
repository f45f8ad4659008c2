//! Who speaks: the token that a request carries, and the session that it opens.
//!
//! ```text
//!   Authorization: Bearer TOKEN                          whoever can set headers
//!   Sec-WebSocket-Protocol: racetrack, racetrack.token.TOKEN     a page's WebSocket, which cannot
//!   Cookie: racetrack_session=TOKEN                      a page that was given one
//! ```
//!
//! A token that was named for this very request beats the cookie, which the browser adds whether
//! or not the page thought of it. A token is never logged, and never sent back but to whoever
//! opens its session.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::{AUTHORIZATION, COOKIE, SEC_WEBSOCKET_PROTOCOL};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};

use crate::error::HttpError;
use crate::hub::Hub;
use crate::protocol::SessionId;

/// The subprotocol that the server selects when it is offered.
pub(crate) const SUBPROTOCOL: &str = "racetrack";
/// What stands before the token where a subprotocol carries one.
const SUBPROTOCOL_TOKEN: &str = "racetrack.token.";
/// Where pages keep the token.
pub(crate) const COOKIE_NAME: &str = "racetrack_session";

/// The session that a request speaks for.
pub(crate) struct Who(pub(crate) SessionId);

/// The token that a request carries.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Credential<'a> {
    /// Named for this request.
    Token(&'a str),
    /// Added by the browser.
    Cookie(&'a str),
}

impl<'a> Credential<'a> {
    pub(crate) fn find(headers: &'a HeaderMap) -> Option<Self> {
        let named = bearer(headers).or_else(|| offered(headers)?.strip_prefix(SUBPROTOCOL_TOKEN));
        named.map(Self::Token).or_else(|| cookie(headers).map(Self::Cookie))
    }

    pub(crate) fn token(self) -> &'a str {
        match self {
            Self::Token(token) | Self::Cookie(token) => token,
        }
    }
}

impl FromRequestParts<Arc<Hub>> for Who {
    type Rejection = HttpError;

    async fn from_request_parts(parts: &mut Parts, hub: &Arc<Hub>) -> Result<Self, HttpError> {
        let credential = Credential::find(&parts.headers);
        let session = credential.and_then(|credential| hub.authenticate(credential.token()));
        session.map(Self).ok_or(HttpError::NoSession)
    }
}

/// The value of `Set-Cookie` that makes a browser remember a session.
pub(crate) fn set_cookie(token: &str) -> HeaderValue {
    let cookie = format!("{COOKIE_NAME}={token}; Path=/; HttpOnly; SameSite=Lax");
    let mut cookie = HeaderValue::try_from(cookie).expect("a token is letters and digits");
    cookie.set_sensitive(true);
    cookie
}

/// True when the client offers the subprotocol that the server speaks.
pub(crate) fn offers_subprotocol(headers: &HeaderMap) -> bool {
    items(headers, SEC_WEBSOCKET_PROTOCOL, ',').any(|name| name == SUBPROTOCOL)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

fn offered(headers: &HeaderMap) -> Option<&str> {
    items(headers, SEC_WEBSOCKET_PROTOCOL, ',').find(|name| name.starts_with(SUBPROTOCOL_TOKEN))
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    items(headers, COOKIE, ';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        (name == COOKIE_NAME).then_some(value)
    })
}

/// What stands in a list that may be spread over several headers.
fn items(headers: &HeaderMap, name: HeaderName, separator: char) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(name).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(move |line| line.split(separator)).map(str::trim)
}
