//! The simulated clock of a thread. It moves when the simulation says so and
//! never by itself.
//!
//! The loop that steps the simulation calls [`set_now`] with the time that
//! has passed; std's `Instant` and `SystemTime`, and all that is built on
//! them, follow. Tokio's timers do not: each simulated host has a paused clock
//! of its own, which reads std's `Instant` only when its runtime is built.

use std::time::Duration;

use super::state;

/// What the monotonic clocks show when a simulation starts.
///
/// Low on purpose. A blocking wait with a time-out compares this clock with
/// the kernel's real one, which no interposition reaches; below the real one,
/// such a wait ends at once, above it would last until the real one came up.
const MONOTONIC_BASE_NS: i128 = 10_000_000_000;

/// 2025-01-01T00:00:00Z, when every run of a plan begins, in milliseconds since 1970.
pub const EPOCH_MS: u64 = 1_735_689_600_000;

const NANOS_PER_SEC: i128 = 1_000_000_000;

/// Sets the time since the start of the simulation. Going back is allowed for
/// nobody: the monotonic clocks follow.
///
/// # Panics
///
/// On a thread that is not simulated, and if `elapsed` lies before the time
/// that was set last.
pub fn set_now(elapsed: Duration) {
    let previous = state::with(|state| {
        state.set_clock(|clock| std::mem::replace(&mut clock.elapsed, elapsed))
    })
    .expect("only a simulated thread has a clock to set");
    assert!(previous <= elapsed, "simulated time went back from {previous:?} to {elapsed:?}");
}

/// The time since the start of the simulation; zero on an ordinary thread.
/// Asking leaves no trace, unlike reading std's clocks.
#[must_use]
pub fn elapsed() -> Duration {
    state::with(|state| state.elapsed()).unwrap_or_default()
}

/// Moves the wall clock, and no other, by `ns` nanoseconds. Jumps add up.
///
/// # Panics
///
/// On a thread that is not simulated.
pub fn jump_wall_clock(ns: i64) {
    state::with(|state| state.set_clock(|clock| clock.wall_jump_ns += i128::from(ns)))
        .expect("only a simulated thread has a clock to move");
}

/// The clocks of one simulated thread.
pub(super) struct Clock {
    epoch_ns: i128,
    pub(super) elapsed: Duration,
    wall_jump_ns: i128,
    /// What has passed since the run left the simulation, by no clock at all.
    hurried_ns: i128,
}

impl Clock {
    pub(super) fn starting_at(epoch_ms: u64) -> Self {
        let epoch_ns = i128::from(epoch_ms) * 1_000_000;
        Self { epoch_ns, elapsed: Duration::ZERO, wall_jump_ns: 0, hurried_ns: 0 }
    }

    pub(super) fn elapsed_us(&self) -> u64 {
        u64::try_from(self.elapsed.as_micros()).unwrap_or(u64::MAX)
    }

    /// Lets a second pass on every clock.
    pub(super) fn hurry(&mut self) {
        self.hurried_ns += NANOS_PER_SEC;
    }

    /// The time on `clock` as (seconds, nanoseconds). `None` for clocks that
    /// measure processor time: they tell what the simulator costs.
    pub(super) fn read(&self, clock: libc::clockid_t) -> Option<(i64, i64)> {
        let base_ns = match clock {
            libc::CLOCK_REALTIME | libc::CLOCK_REALTIME_COARSE | libc::CLOCK_TAI => {
                self.epoch_ns + self.wall_jump_ns
            }
            libc::CLOCK_MONOTONIC
            | libc::CLOCK_MONOTONIC_COARSE
            | libc::CLOCK_MONOTONIC_RAW
            | libc::CLOCK_BOOTTIME => MONOTONIC_BASE_NS,
            _ => return None,
        };
        let elapsed_ns = i128::try_from(self.elapsed.as_nanos()).unwrap_or(i128::MAX / 2);
        let now_ns = base_ns.saturating_add(elapsed_ns).saturating_add(self.hurried_ns);
        let seconds = i64::try_from(now_ns.div_euclid(NANOS_PER_SEC)).unwrap_or(i64::MAX);
        let nanoseconds = i64::try_from(now_ns.rem_euclid(NANOS_PER_SEC)).unwrap_or(0);
        Some((seconds, nanoseconds))
    }
}
