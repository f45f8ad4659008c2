//! Everybody: looked for by id once, found by handle ever after.
//!
//! It cannot be walked, on purpose: a hash has an order that nobody decided, and whatever needs
//! all sessions of a server takes its lock for too long.

use std::ops::{Index, IndexMut};

use rustc_hash::FxHashMap;

use super::session::Session;
use protocol::SessionId;

/// Sessions that lie side by side; no session moves when another one comes.
const CHUNK: usize = 256;

/// Where a session lies for as long as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot(u32);

/// Names a session and says where it lies, so that nobody has to look for it: of what a message
/// costs among a hundred thousand people, looking for one of them is a large part.
///
/// It is good until the session is forgotten. After that it names nobody, whoever lies there since:
/// no id is used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handle {
    pub(super) id: SessionId,
    pub(super) slot: Slot,
}

impl Handle {
    /// The session.
    #[must_use]
    pub fn session(self) -> SessionId {
        self.id
    }

    /// Index of the session's slot: small, and unique while the session is known.
    #[must_use]
    pub fn index(self) -> usize {
        self.slot.0 as usize
    }
}

impl Slot {
    fn location(self) -> (usize, usize) {
        let slot = self.0 as usize;
        (slot / CHUNK, slot % CHUNK)
    }
}

#[derive(Debug, Default)]
pub(super) struct Sessions {
    /// The ids come from the server itself, so nobody can choose them to collide.
    slots: FxHashMap<SessionId, Slot>,
    chunks: Vec<Vec<Option<Session>>>,
    /// Who talks to whom, four bytes a session: near enough to a processor to say where both lie
    /// before either is looked at, so that it waits for both at once and not for one after the
    /// other. Who talks to nobody stands here as their own partner.
    partners: Vec<Slot>,
    free: Vec<Slot>,
}

impl Sessions {
    pub(super) fn insert(&mut self, session: Session) -> Handle {
        let slot = self.free.pop().unwrap_or_else(|| self.grow());
        let id = session.id;
        let previous = self.slots.insert(id, slot);
        assert!(previous.is_none(), "{id} was opened twice");
        let (chunk, index) = slot.location();
        self.chunks[chunk][index] = Some(session);
        Handle { id, slot }
    }

    /// Where a session's partner lies; the session itself where it has none.
    pub(super) fn partner(&self, slot: Slot) -> Slot {
        self.partners[slot.0 as usize]
    }

    pub(super) fn link(&mut self, one: Slot, other: Slot) {
        self.partners[one.0 as usize] = other;
        self.partners[other.0 as usize] = one;
    }

    pub(super) fn unlink(&mut self, slot: Slot) {
        self.partners[slot.0 as usize] = slot;
    }

    pub(super) fn remove(&mut self, id: SessionId) -> Option<Session> {
        let slot = self.slots.remove(&id)?;
        self.free.push(slot);
        let (chunk, index) = slot.location();
        self.chunks[chunk][index].take()
    }

    pub(super) fn find(&self, id: SessionId) -> Option<Handle> {
        self.slot(id).map(|slot| Handle { id, slot })
    }

    pub(super) fn slot(&self, id: SessionId) -> Option<Slot> {
        self.slots.get(&id).copied()
    }

    pub(super) fn get(&self, handle: Handle) -> Option<&Session> {
        let (chunk, index) = handle.slot.location();
        let session = self.chunks.get(chunk)?.get(index)?.as_ref();
        session.filter(|session| session.id == handle.id)
    }

    pub(super) fn get_mut(&mut self, handle: Handle) -> Option<&mut Session> {
        let (chunk, index) = handle.slot.location();
        let session = self.chunks.get_mut(chunk)?.get_mut(index)?.as_mut();
        session.filter(|session| session.id == handle.id)
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
        let slot = Slot(u32::try_from(slot).expect("no server has four thousand million sessions"));
        self.partners.push(slot);
        slot
    }
}

impl Index<Slot> for Sessions {
    type Output = Session;

    fn index(&self, slot: Slot) -> &Session {
        let (chunk, index) = slot.location();
        self.chunks[chunk][index].as_ref().expect(GONE)
    }
}

impl IndexMut<Slot> for Sessions {
    fn index_mut(&mut self, slot: Slot) -> &mut Session {
        let (chunk, index) = slot.location();
        self.chunks[chunk][index].as_mut().expect(GONE)
    }
}

const GONE: &str = "a slot is named only by the session itself and by its partner";
