//! The opening handshake (RFC 6455, section 4.2), whose fields may be lists on several lines.
//!
//! `Connection` and `Upgrade` are looked at as RFC 9110, section 5.3, has it; the key and its answer are
//! the library's work. Nothing here knows a session.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CONNECTION, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use axum::http::{HeaderValue, Method, Version};
use axum::response::Response;
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;

use crate::error::HttpError;
use crate::fields;

const WEBSOCKET: &str = "websocket";
const VERSION: &str = "13";
const NO_UPGRADE: HttpError = HttpError::NotWebSocket("ask for an upgrade, by GET and HTTP/1.1");
const NO_VERSION: HttpError = HttpError::NotWebSocket("version 13 of it");
const NO_KEY: HttpError =
    HttpError::Handshake("one Sec-WebSocket-Key is expected, 16 bytes in base64");

/// The answer that switches protocols.
///
/// # Errors
///
/// The request is no handshake, or not one of this version, or its key is malformed.
pub(super) fn handshake(request: &Request) -> Result<Response, HttpError> {
    let headers = request.headers();
    let is_upgrade = request.method() == Method::GET
        && request.version() >= Version::HTTP_11
        && fields::has_token(headers, CONNECTION, "upgrade")
        && fields::has_token(headers, UPGRADE, WEBSOCKET);
    if !is_upgrade {
        return Err(NO_UPGRADE);
    }
    let version = fields::only(headers, SEC_WEBSOCKET_VERSION).map_err(|_| NO_VERSION)?;
    if version.is_none_or(|version| version != VERSION) {
        return Err(NO_VERSION);
    }
    let key = fields::only(headers, SEC_WEBSOCKET_KEY).ok().flatten().ok_or(NO_KEY)?;
    create_response_with_body(&plain(key), Body::empty).map_err(|_| NO_KEY)
}

/// The same handshake with one value on each line, as the library wants it.
fn plain(key: &HeaderValue) -> Request<()> {
    let mut request = Request::new(());
    let headers = request.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static(WEBSOCKET));
    headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static(VERSION));
    headers.insert(SEC_WEBSOCKET_KEY, key.clone());
    request
}
