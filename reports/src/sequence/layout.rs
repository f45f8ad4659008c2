//! Where on the page a time is.
//!
//! Time runs down, but not evenly: events that crowd are moved apart until each can be read, and
//! where nothing happens for long the page does not grow with it. Earlier is never below later.

use super::{Course, Entry, Sequence};

/// The height of a row of words.
pub(super) const ROW: f64 = 15.0;
/// How far apart two instants are for each millisecond between them.
const PER_MS: f64 = 0.15;
/// The farthest that two events are apart, however long nothing happens between them.
const IDLE_MAX: f64 = 60.0;
/// What stays free above the first row and below the last.
const EDGE: f64 = 20.0;

/// The places of all rows.
pub(super) struct Layout {
    /// Each instant with a row, and the place of its lowest; both rise.
    rows: Vec<(u64, f64)>,
    /// The place of each entry, by its place in the list.
    places: Vec<f64>,
}

impl Layout {
    pub(super) fn of(sequence: &Sequence) -> Self {
        let mut rows: Vec<(u64, f64)> = Vec::new();
        let mut places = Vec::new();
        // Where the present instant begins, and the last row of each lane; what happens in one
        // instant in different lanes stands side by side.
        let (mut now_us, mut begins) = (0, EDGE);
        let mut last = vec![f64::NEG_INFINITY; sequence.lanes.len()];
        for entry in &sequence.entries {
            if entry.at_us > now_us {
                let wait_ms = (entry.at_us - now_us) as f64 / 1e3;
                let before = rows.last().map_or(begins, |(_, place)| *place);
                begins = before.max(begins) + (wait_ms * PER_MS).min(IDLE_MAX);
                now_us = entry.at_us;
            }
            let mut place = begins;
            if !entry.is_minor || sequence.is_evidence(entry) {
                let lanes = lanes(sequence, entry);
                let taken = last[lanes.clone()].iter().copied().fold(f64::NEG_INFINITY, f64::max);
                place = place.max(taken + ROW);
                last[lanes].fill(place);
                match rows.last_mut() {
                    Some((at_us, lowest)) if *at_us == now_us => *lowest = lowest.max(place),
                    _ => rows.push((now_us, place)),
                }
            }
            places.push(place);
        }
        Self { rows, places }
    }

    /// The height of the whole.
    pub(super) fn height(&self) -> f64 {
        self.rows.last().map_or(0.0, |(_, place)| *place) + EDGE
    }

    /// The place of an entry.
    pub(super) fn row(&self, place: usize) -> f64 {
        self.places[place]
    }

    /// The place of a time, between the rows about it.
    pub(super) fn at(&self, at_us: u64) -> f64 {
        let after = self.rows.partition_point(|(time, _)| *time < at_us);
        match (after.checked_sub(1).map(|before| self.rows[before]), self.rows.get(after)) {
            (Some((from_us, from)), Some((to_us, to))) => {
                let part = (at_us - from_us) as f64 / (to_us - from_us).max(1) as f64;
                from + (to - from) * part
            }
            (Some((_, place)), None) | (None, Some(&(_, place))) => place,
            (None, None) => EDGE,
        }
    }
}

/// The lanes in which nothing else may stand beside an entry.
fn lanes(sequence: &Sequence, entry: &Entry) -> std::ops::Range<usize> {
    match (entry.course, entry.lane) {
        (Course::Across, _) | (_, None) => 0..sequence.lanes.len(),
        (_, Some(lane)) => lane..lane + 1,
    }
}
