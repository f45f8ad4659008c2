//! One transport as one row: the figures that people compare.
//!
//! Serialised, a [`Summary`] is a row of `transports` in the JSON of `racetrack load`. It is
//! derived from a [`Series`] and never stored: `run.json` keeps the histograms themselves.

use serde::Serialize;

use crate::missing::{Latencies, Latency};
use crate::quantile::Quantile;
use crate::run::{HistogramDump, Messages, Run, Series};
use crate::units::latency;

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
    /// From the actual time of sending to the partner, of the messages that arrived.
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
    /// True when the figures may be trusted and no message is missing from them.
    pub valid: bool,
    /// Why not; empty when valid.
    pub invalid: Vec<String>,
    /// Why other measurements were thrown away, one entry each.
    pub discarded: Vec<String>,
    /// True when every message that was due arrived as it should, or is excused.
    pub accounted: bool,
    /// True when nothing but the server decided the figures; messages may be missing.
    #[serde(skip)]
    pub measured_well: bool,
    /// Share of the messages that were due, and not excused, which did not reach the partner once
    /// and in order; absent where none was due.
    pub error_share: Option<f64>,
}

/// Percentiles in microseconds; absent where fewer than ten samples lie beyond, and where they lie
/// among messages that never arrived.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Percentiles {
    /// Half of the samples are at or below.
    pub p50: Option<u64>,
    /// 90 % of the samples are at or below.
    pub p90: Option<u64>,
    /// 95 % of the samples are at or below.
    pub p95: Option<u64>,
    /// 99 % of the samples are at or below.
    pub p99: Option<u64>,
    /// 99.9 % of the samples are at or below.
    pub p999: Option<u64>,
    /// The highest sample; absent where there are none, and where messages are missing.
    pub max: Option<u64>,
    /// How many samples there are; missing messages are none.
    pub samples: u64,
    /// Messages that never arrived. Each counts as slower than the wait for it.
    pub missing: u64,
    /// What the percentiles that lie among the missing messages exceed.
    pub more_than: MoreThan,
}

/// Lower bounds in microseconds of percentiles that are not known because messages are missing;
/// absent where the percentile is known, or is not known for another reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct MoreThan {
    /// Of the median.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p50: Option<u64>,
    /// Of p90.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p90: Option<u64>,
    /// Of p95.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p95: Option<u64>,
    /// Of p99.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p99: Option<u64>,
    /// Of p99.9.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p999: Option<u64>,
    /// Of the maximum.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<u64>,
}

impl Percentiles {
    /// The median as people read it: `248 µs`, `> 3 s` where it lies among missing messages, or a
    /// dash.
    #[must_use]
    pub fn p50_text(&self) -> String {
        latency(self.p50, self.more_than.p50)
    }

    /// The 90th percentile, as [`Self::p50_text`].
    #[must_use]
    pub fn p90_text(&self) -> String {
        latency(self.p90, self.more_than.p90)
    }

    /// The 95th percentile, as [`Self::p50_text`].
    #[must_use]
    pub fn p95_text(&self) -> String {
        latency(self.p95, self.more_than.p95)
    }

    /// The 99th percentile, as [`Self::p50_text`].
    #[must_use]
    pub fn p99_text(&self) -> String {
        latency(self.p99, self.more_than.p99)
    }

    /// The 99.9th percentile, as [`Self::p50_text`].
    #[must_use]
    pub fn p999_text(&self) -> String {
        latency(self.p999, self.more_than.p999)
    }

    /// The maximum, as [`Self::p50_text`].
    #[must_use]
    pub fn max_text(&self) -> String {
        latency(self.max, self.more_than.max)
    }
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
            latency_us: Percentiles::from(series.latencies()),
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
            measured_well: series.is_measured_well(),
            error_share: series.messages.error_share(),
        }
    }
}

impl From<&HistogramDump> for Percentiles {
    /// Of something of which nothing is missing.
    fn from(known: &HistogramDump) -> Self {
        Self::from(Latencies { known, missing: &HistogramDump::default() })
    }
}

impl From<Latencies<'_>> for Percentiles {
    fn from(latencies: Latencies<'_>) -> Self {
        let [p50, p90, p95, p99, p999] =
            [Quantile::P50, Quantile::P90, Quantile::P95, Quantile::P99, Quantile::P999]
                .map(|quantile| latencies.at(quantile));
        let max = latencies.max();
        let known = |it: Option<Latency>| it.and_then(Latency::known);
        let more_than = |it: Option<Latency>| it.and_then(Latency::more_than);
        Self {
            p50: known(p50),
            p90: known(p90),
            p95: known(p95),
            p99: known(p99),
            p999: known(p999),
            max: known(max),
            samples: latencies.known.count(),
            missing: latencies.missing.count(),
            more_than: MoreThan {
                p50: more_than(p50),
                p90: more_than(p90),
                p95: more_than(p95),
                p99: more_than(p99),
                p999: more_than(p999),
                max: more_than(max),
            },
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
            error_share
            failed
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
            missing
            more_than
            p50
            p90
            p95
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
