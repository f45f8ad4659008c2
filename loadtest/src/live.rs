//! Latency so far, for whoever watches a run: rough, and without a lock.
//!
//! Nothing in a report comes from here; reports read the books (see [`crate::recorder`]).

use std::sync::atomic::{AtomicU64, Ordering};

use reports::counts::place_of_rank;

/// Buckets for each doubling of the latency: an error of an eighth at most.
const STEPS: u64 = 8;
/// Enough for two minutes in microseconds.
const BUCKETS: usize = 208;

/// Counts of latencies, each in the bucket of its size.
#[derive(Debug)]
pub(crate) struct Live([AtomicU64; BUCKETS]);

impl Default for Live {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; BUCKETS])
    }
}

impl Live {
    /// Forgets what was recorded before the window opened.
    pub(crate) fn begin(&self) {
        self.0.iter().for_each(|count| count.store(0, Ordering::Relaxed));
    }

    pub(crate) fn record(&self, latency_us: u64) {
        self.0[bucket(latency_us)].fetch_add(1, Ordering::Relaxed);
    }

    /// The median and the 99th percentile, in microseconds, rounded up to their buckets' ends;
    /// none before the first message.
    pub(crate) fn percentiles_us(&self) -> Option<[u64; 2]> {
        let counts: Vec<u64> = self.0.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        let all: u64 = counts.iter().sum();
        let at =
            |percent: u64| place_of_rank(counts.iter().copied(), (all * percent).div_ceil(100));
        (all > 0).then(|| [50, 99].map(|percent| at(percent).map_or(0, end)))
    }
}

/// Below [`STEPS`] a bucket a microsecond, from there [`STEPS`] for each doubling.
fn bucket(latency_us: u64) -> usize {
    if latency_us < STEPS {
        return latency_us as usize;
    }
    let doublings = latency_us.ilog2() - STEPS.ilog2();
    let step = (latency_us >> doublings) - STEPS;
    let bucket = u64::from(doublings + 1) * STEPS + step;
    (bucket as usize).min(BUCKETS - 1)
}

/// The highest latency that falls into the bucket.
fn end(bucket: usize) -> u64 {
    let (doublings, step) = (bucket as u64 / STEPS, bucket as u64 % STEPS);
    match doublings {
        0 => step,
        _ => ((STEPS + step + 1) << (doublings - 1)) - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_latency_lies_in_its_bucket_and_at_most_an_eighth_below_its_end() {
        for latency_us in (0..5_000).chain([99_999, 1_000_000, 119_999_999]) {
            let end = end(bucket(latency_us));
            assert!(end >= latency_us, "{latency_us} is beyond {end}");
            assert!(end - latency_us <= latency_us / 8, "{latency_us} is far below {end}");
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn median_and_99th_percentile_are_those_of_what_was_recorded() {
        let live = Live::default();
        assert_eq!(live.percentiles_us(), None);
        (0..985).for_each(|_| live.record(7));
        (0..15).for_each(|_| live.record(1_000));
        assert_eq!(live.percentiles_us(), Some([7, 1_023]));
    }
}
