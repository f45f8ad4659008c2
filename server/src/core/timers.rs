//! Deadlines, the earliest first; at most one a session.

use std::collections::BTreeSet;

use super::Instant;
use protocol::SessionId;

#[derive(Debug, Default)]
pub(super) struct Timers {
    deadlines: BTreeSet<(Instant, SessionId)>,
    /// The earliest deadline, which is asked for with every input and changes seldom.
    first: Option<Instant>,
}

impl Timers {
    /// Moves a session's deadline from `old` to `new`.
    pub(super) fn change(
        &mut self,
        session: SessionId,
        old: Option<Instant>,
        new: Option<Instant>,
    ) {
        if let Some(old) = old {
            let was_there = self.deadlines.remove(&(old, session));
            assert!(was_there, "the deadline {old} of {session} was not in the timers");
        }
        if let Some(new) = new {
            self.deadlines.insert((new, session));
        }
        self.find_first();
    }

    pub(super) fn first(&self) -> Option<Instant> {
        self.first
    }

    /// Takes out the earliest deadline that is due.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<(Instant, SessionId)> {
        let due = *self.deadlines.first().filter(|(at, _)| *at <= now)?;
        self.deadlines.remove(&due);
        self.find_first();
        Some(due)
    }

    /// Everybody who has a deadline, the earliest first.
    pub(super) fn sessions(&self) -> Vec<SessionId> {
        self.deadlines.iter().map(|(_, session)| *session).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.deadlines.len()
    }

    fn find_first(&mut self) {
        self.first = self.deadlines.first().map(|(at, _)| *at);
    }
}
