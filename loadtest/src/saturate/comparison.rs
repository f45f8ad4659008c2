//! Several rounds of several servers, as one table: medians, and ratios to the first server of each
//! wire.
//!
//! It holds figures and never makes them.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::sample::{Load, Sample};
use super::wire::Wire;

const KIB: f64 = 1_024.0;

/// All samples of one server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// What the server speaks.
    pub wire: Wire,
    /// One sample a round, in order.
    pub samples: Vec<Sample>,
}

impl Series {
    fn name(&self) -> &str {
        self.samples.first().map_or("", |sample| &sample.server)
    }

    /// The median over the valid rounds; over all of them where none is valid.
    fn median(&self, figure: impl Fn(&Sample) -> f64) -> f64 {
        let valid: Vec<_> = self.samples.iter().filter(|s| s.invalid().is_none()).collect();
        let samples = if valid.is_empty() { self.samples.iter().collect() } else { valid };
        median(samples.into_iter().map(figure).collect())
    }
}

/// The middle, or the mean of the two middle ones; not a number where there is none.
fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    match figures.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => figures[count / 2],
        count => f64::midpoint(figures[count / 2 - 1], figures[count / 2]),
    }
}

/// The table, and below it what keeps somebody from believing it.
#[must_use]
pub fn table(all: &[Series]) -> String {
    let mut text = format!(
        "{:<20} {:>9} {:>7} {:>6}  {:>7} {:>7} {:>8} {:>7}  {:>7} {:>7} {:>8}  {:>7} {:>7}  {:>5} {:>5} {:>6}\n",
        "server",
        "msg/s",
        "cpu us",
        "ratio",
        "p50 ms",
        "p99 ms",
        "p99.9 ms",
        "p99/p50",
        "p50 us",
        "p99 us",
        "p99.9 us",
        "KiB new",
        "KiB run",
        "srv",
        "gen",
        "others"
    );
    for series in all {
        // Nothing of a line can fail but the memory to hold it.
        let _ = writeln!(text, "{}", row(series, all));
    }
    text.push_str(
        "msg/s to p99/p50: saturated; p50 to p99.9 us: at the fixed rate; KiB: memory a connection, \
         before and after talking; srv, gen: how busy server and generator were; others: both cores' \
         time that other programs used\n",
    );
    for sample in all.iter().flat_map(|series| &series.samples) {
        if let Some(why) = sample.invalid() {
            let _ = writeln!(text, "INVALID: {}: {why}", sample.server);
        }
    }
    text
}

fn row(series: &Series, all: &[Series]) -> String {
    let saturated = |figure: fn(&Load) -> f64| series.median(|sample| figure(&sample.saturated));
    let steady = |figure: fn(&Load) -> f64| series.median(|sample| figure(&sample.steady));
    format!(
        "{:<20} {:>9.0} {:>7.2} {:>6.2}  {:>7.1} {:>7.1} {:>8.1} {:>7.1}  {:>7.0} {:>7.0} {:>8.0}  {:>7.1} {:>7.1}  {:>4.0}% {:>4.0}% {:>5.0}%",
        series.name(),
        saturated(|load| load.messages_per_s),
        saturated(|load| load.server_cpu_us_per_message),
        ratio(series, all),
        saturated(|load| load.latency_us.p50 as f64 / 1_000.0),
        saturated(|load| load.latency_us.p99 as f64 / 1_000.0),
        saturated(|load| load.latency_us.p999 as f64 / 1_000.0),
        saturated(|load| load.latency_us.p99 as f64 / load.latency_us.p50 as f64),
        steady(|load| load.latency_us.p50 as f64),
        steady(|load| load.latency_us.p99 as f64),
        steady(|load| load.latency_us.p999 as f64),
        series.median(|sample| sample.memory.per_connection_silent / KIB),
        series.median(|sample| sample.memory.per_connection_talked / KIB),
        saturated(|load| load.server_share * 100.0),
        saturated(|load| load.generator_share * 100.0),
        saturated(|load| load.others_share.unwrap_or(f64::NAN) * 100.0),
    )
}

/// Processor time a message of the first server with the same wire, divided by this one's: ours
/// stands first, so a row says what share of that server's time ours needs.
fn ratio(series: &Series, all: &[Series]) -> f64 {
    let cpu = |series: &Series| series.median(|s| s.saturated.server_cpu_us_per_message);
    let first = all.iter().find(|other| other.wire == series.wire).unwrap_or(series);
    cpu(first) / cpu(series)
}

#[cfg(test)]
mod tests {
    use super::super::sample::tests::sample;
    use super::*;

    fn series(wire: Wire, server: &str, cpus_us: &[f64]) -> Series {
        Series { wire, samples: cpus_us.iter().map(|&cpu_us| sample(server, cpu_us)).collect() }
    }

    #[test]
    fn the_median_of_an_even_number_lies_between_the_two_middle_ones() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 9.0]), 3.0);
        assert!(median(Vec::new()).is_nan());
    }

    #[test]
    fn the_ratio_is_to_the_first_server_of_the_same_wire() {
        let all = [
            series(Wire::Websocket, "ours", &[10.0, 12.0]),
            series(Wire::Socketio, "ours too", &[20.0]),
            series(Wire::Websocket, "theirs", &[44.0]),
        ];
        assert_eq!(ratio(&all[0], &all), 1.0);
        assert_eq!(ratio(&all[1], &all), 1.0);
        assert_eq!(ratio(&all[2], &all), 0.25);
    }

    #[test]
    fn an_invalid_round_is_named_and_left_out() {
        let mut one = series(Wire::Websocket, "ours", &[10.0, 90.0]);
        one.samples[1].saturated.generator_share = 0.99;
        one.samples[1].saturated.server_share = 0.5;
        assert_eq!(one.median(|sample| sample.saturated.server_cpu_us_per_message), 10.0);
        let text = table(&[one]);
        assert!(text.contains("INVALID: ours: the generator was the bottleneck"), "{text}");
    }
}
