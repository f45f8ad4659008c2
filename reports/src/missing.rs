//! Latencies of which some are known only to be longer than the wait for them (right-censored).
//!
//! A message that never arrived has no latency, and is not fast for that: it took longer than the
//! time from its intended sending to the end of the drain. Percentiles are taken of all messages,
//! the missing ones as if they took for ever. A percentile that lies among them is not known; what
//! is known is a length that it exceeds.

use crate::counts::sum;
use crate::quantile::{BEYOND_MIN, Quantile};
use crate::run::{HistogramDump, Interval, Readers, Series};

/// What stands for the latency of a missing message where one is needed: longer than any.
pub(crate) const ENDLESS_US: u64 = u64::MAX;

/// The latencies of messages that arrived, and the waits for those that did not.
#[derive(Debug, Clone, Copy)]
pub struct Latencies<'a> {
    /// Of the messages that arrived, in microseconds.
    pub known: &'a HistogramDump,
    /// Of those that did not: how long each took at the least, in microseconds.
    pub missing: &'a HistogramDump,
}

/// A percentile of messages of which some may be missing, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Latency {
    /// It is known: every missing message is slower.
    Known(u64),
    /// It lies among the missing messages, and is longer than this.
    MoreThan(u64),
}

impl Series {
    /// The latencies of its window.
    #[must_use]
    pub fn latencies(&self) -> Latencies<'_> {
        Latencies { known: &self.latency_us, missing: &self.missing_us }
    }

    /// The latencies of each round, where it was measured several times.
    pub fn latencies_of_rounds(&self) -> impl Iterator<Item = Latencies<'_>> {
        static NONE: HistogramDump = HistogramDump(Vec::new());
        self.rounds.iter().enumerate().map(|(nth, known)| {
            let missing = self.missing_us_of_rounds.get(nth).unwrap_or(&NONE);
            Latencies { known, missing }
        })
    }
}

impl Interval {
    /// The latencies of the messages that were due in it.
    #[must_use]
    pub fn latencies(&self) -> Latencies<'_> {
        Latencies { known: &self.latency_us, missing: &self.missing_us }
    }
}

impl Readers {
    /// The latencies of the messages that they read, or should have read.
    #[must_use]
    pub fn latencies(&self) -> Latencies<'_> {
        Latencies { known: &self.latency_us, missing: &self.missing_us }
    }
}

impl Latencies<'_> {
    /// Messages, the missing ones among them.
    #[must_use]
    pub fn count(self) -> u64 {
        self.known.count() + self.missing.count()
    }

    /// Messages that lie beyond a percentile, the missing ones among them.
    #[must_use]
    pub fn beyond(self, quantile: Quantile) -> u64 {
        let count = self.count();
        count.saturating_sub(quantile.rank(count))
    }

    /// The percentile; none where it is known and fewer than [`BEYOND_MIN`] messages lie beyond it,
    /// or where there are no messages.
    #[must_use]
    pub fn at(self, quantile: Quantile) -> Option<Latency> {
        let count = self.count();
        let rank = quantile.rank(count);
        if count > 0 && rank > self.known.count() {
            return Some(Latency::MoreThan(self.least_at_rank(rank)?));
        }
        let enough = self.beyond(quantile) >= BEYOND_MIN;
        self.known.value_at_rank(rank).filter(|_| enough).map(Latency::Known)
    }

    /// The highest latency; none where there are no messages.
    #[must_use]
    pub fn max(self) -> Option<Latency> {
        let least = self.known.max().max(self.missing.max())?;
        Some(if self.missing.is_empty() { Latency::Known(least) } else { Latency::MoreThan(least) })
    }

    /// The shortest wait for a missing message, in microseconds; none where none is missing.
    #[must_use]
    pub fn shortest_wait_us(self) -> Option<u64> {
        self.missing.0.first().map(|&(us, _)| us)
    }

    /// One histogram of all, with [`ENDLESS_US`] for each missing message.
    pub(crate) fn pessimistic(self) -> HistogramDump {
        let mut all = self.known.clone();
        if !self.missing.is_empty() {
            all.0.push((ENDLESS_US, self.missing.count()));
        }
        all
    }

    /// The latency of that rank, had each missing message arrived at the end of the wait for it.
    fn least_at_rank(self, rank: u64) -> Option<u64> {
        sum([self.known, self.missing]).value_at_rank(rank)
    }
}

impl Latency {
    /// The length, where it is known.
    #[must_use]
    pub fn known(self) -> Option<u64> {
        match self {
            Self::Known(us) => Some(us),
            Self::MoreThan(_) => None,
        }
    }

    /// What it exceeds, where no more is known.
    #[must_use]
    pub fn more_than(self) -> Option<u64> {
        match self {
            Self::Known(_) => None,
            Self::MoreThan(us) => Some(us),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dump(counts: &[(u64, u64)]) -> HistogramDump {
        HistogramDump(counts.to_vec())
    }

    fn at(known: &[(u64, u64)], missing: &[(u64, u64)], quantile: Quantile) -> Option<Latency> {
        Latencies { known: &dump(known), missing: &dump(missing) }.at(quantile)
    }

    #[test]
    fn percentile_among_missing_messages_is_a_lower_bound() {
        let (known, missing) = ([(248, 120)], [(3_000_000, 84), (4_000_000, 100)]);
        assert_eq!(at(&known, &missing, Quantile::P50), Some(Latency::MoreThan(3_000_000)));
        assert_eq!(at(&known, &missing, Quantile::P99), Some(Latency::MoreThan(4_000_000)));
        assert_eq!(at(&known, &[], Quantile::P50), Some(Latency::Known(248)));
    }

    #[test]
    fn percentile_below_missing_messages_counts_them_as_slower() {
        let known = [(100, 500), (900, 490)];
        assert_eq!(at(&known, &[(3_000_000, 10)], Quantile::P50), Some(Latency::Known(100)));
        assert_eq!(at(&known, &[(3_000_000, 10)], Quantile::P99), Some(Latency::Known(900)));
        assert_eq!(at(&known, &[(3_000_000, 20)], Quantile::P50), Some(Latency::Known(900)));
        let bound = Some(Latency::MoreThan(3_000_000));
        assert_eq!(at(&known, &[(3_000_000, 11)], Quantile::P99), bound);
    }

    #[test]
    fn one_missing_message_is_the_maximum_however_short_its_wait() {
        let (known, missing) = (dump(&[(5_000, 3)]), dump(&[(40, 1)]));
        let latencies = Latencies { known: &known, missing: &missing };
        assert_eq!(latencies.max(), Some(Latency::MoreThan(5_000)));
        assert_eq!((latencies.count(), latencies.shortest_wait_us()), (4, Some(40)));
    }

    #[test]
    fn without_messages_nothing_is_known() {
        assert_eq!(at(&[], &[], Quantile::P50), None);
        assert_eq!(at(&[(5, 19)], &[], Quantile::P50), None, "nine lie beyond");
        assert_eq!(at(&[], &[(7, 1)], Quantile::P50), Some(Latency::MoreThan(7)));
    }
}
