//! Credentials: the token that a request carries, and the session that it authenticates.
//!
//! ```text
//!   Authorization: Bearer TOKEN                          clients that can set headers
//!   Sec-WebSocket-Protocol: racetrack, racetrack.token.TOKEN     a page's WebSocket, which cannot
//!   Cookie: racetrack_session=TOKEN                      a page that was given one
//! ```
//!
//! A token that was named for this very request beats the cookie, which the browser adds whether
//! or not the page thought of it. A cookie counts only where `source` has evidence of the page that it
//! comes from. Where the client speaks TLS the cookie is `__Host-racetrack_session`, which no other host
//! and no page without TLS can set, and no other name counts. A token is never logged, and never sent
//! back except to the client that opens its session.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::{AUTHORIZATION, COOKIE, SEC_WEBSOCKET_PROTOCOL};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};

use crate::error::HttpError;
use crate::fields;
use crate::hub::Hub;
use crate::source::Source;
use protocol::SessionId;

/// The subprotocol that the server selects when it is offered.
pub(crate) const SUBPROTOCOL: &str = "racetrack";
/// What stands before the token where a subprotocol carries one.
const SUBPROTOCOL_TOKEN: &str = "racetrack.token.";
/// Where pages keep the token.
pub(crate) const COOKIE_NAME: &str = "racetrack_session";
/// Where they keep it with TLS (RFC 6265bis, section 4.1.3.2).
const SECURE_COOKIE_NAME: &str = "__Host-racetrack_session";
/// The scheme of `Authorization`; its case does not matter (RFC 9110, section 11.1).
const BEARER: &[u8] = b"bearer";

/// Extracts the session that a request is authenticated for; rejects a request without one.
pub(crate) struct Authenticated(pub(crate) SessionId);

/// The token that a request carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Credential<'a> {
    /// Named for this request.
    Token(&'a str),
    /// Added by the browser, for a page that may use it.
    Cookie(&'a str),
}

impl<'a> Credential<'a> {
    /// Finds the token of a request.
    ///
    /// # Errors
    ///
    /// There are several, or a cookie that does not count.
    pub(crate) fn find(headers: &'a HeaderMap, source: Source) -> Result<Option<Self>, HttpError> {
        let named = match bearer(headers)? {
            Some(token) => Some(token),
            None => offered(headers),
        };
        if let Some(token) = named {
            return Ok(Some(Self::Token(text(token))));
        }
        let Some(cookie) = cookie(headers, source.is_secure)? else { return Ok(None) };
        if source.cookie_counts {
            Ok(Some(Self::Cookie(text(cookie))))
        } else {
            Err(HttpError::Cookie)
        }
    }

    pub(crate) fn token(self) -> &'a str {
        match self {
            Self::Token(token) | Self::Cookie(token) => token,
        }
    }
}

impl FromRequestParts<Arc<Hub>> for Authenticated {
    type Rejection = HttpError;

    async fn from_request_parts(parts: &mut Parts, hub: &Arc<Hub>) -> Result<Self, HttpError> {
        let credential = Credential::find(&parts.headers, Source::of_request(parts))?;
        let session = credential.and_then(|credential| hub.authenticate(credential.token()));
        session.map(Self).ok_or(HttpError::NoSession)
    }
}

/// Value of `Set-Cookie` that makes a browser remember a session. Nothing here is reached by a link of
/// another site that needs the cookie, so it is sent for pages of this site alone.
pub(crate) fn set_cookie(token: &str, source: Source) -> HeaderValue {
    let (name, secure) =
        if source.is_secure { (SECURE_COOKIE_NAME, "; Secure") } else { (COOKIE_NAME, "") };
    let cookie = format!("{name}={token}; Path=/; HttpOnly; SameSite=Strict{secure}");
    let mut cookie = HeaderValue::try_from(cookie).expect("a token is letters and digits");
    cookie.set_sensitive(true);
    cookie
}

/// True when the client offers the subprotocol that the server speaks.
pub(crate) fn offers_subprotocol(headers: &HeaderMap) -> bool {
    let mut offered = fields::elements(headers, SEC_WEBSOCKET_PROTOCOL);
    offered.any(|name| name == SUBPROTOCOL.as_bytes())
}

fn bearer(headers: &HeaderMap) -> Result<Option<&[u8]>, HttpError> {
    let credentials = fields::only(headers, AUTHORIZATION);
    let credentials =
        credentials.map_err(|_| HttpError::Header("there are several Authorization"))?;
    let credentials = credentials.map(HeaderValue::as_bytes).unwrap_or_default();
    let Some((scheme, token)) = credentials.split_at_checked(BEARER.len()) else { return Ok(None) };
    let is_bearer = scheme.eq_ignore_ascii_case(BEARER) && token.starts_with(b" ");
    Ok(is_bearer.then(|| token.trim_ascii()))
}

fn offered(headers: &HeaderMap) -> Option<&[u8]> {
    let mut offered = fields::elements(headers, SEC_WEBSOCKET_PROTOCOL);
    offered.find_map(|name| name.strip_prefix(SUBPROTOCOL_TOKEN.as_bytes()))
}

/// Value of the session's cookie. Which one of two is the client's own cannot be told: pages of other
/// hosts of the same site can set one too.
fn cookie(headers: &HeaderMap, is_secure: bool) -> Result<Option<&[u8]>, HttpError> {
    let wanted = if is_secure { SECURE_COOKIE_NAME } else { COOKIE_NAME };
    let mut values = fields::separated(headers, COOKIE, b';').filter_map(|pair| {
        let equals = pair.iter().position(|byte| *byte == b'=')?;
        let (name, value) = (&pair[..equals], &pair[equals + 1..]);
        (name.trim_ascii() == wanted.as_bytes()).then(|| unquoted(value.trim_ascii()))
    });
    let value = values.next();
    if values.any(|other| Some(other) != value) {
        return Err(HttpError::Header("there are several cookies racetrack_session that differ"));
    }
    Ok(value)
}

/// RFC 6265, section 4.1.1: a value may stand within quotes.
fn unquoted(value: &[u8]) -> &[u8] {
    value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value)
}

/// A token is ASCII; what is not opens nothing.
fn text(token: &[u8]) -> &str {
    std::str::from_utf8(token).unwrap_or_default()
}
