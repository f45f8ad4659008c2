//! One person: from opening to closing, present or suspected to be gone.
//!
//! ```text
//!   Open ──> Waiting <──> Paired          never heard of:  opened + first_lease   then lost
//!               │            │            a reader is attached: no deadline
//!               └────┬─────┘              answered:  now + session_lease   then lost
//!                    v                    dropped:   now + resume_window   then lost, and
//!                  Closed ──> removed                suspect until then: not paired
//! ```

use std::time::Duration;

use tracing::trace;

use super::Rated;
use super::mailbox::{Bounds, Entry, Mailbox};
use super::rate::Rates;
use super::recent_ids::RecentIds;
use super::sessions::{Handle, Slot};
use super::{Core, Detach, Instant, KNOWN, Output, ReaderId, Rejected};
use protocol::{ClientEvent, CloseReason, LeftReason, PairId, Seq, ServerEvent, SessionId};

/// Whether somebody who waits has been told so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    Before,
    Not,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Waiting,
    Paired { pair: PairId, partner: SessionId },
    Closed,
}

/// In the order in which a message needs it, from the beginning of a cache line: the two first lines
/// are all that is touched of whom it is said to. Eight sessions fill a page, and none lies in two.
#[derive(Debug)]
#[repr(C, align(64))]
pub(super) struct Session {
    pub(super) id: SessionId,
    pub(super) state: State,
    pub(super) mailbox: Mailbox,
    pub(super) reader: Option<ReaderId>,
    /// The connection was lost; nobody is paired with somebody who may be gone.
    pub(super) suspect: bool,
    /// Nothing was heard of the person since the session was opened.
    pub(super) is_new: bool,
    /// The mailbox is full: the session is closed unless its person reads.
    pub(super) is_stalled: bool,
    /// It waits, and is not in the lobby before its person has read.
    pub(super) is_kept_back: bool,
    /// A drain does not end before the person has been told everything.
    is_expected: bool,
    /// When the session has run out of time.
    pub(super) deadline: Option<Instant>,
    /// When its timer goes off: no later than the deadline, which every command moves. A timer that
    /// goes off early is set anew, so that a command need not touch it.
    pub(super) timer: Option<Instant>,
    pub(super) rates: Rates,
    /// When the head count is told next; none once the session is closed.
    pub(super) notice_at: Option<Instant>,
    pub(super) parted_from: Option<SessionId>,
    pub(super) recent_ids: RecentIds,
}

impl Session {
    fn new(id: SessionId) -> Self {
        Self {
            id,
            state: State::Waiting,
            mailbox: Mailbox::default(),
            reader: None,
            deadline: None,
            timer: None,
            notice_at: None,
            suspect: false,
            is_new: true,
            is_stalled: false,
            is_kept_back: false,
            is_expected: true,
            parted_from: None,
            recent_ids: RecentIds::default(),
            rates: Rates::default(),
        }
    }

    /// True when something was never handed out to somebody who is expected to come for it.
    pub(super) fn is_waited_for(&self) -> bool {
        self.is_expected && !self.mailbox.is_handed_out()
    }

    fn timer_is_early_enough(&self, deadline: Option<Instant>) -> bool {
        deadline.is_none_or(|deadline| self.timer.is_some_and(|timer| timer <= deadline))
    }
}

impl Core {
    pub(super) fn open(&mut self, now: Instant, session: SessionId) -> Result<(), Rejected> {
        let retry_after_ms = self.config.retry_after_ms;
        if self.draining {
            return Err(Rejected::Draining { retry_after_ms });
        }
        if self.sessions.len() >= self.config.sessions_max {
            return Err(Rejected::Full { retry_after_ms });
        }
        let handle = self.sessions.insert(Session::new(session));
        self.outputs.push_back(Output::Opened(handle));
        self.online += 1;
        trace!(name: "opened", session = session.0);
        self.arm_notice(session, now);
        self.set_deadline(session, Some(now.after(self.config.first_lease())));
        self.tell(now, handle.slot, ServerEvent::Welcome { session, online: self.online as u64 });
        self.admit(now, session, Told::Not);
        Ok(())
    }

    pub(super) fn command(
        &mut self,
        now: Instant,
        handle: Handle,
        event: ClientEvent,
        by: Option<ReaderId>,
    ) -> Result<(), Rejected> {
        let Session { state, reader, .. } = *self.session(handle)?;
        let (session, slot) = (handle.id, handle.slot);
        if by.is_some() && by != reader {
            return Err(Rejected::Superseded);
        }
        if state == State::Closed {
            return match event {
                ClientEvent::Ack { seq } => {
                    self.rate_limit(now, slot, Rated::Commands)?;
                    self.acknowledge_again(handle, seq)
                }
                ClientEvent::Leave => {
                    self.wait_no_longer_for(session);
                    Ok(())
                }
                ClientEvent::Say(_) | ClientEvent::Next { .. } if self.draining => {
                    Err(Rejected::Draining { retry_after_ms: self.config.retry_after_ms })
                }
                ClientEvent::Say(_) | ClientEvent::Next { .. } => Err(Rejected::Closed),
            };
        }
        self.hear_from(now, slot);
        match event {
            ClientEvent::Say(say) => self.say(now, slot, say)?,
            ClientEvent::Next { pair } => {
                self.rate_limit(now, slot, Rated::Nexts)?;
                self.skip(now, session, pair);
            }
            // No command follows it.
            ClientEvent::Leave => self.close(now, session, CloseReason::Left),
            ClientEvent::Ack { seq } => {
                self.rate_limit(now, slot, Rated::Commands)?;
                self.acknowledge_again(handle, seq)?;
            }
        }
        Ok(())
    }

    /// Counts a command against its rate limit.
    pub(super) fn rate_limit(
        &mut self,
        now: Instant,
        slot: Slot,
        what: Rated,
    ) -> Result<(), Rejected> {
        self.sessions[slot].rates.take(now, what, &self.config)
    }

    /// An acknowledgement that comes late says nothing new, and is no error.
    fn acknowledge_again(&mut self, session: Handle, seq: Seq) -> Result<(), Rejected> {
        match self.acknowledge(session, seq) {
            Err(Rejected::Cursor { acknowledged, .. }) if seq < acknowledged => Ok(()),
            result => result,
        }
    }

    pub(super) fn attach(
        &mut self,
        now: Instant,
        handle: Handle,
        reader: ReaderId,
    ) -> Result<(), Rejected> {
        let known = self.session(handle)?;
        let was_attached = known.reader.replace(reader).is_some();
        let is_open = known.state != State::Closed;
        trace!(
            name: "attached",
            session = handle.id.0,
            took_over = was_attached,
            was_suspect = known.suspect,
            is_open,
            left_ms = known.deadline.map(|at| at.0.saturating_sub(now.0).as_millis() as u64),
        );
        self.attached += usize::from(!was_attached);
        if is_open {
            self.hear_from(now, handle.slot);
        }
        Ok(())
    }

    pub(super) fn detach(&mut self, now: Instant, handle: Handle, reader: ReaderId, how: Detach) {
        let Ok(known) = self.session(handle) else {
            return;
        };
        if known.reader != Some(reader) {
            return;
        }
        known.reader = None;
        let is_open = known.state != State::Closed;
        self.attached -= 1;
        if !is_open {
            return;
        }
        match how {
            Detach::Answered => self.hear_from(now, handle.slot),
            Detach::Dropped => self.suspect(now, handle.id),
            Detach::Ended => self.close(now, handle.id, CloseReason::Lost),
        }
    }

    /// Ends an open session: the partner is told, and the last events stay readable for a while.
    pub(super) fn close(&mut self, now: Instant, session: SessionId, reason: CloseReason) {
        let left = match reason {
            CloseReason::Left => LeftReason::Left,
            CloseReason::Lost | CloseReason::Slow | CloseReason::Draining => LeftReason::Lost,
        };
        if let Some(partner) = self.part(session) {
            self.tell_partner_left(now, partner, left);
        }
        self.end(now, session, reason);
    }

    /// Ends an open session without a word to the partner, who must be told otherwise.
    pub(super) fn end(&mut self, now: Instant, session: SessionId, reason: CloseReason) {
        let retry_after_ms =
            (reason == CloseReason::Draining).then_some(self.config.retry_after_ms);
        self.lobby.leave(session);
        self.online -= 1;
        let known = self.known(session);
        debug_assert_ne!(known.state, State::Closed, "{session} ends twice");
        trace!(
            name: "ended",
            session = session.0,
            is_lost = reason == CloseReason::Lost,
            is_slow = reason == CloseReason::Slow,
            is_left = reason == CloseReason::Left,
            was_suspect = known.suspect,
            is_read = known.reader.is_some(),
        );
        known.state = State::Closed;
        known.is_kept_back = false;
        if std::mem::take(&mut known.is_stalled) {
            self.stalled.remove(session);
        }
        let known = self.known(session);
        let notice_at = known.notice_at.take();
        self.wait_no_longer_for(session);
        self.notices.change(session, notice_at, None);
        // For as long as a drain waits, there is something to come for.
        let drain_max = if self.draining { self.config.drain_max() } else { Duration::ZERO };
        let kept = self.config.resume_window().max(drain_max);
        self.set_deadline(session, Some(now.after(kept)));
        let closing = ServerEvent::Closing { reason, retry_after_ms };
        let kind = closing.kind();
        let handle = self.sessions.find(session).expect(KNOWN);
        let (head, held) = self
            .mailbox(handle, |mailbox| (mailbox.push_last(Entry::new(now, closing)), mailbox.len()))
            .expect("a session that ends is still known");
        self.outputs.push_back(Output::Told { session: handle, head, kind, held });
    }

    /// True when an open session is worth waiting for in a drain that begins now.
    pub(super) fn is_expected(&self, now: Instant, session: SessionId) -> bool {
        let known = &self.sessions[self.slot(session)];
        let lease =
            if known.is_new { self.config.first_lease() } else { self.config.session_lease() };
        let heard_at = |deadline: Instant| deadline.before(lease);
        let is_silent = |deadline| heard_at(deadline).after(self.config.drain_max()) < now;
        let is_gone =
            known.reader.is_none() && (known.suspect || known.deadline.is_some_and(is_silent));
        !is_gone || known.mailbox.has_unheard_message()
    }

    /// Lets a drain wait until a session has been told everything.
    pub(super) fn wait_for(&mut self, session: SessionId) {
        let known = self.known(session);
        known.is_expected = true;
        let is_waited_for = known.is_waited_for();
        self.unread += usize::from(is_waited_for);
    }

    /// Whoever leaves need not be told that everything ends.
    fn wait_no_longer_for(&mut self, session: SessionId) {
        let known = self.known(session);
        let was_waited_for = known.is_waited_for();
        known.is_expected = false;
        self.unread -= usize::from(was_waited_for);
    }

    /// Lets a session wait in the lobby; or beside it, until its person has read.
    pub(super) fn admit(&mut self, now: Instant, session: SessionId, told: Told) {
        let slot = self.slot(session);
        let known = &mut self.sessions[slot];
        known.is_kept_back = !known.mailbox.is_ready(Bounds::new(&self.config));
        if !known.is_kept_back {
            match told {
                Told::Not => self.lobby.enter(session),
                Told::Before => self.lobby.enter_again(session),
            }
            return;
        }
        trace!(name: "kept back", session = session.0);
        if told == Told::Not {
            self.tell(now, slot, ServerEvent::Waiting);
        }
        if !self.sessions[slot].mailbox.has_place(Bounds::new(&self.config)) {
            self.stall(now, slot);
        }
    }

    /// The person is there: the lease begins anew, or rests while somebody reads.
    fn hear_from(&mut self, now: Instant, slot: Slot) {
        let lease = self.config.session_lease();
        let known = &mut self.sessions[slot];
        let session = known.id;
        let deadline = known.reader.is_none().then(|| now.after(lease));
        known.is_new = false;
        let was_suspect = std::mem::take(&mut known.suspect);
        if known.timer_is_early_enough(deadline) && !was_suspect {
            known.deadline = deadline;
            return;
        }
        if was_suspect && known.state == State::Waiting {
            trace!(name: "waits again", session = session.0);
            self.admit(now, session, Told::Before);
        }
        self.set_deadline(session, deadline);
    }

    fn suspect(&mut self, now: Instant, session: SessionId) {
        let known = self.known(session);
        known.suspect = true;
        trace!(name: "suspected", session = session.0, is_paired = known.state != State::Waiting);
        self.lobby.leave(session);
        self.set_deadline(session, Some(now.after(self.config.resume_window())));
    }

    /// The person may be gone; the reader finds out in its own time, so there is no deadline.
    pub(super) fn doubt(&mut self, handle: Handle, reader: ReaderId) {
        let Ok(known) = self.session(handle) else {
            return;
        };
        if known.reader == Some(reader) && known.state != State::Closed {
            known.suspect = true;
            trace!(name: "doubted", session = handle.id.0);
            self.lobby.leave(handle.id);
        }
    }

    fn set_deadline(&mut self, session: SessionId, deadline: Option<Instant>) {
        let known = self.known(session);
        known.deadline = deadline;
        if !known.timer_is_early_enough(deadline) {
            let timer = std::mem::replace(&mut known.timer, deadline);
            self.timers.change(session, timer, deadline);
        }
    }

    /// A session's timer went off: says whether its time is really over, and sets the timer anew
    /// where there is a later deadline.
    pub(super) fn is_overdue(&mut self, now: Instant, session: SessionId) -> bool {
        let known = self.known(session);
        known.timer = None;
        match known.deadline {
            None => false,
            Some(deadline) if deadline > now => {
                self.set_deadline(session, Some(deadline));
                false
            }
            Some(_) => true,
        }
    }
}
