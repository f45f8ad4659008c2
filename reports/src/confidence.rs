//! How sure a percentile is: the widest of two or three 95 % intervals.
//!
//! That of order statistics is the least that chance alone would do, as if messages had nothing to do
//! with each other. That of the block bootstrap knows that messages of one second share their fate;
//! it takes a few seconds to say anything. Where everything was measured several times, there is a
//! third: how the rounds differ, by Student's distribution, which holds what no round knows of itself.
//! Whoever shows or compares percentiles asks here.

use crate::bootstrap::{Bootstrap, deviation, student_95};
use crate::counts::sum;
use crate::figure::Measured;
use crate::missing::{ENDLESS_US, Latencies};
use crate::quantile::{Estimate, Quantile};
use crate::run::{HistogramDump, Interval, LATENCY_US_MAX, Series};
use crate::verdict::CLOSE_SHARE;

/// Fewer rounds than this tell nothing about how rounds differ.
pub(crate) const ROUNDS_MIN: usize = 3;

impl Series {
    /// True when it is known how one measurement of this differs from the next.
    #[must_use]
    pub(crate) fn is_repeated(&self) -> bool {
        self.rounds.len() >= ROUNDS_MIN
    }

    /// Percentiles of the latency with their 95 % intervals; none where fewer than ten messages lie
    /// beyond, and where the percentile or its interval reaches into the missing messages.
    #[must_use]
    pub fn estimates(&self, quantiles: &[Quantile]) -> Vec<Option<Estimate>> {
        let within = estimates(self.latencies(), &self.intervals, quantiles);
        let rounds: Vec<_> = self.latencies_of_rounds().map(Latencies::pessimistic).collect();
        let both = within.into_iter().zip(quantiles);
        both.map(|(it, quantile)| widened(it?, between_rounds(&rounds, *quantile))).collect()
    }

    /// The median of the first half of the window and that of the second, where they differ by more
    /// than chance and more than is too close to tell: the window was opened before the server had
    /// settled, or something changed meanwhile. None where that cannot be said, too, which takes
    /// ten seconds.
    #[must_use]
    pub fn moved(&self) -> Option<[u64; 2]> {
        if !self.rounds.is_empty() {
            // The halves are different rounds, each with a warm-up of its own.
            return None;
        }
        let (first, second) = self.intervals.split_at(self.intervals.len() / 2);
        let median = |half: &[Interval]| {
            let known = &sum(half.iter().map(|it| &it.latency_us));
            let missing = &sum(half.iter().map(|it| &it.missing_us));
            let _seconds_enough = Bootstrap::new(half)?;
            estimates(Latencies { known, missing }, half, &[Quantile::P50]).pop()?
        };
        let (first, second) = (median(first)?, median(second)?);
        let has_moved = difference(Ratio::new(&first, &second).interval).is_some();
        has_moved.then_some([first.value, second.value])
    }
}

fn estimates(
    latencies: Latencies<'_>,
    intervals: &[Interval],
    quantiles: &[Quantile],
) -> Vec<Option<Estimate>> {
    let all = latencies.pessimistic();
    let bootstrapped = Bootstrap::new(intervals)
        .map_or_else(|| vec![0.0; quantiles.len()], |it| it.half_widths_of_log(quantiles));
    let both = quantiles.iter().zip(bootstrapped);
    both.map(|(quantile, half)| {
        let estimate = all.estimate(*quantile).filter(|it| it.high < ENDLESS_US)?;
        widened(estimate, half)
    })
    .collect()
}

/// Half of the 95 % interval of the logarithm of a percentile, by how it differs from round to round;
/// zero where there are not rounds enough.
fn between_rounds(rounds: &[HistogramDump], quantile: Quantile) -> f64 {
    let values = rounds.iter().filter_map(|round| Some(round.estimate(quantile)?.value));
    let logs: Vec<f64> = values.map(|us| (us.max(1) as f64).ln()).collect();
    if logs.len() < ROUNDS_MIN {
        return 0.0;
    }
    student_95(logs.len() - 1) * deviation(&logs) / (logs.len() as f64).sqrt()
}

/// At least so wide: the half width is that of the logarithm. None where that is no interval, but
/// anything up to the missing messages.
fn widened(it: Estimate, half_width: f64) -> Option<Estimate> {
    let value = it.value as f64;
    let low = (value * (-half_width).exp()).floor() as u64;
    let high = (value * half_width.exp()).ceil() as u64;
    let is_bounded = high < 2 * LATENCY_US_MAX;
    is_bounded.then(|| Estimate { low: it.low.min(low), high: it.high.max(high), ..it })
}

/// One percentile divided by another, with its 95 % interval.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ratio {
    pub(crate) interval: (f64, f64),
}

impl Ratio {
    /// The second divided by the first.
    pub(crate) fn new(one: &Estimate, other: &Estimate) -> Self {
        let ratio = other.value as f64 / one.value.max(1) as f64;
        let half = half_width(one).hypot(half_width(other));
        Self { interval: (ratio * (-half).exp(), ratio * half.exp()) }
    }
}

/// Half of the 95 % interval of the logarithm.
fn half_width(estimate: &Estimate) -> f64 {
    let (low, high) = (estimate.low.max(1) as f64, estimate.high.max(1) as f64);
    (high / low).ln() / 2.0
}

/// A difference that is more than chance, and more than two runs of the same differ anyway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Difference {
    Lower,
    Higher,
}

pub(crate) fn difference((low, high): (f64, f64)) -> Option<Difference> {
    match () {
        () if high < 1.0 / (1.0 + CLOSE_SHARE) => Some(Difference::Lower),
        () if low > 1.0 + CLOSE_SHARE => Some(Difference::Higher),
        () => None,
    }
}

/// True where one lies below the other by more than chance, and more than two runs of the same
/// differ: their 95 % intervals have nothing in common, and that of the ratio is beyond what is too
/// close to tell. Never without both intervals.
pub(crate) fn is_clear(lower: &Measured, higher: &Measured) -> bool {
    let (Some(below), Some(above)) = (lower.interval, higher.interval) else {
        return false;
    };
    let half_width = |(low, high): (f64, f64)| (high.max(1e-9) / low.max(1e-9)).ln() / 2.0;
    let half = half_width(below).hypot(half_width(above));
    let ratio = higher.value.max(1e-9) / lower.value.max(1e-9);
    below.1 < above.0
        && difference((ratio * (-half).exp(), ratio * half.exp())) == Some(Difference::Higher)
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::run::latency_histogram;

    /// A window of `seconds`, each with exponential latencies about `mean_us` of the second.
    fn window(seed: u64, seconds: u64, mean_us: impl Fn(u64) -> f64) -> Series {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut series = crate::sample::run(1, 1, 10).series.remove(0);
        let intervals = (0..seconds).map(|second| {
            let mut histogram = latency_histogram();
            for _ in 0..500 {
                let waits = -(1.0 - random.random::<f64>()).ln();
                histogram.saturating_record((mean_us(second) * (0.5 + waits)) as u64);
            }
            let latency_us = HistogramDump::from(&histogram);
            Interval { second, sent: 500, received: 500, latency_us, ..Interval::default() }
        });
        series.intervals = intervals.collect();
        series.latency_us = sum(series.intervals.iter().map(|it| &it.latency_us));
        series
    }

    #[test]
    fn an_interval_is_never_narrower_than_that_of_order_statistics() {
        let ladder = [Quantile::P50, Quantile::P90, Quantile::P99];
        let series = window(1, 12, |second| 300.0 + 10.0 * (second % 3) as f64);
        for (quantile, estimate) in ladder.iter().zip(series.estimates(&ladder)) {
            let narrow = series.latency_us.estimate(*quantile).expect("thousands of messages");
            let wide = estimate.expect("thousands of messages");
            assert_eq!((wide.value, wide.beyond), (narrow.value, narrow.beyond));
            assert!(wide.low <= narrow.low && wide.high >= narrow.high, "{wide:?} {narrow:?}");
        }
    }

    #[test]
    fn seconds_that_differ_make_an_interval_wider() {
        let alike = window(1, 12, |_| 300.0).estimates(&[Quantile::P50]);
        let moody = window(1, 12, |second| 300.0 * (1.0 + 0.2 * (second % 2) as f64));
        let width = |estimate: &Option<Estimate>| {
            let it = estimate.as_ref().expect("thousands of messages");
            it.high as f64 / it.low as f64
        };
        assert!(width(&moody.estimates(&[Quantile::P50])[0]) > 1.05 * width(&alike[0]));
    }

    #[test]
    fn rounds_that_differ_make_an_interval_wider_and_two_say_nothing() {
        let rounds = [290.0, 300.0, 310.0, 420.0].map(|mean_us| window(1, 6, |_| mean_us));
        let mut series = crate::rounds::joined(rounds.to_vec()).expect("four rounds");
        let width = |series: &Series| {
            let it = series.estimates(&[Quantile::P50])[0].expect("thousands of messages");
            it.high as f64 / it.low as f64
        };
        let of_four = width(&series);
        series.rounds.truncate(2);
        let of_two = width(&series);
        assert!(of_four > 1.2 * of_two, "{of_four} {of_two}");
        assert!(series.moved().is_none(), "its halves are different rounds");
    }

    #[test]
    fn too_few_seconds_leave_the_interval_of_order_statistics() {
        let series = window(1, 3, |second| 300.0 * (1 + second) as f64);
        let estimate = series.latency_us.estimate(Quantile::P50);
        assert_eq!(series.estimates(&[Quantile::P50]), [estimate]);
        assert_eq!(window(1, 3, |_| 300.0).estimates(&[Quantile::P9999]), [None]);
    }

    #[test]
    fn percentile_that_missing_messages_may_reach_has_no_interval() {
        let mut series = window(1, 12, |_| 300.0);
        series.missing_us = HistogramDump(vec![(3_000_000, 30)]);
        series.intervals[4].missing_us = HistogramDump(vec![(3_000_000, 30)]);
        let ladder = [Quantile::P50, Quantile::P99, Quantile::P999];
        let [p50, p99, p999] = series.estimates(&ladder)[..] else { panic!("three were asked") };
        assert!(p50.is_some(), "30 of 6,030 messages are missing");
        assert_eq!((p99, p999), (None, None), "with two more such seconds p99 is not known");
    }

    #[test]
    fn figures_that_still_fall_are_seen_to_move() {
        let falling = window(1, 20, |second| 300.0 * (1.0 + 2.0 * (-0.2 * second as f64).exp()));
        let [first, second] = falling.moved().expect("the first half was slower");
        assert!(first > second, "{first} {second}");
    }

    #[test]
    fn figures_that_only_vary_are_hardly_ever_said_to_move() {
        let moved = (0..100).filter(|seed| {
            let mut moods = ChaCha8Rng::seed_from_u64(*seed);
            let moods: Vec<f64> = (0..10).map(|_| 1.0 + 0.2 * moods.random::<f64>()).collect();
            window(seed + 1_000, 10, |second| 300.0 * moods[second as usize]).moved().is_some()
        });
        let moved = moved.count();
        assert!(moved <= 5, "{moved} of 100");
    }

    #[test]
    fn a_short_window_says_nothing_of_itself() {
        assert_eq!(window(1, 9, |second| 100.0 * (1 + second) as f64).moved(), None);
    }
}
