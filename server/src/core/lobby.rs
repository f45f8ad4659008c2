//! Who waits for a partner, first come first served.
//!
//! The lobby never holds anybody who has a partner, is suspected to be gone, or has left.

use std::collections::VecDeque;

use crate::protocol::SessionId;

#[derive(Debug, Default)]
pub(super) struct Lobby {
    waiting: VecDeque<SessionId>,
    /// Who came in since the last matching, and has not been told to wait.
    untold: Vec<SessionId>,
}

impl Lobby {
    /// Takes a newcomer, who will have to be told.
    pub(super) fn enter(&mut self, session: SessionId) {
        self.enter_again(session);
        self.untold.push(session);
    }

    /// Takes somebody who knows already.
    pub(super) fn enter_again(&mut self, session: SessionId) {
        assert!(!self.waiting.contains(&session), "{session} waits twice");
        self.waiting.push_back(session);
    }

    pub(super) fn leave(&mut self, session: SessionId) {
        self.waiting.retain(|waiting| *waiting != session);
        self.untold.retain(|untold| *untold != session);
    }

    /// Takes out the next two who should talk. `parted` says whether two have just left each
    /// other: they meet again only when nobody else is there.
    pub(super) fn match_two(
        &mut self,
        parted: impl Fn(SessionId, SessionId) -> bool,
    ) -> Option<(SessionId, SessionId)> {
        let first = *self.waiting.front()?;
        let others = || self.waiting.iter().copied().skip(1);
        let second = others().find(|other| !parted(first, *other)).or_else(|| others().next())?;
        self.leave(first);
        self.leave(second);
        Some((first, second))
    }

    /// Those who were not matched and must be told to wait.
    pub(super) fn take_untold(&mut self) -> Vec<SessionId> {
        std::mem::take(&mut self.untold)
    }
}
