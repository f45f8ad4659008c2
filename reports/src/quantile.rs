//! Percentiles of a recorded histogram, and the rule for when there is none.
//!
//! A percentile that only a handful of samples lie beyond says more about luck than about the
//! server, so [`HistogramDump::estimate`] gives none below [`BEYOND_MIN`]. Ranks are whole
//! numbers throughout: no percentile depends on how a fraction rounds.

use crate::counts::place_of_rank;
use crate::run::HistogramDump;

/// Fewer samples than this beyond a percentile, and it is not reported.
pub const BEYOND_MIN: u64 = 10;

/// How many standard errors a 95 % interval reaches to either side.
const STANDARD_ERRORS_95: f64 = 1.96;

const MILLION: u64 = 1_000_000;

/// A share of the samples, in parts per million: `Quantile(999_000)` is p99.9.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quantile(u32);

impl Quantile {
    /// The median.
    pub const P50: Self = Self(500_000);
    /// 90 %.
    pub const P90: Self = Self(900_000);
    /// 95 %.
    pub const P95: Self = Self(950_000);
    /// 99 %.
    pub const P99: Self = Self(990_000);
    /// 99.9 %.
    pub const P999: Self = Self(999_000);
    /// 99.99 %.
    pub const P9999: Self = Self(999_900);

    /// So many parts per million; more than a million is a million.
    #[must_use]
    pub fn per_million(parts: u32) -> Self {
        Self(parts.min(MILLION as u32))
    }

    /// The one beyond which so many times fewer samples lie: five times rarer than 99 % is 99.8 %.
    #[must_use]
    pub fn rarer(self, times: u32) -> Self {
        Self(MILLION as u32 - (MILLION as u32 - self.0) / times)
    }

    /// Between 0 and 1.
    #[must_use]
    pub fn as_fraction(self) -> f64 {
        f64::from(self.0) / MILLION as f64
    }

    /// As a percentage with no needless zeros: `99.9`.
    #[must_use]
    pub fn percent(self) -> String {
        format!("{}", f64::from(self.0) / 10_000.0)
    }

    /// Samples that it takes to be reported: [`BEYOND_MIN`] of them lie beyond.
    #[must_use]
    pub fn samples_min(self) -> u64 {
        let beyond = (MILLION - u64::from(self.0)).max(1);
        (BEYOND_MIN * MILLION).div_ceil(beyond)
    }

    /// How many of `count` samples are at or below it: at least one, at most all.
    pub(crate) fn rank(self, count: u64) -> u64 {
        let parts = u128::from(self.0) * u128::from(count);
        let rank = parts.div_ceil(u128::from(MILLION));
        u64::try_from(rank).expect("a rank is at most the count").max(1)
    }
}

/// A percentile with what is known about it. Times are those of the histogram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// The percentile itself.
    pub value: u64,
    /// Lower end of the 95 % interval.
    pub low: u64,
    /// Upper end of the 95 % interval.
    pub high: u64,
    /// Samples that lie beyond it.
    pub beyond: u64,
}

impl HistogramDump {
    /// Samples recorded.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.iter().map(|&(_, count)| count).sum()
    }

    /// The highest sample; none where there are no samples.
    #[must_use]
    pub fn max(&self) -> Option<u64> {
        self.0.last().map(|&(value, _)| value)
    }

    /// Samples that lie beyond a percentile.
    #[must_use]
    pub fn beyond(&self, quantile: Quantile) -> u64 {
        let count = self.count();
        count.saturating_sub(quantile.rank(count))
    }

    /// The percentile, however few samples lie beyond it; none where there are no samples.
    #[must_use]
    pub fn value_at(&self, quantile: Quantile) -> Option<u64> {
        self.value_at_rank(quantile.rank(self.count()))
    }

    /// The percentile and its 95 % interval; none where fewer than [`BEYOND_MIN`] samples lie
    /// beyond it.
    ///
    /// The interval is that of order statistics. It takes the samples for independent, which
    /// messages in one queue are not quite: read it as the least that chance alone would do.
    /// [`Series::estimates`](crate::Series::estimates) knows better.
    #[must_use]
    pub fn estimate(&self, quantile: Quantile) -> Option<Estimate> {
        let beyond = self.beyond(quantile);
        if beyond < BEYOND_MIN {
            return None;
        }
        let count = self.count();
        let share = quantile.as_fraction();
        let middle = share * count as f64;
        let reach = STANDARD_ERRORS_95 * (count as f64 * share * (1.0 - share)).sqrt();
        Some(Estimate {
            value: self.value_at_rank(quantile.rank(count))?,
            low: self.value_at_rank(((middle - reach).floor() as u64).max(1))?,
            high: self.value_at_rank(((middle + reach).ceil() as u64).clamp(1, count))?,
            beyond,
        })
    }

    pub(crate) fn value_at_rank(&self, rank: u64) -> Option<u64> {
        place_of_rank(self.0.iter().map(|&(_, count)| count), rank).map(|place| self.0[place].0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_of_each(count: u64) -> HistogramDump {
        HistogramDump((1..=count).map(|value| (value, 1)).collect())
    }

    #[test]
    fn percentiles_are_those_of_hdrhistogram() {
        let run = crate::sample::run(3, 5, 400);
        for series in &run.series {
            let histogram = series.latency_us.to_histogram();
            for parts in [1, 250_000, 500_000, 900_000, 990_000, 999_000, 1_000_000] {
                let quantile = Quantile::per_million(parts);
                let theirs = histogram.value_at_quantile(quantile.as_fraction());
                assert_eq!(series.latency_us.value_at(quantile), Some(theirs), "{parts}");
            }
            assert_eq!(series.latency_us.max(), Some(histogram.max()));
        }
    }

    #[test]
    fn a_dump_read_back_and_dumped_again_is_the_same_dump() {
        for series in &crate::sample::run(3, 5, 400).series {
            let again = HistogramDump::from(&series.latency_us.to_histogram());
            assert_eq!(again, series.latency_us);
        }
    }

    #[test]
    fn there_is_no_percentile_where_fewer_than_ten_samples_lie_beyond_it() {
        assert_eq!(one_of_each(999).estimate(Quantile::P99), None);
        let estimate = one_of_each(1000).estimate(Quantile::P99).expect("ten lie beyond");
        assert_eq!((estimate.value, estimate.beyond), (990, 10));
        assert_eq!(one_of_each(19).estimate(Quantile::P50), None);
        assert!(one_of_each(20).estimate(Quantile::P50).is_some());
        for quantile in [Quantile::P50, Quantile::P90, Quantile::P99, Quantile::P999] {
            let enough = quantile.samples_min();
            assert!(one_of_each(enough).estimate(quantile).is_some(), "{enough}");
            assert!(one_of_each(enough - 1).estimate(quantile).is_none(), "{enough}");
        }
    }

    #[test]
    fn the_interval_holds_the_percentile_and_narrows_with_more_samples() {
        let few = one_of_each(100).estimate(Quantile::P50).expect("fifty lie beyond");
        assert_eq!((few.low, few.value, few.high), (40, 50, 60));
        let many = HistogramDump((1..=100).map(|value| (value, 100)).collect());
        let many = many.estimate(Quantile::P50).expect("thousands lie beyond");
        assert_eq!((many.low, many.value, many.high), (50, 50, 51));
    }

    #[test]
    fn an_empty_histogram_has_nothing_to_say() {
        let empty = HistogramDump::default();
        assert_eq!((empty.count(), empty.max()), (0, None));
        assert_eq!(empty.value_at(Quantile::P50), None);
        assert_eq!(empty.estimate(Quantile::P50), None);
    }
}
