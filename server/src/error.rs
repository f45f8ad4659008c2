//! From a refusal to its answer: problem details (RFC 9457) with the right status.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::hub::Rejected;
use crate::protocol::Problem;

/// Everything that the HTTP interface may answer instead of what was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    #[error(transparent)]
    Rejected(#[from] Rejected),
    #[error("{0}")]
    Body(#[from] JsonRejection),
    #[error("{0}")]
    Query(#[from] QueryRejection),
    #[error("send the token as `Authorization: Bearer TOKEN` or as the cookie racetrack_session")]
    NoSession,
    #[error("there is nothing here; see the README for what there is")]
    NotFound,
    #[error("{0}")]
    Malformed(String),
    #[error("more than {commands_max} commands are waiting; send slower")]
    Flood { commands_max: usize },
    #[error("this address does not take that method")]
    MethodNotAllowed,
}

impl HttpError {
    fn kind(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Rejected(rejected) => kind(rejected),
            Self::Body(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                (StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", "The body is too large")
            }
            Self::Body(_) => (StatusCode::BAD_REQUEST, "bad-body", "The body is not understood"),
            Self::Malformed(_) => {
                (StatusCode::BAD_REQUEST, "bad-event", "The event is not understood")
            }
            Self::Flood { .. } => (StatusCode::TOO_MANY_REQUESTS, "too-fast", "Too many messages"),
            Self::Query(_) => (StatusCode::BAD_REQUEST, "bad-query", "The query is not understood"),
            Self::NoSession => (StatusCode::UNAUTHORIZED, "no-session", "No session"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not-found", "Not found"),
            Self::MethodNotAllowed => {
                (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed")
            }
        }
    }

    fn retry_after_ms(&self) -> Option<u64> {
        match self {
            Self::Rejected(
                Rejected::Draining { retry_after_ms }
                | Rejected::Full { retry_after_ms }
                | Rejected::TooFast { retry_after_ms },
            ) => Some(*retry_after_ms),
            _ => None,
        }
    }
}

impl IntoResponse for HttpError {
    fn into_response(self) -> Response {
        let retry_after_ms = self.retry_after_ms();
        let problem = Problem::from(self);
        let status = StatusCode::from_u16(problem.status).expect("the status came from a status");
        let mut response = (status, Json(problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(retry_after_ms) = retry_after_ms {
            headers.insert(RETRY_AFTER, HeaderValue::from(retry_after_ms.div_ceil(1_000)));
        }
        response
    }
}

impl From<HttpError> for Problem {
    fn from(error: HttpError) -> Self {
        let (status, kind, title) = error.kind();
        Self {
            kind: format!("/problems/{kind}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: error.to_string(),
        }
    }
}

fn kind(rejected: &Rejected) -> (StatusCode, &'static str, &'static str) {
    match rejected {
        Rejected::UnknownSession => (StatusCode::UNAUTHORIZED, "no-session", "No session"),
        Rejected::Closed => (StatusCode::CONFLICT, "closed", "The session has ended"),
        Rejected::Draining { .. } => {
            (StatusCode::SERVICE_UNAVAILABLE, "draining", "The server is shutting down")
        }
        Rejected::Full { .. } => (StatusCode::SERVICE_UNAVAILABLE, "full", "The server is full"),
        Rejected::NotPaired => (StatusCode::CONFLICT, "not-paired", "Nobody is there"),
        Rejected::StalePair { .. } => (StatusCode::CONFLICT, "stale-pair", "The partner has left"),
        Rejected::TooFast { .. } => {
            (StatusCode::TOO_MANY_REQUESTS, "too-fast", "Too many messages")
        }
        Rejected::TooLong { .. } => {
            (StatusCode::PAYLOAD_TOO_LARGE, "message-too-long", "The message is too long")
        }
        Rejected::Cursor { .. } => (StatusCode::CONFLICT, "cursor", "The cursor is out of bounds"),
    }
}
