//! Which page a request comes from, as far as the browser says, and whether its cookie counts.
//!
//! A browser adds the cookie to a request by itself, whichever page caused it: a link, an image, an
//! `EventSource` of another site. So a cookie counts only with evidence that a page of this server, a
//! page of a listed origin, or a program sent the request. A token counts by itself: no page can know
//! it that was not given it.
//!
//! | what the request has | the cookie counts |
//! |---|---|
//! | `Sec-Fetch-Mode: navigate` | never: a link or an address that was typed |
//! | `Origin` | where it is this server's own, or listed |
//! | `Sec-Fetch-Site`, no `Origin` | where it is `same-origin` |
//! | `Referer`, neither of those | where its origin is this server's own, or listed, and no page is asked for |
//! | `X-Requested-With` | yes: another site's page can set it only where a preflight allows that |
//! | the upgrade to a WebSocket, no `Origin` | yes: a browser always sends `Origin` with it |
//! | none of these | no: a browser that is told to send no `Referer` over plain HTTP says nothing |
//!
//! The rows are tried from the top, and the first that applies decides, but that the last three are one
//! where `Referer` is missing.

use std::convert::Infallible;
use std::net::IpAddr;

use axum::extract::FromRequestParts;
use axum::http::header::{COOKIE, ORIGIN, REFERER, SEC_WEBSOCKET_KEY, UPGRADE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::config::Config;
use crate::forwarded::Client;
use crate::{fields, media, origin};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
/// What a program with a cookie jar sends to say that it is no page of another site.
pub(crate) const X_REQUESTED_WITH: HeaderName = HeaderName::from_static("x-requested-with");

/// What `front` knows of the sender of a request; an extension of the request.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Source {
    /// Address of the client, as far as proxies that are believed say; none for who is no client.
    pub(crate) address: Option<IpAddr>,
    /// The client speaks TLS.
    pub(crate) is_secure: bool,
    /// A page of this server or of a listed origin sends the request, and says so in `Origin`.
    pub(crate) is_named: bool,
    /// The cookie was not added to somebody else's request.
    pub(crate) cookie_counts: bool,
}

impl Source {
    /// Reads what the request says of its page. `host` is this server as the client names it.
    pub(crate) fn of(parts: &Parts, client: &Client, host: &str, config: &Config) -> Self {
        let headers = &parts.headers;
        let is_named = headers.contains_key(ORIGIN)
            && origin::is_allowed(headers, client.scheme, host, &config.allowed_origins);
        let cookie_counts = headers.contains_key(COOKIE)
            && !is_navigation(headers)
            && is_evident(parts, client, host, config, is_named);
        let address = Some(client.address);
        Self { address, is_secure: client.is_secure(), is_named, cookie_counts }
    }

    /// What was found out before; nothing where `front` was passed by.
    pub(crate) fn of_request(parts: &Parts) -> Self {
        parts.extensions.get::<Self>().copied().unwrap_or_default()
    }
}

impl<S: Sync> FromRequestParts<S> for Source {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of_request(parts))
    }
}

/// True when a page of another site sends the request, as the browser says by `Sec-Fetch-Site`. An
/// `Origin` says it better where there is one.
pub(crate) fn is_foreign(headers: &HeaderMap) -> bool {
    let site = headers.get(SEC_FETCH_SITE);
    !headers.contains_key(ORIGIN)
        && site.is_some_and(|site| !matches!(site.as_bytes(), b"same-origin" | b"none"))
}

fn is_navigation(headers: &HeaderMap) -> bool {
    headers.get_all(SEC_FETCH_MODE).iter().any(|mode| mode == "navigate")
}

fn is_evident(parts: &Parts, client: &Client, host: &str, config: &Config, is_named: bool) -> bool {
    let headers = &parts.headers;
    if headers.contains_key(ORIGIN) {
        return is_named;
    }
    let mut sites = headers.get_all(SEC_FETCH_SITE).iter().peekable();
    if sites.peek().is_some() {
        return sites.all(|site| site == "same-origin");
    }
    let mut referers = headers.get_all(REFERER).iter().peekable();
    if referers.peek().is_some() {
        let is_own = |referer: &HeaderValue| {
            let page = origin_of(referer);
            page.is_some_and(|page| {
                origin::is_one(page, client.scheme, host, &config.allowed_origins)
            })
        };
        return referers.all(is_own) && !asks_for_page(headers);
    }
    headers.contains_key(X_REQUESTED_WITH) || opens_socket(parts)
}

/// Origin of the page that `Referer` names.
fn origin_of(referer: &HeaderValue) -> Option<&str> {
    let referer = referer.to_str().ok()?;
    let host_at = referer.find("://")? + 3;
    let end = referer[host_at..].find(['/', '?', '#']).map_or(referer.len(), |end| host_at + end);
    Some(&referer[..end])
}

/// True for a navigation of a browser that does not send `Sec-Fetch-Mode`.
fn asks_for_page(headers: &HeaderMap) -> bool {
    media::ranges(headers).any(|(name, _)| name.eq_ignore_ascii_case(b"text/html"))
}

/// True for the handshake of a WebSocket; no page can set `Sec-WebSocket-Key` on another request.
fn opens_socket(parts: &Parts) -> bool {
    parts.method == Method::GET
        && fields::has_token(&parts.headers, UPGRADE, "websocket")
        && parts.headers.contains_key(SEC_WEBSOCKET_KEY)
}
