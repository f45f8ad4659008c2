//! The whole run as a strip: time from left to right at one scale, a line a person, what went
//! wrong shaded, what contradicts in red. A stretch of it can be chosen, where scripts run.

use maud::{Markup, html};

use super::picture::{TONES, px};
use super::{Course, Sequence, seconds};

const WIDTH: f64 = 1000.0;
const LANE: f64 = 12.0;
/// What stays free above the first lane.
const HEAD: f64 = 3.0;

/// The strip; each mark leads to its row.
pub(super) fn overview(sequence: &Sequence) -> Markup {
    let x = |at_us: u64| at_us as f64 / sequence.ended_us.max(1) as f64 * WIDTH;
    let height = HEAD + sequence.lanes.len() as f64 * LANE + 4.0;
    let lane_y = |lane: usize| HEAD + lane as f64 * LANE;
    let marked = sequence.entries.iter().filter(|entry| sequence.is_evidence(entry));
    let ticks = |lane: usize| -> String {
        let entries = sequence.entries.iter();
        let of_lane = entries.filter(|entry| entry.lane == Some(lane) && !entry.is_minor);
        let stays = of_lane.filter(|entry| entry.course != Course::Across);
        stays.map(|entry| format!("M{} {}v6", px(x(entry.at_us)), lane_y(lane) + 3.0)).collect()
    };
    html! {
        div.phases aria-hidden="true" {
            @for (begins_us, name) in named_phases(sequence) {
                span style=(format!("left:{:.1}%", x(*begins_us) / WIDTH * 100.0)) { (name) }
            }
        }
        svg #overview viewBox=(format!("0 0 {WIDTH} {height}")) preserveAspectRatio="none"
            role="group" aria-label="The whole run at one scale" data-end=(sequence.ended_us) {
            @for (begins_us, name) in &sequence.phases {
                path.phase d=(format!("M{} 0V{height}", px(x(*begins_us)))) { title { (name) } }
            }
            @for trouble in &sequence.troubles {
                @let (from, to) = (x(trouble.span_us.0), x(trouble.span_us.1));
                @for lane in &trouble.lanes {
                    rect.trouble x=(px(from)) width=(px((to - from).max(2.0))) y=(lane_y(*lane)) height=(LANE) {
                        title { (trouble.name) ", " (trouble.effect) ", " (seconds(trouble.span_us.0)) " s" }
                    }
                }
            }
            @for band in &sequence.bands {
                @let (from, to) = (x(band.span_us.0), x(band.span_us.1));
                rect class=(format!("band s{}", band.tone % TONES)) x=(px(from)) width=(px((to - from).max(1.0)))
                    y=(lane_y(band.lane) + 2.0) height=(LANE - 4.0) {}
            }
            @for lane in 0..sequence.lanes.len() { path.tick d=(ticks(lane)) {} }
            @for entry in marked {
                a href=(format!("#e{}", entry.index)) {
                    path.found d=(format!("M{} {HEAD}V{height}", px(x(entry.at_us)))) {}
                }
            }
            rect #window y="0" x="0" width="0" height=(height) {}
        }
    }
}

/// The phases that are long enough for their names to stand side by side.
fn named_phases(sequence: &Sequence) -> impl Iterator<Item = &(u64, String)> {
    /// The part of the strip that a name takes on a phone, as one of so many.
    const NAMES_MAX: u64 = 8;
    let phases = &sequence.phases;
    let ends_us = |place: usize| phases.get(place + 1).map_or(sequence.ended_us, |next| next.0);
    let is_long = move |place: usize, begins_us: u64| {
        (ends_us(place) - begins_us) * NAMES_MAX >= sequence.ended_us
    };
    let named = phases.iter().enumerate().filter(move |(place, phase)| is_long(*place, phase.0));
    named.map(|(_, phase)| phase)
}
