//! What the server says of itself while it runs: its tracing events, taken down where the
//! simulation wants to know how rare a run was.
//!
//! The server emits an event wherever something is decided that no client can see, as it would for
//! an operator who looks for a fault. A [`Sight`] is one of them. Whoever watches formats nothing;
//! where nobody watches, an event costs one comparison. Nothing here enters the trace of a run.

use std::cell::RefCell;
use std::fmt;
use std::time::Duration;

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span;
use tracing::subscriber::{Interest, with_default};
use tracing::{Event, Metadata, Subscriber};

use crate::determinism::clock;

/// Facts of one event at most.
const FACTS_MAX: usize = 6;

/// Something that was seen at the server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sight {
    /// When the step began in which it happened, since the start: equal for all that happens in
    /// one tick.
    pub at: Duration,
    /// The name of the event.
    pub name: &'static str,
    /// Numbers and flags, by name.
    facts: [(&'static str, u64); FACTS_MAX],
    /// Why, where the event says so.
    pub reason: Option<String>,
}

thread_local! {
    static SIGHTS: RefCell<Vec<Sight>> = const { RefCell::new(Vec::new()) };
}

/// Runs `body` and gives what was seen meanwhile on this thread, in order.
pub(crate) fn watching<T>(body: impl FnOnce() -> T) -> (T, Vec<Sight>) {
    SIGHTS.take();
    let result = with_default(Watch, body);
    (result, SIGHTS.take())
}

/// Takes down what the simulation itself has seen.
pub(crate) fn note(name: &'static str, session: u64) {
    let mut sight = Sight { at: clock::elapsed(), name, ..Sight::default() };
    sight.facts[0] = ("session", session);
    SIGHTS.with_borrow_mut(|sights| sights.push(sight));
}

impl Sight {
    /// A fact, if the event has it.
    #[must_use]
    pub fn fact(&self, name: &str) -> Option<u64> {
        let fact = self.facts.iter().find(|(known, _)| *known == name);
        fact.map(|(_, value)| *value)
    }

    /// True when the flag is there and set.
    #[must_use]
    pub fn is(&self, flag: &str) -> bool {
        self.fact(flag) == Some(1)
    }

    /// Whom it is about.
    #[must_use]
    pub fn session(&self) -> Option<u64> {
        self.fact("session")
    }

    /// The other one, where there are two.
    #[must_use]
    pub fn partner(&self) -> Option<u64> {
        self.fact("partner")
    }

    fn learn(&mut self, field: &Field, value: u64) {
        if let Some(free) = self.facts.iter_mut().find(|(name, _)| name.is_empty()) {
            *free = (field.name(), value);
        }
    }
}

/// Takes down the events of the server that have a name.
struct Watch;

impl Watch {
    /// An event that was given no name is called after its place.
    fn wants(metadata: &Metadata<'_>) -> bool {
        metadata.is_event()
            && metadata.target().starts_with("server::")
            && !metadata.name().starts_with("event ")
    }
}

impl Subscriber for Watch {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if Self::wants(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        Self::wants(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::TRACE)
    }

    fn event(&self, event: &Event<'_>) {
        let name = event.metadata().name();
        let mut sight = Sight { at: clock::elapsed(), name, ..Sight::default() };
        event.record(&mut sight);
        SIGHTS.with_borrow_mut(|sights| sights.push(sight));
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

impl Visit for Sight {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.learn(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.learn(field, u64::from(value));
    }

    fn record_str(&mut self, _: &Field, value: &str) {
        self.reason = Some(value.to_owned());
    }

    /// Nobody asks for it, so it is not put into words.
    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

#[cfg(test)]
mod tests {
    use tracing::trace;

    use super::*;

    #[test]
    fn only_named_events_of_the_server_are_taken_down() {
        let ((), sights) = watching(|| {
            trace!(name: "said", target: "server::core", session = 7_u64, is_late = true);
            trace!(target: "server::core", "without a name");
            trace!(name: "a packet", target: "turmoil", bytes = 1_u64);
            note("upgraded", 3);
        });
        let names: Vec<_> = sights.iter().map(|sight| sight.name).collect();
        assert_eq!(names, ["said", "upgraded"]);
        assert_eq!((sights[0].session(), sights[0].partner()), (Some(7), None));
        assert!(sights[0].is("is_late") && !sights[0].is("is_early"));
        assert!(watching(|| ()).1.is_empty(), "what was seen is seen once");
    }
}
