//! How a transport is told apart: colour, dash pattern and marker, by its place in the run.
//!
//! The colours themselves are the page's (`--s0` to `--s5`), chosen to differ for every common
//! kind of colour blindness; a seventh transport takes the first again, with the second's dashes and
//! marker, so that no two of 36 look alike.

use maud::{Markup, html};

use super::px;

/// Colours, and as many dashes and markers.
pub const STYLES: usize = 6;

const DASHES: [&str; STYLES] = ["", "7 3", "2 3", "9 3 2 3", "4 2", "12 4"];

/// The look of one transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    colour: usize,
    shape: usize,
}

impl Mark {
    /// The look of the transport at that place in the run.
    #[must_use]
    pub fn of(index: usize) -> Self {
        let round = index / STYLES;
        Self { colour: index % STYLES, shape: (index + round) % STYLES }
    }

    /// The class that sets the colour.
    #[must_use]
    pub fn class(self) -> String {
        format!("s{}", self.colour)
    }

    /// The dash pattern of its lines; empty for an unbroken one.
    #[must_use]
    pub fn dash(self) -> &'static str {
        DASHES[self.shape]
    }

    /// Its marker, centred there, of that radius.
    #[must_use]
    pub fn marker(self, (x, y): (f64, f64), radius: f64) -> Markup {
        let polygon = |corners: &[(f64, f64)]| {
            let corners: Vec<(f64, f64)> =
                corners.iter().map(|(dx, dy)| (x + dx * radius, y + dy * radius)).collect();
            html! { polygon.dot points=(super::points(&corners)) {} }
        };
        match self.shape {
            0 => html! { circle.dot cx=(px(x)) cy=(px(y)) r=(px(radius)) {} },
            1 => polygon(&[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)]),
            2 => polygon(&[(0.0, -1.2), (1.1, 0.8), (-1.1, 0.8)]),
            3 => polygon(&[(0.0, -1.25), (1.25, 0.0), (0.0, 1.25), (-1.25, 0.0)]),
            4 => polygon(&[(0.0, 1.2), (1.1, -0.8), (-1.1, -0.8)]),
            _ => polygon(&CROSS),
        }
    }
}

/// A plus with arms as thick as a third of it.
const CROSS: [(f64, f64); 12] = [
    (-0.4, -1.2),
    (0.4, -1.2),
    (0.4, -0.4),
    (1.2, -0.4),
    (1.2, 0.4),
    (0.4, 0.4),
    (0.4, 1.2),
    (-0.4, 1.2),
    (-0.4, 0.4),
    (-1.2, 0.4),
    (-1.2, -0.4),
    (-0.4, -0.4),
];

/// Name, line and marker of each transport, above a chart.
#[must_use]
pub fn legend<'a>(names: impl IntoIterator<Item = &'a str>) -> Markup {
    html! {
        ul.legend {
            @for (index, name) in names.into_iter().enumerate() {
                @let mark = Mark::of(index);
                li class=(mark.class()) {
                    svg viewBox="0 0 44 14" aria-hidden="true" {
                        line.curve x1="1" x2="43" y1="7" y2="7" stroke-dasharray=(mark.dash()) {}
                        (mark.marker((22.0, 7.0), 4.5))
                    }
                    (name)
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_of_thirty_six_transports_look_alike() {
        let marks: Vec<_> = (0..STYLES * STYLES).map(Mark::of).collect();
        for (index, mark) in marks.iter().enumerate() {
            assert!(!marks[..index].contains(mark), "{index}: {mark:?}");
        }
    }
}
