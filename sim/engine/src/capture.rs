//! Tracing events of the servers, captured so that a run's rare states can be told.
//!
//! A server emits an event wherever something is decided that no client can see, as it would for an operator who
//! looks for a fault. Capturing formats nothing; an event that is not captured costs one comparison. Nothing
//! here enters the trace of a run.

use std::cell::RefCell;
use std::fmt;
use std::time::Duration;

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span;
use tracing::subscriber::{Interest, with_default};
use tracing::{Event, Metadata, Subscriber};

use crate::determinism::clock;

/// Fields of one event at most.
const FIELDS_MAX: usize = 6;

/// A tracing event of a server: its name, its numbers and flags, and its last text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CapturedEvent {
    /// When the step began in which it happened, since the start: equal for all events of one tick.
    pub at: Duration,
    /// The name of the event.
    pub name: &'static str,
    /// Numbers and flags, by name.
    fields: [(&'static str, u64); FIELDS_MAX],
    /// The last text field, which says why where an event has a reason.
    pub reason: Option<String>,
}

thread_local! {
    static CAPTURED: RefCell<Vec<CapturedEvent>> = const { RefCell::new(Vec::new()) };
}

/// Runs `body` and returns the events captured meanwhile on this thread, in order: those with a name, whose target begins
/// with `target`.
pub(crate) fn capturing<T>(
    target: Option<&'static str>,
    body: impl FnOnce() -> T,
) -> (T, Vec<CapturedEvent>) {
    CAPTURED.take();
    let result = match target {
        Some(target) => with_default(Capture { target }, body),
        None => body(),
    };
    (result, CAPTURED.take())
}

/// Adds an event of a client to those of the servers, with one field.
pub fn note(name: &'static str, field: (&'static str, u64)) {
    let mut event = CapturedEvent { at: clock::elapsed(), name, ..CapturedEvent::default() };
    event.fields[0] = field;
    CAPTURED.with_borrow_mut(|events| events.push(event));
}

impl CapturedEvent {
    /// A number or flag, if the event has it.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<u64> {
        let found = self.fields.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| *value)
    }

    /// True when the flag exists and is set.
    #[must_use]
    pub fn is(&self, flag: &str) -> bool {
        self.field(flag) == Some(1)
    }

    fn learn(&mut self, field: &Field, value: u64) {
        if let Some(free) = self.fields.iter_mut().find(|(name, _)| name.is_empty()) {
            *free = (field.name(), value);
        }
    }
}

/// Captures named events of a target.
struct Capture {
    target: &'static str,
}

impl Capture {
    /// An event without a name is named after its place in the source.
    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event()
            && metadata.target().starts_with(self.target)
            && !metadata.name().starts_with("event ")
    }
}

impl Subscriber for Capture {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.wants(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.wants(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::TRACE)
    }

    fn event(&self, event: &Event<'_>) {
        let name = event.metadata().name();
        let mut captured = CapturedEvent { at: clock::elapsed(), name, ..CapturedEvent::default() };
        event.record(&mut captured);
        CAPTURED.with_borrow_mut(|events| events.push(captured));
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

impl Visit for CapturedEvent {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.learn(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.learn(field, u64::from(value));
    }

    fn record_str(&mut self, _: &Field, value: &str) {
        self.reason = Some(value.to_owned());
    }

    /// Nothing reads it, so it is not formatted.
    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

#[cfg(test)]
mod tests {
    use tracing::trace;

    use super::*;

    #[test]
    fn only_named_events_of_the_target_are_captured() {
        let ((), events) = capturing(Some("server::"), || {
            trace!(name: "said", target: "server::core", session = 7_u64, is_late = true);
            trace!(target: "server::core", "without a name");
            trace!(name: "a packet", target: "turmoil", bytes = 1_u64);
            note("upgraded", ("session", 3));
        });
        let names: Vec<_> = events.iter().map(|event| event.name).collect();
        assert_eq!(names, ["said", "upgraded"]);
        assert_eq!((events[0].field("session"), events[0].field("partner")), (Some(7), None));
        assert!(events[0].is("is_late") && !events[0].is("is_early"));
        assert!(capturing(Some("server::"), || ()).1.is_empty(), "events are captured once");
    }
}
