//! Server-sent events: one answer that does not end, an event of the mailbox an event of the
//! stream.
//!
//! ```text
//!   GET /api/stream?after=6  ──>  acknowledge 6
//!                            <──  retry: 1000
//!                            <──  id: 7
//!                                 data: {"seq":7,..}
//!                            <──  :                           a comment when nothing happens
//!   POST /api/ack {"seq":7}  ──>  forget 7
//!                                 ... connection lost: the session is suspect
//!   GET /api/stream
//!   Last-Event-ID: 7         ──>  a browser's EventSource goes on by itself
//! ```
//!
//! No event of the mailbox has an `event:` field, so that a page's `onmessage` sees them all. A
//! stream that ends for another reason than `closing` says why in an `event: refused`, whose data
//! is the frame that the WebSocket sends in its place.

use std::convert::Infallible;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::IntoResponse;
use futures_util::stream;
use tokio::time::Instant;

use super::credentials::Authenticated;
use super::ticket::{Reading, Ticket};
use super::{Opening, no_body};
use crate::error::HttpError;
use crate::fields;
use crate::hub::{Detach, Hub, Reader, Rejected, Start, Transport};
use protocol::{Ack, ClientEvent, Event, Refusal, SAFE_INTEGER_MAX, Seq, ServerEvent, ServerFrame};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// nginx collects an answer before it passes it on, unless it is told not to.
const UNBUFFERED: (&str, &str) = ("x-accel-buffering", "no");

/// `GET /api/stream?after=S`
#[utoipa::path(
    get,
    path = "/api/stream",
    summary = "Server-sent events",
    params(Opening, Ticket, Resumed),
    responses(
        (status = 200, description = "A stream that does not end: `id:` is the place of an event, \
            `data:` the event; `event: refused` where the stream is taken away", body = Event,
            content_type = "text/event-stream"),
        (status = 409, description = "The cursor is out of bounds"),
    )
)]
pub(crate) async fn stream(
    State(hub): State<Arc<Hub>>,
    Reading(session): Reading,
    method: Method,
    headers: HeaderMap,
    opening: Result<Query<Opening>, QueryRejection>,
) -> Result<impl IntoResponse, HttpError> {
    let Query(Opening { after }) = opening?;
    let after = Resumed::read(&headers)?.last_event_id.or(after);
    let start = Start::Pushed(after);
    let headers = (
        [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store, no-transform")],
        [UNBUFFERED],
    );
    if method == Method::HEAD {
        hub.check_start(session, start).await?;
        return Ok((headers.0, headers.1, no_body()));
    }
    let (reader, cursor) = hub.attach_at(session, start, Transport::Sse).await?;
    let comment_every = Duration::from_millis(hub.config().stream_comment_ms);
    let hello = Bytes::from(format!("retry: {}\n\n", hub.config().retry_after_ms));
    let events = stream::unfold(Some(Stream { reader, cursor, comment_every }), async |stream| {
        let (chunk, stream) = stream?.next().await;
        Some((Ok::<_, Infallible>(chunk), stream))
    });
    let hello = stream::iter([Ok(hello)]);
    let body = Body::from_stream(stream::StreamExt::chain(hello, events));
    Ok((headers.0, headers.1, body))
}

/// `POST /api/ack`
#[utoipa::path(
    post,
    path = "/api/ack",
    summary = "Acknowledge what a stream has brought",
    request_body = Ack,
    responses(
        (status = 202, description = "Everything up to there is forgotten"),
        (status = 409, description = "The cursor is out of bounds"),
    )
)]
pub(crate) async fn acknowledge(
    State(hub): State<Arc<Hub>>,
    Authenticated(session): Authenticated,
    ack: Result<Json<Ack>, JsonRejection>,
) -> Result<StatusCode, HttpError> {
    let Json(Ack { seq }) = ack?;
    hub.send(session, ClientEvent::Ack { seq }).await?;
    Ok(StatusCode::ACCEPTED)
}

/// What a browser's EventSource says when it comes back; it is newer than the address.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
struct Resumed {
    /// As `after`, and before it.
    #[param(rename = "Last-Event-ID", nullable = false)]
    last_event_id: Option<Seq>,
}

impl Resumed {
    fn read(headers: &HeaderMap) -> Result<Self, HttpError> {
        let wrong = || HttpError::Malformed("Last-Event-ID is a number".to_owned());
        let id = fields::only(headers, LAST_EVENT_ID).map_err(|_| wrong())?;
        let id = id.map(HeaderValue::as_bytes).unwrap_or_default();
        // A browser has none until the first event; other clients send it empty then.
        if id.is_empty() {
            return Ok(Self { last_event_id: None });
        }
        let digits = std::str::from_utf8(id).ok().filter(|_| id.iter().all(u8::is_ascii_digit));
        let seq = digits.and_then(|id| id.parse().ok()).filter(|seq| *seq <= SAFE_INTEGER_MAX);
        Ok(Self { last_event_id: Some(Seq(seq.ok_or_else(wrong)?)) })
    }
}

/// A mailbox, read for as long as somebody listens. Dropped before its end, it is a lost
/// connection.
struct Stream {
    reader: Reader,
    cursor: Seq,
    comment_every: Duration,
}

impl Stream {
    /// What to write next, and the stream unless that was the last of it.
    async fn next(mut self) -> (Bytes, Option<Self>) {
        let comment_at = Instant::now() + self.comment_every;
        match self.reader.receive(self.cursor, Some(comment_at)).await {
            Ok(batch) if !batch.events.is_empty() => {
                self.cursor = batch.next;
                let text = batch.events.iter().map(event_text).collect::<String>();
                let last = batch.events.last().map(|event| &event.body);
                let is_over = matches!(last, Some(ServerEvent::Closing { .. }));
                self.go_on(text, is_over).await
            }
            Ok(_) if !self.reader.is_superseded() => self.go_on(":\n\n".to_owned(), false).await,
            Ok(_) => self.go_on(refused_text(Rejected::Superseded.into()), true).await,
            Err(rejected) => self.go_on(refused_text(rejected.into()), true).await,
        }
    }

    async fn go_on(self, text: String, is_over: bool) -> (Bytes, Option<Self>) {
        let text = Bytes::from(text);
        if !is_over {
            return (text, Some(self));
        }
        self.reader.finish(Detach::Answered).await;
        (text, None)
    }
}

/// JSON has no line breaks, so one `data:` line holds it.
fn event_text(event: &Event) -> String {
    let data = serde_json::to_string(event).expect("the wire is plain data");
    let mut text = String::with_capacity(data.len() + 32);
    writeln!(text, "id: {}\ndata: {data}\n", event.seq.0).expect("a string takes everything");
    text
}

fn refused_text(why: HttpError) -> String {
    let refused = ServerFrame::Refused(Refusal { id: None, problem: why.into() });
    let data = serde_json::to_string(&refused).expect("the wire is plain data");
    format!("event: refused\ndata: {data}\n\n")
}
