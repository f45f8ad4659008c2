//! The time that the body of a request may take, from its first byte that is waited for to its last.
//!
//! It is one time for the whole body: a peer that sends a byte now and then gains nothing by it.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::BoxError;
use axum::body::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

/// The body did not arrive in time.
#[derive(Debug, thiserror::Error)]
#[error("the body took more than {ms_max} ms")]
pub(crate) struct SlowBody {
    pub(crate) ms_max: u64,
}

/// A body that fails with [`SlowBody`] when it takes too long.
pub(crate) struct Deadline<B> {
    body: B,
    ms_max: u64,
    /// There from the first time that somebody has to wait.
    late: Option<Pin<Box<Sleep>>>,
}

impl<B> Deadline<B> {
    pub(crate) fn new(body: B, ms_max: u64) -> Self {
        Self { body, ms_max, late: None }
    }
}

impl<B> Body for Deadline<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let ms_max = self.ms_max;
        let late = self
            .late
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(Duration::from_millis(ms_max))));
        match late.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Some(Err(SlowBody { ms_max }.into()))),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
