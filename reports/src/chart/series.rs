//! A window second by second: latency, and messages sent and received. One small panel a
//! transport, all with the same scales, because twelve lines in one chart cannot be read.

use maud::{Markup, html};

use super::axis::{Axis, Frame, Unit};
use super::heat::heat;
use super::mark::Mark;
use super::{Size, image, points};
use crate::run::{Interval, Series};
use crate::summary::Percentiles;

/// The scales that all panels of a page share.
#[derive(Debug, Clone)]
pub struct Panels {
    seconds: Axis,
    latency: Axis,
    rate: Axis,
    /// Where it was read.
    cores: Option<Axis>,
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
        let lowest = intervals.iter().filter_map(|it| Some(it.latency_us.0.first()?.0)).min();
        let lines = busy.iter().flat_map(|it| [it.p50, it.max]).flatten();
        let lags = intervals.iter().filter_map(|it| it.send_lag_us_p99);
        let latencies = lines.chain(lags).chain(lowest);
        let cores: Vec<f64> = intervals.iter().flat_map(|it| cores(it)).flatten().collect();
        let rates = intervals.iter().flat_map(|it| [it.sent as f64, it.received as f64]);
        let mut seconds = Axis::linear([last as f64], Unit::Seconds, "");
        seconds.high = (last as f64).max(1.0);
        Some(Self {
            seconds,
            latency: Axis::log(latencies.map(|us| us as f64), Unit::Micros, "latency"),
            rate: Axis::linear(rates, Unit::PerSecond, "messages a second"),
            cores: (!cores.is_empty()).then(|| Axis::linear(cores, Unit::PerSecond, "cores used")),
            upper,
        })
    }

    /// Which line stands above the median.
    #[must_use]
    pub fn upper(&self) -> Upper {
        self.upper
    }

    /// Latency over time, every message behind the lines: the median unbroken, the upper line thin
    /// and dashed, the send lag dotted.
    #[must_use]
    pub fn latency(&self, series: &Series, mark: Mark) -> Markup {
        let frame = Frame::new(Size::Panel, self.seconds.clone(), self.latency.clone(), 16.0);
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
            g class=(mark.class()) {
                (heat(&frame, &series.intervals))
                (draw(&frame, uppers, "curve thin"))
                (draw(&frame, medians, "curve"))
            }
            (draw(&frame, lags, "lag"))
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

    /// Processors over time: the server's unbroken, the generator's thin and dashed; nothing where
    /// they were not read.
    #[must_use]
    pub fn cores(&self, series: &Series, mark: Mark) -> Option<Markup> {
        let axis = self.cores.clone()?;
        let frame = Frame::new(Size::Panel, self.seconds.clone(), axis, 16.0);
        let line = |place: usize| {
            let of = move |it: &Interval| (it.second, cores(it)[place]);
            series.intervals.iter().map(of)
        };
        let content = html! {
            (frame.draw())
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
        let drawn = panels.latency(&series[0], Marks::default().get("websocket")).into_string();
        assert_eq!(drawn.matches("<polyline").count(), 4 + 1, "the send lag is not broken");
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
