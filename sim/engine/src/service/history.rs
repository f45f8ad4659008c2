//! What clients recorded in a run, for checkers.

use std::slice::Iter;

use super::{Note, Service};
use crate::history::{Event, Noted};
use crate::model::Model;
use crate::report::Report;

/// What all clients recorded, in the one order in which it happened.
#[derive(Debug, Clone, PartialEq)]
pub struct History<E> {
    events: Vec<Recorded<E>>,
}

/// Something that a client recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded<E> {
    /// The place in the whole history, which [`Violation::because`](crate::Violation::because) names as evidence.
    pub index: usize,
    /// Simulated time since the start, in microseconds.
    pub at_us: u64,
    /// The client.
    pub client: String,
    /// What it recorded.
    pub what: E,
}

impl<E: Note> History<E> {
    pub(super) fn of(events: &[Event<<Service<E> as Model>::Record>]) -> Self {
        let notes = events.iter().filter_map(|event| match &event.what {
            Noted::Note(what) => Some(Recorded {
                index: event.index,
                at_us: event.at_us,
                client: event.process.clone(),
                what: what.clone(),
            }),
            Noted::Mark(_) => None,
        });
        Self { events: notes.collect() }
    }

    /// Every record, in order.
    pub fn iter(&self) -> Iter<'_, Recorded<E>> {
        self.events.iter()
    }

    /// Whether a record is like that.
    pub fn any(&self, wanted: impl Fn(&Recorded<E>) -> bool) -> bool {
        self.events.iter().any(wanted)
    }

    /// The number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// True if nothing was recorded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }
}

impl<'a, E: Note> IntoIterator for &'a History<E> {
    type Item = &'a Recorded<E>;
    type IntoIter = Iter<'a, Recorded<E>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<E: Note> Report<Service<E>> {
    /// What all clients recorded.
    #[must_use]
    pub fn history(&self) -> History<E> {
        History::of(&self.history)
    }
}
