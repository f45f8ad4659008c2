//! How far chance alone moves a percentile, when messages of the same second share their fate.
//!
//! Messages that wait in one queue are not independent, so the interval of order statistics is too
//! narrow. The block bootstrap draws whole blocks of the window instead, a second each or more in a
//! long window, with replacement, and looks at how the percentile of what was drawn spreads (Künsch,
//! "The jackknife and the bootstrap for general stationary observations", 1989). A few seconds say
//! little about how seconds differ, which Student's distribution makes up for.

use std::collections::BTreeMap;

use rand::RngExt;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::counts::sum;
use crate::missing::ENDLESS_US;
use crate::quantile::Quantile;
use crate::run::{HistogramDump, Interval};

/// How often the window is drawn again.
const DRAWS: usize = 500;
/// Fewer seconds than this tell nothing about how seconds differ.
const SECONDS_MIN: usize = 5;
/// Blocks at most: a long window is cut into blocks of several seconds, which share their fate all
/// the more.
const BLOCKS_MAX: usize = 100;
/// The share of the draws on one side of a 95 % interval.
const TAIL_95: f64 = 0.025;
/// The two-sided 95 % point of the normal distribution.
const NORMAL_95: f64 = 1.959_964;

/// The seconds of one window in blocks, ready to be drawn from.
pub(crate) struct Bootstrap {
    /// All latencies that occur, rising.
    values: Vec<u64>,
    /// For each block how often which of them occurs.
    blocks: Vec<Vec<(usize, u64)>>,
}

impl Bootstrap {
    /// None where there are too few seconds with a message in them.
    pub(crate) fn new(intervals: &[Interval]) -> Option<Self> {
        let spoken = intervals.iter().map(|it| it.latencies().pessimistic());
        let spoken: Vec<HistogramDump> = spoken.filter(|it| !it.is_empty()).collect();
        if spoken.len() < SECONDS_MIN {
            return None;
        }
        let all = spoken.iter().flat_map(|it| &it.0).map(|(value, _)| (*value, 0));
        let mut places: BTreeMap<u64, usize> = all.collect();
        places.values_mut().zip(0..).for_each(|(place, index)| *place = index);
        let blocks = blocks_of(&spoken).map(|seconds| {
            let HistogramDump(counts) = sum(seconds);
            counts.into_iter().map(|(value, count)| (places[&value], count)).collect()
        });
        Some(Self { blocks: blocks.collect(), values: places.into_keys().collect() })
    }

    /// The half width of the 95 % interval of the logarithm of each percentile. The same seconds
    /// give the same widths. Infinite where the upper end lies among missing messages.
    pub(crate) fn half_widths_of_log(&self, quantiles: &[Quantile]) -> Vec<f64> {
        let mut random = ChaCha8Rng::seed_from_u64(0);
        let mut logs = vec![Vec::with_capacity(DRAWS); quantiles.len()];
        let mut seen = vec![0; self.values.len()];
        for _ in 0..DRAWS {
            seen.fill(0);
            for _ in 0..self.blocks.len() {
                let block = &self.blocks[random.random_range(0..self.blocks.len())];
                block.iter().for_each(|(place, count)| seen[*place] += count);
            }
            let mut all = 0;
            for count in &mut seen {
                all += *count;
                *count = all;
            }
            for (quantile, logs) in quantiles.iter().zip(&mut logs) {
                // Many percentiles are asked of one draw, so the sums are made once and searched.
                let place = seen.partition_point(|seen| *seen < quantile.rank(all));
                logs.push((self.values[place] as f64).max(1.0).ln());
            }
        }
        let student = student_95(self.blocks.len() - 1);
        let endless = (ENDLESS_US as f64).ln();
        let half_width = |logs: &Vec<f64>| {
            let known: Vec<f64> = logs.iter().copied().filter(|log| *log < endless).collect();
            let is_bounded = known.len() as f64 >= DRAWS as f64 * (1.0 - TAIL_95);
            if is_bounded { student * deviation(&known) } else { f64::INFINITY }
        };
        logs.iter().map(half_width).collect()
    }
}

/// The seconds of a window in order, in at most as many blocks as it is drawn from.
pub(crate) fn blocks_of<T>(seconds: &[T]) -> std::slice::Chunks<'_, T> {
    seconds.chunks(seconds.len().div_ceil(BLOCKS_MAX).max(1))
}

pub(crate) fn deviation(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0)).sqrt()
}

/// The two-sided 95 % point of Student's distribution, by its expansion around the normal one
/// (Abramowitz and Stegun, 26.7.5); within 1 % from four degrees of freedom on.
pub(crate) fn student_95(degrees: usize) -> f64 {
    let (z, degrees) = (NORMAL_95, degrees as f64);
    let first = (z.powi(3) + z) / 4.0;
    let second = (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / 96.0;
    let third = (3.0 * z.powi(7) + 19.0 * z.powi(5) + 17.0 * z.powi(3) - 15.0 * z) / 384.0;
    z + first / degrees + second / degrees.powi(2) + third / degrees.powi(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(latencies: &[(u64, u64)]) -> Interval {
        Interval { latency_us: HistogramDump(latencies.to_vec()), ..Interval::default() }
    }

    fn half_width(intervals: &[Interval]) -> f64 {
        let bootstrap = Bootstrap::new(intervals).expect("enough seconds");
        bootstrap.half_widths_of_log(&[Quantile::P50])[0]
    }

    #[test]
    fn seconds_that_are_all_alike_leave_nothing_to_chance() {
        let width = half_width(&vec![second(&[(100, 5), (200, 4)]); 10]);
        assert!(width < 1e-9, "{width}");
    }

    #[test]
    fn seconds_that_differ_leave_much_to_chance() {
        let seconds: Vec<_> = (0..10).map(|nth| second(&[(100 + 10 * nth, 1_000)])).collect();
        let width = half_width(&seconds);
        assert!((0.05..0.4).contains(&width), "{width}");
        assert_eq!(width, half_width(&seconds), "by a seed of its own");
    }

    #[test]
    fn too_few_seconds_say_nothing() {
        assert!(Bootstrap::new(&vec![second(&[(100, 5)]); SECONDS_MIN - 1]).is_none());
        let silent = vec![second(&[]); 20];
        assert!(Bootstrap::new(&silent).is_none());
    }

    #[test]
    fn few_degrees_of_freedom_widen_the_interval_as_students_table_says() {
        for (degrees, expected) in [(4, 2.776), (9, 2.262), (29, 2.045), (1_000, 1.962)] {
            let found = student_95(degrees);
            assert!((found / expected - 1.0).abs() < 0.01, "{degrees}: {found}");
        }
    }
}
