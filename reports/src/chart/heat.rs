//! How many messages of each second took how long: the darker, the more. Behind the lines of a
//! panel it shows what they leave out, as two crowds with nothing between them.

use maud::{Markup, html};

use super::axis::Frame;
use super::px;
use crate::run::Interval;

/// Shades; a page stays small because all cells of a shade are one path.
const SHADES: usize = 5;
/// Rows of a panel.
const ROWS: usize = 28;
/// Columns at most; longer windows have several seconds in each.
const COLUMNS_MAX: usize = 40;

/// The cells of all seconds.
pub(super) fn heat(frame: &Frame, intervals: &[Interval]) -> Markup {
    let Some(last) = intervals.iter().map(|it| it.second).max() else {
        return html! {};
    };
    let seconds_each = (last as usize + 1).div_ceil(COLUMNS_MAX);
    let columns = counted(frame, intervals, seconds_each);
    let mut paths = vec![String::new(); SHADES];
    for (column, rows) in columns.iter().enumerate() {
        let total: u64 = rows.iter().sum();
        for (row, &count) in rows.iter().enumerate().filter(|(_, count)| **count > 0) {
            paths[shade(count, total)].push_str(&cell(
                frame,
                column * seconds_each,
                seconds_each,
                row,
            ));
        }
    }
    html! {
        @for (shade, path) in paths.iter().enumerate().filter(|(_, path)| !path.is_empty()) {
            path class=(format!("heat h{shade}")) d=(path) {}
        }
    }
}

/// Messages by column and row.
fn counted(frame: &Frame, intervals: &[Interval], seconds_each: usize) -> Vec<[u64; ROWS]> {
    let mut columns = Vec::new();
    for interval in intervals {
        let column = interval.second as usize / seconds_each;
        if columns.len() <= column {
            columns.resize(column + 1, [0; ROWS]);
        }
        for &(us, count) in &interval.latency_us.0 {
            let row = (frame.y.place(us as f64) * ROWS as f64) as usize;
            columns[column][row.min(ROWS - 1)] += count;
        }
    }
    columns
}

/// By the logarithm of the share, so that one slow message of a thousand is still to be seen.
fn shade(count: u64, total: u64) -> usize {
    let share = count as f64 / total.max(1) as f64;
    let place = 1.0 + share.max(1e-3).log10() / 3.0;
    ((place * SHADES as f64) as usize).min(SHADES - 1)
}

/// A rectangle that begins at a second and is as wide as it lasts.
fn cell(frame: &Frame, second: usize, seconds: usize, row: usize) -> String {
    let (_, top, right, bottom) = frame.edges();
    let (left, end) =
        (frame.x_px(second as f64 - 0.5), frame.x_px((second + seconds) as f64 - 0.5));
    let height = (bottom - top) / ROWS as f64;
    let y = bottom - height * (row + 1) as f64;
    let width = end.min(right) - left;
    format!("M{} {}h{}v{}h-{}z", px(left), px(y), px(width), px(height), px(width))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::Size;
    use crate::chart::axis::{Axis, Unit};
    use crate::run::HistogramDump;

    fn frame() -> Frame {
        let x = Axis::linear([10.0], Unit::Seconds, "");
        let y = Axis::log([100.0, 100_000.0], Unit::Micros, "latency");
        Frame::new(Size::Panel, x, y, 16.0)
    }

    fn second(second: u64, latencies: &[(u64, u64)]) -> Interval {
        let latency_us = HistogramDump(latencies.to_vec());
        Interval { second, latency_us, ..Interval::default() }
    }

    #[test]
    fn two_crowds_are_two_cells_and_one_message_of_a_thousand_is_seen() {
        let drawn = heat(&frame(), &[second(0, &[(200, 999), (50_000, 1)])]).into_string();
        assert_eq!(drawn.matches('M').count(), 2, "{drawn}");
        assert!(drawn.contains("heat h4") && drawn.contains("heat h0"), "{drawn}");
    }

    #[test]
    fn a_long_window_has_no_more_columns_than_can_be_seen() {
        let hour: Vec<_> = (0..3_600).map(|at| second(at, &[(200, 10)])).collect();
        let drawn = heat(&frame(), &hour).into_string();
        assert_eq!(drawn.matches('M').count(), COLUMNS_MAX);
    }

    #[test]
    fn what_lies_beyond_the_axis_lies_at_its_end() {
        let drawn = heat(&frame(), &[second(0, &[(1, 5), (10_000_000, 5)])]).into_string();
        assert_eq!(drawn.matches('M').count(), 2, "{drawn}");
    }

    #[test]
    fn no_seconds_are_no_cells() {
        assert!(heat(&frame(), &[]).into_string().is_empty());
    }
}
