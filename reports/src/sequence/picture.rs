//! The sequence as one SVG: lifelines from left to right, time running down.
//!
//! Words stand on the outer side of a person's lifeline, arrows on the side of the server's. The
//! drawing is complete as it stands; the page's script may stretch it, and knows rows by their
//! class and times by `data-t`.

use maud::{Markup, html};

use super::layout::{Layout, ROW};
use super::{Arrow, Band, Course, Entry, Sequence, Trouble, seconds};

/// The room for times on the left.
const AXIS: f64 = 58.0;
/// The room for a person's words.
const WORDS: f64 = 172.0;
/// The room between the server's lifeline and its neighbours'.
const CENTRE: f64 = 85.0;
/// Half the width of a conversation's band.
const BAND: f64 = 5.0;
/// Colours before they come round again.
pub(super) const TONES: usize = 6;

/// Where the lifelines are.
pub(super) struct Columns<'a> {
    sequence: &'a Sequence,
}

impl<'a> Columns<'a> {
    pub(super) fn of(sequence: &'a Sequence) -> Self {
        Self { sequence }
    }

    pub(super) fn width(&self) -> f64 {
        let people = self.sequence.lanes.len().saturating_sub(1);
        AXIS + people as f64 * WORDS + 2.0 * CENTRE
    }

    /// A lane's lifeline.
    pub(super) fn x(&self, lane: usize) -> f64 {
        let (server, words) = (self.sequence.server, lane as f64 * WORDS);
        match lane.cmp(&server) {
            std::cmp::Ordering::Less => AXIS + words + WORDS,
            std::cmp::Ordering::Equal => AXIS + words + CENTRE,
            std::cmp::Ordering::Greater => AXIS + words - WORDS + 2.0 * CENTRE,
        }
    }

    /// From where to where a lane reaches, its words included.
    fn span(&self, lane: usize) -> (f64, f64) {
        let x = self.x(lane);
        match lane.cmp(&self.sequence.server) {
            std::cmp::Ordering::Less => (x - WORDS + 8.0, x + 8.0),
            std::cmp::Ordering::Equal => (x - 20.0, x + 20.0),
            std::cmp::Ordering::Greater => (x - 8.0, x + WORDS - 8.0),
        }
    }

    /// Where the words of a lane begin, and to which side they run.
    pub(super) fn words(&self, lane: usize) -> (f64, &'static str) {
        let is_left = lane < self.sequence.server;
        if is_left { (self.x(lane) - 9.0, "end") } else { (self.x(lane) + 9.0, "start") }
    }
}

/// The whole drawing.
pub(super) fn picture(sequence: &Sequence) -> Markup {
    let (layout, columns) = (Layout::of(sequence), Columns::of(sequence));
    let (width, height) = (columns.width(), layout.height());
    let rows = rows(sequence, &layout);
    let label = "Who told whom what, from top to bottom; the table below says the same";
    html! {
        svg #picture width=(width) height=(px(height)) viewBox=(format!("0 0 {width} {}", px(height)))
            role="group" aria-label=(label) {
            defs { @for tone in 0..=TONES { (arrowhead(tone)) } }
            @for trouble in &sequence.troubles { (shade(&layout, &columns, trouble)) }
            @for row in rows.iter().filter(|row| row.is_evidence) {
                rect.mark x="0" width=(width) y=(px(row.y - ROW / 2.0)) height=(ROW) {}
            }
            @for lane in 0..sequence.lanes.len() {
                @let x = px(columns.x(lane));
                line.life x1=(x) x2=(x) y1="0" y2=(px(height)) {}
            }
            @for band in &sequence.bands { (lasting(&layout, &columns, band)) }
            @for arrow in &sequence.arrows { (flight(&layout, &columns, sequence, arrow)) }
            @for row in rows { (words(&columns, row)) }
        }
    }
}

fn arrowhead(tone: usize) -> Markup {
    html! {
        marker id=(format!("a{tone}")) class=(format!("s{tone}")) viewBox="0 0 8 8" refX="7.5" refY="4"
            markerWidth="7" markerHeight="7" orient="auto" { path d="M0 1 8 4 0 7z" {} }
    }
}

fn shade(layout: &Layout, columns: &Columns<'_>, trouble: &Trouble) -> Markup {
    let (from, to) = (layout.at(trouble.span_us.0), layout.at(trouble.span_us.1));
    html! {
        @for lane in &trouble.lanes {
            @let (left, right) = columns.span(*lane);
            rect.trouble x=(px(left)) width=(px(right - left)) y=(px(from)) height=(px((to - from).max(3.0))) {
                title {
                    (trouble.name) ", " (trouble.effect) ", " (seconds(trouble.span_us.0)) " to "
                    (seconds(trouble.span_us.1)) " s"
                }
            }
        }
    }
}

fn lasting(layout: &Layout, columns: &Columns<'_>, band: &Band) -> Markup {
    let (from, to) = (layout.at(band.span_us.0), layout.at(band.span_us.1));
    let x = columns.x(band.lane) - BAND;
    html! {
        rect class=(format!("band s{}", band.tone % TONES)) x=(px(x)) width=(px(2.0 * BAND))
            y=(px(from)) height=(px((to - from).max(2.0))) { title { (band.name) } }
    }
}

/// An arrow, whose head the style draws; its end at the person lies on the row of its entry.
fn flight(layout: &Layout, columns: &Columns<'_>, sequence: &Sequence, arrow: &Arrow) -> Markup {
    let place = sequence.entries.partition_point(|entry| entry.index < arrow.entry);
    let row = layout.row(place);
    let is_out = arrow.to.0 == sequence.server;
    let (from, to) = if is_out {
        (row, layout.at(arrow.to.1).max(row))
    } else {
        (layout.at(arrow.from.1).min(row), row)
    };
    let (from_x, to_x) = (columns.x(arrow.from.0), columns.x(arrow.to.0));
    // What is not known to have arrived ends half-way to the server's lifeline.
    let to_x = if arrow.is_lost { from_x + (to_x - from_x).signum() * CENTRE / 2.0 } else { to_x };
    let tone = arrow.tone.map_or(TONES, |tone| tone % TONES);
    let class = if arrow.is_lost { format!("lost s{tone}") } else { format!("s{tone}") };
    html! {
        line class=(class) x1=(px(from_x)) y1=(px(from)) x2=(px(to_x)) y2=(px(to)) {}
    }
}

/// An entry that is written, where, and whether its time is.
struct Row<'a> {
    entry: &'a Entry,
    y: f64,
    has_time: bool,
    is_evidence: bool,
}

fn rows<'a>(sequence: &'a Sequence, layout: &Layout) -> Vec<Row<'a>> {
    let mut rows: Vec<Row<'a>> = Vec::new();
    let (mut last_time, mut last_y) = (String::new(), f64::NEG_INFINITY);
    for (place, entry) in sequence.entries.iter().enumerate() {
        let is_evidence = sequence.is_evidence(entry);
        if entry.is_minor && !is_evidence {
            continue;
        }
        let y = layout.row(place);
        let time = seconds(entry.at_us);
        let has_time = time != last_time && y - last_y >= ROW;
        if has_time {
            (last_time, last_y) = (time, y);
        }
        rows.push(Row { entry, y, has_time, is_evidence });
    }
    rows
}

fn words(columns: &Columns<'_>, row: Row<'_>) -> Markup {
    let Row { entry, y, has_time, is_evidence } = row;
    let index = entry.index;
    let lane = entry.lane.filter(|_| entry.course != Course::Across);
    let (x, anchor) = lane.map_or((AXIS + 4.0, "start"), |lane| columns.words(lane));
    let class = match (is_evidence, lane) {
        (true, _) => "row evidence",
        (false, None) => "row across",
        (false, Some(_)) => "row",
    };
    let written = short(&entry.words, lane.is_some());
    html! {
        g class=(class) id=(format!("e{index}")) data-t=(entry.at_us) data-lane=[lane]
            transform=(format!("translate(0 {})", px(y))) {
            @if lane.is_none() { path.rule d=(format!("M{AXIS} 0H{}", columns.width())) {} }
            @if has_time { text.time x=(AXIS - 8.0) y="4" { (seconds(entry.at_us)) } }
            @if let Some(lane) = lane.filter(|_| is_evidence) {
                circle cx=(px(columns.x(lane))) cy="0" r="5.5" {}
            }
            a href=(format!("#t{index}")) {
                @if written != entry.words { title { (entry.words) } }
                text x=(px(x)) y="4" text-anchor=(anchor) { (written) }
            }
        }
    }
}

/// As many letters as fit beside a lifeline, or across the page.
fn short(words: &str, is_beside_a_lifeline: bool) -> String {
    const BESIDE_MAX: usize = 24;
    const ACROSS_MAX: usize = 90;
    let room = if is_beside_a_lifeline { BESIDE_MAX } else { ACROSS_MAX };
    if words.chars().count() <= room {
        return words.to_owned();
    }
    words.chars().take(room - 1).chain(['…']).collect()
}

/// A coordinate: a tenth of a pixel is fine enough, and short.
pub(super) fn px(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned)
}
