//! The page of a run: what is wrong, the whole run as a strip, the picture, and every event in a
//! table.
//!
//! The script of the page only zooms; without it everything is there.

use maud::{Markup, html};

use super::overview::overview;
use super::picture::{Columns, picture, px};
use super::{Finding, Sequence, seconds};
use crate::page;

const STYLE: &str = include_str!("sequence.css");
const SCRIPT: &str = include_str!("sequence.js");

/// The page, from `<!DOCTYPE html>` to its end.
#[must_use]
pub fn page(sequence: &Sequence) -> String {
    let title = format!("racetrack: {}", sequence.title);
    page::page(&title, STYLE, Some(SCRIPT), &content(sequence)).into_string()
}

fn content(sequence: &Sequence) -> Markup {
    html! {
        header { h1 { "racetrack: " (sequence.title) } }
        (verdict(sequence))
        dl.facts { @for (name, value) in &sequence.facts { div { dt { (name) } dd { (value) } } } }
        section aria-labelledby="run" {
            h2 #run { "The run" }
            figure {
                (overview(sequence))
                div #zoom hidden {
                    button type="button" data-zoom="whole" { "whole run" }
                    button type="button" data-zoom="out" aria-label="more time" { "−" }
                    button type="button" data-zoom="in" aria-label="less time" { "+" }
                    output #shown {}
                    span.hint { "drag over the strip to choose a stretch of time" }
                }
                (troubles(sequence))
                div.scroll tabindex="0" role="region" aria-label="The picture" {
                    (heads(sequence))
                    (picture(sequence))
                }
                figcaption { (legend()) }
            }
        }
        (table(sequence))
    }
}

fn verdict(sequence: &Sequence) -> Markup {
    html! {
        @if sequence.findings.is_empty() {
            section.verdict.good { h2 { "Every promise kept" } }
        } @else {
            section.verdict.failed {
                h2 {
                    @match sequence.findings.len() {
                        1 => "A promise was broken",
                        count => { (count) " promises were broken" }
                    }
                }
                @for finding in &sequence.findings { (broken(sequence, finding)) }
            }
        }
    }
}

fn broken(sequence: &Sequence, finding: &Finding) -> Markup {
    let entry = |index: &usize| sequence.entries.iter().find(|entry| entry.index == *index);
    html! {
        p { strong { (finding.what) } }
        ul {
            @for entry in finding.evidence.iter().filter_map(entry) {
                li {
                    a href=(format!("#e{}", entry.index)) { (seconds(entry.at_us)) " s" }
                    " " (entry.who) ": " (entry.words)
                }
            }
        }
        @if !finding.consequences.is_empty() {
            details {
                summary { "and what was found with it: " (finding.consequences.len()) }
                ul { @for consequence in &finding.consequences { li { (consequence) } } }
            }
        }
    }
}

fn troubles(sequence: &Sequence) -> Markup {
    html! {
        @if !sequence.troubles.is_empty() {
            details {
                summary { "What went wrong on purpose: " (sequence.troubles.len()) }
                ul.troubles {
                    @for trouble in &sequence.troubles {
                        li {
                            (seconds(trouble.span_us.0)) " to " (seconds(trouble.span_us.1)) " s: "
                            (trouble.name) ", " (trouble.effect)
                        }
                    }
                }
            }
        }
    }
}

/// The names above the lifelines, which stay in sight.
fn heads(sequence: &Sequence) -> Markup {
    let columns = Columns::of(sequence);
    let width = columns.width();
    html! {
        svg.heads width=(width) height="34" viewBox=(format!("0 0 {width} 34")) aria-hidden="true" {
            @for (lane, it) in sequence.lanes.iter().enumerate() {
                @let is_server = lane == sequence.server;
                @let (x, anchor) = columns.words(lane);
                @let x = if is_server { columns.x(lane) } else { x };
                @let anchor = if is_server { "middle" } else { anchor };
                text.name x=(px(x)) y="14" text-anchor=(anchor) { (it.name) }
                text.note x=(px(x)) y="29" text-anchor=(anchor) { (it.note) }
            }
        }
    }
}

fn legend() -> Markup {
    html! {
        "Time runs down, wider where much happens and narrower where nothing does; the seconds on \
         the left are exact. A band on a lifeline is a conversation, in its colour, and so are the \
         arrows of its messages; grey arrows are everything else. An arrow that ends half-way is \
         not known to have arrived. Faults are shaded over those whom they befell. When the \
         server heard of something is its own word where there is one, and else the middle \
         between question and answer."
    }
}

fn table(sequence: &Sequence) -> Markup {
    html! {
        section aria-labelledby="events" {
            h2 #events { "Every event" }
            div.scroll tabindex="0" role="region" aria-label="Every event" {
                table {
                    thead { tr { th { "no." } th { "s" } th { "who" } th { "what" } } }
                    tbody {
                        @for entry in &sequence.entries {
                            @let is_shown = !entry.is_minor || sequence.is_evidence(entry);
                            tr id=(format!("t{}", entry.index)) data-t=(entry.at_us)
                                class=[sequence.is_evidence(entry).then_some("evidence")] {
                                td {
                                    @if is_shown { a href=(format!("#e{}", entry.index)) { (entry.index) } }
                                    @else { (entry.index) }
                                }
                                td { (seconds(entry.at_us)) }
                                td { (entry.who) }
                                td { (entry.words) }
                            }
                        }
                    }
                }
            }
        }
    }
}
