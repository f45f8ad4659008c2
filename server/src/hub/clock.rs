//! The hub's time: the monotonic clock that the core lives by, and the wall clock that people see.
//!
//! The wall clock is looked at once, at the start; after that the two never drift apart, and a wall
//! clock that is set back moves nobody's messages.

use std::time::Duration;

use jiff::fmt::temporal::DateTimePrinter;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::core;

/// RFC 3339, UTC, to the millisecond.
const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(3));
const PRINTED: &str = "2026-01-02T03:04:05.678Z";

/// When the core's time was zero, on both clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    origin: Instant,
    origin_wall: Timestamp,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self { origin: Instant::now(), origin_wall: Timestamp::now() }
    }

    pub(super) fn now(&self) -> core::Instant {
        core::Instant(self.origin.elapsed())
    }

    /// How long ago that was.
    pub(super) fn since(&self, at: core::Instant) -> Duration {
        self.origin.elapsed().saturating_sub(at.0)
    }

    pub(super) fn deadline(&self, at: core::Instant) -> Instant {
        self.origin + at.0
    }

    /// The time of day, in milliseconds since 1970.
    pub(super) fn unix_ms(&self, at: core::Instant) -> u64 {
        u64::try_from(self.timestamp(at).as_millisecond()).unwrap_or_default()
    }

    fn timestamp(&self, at: core::Instant) -> Timestamp {
        let since = SignedDuration::try_from(at.0).unwrap_or(SignedDuration::MAX);
        self.origin_wall.checked_add(since).unwrap_or(Timestamp::MAX)
    }

    /// The time of day, as text.
    pub(super) fn wall(&self, at: core::Instant) -> String {
        let at = self.timestamp(at);
        let mut text = String::with_capacity(PRINTED.len());
        PRINTER.print_timestamp(&at, &mut text).expect("a string takes any text");
        text
    }
}
