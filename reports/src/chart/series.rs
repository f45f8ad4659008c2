//! A window second by second: latency, and messages sent and received. One small panel a
//! transport, because twelve lines in one chart cannot be read.
//!
//! Panels share their scales, so that they can be compared at sight, but for those whose figures are
//! of another order: on a scale up to a second, nothing is to be seen of latencies of a millisecond.

use maud::{Markup, html};

use super::axis::{Axis, Frame, Unit};
use super::heat::heat;
use super::mark::Mark;
use super::{Size, image, points};
use crate::quantile::Quantile;
use crate::run::{Interval, Series};
use crate::summary::Percentiles;

/// Figures further apart than this factor are drawn on different scales.
const ALIKE_FACTOR: f64 = 8.0;

/// The scales of all panels of a page.
#[derive(Debug, Clone)]
pub struct Panels {
    seconds: Axis,
    rate: Axis,
    /// One for each transport.
    latency: Vec<Axis>,
    /// One for each transport; none where nothing was read.
    cores: Vec<Option<Axis>>,
    upper: Upper,
}

/// Which line is drawn above the median.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upper {
    /// p99: most seconds have the thousand messages that it takes.
    P99,
    /// The slowest message of the second: there are too few for p99.
    Max,
}

impl Upper {
    /// As a reader sees it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::P99 => "p99",
            Self::Max => "maximum",
        }
    }

    fn of(self, percentiles: &Percentiles) -> Option<u64> {
        match self {
            Self::P99 => percentiles.p99,
            Self::Max => percentiles.max,
        }
    }
}

impl Panels {
    /// Scales that fit all transports; none where no second of any has a message.
    #[must_use]
    pub fn for_all(series: &[Series]) -> Option<Self> {
        let intervals: Vec<&Interval> = series.iter().flat_map(|it| &it.intervals).collect();
        let busy: Vec<Percentiles> = intervals
            .iter()
            .map(|interval| Percentiles::from(interval.latencies()))
            .filter(|percentiles| percentiles.samples > 0)
            .collect();
        let last = intervals.iter().map(|interval| interval.second).max()?;
        if busy.is_empty() {
            return None;
        }
        let with_p99 = busy.iter().filter(|percentiles| percentiles.p99.is_some()).count();
        let upper = if 2 * with_p99 >= busy.len() { Upper::P99 } else { Upper::Max };
        let rates = intervals.iter().flat_map(|it| [it.sent as f64, it.received as f64]);
        let mut seconds = Axis::linear([last as f64], Unit::Seconds, "");
        seconds.high = (last as f64).max(1.0);
        Some(Self {
            seconds,
            rate: Axis::linear(rates, Unit::PerSecond, "messages a second"),
            latency: latency_axes(series),
            cores: cores_axes(series),
            upper,
        })
    }

    /// The transports by the scale of their latencies, in their order; one group where all have the
    /// same.
    #[must_use]
    pub fn groups<'a>(&self, series: &'a [Series]) -> Vec<Vec<&'a str>> {
        let mut groups: Vec<(&Axis, Vec<&str>)> = Vec::new();
        for (axis, one) in self.latency.iter().zip(series) {
            match groups.iter_mut().find(|(known, _)| *known == axis) {
                Some((_, names)) => names.push(&one.transport),
                None => groups.push((axis, vec![&one.transport])),
            }
        }
        groups.into_iter().map(|(_, names)| names).collect()
    }

    /// Which line stands above the median.
    #[must_use]
    pub fn upper(&self) -> Upper {
        self.upper
    }

    /// Latency over time of the n-th transport, every message behind the lines: the median unbroken,
    /// the upper line thin and dashed, the send lag dotted.
    #[must_use]
    pub fn latency(&self, nth: usize, series: &Series, mark: Mark) -> Markup {
        let frame = Frame::new(Size::Panel, self.seconds.clone(), self.latency[nth].clone(), 16.0);
        let percentiles: Vec<(u64, Percentiles)> = series
            .intervals
            .iter()
            .map(|interval| (interval.second, Percentiles::from(interval.latencies())))
            .collect();
        let medians = percentiles.iter().map(|(second, it)| (*second, float(it.p50)));
        let uppers = percentiles.iter().map(|(second, it)| (*second, float(self.upper.of(it))));
        let lags = series.intervals.iter().map(|it| (it.second, float(it.send_lag_us_p99)));
        let content = html! {
            (frame.draw())
            (rounds(&frame, series))
            g class=(mark.class()) {
                (heat(&frame, &series.intervals))
                (draw(&frame, uppers, "curve thin"))
                (draw(&frame, medians, "curve"))
            }
            (draw(&frame, lags, "lag"))
            (missing(&frame, &series.intervals))
        };
        let label = format!(
            "Latency of {} over time: median and {}; the same figures stand in the table \
             below",
            series.transport,
            self.upper.name(),
        );
        image(Size::Panel, &label, &content)
    }

    /// Messages over time: received unbroken, sent thin and dashed.
    #[must_use]
    pub fn rate(&self, series: &Series, mark: Mark) -> Markup {
        let frame = Frame::new(Size::Panel, self.seconds.clone(), self.rate.clone(), 16.0);
        let sent = series.intervals.iter().map(|it| (it.second, float(Some(it.sent))));
        let received = series.intervals.iter().map(|it| (it.second, float(Some(it.received))));
        let content = html! {
            (frame.draw())
            (rounds(&frame, series))
            g class=(mark.class()) {
                (draw(&frame, sent, "curve thin"))
                (draw(&frame, received, "curve"))
            }
        };
        let label = format!(
            "Messages of {} over time: sent and received; the same figures stand in the \
             table below",
            series.transport,
        );
        image(Size::Panel, &label, &content)
    }

    /// Processors over time of the n-th transport: the server's unbroken, the generator's thin and dashed; nothing where
    /// they were not read.
    #[must_use]
    pub fn cores(&self, nth: usize, series: &Series, mark: Mark) -> Option<Markup> {
        let axis = self.cores[nth].clone()?;
        let frame = Frame::new(Size::Panel, self.seconds.clone(), axis, 16.0);
        let line = |place: usize| {
            let of = move |it: &Interval| (it.second, cores(it)[place]);
            series.intervals.iter().map(of)
        };
        let content = html! {
            (frame.draw())
            (rounds(&frame, series))
            g class=(mark.class()) {
                (draw(&frame, line(1), "curve thin"))
                (draw(&frame, line(0), "curve"))
            }
        };
        let label = format!(
            "Cores that server and generator used for {} over time; the same figures stand \
             in the table below",
            series.transport,
        );
        Some(image(Size::Panel, &label, &content))
    }
}

/// A mark at the top of each second of which messages never arrived: the lines and the heat know
/// nothing of those.
fn missing(frame: &Frame, intervals: &[Interval]) -> Markup {
    let (_, top, ..) = frame.edges();
    let lacking = intervals.iter().filter(|it| !it.missing_us.is_empty());
    let at = |it: &Interval| {
        let x = frame.x_px(it.second as f64);
        format!("M{},{}l-3,-6h6z", super::px(x), super::px(top + 6.0))
    };
    let path: String = lacking.map(at).collect();
    html! { @if !path.is_empty() { path.missing d=(path) {} } }
}

/// A line where each round but the first begins.
fn rounds(frame: &Frame, series: &Series) -> Markup {
    let (_, top, _, bottom) = frame.edges();
    html! {
        @for start in series.round_starts.iter().skip(1) {
            @let x = super::px(frame.x_px(*start as f64 - 0.5));
            line.round x1=(x) x2=(x) y1=(super::px(top)) y2=(super::px(bottom)) {}
        }
    }
}

/// The scale of the latencies of each transport.
fn latency_axes(series: &[Series]) -> Vec<Axis> {
    let medians: Vec<Option<u64>> =
        series.iter().map(|it| it.latency_us.value_at(Quantile::P50)).collect();
    let orders = orders(&medians.iter().map(|it| float(*it)).collect::<Vec<_>>());
    let values = |one: &Series| -> Vec<f64> {
        let lines = one.intervals.iter().flat_map(|interval| {
            let it = Percentiles::from(interval.latencies());
            let lowest = interval.latency_us.0.first().map(|(us, _)| *us);
            [it.p50, it.max, lowest, interval.send_lag_us_p99]
        });
        lines.flatten().map(|us| us as f64).collect()
    };
    shared(series, &orders, values, |all| Axis::log(all, Unit::Micros, "latency"))
}

/// The scale of the cores that server and generator of each transport used, where that was read.
fn cores_axes(series: &[Series]) -> Vec<Option<Axis>> {
    let values =
        |one: &Series| -> Vec<f64> { one.intervals.iter().flat_map(cores).flatten().collect() };
    let most = |one: &Series| values(one).into_iter().reduce(f64::max);
    let orders = orders(&series.iter().map(most).collect::<Vec<_>>());
    shared(series, &orders, values, |all| {
        (!all.is_empty()).then(|| Axis::linear(all, Unit::PerSecond, "cores used"))
    })
}

/// Which values are of one order: neighbours within a factor, however far the ends are apart. What has
/// no value is of the lowest.
fn orders(values: &[Option<f64>]) -> Vec<usize> {
    let mut sorted: Vec<f64> = values.iter().flatten().copied().collect();
    sorted.sort_by(f64::total_cmp);
    let steps = sorted.windows(2).filter(|two| two[1] > ALIKE_FACTOR * two[0]);
    let ends: Vec<f64> = steps.map(|two| two[0]).collect();
    let order = |value: f64| ends.iter().filter(|end| value > **end).count();
    values.iter().map(|value| value.map_or(0, order)).collect()
}

/// One axis for each transport, of the values of all transports of its order.
fn shared<A>(
    series: &[Series],
    orders: &[usize],
    values: impl Fn(&Series) -> Vec<f64>,
    axis: impl Fn(Vec<f64>) -> A,
) -> Vec<A> {
    let of_order = |order: usize| {
        let same = series.iter().zip(orders).filter(|(_, other)| **other == order);
        same.flat_map(|(one, _)| values(one)).collect()
    };
    orders.iter().map(|order| axis(of_order(*order))).collect()
}

/// Cores that server and generator used in a second.
fn cores(interval: &Interval) -> [Option<f64>; 2] {
    let used = interval.used.as_ref();
    let cpu_us = [used.and_then(|it| it.server_cpu_us), used.map(|it| it.generator_cpu_us)];
    cpu_us.map(|it| it.map(|us| us as f64 / 1e6))
}

fn float(value: Option<u64>) -> Option<f64> {
    value.map(|value| value as f64)
}

/// One line for each stretch of seconds that have a value; a lone second is a dot.
fn draw(
    frame: &Frame,
    values: impl Iterator<Item = (u64, Option<f64>)>,
    class: &'static str,
) -> Markup {
    let mut stretches: Vec<Vec<(f64, f64)>> = vec![Vec::new()];
    for (second, value) in values {
        let stretch = stretches.last_mut().expect("there is always a last one");
        match value {
            Some(value) => {
                stretch.push((frame.x_px(second as f64), frame.y_px(value)));
            }
            None => stretches.push(Vec::new()),
        }
    }
    html! {
        @for stretch in &stretches {
            @match stretch.as_slice() {
                [] => {},
                [(x, y)] => circle.dot cx=(super::px(*x)) cy=(super::px(*y)) r="2" {},
                _ => polyline class=(class) points=(points(stretch)) {},
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::mark::Marks;

    #[test]
    fn seconds_with_too_few_messages_for_p99_show_their_maximum() {
        let upper =
            |rate| Panels::for_all(&crate::sample::run(1, 3, rate).series).map(|it| it.upper());
        assert_eq!(upper(1200), Some(Upper::P99));
        assert_eq!(upper(200), Some(Upper::Max));
    }

    #[test]
    fn a_second_without_a_median_breaks_the_line() {
        let mut series = crate::sample::run(1, 5, 200).series;
        series[0].intervals[2].latency_us = crate::HistogramDump::default();
        let panels = Panels::for_all(&series).expect("four busy seconds");
        let drawn = panels.latency(0, &series[0], Marks::default().get("websocket")).into_string();
        assert_eq!(drawn.matches("<polyline").count(), 4 + 1, "the send lag is not broken");
    }

    #[test]
    fn latencies_of_another_order_have_a_scale_of_their_own() {
        let series = crate::sample::run(6, 5, 400).series;
        let panels = Panels::for_all(&series).expect("busy seconds");
        let others = ["websocket", "long-poll", "sse", "socketio-websocket", "socketio-polling"];
        assert_eq!(panels.groups(&series), [&others[..], &["short-poll"]]);
        assert!(panels.latency[0].high <= 100_000.0, "{:?}", panels.latency[0]);
        let alike = [series[0].clone(), series[1].clone()];
        let panels = Panels::for_all(&alike).expect("busy seconds");
        assert_eq!(panels.groups(&alike).len(), 1);
        assert_eq!(orders(&[Some(1.0), None, Some(7.0), Some(70.0)]), [0, 0, 0, 1]);
    }

    #[test]
    fn seconds_with_missing_messages_are_marked() {
        let mut series = crate::sample::run(1, 6, 200).series;
        let draw = |series: &[Series]| {
            let panels = Panels::for_all(series).expect("six busy seconds");
            panels.latency(0, &series[0], Marks::default().get("websocket")).into_string()
        };
        assert!(!draw(&series).contains("class=\"missing\""));
        for second in [2, 3] {
            series[0].intervals[second].missing_us = crate::HistogramDump(vec![(3_000_000, 9)]);
        }
        let drawn = draw(&series);
        let marks = drawn.split("class=\"missing\" d=\"").nth(1).expect("two marks");
        assert_eq!(marks.split('"').next().map(|path| path.matches('M').count()), Some(2));
    }

    #[test]
    fn each_round_but_the_first_begins_at_a_line_of_every_panel() {
        let mut series = crate::sample::run(1, 6, 200).series;
        series[0].round_starts = vec![0, 2, 4];
        let panels = Panels::for_all(&series).expect("six busy seconds");
        let mark = Marks::default().get("websocket");
        let cores = panels.cores(0, &series[0], mark).expect("the sample has them");
        for drawn in [panels.latency(0, &series[0], mark), panels.rate(&series[0], mark), cores] {
            assert_eq!(drawn.into_string().matches("class=\"round\"").count(), 2);
        }
    }

    #[test]
    fn no_messages_make_no_panel() {
        assert!(Panels::for_all(&[]).is_none());
        let mut series = crate::sample::run(1, 2, 200).series;
        for interval in &mut series[0].intervals {
            interval.latency_us = crate::HistogramDump::default();
        }
        assert!(Panels::for_all(&series).is_none());
    }
}
