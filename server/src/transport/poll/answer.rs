//! The answer to a poll, put into JSON as the connection takes it.
//!
//! A mailbox hands out texts that it shares with its answers, and a whole mailbox may be one answer. Were that
//! JSON at once, a client that does not read it would hold every text twice. So a long answer is written in
//! portions, each made when those before have left for the connection. Its length is counted beforehand,
//! because clients and proxies that keep a connection want to know it. It looks at no mailbox.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::vec;

use axum::Json;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use hyper::body::{Frame, SizeHint};
use serde::Serialize;

use crate::core::json_bytes;
use protocol::{Batch, Event, Seq};

/// A portion ends with the event that makes it longer, in bytes.
const PORTION_BYTES: usize = 4_096;
/// What an event has beside its text and id, in bytes: none has more.
const EVENT_BYTES: usize = 256;
const BEGIN: &[u8] = b"{\"events\":[";

/// The answer that holds this batch.
pub(super) fn answer(batch: Batch) -> Response {
    let bytes = batch.events.iter().map(|event| EVENT_BYTES + json_bytes(&event.body));
    if bytes.sum::<usize>() <= PORTION_BYTES {
        return Json(batch).into_response();
    }
    ([(CONTENT_TYPE, "application/json")], Body::new(Answer::new(batch))).into_response()
}

/// What is still to be written of a batch.
struct Answer {
    events: vec::IntoIter<Event>,
    /// None once it is written.
    next: Option<Seq>,
    has_begun: bool,
    bytes: u64,
}

impl Answer {
    fn new(batch: Batch) -> Self {
        let bytes = length(&batch);
        let Batch { events, next } = batch;
        Self { events: events.into_iter(), next: Some(next), has_begun: false, bytes }
    }

    /// The next portion, unless there is nothing left.
    fn portion(&mut self) -> Option<Vec<u8>> {
        let next = self.next?;
        let mut portion = Vec::new();
        if !self.has_begun {
            portion.extend(BEGIN);
        }
        for event in self.events.by_ref() {
            if std::mem::replace(&mut self.has_begun, true) {
                portion.push(b',');
            }
            write(&mut portion, &event);
            if portion.len() > PORTION_BYTES {
                return Some(portion);
            }
        }
        self.next = None;
        portion.extend(b"],\"next\":");
        write(&mut portion, &next);
        portion.push(b'}');
        Some(portion)
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let portion = self.portion().map(Bytes::from);
        self.bytes -= portion.as_ref().map_or(0, |portion| portion.len() as u64);
        Poll::Ready(portion.map(|portion| Ok(Frame::data(portion))))
    }

    fn is_end_stream(&self) -> bool {
        self.next.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes)
    }
}

fn write(to: impl io::Write, what: &impl Serialize) {
    serde_json::to_writer(to, what).expect("the wire is plain data");
}

/// How many bytes of JSON something is.
fn length(what: &impl Serialize) -> u64 {
    struct Count(u64);

    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len() as u64;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let mut count = Count(0);
    write(&mut count, what);
    count.0
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use protocol::{ServerEvent, Speaker};

    fn batch(count: u64, text: &str) -> Batch {
        let text: Arc<str> = text.into();
        let event = |seq: u64| {
            let id = format!("id-{seq}").parse().expect("an id");
            let body = ServerEvent::Message { from: Speaker::Me, id, text: Arc::clone(&text) };
            Event { seq: Seq(seq), at: "2026-11-29T10:00:00.000Z".to_owned(), body }
        };
        Batch { events: (1..=count).map(event).collect(), next: Seq(count) }
    }

    #[test]
    fn portions_are_together_what_the_batch_is_in_json_and_as_long_as_was_said() {
        for (count, text) in
            [(0, ""), (1, "x"), (1, "\u{1}\"안녕"), (3, "y"), (64, "\u{1}"), (64, "z")]
        {
            for repeated in [1, 100, 4_000] {
                let batch = batch(count, &text.repeat(repeated));
                let json = serde_json::to_vec(&batch).expect("plain data");
                let mut answer = Answer::new(batch);
                assert_eq!(answer.size_hint().exact(), Some(json.len() as u64));
                let portions: Vec<_> = std::iter::from_fn(|| answer.portion()).collect();
                assert_eq!(portions.concat(), json, "{count} of {repeated}");
                assert!(answer.is_end_stream());
                let longest = PORTION_BYTES + EVENT_BYTES + 6 * text.len() * repeated;
                assert!(portions.iter().all(|portion| portion.len() <= longest));
            }
        }
    }

    #[tokio::test]
    async fn short_and_long_answers_are_told_alike() {
        for count in [1, 64] {
            let batch = batch(count, &"x".repeat(100));
            let json = serde_json::to_vec(&batch).expect("plain data");
            let answer = answer(batch);
            assert_eq!(answer.headers()[CONTENT_TYPE], "application/json");
            assert_eq!(answer.body().size_hint().exact(), Some(json.len() as u64));
            let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await.expect("a body");
            assert_eq!(body, json);
        }
    }
}
