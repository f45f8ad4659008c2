//! How a page of another site opens the stream: with a ticket, because an `EventSource` sets no header
//! and the cookie of this server is not sent from there.
//!
//! ```text
//!   POST /api/ticket                    ──>
//!   Authorization: Bearer TOKEN
//!   Origin: https://friend.example      <──  {"ticket": "..", "expires_in_ms": 300000}
//!   GET /api/stream?after=6&ticket=..   ──>  the stream; again and again, until the ticket expires
//!   Origin: https://friend.example
//! ```
//!
//! A ticket stands in an address, where others may read it. So it expires soon, opens nothing but the
//! stream, and counts only with the `Origin` of the page that got it, which must be listed. It is never
//! logged. A stream that is open goes on when its ticket has expired.

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequestParts, Query, State};
use axum::http::HeaderMap;
use axum::http::header::ORIGIN;
use axum::http::request::Parts;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::credentials::Authenticated;
use crate::error::HttpError;
use crate::fields;
use crate::hub::Hub;
use crate::source::Source;
use protocol::SessionId;

/// A ticket for the stream.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Issued {
    /// What `GET /api/stream` takes as `ticket`.
    ticket: String,
    /// How long it does so, in milliseconds.
    expires_in_ms: u64,
}

/// `POST /api/ticket`
#[utoipa::path(
    post,
    path = "/api/ticket",
    summary = "A ticket with which a page of another site opens the stream",
    responses((status = 200, description = "It counts with the `Origin` of this request alone",
        body = Issued))
)]
pub(crate) async fn issue(
    State(hub): State<Arc<Hub>>,
    Authenticated(session): Authenticated,
    source: Source,
    headers: HeaderMap,
) -> Result<Json<Issued>, HttpError> {
    let origin = origin(&headers, source).ok_or(HttpError::NoOrigin)?;
    let ticket = hub.ticket(session, origin).ok_or(HttpError::NoSession)?;
    Ok(Json(Issued { ticket, expires_in_ms: hub.config().ticket_ms }))
}

/// The page that asks, if it is one of this server or of a listed origin.
fn origin(headers: &HeaderMap, source: Source) -> Option<&str> {
    let origin = fields::only(headers, ORIGIN).ok().flatten().filter(|_| source.is_named)?;
    origin.to_str().ok()
}

/// The session that a request may read: by a ticket, or as [`Who`].
pub(crate) struct Reading(pub(crate) SessionId);

/// The query of a stream beside that of every transport that pushes.
#[derive(Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Ticket {
    /// From `POST /api/ticket`, in place of a token: for pages of other sites.
    #[serde(default)]
    #[param(nullable = false)]
    ticket: Option<String>,
}

impl FromRequestParts<Arc<Hub>> for Reading {
    type Rejection = HttpError;

    async fn from_request_parts(parts: &mut Parts, hub: &Arc<Hub>) -> Result<Self, HttpError> {
        let Query(Ticket { ticket }) = Query::try_from_uri(&parts.uri)?;
        let Some(ticket) = ticket else {
            let Authenticated(session) = Authenticated::from_request_parts(parts, hub).await?;
            return Ok(Self(session));
        };
        let origin = origin(&parts.headers, Source::of_request(parts));
        let session = origin.and_then(|origin| hub.admit(&ticket, origin));
        session.map(Self).ok_or(HttpError::Ticket)
    }
}
