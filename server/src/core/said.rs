//! What a session has said lately, so that a repeated message is not said twice.
//!
//! Only a hash of 64 bits is kept of each id, eight bytes instead of up to sixty-four: two ids of
//! one session are taken for the same once in 2^64 / `ids_max` messages, and whoever makes ids that
//! collide on purpose silences nobody else.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::protocol::MessageId;

/// The hashes of the latest ids, in a ring that is split: every message looks through all the tags,
/// which are few bytes, and but for one in hundreds at nothing else.
#[derive(Debug, Default)]
pub(super) struct Said {
    tags: Vec<u16>,
    rests: Vec<[u16; 3]>,
    oldest: usize,
}

/// What is remembered of an id: a hash of 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hashed {
    tag: u16,
    rest: [u16; 3],
}

impl Hashed {
    /// The hasher's keys are fixed, so that a run can be repeated.
    pub(super) fn new(id: &MessageId) -> Self {
        let mut hasher = DefaultHasher::new();
        id.hash(&mut hasher);
        let hash = hasher.finish();
        let part = |shift: u32| (hash >> shift) as u16;
        Self { tag: part(0), rest: [part(16), part(32), part(48)] }
    }
}

impl Said {
    pub(super) fn contains(&self, id: Hashed) -> bool {
        // Without a way out in the middle, so that many are compared at once.
        let may_contain = self.tags.iter().fold(false, |found, tag| found | (*tag == id.tag));
        may_contain && self.tags.iter().zip(&self.rests).any(|both| both == (&id.tag, &id.rest))
    }

    /// Remembers an id, and forgets the oldest where there are `ids_max` already.
    pub(super) fn remember(&mut self, id: Hashed, ids_max: usize) {
        if self.tags.len() < ids_max {
            self.tags.push(id.tag);
            self.rests.push(id.rest);
            return;
        }
        self.tags[self.oldest] = id.tag;
        self.rests[self.oldest] = id.rest;
        self.oldest = (self.oldest + 1) % ids_max;
    }
}
