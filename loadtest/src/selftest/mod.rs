//! The ruler held against known lengths: delays that are injected on purpose, and a freeze.
//!
//! A relay stands between the clients and a server. The percentiles that a run through it must
//! report follow from the relay's delays and from the schedule, to which the way over the loopback
//! adds a fraction of a millisecond. Whoever measures latency from the actual sending, from a
//! first byte, or in a closed loop, reports something else, above all for the freeze.

mod relay;
mod truth;

use std::cell::Cell;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::time::Duration;

use client::TransportKind;
use tokio::time::Instant;

use self::relay::{DelayOf, Relay};
pub use self::truth::Mark;
use crate::options::Options;
use crate::process;
use crate::target::Target;
use crate::{LoadError, One, Phase, Progress};
use reports::Span;

const USERS: u32 = 200;
/// Enough messages in the window for a p99.9, and little enough to do for two cores.
const RATE_PER_S: f64 = 1_500.0;
/// What piles up during a freeze is done in a few milliseconds.
const RATE_PER_S_OF_FREEZE: f64 = 250.0;
/// Cores that other programs must have used for a disturbance to be theirs.
const OTHERS_CORES_MAX: f64 = 0.25;
const WINDOW: Duration = Duration::from_secs(8);
/// The first messages of a new relay take milliseconds longer, and the delay itself keeps them for
/// a while.
const WARM_UP: Duration = Duration::from_secs(3);
/// When in the window the relay stands still, and for how long.
const FREEZE_AFTER: Duration = Duration::from_millis(1_500);
const FREEZE: Duration = Duration::from_secs(2);
/// Delays of which a hundredth is more than the way over the loopback takes.
const DELAY: Duration = Duration::from_millis(500);
const DELAY_OF_A_TENTH: Duration = Duration::from_millis(2_000);

/// A known length, and what the ruler said of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// What was injected, in words.
    pub name: &'static str,
    /// The transport that was measured.
    pub transport: &'static str,
    /// Percentiles that were injected and reported.
    pub marks: Vec<Mark>,
    /// How often it was measured.
    pub tries: u32,
}

/// What the ruler said of the known lengths.
#[derive(Debug, Default)]
pub struct Checked {
    /// The lengths that were measured.
    pub cases: Vec<Case>,
    /// Why the others were not.
    pub ended_by: Option<LoadError>,
}

impl Case {
    /// True when every percentile was reported as it was injected.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.marks.iter().all(Mark::holds)
    }

    /// What two measurements together tell of each length.
    fn and(self, other: Self) -> Self {
        let both = self.marks.into_iter().zip(other.marks);
        let marks = both.map(|(mark, other)| mark.telling(other)).collect();
        Self { marks, tries: self.tries + other.tries, ..other }
    }
}

/// How often a length is measured that is not reported as it was injected: a ruler that is off is
/// off each time, a machine that others use too is not.
const TRIES_MAX: u32 = 6;

/// What is done to the run.
#[derive(Debug, Clone, Copy)]
enum Injection {
    Delay(DelayOf),
    Freeze,
}

struct Plan {
    name: &'static str,
    transport: TransportKind,
    injection: Injection,
}

const PLANS: [Plan; 5] = [
    Plan {
        name: "everybody 500 ms",
        transport: TransportKind::Websocket,
        injection: Injection::Delay(|_| DELAY),
    },
    Plan {
        name: "a tenth 2 s, the others 500 ms",
        transport: TransportKind::Websocket,
        injection: Injection::Delay(|nth| if nth % 10 == 0 { DELAY_OF_A_TENTH } else { DELAY }),
    },
    Plan {
        name: "everybody 500 ms",
        transport: TransportKind::SocketioWebsocket,
        injection: Injection::Delay(|_| DELAY),
    },
    Plan {
        name: "a freeze of 2 s",
        transport: TransportKind::Websocket,
        injection: Injection::Freeze,
    },
    Plan {
        name: "a freeze of 2 s",
        transport: TransportKind::LongPoll,
        injection: Injection::Freeze,
    },
];

/// Measures every known length against servers that `server_command` starts; about two minutes, and up to six times
/// as long where the machine is busy.
///
/// What could not be measured ends it, with the cases before.
///
/// # Errors
///
/// As [`crate::run`], where there is no case at all. A ruler that is off is no error but a case that
/// has not passed.
pub async fn run(
    server_command: &[OsString],
    progress: impl Fn(Progress),
) -> Result<Checked, LoadError> {
    let _enough_for_the_few = crate::preflight::raise_open_files();
    let mut checked = Checked::default();
    for plan in &PLANS {
        let mut case: Option<Case> = None;
        while case.as_ref().is_none_or(|case| !case.passed() && case.tries < TRIES_MAX) {
            match measure(plan, server_command, &progress).await {
                Ok(again) => {
                    case = Some(match case {
                        Some(case) => case.and(again),
                        None => again,
                    });
                }
                Err(error) => {
                    checked.cases.extend(case);
                    if checked.cases.is_empty() {
                        return Err(error);
                    }
                    return Ok(Checked { ended_by: Some(error), ..checked });
                }
            }
        }
        checked.cases.extend(case);
    }
    Ok(checked)
}

async fn measure(
    plan: &Plan,
    server_command: &[OsString],
    progress: &impl Fn(Progress),
) -> Result<Case, LoadError> {
    let transport = plan.transport;
    let mut options = options(plan);
    let server =
        Target::spawn(server_command, &crate::limits::server_limits(&options), None).await?;
    let (relay, delay_of) = stand_between(server.addr, plan).await?;
    options.target = Some(format!("http://{}", relay.addr));
    let frozen = Cell::new(None);
    let report = |phase| {
        progress(Progress { transport: transport.name().into(), phase });
        if is_time_to_freeze(plan, phase) && frozen.get().is_none() {
            frozen.set(Some(relay.freeze(FREEZE)));
        }
    };
    let before = Effort::read(&server);
    let trial = options.trials().remove(0);
    let one = crate::run_trial(&options, &trial, None, report).await?;
    if one.is_interrupted() {
        return Err(LoadError::Interrupted);
    }
    if let Some(failure) = one.failure() {
        return Err(failure);
    }
    let mut invalid: Vec<String> = one.series.invalid.iter().map(|it| it.text.clone()).collect();
    invalid.extend(Effort::read(&server).disturbance_since(&before));
    let mut marks = match frozen.get() {
        Some(frozen) => freeze_marks(&options, &one, frozen),
        None => truth::delays(&one.series.latency_us, (0..u64::from(USERS)).map(delay_of)),
    };
    for mark in marks.iter_mut().filter(|mark| !mark.holds()) {
        let woken_late = mark.excuse(&one.series.hiccups_us);
        mark.excuses = invalid.iter().cloned().chain(woken_late).collect();
    }
    Ok(Case { name: plan.name, transport: transport.name(), marks, tries: 1 })
}

/// What this machine has done so far.
struct Effort {
    at: Instant,
    all_us: u64,
    own_us: u64,
}

impl Effort {
    fn read(server: &Target) -> Self {
        let generator = process::usage_of_self().unwrap_or_default();
        let own_us = generator.cpu_us + server.usage().unwrap_or_default().cpu_us;
        let all_us = process::usage_of_machine_us().unwrap_or_default();
        Self { at: Instant::now(), all_us, own_us }
    }

    /// Who else was busy: somebody must be to blame for a delay that nobody injected.
    fn disturbance_since(&self, before: &Self) -> Option<String> {
        let all_us = self.all_us - before.all_us;
        let others_us = all_us.saturating_sub(self.own_us - before.own_us);
        let cores = others_us as f64 / (self.at - before.at).as_micros() as f64;
        (cores > OTHERS_CORES_MAX)
            .then(|| format!("other programs used {cores:.1} cores meanwhile"))
    }
}

fn options(plan: &Plan) -> Options {
    let rate = match plan.injection {
        Injection::Delay(_) => RATE_PER_S,
        Injection::Freeze => RATE_PER_S_OF_FREEZE,
    };
    Options {
        transports: vec![plan.transport.into()],
        users: USERS,
        rate: Some(rate),
        duration: Span(WINDOW),
        warm_up: Span(WARM_UP),
        ..Options::default()
    }
}

async fn stand_between(server: SocketAddr, plan: &Plan) -> Result<(Relay, DelayOf), LoadError> {
    let delay_of: DelayOf = match plan.injection {
        Injection::Delay(delay_of) => delay_of,
        Injection::Freeze => |_| Duration::ZERO,
    };
    let relay = Relay::start(server, delay_of).await.map_err(|error| LoadError::Failed {
        transport: plan.transport.name().to_owned(),
        why: format!("cannot start the relay: {error}"),
    })?;
    Ok((relay, delay_of))
}

fn is_time_to_freeze(plan: &Plan, phase: Phase) -> bool {
    let is_late = matches!(phase, Phase::Measuring { elapsed, .. } if elapsed >= FREEZE_AFTER);
    matches!(plan.injection, Injection::Freeze) && is_late
}

/// Each message of the window that was due while nothing moved waits until that is over.
fn freeze_marks(options: &Options, one: &One, (from, until): (Instant, Instant)) -> Vec<Mark> {
    let due = options.schedule().due.into_iter().map(|due| due.at_us);
    let intended_us: Vec<u64> = due.filter(|at_us| one.window.contains(at_us)).collect();
    let frozen = one.clock.reading_of(from)..one.clock.reading_of(until);
    truth::freeze(&one.series.latency_us, &intended_us, &frozen)
}
