//! The comparison of the transports: a column each, a row a figure, the lowest in bold.
//!
//! Transports stand in columns so that six of them fit on a sheet of paper.

use maud::{Markup, html};

use super::tables::scrolling;
use crate::chart::mark::Mark;
use crate::summary::Summary;
use crate::units::{bytes, count, duration_us, number, or_absent};

/// All transports side by side: a column each, a row a figure.
pub(super) fn comparison(rows: &[Summary]) -> Markup {
    let table = html! {
        table.comparison {
            thead { tr { th scope="col" { "transport" } (transport_headings(rows)) } }
            @for (group, metrics) in GROUPS {
                tbody {
                    tr.group { th scope="rowgroup" colspan=(rows.len() + 1) { (group) } }
                    @for metric in metrics { (comparison_row(metric, rows)) }
                }
            }
            tbody {
                tr.group { th scope="rowgroup" colspan=(rows.len() + 1) { "Trust" } }
                (yes_or_no("accounted", "every message is explained", rows, |row| row.accounted))
                (yes_or_no("valid", "the figures may be trusted", rows, |row| row.valid))
            }
        }
    };
    html! {
        section aria-labelledby="comparison" {
            h2 id="comparison" { "The transports compared" }
            (scrolling("Comparison of the transports", &table))
            @if rows.len() > 1 {
                p.note {
                    "Bold is the lowest of those that are valid and lost nothing, where all had the \
                     same load. A dash is what could not be measured, or a percentile that fewer than \
                     ten messages lie beyond."
                }
            }
        }
    }
}

/// A row of the comparison.
struct Metric {
    name: &'static str,
    hint: &'static str,
    value: fn(&Summary) -> Option<f64>,
    show: fn(f64) -> String,
    tone: Tone,
}

/// What a value of a metric may be said to be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tone {
    /// Neither good nor bad.
    Plain,
    /// The lowest is the best.
    Lower,
    /// Anything but zero is bad.
    Zero,
}

const fn metric(
    name: &'static str,
    hint: &'static str,
    value: fn(&Summary) -> Option<f64>,
    show: fn(f64) -> String,
    tone: Tone,
) -> Metric {
    Metric { name, hint, value, show, tone }
}

/// The comparison, in groups.
const GROUPS: [(&str, &[Metric]); 4] =
    [("Load", &LOAD), ("Latency", &LATENCY), ("Messages", &MESSAGES), ("Cost", &COST)];

const LOAD: [Metric; 4] = [
    metric("users", "people connected", |row| Some(row.users as f64), whole, Tone::Plain),
    metric(
        "connected",
        "until the last of them was there",
        |row| row.connect_s.map(|s| s * 1e6),
        duration_us,
        Tone::Plain,
    ),
    metric(
        "offered",
        "messages a second asked for",
        |row| Some(row.offered_per_s),
        number,
        Tone::Plain,
    ),
    metric(
        "achieved",
        "messages a second that arrived",
        |row| Some(row.achieved_per_s),
        number,
        Tone::Plain,
    ),
];

const LATENCY: [Metric; 4] = [
    metric("p50", "half arrive within", |row| float(row.latency_us.p50), duration_us, Tone::Lower),
    metric(
        "p99",
        "99 of 100 arrive within",
        |row| float(row.latency_us.p99),
        duration_us,
        Tone::Lower,
    ),
    metric(
        "p99.9",
        "999 of 1,000 arrive within",
        |row| float(row.latency_us.p999),
        duration_us,
        Tone::Lower,
    ),
    metric("max", "the slowest of all", |row| float(row.latency_us.max), duration_us, Tone::Lower),
];

const MESSAGES: [Metric; 5] = [
    metric(
        "delivered",
        "accepted, and arrived once",
        |row| Some(row.messages.delivered as f64),
        whole,
        Tone::Plain,
    ),
    metric(
        "lost",
        "accepted, never arrived",
        |row| Some(row.messages.lost as f64),
        whole,
        Tone::Zero,
    ),
    metric(
        "duplicated",
        "arrived more than once",
        |row| Some(row.messages.duplicated as f64),
        whole,
        Tone::Zero,
    ),
    metric(
        "misdelivered",
        "arrived at somebody else",
        |row| Some(row.messages.misdelivered as f64),
        whole,
        Tone::Zero,
    ),
    metric(
        "out of order",
        "arrived after a later one",
        |row| Some(row.messages.out_of_order as f64),
        whole,
        Tone::Zero,
    ),
];

const COST: [Metric; 4] = [
    metric(
        "server CPU",
        "a message",
        |row| row.server_cpu_us_per_message,
        duration_us,
        Tone::Lower,
    ),
    metric(
        "server memory",
        "a connection, above idle",
        |row| row.server_rss_bytes_per_connection,
        bytes,
        Tone::Lower,
    ),
    metric("requests", "a message", |row| row.requests_per_message, number, Tone::Lower),
    metric("bytes", "a message, both ways", |row| row.bytes_per_message, bytes, Tone::Lower),
];

fn float(value: Option<u64>) -> Option<f64> {
    value.map(|value| value as f64)
}

fn whole(value: f64) -> String {
    count(value as u64)
}

fn transport_headings(rows: &[Summary]) -> Markup {
    html! {
        @for (index, row) in rows.iter().enumerate() {
            @let mark = Mark::of(index);
            th scope="col" {
                svg class=(format!("key {}", mark.class())) viewBox="0 0 14 14" aria-hidden="true" {
                    (mark.marker((7.0, 7.0), 5.0))
                }
                (row.transport)
            }
        }
    }
}

fn comparison_row(metric: &Metric, rows: &[Summary]) -> Markup {
    let best = best(metric, rows);
    html! {
        tr {
            th scope="row" { (metric.name) " " small { (metric.hint) } }
            @for (index, row) in rows.iter().enumerate() {
                @let value = (metric.value)(row);
                @let shown = or_absent(value, metric.show);
                @if metric.tone == Tone::Zero && value > Some(0.0) {
                    td.bad { strong { (shown) } }
                } @else if best == Some(index) {
                    td.best { strong { (shown) } }
                } @else {
                    td { (shown) }
                }
            }
        }
    }
}

/// Which transport has the lowest value, of two or more that may be compared.
fn best(metric: &Metric, rows: &[Summary]) -> Option<usize> {
    let mut comparable: Vec<(usize, f64)> = rows
        .iter()
        .enumerate()
        .filter(|(_, row)| row.valid && row.accounted)
        .filter_map(|(index, row)| Some((index, (metric.value)(row)?)))
        .collect();
    comparable.sort_by(|left, right| left.1.total_cmp(&right.1));
    let is_asked = metric.tone == Tone::Lower && comparable.len() > 1 && are_loaded_alike(rows);
    is_asked.then(|| comparable[0].0)
}

/// Rates that are drawn from one schedule but read over other windows differ by less than this.
const LOADS_ALIKE_SHARE: f64 = 0.05;

/// As many people saying as much: under other loads nobody is the best.
fn are_loaded_alike(rows: &[Summary]) -> bool {
    let alike = |one: &Summary, other: &Summary| {
        let [less, more] = match one.offered_per_s < other.offered_per_s {
            true => [one, other],
            false => [other, one],
        };
        one.users == other.users
            && more.offered_per_s <= less.offered_per_s * (1.0 + LOADS_ALIKE_SHARE)
    };
    rows.iter().all(|row| alike(row, &rows[0]))
}

fn yes_or_no(name: &str, hint: &str, rows: &[Summary], holds: fn(&Summary) -> bool) -> Markup {
    html! {
        tr {
            th scope="row" { (name) " " small { (hint) } }
            @for row in rows {
                @if holds(row) { td { "yes" } } @else { td.bad { strong { "no" } } }
            }
        }
    }
}
