//! What a session has said lately, so that a repeated message is not said twice.
//!
//! Only a hash of 64 bits is kept of each id, eight bytes instead of up to sixty-four: two ids of
//! one session are taken for the same once in 2^64 / `ids_max` messages, and whoever makes ids that
//! collide on purpose silences nobody else.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::protocol::MessageId;

/// The hashes of the latest ids, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Said {
    hashes: VecDeque<u64>,
}

/// What is remembered of an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hashed(u64);

impl Hashed {
    /// The hasher's keys are fixed, so that a run can be repeated.
    pub(super) fn new(id: &MessageId) -> Self {
        let mut hasher = DefaultHasher::new();
        id.hash(&mut hasher);
        Self(hasher.finish())
    }
}

impl Said {
    pub(super) fn contains(&self, id: Hashed) -> bool {
        let (older, newer) = self.hashes.as_slices();
        newer.contains(&id.0) || older.contains(&id.0)
    }

    /// Remembers an id, and forgets the oldest where there are `ids_max` already.
    pub(super) fn remember(&mut self, id: Hashed, ids_max: usize) {
        if self.hashes.len() >= ids_max {
            self.hashes.pop_front();
        }
        self.hashes.push_back(id.0);
    }
}
