//! The time that a connection may be idle, and the time that the header of a request may take.
//!
//! ```text
//!   opened, or answered          first byte               header complete
//!          |---- keep_alive_ms_max ----|--- header_read_ms_max ---|
//!                                      the bytes that follow prolong nothing
//! ```
//!
//! hyper has one timer for both: it starts it when the connection is opened and whenever an answer is
//! complete, and looks at it whenever a header is not. So each connection gives hyper a timer of its own,
//! which ends with the idle time and is moved once, when the first bytes of a request arrive. What a
//! client sends of its next header before the answer to the last one begins that header only with its
//! next byte.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};

use crate::connection::Peer;

/// What hyper waits with for the requests of one connection.
pub(crate) struct RequestTimer(Arc<Peer>);

impl RequestTimer {
    pub(crate) fn new(peer: Arc<Peer>) -> Self {
        Self(peer)
    }
}

impl Timer for RequestTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, idle_until: Instant) -> Pin<Box<dyn Sleep>> {
        self.0.expect_request();
        let until = Box::pin(tokio::time::sleep_until(idle_until.into()));
        Box::pin(Waiting { peer: Arc::clone(&self.0), is_idle: true, until })
    }

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }

    fn reset(&self, waiting: &mut Pin<Box<dyn Sleep>>, idle_until: Instant) {
        match waiting.as_mut().downcast_mut_pin::<Waiting>() {
            Some(waiting) => waiting.get_mut().begin(idle_until),
            None => *waiting = self.sleep_until(idle_until),
        }
    }
}

/// The wait for one request; over when it takes too long.
struct Waiting {
    peer: Arc<Peer>,
    /// Nothing of the request was there when this was last looked at.
    is_idle: bool,
    until: Pin<Box<tokio::time::Sleep>>,
}

impl Waiting {
    fn begin(&mut self, idle_until: Instant) {
        self.peer.expect_request();
        self.is_idle = true;
        self.until.as_mut().reset(idle_until.into());
    }
}

impl Sleep for Waiting {}

impl Future for Waiting {
    type Output = ();

    /// hyper has read what there is whenever it looks.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_idle && self.peer.is_asking() {
            self.is_idle = false;
            let header_until = tokio::time::Instant::now() + self.peer.header_read_max();
            self.until.as_mut().reset(header_until);
        }
        self.until.as_mut().poll(cx)
    }
}
