//! Sessions whose mailbox is full, and when each is closed as slow unless it is read.
//!
//! There are few of them, so that nothing of this lies in the session itself but one bit.

use std::collections::BTreeMap;

use tracing::trace;

use super::mailbox::Bounds;
use super::session::State;
use super::sessions::Slot;
use super::timers::Timers;
use super::{Core, DUE_MAX, Instant};
use protocol::{CloseReason, SessionId};

#[derive(Debug, Default)]
pub(super) struct Stalled {
    due: BTreeMap<SessionId, Instant>,
    timers: Timers,
}

impl Stalled {
    pub(super) fn add(&mut self, session: SessionId, at: Instant) {
        let old = self.due.insert(session, at);
        self.timers.change(session, old, Some(at));
    }

    pub(super) fn remove(&mut self, session: SessionId) {
        let old = self.due.remove(&session);
        self.timers.change(session, old, None);
    }

    pub(super) fn first(&self) -> Option<Instant> {
        self.timers.first()
    }

    /// Takes out the earliest whose time is over.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<SessionId> {
        let (_, session) = self.timers.pop_due(now)?;
        self.due.remove(&session);
        Some(session)
    }

    pub(super) fn len(&self) -> usize {
        self.due.len()
    }
}

impl Core {
    /// Closes sessions that have not read in time, but not more than [`DUE_MAX`] at once.
    pub(super) fn close_stalled(&mut self, now: Instant) {
        for _ in 0..DUE_MAX {
            let Some(session) = self.stalled.pop_due(now) else { break };
            self.known(session).is_stalled = false;
            self.close(now, session, CloseReason::Slow);
        }
    }

    /// The mailbox is full; its person has some time to read.
    pub(super) fn stall(&mut self, now: Instant, slot: Slot) {
        let at = now.after(self.config.unread_max());
        let known = &mut self.sessions[slot];
        if !std::mem::replace(&mut known.is_stalled, true) {
            trace!(name: "stalled", session = known.id.0, is_read = known.reader.is_some());
            self.stalled.add(known.id, at);
        }
    }

    /// Begins anew with sessions that have read something of a mailbox that is full all the same.
    pub(super) fn stall_again(&mut self, now: Instant) {
        for session in std::mem::take(&mut self.still_full) {
            let Some(slot) = self.sessions.slot(session) else { continue };
            let known = &self.sessions[slot];
            if known.state != State::Closed && !known.mailbox.has_place(Bounds::new(&self.config)) {
                self.stall(now, slot);
            }
        }
    }

    /// The session has read or acknowledged something.
    pub(super) fn has_read(&mut self, slot: Slot) {
        let bounds = Bounds::new(&self.config);
        let known = &mut self.sessions[slot];
        if std::mem::take(&mut known.is_stalled) {
            self.stalled.remove(known.id);
            // A session that reads has all of the time once more.
            if !known.mailbox.has_place(bounds) {
                self.still_full.push(known.id);
                self.unsettled = true;
            }
        }
        if known.is_kept_back && !known.suspect && known.mailbox.is_ready(bounds) {
            known.is_kept_back = false;
            self.lobby.enter_again(known.id);
            self.unsettled = true;
        }
    }
}
