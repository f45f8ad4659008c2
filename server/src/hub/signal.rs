//! The level that the reader of one mailbox waits on.
//!
//! A reader waits until the head of the mailbox is past its cursor, or another reader has taken
//! over; what is announced between looking and waiting is seen all the same, because whoever waits
//! leaves its waker first and looks then. Nothing here holds an event, and nothing here wakes
//! anybody: whoever raises the level is given the waker, to be used when no lock is held.
//!
//! `tests/interleavings.rs` compiles this file once more, on other primitives, and runs it in every
//! order that threads can take.

use std::future::poll_fn;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};

use super::primitives::{AtomicU64, Mutex, MutexGuard};
use crate::core::ReaderId;
use protocol::Seq;

/// The head of a mailbox whose session is forgotten: past every cursor.
const GONE: u64 = u64::MAX;

#[derive(Debug)]
pub(super) struct Signal {
    head: AtomicU64,
    /// Changes only while `waiting` is locked, so that no waker of an earlier reader stays behind.
    reader: AtomicU64,
    /// The task of the latest reader, if it waits.
    waiting: Mutex<Option<Waker>>,
}

impl Signal {
    /// The mailbox has grown up to here; who waits for that is to be woken.
    pub(super) fn raise(&self, head: Seq) -> Option<Waker> {
        self.raise_quietly(head);
        self.lock().take()
    }

    /// The mailbox has grown up to here, and its reader is about to look by itself.
    pub(super) fn raise_quietly(&self, head: Seq) {
        self.head.store(head.0, Ordering::Release);
    }

    /// The session is forgotten; who waits for it is to be woken.
    pub(super) fn end(&self) -> Option<Waker> {
        self.raise(Seq(GONE))
    }

    /// Another reader takes over; the one before is to be woken, if it waits.
    pub(super) fn hand_over(&self, reader: ReaderId) -> Option<Waker> {
        let mut waiting = self.lock();
        self.reader.store(reader.0, Ordering::Release);
        waiting.take()
    }

    /// A reader waits no more.
    pub(super) fn let_go(&self, reader: ReaderId) {
        let mut waiting = self.lock();
        if self.is_read_by(reader) {
            *waiting = None;
        }
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
        poll_fn(|cx| self.poll_past(after, reader, cx)).await;
    }

    fn poll_past(&self, after: Seq, reader: ReaderId, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_past(after) {
            return Poll::Ready(());
        }
        let mut waiting = self.lock();
        if !self.is_read_by(reader) {
            return Poll::Ready(());
        }
        match &mut *waiting {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        // What was raised before the waker was left has woken nobody.
        if self.is_past(after) { Poll::Ready(()) } else { Poll::Pending }
    }

    fn is_past(&self, after: Seq) -> bool {
        self.head.load(Ordering::Acquire) > after.0
    }

    fn lock(&self) -> MutexGuard<'_, Option<Waker>> {
        // Each change is one assignment, so there is no half of one to be afraid of.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Signal {
    fn default() -> Self {
        Self { head: AtomicU64::new(0), reader: AtomicU64::new(0), waiting: Mutex::new(None) }
    }
}
