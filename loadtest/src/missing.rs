//! The messages that never reached the partner: how long each of them took at the least.

use std::collections::BTreeMap;
use std::ops::Range;

use reports::run::HistogramDump;

use crate::ledger::{Fate, Ledger, Record};

/// The waits for the missing messages of a window, by the second in which each was due.
pub(crate) struct Missing(BTreeMap<u64, BTreeMap<u64, u64>>);

impl Missing {
    /// Reads the messages of `ledger` that were due in `window` and did not reach the partner without
    /// an excuse; the drain ended at `drained_us`. All times are microseconds on the clock of the run.
    pub(crate) fn read(ledger: &Ledger, window: &Range<u64>, drained_us: u64) -> Self {
        let mut seconds: BTreeMap<u64, BTreeMap<u64, u64>> = BTreeMap::new();
        ledger.for_each(|record| {
            if is_missing(ledger, record, window) {
                let second = (record.intended_us - window.start) / 1_000_000;
                let waited_us = drained_us.saturating_sub(record.intended_us);
                *seconds.entry(second).or_default().entry(waited_us).or_default() += 1;
            }
        });
        Self(seconds)
    }

    pub(crate) fn all(&self) -> HistogramDump {
        let mut all = BTreeMap::new();
        for (waited_us, count) in self.0.values().flatten() {
            *all.entry(*waited_us).or_default() += count;
        }
        HistogramDump(all.into_iter().collect())
    }

    pub(crate) fn of_second(&self, second: u64) -> HistogramDump {
        let waits = self.0.get(&second).into_iter().flatten();
        HistogramDump(waits.map(|(waited_us, count)| (*waited_us, *count)).collect())
    }
}

/// True of a message of this generator that was due in `window` and did not reach the partner
/// without an excuse.
pub(crate) fn is_missing(ledger: &Ledger, record: &Record, window: &Range<u64>) -> bool {
    let is_own = !record.foreign && window.contains(&record.intended_us);
    let is_gone = matches!(ledger.fate(record), Fate::Lost | Fate::Misdelivered);
    is_own && (is_gone || ledger.has_failed(record))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{Due, Schedule};
    use crate::shard::Shard;

    #[test]
    fn lost_message_took_longer_than_the_time_to_the_end_of_the_drain() {
        let due = [(900_000, 0), (1_500_000, 1), (2_500_000, 2)];
        let due = due.map(|(at_us, number)| Due { at_us, person: 0, number }).to_vec();
        let ledger = Ledger::new(1, &Schedule { due, people: 2 }, Shard::WHOLE);
        let ids = [0, 1, 2].map(|number| ledger.send(0, number, 9, 900_000));
        ledger.receive(1, Some(9), &ids[1], 1_500_100);
        let missing = Missing::read(&ledger, &(1_000_000..3_000_000), 6_000_000);
        assert_eq!(missing.all(), HistogramDump(vec![(3_500_000, 1)]));
        assert!(missing.of_second(0).is_empty());
        assert_eq!(missing.of_second(1), missing.all());
    }
}
