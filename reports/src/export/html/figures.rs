//! The pictures of the report, each with its legend, its table and what it shows in words.

use maud::{Markup, html};

use super::tables;
use crate::chart::mark::{Mark, Marks, legend};
use crate::chart::scatter::{left_out, scatter};
use crate::chart::series::Panels;
use crate::chart::{self, Size};
use crate::coarse;
use crate::knee::{Knee, Load};
use crate::run::{Run, Series};
use crate::summary::Summary;
use crate::units::duration_us;
use crate::verdict::listed;

/// The verdict as a picture.
pub(super) fn speed_and_cost(rows: &[Summary], marks: &Marks) -> Markup {
    let left_out = left_out(rows);
    html! {
        section aria-labelledby="speed-and-cost" {
            h2 id="speed-and-cost" { "Speed against cost" }
            @match both_sizes(|size| scatter(rows, marks, size)) {
                Some(picture) => figure {
                    (legend(rows.iter().map(|row| row.transport.as_str()), marks))
                    (picture)
                    figcaption {
                        "Left is faster, down is cheaper. A hollow mark is a transport whose \
                         figures are not valid or that did not account for every message."
                        @if !left_out.is_empty() {
                            " Not shown, for want of a median or a cost: " (left_out.join(", ")) "."
                        }
                    }
                    (data(&tables::speed_and_cost(rows)))
                },
                None => p.note { "No transport has both a median and a cost to the server to show." },
            }
        }
    }
}

/// How much each transport carries; nothing where that was not searched for.
pub(super) fn knees(knees: &[Knee], marks: &Marks) -> Markup {
    let Some(first) = knees.first() else {
        return html! {};
    };
    let raised = match first.load {
        Load::Rate => "the same people say more and more",
        Load::People => "more and more people say as much each",
    };
    html! {
        section aria-labelledby="knees" {
            h2 id="knees" { "How much each transport carries" }
            p {
                "Each probe is a run of its own: " (raised) ", until p99 is beyond "
                (duration_us(first.p99_us_max as f64)) " or messages do not arrive. The most that held \
                 was measured again. What follows below is that measurement of each transport."
            }
            @if let Some(picture) = both_sizes(|size| chart::knee::knee(knees, marks, size)) {
                figure {
                    (legend(knees.iter().map(|knee| knee.transport.as_str()), marks))
                    (picture)
                    figcaption {
                        "With markers: p99; thin: the median. A hollow mark is a load at which the bound did not \
                         hold, or at which the generator was the limit; the table tells which."
                    }
                    (data(&tables::probes(knees)))
                }
            }
        }
    }
}

/// Latency by percentile.
pub(super) fn spectrum(run: &Run, marks: &Marks) -> Markup {
    html! {
        section aria-labelledby="spectrum" {
            h2 id="spectrum" { "Latency by percentile" }
            @match both_sizes(|size| chart::spectrum::spectrum(&run.series, marks, size)) {
                Some(picture) => figure {
                    (legend(run.series.iter().map(|series| series.transport.as_str()), marks))
                    (picture)
                    figcaption {
                        "Read 99% as: 99 of 100 messages arrived at least so fast. Both axes are \
                         logarithmic. A line ends where fewer than ten messages lie beyond it, and where \
                         it reaches the messages that never arrived; \
                         the shade about it is its 95 % interval."
                    }
                    (data(&tables::percentiles(&run.series)))
                },
                None => p.note { "Too few messages for a percentile of any transport." },
            }
        }
    }
}

/// Latency and messages over time, a panel a transport.
pub(super) fn over_time(run: &Run, marks: &Marks) -> Markup {
    let seconds_each = coarse::seconds_each(&run.series);
    let series = coarse::joined(&run.series, seconds_each);
    let panels = Panels::for_all(&series);
    html! {
        section aria-labelledby="over-time" {
            h2 id="over-time" { "Over time" }
            @if let Some(panels) = &panels {
                p {
                    "Latency: the thick line is the median, the dashed one the " (panels.upper().name())
                    " of the messages that were due in each "
                    @match seconds_each { 1 => "second", _ => { (seconds_each) " s" } }
                    ", behind them all messages (the darker, \
                     the more); dotted is the send lag (p99). Messages: the thick line is those received, \
                     the dashed one those sent. Cores: the thick line is the server, the dashed one the \
                     generator. " (scales(&panels.groups(&series)))
                    @if series.iter().any(|it| !it.missing_us.is_empty()) {
                        " A mark at the top is a second of which messages never arrived."
                    }
                    @if series.iter().any(|it| it.round_starts.len() > 1) {
                        " An upright line is where the next round begins, against a new server."
                    }
                    @if seconds_each > 1 {
                        " Counts and cores are those of the mean second, the send lag that of the \
                         worst; intervals.csv has every second."
                    }
                }
                div.panels {
                    @for (nth, series) in series.iter().enumerate() {
                        (panel(panels, nth, series, marks.get(&series.transport)))
                    }
                }
            } @else {
                p.note { "No second of the run has a message." }
            }
        }
    }
}

/// Which panels can be compared at sight.
fn scales(groups: &[Vec<&str>]) -> String {
    if groups.len() < 2 {
        return "All panels have the same scale of latency.".to_owned();
    }
    let names =
        |group: &Vec<&str>| listed(&group.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>());
    let groups: Vec<String> = groups.iter().map(names).collect();
    format!(
        "Scales of latency differ, where latencies do by far: one for {}.",
        groups.join("; one for ")
    )
}

fn panel(panels: &Panels, nth: usize, series: &Series, mark: Mark) -> Markup {
    html! {
        figure.panel {
            h3 {
                (mark.key())
                (series.transport)
            }
            (panels.latency(nth, series, mark))
            (panels.rate(series, mark))
            @if let Some(cores) = panels.cores(nth, series, mark) { (cores) }
            (data(&tables::intervals(series)))
        }
    }
}

/// The picture for a wide screen and the one for a phone; the style shows one of them.
fn both_sizes(chart: impl Fn(Size) -> Option<Markup>) -> Option<Markup> {
    let (wide, narrow) = (chart(Size::Wide)?, chart(Size::Narrow)?);
    Some(html! { (wide) (narrow) })
}

fn data(table: &Markup) -> Markup {
    html! { details { summary { "The same as a table" } (table) } }
}
