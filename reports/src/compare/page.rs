//! `compare.html`: the comparison of two runs as a page of the same look as their reports.

use maud::{Markup, html};

use super::{Compared, Verdict, advice, notes, standing};
use crate::chart::mark::Marks;
use crate::export::html::{STYLE, scrolling};
use crate::headline::headline;
use crate::page;
use crate::quantile::Estimate;
use crate::run::Run;
use crate::units::{interval, latency_us, plural};
use crate::verdict::{CLOSE_SHARE, Standing, listed};

/// Width and height of the picture of a ratio.
const WIDTH: f64 = 150.0;
const HEIGHT: f64 = 18.0;

/// The page, from `<!DOCTYPE html>` to its end; `names` are what the runs are called, such as their
/// paths.
#[must_use]
pub fn page(names: [&str; 2], (a, b): (&Run, &Run), compared: &[Compared]) -> Markup {
    let content = html! {
        header {
            h1 { "B beside A" }
            p.when { "racetrack report compare " (names[0]) " " (names[1]) }
        }
        (verdict_box(compared, &notes(a, b)))
        (table_section(compared, &Marks::of_run(a)))
        section aria-labelledby="runs" {
            h2 id="runs" { "The runs" }
            (facts("A", names[0], a))
            (facts("B", names[1], b))
        }
    };
    let title = format!("{} beside {} - racetrack", names[1], names[0]);
    page::page(&title, STYLE, None, &content)
}

fn verdict_box(compared: &[Compared], notes: &[String]) -> Markup {
    let (class, word) = match standing(compared) {
        Standing::Failed => ("failed", "B is slower"),
        Standing::Invalid => ("invalid", "It cannot be told"),
        Standing::Empty => ("invalid", "Nothing in common"),
        Standing::Good => ("good", "B is no slower"),
    };
    html! {
        section class=(format!("verdict {class}")) aria-labelledby="verdict" {
            h2 id="verdict" { "Verdict: " (word) }
            @for sentence in sentences(compared) { p { (sentence) } }
            @if let Some(advice) = advice(compared) { p { (advice) "." } }
            @for note in notes { p { small { (note) } } }
        }
    }
}

/// What is said of the percentiles, those of one verdict together.
fn sentences(compared: &[Compared]) -> Vec<String> {
    let named = [
        (Verdict::Slower, "B is slower in"),
        (Verdict::Faster, "B is faster in"),
        (Verdict::Unrepeated, "They differ, by single runs, in"),
        (Verdict::Undecided, "Not valid, and not decided, are"),
    ];
    let of = |verdict| compared.iter().filter(move |it| it.verdict == verdict);
    let told = named.into_iter().filter_map(|(verdict, what)| {
        let all: Vec<&Compared> = of(verdict).collect();
        let names: Vec<String> =
            all.chunk_by(|one, other| one.transport == other.transport).map(names).collect();
        (!names.is_empty()).then(|| format!("{what} {}.", names.join("; ")))
    });
    let alike = of(Verdict::NoDifference).count() as u64;
    let alike = (alike > 0).then(|| format!("No difference in {}.", plural(alike, "percentile")));
    told.chain(alike).collect()
}

/// `websocket p50, p90 and p99`.
fn names(of_one: &[&Compared]) -> String {
    let percentiles: Vec<String> =
        of_one.iter().map(|it| format!("p{}", it.quantile.percent())).collect();
    format!("{} {}", of_one[0].transport, listed(&percentiles))
}

fn table_section(compared: &[Compared], marks: &Marks) -> Markup {
    let reach = reach(compared);
    let table = html! {
        table.versus {
            thead {
                tr {
                    th scope="col" { "latency" }
                    th scope="col" { "A" }
                    th scope="col" { "B" }
                    th.picture scope="col" { "B / A, 95 %" }
                    th scope="col" { "B is" }
                }
            }
            @for rows in compared.chunk_by(|one, other| one.transport == other.transport) {
                @let mark = marks.get(&rows[0].transport);
                tbody {
                    tr.group {
                        th scope="rowgroup" colspan="5" { (mark.key()) (rows[0].transport) }
                    }
                    @for it in rows {
                        @let [a, b] = it.values();
                        tr {
                            th scope="row" { "p" (it.quantile.percent()) }
                            (value(&a, it.estimates[0]))
                            (value(&b, it.estimates[1]))
                            td class=(format!("picture {}", mark.class())) { (picture(it, reach)) }
                            td class=[class(it.verdict)] { (it.verdict) br; small { (it.ratio()) } }
                        }
                    }
                }
            }
        }
    };
    html! {
        section aria-labelledby="percentiles" {
            h2 id="percentiles" { "Percentiles of the latency" }
            (scrolling("Percentiles of both runs", &table))
            p.note {
                "Small under a value: its 95 % interval; under the verdict: that of B divided by A. The \
                 picture shows the latter: the line is no difference, the grey band a tenth to either \
                 side, by which two runs of the same differ. Left is faster."
            }
        }
    }
}

fn value(shown: &str, estimate: Option<Estimate>) -> Markup {
    html! {
        td {
            (shown)
            @if let Some(it) = estimate {
                br; small { (interval(&latency_us(it.low), &latency_us(it.high))) }
            }
        }
    }
}

fn class(verdict: Verdict) -> Option<&'static str> {
    match verdict {
        Verdict::Slower => Some("bad"),
        Verdict::Faster => Some("best"),
        Verdict::NoDifference | Verdict::Unrepeated | Verdict::Undecided => None,
    }
}

/// How far the pictures reach from no difference, by the logarithm: as far as the widest interval.
fn reach(compared: &[Compared]) -> f64 {
    let ends = compared.iter().filter_map(|it| it.interval).flat_map(|(low, high)| [low, high]);
    let logs = ends.map(|end| end.max(1e-9).ln().abs());
    logs.fold(2.0 * (1.0 + CLOSE_SHARE).ln(), f64::max)
}

/// The interval of the ratio as a line about no difference. The figures stand beside it.
fn picture(it: &Compared, reach: f64) -> Markup {
    let x = |ratio: f64| WIDTH * (0.5 + 0.48 * ratio.max(1e-9).ln() / reach);
    let (left, right) = (x(1.0 / (1.0 + CLOSE_SHARE)), x(1.0 + CLOSE_SHARE));
    let middle = HEIGHT / 2.0;
    let px = |value: f64| format!("{value:.1}");
    html! {
        svg.ratio viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) aria-hidden="true" {
            rect.gap x=(px(left)) y="0" width=(px(right - left)) height=(HEIGHT) {}
            line.axis x1=(px(x(1.0))) x2=(px(x(1.0))) y1="0" y2=(HEIGHT) {}
            @if let Some((low, high)) = it.interval {
                line.curve x1=(px(x(low))) x2=(px(x(high))) y1=(px(middle)) y2=(px(middle)) {}
                circle.dot cx=(px(x((low * high).sqrt()))) cy=(px(middle)) r="4" {}
            }
        }
    }
}

fn facts(letter: &str, name: &str, run: &Run) -> Markup {
    let environment = &run.environment;
    html! {
        h3 { (letter) ": " (name) }
        p { (headline(run)) }
        p.note {
            (run.started_at) " · " (plural(environment.cores as u64, "core")) ", "
            (environment.cpu) ", " (environment.os) " · racetrack " (environment.racetrack) ", "
            (environment.profile)
        }
        pre tabindex="0" aria-label=(format!("Command of {letter}")) { code { (run.command) } }
    }
}
