//! One run beside another: which percentiles differ by more than chance, and more than two runs of
//! the same differ anyway.
//!
//! For each percentile of each transport that both runs have, the ratio of the second to the first
//! with its 95 % interval: that of order statistics or that of the block bootstrap, whichever is the
//! wider, or that of the rounds. A difference is called one when the interval lies outside of what is
//! too close to tell, and when both were measured in three rounds or more: what changes from one start
//! of a server to the next is in no single run. Single runs of one and the same server on a shared
//! machine would be told apart in one of eight percentiles.

use std::fmt;

use serde::Serialize;

use crate::confidence::{Difference, Ratio, difference};
use crate::quantile::Quantile;
use crate::run::{Run, Series};
use crate::units::{duration_us, number};

const LADDER: [Quantile; 4] = [Quantile::P50, Quantile::P90, Quantile::P99, Quantile::P999];

/// A percentile of two runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Compared {
    /// Transport and percentile, as `websocket p99`.
    pub name: String,
    /// The first run's, in microseconds.
    pub a: u64,
    /// The second run's, in microseconds.
    pub b: u64,
    /// The 95 % interval of the second divided by the first.
    pub interval: (f64, f64),
    /// What can be said.
    pub verdict: Verdict,
}

/// What can be said of the second run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Its percentile is lower.
    Faster,
    /// Its percentile is higher.
    Slower,
    /// Nothing beyond chance.
    NoDifference,
    /// They differ, and how much one measurement differs from the next is not known.
    Unrepeated,
    /// The figures of one of them are not valid.
    Undecided,
}

/// Every percentile that both runs have, transport by transport in the order of the first.
#[must_use]
pub fn compare(a: &Run, b: &Run) -> Vec<Compared> {
    let twin = |one: &Series| b.series.iter().find(|other| other.transport == one.transport);
    let pairs = a.series.iter().filter_map(|one| Some((one, twin(one)?)));
    pairs.flat_map(|(one, other)| compare_series(one, other)).collect()
}

fn compare_series(a: &Series, b: &Series) -> Vec<Compared> {
    let is_valid = a.is_valid() && b.is_valid();
    let is_repeated = a.is_repeated() && b.is_repeated();
    let both = a.estimates(&LADDER).into_iter().zip(b.estimates(&LADDER));
    LADDER
        .into_iter()
        .zip(both)
        .filter_map(|(quantile, (one, other))| {
            let (one, other) = (one?, other?);
            let interval = Ratio::new(&one, &other).interval;
            Some(Compared {
                name: format!("{} p{}", a.transport, quantile.percent()),
                a: one.value,
                b: other.value,
                interval,
                verdict: match difference(interval) {
                    _ if !is_valid => Verdict::Undecided,
                    None => Verdict::NoDifference,
                    Some(_) if !is_repeated => Verdict::Unrepeated,
                    Some(Difference::Lower) => Verdict::Faster,
                    Some(Difference::Higher) => Verdict::Slower,
                },
            })
        })
        .collect()
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Faster => "faster",
            Self::Slower => "slower",
            Self::NoDifference => "no difference",
            Self::Unrepeated => "not repeated",
            Self::Undecided => "not valid",
        })
    }
}

/// The comparison as a table for a terminal.
#[must_use]
pub fn table(compared: &[Compared]) -> String {
    let mut text = format!("{:<28} {:>9} {:>9}  {:<16} B is\n", "latency", "A", "B", "B / A, 95 %");
    for it in compared {
        let (low, high) = it.interval;
        let interval = format!("{} to {}", number(low), number(high));
        let [a, b] = [it.a, it.b].map(|us| duration_us(us as f64));
        text.push_str(&format!("{:<28} {a:>9} {b:>9}  {interval:<16} {}\n", it.name, it.verdict));
    }
    if compared.iter().any(|it| it.verdict == Verdict::Unrepeated) {
        text.push_str(
            "\nnot repeated: they differ, but two measurements of the same may; load --repeat 3 or more, \
             for both, tells\n",
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::run::{HistogramDump, Interval, latency_histogram};

    /// A run of ten seconds, each of which is a little faster or slower than the others as a whole,
    /// as seconds are; `slower` is how much slower all of it is.
    fn run(seed: u64, slower: f64) -> Run {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut all = latency_histogram();
        let mut intervals = Vec::new();
        for second in 0..10 {
            let mood = 1.0 + 0.1 * (random.random::<f64>() - 0.5);
            let mut histogram = latency_histogram();
            for _ in 0..500 {
                let waits = -(1.0 - random.random::<f64>()).ln();
                histogram.saturating_record(((200.0 + 300.0 * waits) * mood * slower) as u64);
            }
            all.add(&histogram).expect("they have the same bounds");
            let latency_us = HistogramDump::from(&histogram);
            intervals.push(Interval {
                second,
                sent: 500,
                received: 500,
                latency_us,
                ..Interval::default()
            });
        }
        let mut run = crate::sample::run(1, 1, 10);
        run.series[0].latency_us = HistogramDump::from(&all);
        run.series[0].intervals = intervals;
        run
    }

    /// Three rounds of it, which differ as runs do.
    fn rounds(seed: u64, slower: f64) -> Run {
        let rounds = (0..3).map(|round| run(3 * seed + round, slower).series.remove(0));
        let mut whole = run(seed, slower);
        whole.series = crate::rounds::joined(rounds.collect()).into_iter().collect();
        whole
    }

    fn verdicts(seed: u64, slower: f64) -> Vec<Verdict> {
        let compared = compare(&rounds(2 * seed, 1.0), &rounds(2 * seed + 1, slower));
        compared.iter().map(|it| it.verdict).collect()
    }

    #[test]
    fn a_run_beside_one_like_it_is_no_different_19_times_of_20() {
        let all: Vec<_> = (0..100).flat_map(|seed| verdicts(seed, 1.0)).collect();
        let same = all.iter().filter(|it| **it == Verdict::NoDifference).count();
        assert!(same * 20 >= all.len() * 19, "{same} of {}", all.len());
    }

    #[test]
    fn a_fifth_slower_is_seen_in_the_median_and_in_the_99th_percentile() {
        let all: Vec<_> = (0..20).map(|seed| verdicts(seed, 1.2)).collect();
        let seen = |place: usize| all.iter().filter(|it| it[place] == Verdict::Slower).count();
        assert!(seen(0) >= 19, "p50 in {} of 20", seen(0));
        assert!(all.iter().flatten().all(|it| *it != Verdict::Faster));
        assert!((0..20).all(|seed| verdicts(seed, 0.7)[0] == Verdict::Faster));
    }

    #[test]
    fn a_difference_of_single_runs_may_be_that_of_the_hour() {
        let compared = compare(&run(0, 1.0), &run(1, 1.5));
        assert_eq!(compared[0].verdict, Verdict::Unrepeated);
        assert!(table(&compared).ends_with("for both, tells\n"));
        assert_eq!(compare(&run(0, 1.0), &rounds(1, 1.5))[0].verdict, Verdict::Unrepeated);
        assert_eq!(compare(&run(0, 1.0), &run(1, 1.0))[0].verdict, Verdict::NoDifference);
    }

    #[test]
    fn chance_is_never_narrower_than_that_of_order_statistics() {
        let mut one = run(1, 1.0);
        let wide = compare(&one, &run(2, 1.0))[0].interval;
        one.series[0].intervals.clear();
        let mut other = run(2, 1.0);
        other.series[0].intervals.clear();
        let narrow = compare(&one, &other)[0].interval;
        assert!(narrow.0 >= wide.0 && narrow.1 <= wide.1, "{narrow:?} {wide:?}");
    }

    #[test]
    fn figures_that_are_not_valid_decide_nothing() {
        let mut b = run(1, 2.0);
        b.series[0].invalid.push("a busy machine".to_owned());
        let compared = compare(&run(0, 1.0), &b);
        assert!(compared.iter().all(|it| it.verdict == Verdict::Undecided) && !compared.is_empty());
    }

    #[test]
    fn a_transport_that_only_one_run_has_is_left_out() {
        let (a, b) = (crate::sample::run(3, 5, 400), crate::sample::run(1, 5, 400));
        let names: Vec<_> = compare(&a, &b).into_iter().map(|it| it.name).collect();
        assert_eq!(names, ["websocket p50", "websocket p90", "websocket p99"]);
    }

    #[test]
    fn the_table_fits_a_terminal() {
        let compared = compare(&rounds(0, 1.0), &rounds(1, 2.0));
        let table = table(&compared);
        assert_eq!(table.lines().count(), 1 + compared.len());
        assert!(table.lines().all(|line| line.chars().count() < 80), "{table}");
        assert!(table.contains("slower"), "{table}");
    }
}
