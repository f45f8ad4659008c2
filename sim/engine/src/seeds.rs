//! Seeds that several threads take one after another.

use std::ops::Range;
use std::sync::{Mutex, MutexGuard};

/// A range of seeds; each is handed out once, in order. The end may come nearer meanwhile. There is
/// no counter beyond the end, so the last seeds of all are as good as the first.
#[derive(Debug)]
pub struct SeedQueue(Mutex<Range<u64>>);

impl SeedQueue {
    /// A queue of all seeds of the range.
    #[must_use]
    pub const fn new(seeds: Range<u64>) -> Self {
        Self(Mutex::new(seeds))
    }

    /// Takes the next seed, if one is left.
    pub fn take(&self) -> Option<u64> {
        self.left().next()
    }

    /// Hands out no seed from `seed` on.
    pub fn end_at(&self, seed: u64) {
        let mut left = self.left();
        left.end = left.end.min(seed);
    }

    fn left(&self) -> MutexGuard<'_, Range<u64>> {
        self.0.lock().expect("nothing panics while it has the seeds")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_seeds_of_all_are_handed_out_once() {
        let queue = SeedQueue::new(u64::MAX - 2..u64::MAX);
        let taken: Vec<_> = (0..5).map(|_| queue.take()).collect();
        assert_eq!(taken, [Some(u64::MAX - 2), Some(u64::MAX - 1), None, None, None]);
    }

    #[test]
    fn an_end_that_comes_nearer_stays() {
        let queue = SeedQueue::new(0..9);
        assert_eq!(queue.take(), Some(0));
        queue.end_at(2);
        queue.end_at(5);
        assert_eq!([queue.take(), queue.take(), queue.take()], [Some(1), None, None]);
        queue.end_at(0);
        assert_eq!(queue.take(), None);
    }
}
