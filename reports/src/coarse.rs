//! Seconds joined to longer stretches where there are more of them than a page can show.
//!
//! A picture has some hundred pixels and a table some hundred rows that anybody reads, so an hour
//! second by second would make a page that is large and says no more. Latencies add up exactly;
//! counts and processor time become the mean of a second, so that scales keep their units. The
//! run's own seconds stay as they are, and `intervals.csv` has all of them.

use std::borrow::Cow;

use crate::counts::sum;
use crate::run::{Interval, Series, Used};

/// Rows of a page's tables of intervals, those of all transports together; some 200 bytes each.
const ROWS_MAX: u64 = 1_000;
/// A transport has at least so many, however many transports there are.
const ROWS_MIN: u64 = 20;
/// Lengths of a stretch that people count in, in seconds.
const LENGTHS_S: [u64; 12] = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1_800, 3_600];

/// How many seconds a stretch has, so that all transports fit into a page.
pub(crate) fn seconds_each(series: &[Series]) -> u64 {
    let rows_max = (ROWS_MAX / (series.len() as u64).max(1)).max(ROWS_MIN);
    let last = series.iter().flat_map(|it| &it.intervals).map(|it| it.second).max();
    let fits = |length: &u64| last.is_none_or(|last| last / length < rows_max);
    let longest = LENGTHS_S[LENGTHS_S.len() - 1];
    LENGTHS_S.into_iter().find(fits).unwrap_or(longest)
}

/// The same series with stretches of so many seconds instead of seconds.
pub(crate) fn joined(series: &[Series], seconds_each: u64) -> Cow<'_, [Series]> {
    if seconds_each == 1 {
        return Cow::Borrowed(series);
    }
    series.iter().map(|it| joined_one(it, seconds_each)).collect()
}

fn joined_one(series: &Series, seconds_each: u64) -> Series {
    let together =
        |one: &Interval, other: &Interval| one.second / seconds_each == other.second / seconds_each;
    let stretches = series.intervals.chunk_by(together);
    let intervals = stretches.map(|stretch| one_of(stretch, seconds_each)).collect();
    Series { intervals, ..series.clone() }
}

/// A stretch as one interval: named by its first second, in the units of one.
fn one_of(stretch: &[Interval], seconds_each: u64) -> Interval {
    let first = stretch.first().expect("a chunk holds at least one");
    let mean = |of: fn(&Interval) -> u64| rounded(stretch.iter().map(of));
    Interval {
        second: first.second - first.second % seconds_each,
        sent: mean(|it| it.sent),
        received: mean(|it| it.received),
        latency_us: sum(stretch.iter().map(|it| &it.latency_us)),
        missing_us: sum(stretch.iter().map(|it| &it.missing_us)),
        send_lag_us_p99: stretch.iter().filter_map(|it| it.send_lag_us_p99).max(),
        used: used(stretch),
    }
}

/// Processor time of the mean second; what is counted at a second's end, at the stretch's.
fn used(stretch: &[Interval]) -> Option<Used> {
    let all: Vec<&Used> = stretch.iter().filter_map(|it| it.used.as_ref()).collect();
    let last = *all.last()?;
    let of_server = all.iter().filter_map(|it| it.server_cpu_us);
    Some(Used {
        generator_cpu_us: rounded(all.iter().map(|it| it.generator_cpu_us)),
        server_cpu_us: last.server_cpu_us.map(|_| rounded(of_server)),
        ..*last
    })
}

/// The mean, to the nearest whole; 0 of nothing.
fn rounded(values: impl Iterator<Item = u64>) -> u64 {
    let (mut count, mut sum) = (0, 0);
    values.for_each(|value| (count, sum) = (count + 1, sum + value));
    (sum + count / 2).checked_div(count).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(transports: usize, seconds: u64) -> Vec<Series> {
        crate::sample::run(transports, seconds, 20).series
    }

    #[test]
    fn what_fits_stays_as_it_is() {
        let series = run(6, 120);
        assert_eq!(seconds_each(&series), 1);
        assert_eq!(joined(&series, 1)[0].intervals, series[0].intervals);
        assert_eq!(seconds_each(&[]), 1);
    }

    #[test]
    fn an_hour_of_six_transports_has_a_row_for_half_a_minute() {
        let series = run(6, 3_600);
        assert_eq!(seconds_each(&series), 30);
        let joined = &joined(&series, 30)[0];
        assert_eq!(joined.intervals.len(), 120);
        assert_eq!(joined.intervals[119].second, 3_570);
        let whole = sum(series[0].intervals.iter().map(|it| &it.latency_us));
        assert_eq!(sum(joined.intervals.iter().map(|it| &it.latency_us)), whole);
    }

    #[test]
    fn a_stretch_is_in_the_units_of_a_second() {
        let second = |second, cpu_us, rss_bytes| Interval {
            second,
            sent: 10 * second,
            received: 7,
            send_lag_us_p99: Some(100 - second),
            used: Some(Used {
                connected: second,
                generator_cpu_us: cpu_us,
                generator_rss_bytes: rss_bytes,
                ..Used::default()
            }),
            ..Interval::default()
        };
        let stretch = [second(5, 100, 1), second(6, 201, 2), second(7, 300, 3)];
        let one = one_of(&stretch, 5);
        assert_eq!((one.second, one.sent, one.received), (5, 60, 7));
        assert_eq!(one.send_lag_us_p99, Some(95), "the worst of them");
        let used = one.used.expect("it was read");
        assert_eq!(
            used,
            Used { connected: 7, generator_cpu_us: 200, generator_rss_bytes: 3, ..used }
        );
    }

    #[test]
    fn a_second_that_is_missing_is_not_counted_as_nothing() {
        let intervals = [0, 2].map(|second| Interval { second, sent: 10, ..Interval::default() });
        assert_eq!(one_of(&intervals, 5).sent, 10);
    }
}
