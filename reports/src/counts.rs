//! Counts by value: their sum, their difference, and the value at a rank.

use std::collections::BTreeMap;

use crate::run::{HistogramDump, Readers};

/// The place in `counts` of the sample of that rank, from 1; none where there are fewer samples.
#[must_use]
pub fn place_of_rank(counts: impl IntoIterator<Item = u64>, rank: u64) -> Option<usize> {
    let mut seen = 0;
    counts.into_iter().position(|count| {
        seen += count;
        seen >= rank
    })
}

/// What several histograms hold together.
#[must_use]
pub fn sum<'a>(dumps: impl IntoIterator<Item = &'a HistogramDump>) -> HistogramDump {
    let mut counts: BTreeMap<u64, u64> = BTreeMap::new();
    for &(value, count) in dumps.into_iter().flat_map(|dump| &dump.0) {
        *counts.entry(value).or_insert(0) += count;
    }
    HistogramDump(counts.into_iter().collect())
}

/// The readers of several crowds as those of one, by transport: people and latencies add up.
#[must_use]
pub fn readers<'a>(all: impl IntoIterator<Item = &'a Readers>) -> Vec<Readers> {
    let mut sums: Vec<Readers> = Vec::new();
    for one in all {
        match sums.iter_mut().find(|sum| sum.transport == one.transport) {
            None => sums.push(one.clone()),
            Some(readers) => {
                readers.users += one.users;
                readers.latency_us = sum([&readers.latency_us, &one.latency_us]);
                readers.missing_us = sum([&readers.missing_us, &one.missing_us]);
            }
        }
    }
    sums
}

/// What of `all` is not in `part`, which must be a part of it.
#[must_use]
pub fn without(all: &HistogramDump, part: &HistogramDump) -> HistogramDump {
    let part: BTreeMap<u64, u64> = part.0.iter().copied().collect();
    let left = |&(value, count): &(u64, u64)| {
        let left = count.saturating_sub(part.get(&value).copied().unwrap_or(0));
        (left > 0).then_some((value, left))
    };
    HistogramDump(all.0.iter().filter_map(left).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rank_is_found_where_so_many_samples_have_been_seen() {
        let at = |rank| place_of_rank([2, 0, 3], rank);
        assert_eq!([1, 2, 3, 5].map(at), [Some(0), Some(0), Some(2), Some(2)]);
        assert_eq!(at(6), None);
        assert_eq!(place_of_rank([], 1), None);
    }

    #[test]
    fn readers_of_the_same_transport_are_joined() {
        let of = |transport: &str, users, count| Readers {
            transport: transport.to_owned(),
            users,
            latency_us: HistogramDump(vec![(100, count)]),
            missing_us: HistogramDump(vec![(3_000, 1)]),
        };
        let joined = readers(&[of("sse", 3, 10), of("websocket", 1, 5), of("sse", 4, 20)]);
        let missing_us = HistogramDump(vec![(3_000, 2)]);
        assert_eq!(joined, [Readers { missing_us, ..of("sse", 7, 30) }, of("websocket", 1, 5)]);
    }

    #[test]
    fn a_sum_is_that_of_hdrhistogram_and_its_parts_can_be_taken_away_again() {
        let run = crate::sample::run(2, 2, 300);
        let [one, other] = [0, 1].map(|nth| &run.series[nth].latency_us);
        let mut theirs = one.to_histogram();
        theirs.add(other.to_histogram()).expect("they have the same bounds");
        let ours = sum([one, other]);
        assert_eq!(ours, HistogramDump::from(&theirs));
        assert_eq!(&without(&ours, other), one);
        assert!(without(one, one).is_empty());
    }
}
