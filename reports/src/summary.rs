//! One transport as one row: the figures that people compare.
//!
//! Serialised, a [`Summary`] is a row of `transports` in the JSON of `racetrack load`. It is
//! derived from a [`Series`] and never stored: `run.json` keeps the histograms themselves.

use serde::Serialize;

use crate::quantile::Quantile;
use crate::run::{HistogramDump, Messages, Run, Series};

/// The figures of one transport. Absent (`null`) is what could not be measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// The transport's name.
    pub transport: String,
    /// People connected.
    pub users: u64,
    /// From the first person's first step to the last one's open session, in seconds.
    pub connect_s: Option<f64>,
    /// Messages a second that the schedule asked for.
    pub offered_per_s: f64,
    /// Messages a second that arrived.
    pub achieved_per_s: f64,
    /// Every message, accounted for; its fields stand in the row itself.
    #[serde(flatten)]
    pub messages: Messages,
    /// From the intended time of sending to the partner.
    pub latency_us: Percentiles,
    /// From the actual time of sending to the partner.
    pub service_us: Percentiles,
    /// From the intended to the actual time of sending.
    pub send_lag_us: Percentiles,
    /// How late the generator's threads were woken.
    pub hiccups_us: Percentiles,
    /// Processor time of the server for each message delivered, in microseconds.
    pub server_cpu_us_per_message: Option<f64>,
    /// Memory of the server above idle for each person connected, in bytes.
    pub server_rss_bytes_per_connection: Option<f64>,
    /// Requests and socket messages of the clients for each message delivered.
    pub requests_per_message: Option<f64>,
    /// Bytes written and read by the clients for each message delivered.
    pub bytes_per_message: Option<f64>,
    /// True when the figures may be trusted.
    pub valid: bool,
    /// Why not; empty when valid.
    pub invalid: Vec<String>,
    /// Why other measurements were thrown away, one entry each.
    pub discarded: Vec<String>,
    /// True when every message sent is explained and arrived as it should.
    pub accounted: bool,
}

/// Percentiles in microseconds; absent where fewer than ten samples lie beyond.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Percentiles {
    /// Half of the samples are at or below.
    pub p50: Option<u64>,
    /// 90 % of the samples are at or below.
    pub p90: Option<u64>,
    /// 99 % of the samples are at or below.
    pub p99: Option<u64>,
    /// 99.9 % of the samples are at or below.
    pub p999: Option<u64>,
    /// The highest sample; absent only where there are none.
    pub max: Option<u64>,
    /// How many samples there are.
    pub samples: u64,
}

/// One [`Summary`] a transport, in the order of the run.
#[must_use]
pub fn summaries(run: &Run) -> Vec<Summary> {
    run.series.iter().map(Summary::from).collect()
}

impl From<&Series> for Summary {
    fn from(series: &Series) -> Self {
        let delivered = series.messages.delivered;
        let bytes = series.traffic.bytes_sent + series.traffic.bytes_received;
        Self {
            transport: series.transport.clone(),
            users: series.users,
            connect_s: series.connect_s,
            offered_per_s: series.offered_per_s,
            achieved_per_s: series.achieved_per_s,
            messages: series.messages,
            latency_us: Percentiles::from(&series.latency_us),
            service_us: Percentiles::from(&series.service_us),
            send_lag_us: Percentiles::from(&series.send_lag_us),
            hiccups_us: Percentiles::from(&series.hiccups_us),
            server_cpu_us_per_message: series
                .server
                .and_then(|server| per(server.cpu_us, delivered)),
            // Memory can only be seen to fall when what idled was returned; nobody costs less
            // than nothing.
            server_rss_bytes_per_connection: series.server.and_then(|server| {
                per(server.rss_bytes.saturating_sub(server.rss_idle_bytes), series.users)
            }),
            requests_per_message: per(series.traffic.requests, delivered),
            bytes_per_message: per(bytes, delivered),
            valid: series.is_valid(),
            invalid: series.reasons(),
            discarded: series.discarded.clone(),
            accounted: series.messages.all_accounted_for(),
        }
    }
}

impl From<&HistogramDump> for Percentiles {
    fn from(histogram: &HistogramDump) -> Self {
        let at = |quantile| histogram.estimate(quantile).map(|estimate| estimate.value);
        Self {
            p50: at(Quantile::P50),
            p90: at(Quantile::P90),
            p99: at(Quantile::P99),
            p999: at(Quantile::P999),
            max: histogram.max(),
            samples: histogram.count(),
        }
    }
}

fn per(total: u64, count: u64) -> Option<f64> {
    (count > 0).then(|| total as f64 / count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn fields(object: &serde_json::Value) -> String {
        let names = object.as_object().expect("an object").keys();
        names.map(|name| format!("{name}\n")).collect()
    }

    #[test]
    fn a_row_of_the_json_has_the_fields_of_the_contract() {
        let run = crate::sample::run(1, 5, 400);
        let row = serde_json::to_value(Summary::from(&run.series[0])).expect("a row is JSON");
        expect![[r#"
            accounted
            achieved_per_s
            bytes_per_message
            connect_s
            delivered
            discarded
            duplicated
            hiccups_us
            invalid
            latency_us
            lost
            misdelivered
            offered_per_s
            out_of_order
            refused
            requests_per_message
            scheduled
            send_lag_us
            sent
            server_cpu_us_per_message
            server_rss_bytes_per_connection
            service_us
            transport
            unsent
            users
            valid
        "#]]
        .assert_eq(&fields(&row));
        expect![[r#"
            max
            p50
            p90
            p99
            p999
            samples
        "#]]
        .assert_eq(&fields(&row["latency_us"]));
    }

    #[test]
    fn costs_are_absent_when_nothing_arrived_or_the_server_was_not_read() {
        let mut series = crate::sample::run(1, 5, 400).series.remove(0);
        series.messages.delivered = 0;
        let summary = Summary::from(&series);
        assert_eq!(summary.server_cpu_us_per_message, None);
        assert_eq!(summary.bytes_per_message, None);
        assert!(summary.server_rss_bytes_per_connection.is_some());
        series.server = None;
        assert_eq!(Summary::from(&series).server_rss_bytes_per_connection, None);
    }

    #[test]
    fn the_maximum_is_there_even_when_no_percentile_is() {
        let few = Percentiles::from(&HistogramDump(vec![(100, 3), (900, 1)]));
        assert_eq!((few.p50, few.p999, few.max, few.samples), (None, None, Some(900), 4));
        assert_eq!(Percentiles::from(&HistogramDump::default()), Percentiles::default());
    }

    #[test]
    fn one_unexplained_message_is_not_accounted_for() {
        let mut series = crate::sample::run(1, 5, 400).series.remove(0);
        assert!(Summary::from(&series).accounted);
        series.messages.delivered -= 1;
        assert!(!Summary::from(&series).accounted);
    }
}
