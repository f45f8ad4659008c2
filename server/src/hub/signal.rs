//! The level that readers of one mailbox wait on.
//!
//! A reader waits until the head of the mailbox is past its cursor, or another reader has taken
//! over; what is announced between looking and waiting is seen all the same. Nothing here holds an
//! event, and whoever raises the level waits for nobody.

use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

use crate::core::ReaderId;
use crate::protocol::Seq;

/// The head of a mailbox whose session is forgotten: past every cursor.
const GONE: u64 = u64::MAX;

#[derive(Debug, Default)]
pub(super) struct Signal {
    head: AtomicU64,
    reader: AtomicU64,
    raised: Notify,
}

impl Signal {
    /// The mailbox has grown up to here; [`Signal::wake`] must follow.
    pub(super) fn raise(&self, head: Seq) {
        self.head.store(head.0, Ordering::Release);
    }

    /// The session is forgotten; [`Signal::wake`] must follow.
    pub(super) fn end(&self) {
        self.head.store(GONE, Ordering::Release);
    }

    /// Another reader takes over; [`Signal::wake`] must follow.
    pub(super) fn hand_over(&self, reader: ReaderId) {
        self.reader.store(reader.0, Ordering::Release);
    }

    /// Lets everybody who waits look at the level.
    pub(super) fn wake(&self) {
        self.raised.notify_waiters();
    }

    /// True when there is nothing past this cursor, and never was.
    pub(super) fn is_at(&self, after: Seq) -> bool {
        self.head.load(Ordering::Acquire) == after.0
    }

    pub(super) fn is_read_by(&self, reader: ReaderId) -> bool {
        self.reader.load(Ordering::Acquire) == reader.0
    }

    /// Resolves when there is something past `after`, or `reader` has been superseded.
    pub(super) async fn past(&self, after: Seq, reader: ReaderId) {
        let is_past = || self.head.load(Ordering::Acquire) > after.0 || !self.is_read_by(reader);
        while !is_past() {
            let mut raised = pin!(self.raised.notified());
            // From here on a wake-up is kept for this reader, so the level is looked at once more.
            raised.as_mut().enable();
            if is_past() {
                return;
            }
            raised.await;
        }
    }
}
