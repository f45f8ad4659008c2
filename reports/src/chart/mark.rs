//! The look of a transport: colour, dash pattern and marker, fixed by its name in every report.
//!
//! The six transports of the server have a look each, and so have the other names that the load suite
//! gives: the peers, a mix, the usual intervals of short polling. Any further name takes one of the
//! looks that are left by its hash; two such names of one report that hash alike take neighbouring
//! looks. The order of the run never matters, so two reports can be laid side by side.
//!
//! The colours themselves are the page's (`--s0` to `--s5`), chosen to differ for every common
//! kind of colour blindness.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::px;
use crate::run::Run;

/// Colours, and as many dashes and markers.
pub const STYLES: usize = 6;

/// The transports whose looks are fixed, by colour; the markers are in the same order.
const FIXED: [&str; STYLES] =
    ["short-poll", "long-poll", "sse", "websocket", "socketio-websocket", "socketio-polling"];

/// Further names whose looks are fixed, in the order of [`other_look`].
const NAMED: [&str; 13] = [
    "mix",
    "node-socketio-websocket",
    "node-socketio-polling",
    "node-mix",
    "short-poll-50ms",
    "short-poll-100ms",
    "short-poll-200ms",
    "short-poll-250ms",
    "short-poll-500ms",
    "short-poll-1s",
    "short-poll-2s",
    "short-poll-5s",
    "short-poll-10s",
];

/// Looks besides those of [`FIXED`].
const OTHERS: usize = STYLES * (STYLES - 1);

const DASHES: [&str; STYLES] = ["", "7 3", "2 3", "9 3 2 3", "4 2", "12 4"];

/// The look of one transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    colour: usize,
    shape: usize,
}

/// The looks of all transports of a report.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marks(BTreeMap<String, Mark>);

impl Marks {
    /// The looks of these names, in whatever order they are given.
    #[must_use]
    pub fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut marks = BTreeMap::new();
        // In the order of the names, so that a collision ends the same in every run of them.
        let mut others: Vec<&str> = names.into_iter().collect();
        others.sort_unstable();
        others.dedup();
        for &name in &others {
            marks.extend(fixed(name).map(|mark| (name.to_owned(), mark)));
        }
        for name in others {
            if !marks.contains_key(name) {
                marks.insert(name.to_owned(), hashed(name, &marks));
            }
        }
        Self(marks)
    }

    /// The looks of the transports of a run.
    #[must_use]
    pub fn of_run(run: &Run) -> Self {
        let series = run.series.iter().map(|it| it.transport.as_str());
        let readers = run.series.iter().flat_map(|it| &it.by_reader);
        let readers = readers.map(|it| it.transport.as_str());
        let knees = run.knees.iter().map(|it| it.transport.as_str());
        Self::of(series.chain(readers).chain(knees))
    }

    /// The look of a transport.
    #[must_use]
    pub fn get(&self, name: &str) -> Mark {
        self.0
            .get(name)
            .copied()
            .unwrap_or_else(|| fixed(name).unwrap_or_else(|| hashed(name, &BTreeMap::new())))
    }
}

fn fixed(name: &str) -> Option<Mark> {
    let place = |names: &[&str]| names.iter().position(|known| *known == name);
    let known = place(&FIXED).map(|place| Mark { colour: place, shape: place });
    known.or_else(|| place(&NAMED).map(other_look))
}

/// The n-th look off the diagonal, which those of [`FIXED`] fill.
fn other_look(nth: usize) -> Mark {
    let colour = nth % STYLES;
    Mark { colour, shape: (colour + 1 + nth / STYLES) % STYLES }
}

/// A look that no known name has; the next one where it is taken.
fn hashed(name: &str, taken: &BTreeMap<String, Mark>) -> Mark {
    let unnamed = OTHERS - NAMED.len();
    let first = NAMED.len() + (fnv1a(name) % unnamed as u64) as usize;
    let places = (first..OTHERS).chain(NAMED.len()..first).chain(0..NAMED.len());
    let free = places.map(other_look).find(|mark| !taken.values().any(|other| other == mark));
    free.unwrap_or_else(|| other_look(first))
}

/// Fowler, Noll and Vo's hash (FNV-1a, 64 bits): the same in every version of every program.
fn fnv1a(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

impl Mark {
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
    ///
    /// Every shape is one `path`, so a page has the same elements whatever its names hash to.
    #[must_use]
    pub fn marker(self, (x, y): (f64, f64), radius: f64) -> Markup {
        let outline = match self.shape {
            0 => circle((x, y), radius),
            1 => polygon((x, y), radius, &[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)]),
            2 => polygon((x, y), radius, &[(0.0, -1.2), (1.1, 0.8), (-1.1, 0.8)]),
            3 => polygon((x, y), radius, &[(0.0, -1.25), (1.25, 0.0), (0.0, 1.25), (-1.25, 0.0)]),
            4 => polygon((x, y), radius, &[(0.0, 1.2), (1.1, -0.8), (-1.1, -0.8)]),
            _ => polygon((x, y), radius, &CROSS),
        };
        html! { path.dot d=(outline) {} }
    }

    /// The marker alone in a small picture, to stand before a name.
    #[must_use]
    pub fn key(self) -> Markup {
        html! {
            svg class=(format!("key {}", self.class())) viewBox="0 0 14 14" aria-hidden="true" {
                (self.marker((7.0, 7.0), 5.0))
            }
        }
    }
}

/// The outline of a circle, as two half circles.
fn circle((x, y): (f64, f64), radius: f64) -> String {
    let (left, right, y, r) = (px(x - radius), px(x + radius), px(y), px(radius));
    format!("M{left},{y} A{r},{r} 0 0 1 {right},{y} A{r},{r} 0 0 1 {left},{y} Z")
}

/// The outline of a polygon whose corners are given in radii from its centre.
fn polygon((x, y): (f64, f64), radius: f64, corners: &[(f64, f64)]) -> String {
    let corners: Vec<(f64, f64)> =
        corners.iter().map(|(dx, dy)| (x + dx * radius, y + dy * radius)).collect();
    format!("M{} Z", super::points(&corners))
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
pub fn legend<'a>(names: impl IntoIterator<Item = &'a str>, marks: &Marks) -> Markup {
    html! {
        ul.legend {
            @for name in names {
                @let mark = marks.get(name);
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
    fn known_transports_look_the_same_whatever_else_is_in_the_report() {
        let alone = Marks::of(["websocket"]);
        let all = Marks::of(FIXED);
        let among_others = Marks::of(["mix", "node-websocket", "websocket", "a", "zz"]);
        for marks in [&all, &among_others, &Marks::default()] {
            assert_eq!(marks.get("websocket"), alone.get("websocket"));
        }
        let looks: std::collections::BTreeSet<Mark> = FIXED.map(|it| all.get(it)).into();
        assert_eq!(looks.len(), STYLES);
    }

    #[test]
    fn every_name_of_the_load_suite_has_a_look_of_its_own_in_any_company() {
        let names = || FIXED.into_iter().chain(NAMED);
        let all = Marks::of(names());
        let looks: std::collections::BTreeSet<Mark> = names().map(|it| all.get(it)).collect();
        assert_eq!(looks.len(), FIXED.len() + NAMED.len());
        for name in names() {
            assert_eq!(Marks::of([name]).get(name), all.get(name), "{name}");
            assert_eq!(Marks::of([name, "a", "b", "c"]).get(name), all.get(name), "{name}");
        }
    }

    #[test]
    fn an_unknown_name_keeps_its_look_in_any_order_and_company() {
        let names = ["short-poll-5s", "mix", "node-socketio-polling", "sse"];
        let forwards = Marks::of(names);
        let backwards = Marks::of(names.into_iter().rev());
        assert_eq!(forwards, backwards);
        for name in names {
            assert_eq!(Marks::of([name]).get(name), forwards.get(name), "{name}");
        }
    }

    #[test]
    fn no_two_of_thirty_six_transports_look_alike() {
        let unknown: Vec<String> = (0..30).map(|nth| format!("server-{nth}")).collect();
        let names = || FIXED.into_iter().chain(unknown.iter().map(String::as_str));
        let marks = Marks::of(names());
        let looks: std::collections::BTreeSet<Mark> = names().map(|it| marks.get(it)).collect();
        assert_eq!(looks.len(), STYLES * STYLES);
    }
}
