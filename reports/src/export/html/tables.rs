//! The tables of the report. A table wider than the screen scrolls within its own box, which
//! the keyboard can reach.

use maud::{Markup, html};

use crate::chart::mark::Marks;
use crate::figure::Row;
use crate::knee::{Knee, Outcome};
use crate::missing::Latency;
use crate::quantile::{Estimate, Quantile};
use crate::run::{Run, Series, Used};
use crate::slo::{Standing, judge};
use crate::summary::{Percentiles, Summary};
use crate::units::{bytes, count, duration_us, latency, number, or_absent, plural};

/// A table in a box that scrolls.
pub(crate) fn scrolling(label: &str, table: &Markup) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(label) { (table) }
    }
}

/// Headings of columns, one behind the other.
pub(super) fn headings<const N: usize>(names: [&str; N]) -> Markup {
    html! { @for name in names { th scope="col" { (name) } } }
}

/// What the run was held against; nothing where there was nothing.
pub(super) fn objectives(run: &Run) -> Markup {
    let judgements = judge(run);
    if judgements.is_empty() {
        return html! {};
    }
    let table = html! {
        table {
            thead {
                tr {
                    th scope="col" { "transport" }
                    th.text scope="col" { "objective" }
                    (headings(["measured", "held"]))
                }
            }
            tbody {
                @for it in judgements {
                    tr {
                        th scope="row" { (it.transport) }
                        td.text { (it.slo) }
                        td {
                            (it.told)
                            @if let Some(note) = &it.note { " " small { (note) } }
                        }
                        @match it.standing {
                            Standing::Held => td.best { "yes" },
                            Standing::Broken => td.bad { "NO" },
                            Standing::Undecided => td { "not decided" },
                        }
                    }
                }
            }
        }
    };
    html! {
        section aria-labelledby="objectives" {
            h2 id="objectives" { "Objectives" }
            (scrolling("Objectives", &table))
        }
    }
}

/// Every probe of every search, in the order of the load.
pub(super) fn probes(knees: &[Knee]) -> Markup {
    let time = |us: Option<u64>| or_absent(us, |us| duration_us(us as f64));
    let table = html! {
        table {
            thead {
                tr {
                    (headings(["transport", "people", "offered/s", "achieved/s", "p50", "p99"]))
                    th.text scope="col" { "within the bound" }
                }
            }
            tbody {
                @for knee in knees {
                    @for probe in knee.by_load() {
                        tr {
                            th scope="row" { (knee.transport) }
                            td { (count(probe.users)) }
                            td { (number(probe.offered_per_s)) }
                            td { (number(probe.achieved_per_s)) }
                            td { (time(probe.p50_us)) }
                            td { (time(probe.p99_us)) }
                            @match probe.outcome {
                                Outcome::Held => td.text.best { "yes" },
                                Outcome::Broken => td.text.bad { "NO: " (probe.why) },
                                Outcome::Undecided => td.text { "not decided: " (probe.why) },
                            }
                        }
                    }
                }
            }
        }
    };
    scrolling("Probes of the search", &table)
}

/// The latency of each round; nothing where everything was measured once.
pub(super) fn rounds(run: &Run) -> Markup {
    let repeated: Vec<&Series> = run.series.iter().filter(|it| !it.rounds.is_empty()).collect();
    if repeated.is_empty() {
        return html! {};
    }
    let table = html! {
        table {
            thead {
                tr {
                    (headings(["transport", "round", "arrived", "missing", "p50", "p99", "max"]))
                }
            }
            tbody {
                @for series in repeated {
                    @for (number, round) in (1..).zip(series.latencies_of_rounds()) {
                        @let percentiles = Percentiles::from(round);
                        tr {
                            th scope="row" { (series.transport) }
                            td { (number) }
                            td { (count(percentiles.samples)) }
                            td { (count(percentiles.missing)) }
                            (percentile_cells(&percentiles))
                        }
                    }
                }
            }
        }
    };
    html! {
        section aria-labelledby="rounds" {
            h2 id="rounds" { "Round by round" }
            p {
                "The transports were measured in turns, each time against a new server. What differs \
                 from round to round is not a difference between transports."
            }
            (scrolling("Latency of each round", &table))
        }
    }
}

/// Latency beside what it is made of, so that nobody need take it on trust: the transports one below
/// the other, because twelve columns beside a name are wider than most screens.
pub(super) fn honesty(rows: &[Row], marks: &Marks) -> Markup {
    let table = html! {
        table.honesty {
            thead { tr { (headings(["", "p50", "p99", "max"])) } }
            @for Row { summary, .. } in rows {
                tbody {
                    tr.group {
                        th scope="rowgroup" colspan="4" {
                            (marks.get(&summary.transport).key()) (summary.transport)
                        }
                    }
                    @for (name, it) in [
                        ("latency", &summary.latency_us),
                        ("service time", &summary.service_us),
                        ("send lag", &summary.send_lag_us),
                        ("hiccups", &summary.hiccups_us),
                    ] {
                        tr { th scope="row" { (name) } (percentile_cells(it)) }
                    }
                }
            }
        }
    };
    html! {
        section aria-labelledby="honesty" {
            h2 id="honesty" { "Is the latency honest?" }
            p {
                "Latency counts from the moment at which a message was meant to be sent, so the \
                 wait that a slow server causes for the next message is counted too; service time \
                 counts only from the moment at which it really was sent, and only of messages that \
                 arrived. Send lag is the \
                 difference that the measuring program itself adds: it must stay small beside the \
                 latency, or the figures are not valid. Hiccups are how late the machine woke a \
                 thread of that program which does nothing but sleep for a millisecond at a time: \
                 what is no longer than they are may be the machine's and not the server's."
            }
            (scrolling("Latency, service time, send lag and hiccups", &table))
        }
    }
}

pub(super) fn percentile_cells(percentiles: &Percentiles) -> Markup {
    html! {
        @for text in [percentiles.p50_text(), percentiles.p99_text(), percentiles.max_text()] {
            td { (text) }
        }
    }
}

/// Errors that the clients met, by transport; nothing where there were none.
pub(super) fn errors(run: &Run) -> Markup {
    let errors: Vec<(&str, &str, u64)> = run
        .series
        .iter()
        .flat_map(|series| {
            let named = series.traffic.errors.iter();
            named.map(|(error, times)| (series.transport.as_str(), error.as_str(), *times))
        })
        .collect();
    if errors.is_empty() {
        return html! {};
    }
    let table = html! {
        table {
            thead { tr { (headings(["transport", "times", "error"])) } }
            tbody {
                @for (transport, error, times) in errors {
                    tr { th scope="row" { (transport) } td { (count(times)) } td.text { (error) } }
                }
            }
        }
    };
    html! {
        section aria-labelledby="errors" {
            h2 id="errors" { "Errors that the clients met" }
            (scrolling("Errors", &table))
        }
    }
}

/// Each percentile of each transport with the samples beyond it.
pub(super) fn percentiles(series: &[Series]) -> Markup {
    let ladder = [Quantile::P50, Quantile::P90, Quantile::P99, Quantile::P999, Quantile::P9999];
    let table = html! {
        table {
            thead {
                tr {
                    th scope="col" { "transport" }
                    @for quantile in ladder { th scope="col" { "p" (quantile.percent()) } }
                    (headings(["max", "arrived", "missing"]))
                }
            }
            tbody {
                @for series in series {
                    tr {
                        th scope="row" { (series.transport) }
                        @for (quantile, estimate) in ladder.iter().zip(series.estimates(&ladder)) {
                            (estimate_cell(series.latencies().at(*quantile), estimate))
                        }
                        td { (Percentiles::from(series.latencies()).max_text()) }
                        td { (count(series.latency_us.count())) }
                        td { (count(series.missing_us.count())) }
                    }
                }
            }
        }
    };
    scrolling("Latency by percentile", &table)
}

fn estimate_cell(value: Option<Latency>, estimate: Option<Estimate>) -> Markup {
    let (known, more_than) = (value.and_then(Latency::known), value.and_then(Latency::more_than));
    html! {
        td {
            (latency(known, more_than))
            @if let Some(it) = estimate {
                br; small { (time(Some(it.low))) " to " (time(Some(it.high))) }
            }
        }
    }
}

/// Median and cost of each transport: the figures of the picture of the verdict.
pub(super) fn speed_and_cost(rows: &[Summary]) -> Markup {
    let table = html! {
        table {
            thead {
                tr {
                    (headings(["transport", "median latency", "server CPU a message"]))
                }
            }
            tbody {
                @for row in rows {
                    tr {
                        th scope="row" { (row.transport) }
                        td { (row.latency_us.p50_text()) }
                        td { (or_absent(row.server_cpu_us_per_message, duration_us)) }
                    }
                }
            }
        }
    };
    scrolling("Median latency and server CPU", &table)
}

const USED: [&str; 5] =
    ["connected", "server, cores", "server, memory", "generator, cores", "generator, memory"];

fn used_cells(used: Option<&Used>) -> Markup {
    let cores = |us: u64| number(us as f64 / 1e6);
    let memory = |it: u64| bytes(it as f64);
    html! {
        td { (or_absent(used, |it| count(it.connected))) }
        td { (or_absent(used.and_then(|it| it.server_cpu_us), cores)) }
        td { (or_absent(used.and_then(|it| it.server_rss_bytes), memory)) }
        td { (or_absent(used, |it| cores(it.generator_cpu_us))) }
        td { (or_absent(used, |it| memory(it.generator_rss_bytes))) }
    }
}

/// One transport over time.
pub(super) fn intervals(series: &Series) -> Markup {
    let is_read = series.intervals.iter().any(|it| it.used.is_some());
    let table = html! {
        table {
            thead {
                tr {
                    (headings(["from second", "sent", "received", "missing", "p50", "p99", "max"]))
                    (headings(["send lag p99"]))
                    @if is_read { (headings(USED)) }
                }
            }
            tbody {
                @for interval in &series.intervals {
                    tr {
                        th scope="row" { (interval.second) }
                        td { (count(interval.sent)) }
                        td { (count(interval.received)) }
                        td { (count(interval.missing_us.count())) }
                        (percentile_cells(&Percentiles::from(interval.latencies())))
                        td { (or_absent(interval.send_lag_us_p99, |us| duration_us(us as f64))) }
                        @if is_read { (used_cells(interval.used.as_ref())) }
                    }
                }
            }
        }
    };
    let label =
        format!("{}: {}", series.transport, plural(series.intervals.len() as u64, "interval"));
    scrolling(&label, &table)
}

fn time(us: Option<u64>) -> String {
    or_absent(us, |us| duration_us(us as f64))
}
