//! The phases of one run, in order, each with a limit.
//!
//! ```text
//! connect -> pair -> settle -> warm-up | window | drain -> everybody leaves
//!                              ^ the schedule begins
//! ```
//!
//! The schedule runs through warm-up and window without a break, so that the window opens on a
//! server in its steady state: as many messages are under way at its start as at its end.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::stage::Stage;
use crate::Phase;
use crate::pacer::Pacer;
use crate::process::{self, Usage};
use crate::schedule::Schedule;
use crate::target::Target;

/// How long messages flow before the window opens.
pub(crate) const WARM_UP: Duration = Duration::from_secs(1);
/// How long everybody is quiet before the first message, so that the crowd's arrival is over.
const SETTLE: Duration = Duration::from_millis(500);
/// How long people may take to connect and to find partners, besides the time to start them all.
const GATHER_WAIT_MAX: Duration = Duration::from_secs(30);
/// How often the conductor looks around.
const TICK: Duration = Duration::from_millis(50);
/// Between looks the caller hears of the progress this often.
const TICKS_PER_REPORT: u32 = 5;
/// The head start of the pacer over the first message.
const LEAD: Duration = Duration::from_millis(20);

/// A window that was interrupted before this has nothing to report.
const WINDOW_MIN: Duration = Duration::from_secs(1);

/// How long the last messages may take to arrive after the window has closed.
fn drain_max(poll_interval: Duration) -> Duration {
    (3 * poll_interval).max(Duration::from_secs(3))
}

/// All counters at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Reading {
    pub(crate) server: Option<Usage>,
    pub(crate) generator: Usage,
    pub(crate) machine_cpu_us: Option<u64>,
    pub(crate) requests: u64,
    pub(crate) bytes_sent: u64,
    pub(crate) bytes_received: u64,
}

/// What was read from outside while the people talked.
#[derive(Debug, Clone)]
pub(crate) struct Observed {
    /// The window, in microseconds on the clock of the run.
    pub(crate) window: Range<u64>,
    /// Everybody connected and paired, nobody speaking yet.
    pub(crate) gathered: Reading,
    pub(crate) opened: Reading,
    pub(crate) closed: Reading,
    /// Ctrl-C closed the window before its time.
    pub(crate) interrupted: bool,
}

/// Why a run ended before its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Halt {
    /// Ctrl-C.
    Interrupted,
    /// The run cannot go on, and why.
    Failed(String),
}

/// Leads one run.
pub(crate) struct Conductor<'a, P> {
    pub(crate) stage: &'a Arc<Stage>,
    pub(crate) target: &'a mut Target,
    pub(crate) duration: Duration,
    pub(crate) progress: P,
}

impl<P: Fn(Phase)> Conductor<'_, P> {
    /// All phases but the last; the caller stops the stage.
    pub(crate) async fn conduct(mut self, schedule: Schedule) -> Result<Observed, Halt> {
        let users = u64::from(schedule.people);
        self.gather(users).await?;
        self.wait(SETTLE, |_| Phase::Settling).await?;
        let gathered = self.read();

        let clock = self.stage.start_clock(LEAD);
        let started = Instant::now() + LEAD;
        let ringing = Arc::clone(self.stage);
        let pacer = Pacer::start(schedule.due, clock, move |due| ringing.ring(due))
            .map_err(|error| Halt::Failed(format!("cannot start the pacer: {error}")))?;
        self.wait_until(started + WARM_UP, |_| Phase::Settling).await?;
        let opened = self.read();
        let duration = self.duration;
        let received_before = self.stage.ledger.received();
        self.stage.live.begin();
        let measuring = self.wait_until(started + WARM_UP + duration, |stage| Phase::Measuring {
            elapsed: started.elapsed().saturating_sub(WARM_UP).min(duration),
            duration,
            received: stage.ledger.received() - received_before,
            percentiles_us: stage.live.percentiles_us(),
        });
        let interrupted = match measuring.await {
            Err(Halt::Interrupted) if started.elapsed() >= WARM_UP + WINDOW_MIN => true,
            ended => ended.map(|()| false)?,
        };
        // What is due after an interruption is not said any more.
        drop(pacer);
        let end_us = if interrupted { clock.now_us() } else { micros(WARM_UP + duration) };
        let unsaid = if interrupted { self.stage.ledger.due_from(end_us) } else { 0 };
        let closed = self.read();
        self.drain(unsaid, interrupted).await?;
        let window = micros(WARM_UP)..end_us;
        Ok(Observed { window, gathered, opened, closed, interrupted })
    }

    /// Until everybody is connected and has a partner; one of an odd number has none.
    async fn gather(&mut self, users: u64) -> Result<(), Halt> {
        let starting = Duration::from_secs_f64(users as f64 / self.stage.route.arrival_rate);
        let deadline = Instant::now() + starting + GATHER_WAIT_MAX;
        let paired_max = users - users % 2;
        let mut ticks = 0;
        loop {
            let connected = self.stage.connected.load(Ordering::Relaxed);
            let paired = self.stage.paired.load(Ordering::Relaxed);
            if connected == users && paired >= paired_max {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(Halt::Failed(format!(
                    "{connected} of {users} people connected and {paired} found a partner within \
                     {} s",
                    (starting + GATHER_WAIT_MAX).as_secs()
                )));
            }
            self.tick(&mut ticks, |_| Phase::Connecting { connected, paired, users }).await?;
        }
    }

    /// Until nothing is under way any more but what is never said, or the time for it is over.
    async fn drain(&mut self, unsaid: u64, interrupted: bool) -> Result<(), Halt> {
        let deadline = Instant::now() + drain_max(self.stage.route.poll_interval);
        let open = |stage: &Stage| stage.ledger.open().saturating_sub(unsaid);
        let mut ticks = 0;
        while open(self.stage) > 0 && Instant::now() < deadline {
            match self.tick(&mut ticks, |stage| Phase::Draining { open: open(stage) }).await {
                Err(Halt::Interrupted) if interrupted => sleep(TICK).await,
                ticked => ticked?,
            }
        }
        Ok(())
    }

    async fn wait(&mut self, time: Duration, phase: impl Fn(&Stage) -> Phase) -> Result<(), Halt> {
        self.wait_until(Instant::now() + time, phase).await
    }

    async fn wait_until(
        &mut self,
        end: Instant,
        phase: impl Fn(&Stage) -> Phase,
    ) -> Result<(), Halt> {
        let mut ticks = 0;
        while end - Instant::now() > TICK {
            self.tick(&mut ticks, &phase).await?;
        }
        sleep_until(end).await;
        Ok(())
    }

    async fn tick(&mut self, ticks: &mut u32, phase: impl Fn(&Stage) -> Phase) -> Result<(), Halt> {
        if goose::is_killswitch_triggered() {
            return Err(Halt::Interrupted);
        }
        if let Some(why) = self.stage.failure().or_else(|| self.target.ended()) {
            return Err(Halt::Failed(why));
        }
        if ticks.is_multiple_of(TICKS_PER_REPORT) {
            (self.progress)(phase(self.stage));
        }
        *ticks += 1;
        sleep(TICK).await;
        Ok(())
    }

    fn read(&self) -> Reading {
        Reading {
            server: self.target.usage(),
            generator: process::usage_of_self().unwrap_or_default(),
            machine_cpu_us: process::usage_of_machine_us().ok(),
            requests: self.stage.requests.load(Ordering::Relaxed),
            bytes_sent: self.stage.bytes.sent.load(Ordering::Relaxed),
            bytes_received: self.stage.bytes.received.load(Ordering::Relaxed),
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).expect("a run is at most an hour")
}
