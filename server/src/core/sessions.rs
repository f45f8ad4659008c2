//! Everybody: found by id in one step, by slot in none.
//!
//! It cannot be walked, on purpose: a hash has an order that nobody decided, and whatever needs
//! all sessions of a server takes its lock for too long.

use std::ops::{Index, IndexMut};

use rustc_hash::FxHashMap;

use super::session::Session;
use crate::protocol::SessionId;

/// Sessions that lie side by side; no session moves when another one comes.
const CHUNK: usize = 256;

/// Where a session lies for as long as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot(u32);

impl Slot {
    fn place(self) -> (usize, usize) {
        let slot = self.0 as usize;
        (slot / CHUNK, slot % CHUNK)
    }
}

#[derive(Debug, Default)]
pub(super) struct Sessions {
    /// The ids come from the server itself, so nobody can choose them to collide.
    slots: FxHashMap<SessionId, Slot>,
    chunks: Vec<Vec<Option<Session>>>,
    free: Vec<Slot>,
}

impl Sessions {
    pub(super) fn insert(&mut self, session: Session) -> Slot {
        let slot = self.free.pop().unwrap_or_else(|| self.grow());
        let previous = self.slots.insert(session.id, slot);
        assert!(previous.is_none(), "{} was opened twice", session.id);
        let (chunk, place) = slot.place();
        self.chunks[chunk][place] = Some(session);
        slot
    }

    pub(super) fn remove(&mut self, id: SessionId) -> Option<Session> {
        let slot = self.slots.remove(&id)?;
        self.free.push(slot);
        let (chunk, place) = slot.place();
        self.chunks[chunk][place].take()
    }

    pub(super) fn slot(&self, id: SessionId) -> Option<Slot> {
        self.slots.get(&id).copied()
    }

    pub(super) fn get(&self, id: SessionId) -> Option<&Session> {
        self.slot(id).map(|slot| &self[slot])
    }

    pub(super) fn get_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        self.slot(id).map(|slot| &mut self[slot])
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// One slot more, which nobody has had before.
    fn grow(&mut self) -> Slot {
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        let full = (self.chunks.len() - 1) * CHUNK;
        let last = self.chunks.last_mut().expect("there is one now");
        last.push(None);
        let slot = full + last.len() - 1;
        Slot(u32::try_from(slot).expect("no server has four thousand million sessions"))
    }
}

impl Index<Slot> for Sessions {
    type Output = Session;

    fn index(&self, slot: Slot) -> &Session {
        let (chunk, place) = slot.place();
        self.chunks[chunk][place].as_ref().expect(GONE)
    }
}

impl IndexMut<Slot> for Sessions {
    fn index_mut(&mut self, slot: Slot) -> &mut Session {
        let (chunk, place) = slot.place();
        self.chunks[chunk][place].as_mut().expect(GONE)
    }
}

const GONE: &str = "a slot is held only by the session itself and by its partner";
