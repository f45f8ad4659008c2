//! One poll from its begin to the last byte of its answer: what is answered, what is cut, and what leaves
//! with it. It never looks at a packet but to count it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes, HttpBody};
use axum::response::Response;
use hyper::body::{Frame, SizeHint};
use tokio::time::Instant;

use super::{Cut, NOOP_BYTES_MAX, Presence};

/// One poll on its way; dropped before it was answered, it was cut.
pub(in crate::transport::socketio) struct Watched {
    presence: Arc<Presence>,
    number: u64,
    cut: Cut,
    answered: bool,
    /// Whether what was sent before is in the answer.
    fetches: bool,
}

impl Watched {
    pub(in crate::transport::socketio) fn begin(presence: Arc<Presence>) -> Self {
        let mut number = 0;
        presence.change(|polls| {
            polls.begun += 1;
            polls.cut = None;
            polls.idle_since = None;
            number = polls.begun;
        });
        Self { presence, number, cut: Cut::Waiting, answered: false, fetches: false }
    }

    /// There was nothing to fetch when it began.
    pub(super) fn wait(&mut self) {
        if !std::mem::replace(&mut self.fetches, true) {
            self.presence.change(|polls| polls.fetched = polls.fetched.max(self.number));
        }
    }

    /// Goes on with the answer, which is lost where it is dropped before its end.
    pub(super) fn answer(mut self, response: Response, is_version3: bool) -> Response {
        self.cut = Cut::Answer;
        self.fetches |= response.body().size_hint().lower() > NOOP_BYTES_MAX;
        let watched = Some(self);
        response.map(|body| Body::new(WatchedBody { body, is_version3, watched }))
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.presence.change(|polls| {
            if self.number == polls.begun {
                polls.idle_since = Some(Instant::now());
            }
            if self.answered {
                polls.answered += 1;
                if self.fetches {
                    polls.fetched = polls.fetched.max(self.number);
                }
            } else if self.cut == Cut::Answer || self.number == polls.begun {
                polls.cut = Some(self.cut);
            }
        });
    }
}

/// The answer to a poll.
struct WatchedBody {
    body: Body,
    is_version3: bool,
    /// None once all of it was taken.
    watched: Option<Watched>,
}

impl WatchedBody {
    fn end(&mut self) {
        if let Some(mut watched) = self.watched.take() {
            watched.answered = true;
        }
    }
}

impl HttpBody for WatchedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let (Some(watched), Some(Ok(frame))) = (&self.watched, &frame)
            && let Some(answer) = frame.data_ref()
        {
            watched.presence.departures.leave_in(answer, self.is_version3);
        }
        if frame.is_none() || self.body.is_end_stream() {
            self.end();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
