//! The figures that transports are compared by: value, 95 % interval where there is one, and how both
//! are shown. The table of the report lists them; `ranking` decides which transport has the best.

use crate::bootstrap::{blocks_of, deviation, student_95};
use crate::confidence::ROUNDS_MIN;
use crate::quantile::{Estimate, Quantile};
use crate::run::{Interval, Run, Series};
use crate::summary::{Percentiles, Summary};
use crate::units::{count, latency_us, mean_us, number, ratio, size};

/// One transport: its summary, and the intervals of what has one.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) summary: Summary,
    percentiles: [Option<Estimate>; LADDER.len()],
    /// Half of the 95 % interval of the logarithm of the processor time per message.
    cpu_half_width: Option<f64>,
}

const LADDER: [Quantile; 4] = [Quantile::P50, Quantile::P95, Quantile::P99, Quantile::P999];

/// A value with its 95 % interval, where it has one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Measured {
    pub(crate) value: f64,
    pub(crate) interval: Option<(f64, f64)>,
}

/// A figure of the comparison.
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) hint: &'static str,
    pub(crate) measured: fn(&Row) -> Option<Measured>,
    /// What the value exceeds, where it is not known because messages are missing.
    pub(crate) more_than: fn(&Row) -> Option<u64>,
    pub(crate) show: fn(f64) -> String,
    pub(crate) kind: Kind,
    /// The percentile that it is, which takes a number of messages.
    pub(crate) quantile: Option<Quantile>,
}

/// What may be said of the values of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Neither good nor bad: a count, a setting, a maximum, or a mean without an interval.
    Plain,
    /// The lowest is the best, where the intervals can tell.
    Lowest,
    /// Anything but zero is a fault.
    Zero,
}

/// Every transport of a run, in order.
pub(crate) fn rows(run: &Run) -> Vec<Row> {
    run.series.iter().map(Row::of).collect()
}

impl Row {
    pub(crate) fn of(series: &Series) -> Self {
        let estimates = series.estimates(&LADDER);
        Self {
            summary: Summary::from(series),
            percentiles: std::array::from_fn(|nth| estimates[nth]),
            cpu_half_width: cpu_half_width(series),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.summary.transport
    }

    /// True when its figures may stand beside those of others.
    pub(crate) fn may_be_compared(&self) -> bool {
        self.summary.valid && self.summary.accounted
    }

    /// Seconds that the window lacks for a percentile; none where it has enough, or nothing arrives.
    pub(crate) fn seconds_lacking(&self, quantile: Quantile) -> Option<u64> {
        let Percentiles { samples, missing, .. } = self.summary.latency_us;
        let lacking = quantile.samples_min().checked_sub(samples + missing)?;
        let per_s = self.summary.achieved_per_s;
        (lacking > 0 && per_s > 0.0).then(|| (lacking as f64 / per_s).ceil() as u64)
    }
}

impl Measured {
    fn exact(value: f64) -> Self {
        Self { value, interval: None }
    }
}

impl Row {
    /// A percentile, with its interval where that is known too.
    fn percentile(&self, value_us: Option<u64>, quantile: Quantile) -> Option<Measured> {
        let place = LADDER.iter().position(|it| *it == quantile)?;
        let interval = self.percentiles[place].map(|it| (it.low as f64, it.high as f64));
        Some(Measured { value: value_us? as f64, interval })
    }
}

/// Processor time and messages are counted each second. How the seconds differ gives the interval of
/// their ratio (linearised, with Student's distribution); so do the rounds, where there are enough,
/// and the wider one counts. None below five seconds.
fn cpu_half_width(series: &Series) -> Option<f64> {
    let read = series.intervals.iter().filter_map(|it| Some((it.second, cost(it)?)));
    let read: Vec<(u64, (f64, f64))> = read.collect();
    let seconds: Vec<(f64, f64)> = read.iter().map(|(_, cost)| *cost).collect();
    let within = half_width_of_ratio(&blocks_of(&seconds).map(total).collect::<Vec<_>>())?;
    let starts = &series.round_starts;
    if starts.len() < ROUNDS_MIN {
        return Some(within);
    }
    let round = |second: u64| starts.partition_point(|start| *start <= second);
    let rounds = read.chunk_by(|one, other| round(one.0) == round(other.0));
    let rounds: Vec<(f64, f64)> =
        rounds.map(|round| total(&round.iter().map(|it| it.1).collect::<Vec<_>>())).collect();
    Some(half_width_of_ratio_of(&rounds).map_or(within, |between| between.max(within)))
}

/// Processor time in microseconds and messages of one second.
fn cost(interval: &Interval) -> Option<(f64, f64)> {
    let cpu_us = interval.used?.server_cpu_us?;
    Some((cpu_us as f64, interval.received as f64))
}

fn total(seconds: &[(f64, f64)]) -> (f64, f64) {
    seconds.iter().fold((0.0, 0.0), |sum, it| (sum.0 + it.0, sum.1 + it.1))
}

/// Fewer blocks than this tell nothing about how they differ.
const BLOCKS_MIN: usize = 5;

fn half_width_of_ratio(blocks: &[(f64, f64)]) -> Option<f64> {
    if blocks.len() < BLOCKS_MIN { None } else { half_width_of_ratio_of(blocks) }
}

fn half_width_of_ratio_of(blocks: &[(f64, f64)]) -> Option<f64> {
    let (above, below) = total(blocks);
    if blocks.len() < 2 || above <= 0.0 || below <= 0.0 {
        return None;
    }
    let blocks_count = blocks.len() as f64;
    let off: Vec<f64> = blocks
        .iter()
        .map(|(one, other)| one / above - other / below)
        .map(|share| share * blocks_count)
        .collect();
    Some(student_95(blocks.len() - 1) * deviation(&off) / blocks_count.sqrt())
}

fn whole(value: f64) -> String {
    count(value as u64)
}

fn latency(value: f64) -> String {
    latency_us(value as u64)
}

const fn plain(
    name: &'static str,
    hint: &'static str,
    measured: fn(&Row) -> Option<Measured>,
    show: fn(f64) -> String,
) -> Figure {
    let more_than = never;
    Figure { name, hint, measured, more_than, show, kind: Kind::Plain, quantile: None }
}

const fn percentile(
    name: &'static str,
    hint: &'static str,
    measured: fn(&Row) -> Option<Measured>,
    more_than: fn(&Row) -> Option<u64>,
    quantile: Quantile,
) -> Figure {
    let (kind, quantile) = (Kind::Lowest, Some(quantile));
    Figure { name, hint, measured, more_than, show: latency, kind, quantile }
}

const fn fault(
    name: &'static str,
    hint: &'static str,
    measured: fn(&Row) -> Option<Measured>,
) -> Figure {
    let more_than = never;
    Figure { name, hint, measured, more_than, show: whole, kind: Kind::Zero, quantile: None }
}

/// The value is known, or absent for another reason than missing messages.
fn never(_: &Row) -> Option<u64> {
    None
}

fn exact(value: u64) -> Option<Measured> {
    Some(Measured::exact(value as f64))
}

pub(crate) const LOAD: [Figure; 4] = [
    plain("users", "connected", |row| exact(row.summary.users), whole),
    plain(
        "connected in",
        "time until all users were connected",
        |row| row.summary.connect_s.map(|s| Measured::exact(s * 1e6)),
        mean_us,
    ),
    plain(
        "offered",
        "messages per second that the schedule, drawn from the seed, asked for",
        |row| Some(Measured::exact(row.summary.offered_per_s)),
        number,
    ),
    plain(
        "achieved",
        "messages per second that arrived",
        |row| Some(Measured::exact(row.summary.achieved_per_s)),
        number,
    ),
];

pub(crate) const P50: Figure = percentile(
    "p50",
    "half arrive within",
    |row| row.percentile(row.summary.latency_us.p50, Quantile::P50),
    |row| row.summary.latency_us.more_than.p50,
    Quantile::P50,
);

const P95: Figure = percentile(
    "p95",
    "95 of 100 arrive within",
    |row| row.percentile(row.summary.latency_us.p95, Quantile::P95),
    |row| row.summary.latency_us.more_than.p95,
    Quantile::P95,
);

pub(crate) const P99: Figure = percentile(
    "p99",
    "99 of 100 arrive within",
    |row| row.percentile(row.summary.latency_us.p99, Quantile::P99),
    |row| row.summary.latency_us.more_than.p99,
    Quantile::P99,
);

const P999: Figure = percentile(
    "p99.9",
    "999 of 1,000 arrive within",
    |row| row.percentile(row.summary.latency_us.p999, Quantile::P999),
    |row| row.summary.latency_us.more_than.p999,
    Quantile::P999,
);

const MAX: Figure = Figure {
    more_than: |row| row.summary.latency_us.more_than.max,
    ..plain("max", "slowest message, one sample", |row| exact(row.summary.latency_us.max?), latency)
};

pub(crate) const LATENCY: [Figure; 6] = [
    P50,
    P95,
    P99,
    P999,
    MAX,
    fault("missing", "never arrived; each counts as slower", |row| {
        exact(row.summary.latency_us.missing)
    }),
];

pub(crate) const MESSAGES: [Figure; 6] = [
    plain(
        "delivered",
        "accepted, arrived once",
        |row| exact(row.summary.messages.delivered),
        whole,
    ),
    fault("lost", "accepted, never arrived", |row| exact(row.summary.messages.lost)),
    fault("failed", "due, not taken by the server", |row| exact(row.summary.messages.failed)),
    fault("duplicated", "arrived more than once", |row| exact(row.summary.messages.duplicated)),
    fault("misdelivered", "arrived at another user", |row| {
        exact(row.summary.messages.misdelivered)
    }),
    fault("out of order", "arrived after a later one", |row| {
        exact(row.summary.messages.out_of_order)
    }),
];

pub(crate) const SERVER_CPU: Figure = Figure {
    name: "server CPU",
    hint: "per message",
    measured: |row| {
        let value = row.summary.server_cpu_us_per_message?;
        let bounds = |half: f64| (value * (-half).exp(), value * half.exp());
        Some(Measured { value, interval: row.cpu_half_width.map(bounds) })
    },
    more_than: never,
    show: mean_us,
    kind: Kind::Lowest,
    quantile: None,
};

pub(crate) const COST: [Figure; 4] = [
    SERVER_CPU,
    plain(
        "server memory",
        "per connection, above idle",
        |row| row.summary.server_rss_bytes_per_connection.map(Measured::exact),
        size,
    ),
    plain(
        "requests",
        "per message",
        |row| row.summary.requests_per_message.map(Measured::exact),
        ratio,
    ),
    plain(
        "bytes",
        "per message, both directions",
        |row| row.summary.bytes_per_message.map(Measured::exact),
        size,
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn series(costs: &[(u64, u64)]) -> Series {
        let mut series = crate::sample::run(1, costs.len() as u64, 400).series.remove(0);
        for (interval, (cpu_us, received)) in series.intervals.iter_mut().zip(costs) {
            interval.received = *received;
            let used = interval.used.as_mut().expect("the sample has it");
            used.server_cpu_us = Some(*cpu_us);
        }
        series
    }

    #[test]
    fn seconds_of_one_cost_leave_no_doubt_and_seconds_that_differ_do() {
        let alike = cpu_half_width(&series(&[
            (4_000, 100),
            (8_000, 200),
            (4_000, 100),
            (2_000, 50),
            (4_000, 100),
        ]));
        assert!(alike.is_some_and(|half| half < 1e-9), "{alike:?}");
        let moody = [3_000, 5_000, 4_000, 3_000, 5_000].map(|cpu_us| (cpu_us, 100));
        let half = cpu_half_width(&series(&moody)).expect("five seconds");
        // Student's 2.776 times the deviation of a quarter over the root of five.
        assert!((0.25..0.35).contains(&half), "{half}");
    }

    #[test]
    fn four_seconds_or_an_unread_server_give_no_interval_of_the_cost() {
        assert_eq!(cpu_half_width(&series(&[(4_000, 100); 4])), None);
        let mut unread = series(&[(4_000, 100); 6]);
        unread.intervals.iter_mut().for_each(|it| it.used = None);
        assert_eq!(cpu_half_width(&unread), None);
    }

    #[test]
    fn a_percentile_that_is_missing_says_how_long_it_takes() {
        let row = Row::of(&crate::sample::run(1, 5, 400).series[0]);
        let lacking = row.seconds_lacking(Quantile::P999).expect("1,931 of 10,000 messages");
        assert!((20..22).contains(&lacking), "{lacking}");
        assert_eq!(row.seconds_lacking(Quantile::P99), None);
    }
}
