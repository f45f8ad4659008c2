//! Latency against load: where each transport's line bends up is the most that it carries.
//! Both axes are logarithmic; p99 is drawn with its markers, the median thin below it.

use maud::{Markup, html};

use super::axis::{Axis, Frame, Unit};
use super::mark::{Mark, Marks};
use super::{Size, image, points, px};
use crate::knee::{Knee, Load, Outcome, Probe};

const DOT_RADIUS: f64 = 4.5;

/// The chart, or none where no probe has a p99.
#[must_use]
pub fn knee(knees: &[Knee], marks: &Marks, size: Size) -> Option<Markup> {
    let first = knees.first()?;
    let probes: Vec<&Probe> = knees.iter().flat_map(|knee| &knee.probes).collect();
    probes.iter().find_map(|probe| probe.p99_us)?;
    let title = match first.load {
        Load::Rate => "messages offered per second",
        Load::People => "users",
    };
    let x = Axis::log(probes.iter().map(|probe| probe.load), Unit::PerSecond, title);
    let latencies = probes.iter().flat_map(|probe| [probe.p50_us, probe.p99_us]).flatten();
    let bounds = knees.iter().map(|knee| knee.p99_us_max);
    let values = latencies.chain(bounds).map(|us| us as f64);
    let y = Axis::broken_log(values, Unit::Micros, "latency from the intended time of sending");
    let frame = Frame::new(size, x, y, 24.0);
    let content = html! {
        (frame.draw())
        (draw_bound(&frame, first.p99_us_max))
        @for knee in knees { (draw_knee(&frame, knee, marks.get(&knee.transport))) }
    };
    let label = "Latency against load, one line a transport, both axes logarithmic; the same \
                 figures stand in the table below";
    Some(image(size, label, &content))
}

fn draw_bound(frame: &Frame, p99_us_max: u64) -> Markup {
    let (left, _, right, _) = frame.edges();
    let y = frame.y_px(p99_us_max as f64);
    html! {
        line.bound x1=(px(left)) x2=(px(right)) y1=(px(y)) y2=(px(y)) {}
        // Lines run high on the right.
        text.hint x=(px(left + 6.0)) y=(px(y - 5.0)) { "the bound of p99" }
    }
}

fn draw_knee(frame: &Frame, knee: &Knee, mark: Mark) -> Markup {
    let probes = knee.by_load();
    // What was measured again counts as it was the last time.
    let is_last = |nth: usize| probes.get(nth + 1).is_none_or(|next| next.load != probes[nth].load);
    let line = |of: fn(&Probe) -> Option<u64>| -> Vec<(f64, f64)> {
        let lasts = (0..probes.len()).filter(|nth| is_last(*nth)).map(|nth| probes[nth]);
        let known = lasts.filter_map(|probe| Some((probe.load, of(probe)?)));
        known.map(|(load, us)| (frame.x_px(load), frame.y_px(us as f64))).collect()
    };
    html! {
        g class=(mark.class()) {
            polyline class="curve thin" points=(points(&line(|probe| probe.p50_us))) {}
            polyline.curve points=(points(&line(|probe| probe.p99_us))) stroke-dasharray=(mark.dash()) {}
            @for probe in &probes {
                @if let Some(p99_us) = probe.p99_us {
                    @let place = (frame.x_px(probe.load), frame.y_px(p99_us as f64));
                    @if probe.outcome == Outcome::Held {
                        (mark.marker(place, DOT_RADIUS))
                    } @else {
                        g.hollow { (mark.marker(place, DOT_RADIUS)) }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::knees;

    #[test]
    fn each_transport_has_a_line_and_what_did_not_hold_is_hollow() {
        let knees = knees();
        let svg =
            knee(&knees, &Marks::default(), Size::Wide).expect("probes with a p99").into_string();
        assert_eq!(svg.matches("stroke-dasharray").count(), knees.len());
        let probes = knees.iter().flat_map(|knee| &knee.probes);
        let not_held = probes.filter(|it| it.p99_us.is_some() && it.outcome != Outcome::Held);
        assert_eq!(svg.matches("class=\"hollow\"").count(), not_held.count());
    }

    #[test]
    fn a_load_that_was_measured_again_is_two_marks_and_one_place_of_the_line() {
        let mut knees = knees();
        knees.truncate(1);
        let before =
            knee(&knees, &Marks::default(), Size::Wide).expect("probes with a p99").into_string();
        let again = knees[0].probes[0].clone();
        knees[0].probes.push(again);
        let after =
            knee(&knees, &Marks::default(), Size::Wide).expect("probes with a p99").into_string();
        let line = |svg: &str| {
            let curve = svg.split("<polyline class=\"curve\" points=\"").nth(1).expect("p99");
            curve.split('"').next().expect("it ends").to_owned()
        };
        assert_eq!(line(&before), line(&after));
        assert_eq!(
            after.matches("class=\"dot\"").count(),
            before.matches("class=\"dot\"").count() + 1
        );
    }

    #[test]
    fn there_is_no_empty_chart() {
        assert!(knee(&[], &Marks::default(), Size::Wide).is_none());
        let mut knees = knees();
        knees.iter_mut().flat_map(|knee| &mut knee.probes).for_each(|probe| probe.p99_us = None);
        assert!(knee(&knees, &Marks::default(), Size::Narrow).is_none());
    }
}
