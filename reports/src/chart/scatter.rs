//! The verdict as a picture: how fast each transport delivers against what it costs the server.
//! The nearer to the lower left corner, the better on both counts.

use maud::{Markup, html};

use super::axis::{Axis, Frame, Unit, text_width};
use super::mark::Marks;
use super::{Size, image, px};
use crate::summary::Summary;

const DOT_RADIUS: f64 = 7.0;
const LETTER_HEIGHT: f64 = 12.0;
/// Costs further apart than this factor need a logarithmic axis to be told apart.
const LINEAR_FACTOR_MAX: f64 = 8.0;

/// A transport that has both figures.
struct Dot<'a> {
    row: &'a Summary,
    median_us: f64,
    cpu_us: f64,
}

/// The chart, or none where no transport has both a median and a cost.
#[must_use]
pub fn scatter(rows: &[Summary], marks: &Marks, size: Size) -> Option<Markup> {
    let dots: Vec<Dot> = rows.iter().filter_map(dot).collect();
    if dots.is_empty() {
        return None;
    }
    let x = Axis::broken_log(dots.iter().map(|dot| dot.median_us), Unit::Micros, "median latency");
    let frame = Frame::new(size, x, cost_axis(&dots), 24.0);
    let (_, _, _, bottom) = frame.edges();
    let content = html! {
        (frame.draw())
        text.hint x="0" y=(px(bottom + 38.0)) { "↙ faster and cheaper" }
        @for dot in &dots { (draw_dot(&frame, dot, marks)) }
        @for (dot, label) in dots.iter().zip(labels(&frame, &dots)) {
            text class=(format!("name {}", marks.get(&dot.row.transport).class()))
                x=(px(label.left)) y=(px(label.bottom - 2.0)) { (dot.row.transport) }
        }
    };
    let label = "Median latency against processor time of the server for each message, one dot a \
                 transport; the same figures stand in the comparison table";
    Some(image(size, label, &content))
}

/// Transports without both figures, which the picture cannot show.
#[must_use]
pub fn left_out(rows: &[Summary]) -> Vec<&str> {
    let without = |row: &&Summary| dot(row).is_none();
    rows.iter().filter(without).map(|row| row.transport.as_str()).collect()
}

fn dot(row: &Summary) -> Option<Dot<'_>> {
    let median_us = row.latency_us.p50? as f64;
    Some(Dot { row, median_us, cpu_us: row.server_cpu_us_per_message? })
}

fn cost_axis(dots: &[Dot]) -> Axis {
    let title = "server CPU per message";
    let costs = || dots.iter().map(|dot| dot.cpu_us);
    let (lowest, highest) = (costs().fold(f64::INFINITY, f64::min), costs().fold(0.0, f64::max));
    if lowest > 0.0 && highest / lowest > LINEAR_FACTOR_MAX {
        Axis::broken_log(costs(), Unit::Micros, title)
    } else {
        Axis::linear(costs(), Unit::Micros, title)
    }
}

fn draw_dot(frame: &Frame, dot: &Dot, marks: &Marks) -> Markup {
    let mark = marks.get(&dot.row.transport);
    let trusted = dot.row.valid && dot.row.accounted;
    let class = if trusted { mark.class() } else { format!("{} hollow", mark.class()) };
    html! {
        g class=(class) {
            (mark.marker((frame.x_px(dot.median_us), frame.y_px(dot.cpu_us)), DOT_RADIUS))
        }
    }
}

/// A rectangle that something already stands in.
#[derive(Debug, Clone, Copy)]
struct Rectangle {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

impl Rectangle {
    fn around(x: f64, y: f64) -> Self {
        let reach = DOT_RADIUS + 2.0;
        Self { left: x - reach, top: y - reach, right: x + reach, bottom: y + reach }
    }

    fn touches(&self, other: &Self) -> bool {
        self.left < other.right
            && other.left < self.right
            && self.top < other.bottom
            && other.top < self.bottom
    }

    fn is_within(&self, outer: &Self) -> bool {
        self.left >= outer.left
            && self.right <= outer.right
            && self.top >= outer.top
            && self.bottom <= outer.bottom
    }
}

/// A place for each name beside, above or below its dot, where it touches no dot and no name.
fn labels(frame: &Frame, dots: &[Dot]) -> Vec<Rectangle> {
    let (left, top, right, bottom) = frame.edges();
    let plot = Rectangle { left, top: top - LETTER_HEIGHT, right: right + 20.0, bottom };
    let centres = dots.iter().map(|dot| (frame.x_px(dot.median_us), frame.y_px(dot.cpu_us)));
    let mut taken: Vec<Rectangle> = centres.clone().map(|(x, y)| Rectangle::around(x, y)).collect();
    let mut labels = Vec::new();
    for (dot, (x, y)) in dots.iter().zip(centres) {
        let places = places(x, y, text_width(&dot.row.transport));
        let fits = |place: &Rectangle| {
            place.is_within(&plot) && !taken.iter().any(|other| other.touches(place))
        };
        let label = places.iter().copied().find(fits).unwrap_or(places[0]);
        taken.push(label);
        labels.push(label);
    }
    labels
}

/// Where a name may stand, the best first: right, left, above, below, then further off.
fn places(x: f64, y: f64, width: f64) -> Vec<Rectangle> {
    let at = |left: f64, middle: f64| Rectangle {
        left,
        top: middle - LETTER_HEIGHT / 2.0,
        right: left + width,
        bottom: middle + LETTER_HEIGHT / 2.0,
    };
    let beside = DOT_RADIUS + 5.0;
    let mut places = vec![at(x + beside, y), at(x - beside - width, y)];
    for distance in [18.0, 32.0, 46.0] {
        for middle in [y - distance, y + distance] {
            places.extend([
                at(x - width / 2.0, middle),
                at(x - 4.0, middle),
                at(x + 4.0 - width, middle),
            ]);
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::summaries;

    #[test]
    fn no_name_stands_on_another_name_or_on_a_dot() {
        let rows = summaries(&crate::sample::run(6, 5, 400));
        for size in [Size::Wide, Size::Narrow] {
            let dots: Vec<Dot> = rows.iter().filter_map(dot).collect();
            let x = Axis::broken_log(dots.iter().map(|dot| dot.median_us), Unit::Micros, "");
            let frame = Frame::new(size, x, cost_axis(&dots), 24.0);
            let labels = labels(&frame, &dots);
            for (index, label) in labels.iter().enumerate() {
                assert!(!labels[index + 1..].iter().any(|other| other.touches(label)), "{size:?}");
                assert!(!dots.iter().any(|dot| {
                    Rectangle::around(frame.x_px(dot.median_us), frame.y_px(dot.cpu_us))
                        .touches(label)
                }));
            }
        }
    }

    #[test]
    fn a_transport_that_cannot_be_trusted_is_hollow() {
        let mut run = crate::sample::run(2, 5, 400);
        run.series[1].messages.lost = 1;
        let drawn = scatter(&summaries(&run), &Marks::default(), Size::Wide)
            .expect("two dots")
            .into_string();
        assert!(drawn.contains("s1 hollow") && !drawn.contains("s3 hollow"));
    }

    #[test]
    fn without_a_cost_there_is_no_dot_and_without_dots_no_chart() {
        let mut run = crate::sample::run(1, 5, 400);
        run.series[0].server = None;
        let rows = summaries(&run);
        assert!(scatter(&rows, &Marks::default(), Size::Wide).is_none());
        assert_eq!(left_out(&rows), ["websocket"]);
    }
}
