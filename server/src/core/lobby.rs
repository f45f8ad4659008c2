//! Who waits for a partner, first come first served.
//!
//! The lobby never holds anybody who has a partner, is suspected to be gone, or has left. Nothing
//! here walks those who wait: when a network breaks, half of its people wait at once.

use std::collections::BTreeMap;

use protocol::SessionId;

/// How many of those who wait are looked at to find somebody whom the first has not just left.
/// Two are enough: the lobby was all but empty before an input, so of those in it at most one
/// parted from the first before the input and one because of it.
const CANDIDATES_MAX: usize = 3;

/// Position in the queue; a session that enters later has a higher one.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Position(u64);

#[derive(Debug, Default)]
pub(super) struct Lobby {
    line: BTreeMap<Position, SessionId>,
    positions: BTreeMap<SessionId, Position>,
    next: Position,
    /// Who came in since the last matching, and has not been told to wait.
    unannounced: Vec<Position>,
}

impl Lobby {
    /// Takes a newcomer, who will have to be told.
    pub(super) fn enter(&mut self, session: SessionId) {
        let position = self.take_position(session);
        self.unannounced.push(position);
    }

    /// Takes somebody who knows already.
    pub(super) fn enter_again(&mut self, session: SessionId) {
        self.take_position(session);
    }

    pub(super) fn leave(&mut self, session: SessionId) {
        if let Some(position) = self.positions.remove(&session) {
            self.line.remove(&position);
        }
    }

    /// Takes out the next two who should talk. `parted` says whether two have just left each
    /// other: they meet again only when nobody else is there.
    pub(super) fn match_two(
        &mut self,
        parted: impl Fn(SessionId, SessionId) -> bool,
    ) -> Option<(SessionId, SessionId)> {
        let mut waiting = self.line.values().copied();
        let first = waiting.next()?;
        let next = waiting.next()?;
        let mut others = std::iter::once(next).chain(waiting).take(CANDIDATES_MAX);
        let second = others.find(|other| !parted(first, *other)).unwrap_or(next);
        self.leave(first);
        self.leave(second);
        Some((first, second))
    }

    /// Those who were not matched and must be told to wait.
    pub(super) fn take_untold(&mut self) -> Vec<SessionId> {
        let unannounced = std::mem::take(&mut self.unannounced);
        unannounced.iter().filter_map(|position| self.line.get(position).copied()).collect()
    }

    fn take_position(&mut self, session: SessionId) -> Position {
        let position = self.next;
        self.next = Position(position.0 + 1);
        let before = self.positions.insert(session, position);
        assert!(before.is_none(), "{session} waits twice");
        self.line.insert(position, session);
        position
    }
}
