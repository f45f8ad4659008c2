//! The phases of one run, in order, each with a limit.
//!
//! ```text
//! connect -> pair -> settle -> warm-up | window | drain -> everybody leaves
//!                              ^ the schedule begins
//! ```
//!
//! Where several generators share the crowd, the schedule begins at a time that was agreed upon, and
//! the drain takes its whole time: no generator knows when the others' messages have arrived.
//!
//! Where the run cannot go on once the window is open, what was measured until then is kept. A window
//! whose server is gone keeps its length: what was due in the rest of it is not delivered either.
//!
//! The schedule runs through warm-up and window without a break, so that the window opens on a
//! server in its steady state: as many messages are under way at its start as at its end.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hdrhistogram::Histogram;
use tokio::time::{Instant, sleep, sleep_until};

use super::stage::Stage;
use crate::hiccups::Hiccups;
use crate::interrupt;
use crate::pacer::Pacer;
use crate::process::{self, Usage};
use crate::schedule::Schedule;
use crate::target::Target;
use crate::{LoadError, Phase};

/// How long everybody is quiet before the first message, so that the crowd's arrival is over.
const SETTLE: Duration = Duration::from_millis(500);
/// How long people may take to connect and to find partners, besides the time to start them all.
const GATHER_WAIT_MAX: Duration = Duration::from_secs(30);
/// How often the conductor looks around.
const TICK: Duration = Duration::from_millis(50);
/// Between looks the caller hears of the progress this often.
const TICKS_PER_REPORT: u32 = 5;
/// How long after the last answer of a server its end shows at the latest.
const SEEN_WITHIN: Duration = Duration::from_millis(500);
/// The head start of the pacer over the first message.
const LEAD: Duration = Duration::from_millis(20);

/// A window that was interrupted before this has nothing to report.
const WINDOW_MIN: Duration = Duration::from_secs(1);

/// The people of this generator.
#[derive(Debug, Clone, Copy)]
struct Crowd {
    people: u64,
    /// Those of them who find a partner at least: one of an odd number of all people finds none.
    paired_min: u64,
}

impl Crowd {
    fn new(own: u32, all: u32) -> Self {
        Self { people: u64::from(own), paired_min: u64::from(own.saturating_sub(all % 2)) }
    }

    fn is_together(self, connected: u64, paired: u64) -> bool {
        connected == self.people && paired >= self.paired_min
    }
}

/// How long the last messages may take to arrive after the window has closed.
pub(crate) fn drain_max(poll_interval: Duration) -> Duration {
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
    /// The end of the drain, in microseconds on the clock of the run.
    pub(crate) drained_us: u64,
    /// Everybody connected and paired, nobody speaking yet.
    pub(crate) gathered: Reading,
    pub(crate) opened: Reading,
    pub(crate) closed: Reading,
    /// How late this process was woken while the window was open, in microseconds.
    pub(crate) hiccups: Histogram<u64>,
    /// What ended it before its time, if anything did.
    pub(crate) halt: Option<Halt>,
}

/// Why a run ended before its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Halt {
    /// Ctrl-C.
    Interrupted,
    /// The generator cannot go on, and why.
    Failed(String),
    /// The server is gone, and how that showed.
    Gone(String),
}

impl Halt {
    /// The same, of the trial with this label.
    pub(crate) fn into_error(self, label: &str) -> LoadError {
        let transport = label.to_owned();
        match self {
            Self::Interrupted => LoadError::Interrupted,
            Self::Failed(why) => LoadError::Failed { transport, why },
            Self::Gone(why) => LoadError::Gone { transport, why },
        }
    }
}

/// Leads one run.
pub(crate) struct Conductor<'a, P> {
    pub(crate) stage: &'a Arc<Stage>,
    pub(crate) target: &'a mut Target,
    /// How long messages flow before the window opens.
    pub(crate) warm_up: Duration,
    pub(crate) duration: Duration,
    /// When the schedule begins, where several generators agreed upon that.
    pub(crate) start: Option<Instant>,
    pub(crate) progress: P,
}

impl<P: Fn(Phase)> Conductor<'_, P> {
    /// All phases but the last; the caller stops the stage.
    pub(crate) async fn conduct(mut self, schedule: Schedule) -> Result<Observed, Halt> {
        let shard = self.stage.ledger.shard;
        let crowd = Crowd::new(shard.people(schedule.people), schedule.people);
        self.gather(crowd).await?;
        let started = self.settle(crowd).await?;
        let gathered = self.read();

        let clock = self.stage.start_clock(started);
        let ringing = Arc::clone(self.stage);
        let mut due = schedule.due;
        due.retain(|due| shard.owns(due.person));
        let pacer = Pacer::start(due, clock, move |due| ringing.ring(due))
            .map_err(|error| Halt::Failed(format!("cannot start the pacer: {error}")))?;
        let opens = started + self.warm_up;
        self.wait_until(opens, |_| Phase::Settling).await?;
        let opened = self.read();
        let hiccups = Hiccups::start()
            .map_err(|error| Halt::Failed(format!("cannot start a thread: {error}")))?;
        let duration = self.duration;
        let received_before = self.stage.ledger.received();
        self.stage.live.begin();
        let measuring = self.wait_until(opens + duration, |stage| Phase::Measuring {
            elapsed: opens.elapsed().min(duration),
            duration,
            received: stage.ledger.received() - received_before,
            percentiles_us: stage.live.percentiles_us(),
        });
        let mut halt = measuring.await.err();
        let begin_us = clock.reading_of(opens);
        let end_us = match &halt {
            None | Some(Halt::Gone(_)) => begin_us + micros(duration),
            Some(halt) if opens.elapsed() < WINDOW_MIN => return Err(halt.clone()),
            Some(Halt::Interrupted | Halt::Failed(_)) => clock.now_us(),
        };
        // What is due after an early end is not said any more; what was due before is, however late.
        let pacer = halt.is_none().then_some(pacer);
        let closed = self.read();
        let hiccups = hiccups.finish();
        self.drain(self.stage.ledger.due_from(end_us), &mut halt).await;
        drop(pacer);
        if matches!(halt, Some(Halt::Gone(_))) {
            self.stage.ledger.pass(end_us);
        }
        let (window, drained_us) = (begin_us..end_us, clock.now_us());
        Ok(Observed { window, drained_us, gathered, opened, closed, hiccups, halt })
    }

    /// Until everybody is connected and has a partner; one of an odd number has none.
    async fn gather(&mut self, crowd: Crowd) -> Result<(), Halt> {
        let users = crowd.people;
        let starting = Duration::from_secs_f64(users as f64 / self.stage.route.arrival_rate);
        let wait_max = match self.start {
            None => starting + GATHER_WAIT_MAX,
            Some(start) => (start - SETTLE).saturating_duration_since(Instant::now()),
        };
        let deadline = Instant::now() + wait_max;
        let mut ticks = 0;
        loop {
            let (connected, paired) = self.present();
            if crowd.is_together(connected, paired) {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(self.incomplete(crowd, wait_max));
            }
            self.tick(&mut ticks, |_| Phase::Connecting { connected, paired, users }).await?;
        }
    }

    /// Until the schedule may begin; when it does, which is a moment later.
    async fn settle(&mut self, crowd: Crowd) -> Result<Instant, Halt> {
        let Some(start) = self.start else {
            self.wait(SETTLE, |_| Phase::Settling).await?;
            return Ok(Instant::now() + LEAD);
        };
        let waiting = |_: &Stage| Phase::Waiting { left: start - Instant::now() };
        self.wait_until(start - LEAD, waiting).await?;
        // Another generator that was not ready has left, and its people with it.
        let (connected, paired) = self.present();
        match crowd.is_together(connected, paired) {
            true => Ok(start),
            false => Err(self.incomplete(crowd, Duration::ZERO)),
        }
    }

    fn present(&self) -> (u64, u64) {
        let Stage { connected, paired, .. } = &**self.stage;
        (connected.load(Ordering::Relaxed), paired.load(Ordering::Relaxed))
    }

    fn incomplete(&self, crowd: Crowd, waited: Duration) -> Halt {
        let (connected, paired) = self.present();
        let when = match self.start {
            None => format!("within {} s", waited.as_secs()),
            Some(_) => {
                "before the start; do all shards run, and do they start early enough?".into()
            }
        };
        let people = crowd.people;
        Halt::Failed(format!(
            "{connected} of {people} people connected and {paired} found a partner {when}"
        ))
    }

    /// Until nothing is under way any more but what is never said, or the time for it is over; for
    /// others' messages the whole time. The first thing that goes wrong meanwhile is kept in `halt`;
    /// a server that is gone is not waited for.
    async fn drain(&mut self, unsaid: u64, halt: &mut Option<Halt>) {
        let deadline = Instant::now() + drain_max(self.stage.route.poll_interval);
        let open = |stage: &Stage| stage.ledger.open().saturating_sub(unsaid);
        let mut ticks = 0;
        let is_shared = !self.stage.ledger.shard.is_whole();
        loop {
            let checked = self.check().await;
            let is_gone = matches!(checked, Err(Halt::Gone(_)));
            if let Err(met) = checked {
                halt.get_or_insert(met);
            }
            let is_over = !is_shared && open(self.stage) == 0;
            if is_gone || is_over || Instant::now() >= deadline {
                return;
            }
            self.report(&mut ticks, |stage| Phase::Draining { open: open(stage) });
            sleep(TICK).await;
        }
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
        self.check().await?;
        self.report(ticks, phase);
        sleep(TICK).await;
        Ok(())
    }

    /// Whether the run can go on. A failure of the generator that follows from the end of the server
    /// is the end of the server.
    async fn check(&mut self) -> Result<(), Halt> {
        if interrupt::came() {
            return Err(Halt::Interrupted);
        }
        if let Some(why) = self.target.gone(self.stage.errors_met()) {
            return Err(Halt::Gone(why));
        }
        let Some(why) = self.stage.failure() else { return Ok(()) };
        Err(match self.target.gone_within(SEEN_WITHIN).await {
            Some(gone) => Halt::Gone(gone),
            None => Halt::Failed(why),
        })
    }

    fn report(&self, ticks: &mut u32, phase: impl Fn(&Stage) -> Phase) {
        if ticks.is_multiple_of(TICKS_PER_REPORT) {
            (self.progress)(phase(self.stage));
        }
        *ticks += 1;
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
