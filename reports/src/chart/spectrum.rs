//! Latency by percentile: what most messages see at the left, what the unlucky ones see at the
//! right. Both axes are logarithmic; a line ends where fewer than ten samples lie beyond it.

use maud::{Markup, html};

use super::axis::{Axis, Frame, Scale, Unit, spread_labels, text_width};
use super::mark::{Mark, Marks};
use super::{Size, image, points};
use crate::quantile::{Estimate, Quantile};
use crate::run::Series;

/// Steps of a line for each factor of ten in 1/(1-p).
const STEPS_PER_DECADE: i32 = 48;
/// Nothing is drawn beyond 99.99 %.
const ODDS_MAX: f64 = 10_000.0;
/// A line begins at the median.
const ODDS_MIN: f64 = 2.0;

/// One transport's line: places along the axis, `1/(1-p)`, and what was measured there.
type Line = Vec<(f64, Estimate)>;

/// The chart, or none where no transport has samples enough.
#[must_use]
pub fn spectrum(series: &[Series], marks: &Marks, size: Size) -> Option<Markup> {
    let lines: Vec<Line> = series.iter().map(line).collect();
    let frame = frame(series, &lines, size)?;
    let content = html! {
        (frame.draw())
        @for (series, line) in series.iter().zip(&lines) {
            @let mark = marks.get(&series.transport);
            g class=(mark.class()) { (draw_line(&frame, line, mark)) }
        }
        @if size == Size::Wide { (draw_names(&frame, series, marks, &lines)) }
    };
    let label = "Latency by percentile, one line a transport, both axes logarithmic; the same \
                 figures stand in the table below";
    Some(image(size, label, &content))
}

fn line(series: &Series) -> Line {
    let decades = (ODDS_MAX / ODDS_MIN).log10();
    let steps = (decades * f64::from(STEPS_PER_DECADE)).round() as i32;
    let odds = (0..=steps)
        .map(|step| ODDS_MIN * 10_f64.powf(decades * f64::from(step) / f64::from(steps)));
    let odds: Vec<f64> = odds.collect();
    let quantiles: Vec<Quantile> = odds.iter().map(|odds| quantile(*odds)).collect();
    let estimates = series.estimates(&quantiles);
    odds.into_iter().zip(estimates).map_while(|(odds, it)| Some((odds, it?))).collect()
}

fn quantile(odds: f64) -> Quantile {
    Quantile::per_million((1_000_000.0 * (1.0 - 1.0 / odds)).round() as u32)
}

fn frame(series: &[Series], lines: &[Line], size: Size) -> Option<Frame> {
    let furthest = lines.iter().flatten().map(|(odds, _)| *odds).reduce(f64::max)?;
    let values = lines.iter().flatten().flat_map(|(_, it)| [it.low as f64, it.high as f64]);
    let x = Axis {
        scale: Scale::Log,
        unit: Unit::Percentile,
        low: ODDS_MIN,
        high: furthest.max(10.0) * 1.04,
        title: "percentile",
        gap: None,
    };
    let y = Axis::broken_log(values, Unit::Micros, "latency from the intended time of sending");
    let names = series.iter().map(|series| text_width(&series.transport)).fold(0.0, f64::max);
    let right_margin = if size == Size::Wide { names + 14.0 } else { 22.0 };
    Some(Frame::new(size, x, y, right_margin))
}

fn draw_line(frame: &Frame, line: &Line, mark: Mark) -> Markup {
    let place = |odds: f64, value: u64| (frame.x_px(odds), frame.y_px(value as f64));
    let middle: Vec<_> = line.iter().map(|(odds, it)| place(*odds, it.value)).collect();
    let above = line.iter().map(|(odds, it)| place(*odds, it.high));
    let below = line.iter().rev().map(|(odds, it)| place(*odds, it.low));
    let band: Vec<_> = above.chain(below).collect();
    let reached = line.last().map_or(0.0, |(odds, _)| *odds);
    html! {
        polygon.band points=(points(&band)) {}
        polyline.curve points=(points(&middle)) stroke-dasharray=(mark.dash()) {}
        @for tick in frame.x_ticks().iter().filter(|tick| **tick <= reached * 1.000_001) {
            @if let Some((odds, it)) = line.iter().min_by(|left, right| {
                (left.0 - tick).abs().total_cmp(&(right.0 - tick).abs())
            }) {
                (mark.marker(place(*odds, it.value), 4.0))
            }
        }
    }
}

/// The name of each transport where its line ends.
fn draw_names(frame: &Frame, series: &[Series], marks: &Marks, lines: &[Line]) -> Markup {
    let (_, _, _, bottom) = frame.edges();
    let ends: Vec<(usize, f64, f64)> = lines
        .iter()
        .enumerate()
        .filter_map(|(index, line)| {
            let (odds, it) = line.last()?;
            Some((index, frame.x_px(*odds), frame.y_px(it.value as f64)))
        })
        .collect();
    let wanted: Vec<f64> = ends.iter().map(|(_, _, y)| y + 4.0).collect();
    let places = spread_labels(&wanted, bottom - 2.0);
    html! {
        @for ((index, x, _), y) in ends.iter().zip(places) {
            text class=(format!("name {}", marks.get(&series[*index].transport).class()))
                x=(super::px(x + 9.0)) y=(super::px(y)) { (series[*index].transport) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::HistogramDump;

    #[test]
    fn a_line_ends_where_fewer_than_ten_samples_lie_beyond() {
        let of = |count: u64| {
            let mut series = crate::sample::run(1, 1, 10).series.remove(0);
            series.latency_us = HistogramDump((1..=count).map(|value| (value, 1)).collect());
            line(&series)
        };
        let (odds, last) = *of(2_000).last().expect("a line");
        assert!((10..12).contains(&last.beyond) && odds < 201.0, "{odds} {last:?}");
        assert!(of(19).is_empty());
    }

    #[test]
    fn there_is_no_empty_chart() {
        assert!(
            spectrum(&crate::sample::run(2, 1, 10).series, &Marks::default(), Size::Wide).is_none()
        );
        assert!(spectrum(&[], &Marks::default(), Size::Narrow).is_none());
    }

    #[test]
    fn names_stand_at_the_lines_on_a_wide_screen_only() {
        let series = crate::sample::run(2, 5, 400).series;
        let wide =
            spectrum(&series, &Marks::default(), Size::Wide).expect("samples enough").into_string();
        let narrow = spectrum(&series, &Marks::default(), Size::Narrow)
            .expect("samples enough")
            .into_string();
        assert!(wide.contains(">long-poll</text>") && !narrow.contains(">long-poll</text>"));
    }
}
