//! Short and long polling: one request reads the mailbox once.
//!
//! A short poll is a long poll whose wait is over at once. `after` acknowledges: what the
//! client has is forgotten, what it has not is answered again, so a lost answer costs nothing.
//!
//! ```text
//!   GET ?after=6&wait_ms=30000  ──>  acknowledge 6, park
//!                                    ... an event becomes 7
//!                               <──  200 [7], next 7
//!   GET ?after=7&wait_ms=30000  ──>  acknowledge 7, park
//!                                    ... connection lost: the session is suspect
//! ```

mod answer;

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{FromRequest, Query, Request, State};
use axum::http::header::{CONTENT_TYPE, SET_COOKIE};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use hyper::body::Body;
use serde::Deserialize;
use tokio::time::Instant;
use utoipa::ToSchema;

use super::credentials::{Authenticated, set_cookie};
use super::no_body;
use crate::error::HttpError;
use crate::hub::{Detach, Hub, Start, Transport};
use crate::source::Source;
use protocol::{Batch, ClientEvent, Opened, PairId, Say, Seq, safe_integer};

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Poll {
    /// The last event that arrived; the answer holds those behind it.
    #[serde(default, deserialize_with = "safe_integer::seq_in_query")]
    after: Seq,
    /// How long to wait for an event where there is none, in milliseconds; 0 is a short poll. The
    /// server may wait less.
    #[serde(default, deserialize_with = "safe_integer::in_query")]
    #[param(maximum = 9_007_199_254_740_991_u64)]
    wait_ms: u64,
}

/// The body of `POST /api/next`, which may be left out.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub(crate) struct Next {
    /// The conversation to leave; when it is over already, nothing happens.
    pair: Option<PairId>,
}

/// `POST /api/session`
#[utoipa::path(
    post,
    path = "/api/session",
    summary = "Open a session",
    security(()),
    responses(
        (status = 201, description = "A session, waiting for a partner", body = Opened,
            headers(("Set-Cookie" = String, description = "The token, for pages"))),
        (status = 429, description = "The address has too many sessions, or opens them too fast"),
        (status = 503, description = "The server is full or shuts down"),
    )
)]
pub(crate) async fn open(
    State(hub): State<Arc<Hub>>,
    source: Source,
) -> Result<impl IntoResponse, HttpError> {
    let opened = hub.open(source.address).await?;
    let cookie = set_cookie(&opened.token, source);
    Ok((StatusCode::CREATED, [(SET_COOKIE, cookie)], Json(opened)))
}

/// `GET /api/events?after=S&wait_ms=N`
#[utoipa::path(
    get,
    path = "/api/events",
    summary = "Short poll and long poll",
    params(Poll),
    responses(
        (status = 200, description = "The events behind `after`; none when the wait is over, or \
            when another request reads the same mailbox", body = Batch),
        (status = 409, description = "`after` is out of bounds"),
    )
)]
pub(crate) async fn events(
    State(hub): State<Arc<Hub>>,
    Authenticated(session): Authenticated,
    method: Method,
    poll: Result<Query<Poll>, QueryRejection>,
) -> Result<Response, HttpError> {
    let Query(poll) = poll?;
    let start = Start::Polled(poll.after);
    if method == Method::HEAD {
        hub.check_start(session, start).await?;
        return Ok(([(CONTENT_TYPE, "application/json")], no_body()).into_response());
    }
    let wait = Duration::from_millis(poll.wait_ms).min(hub.config().poll_wait_max());
    let over = if wait.is_zero() { Transport::ShortPoll } else { Transport::LongPoll };
    let (mut reader, after) = hub.attach_at(session, start, over).await?;
    let batch = reader.receive(after, Some(Instant::now() + wait)).await;
    reader.finish(Detach::Answered).await;
    Ok(answer::answer(batch?))
}

/// `POST /api/messages`
#[utoipa::path(
    post,
    path = "/api/messages",
    summary = "Say something to the partner",
    request_body = Say,
    responses(
        (status = 202, description = "Accepted; the same id again changes nothing"),
        (status = 409, description = "There is no partner, or not the one that was meant, or the \
            session has ended"),
        (status = 503, description = "The server shuts down"),
    )
)]
pub(crate) async fn say(
    State(hub): State<Arc<Hub>>,
    Authenticated(session): Authenticated,
    say: Result<Json<Say>, JsonRejection>,
) -> Result<StatusCode, HttpError> {
    let Json(say) = say?;
    hub.send(session, ClientEvent::Say(say)).await?;
    Ok(StatusCode::ACCEPTED)
}

/// `POST /api/next`
#[utoipa::path(
    post,
    path = "/api/next",
    summary = "Leave the partner and wait for another",
    request_body = Option<Next>,
    responses(
        (status = 202, description = "Accepted"),
        (status = 409, description = "The session has ended"),
        (status = 503, description = "The server shuts down"),
    )
)]
pub(crate) async fn next(
    State(hub): State<Arc<Hub>>,
    Authenticated(session): Authenticated,
    request: Request,
) -> Result<StatusCode, HttpError> {
    let next = match request.body().is_end_stream() {
        true => None,
        false => Json::<Option<Next>>::from_request(request, &()).await?.0,
    };
    let Next { pair } = next.unwrap_or_default();
    hub.send(session, ClientEvent::Next { pair }).await?;
    Ok(StatusCode::ACCEPTED)
}

/// `DELETE /api/session`
#[utoipa::path(
    delete,
    path = "/api/session",
    summary = "End the session",
    responses((status = 204, description = "It has ended; its last events can still be read"))
)]
pub(crate) async fn leave(
    State(hub): State<Arc<Hub>>,
    Authenticated(session): Authenticated,
) -> Result<StatusCode, HttpError> {
    hub.send(session, ClientEvent::Leave).await?;
    Ok(StatusCode::NO_CONTENT)
}
