//! Axes: from values to places, ticks at round values, and a frame with grid and labels.
//!
//! Knows nothing of transports. A label that would touch its neighbour is left out.

use maud::{Markup, html};

use super::gap::{Gap, round_down, round_up};
use super::{Size, px};
use crate::units;

/// The width of a letter at the size of a chart's labels, a little more than most need.
const LETTER_WIDTH: f64 = 6.6;
const LABEL_HEIGHT: f64 = 15.0;
const LABEL_GAP: f64 = 8.0;
/// What stands in the gap of a broken axis.
const BROKEN: &str = "axis broken: nothing lies here";

/// What an axis counts, which decides how its ticks read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Microseconds, shown as us, ms or s.
    Micros,
    /// Seconds since the window opened.
    Seconds,
    /// Something a second.
    PerSecond,
    /// 1/(1-p), shown as the percentage p.
    Percentile,
}

/// Even steps, or even factors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Even steps.
    Linear,
    /// Even factors; all values are above zero.
    Log,
}

/// One axis: a range of values, how it is divided and what it counts.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// How it is divided.
    pub scale: Scale,
    /// What it counts.
    pub unit: Unit,
    /// The value at its beginning.
    pub low: f64,
    /// The value at its end, above `low`.
    pub high: f64,
    /// What it says about itself.
    pub title: &'static str,
    /// Where it is broken, if it is; only a logarithmic one may be.
    pub gap: Option<Gap>,
}

impl Axis {
    /// From zero to a round value at or above the highest.
    #[must_use]
    pub fn linear(values: impl IntoIterator<Item = f64>, unit: Unit, title: &'static str) -> Self {
        let highest = values.into_iter().fold(0.0, f64::max);
        let highest = if highest > 0.0 { highest } else { 1.0 };
        let step = round_step(highest, 4);
        let high = (highest / step).ceil() * step;
        Self { scale: Scale::Linear, unit, low: 0.0, high, title, gap: None }
    }

    /// Between the round values (1, 2 or 5 and zeros) that enclose all values above zero.
    #[must_use]
    pub fn log(values: impl IntoIterator<Item = f64>, unit: Unit, title: &'static str) -> Self {
        let (lowest, highest) = values
            .into_iter()
            .filter(|value| *value > 0.0)
            .fold((f64::INFINITY, 0.0), |(low, high), value| (value.min(low), value.max(high)));
        let (lowest, highest) = if highest > 0.0 { (lowest, highest) } else { (1.0, 10.0) };
        let (low, high) = (round_down(lowest), round_up(highest));
        Self { scale: Scale::Log, unit, low, high, title, gap: None }
    }

    /// The same, broken where the values lie in two crowds far apart.
    #[must_use]
    pub fn broken_log(
        values: impl IntoIterator<Item = f64>,
        unit: Unit,
        title: &'static str,
    ) -> Self {
        let values: Vec<f64> = values.into_iter().collect();
        Self { gap: Gap::between(&values), ..Self::log(values, unit, title) }
    }

    /// Where a value lies, from 0 at the beginning to 1 at the end; what is beyond stays there.
    #[must_use]
    pub fn place(&self, value: f64) -> f64 {
        let place = match self.scale {
            Scale::Linear => (value - self.low) / (self.high - self.low),
            Scale::Log => self.place_of_log(value.max(self.low)),
        };
        place.clamp(0.0, 1.0)
    }

    fn place_of_log(&self, value: f64) -> f64 {
        let share = |low: f64, high: f64| (value / low).ln() / (high / low).ln();
        match self.gap {
            None => share(self.low, self.high),
            Some(gap) if value <= gap.low => gap.from * share(self.low, gap.low),
            Some(gap) if value < gap.high => {
                gap.from + (gap.to - gap.from) * share(gap.low, gap.high)
            }
            Some(gap) => gap.to + (1.0 - gap.to) * share(gap.high, self.high),
        }
    }

    /// Round values within the range, rising, at most `most` of them (two at the least).
    #[must_use]
    pub fn ticks(&self, most: usize) -> Vec<f64> {
        let most_of = |share: f64| ((most as f64 * share).round() as usize).max(2);
        match (self.unit, self.scale, self.gap) {
            (Unit::Percentile, ..) => percentile_ticks(self.low, self.high),
            (_, Scale::Linear, _) => linear_ticks(self.low, self.high, most),
            (_, Scale::Log, None) => log_ticks(self.low, self.high, most),
            (_, Scale::Log, Some(gap)) => {
                let below = log_ticks(self.low, gap.low, most_of(gap.from));
                let above = log_ticks(gap.high, self.high, most_of(1.0 - gap.to));
                [below, above].concat()
            }
        }
    }

    /// A tick as text.
    #[must_use]
    pub fn label(&self, value: f64) -> String {
        match self.unit {
            Unit::Micros => units::duration_us(value),
            Unit::Seconds => format!("{} s", units::number(value)),
            Unit::PerSecond => units::number(value),
            Unit::Percentile => {
                let percent = format!("{:.6}", 100.0 * (1.0 - 1.0 / value));
                format!("{}%", percent.trim_end_matches('0').trim_end_matches('.'))
            }
        }
    }
}

/// 1, 2 or 5 and zeros, so that `most` steps reach at least to `range`.
fn round_step(range: f64, most: usize) -> f64 {
    let least = range / most.max(1) as f64;
    let magnitude = 10_f64.powf(least.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().find(|step| step * magnitude >= least * 0.999);
    step.unwrap_or(10.0) * magnitude
}

fn linear_ticks(low: f64, high: f64, most: usize) -> Vec<f64> {
    let step = round_step(high - low, most.saturating_sub(1));
    let first = (low / step).ceil() as i64;
    let last = (high / step * 1.000_001).floor() as i64;
    (first..=last).map(|index| index as f64 * step).collect()
}

fn log_ticks(low: f64, high: f64, most: usize) -> Vec<f64> {
    let dense = log_steps(low, high, &[1.0, 2.0, 5.0]);
    if dense.len() <= most {
        return dense;
    }
    let decades = log_steps(low, high, &[1.0]);
    let stride = decades.len().div_ceil(most.max(1)).max(1);
    if decades.len() < 2 { dense } else { decades.into_iter().step_by(stride).collect() }
}

/// Every multiplier at every power of ten between two values.
pub(super) fn log_steps(low: f64, high: f64, multipliers: &[f64]) -> Vec<f64> {
    let powers = low.log10().floor() as i32..=high.log10().ceil() as i32;
    powers
        .flat_map(|power| multipliers.iter().map(move |multiplier| multiplier * 10_f64.powi(power)))
        .filter(|value| (low * 0.999..=high * 1.001).contains(value))
        .collect()
}

/// 50 %, 90 %, 99 % and so on.
fn percentile_ticks(low: f64, high: f64) -> Vec<f64> {
    [2.0].into_iter().chain(log_steps(10.0, high, &[1.0])).filter(|tick| *tick >= low).collect()
}

/// The rectangle that is plotted in, with an axis along its foot and one along its left side.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Left to right.
    pub x: Axis,
    /// Bottom to top.
    pub y: Axis,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    x_ticks: Vec<f64>,
    y_ticks: Vec<f64>,
}

impl Frame {
    /// A frame in a drawing of that size that leaves `right_margin` free.
    #[must_use]
    pub fn new(size: Size, x: Axis, y: Axis, right_margin: f64) -> Self {
        let (width, height) = size.dimensions();
        let (x_most, y_most) = match size {
            Size::Wide => (9, 8),
            Size::Narrow => (5, 7),
            Size::Panel => (5, 4),
        };
        let (x_ticks, y_ticks) = (x.ticks(x_most), y.ticks(y_most));
        let widest = y_ticks.iter().map(|tick| text_width(&y.label(*tick))).fold(0.0, f64::max);
        // Panels above one another share their left edge, so that their seconds line up.
        let least = if size == Size::Panel { text_width("100 ms") } else { 0.0 };
        Self {
            left: widest.max(least) + 10.0,
            right: width - right_margin,
            top: LABEL_HEIGHT + 12.0,
            bottom: height - if x.title.is_empty() { 24.0 } else { 44.0 },
            x,
            y,
            x_ticks,
            y_ticks,
        }
    }

    /// Where a value of the x axis lies in the drawing.
    #[must_use]
    pub fn x_px(&self, value: f64) -> f64 {
        self.left + self.x.place(value) * (self.right - self.left)
    }

    /// Where a value of the y axis lies in the drawing.
    #[must_use]
    pub fn y_px(&self, value: f64) -> f64 {
        self.bottom - self.y.place(value) * (self.bottom - self.top)
    }

    /// The left, top, right and bottom of the plot in the drawing.
    #[must_use]
    pub fn edges(&self) -> (f64, f64, f64, f64) {
        (self.left, self.top, self.right, self.bottom)
    }

    /// The ticks of the x axis.
    #[must_use]
    pub fn x_ticks(&self) -> &[f64] {
        &self.x_ticks
    }

    /// Grid, tick labels and titles; drawn before the data.
    #[must_use]
    pub fn draw(&self) -> Markup {
        html! {
            (self.draw_gaps())
            (self.draw_x())
            (self.draw_y())
            text.title x="0" y=(px(LABEL_HEIGHT - 3.0)) { (self.y.title) }
            @if !self.x.title.is_empty() {
                text.title x=(px(f64::midpoint(self.left, self.right))) y=(px(self.bottom + 38.0))
                    text-anchor="middle" { (self.x.title) }
            }
        }
    }

    /// A band across the plot where an axis is broken, which says so.
    fn draw_gaps(&self) -> Markup {
        let (width, height) = (self.right - self.left, self.bottom - self.top);
        html! {
            @if let Some(gap) = self.y.gap {
                @let (top, tall) = (self.bottom - gap.to * height, (gap.to - gap.from) * height);
                rect.gap x=(px(self.left)) y=(px(top)) width=(px(width)) height=(px(tall)) {}
                text.hint x=(px(self.left + width / 2.0)) y=(px(top + tall / 2.0 + 4.0))
                    text-anchor="middle" { (BROKEN) }
            }
            @if let Some(gap) = self.x.gap {
                @let (left, wide) = (self.left + gap.from * width, (gap.to - gap.from) * width);
                @let (x, y) = (px(left + wide / 2.0 + 4.0), px(self.top + height / 2.0));
                rect.gap x=(px(left)) y=(px(self.top)) width=(px(wide)) height=(px(height)) {}
                text.hint x=(x) y=(y) text-anchor="middle" transform=(format!("rotate(-90 {x} {y})")) {
                    (BROKEN)
                }
            }
        }
    }

    fn draw_x(&self) -> Markup {
        html! {
            g.grid {
                @for tick in &self.x_ticks {
                    @let x = px(self.x_px(*tick));
                    line x1=(x) x2=(x) y1=(px(self.top)) y2=(px(self.bottom)) {}
                }
            }
            g.tick text-anchor="middle" {
                @for (x, label) in self.x_labels() {
                    text x=(px(x)) y=(px(self.bottom + 17.0)) { (label) }
                }
            }
        }
    }

    fn draw_y(&self) -> Markup {
        html! {
            g.grid {
                @for tick in &self.y_ticks {
                    @let y = px(self.y_px(*tick));
                    line x1=(px(self.left)) x2=(px(self.right)) y1=(y) y2=(y) {}
                }
            }
            g.tick text-anchor="end" {
                @for tick in &self.y_ticks {
                    text x=(px(self.left - 6.0)) y=(px(self.y_px(*tick) + 4.0)) {
                        (self.y.label(*tick))
                    }
                }
            }
        }
    }

    /// The labels of the x axis that do not touch the one before.
    fn x_labels(&self) -> Vec<(f64, String)> {
        let mut free_from = f64::NEG_INFINITY;
        let mut labels = Vec::new();
        for tick in &self.x_ticks {
            let (middle, label) = (self.x_px(*tick), self.x.label(*tick));
            let half = text_width(&label) / 2.0;
            if middle - half >= free_from {
                free_from = middle + half + LABEL_GAP;
                labels.push((middle, label));
            }
        }
        labels
    }
}

/// About how wide a label is in a drawing.
#[must_use]
pub fn text_width(label: &str) -> f64 {
    label.chars().count() as f64 * LETTER_WIDTH
}

/// Moves places apart, as little as it can, until each is a label's height from the next, and
/// keeps them above `lowest_px`. The order of the answer is that of `wanted_px`.
#[must_use]
pub fn spread_labels(wanted_px: &[f64], lowest_px: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wanted_px.len()).collect();
    order.sort_by(|&left, &right| wanted_px[left].total_cmp(&wanted_px[right]));
    let mut places = wanted_px.to_vec();
    let mut free_from = f64::NEG_INFINITY;
    for &index in &order {
        places[index] = places[index].max(free_from);
        free_from = places[index] + LABEL_HEIGHT;
    }
    let mut free_to = lowest_px;
    for &index in order.iter().rev() {
        places[index] = places[index].min(free_to);
        free_to = places[index] - LABEL_HEIGHT;
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis, most: usize) -> Vec<String> {
        axis.ticks(most).into_iter().map(|tick| axis.label(tick)).collect()
    }

    #[test]
    fn logarithmic_ticks_are_round_and_few() {
        let narrow = Axis::log([830.0, 4_100.0], Unit::Micros, "");
        assert_eq!(labels(&narrow, 8), ["500 µs", "1 ms", "2 ms", "5 ms"]);
        let wide = Axis::log([3.0, 41_000_000.0], Unit::Micros, "");
        assert_eq!(labels(&wide, 8), ["10 µs", "100 µs", "1 ms", "10 ms", "100 ms", "1 s", "10 s"]);
        assert!(labels(&wide, 4).len() <= 4);
    }

    #[test]
    fn linear_ticks_begin_at_zero_and_reach_beyond_the_highest() {
        let axis = Axis::linear([37.0, 612.0], Unit::PerSecond, "");
        assert_eq!(labels(&axis, 5), ["0", "200", "400", "600", "800"]);
        assert_eq!(labels(&Axis::linear([], Unit::Seconds, ""), 3), ["0 s", "0.5 s", "1 s"]);
    }

    #[test]
    fn percentiles_read_as_per_cent() {
        let axis = Axis { high: 1e4, ..Axis::log([2.5], Unit::Percentile, "") };
        assert_eq!(labels(&axis, 9), ["50%", "90%", "99%", "99.9%", "99.99%"]);
        assert!(axis.place(2.0).abs() < 1e-9 && (axis.place(1e4) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn broken_axis_keeps_the_order_and_has_ticks_on_both_sides_of_its_gap() {
        let values = [180.0, 240.0, 319.0, 511_000.0];
        let axis = Axis::broken_log(values, Unit::Micros, "");
        let places = values.map(|value| axis.place(value));
        assert!(places.is_sorted() && places[2] - places[0] > 0.2, "{places:?}");
        assert_eq!(labels(&axis, 8), ["100 µs", "200 µs", "500 µs", "500 ms", "1 s"]);
        let line: Vec<f64> = (0..24).map(|step| axis.place(100.0 * 1.5_f64.powi(step))).collect();
        assert!(line.is_sorted(), "{line:?}");
        assert_eq!(Axis::broken_log([3.0], Unit::Micros, ""), Axis::log([3.0], Unit::Micros, ""));
    }

    #[test]
    fn one_value_and_no_value_still_make_an_axis() {
        for values in [vec![700.0], vec![]] {
            let axis = Axis::log(values, Unit::Micros, "");
            assert!(axis.low < axis.high && axis.ticks(8).len() >= 2, "{axis:?}");
        }
    }

    #[test]
    fn labels_never_touch() {
        let places = spread_labels(&[100.0, 101.0, 99.0, 300.0, 310.0], 310.0);
        let mut sorted = places.clone();
        sorted.sort_by(f64::total_cmp);
        assert!(
            sorted.windows(2).all(|pair| pair[1] - pair[0] >= LABEL_HEIGHT - 1e-9),
            "{places:?}"
        );
        assert!(places[2] < places[0] && places[0] < places[1] && places[4] <= 310.0);
    }
}
