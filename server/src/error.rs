//! From a refusal to its answer: problem details (RFC 9457) with the right status.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection, StringRejection};
use axum::http::header::{
    ACCEPT, ACCEPT_ENCODING, CONNECTION, CONTENT_TYPE, RETRY_AFTER, SEC_WEBSOCKET_VERSION, UPGRADE,
    WWW_AUTHENTICATE,
};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::deadline::SlowBody;
use crate::hub::Rejected;
use protocol::{Problem, Rated};

/// The media type of a problem.
const PROBLEM_JSON: &str = "application/problem+json";
/// How to authenticate: RFC 9110, section 15.5.2, and RFC 6750, section 3.
const CHALLENGE: &str = "Bearer realm=\"racetrack\"";

/// Everything that the HTTP interface may answer instead of what was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    #[error(transparent)]
    Rejected(#[from] Rejected),
    #[error("{0}")]
    Body(#[from] JsonRejection),
    #[error("{0}")]
    Text(#[from] StringRejection),
    #[error("{0}")]
    Query(#[from] QueryRejection),
    #[error("send the token as `Authorization: Bearer TOKEN` or as the cookie racetrack_session")]
    NoSession,
    #[error("there is nothing at this address; GET / and GET /api/openapi.json list what there is")]
    NotFound,
    #[error("{0}")]
    Malformed(String),
    #[error("more than {commands_max} commands are waiting; send slower")]
    Flood { commands_max: usize },
    #[error("this address does not take that method; `Allow` lists those that it takes")]
    MethodNotAllowed,
    #[error("{0}; send one of them")]
    Header(&'static str),
    #[error(
        "the cookie alone does not say that a page of this server sent the request; send the token as \
         `Authorization: Bearer TOKEN`, or the header X-Requested-With"
    )]
    Cookie,
    #[error(
        "the ticket has expired, or is not for the origin of this page; get another with POST /api/ticket"
    )]
    Ticket,
    #[error(
        "a ticket is for a page, and this request has no Origin of one; a program sends the token instead"
    )]
    NoOrigin,
    #[error("{0}; a request names one Host, as `Host: example.org:3000`")]
    Host(&'static str),
    #[error(
        "pages of this origin may not do this; the server's --allowed-origins names those that may"
    )]
    Origin,
    #[error("this address has {each_max} connections open; close one or come back later")]
    TooManyConnections { each_max: usize, retry_after_ms: u64 },
    #[error("as many requests are parked as the server allows; come back later")]
    TooManyParked { retry_after_ms: u64 },
    #[error("an announcement is text, and this one is empty")]
    NothingAnnounced,
    #[error("the header took more than {ms_max} ms")]
    SlowHeader { ms_max: u64 },
    #[error("this address speaks WebSocket: {0}")]
    NotWebSocket(&'static str),
    #[error("the body is encoded; send it as it is, without Content-Encoding")]
    Encoding,
    #[error("{0}")]
    Handshake(&'static str),
    #[error("this connection cannot be upgraded: {0}")]
    NoUpgrade(&'static str),
}

impl HttpError {
    fn kind(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Rejected(rejected) => kind(rejected),
            Self::Body(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                (StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", "The body is too large")
            }
            Self::Text(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                (StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", "The body is too large")
            }
            Self::Body(JsonRejection::MissingJsonContentType(_)) | Self::Encoding => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "media-type",
                "The media type is not understood",
            ),
            Self::Body(_) | Self::Text(_) if is_slow(self) => {
                (StatusCode::REQUEST_TIMEOUT, "slow-body", "The body took too long")
            }
            Self::Body(_) | Self::Text(_) | Self::NothingAnnounced => {
                (StatusCode::BAD_REQUEST, "bad-body", "The body is not understood")
            }
            Self::Malformed(_) => {
                (StatusCode::BAD_REQUEST, "bad-event", "The event is not understood")
            }
            Self::Flood { .. } => (StatusCode::TOO_MANY_REQUESTS, "too-fast", "Too many commands"),
            Self::Query(_) => (StatusCode::BAD_REQUEST, "bad-query", "The query is not understood"),
            Self::NoSession => (StatusCode::UNAUTHORIZED, "no-session", "No session"),
            Self::Ticket => (StatusCode::UNAUTHORIZED, "ticket", "The ticket does not count"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not-found", "Not found"),
            Self::MethodNotAllowed => {
                (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed")
            }
            Self::Host(_) => (StatusCode::BAD_REQUEST, "host", "The Host is not understood"),
            Self::Header(_) | Self::NoOrigin => {
                (StatusCode::BAD_REQUEST, "bad-header", "A header is not understood")
            }
            Self::Cookie => (StatusCode::FORBIDDEN, "cookie", "The cookie does not count"),
            Self::Origin => (StatusCode::FORBIDDEN, "origin", "The origin is not allowed"),
            Self::TooManyConnections { .. } => {
                (StatusCode::TOO_MANY_REQUESTS, "too-many-connections", "Too many connections")
            }
            Self::TooManyParked { .. } => {
                (StatusCode::SERVICE_UNAVAILABLE, "full", "The server is full")
            }
            Self::SlowHeader { .. } => {
                (StatusCode::REQUEST_TIMEOUT, "slow-header", "The header took too long")
            }
            Self::Handshake(_) => {
                (StatusCode::BAD_REQUEST, "bad-header", "A header is not understood")
            }
            Self::NoUpgrade(_) => {
                (StatusCode::BAD_REQUEST, "no-upgrade", "The connection cannot be upgraded")
            }
            Self::NotWebSocket(_) => {
                (StatusCode::UPGRADE_REQUIRED, "not-websocket", "A WebSocket is expected")
            }
        }
    }

    fn limit(&self) -> Option<Rated> {
        match self {
            Self::Rejected(Rejected::TooFast { what, .. }) => Some(*what),
            _ => None,
        }
    }

    fn retry_after_ms(&self) -> Option<u64> {
        match self {
            Self::Rejected(
                Rejected::Draining { retry_after_ms }
                | Rejected::Full { retry_after_ms }
                | Rejected::TooManySessions { retry_after_ms, .. }
                | Rejected::OpensTooFast { retry_after_ms }
                | Rejected::TooFast { retry_after_ms, .. }
                | Rejected::MailboxFull { retry_after_ms, .. },
            )
            | Self::TooManyParked { retry_after_ms }
            | Self::TooManyConnections { retry_after_ms, .. } => Some(*retry_after_ms),
            _ => None,
        }
    }
}

/// Why a request was refused, as the last part of the problem's type: an extension of the answer,
/// so that refusals can be counted. The hub counts its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reason(pub(crate) &'static str);

/// The [`Problem::title`] of an answer: an extension, for those who read the answer as a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Title(pub(crate) &'static str);

impl HttpError {
    /// The whole answer as it stands on the wire, for a connection that no HTTP library serves.
    pub(crate) fn to_wire(&self) -> Vec<u8> {
        let (status, ..) = self.kind();
        let body = serde_json::to_string(&self.problem()).expect("a problem is plain data");
        let retry_after = self.retry_after_s().map(|s| format!("retry-after: {s}\r\n"));
        format!(
            "HTTP/1.1 {status}\r\ncontent-type: {PROBLEM_JSON}\r\nx-content-type-options: nosniff\r\n\
             cache-control: no-store\r\n{}connection: close\r\ncontent-length: {}\r\n\r\n{body}",
            retry_after.unwrap_or_default(),
            body.len(),
        )
        .into_bytes()
    }

    fn retry_after_s(&self) -> Option<u64> {
        self.retry_after_ms().map(|ms| ms.div_ceil(1_000))
    }

    fn problem(&self) -> Problem {
        let (status, kind, title) = self.kind();
        Problem {
            kind: format!("/problems/{kind}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: self.to_string(),
            limit: self.limit(),
            retry_after_ms: self.retry_after_ms(),
        }
    }
}

/// True when the body was not read because it took too long.
fn is_slow(error: &HttpError) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<SlowBody>() {
            return true;
        }
        cause = error.source();
    }
    false
}

impl IntoResponse for HttpError {
    fn into_response(self) -> Response {
        let (status, reason, title) = self.kind();
        let mut response = (status, Json(self.problem())).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some(retry_after_s) = self.retry_after_s() {
            headers.insert(RETRY_AFTER, HeaderValue::from(retry_after_s));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGE));
        }
        match self {
            Self::Encoding => {
                headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
            }
            Self::Body(JsonRejection::MissingJsonContentType(_)) => {
                headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
            }
            _ => {}
        }
        if status == StatusCode::REQUEST_TIMEOUT {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if status == StatusCode::UPGRADE_REQUIRED {
            headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        }
        response.extensions_mut().insert(Title(title));
        if !matches!(self, Self::Rejected(_)) {
            response.extensions_mut().insert(Reason(reason));
        }
        response
    }
}

impl From<HttpError> for Problem {
    fn from(error: HttpError) -> Self {
        error.problem()
    }
}

fn kind(rejected: &Rejected) -> (StatusCode, &'static str, &'static str) {
    let (status, title) = match rejected {
        Rejected::UnknownSession => (StatusCode::UNAUTHORIZED, "No session"),
        Rejected::Closed => (StatusCode::CONFLICT, "The session has ended"),
        Rejected::Draining { .. } => {
            (StatusCode::SERVICE_UNAVAILABLE, "The server is shutting down")
        }
        Rejected::Full { .. } => (StatusCode::SERVICE_UNAVAILABLE, "The server is full"),
        Rejected::TooManySessions { .. } => (StatusCode::TOO_MANY_REQUESTS, "Too many sessions"),
        Rejected::OpensTooFast { .. } => (StatusCode::TOO_MANY_REQUESTS, "Opened too fast"),
        Rejected::NotPaired => (StatusCode::CONFLICT, "Nobody is there"),
        Rejected::StalePair { .. } => (StatusCode::CONFLICT, "The partner has left"),
        Rejected::TooFast { .. } => (StatusCode::TOO_MANY_REQUESTS, "Too many commands"),
        Rejected::MailboxFull { .. } => (StatusCode::TOO_MANY_REQUESTS, "A mailbox is full"),
        Rejected::TooLong { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "The message is too long"),
        Rejected::Superseded => (StatusCode::CONFLICT, "Read by another connection"),
        Rejected::Cursor { .. } => (StatusCode::CONFLICT, "The cursor is out of bounds"),
    };
    (status, rejected.reason(), title)
}
