//! `summary.csv`, `percentiles.csv` and `intervals.csv`: for spreadsheets and scripts.
//!
//! The columns are a contract: new ones are added at the end, and none is renamed or moved.
//! Times are whole microseconds, rates are a second, sizes are bytes, and an empty cell is what
//! could not be measured, a percentile that fewer than ten samples lie beyond, or one that lies among
//! messages that never arrived. These count in every percentile of the latency, each as slower than
//! the wait for it; `missing` is how many they are. Service time is of the messages that arrived.
//!
//! - `summary.csv`: one row a transport; the columns of [`SUMMARY_COLUMNS`]. Rates and costs
//!   have three decimals.
//! - `percentiles.csv`: one row a transport, metric (`latency`, `service`, `send_lag`) and
//!   percentile up to 99.99 and the maximum (100, which nothing lies beyond); the columns of
//!   [`PERCENTILES_COLUMNS`]. `low_us` and `high_us` are the 95 % interval; of the latency the
//!   wider of order statistics and block bootstrap, of the others that of order statistics. Of a
//!   percentile that lies among the missing messages `low_us` is what it exceeds, and `high_us` is
//!   empty.
//! - `intervals.csv`: one row a transport and second of its window; the columns of
//!   [`INTERVALS_COLUMNS`]. Latencies are those of the messages that were due in the second.
//! - `rounds.csv`, where everything was measured several times: one row a transport and round; the
//!   columns of [`ROUNDS_COLUMNS`].
//! - `knees.csv`, where the most that a transport carries was searched for: one row a probe, in
//!   the order in which they were measured; the columns of [`KNEES_COLUMNS`].

use csv::Writer;

use crate::error::ReportError;
use crate::export::{Artifact, Exporter, File};
use crate::knee::Knee;
use crate::missing::{Latencies, Latency};
use crate::quantile::{Estimate, Quantile};
use crate::run::{HistogramDump, Run, Series};
use crate::summary::{Percentiles, Summary, summaries};

/// The columns of `summary.csv`.
pub const SUMMARY_COLUMNS: [&str; 39] = [
    "transport",
    "users",
    "duration_s",
    "offered_per_s",
    "achieved_per_s",
    "scheduled",
    "unsent",
    "sent",
    "refused",
    "delivered",
    "lost",
    "duplicated",
    "misdelivered",
    "out_of_order",
    "latency_us_p50",
    "latency_us_p90",
    "latency_us_p99",
    "latency_us_p999",
    "latency_us_max",
    "service_us_p50",
    "service_us_p99",
    "service_us_max",
    "send_lag_us_p50",
    "send_lag_us_p99",
    "send_lag_us_max",
    "server_cpu_us_per_message",
    "server_rss_bytes_per_connection",
    "requests_per_message",
    "bytes_per_message",
    "accounted",
    "valid",
    "invalid",
    "hiccups_us_p99",
    "hiccups_us_max",
    "latency_us_p95",
    "failed",
    "missing",
    "missing_us_min",
    "error_share",
];

/// The columns of `percentiles.csv`.
pub const PERCENTILES_COLUMNS: [&str; 8] =
    ["transport", "metric", "percentile", "value_us", "beyond", "low_us", "high_us", "missing"];

/// The columns of `intervals.csv`.
pub const INTERVALS_COLUMNS: [&str; 14] = [
    "transport",
    "second",
    "sent",
    "received",
    "latency_us_p50",
    "latency_us_p99",
    "latency_us_max",
    "send_lag_us_p99",
    "connected",
    "server_cpu_us",
    "server_rss_bytes",
    "generator_cpu_us",
    "generator_rss_bytes",
    "missing",
];

/// The columns of `rounds.csv`; rounds count from 1, and those that were thrown away are not among
/// them.
pub const ROUNDS_COLUMNS: [&str; 9] = [
    "transport",
    "round",
    "received",
    "latency_us_p50",
    "latency_us_p90",
    "latency_us_p99",
    "latency_us_p999",
    "latency_us_max",
    "missing",
];

/// The columns of `knees.csv`. `raised` is `rate` or `people`, and `load` is so many of them;
/// `outcome` is `held`, `broken` or `undecided`, and `why` is empty where it is `held`.
pub const KNEES_COLUMNS: [&str; 11] = [
    "transport",
    "raised",
    "load",
    "users",
    "offered_per_s",
    "achieved_per_s",
    "latency_us_p50",
    "latency_us_p99",
    "latency_us_p99_bound",
    "outcome",
    "why",
];

/// Parts per million of the percentiles in `percentiles.csv`.
const LADDER: [u32; 12] = [
    100_000, 250_000, 500_000, 750_000, 900_000, 950_000, 990_000, 995_000, 999_000, 999_500,
    999_900, 1_000_000,
];

/// The exporter.
#[derive(Debug, Clone, Copy)]
pub struct Csv;

impl Exporter for Csv {
    fn name(&self) -> &'static str {
        "csv"
    }

    fn files(&self, run: &Run) -> Vec<File> {
        let mut files = vec![
            File::new("summary.csv", "a row a transport"),
            File::new("percentiles.csv", "latency, service time and send lag by percentile"),
            File::new("intervals.csv", "a row a second"),
        ];
        if run.series.iter().any(|it| !it.rounds.is_empty()) {
            files.push(File::new("rounds.csv", "latency of each round"));
        }
        if !run.knees.is_empty() {
            files.push(File::new("knees.csv", "every probe of the search"));
        }
        files
    }

    fn export(&self, run: &Run) -> Result<Vec<Artifact>, ReportError> {
        let summary = summaries(run)
            .iter()
            .zip(&run.series)
            .map(|(row, series)| summary_row(row, series))
            .collect();
        let percentiles = run.series.iter().flat_map(percentile_rows).collect();
        let intervals = run.series.iter().flat_map(interval_rows).collect();
        let mut tables = vec![
            table("summary.csv", &SUMMARY_COLUMNS, summary),
            table("percentiles.csv", &PERCENTILES_COLUMNS, percentiles),
            table("intervals.csv", &INTERVALS_COLUMNS, intervals),
        ];
        let rounds: Vec<_> = run.series.iter().flat_map(round_rows).collect();
        if !rounds.is_empty() {
            tables.push(table("rounds.csv", &ROUNDS_COLUMNS, rounds));
        }
        if !run.knees.is_empty() {
            let probes = run.knees.iter().flat_map(probe_rows).collect();
            tables.push(table("knees.csv", &KNEES_COLUMNS, probes));
        }
        Ok(tables)
    }
}

fn table<const N: usize>(name: &str, columns: &[&str; N], rows: Vec<[String; N]>) -> Artifact {
    let mut writer = Writer::from_writer(Vec::new());
    writer.write_record(columns).expect("memory can be written");
    for row in rows {
        writer.write_record(row).expect("memory can be written, and each row has all columns");
    }
    let bytes = writer.into_inner().expect("memory can be flushed");
    Artifact { name: name.to_owned(), bytes }
}

fn round_rows(series: &Series) -> impl Iterator<Item = [String; 9]> {
    (1..).zip(series.latencies_of_rounds()).map(|(number, round): (u32, _)| {
        let percentiles = Percentiles::from(round);
        [
            series.transport.clone(),
            number.to_string(),
            percentiles.samples.to_string(),
            whole(percentiles.p50),
            whole(percentiles.p90),
            whole(percentiles.p99),
            whole(percentiles.p999),
            whole(percentiles.max),
            percentiles.missing.to_string(),
        ]
    })
}

fn probe_rows(knee: &Knee) -> impl Iterator<Item = [String; 11]> {
    knee.probes.iter().map(|probe| {
        [
            knee.transport.clone(),
            knee.load.to_string(),
            decimal(Some(probe.load)),
            probe.users.to_string(),
            decimal(Some(probe.offered_per_s)),
            decimal(Some(probe.achieved_per_s)),
            whole(probe.p50_us),
            whole(probe.p99_us),
            knee.p99_us_max.to_string(),
            probe.outcome.to_string(),
            probe.why.clone(),
        ]
    })
}

fn summary_row(row: &Summary, series: &Series) -> [String; 39] {
    let messages = &row.messages;
    let [latency, service, send_lag]: [&Percentiles; 3] =
        [&row.latency_us, &row.service_us, &row.send_lag_us];
    [
        row.transport.clone(),
        row.users.to_string(),
        decimal(Some(series.duration_s)),
        decimal(Some(row.offered_per_s)),
        decimal(Some(row.achieved_per_s)),
        messages.scheduled.to_string(),
        messages.unsent.to_string(),
        messages.sent.to_string(),
        messages.refused.to_string(),
        messages.delivered.to_string(),
        messages.lost.to_string(),
        messages.duplicated.to_string(),
        messages.misdelivered.to_string(),
        messages.out_of_order.to_string(),
        whole(latency.p50),
        whole(latency.p90),
        whole(latency.p99),
        whole(latency.p999),
        whole(latency.max),
        whole(service.p50),
        whole(service.p99),
        whole(service.max),
        whole(send_lag.p50),
        whole(send_lag.p99),
        whole(send_lag.max),
        decimal(row.server_cpu_us_per_message),
        decimal(row.server_rss_bytes_per_connection),
        decimal(row.requests_per_message),
        decimal(row.bytes_per_message),
        row.accounted.to_string(),
        row.valid.to_string(),
        row.invalid.join("; "),
        whole(row.hiccups_us.p99),
        whole(row.hiccups_us.max),
        whole(latency.p95),
        messages.failed.to_string(),
        latency.missing.to_string(),
        whole(series.latencies().shortest_wait_us()),
        row.error_share.map_or_else(String::new, |share| format!("{share:.6}")),
    ]
}

/// A percentile with what is known of it.
type Rung = (Quantile, Option<Estimate>);

fn percentile_rows(series: &Series) -> Vec<[String; 8]> {
    let ladder = LADDER.map(Quantile::per_million);
    let nothing = HistogramDump::default();
    let whole_of = |known| Latencies { known, missing: &nothing };
    let metrics = [
        ("latency", series.latencies()),
        ("service", whole_of(&series.service_us)),
        ("send_lag", whole_of(&series.send_lag_us)),
    ];
    let row = |metric: &str, latencies: Latencies<'_>, (quantile, estimate): Rung| {
        let is_max = quantile.as_fraction() >= 1.0;
        let value = if is_max { latencies.max() } else { latencies.at(quantile) };
        let more_than = value.and_then(Latency::more_than);
        [
            series.transport.clone(),
            metric.to_owned(),
            quantile.percent(),
            whole(value.and_then(Latency::known)),
            latencies.beyond(quantile).to_string(),
            whole(more_than.or_else(|| estimate.map(|estimate| estimate.low))),
            whole(estimate.map(|estimate| estimate.high)),
            latencies.missing.count().to_string(),
        ]
    };
    metrics
        .into_iter()
        .flat_map(|(metric, latencies)| {
            // Only the latency is known second by second.
            let estimates: Vec<Option<Estimate>> = match metric {
                "latency" => series.estimates(&ladder),
                _ => ladder.iter().map(|quantile| latencies.known.estimate(*quantile)).collect(),
            };
            let rungs = ladder.into_iter().zip(estimates);
            rungs.map(move |rung| row(metric, latencies, rung)).collect::<Vec<_>>()
        })
        .collect()
}

fn interval_rows(series: &Series) -> Vec<[String; 14]> {
    let row = |interval: &crate::run::Interval| {
        let percentiles = Percentiles::from(interval.latencies());
        let used = interval.used.as_ref();
        [
            series.transport.clone(),
            interval.second.to_string(),
            interval.sent.to_string(),
            interval.received.to_string(),
            whole(percentiles.p50),
            whole(percentiles.p99),
            whole(percentiles.max),
            whole(interval.send_lag_us_p99),
            whole(used.map(|it| it.connected)),
            whole(used.and_then(|it| it.server_cpu_us)),
            whole(used.and_then(|it| it.server_rss_bytes)),
            whole(used.map(|it| it.generator_cpu_us)),
            whole(used.map(|it| it.generator_rss_bytes)),
            percentiles.missing.to_string(),
        ]
    };
    series.intervals.iter().map(row).collect()
}

fn whole(value: Option<u64>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn decimal(value: Option<f64>) -> String {
    value.map(|value| format!("{value:.3}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(name: &str, lines: usize, expected: Expect) {
        let run = crate::sample::run(1, 2, 400);
        let artifacts = Csv.export(&run).expect("a run fits into CSV");
        let artifact = artifacts.iter().find(|it| it.name == name).expect("a file of that name");
        let text = String::from_utf8(artifact.bytes.clone()).expect("CSV is text");
        let head: Vec<&str> = text.lines().take(lines).collect();
        expected.assert_eq(&(head.join("\n") + "\n"));
    }

    #[test]
    fn the_columns_of_the_summary_are_a_contract() {
        check(
            "summary.csv",
            2,
            expect![[r#"
                transport,users,duration_s,offered_per_s,achieved_per_s,scheduled,unsent,sent,refused,delivered,lost,duplicated,misdelivered,out_of_order,latency_us_p50,latency_us_p90,latency_us_p99,latency_us_p999,latency_us_max,service_us_p50,service_us_p99,service_us_max,send_lag_us_p50,send_lag_us_p99,send_lag_us_max,server_cpu_us_per_message,server_rss_bytes_per_connection,requests_per_message,bytes_per_message,accounted,valid,invalid,hiccups_us_p99,hiccups_us_max,latency_us_p95,failed,missing,missing_us_min,error_share
                websocket,1000,2.000,400.000,380.500,761,0,761,0,761,0,0,0,0,794,1887,,,15239,745,,15167,34,,358,24.000,9800.000,1.020,190.000,true,true,,78,978,2397,0,0,,0.000000
            "#]],
        );
    }

    #[test]
    fn the_columns_of_the_percentiles_are_a_contract_and_thin_ones_are_empty() {
        check(
            "percentiles.csv",
            14,
            expect![[r#"
                transport,metric,percentile,value_us,beyond,low_us,high_us,missing
                websocket,latency,10,325,684,301,337,0
                websocket,latency,25,446,570,419,473,0
                websocket,latency,50,794,380,719,841,0
                websocket,latency,75,1276,190,1204,1391,0
                websocket,latency,90,1887,76,1800,2103,0
                websocket,latency,95,2397,38,2279,2753,0
                websocket,latency,99,,7,,,0
                websocket,latency,99.5,,3,,,0
                websocket,latency,99.9,,0,,,0
                websocket,latency,99.95,,0,,,0
                websocket,latency,99.99,,0,,,0
                websocket,latency,100,15239,0,,,0
                websocket,service,10,283,684,263,296,0
            "#]],
        );
    }

    #[test]
    fn rounds_have_a_file_where_there_are_any() {
        let mut run = crate::sample::run(1, 2, 400);
        run.series[0].rounds = vec![run.series[0].latency_us.clone(); 2];
        let artifacts = Csv.export(&run).expect("a run fits into CSV");
        let rounds = artifacts.iter().find(|it| it.name == "rounds.csv").expect("two rounds");
        let text = String::from_utf8(rounds.bytes.clone()).expect("CSV is text");
        expect![[r#"
            transport,round,received,latency_us_p50,latency_us_p90,latency_us_p99,latency_us_p999,latency_us_max,missing
            websocket,1,761,794,1887,,,15239,0
            websocket,2,761,794,1887,,,15239,0
        "#]].assert_eq(&text);
    }

    #[test]
    fn the_columns_of_the_searches_are_a_contract_and_there_is_no_file_without_one() {
        let mut run = crate::sample::run(1, 2, 400);
        let is_there = |run: &Run| {
            let artifacts = Csv.export(run).expect("a run fits into CSV");
            artifacts.into_iter().find(|it| it.name == "knees.csv")
        };
        assert!(is_there(&run).is_none());
        run.knees = crate::sample::knees();
        let text = String::from_utf8(is_there(&run).expect("a search").bytes).expect("CSV is text");
        let lines: Vec<&str> = text.lines().skip(4).take(4).collect();
        assert_eq!(text.lines().next(), Some(KNEES_COLUMNS.join(",").as_str()));
        expect![[r#"
            websocket,rate,4000.000,1000,4000.000,4000.000,838,5033,50000,held,
            websocket,rate,8000.000,1000,8000.000,8000.000,2605,15631,50000,held,
            websocket,rate,16000.000,1000,16000.000,9900.000,125000,750000,50000,broken,p99 was 750 ms
            long-poll,rate,500.000,1000,500.000,500.000,616,3700,50000,held,
        "#]].assert_eq(&(lines.join("\n") + "\n"));
    }

    #[test]
    fn the_columns_of_the_intervals_are_a_contract() {
        check(
            "intervals.csv",
            3,
            expect![[r#"
                transport,second,sent,received,latency_us_p50,latency_us_p99,latency_us_max,send_lag_us_p99,connected,server_cpu_us,server_rss_bytes,generator_cpu_us,generator_rss_bytes,missing
                websocket,0,381,381,454,,4235,60,1000,9144,17140032,15240,63963136,0
                websocket,1,380,380,1258,,15239,70,1000,9120,17144128,15200,63963136,0
            "#]],
        );
    }

    #[test]
    fn an_empty_run_still_has_its_columns() {
        let empty = crate::sample::run(0, 1, 1);
        for artifact in Csv.export(&empty).expect("a run fits into CSV") {
            let text = String::from_utf8(artifact.bytes).expect("CSV is text");
            assert_eq!(text.lines().count(), 1, "{}", artifact.name);
        }
    }
}
