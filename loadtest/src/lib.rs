//! The load suite: thousands of real clients over real sockets, and honest latency.
//!
//! [`run`] puts the same people, with the same schedule, on each transport in turn, each time
//! against a server of its own, and gives one [`Series`] a transport. It measures; how a run looks
//! is the business of `reports`, and where it is kept the business of its caller.
//!
//! What makes the latency honest:
//!
//! * Messages are said at times that were decided before ([`schedule`]), and latency counts from
//!   the intended time: a server that stops is charged for what it delayed.
//! * Both ends of every message are in this process, on one clock ([`clock`]).
//! * Every message is accounted for ([`ledger`]), and the figures come from the same books
//!   ([`recorder`]).
//! * The generator judges itself, and says when its own figures must not be trusted
//!   ([`validity`]).
//!
//! Reading order: [`options`], [`trial`] and [`preflight`] (what is asked, one series at a time,
//! and what the machine allows), [`peer`], `limits`, [`target`], `identify`, `probe`, [`cores`] and
//! [`process`] (the server, what it is, whether it is still there, where it runs and what it
//! costs), [`schedule`], [`habits`], [`mix`], [`clock`], [`timer`] and [`pacer`] (when, and who),
//! [`shard`] (who, where several generators share the people), `scenario` (the people, driven by
//! goose), [`counted`] (bytes), [`ledger`], `crossing` (what goes to other generators),
//! [`recorder`], `hiccups`, `sampler`, [`validity`], `series` (the result), [`repeat`] (several
//! times), [`search`] (how much is too much), `live` and [`board`] (for whoever watches).
//! [`selftest`] holds the ruler against known lengths. `saturate` stands apart: what one core
//! carries, beside other servers.

pub mod board;
pub mod clock;
pub mod cores;
pub mod counted;
pub mod habits;
pub mod ledger;
pub mod mix;
pub mod options;
pub mod pacer;
pub mod peer;
pub mod preflight;
pub mod process;
pub mod recorder;
pub mod repeat;
#[cfg(target_os = "linux")]
pub mod saturate;
pub mod schedule;
pub mod search;
pub mod selftest;
pub mod shard;
pub mod target;
pub mod timer;
pub mod trial;
pub mod validity;

mod crossing;
mod hiccups;
mod identify;
mod interrupt;
mod limits;
mod live;
mod missing;
mod name;
mod probe;
mod readers;
mod sampler;
mod scenario;
mod series;

use std::ops::Range;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use goose::GooseError;
use reports::run::{Failure, Series};

pub use options::{Options, OptionsError};
pub use preflight::PreflightError;
pub use reports::Span;
pub use target::{Target, TargetError};
pub use trial::Trial;

use clock::Clock;
use preflight::{Keeping, Sources};
use scenario::{Conductor, Halt, Observed, Route, Stage};
use schedule::Schedule;
use shard::Start;

/// What a run measured.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    /// One series per trial that was measured, in the order of the options. The last one before an
    /// interruption, and one that failed, may cover a shorter window than was asked for.
    pub series: Vec<Series>,
    /// The trials that were not measured, or not to the end.
    pub failures: Vec<Failure>,
    /// Ctrl-C ended it before its time.
    pub interrupted: bool,
}

/// Where a run is; told a few times a second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The trial that runs now, by its label.
    pub transport: Arc<str>,
    /// What is going on.
    pub phase: Phase,
}

/// What is going on in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// A server is being started.
    Starting,
    /// People connect and find partners.
    Connecting {
        /// People with an open session.
        connected: u64,
        /// People with a partner.
        paired: u64,
        /// All people.
        users: u64,
    },
    /// Everybody is there, and the start that the generators agreed upon is awaited.
    Waiting {
        /// Time until it.
        left: Duration,
    },
    /// The crowd settles and the first messages flow; nothing is measured yet.
    Settling,
    /// The window is open.
    Measuring {
        /// Time since it opened.
        elapsed: Duration,
        /// Its length.
        duration: Duration,
        /// Messages received since it opened.
        received: u64,
        /// Median and 99th percentile of the latency since it opened, in microseconds, to an
        /// eighth; none before the first message.
        percentiles_us: Option<[u64; 2]>,
    },
    /// The window is closed and the last messages are awaited.
    Draining {
        /// Messages that are still under way.
        open: u64,
    },
    /// Everybody has left.
    Finished,
}

/// A run that could not be made, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// An option cannot be meant.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// The machine does not allow it.
    #[error(transparent)]
    Preflight(#[from] PreflightError),
    /// There is no server.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// It began and could not go on.
    #[error("{transport}: {why}")]
    Failed {
        /// The trial that ran, by its label.
        transport: String,
        /// What happened.
        why: String,
    },
    /// The server was gone before anything was measured, or while it was.
    #[error("{transport}: {why}")]
    Gone {
        /// The trial that ran, by its label.
        transport: String,
        /// How that showed.
        why: String,
    },
    /// Ctrl-C, before anything was measured.
    #[error("interrupted before anything was measured")]
    Interrupted,
    /// Goose refused.
    #[error("goose: {0}")]
    Goose(#[from] Box<GooseError>),
}

impl LoadError {
    /// True when the fault lies with the options or the environment, so that nothing was run.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Options(_) | Self::Preflight(_) | Self::Target(_))
    }

    /// What happened, without the name of the trial.
    fn why(&self) -> String {
        match self {
            Self::Failed { why, .. } | Self::Gone { why, .. } => why.clone(),
            error => error.to_string(),
        }
    }

    /// The failure of the trial with this label.
    fn of_trial(&self, label: &str) -> Failure {
        Failure { transport: label.to_owned(), why: self.why() }
    }
}

impl Measured {
    fn is_empty(&self) -> bool {
        self.series.is_empty() && self.failures.is_empty()
    }
}

/// Runs each trial of `options` in turn and gives one series for each, in the same order.
///
/// It needs a tokio runtime with time and I/O, ends within two seconds and the drain after the
/// last window, and leaves no process behind. Ctrl-C ends it early, with what was measured until
/// then; goose installs the handler, and a second Ctrl-C ends the process at once. A trial that
/// fails is listed in [`Measured::failures`] and the next one begins.
///
/// # Errors
///
/// The options, the machine or the target do not allow the first trial, or Ctrl-C came before
/// anything was measured.
pub async fn run(options: &Options, progress: impl Fn(Progress)) -> Result<Measured, LoadError> {
    options.validate()?;
    run_trials(options, &options.trials(), progress).await
}

/// The same for these trials of `options` only.
///
/// # Errors
///
/// As [`run`].
pub async fn run_trials(
    options: &Options,
    trials: &[Trial],
    progress: impl Fn(Progress),
) -> Result<Measured, LoadError> {
    options.validate()?;
    for trial in trials {
        keeping(options, trial)?;
    }
    let first = options.start()?;
    let mut measured = Measured::default();
    for (trial, nth) in trials.iter().zip(0..) {
        let start = first.map(|first| first.after(options.slot() * nth));
        match run_one(options, trial, start, &progress).await {
            Ok(one) => {
                measured.interrupted = one.is_interrupted();
                measured.failures.extend(one.failure().map(|error| error.of_trial(&trial.label)));
                measured.series.push(one.series);
            }
            Err(error @ (LoadError::Failed { .. } | LoadError::Gone { .. })) => {
                measured.failures.push(error.of_trial(&trial.label));
            }
            Err(error) if measured.is_empty() => return Err(error),
            Err(LoadError::Interrupted) => measured.interrupted = true,
            Err(error) => measured.failures.push(error.of_trial(&trial.label)),
        }
        if measured.interrupted {
            break;
        }
    }
    Ok(measured)
}

/// One transport of a run.
struct One {
    series: Series,
    /// What ended it before its time, if anything did.
    halt: Option<Halt>,
    /// What its schedule went by.
    clock: Clock,
    /// When it was measured, in microseconds on that clock.
    window: Range<u64>,
}

impl One {
    fn is_interrupted(&self) -> bool {
        self.halt == Some(Halt::Interrupted)
    }

    /// Why it ended before its time, unless Ctrl-C ended it.
    fn failure(&self) -> Option<LoadError> {
        let halt = self.halt.clone().filter(|halt| *halt != Halt::Interrupted)?;
        Some(halt.into_error(&self.series.transport))
    }
}

/// Runs a trial of options that are valid.
async fn run_one(
    options: &Options,
    trial: &Trial,
    start: Option<Start>,
    progress: impl Fn(Progress),
) -> Result<One, LoadError> {
    interrupt::listen();
    let report = |phase| {
        options.board.enter(&trial.label, phase);
        progress(Progress { transport: Arc::clone(&trial.label), phase });
    };
    run_trial(options, trial, start, report).await
}

async fn run_trial(
    options: &Options,
    trial: &Trial,
    start: Option<Start>,
    progress: impl Fn(Phase),
) -> Result<One, LoadError> {
    progress(Phase::Starting);
    let mut target = server_of(options, trial).await?;
    let idle = target.usage();
    let generator_idle = process::usage_of_self().unwrap_or_default();
    let schedule = options.schedule();
    let shard = options.shard();
    // A number that no other run has at the same time tells our messages from those of an earlier
    // run on a server that lives longer.
    let run = start.map_or_else(rand::random, |start| start.run_id(options.seed));
    let stage = Arc::new(Stage::new(run, route(options, trial, &target)?, &schedule, shard));
    options.board.watch(Arc::downgrade(&stage));
    let conductor = Conductor {
        stage: &stage,
        target: &mut target,
        warm_up: options.warm_up.0,
        duration: options.duration.0,
        start: start.map(Start::instant),
        progress: &progress,
    };
    let server = conductor.target.process_id();
    let sampling = tokio::spawn(sampler::watch(Arc::clone(&stage), options.warm_up.0, server));
    let performed = perform(&stage, conductor, schedule).await;
    stage.stop();
    let used = sampling.await.unwrap_or_default();
    let (observed, counted_by_goose) = performed?;
    progress(Phase::Finished);
    let (halt, window) = (observed.halt.clone(), observed.window.clone());
    let run = series::Finished {
        options,
        trial,
        stage: &stage,
        idle,
        generator_idle,
        observed,
        counted_by_goose,
        used,
    };
    let clock = stage.clock().expect("it was started when the people were together");
    Ok(One { series: run.into_series(), halt, clock, window })
}

/// The server of a trial.
async fn server_of(options: &Options, trial: &Trial) -> Result<Target, TargetError> {
    match (&options.target, trial.peer) {
        (_, Some(_)) => Target::spawn(&options.peer_command, &[], options.cores).await,
        (Some(url), None) => {
            let mut target = Target::attach(url).await?;
            target.recognise(trial.mix.heaviest()).await?;
            Ok(target)
        }
        (None, None) => {
            Target::spawn(&options.server_command, &limits::server_limits(options), options.cores)
                .await
        }
    }
}

/// Goose and the conductor side by side, until both are done; what the conductor saw, and how
/// many messages goose counted. Whoever else watches the stage is stopped by the caller.
async fn perform(
    stage: &Arc<Stage>,
    conductor: Conductor<'_, impl Fn(Phase)>,
    schedule: Schedule,
) -> Result<(Observed, u64), LoadError> {
    let people = stage.ledger.shard.people(schedule.people);
    let attack = scenario::attack(stage, people).map_err(Box::new)?;
    let mut attack = Box::pin(attack.execute());
    let mut conducting = pin!(conductor.conduct(schedule));
    let mut ended = None;
    let observed = tokio::select! {
        observed = &mut conducting => observed,
        metrics = &mut attack => {
            ended = Some(metrics);
            Err(Halt::Interrupted)
        }
    };
    stage.stop();
    let ended = match ended {
        Some(ended) => ended,
        None => end(attack).await,
    };
    goose::reset_killswitch();
    let metrics = ended.map_err(Box::new)?;
    let label = &stage.route.label;
    let observed = observed.map_err(|halt| halt.into_error(label))?;
    Ok((observed, scenario::counted_by_goose(&metrics, label)))
}

/// How long an attack has to end before it is told again.
const TOLD_AGAIN: Duration = Duration::from_millis(100);

/// Ends an attack. One that has not begun yet forgets that it was told to, so it is told again.
async fn end<T>(mut attack: impl Future<Output = T> + Unpin) -> T {
    loop {
        goose::trigger_killswitch("the run is over");
        if let Ok(ended) = tokio::time::timeout(TOLD_AGAIN, &mut attack).await {
            return ended;
        }
    }
}

/// Checks that this machine can hold the connections of every trial.
///
/// # Errors
///
/// It cannot; the error is that of the trial which allows the fewest users.
pub fn check_machine(options: &Options) -> Result<(), PreflightError> {
    let errors = options.trials().into_iter().filter_map(|trial| keeping(options, &trial).err());
    errors.min_by_key(PreflightError::users_max).map_or(Ok(()), Err)
}

fn keeping(options: &Options, trial: &Trial) -> Result<Keeping, PreflightError> {
    let people = options.shard().people(options.users);
    preflight::check_open_files(people, trial.mix.heaviest(), preflight::raise_open_files())
}

fn route(options: &Options, trial: &Trial, target: &Target) -> Result<Route, PreflightError> {
    let keeping = keeping(options, trial)?;
    let per_user = keeping.connections_per_user(trial.mix.heaviest());
    let people = options.shard().people(options.users);
    let connections = u64::from(people) * u64::from(per_user);
    let ports = preflight::ephemeral_ports();
    preflight::check_ports(people, trial.mix.heaviest(), per_user, target.addr.ip(), ports)?;
    Ok(Route {
        label: Arc::clone(&trial.label),
        kinds: trial.mix.draw(options.users, options.seed),
        habits: options.habits(),
        arrival_rate: options.arrival_rate,
        keeping,
        addr: target.addr,
        host: target.host.clone(),
        poll_interval: trial.poll_interval,
        sources: Sources::new(target.addr.ip(), connections, ports),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn options_that_cannot_be_meant_start_nothing() {
        let options = Options { users: 1, ..Options::default() };
        let error = run(&options, |_| panic!("nothing was started")).await.expect_err("one user");
        assert!(error.is_usage());
        assert_eq!(error.to_string(), "--users 1: 2 to 1000000 people can talk");
    }
}
