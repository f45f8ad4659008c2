//! The dedup window of a session: the ids of its recent messages, so that a retry is accepted without
//! being delivered twice.
//!
//! Only a hash of 64 bits is kept of each id, eight bytes instead of a text of sixty-four characters: two ids of
//! one session collide once in 2^64 / `ids_max` messages, and a client that makes ids collide on purpose
//! suppresses only its own messages.

use std::hash::{DefaultHasher, Hash, Hasher};

use protocol::MessageId;

/// Tags that lie in the session itself.
const TAGS: usize = 128;

/// The hashes of the latest ids, in a ring that is split: every message looks through all the tags,
/// which are few bytes and near, and but for one in hundreds at nothing else.
#[derive(Debug)]
#[repr(C)]
pub(super) struct RecentIds {
    rests: Vec<[u16; 3]>,
    oldest: usize,
    /// Tags past the first [`TAGS`], where the configuration asks for a longer window; a boxed vector is
    /// a third as large for all other sessions.
    #[expect(clippy::box_collection, reason = "most of the time there is none")]
    more_tags: Option<Box<Vec<u16>>>,
    tags: [u16; TAGS],
}

/// What is remembered of an id: a hash of 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct IdHash {
    tag: u16,
    rest: [u16; 3],
}

impl IdHash {
    /// The hasher's keys are fixed, so that a run can be repeated.
    pub(super) fn new(id: &MessageId) -> Self {
        let mut hasher = DefaultHasher::new();
        id.hash(&mut hasher);
        let hash = hasher.finish();
        let part = |shift: u32| (hash >> shift) as u16;
        Self { tag: part(0), rest: [part(16), part(32), part(48)] }
    }
}

impl Default for RecentIds {
    fn default() -> Self {
        Self { rests: Vec::new(), oldest: 0, more_tags: None, tags: [0; TAGS] }
    }
}

impl RecentIds {
    pub(super) fn contains(&self, id: IdHash) -> bool {
        // Without a way out in the middle, so that many are compared at once.
        let has = |tags: &[u16]| tags.iter().fold(false, |found, tag| found | (*tag == id.tag));
        if !has(&self.tags) && !has(self.more_tags()) {
            return false;
        }
        let tags = self.tags.iter().chain(self.more_tags());
        tags.zip(&self.rests).any(|both| both == (&id.tag, &id.rest))
    }

    /// Remembers an id, and forgets the oldest where there are `ids_max` already.
    pub(super) fn remember(&mut self, id: IdHash, ids_max: usize) {
        let known = self.rests.len();
        if known < ids_max {
            self.rests.push(id.rest);
            match self.tags.get_mut(known) {
                Some(tag) => *tag = id.tag,
                None => self.more_tags.get_or_insert_default().push(id.tag),
            }
            return;
        }
        self.rests[self.oldest] = id.rest;
        let more_tags = self.more_tags.as_deref_mut().map_or(&mut [][..], Vec::as_mut_slice);
        let mut tags = self.tags.iter_mut().chain(more_tags);
        *tags.nth(self.oldest).expect("every id has a tag") = id.tag;
        self.oldest = (self.oldest + 1) % ids_max;
    }

    fn more_tags(&self) -> &[u16] {
        self.more_tags.as_deref().map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_hash(number: usize) -> IdHash {
        IdHash::new(&number.to_string().parse().expect("a number is a short id"))
    }

    #[test]
    fn exactly_the_latest_ids_are_remembered_however_many() {
        for ids_max in [1, 2, TAGS - 1, TAGS, TAGS + 1, 3 * TAGS] {
            let mut ids = RecentIds::default();
            for number in 0..4 * ids_max {
                assert!(!ids.contains(id_hash(number)), "{number} is new");
                ids.remember(id_hash(number), ids_max);
                let oldest = (number + 1).saturating_sub(ids_max);
                assert!((oldest..=number).all(|number| ids.contains(id_hash(number))));
                assert!(!(0..oldest).any(|number| ids.contains(id_hash(number))));
            }
        }
    }
}
