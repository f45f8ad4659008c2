//! What the people of a crowd met who moved about, or who used several transports at once; nothing
//! where nobody did.

use maud::{Markup, html};

use super::tables::{percentile_cells, scrolling};
use crate::chart::mark::Marks;
use crate::run::Run;
use crate::summary::Percentiles;
use crate::units::count;

/// Latency by what the reader uses.
pub(super) fn readers(run: &Run, marks: &Marks) -> Markup {
    let mixed: Vec<_> = run.series.iter().filter(|series| !series.by_reader.is_empty()).collect();
    if mixed.is_empty() {
        return html! {};
    }
    let table = html! {
        table {
            thead {
                tr {
                    th scope="col" { "crowd" }
                    th.text scope="col" { "read over" }
                    @for heading in ["users", "arrived", "missing", "p50", "p99", "max"] {
                        th scope="col" { (heading) }
                    }
                }
            }
            tbody {
                @for series in mixed {
                    @for readers in &series.by_reader {
                        @let latency = Percentiles::from(readers.latencies());
                        tr {
                            th scope="row" { (series.transport) }
                            td.text { (marks.get(&readers.transport).key()) (readers.transport) }
                            td { (count(readers.users)) }
                            td { (count(latency.samples)) }
                            td { (count(latency.missing)) }
                            (percentile_cells(&latency))
                        }
                    }
                }
            }
        }
    };
    html! {
        section aria-labelledby="readers" {
            h2 id="readers" { "Several transports in one crowd" }
            p {
                "Any two people meet, whatever they use. How long a message takes depends above all \
                 on how its reader is told of it, so its latency is entered with the reader."
            }
            (scrolling("Latency by the reader's transport", &table))
        }
    }
}

/// How long people were without a partner.
pub(super) fn pairing(run: &Run) -> Markup {
    let moving: Vec<_> = run.series.iter().filter(|it| it.pairing_us.count() > 0).collect();
    if moving.is_empty() {
        return html! {};
    }
    let headings =
        ["transport", "partners found", "p50", "p99", "max", "unsent messages", "refused messages"];
    let table = html! {
        table {
            thead { tr { @for heading in headings { th scope="col" { (heading) } } } }
            tbody {
                @for series in moving {
                    @let waits = Percentiles::from(&series.pairing_us);
                    tr {
                        th scope="row" { (series.transport) }
                        td { (count(waits.samples)) }
                        (percentile_cells(&waits))
                        td { (count(series.messages.unsent)) }
                        td { (count(series.messages.refused)) }
                    }
                }
            }
        }
    };
    html! {
        section aria-labelledby="pairing" {
            h2 id="pairing" { "Finding a partner" }
            p {
                "From the moment at which somebody asked for another partner, read that the partner \
                 had gone, or began to connect, to the moment at which they read of the next one. A \
                 message that fell due meanwhile was not sent; one that was under way to a \
                 conversation that had just ended was refused."
            }
            (scrolling("Time to find a partner", &table))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{HistogramDump, Readers};

    fn sample() -> Run {
        crate::sample::run(2, 5, 400)
    }

    #[test]
    fn nothing_is_said_where_nobody_moves_and_all_use_the_same() {
        let run = sample();
        assert_eq!(
            readers(&run, &Marks::of_run(&run)).into_string() + &pairing(&run).into_string(),
            ""
        );
    }

    #[test]
    fn each_transport_of_a_mix_is_a_row_with_its_people_and_percentiles() {
        let mut run = sample();
        run.series[1].transport = "mix".to_owned();
        run.series[1].by_reader = vec![Readers {
            transport: "sse".to_owned(),
            users: 1_234,
            latency_us: HistogramDump(vec![(1_500, 2_000)]),
            ..Readers::default()
        }];
        let html = readers(&run, &Marks::of_run(&run)).into_string();
        for part in ["mix", "</svg>sse</td>", "1,234", "2,000", "1.5 ms"] {
            assert!(html.contains(part), "{part} is missing in {html}");
        }
        assert!(!html.contains("websocket"), "{html}");
    }

    #[test]
    fn the_wait_for_a_partner_is_shown_with_what_could_not_be_said_meanwhile() {
        let mut run = sample();
        run.series[0].pairing_us = HistogramDump(vec![(2_500, 100)]);
        run.series[0].messages.unsent = 77;
        run.series[0].messages.refused = 5;
        let html = pairing(&run).into_string();
        for part in ["websocket", "<td>100</td>", "2.5 ms", "<td>77</td>", "<td>5</td>"] {
            assert!(html.contains(part), "{part} is missing in {html}");
        }
        assert!(!html.contains("long-poll"), "{html}");
    }
}
