//! The one monotonic clock of a run: microseconds since its first scheduled message.
//!
//! Senders, receivers and the pacer all read this clock, so a latency is the difference of two
//! readings of one clock. It never looks at the wall clock and never steps.

use std::time::Duration;

use tokio::time::Instant;

/// Microseconds since an origin that all parts of a run share.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    origin: Instant,
}

impl Clock {
    /// A clock whose zero lies `lead` in the future, so that everybody can be ready for it.
    #[must_use]
    pub fn starting_in(lead: Duration) -> Self {
        Self::starting_at(Instant::now() + lead)
    }

    /// A clock whose zero is `origin`.
    #[must_use]
    pub fn starting_at(origin: Instant) -> Self {
        Self { origin }
    }

    /// Microseconds since the origin; 0 before it.
    #[must_use]
    pub fn now_us(&self) -> u64 {
        self.reading_of(Instant::now())
    }

    /// What the clock shows at `instant`; 0 before its origin.
    #[must_use]
    pub fn reading_of(&self, instant: Instant) -> u64 {
        let elapsed = instant.saturating_duration_since(self.origin);
        u64::try_from(elapsed.as_micros()).expect("a run is shorter than 500,000 years")
    }

    /// How long it is until the clock shows `at_us`; zero when it already does.
    #[must_use]
    pub fn until(&self, at_us: u64) -> Duration {
        (self.origin + Duration::from_micros(at_us)).saturating_duration_since(Instant::now())
    }
}
