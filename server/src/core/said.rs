//! What a session has said lately, so that a repeated message is not said twice.
//!
//! Only a hash of 64 bits is kept of each id, eight bytes instead of up to sixty-four: two ids of
//! one session are taken for the same once in 2^64 / `ids_max` messages, and whoever makes ids that
//! collide on purpose silences nobody else.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::protocol::MessageId;

/// The hashes of the latest ids: a ring in two halves, because every message looks through all of
/// the first and, but for one in millions, at nothing of the second.
#[derive(Debug, Default)]
pub(super) struct Said {
    upper: Vec<u32>,
    lower: Vec<u32>,
    oldest: usize,
}

/// What is remembered of an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hashed {
    upper: u32,
    lower: u32,
}

impl Hashed {
    /// The hasher's keys are fixed, so that a run can be repeated.
    pub(super) fn new(id: &MessageId) -> Self {
        let mut hasher = DefaultHasher::new();
        id.hash(&mut hasher);
        let hash = hasher.finish();
        Self { upper: (hash >> 32) as u32, lower: hash as u32 }
    }
}

impl Said {
    pub(super) fn contains(&self, id: Hashed) -> bool {
        // Without a way out in the middle, so that many are compared at once.
        let may_contain =
            self.upper.iter().fold(false, |found, upper| found | (*upper == id.upper));
        may_contain && self.upper.iter().zip(&self.lower).any(|two| two == (&id.upper, &id.lower))
    }

    /// Remembers an id, and forgets the oldest where there are `ids_max` already.
    pub(super) fn remember(&mut self, id: Hashed, ids_max: usize) {
        if self.upper.len() < ids_max {
            self.upper.push(id.upper);
            self.lower.push(id.lower);
            return;
        }
        self.upper[self.oldest] = id.upper;
        self.lower[self.oldest] = id.lower;
        self.oldest = (self.oldest + 1) % ids_max;
    }
}
