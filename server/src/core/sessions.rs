//! Everybody by id, found in one step.
//!
//! It cannot be walked, on purpose: a hash has an order that nobody decided, and whatever needs
//! all sessions of a server takes its lock for too long.

use rustc_hash::FxHashMap;

use super::session::Session;
use crate::protocol::SessionId;

/// The ids come from the server itself, so nobody can choose them to collide.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    by_id: FxHashMap<SessionId, Box<Session>>,
}

impl Sessions {
    pub(super) fn insert(&mut self, id: SessionId, session: Session) {
        let previous = self.by_id.insert(id, Box::new(session));
        assert!(previous.is_none(), "{id} was opened twice");
    }

    pub(super) fn remove(&mut self, id: SessionId) -> Option<Box<Session>> {
        self.by_id.remove(&id)
    }

    pub(super) fn get(&self, id: SessionId) -> Option<&Session> {
        self.by_id.get(&id).map(Box::as_ref)
    }

    pub(super) fn get_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        self.by_id.get_mut(&id).map(Box::as_mut)
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }
}
