//! A timer that wakes a task within microseconds instead of the runtime's whole milliseconds.
//!
//! On Linux it is a `timerfd` in the runtime's own poll: a worker that sleeps in that poll wakes at
//! the very time and runs the waiting task itself, so there is no second thread to wake. Elsewhere
//! it is the runtime's timer, and the send lag says what that costs.

use std::io;
use std::time::Duration;

use crate::clock::Clock;

/// One timer for one task.
#[derive(Debug)]
pub struct FineTimer {
    timer: imp::Timer,
    early: Duration,
}

impl FineTimer {
    /// A timer of the current runtime, which gets up `early` and spends what is left until its
    /// time in turns with the runtime's other tasks.
    ///
    /// A core that sleeps takes 50 to 150 us to wake in a virtual machine, and a task that is
    /// woken at its time is late by that much.
    ///
    /// # Errors
    ///
    /// The operating system has no timer left.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with I/O.
    pub fn new(early: Duration) -> io::Result<Self> {
        Ok(Self { timer: imp::Timer::new()?, early })
    }

    /// Returns when `clock` shows `at_us`, never before, and at once when it already does.
    ///
    /// # Errors
    ///
    /// The timer failed, which a valid one never does.
    pub async fn sleep_until(&mut self, clock: Clock, at_us: u64) -> io::Result<()> {
        loop {
            let remaining = clock.until(at_us);
            if remaining.is_zero() {
                return Ok(());
            }
            match remaining.saturating_sub(self.early) {
                Duration::ZERO => tokio::task::yield_now().await,
                time => self.timer.sleep(time).await?,
            }
        }
    }
}

#[cfg(target_os = "linux")]
mod imp {
    use std::io;
    use std::os::fd::{AsFd, AsRawFd, RawFd};
    use std::time::Duration;

    use nix::sys::time::TimeSpec;
    use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    #[derive(Debug)]
    pub(super) struct Timer(AsyncFd<Pollable>);

    #[derive(Debug)]
    struct Pollable(TimerFd);

    impl AsRawFd for Pollable {
        fn as_raw_fd(&self) -> RawFd {
            self.0.as_fd().as_raw_fd()
        }
    }

    impl Timer {
        #[expect(
            deprecated,
            reason = "its successor is unsafe, for types that may close their descriptor early; \
                      `Pollable` owns one descriptor for its whole life and names no other"
        )]
        pub(super) fn new() -> io::Result<Self> {
            let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
            let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
            AsyncFd::with_interest(Pollable(timer), Interest::READABLE).map(Self)
        }

        /// Sleeps for `time`; it must not be zero, which would disarm the timer.
        pub(super) async fn sleep(&mut self, time: Duration) -> io::Result<()> {
            let expiration = Expiration::OneShot(TimeSpec::from_duration(time));
            self.0.get_ref().0.set(expiration, TimerSetTimeFlags::empty())?;
            loop {
                let mut ready = self.0.readable().await?;
                let expired = ready.try_io(|timer| timer.get_ref().0.wait().map_err(Into::into));
                if let Ok(expired) = expired {
                    return expired;
                }
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    use std::io;
    use std::time::Duration;

    #[derive(Debug)]
    pub(super) struct Timer;

    impl Timer {
        pub(super) fn new() -> io::Result<Self> {
            Ok(Self)
        }

        pub(super) async fn sleep(&mut self, time: Duration) -> io::Result<()> {
            tokio::time::sleep(time).await;
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_wakes_in_time_again_and_again_and_never_early() {
        let mut timer = FineTimer::new(Duration::from_micros(200)).expect("a timer");
        let clock = Clock::starting_in(Duration::ZERO);
        for at_us in [300, 700, 700, 100, 2_500] {
            timer.sleep_until(clock, at_us).await.expect("a valid timer");
            assert!(clock.now_us() >= at_us);
        }
    }
}
