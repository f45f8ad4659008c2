//! Latency by what its reader uses, and the messages that each kind of reader should have read and did
//! not.
//!
//! Who should have read a missing message follows from its conversation: whoever else said or read
//! something in it. It is attributed to nobody where nobody else did.

use std::collections::BTreeMap;
use std::ops::Range;

use client::TransportKind;
use hdrhistogram::Histogram;
use reports::run::{HistogramDump, Readers, latency_histogram};

use crate::ledger::{Fate, Ledger, Record};
use crate::missing::is_missing;
use crate::name::Name;

/// What is known of the readers of one kind.
struct Kind {
    latency: Histogram<u64>,
    missing_us: BTreeMap<u64, u64>,
}

/// An entry a kind, for the messages of `ledger` that were due in `window`, with no users yet; the
/// drain ended at `drained_us`. All times are microseconds on the clock of the run.
pub(crate) fn read(
    ledger: &Ledger,
    window: &Range<u64>,
    drained_us: u64,
    kinds: impl Iterator<Item = TransportKind>,
    kind_of: impl Fn(u32) -> TransportKind,
) -> Vec<Readers> {
    let kind = |kind| (kind, Kind { latency: latency_histogram(), missing_us: BTreeMap::new() });
    let mut all: BTreeMap<TransportKind, Kind> = kinds.map(kind).collect();
    let pairs = Pairs::read(ledger);
    let mut last = (u32::MAX, 0);
    ledger.for_each_named(|Name { sender, .. }, record| {
        // What was not sent was meant for whoever the sender talked to last.
        let pair = match (record.sent_us, last) {
            (None, (same, pair)) if same == sender => pair,
            _ => record.pair,
        };
        last = (sender, pair);
        if is_missing(ledger, record, window) {
            let reader = pairs.partner(pair, sender);
            if let Some(kind) = reader.and_then(|reader| all.get_mut(&kind_of(reader))) {
                let waited_us = drained_us.saturating_sub(record.intended_us);
                *kind.missing_us.entry(waited_us).or_default() += 1;
            }
        } else if let Some((reader, latency_us)) = arrival(record, window)
            && let Some(kind) = all.get_mut(&kind_of(reader))
        {
            kind.latency.saturating_record(latency_us);
        }
    });
    let told = |(kind, it): (TransportKind, Kind)| Readers {
        transport: kind.name().to_owned(),
        users: 0,
        latency_us: HistogramDump::from(&it.latency),
        missing_us: HistogramDump(it.missing_us.into_iter().collect()),
    };
    all.into_iter().map(told).collect()
}

/// Who read a message of the window, and its latency in microseconds.
fn arrival(record: &Record, window: &Range<u64>) -> Option<(u32, u64)> {
    let is_counted = window.contains(&record.intended_us) && record.fate() != Fate::Misdelivered;
    let reader = record.reader().filter(|_| is_counted)?;
    Some((reader, record.received_us?.saturating_sub(record.intended_us)))
}

/// The people of each conversation, as far as they said or read something in it.
struct Pairs(BTreeMap<u64, Vec<u32>>);

impl Pairs {
    fn read(ledger: &Ledger) -> Self {
        let mut pairs: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
        ledger.for_each_named(|Name { sender, .. }, record| {
            let is_known = record.sent_us.is_some() && record.fate() != Fate::Misdelivered;
            let people = [Some(sender), record.reader()].into_iter().flatten();
            for person in people.filter(|_| is_known) {
                let pair = pairs.entry(record.pair).or_default();
                if !pair.contains(&person) {
                    pair.push(person);
                }
            }
        });
        Self(pairs)
    }

    fn partner(&self, pair: u64, person: u32) -> Option<u32> {
        self.0.get(&pair)?.iter().copied().find(|other| *other != person)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{Due, Schedule};
    use crate::shard::Shard;

    const KINDS: [TransportKind; 2] = [TransportKind::Sse, TransportKind::Websocket];

    /// Person 0 reads over SSE, person 1 over a WebSocket.
    fn readers(ledger: &Ledger) -> Vec<(String, u64, HistogramDump)> {
        let kind_of = |person: u32| KINDS[person as usize];
        let all = read(ledger, &(1_000_000..3_000_000), 6_000_000, KINDS.into_iter(), kind_of);
        let told = |it: Readers| (it.transport, it.latency_us.count(), it.missing_us);
        all.into_iter().map(told).collect()
    }

    fn ledger(due: &[(u64, u32, u32)]) -> Ledger {
        let due = due.iter().map(|&(at_us, person, number)| Due { at_us, person, number });
        Ledger::new(1, &Schedule { due: due.collect(), people: 2 }, Shard::WHOLE)
    }

    #[test]
    fn missing_message_is_counted_with_the_partner_who_should_have_read_it() {
        let ledger = ledger(&[(1_500_000, 0, 0), (2_000_000, 0, 1), (2_500_000, 1, 0)]);
        let ids = [(0, 0), (0, 1), (1, 0)]
            .map(|(person, number)| ledger.send(person, number, 9, 1_500_000));
        ledger.receive(1, Some(9), &ids[0], 1_500_100);
        let none = HistogramDump::default;
        let missing = |waited_us| HistogramDump(vec![(waited_us, 1)]);
        let expected = [
            ("sse".to_owned(), 0, missing(3_500_000)),
            ("websocket".to_owned(), 1, missing(4_000_000)),
        ];
        assert_eq!(readers(&ledger), expected);
        ledger.receive(0, Some(9), &ids[2], 2_500_100);
        ledger.receive(1, Some(9), &ids[1], 2_000_100);
        let expected = [("sse".to_owned(), 1, none()), ("websocket".to_owned(), 2, none())];
        assert_eq!(readers(&ledger), expected);
    }

    #[test]
    fn message_into_a_conversation_of_one_is_attributed_to_nobody() {
        let ledger = ledger(&[(1_500_000, 0, 0)]);
        ledger.send(0, 0, 9, 1_500_000);
        let missing = readers(&ledger).iter().map(|it| it.2.count()).sum::<u64>();
        assert_eq!(missing, 0);
    }
}
