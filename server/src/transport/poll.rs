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

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, SET_COOKIE};
use axum::response::IntoResponse;
use serde::Deserialize;
use tokio::time::Instant;

use super::who::{Who, set_cookie};
use crate::error::HttpError;
use crate::hub::{Detach, Hub, Reader, Rejected};
use crate::protocol::{Batch, ClientEvent, PairId, Say, Seq};

#[derive(Debug, Deserialize)]
pub(crate) struct Poll {
    #[serde(default)]
    after: Seq,
    #[serde(default)]
    wait_ms: u64,
}

/// The body of `POST /api/next`, which may be left out.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Next {
    pair: Option<PairId>,
}

/// `POST /api/session`
pub(crate) async fn open(State(hub): State<Arc<Hub>>) -> Result<impl IntoResponse, HttpError> {
    let opened = hub.open().await?;
    let cookie = set_cookie(&opened.token);
    Ok((StatusCode::CREATED, [(SET_COOKIE, cookie)], Json(opened)))
}

/// `GET /api/events?after=S&wait_ms=N`
pub(crate) async fn events(
    State(hub): State<Arc<Hub>>,
    Who(session): Who,
    poll: Result<Query<Poll>, QueryRejection>,
) -> Result<impl IntoResponse, HttpError> {
    let Query(poll) = poll?;
    let wait = Duration::from_millis(poll.wait_ms).min(hub.config().poll_wait_max());
    let mut reader = hub.attach(session).await?;
    let batch = read_once(&mut reader, poll.after, Instant::now() + wait).await;
    reader.finish(Detach::Answered).await;
    Ok(([(CACHE_CONTROL, "no-store")], Json(batch?)))
}

async fn read_once(reader: &mut Reader, after: Seq, until: Instant) -> Result<Batch, Rejected> {
    reader.acknowledge(after).await?;
    reader.receive(after, Some(until)).await
}

/// `POST /api/messages`
pub(crate) async fn say(
    State(hub): State<Arc<Hub>>,
    Who(session): Who,
    say: Result<Json<Say>, JsonRejection>,
) -> Result<StatusCode, HttpError> {
    let Json(say) = say?;
    hub.send(session, ClientEvent::Say(say)).await?;
    Ok(StatusCode::ACCEPTED)
}

/// `POST /api/next`
pub(crate) async fn next(
    State(hub): State<Arc<Hub>>,
    Who(session): Who,
    next: Result<Option<Json<Next>>, JsonRejection>,
) -> Result<StatusCode, HttpError> {
    let Next { pair } = next?.map_or_else(Next::default, |Json(next)| next);
    hub.send(session, ClientEvent::Next { pair }).await?;
    Ok(StatusCode::ACCEPTED)
}

/// `DELETE /api/session`
pub(crate) async fn leave(
    State(hub): State<Arc<Hub>>,
    Who(session): Who,
) -> Result<StatusCode, HttpError> {
    hub.send(session, ClientEvent::Leave).await?;
    Ok(StatusCode::NO_CONTENT)
}
