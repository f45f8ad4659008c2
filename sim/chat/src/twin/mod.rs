//! A plan run against a real server: the twin of a simulation, which shows whether what holds in
//! the simulated network holds in this one.
//!
//! ```text
//!   this process                                    its child
//!   people (the same workload) ── loopback TCP ──── racetrack serve, all its threads
//!        └── History ── the same checkers                ^
//!   nemesis: RST, FIN, silence, storms ... and signals ──┘
//! ```
//!
//! Time is real: a plan of ten seconds takes ten. What a machine does not let a program do to its
//! own loopback without being its administrator is left out, and said: latencies, partitions,
//! black holes, and a wall clock that jumps. Real time is not exact, so the bounds of the checkers
//! are wider; a seed is no proof here, and the same one may go differently each time.
//!
//! In reading order: `process` is the server's process, `loopback` carries the bytes and breaks
//! connections, `nemesis` says when.

pub(crate) mod loopback;
mod nemesis;
mod process;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use jiff::Timestamp;
use racetrack_sim::FaultCount;
use racetrack_sim::report::fault_counts;
use racetrack_sim::run::EPOCH_MS;
use tokio::runtime;
use tokio::sync::watch;
use tokio::task::{JoinSet, LocalSet};

use crate::checker::{self, Violation};
use crate::fault::ChatFaultKind;
use crate::history::{Event, Kind, Op, Phase, Recorder};
use crate::medium::Medium;
use crate::model::Chat;
use crate::operator::{self, OPERATOR, SCRAPE_MS};
use crate::plan::{Action, Plan};
use crate::workload;

use loopback::Loopback;
use nemesis::Nemesis;
use process::Servers;

/// How much slower than planned a real machine may be at everything, in milliseconds.
const SLACK_MS: u64 = 200;
/// How exact its timers are, in milliseconds.
const GRAIN_MS: u64 = 20;
/// What a real machine gets beyond the plan to come to rest, and to forget: processes start in it.
const REST_MS: u64 = 1_500;
/// The phase changes this long before people act on it.
const BEFORE_MS: u64 = 50;
/// What a run may take beyond its plan: starting processes, ending them.
const BEYOND_MAX: Duration = Duration::from_secs(30);

/// What a run left behind.
#[derive(Debug, Clone)]
pub struct Twin {
    /// The plan as it ran: without the faults that are left out, with the slack of a real machine.
    pub plan: Plan,
    /// What happened.
    pub history: Vec<Event>,
    /// What should not have.
    pub violations: Vec<Violation>,
    /// Faults by kind.
    pub faults: BTreeMap<ChatFaultKind, FaultCount>,
    /// How many faults of the plan were left out, by kind.
    pub left_out: BTreeMap<ChatFaultKind, u64>,
}

/// Runs a plan against processes of `program serve`, on the loopback of this machine, and checks
/// what happened. It takes as long as the plan, and no process is left when it returns. Nothing
/// is returned when `stop` became true before the plan was over.
///
/// # Errors
///
/// The program cannot be started, or does not become a server.
pub fn twin(plan: &Plan, program: &Path, stop: watch::Receiver<bool>) -> io::Result<Option<Twin>> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, run(plan, program, stop))
}

async fn run(
    plan: &Plan,
    program: &Path,
    mut stop: watch::Receiver<bool>,
) -> io::Result<Option<Twin>> {
    let (plan, left_out) = possible(plan);
    let plan = Rc::new(plan);
    let loopback = Loopback::default();
    let servers = Rc::new(Servers::start(program, &plan, loopback.clone()).await?);
    let recorder = Recorder::in_real_time();
    let began = Timestamp::now();
    let time_max = Duration::from_millis(plan.settings.ended_ms()) + BEYOND_MAX;
    let acted = act(Rc::clone(&plan), &loopback, Rc::clone(&servers), &recorder);
    let acted = tokio::select! {
        biased;
        // Whoever holds the other end and lets it go has no reason to stop any more.
        Ok(_) = stop.wait_for(|stop| *stop) => {
            servers.kill().await;
            return Ok(None);
        }
        acted = tokio::time::timeout(time_max, acted) => acted,
    };
    let mut violations = match acted {
        Ok(Ok(())) => Vec::new(),
        Ok(Err(error)) => vec![live(format!("the server is out of reach: {error}"))],
        Err(_) => vec![live(format!("the run did not end within {time_max:?}"))],
    };
    violations.extend(servers.end().await.into_iter().map(live));
    let mut history = recorder.take();
    history.iter_mut().for_each(|event| rebase(event, began));
    if violations.is_empty() {
        violations = checker::check(&plan, &history);
    }
    let faults = fault_counts::<Chat>(&plan, &history);
    Ok(Some(Twin { plan: Plan::clone(&plan), history, violations, faults, left_out }))
}

/// The plan, as far as a loopback allows it, and how much of it that is not.
fn possible(plan: &Plan) -> (Plan, BTreeMap<ChatFaultKind, u64>) {
    let mut possible = plan.clone();
    let settings = &mut possible.settings;
    settings.latency_ms_max = SLACK_MS;
    settings.tick_ms = GRAIN_MS;
    settings.settle_ms += REST_MS;
    settings.forget_ms += REST_MS;
    // A loopback always tells that somebody is gone, and no program here hangs alone.
    for step in &mut possible.steps {
        if matches!(step.action, Action::PowerCut | Action::Hang) {
            step.action = Action::Vanish;
        }
    }
    let mut left_out = BTreeMap::new();
    possible.faults.retain(|fault| {
        let is_possible = nemesis::is_possible(fault.kind);
        if !is_possible {
            *left_out.entry(fault.kind).or_default() += 1;
        }
        is_possible
    });
    (possible, left_out)
}

/// Everything that happens, in the phases of a simulation.
async fn act(
    plan: Rc<Plan>,
    loopback: &Loopback,
    servers: Rc<Servers>,
    recorder: &Recorder,
) -> io::Result<()> {
    let settings = plan.settings;
    let mut people = JoinSet::new();
    for place in 0..plan.clients.len() {
        let (plan, recorder) = (Rc::clone(&plan), recorder.clone());
        let medium = Medium::Real(loopback.clone());
        people.spawn_local(async move {
            workload::user(&plan, &plan.clients[place], &medium, &recorder).await;
        });
    }
    let nemesis = Nemesis::new(Rc::clone(&plan), loopback.clone(), servers, recorder.clone());
    Rc::new(nemesis).disturb().await?;
    recorder.until(settings.healed_ms()).await;
    for person in &plan.clients {
        loopback.untrap(&person.name);
        loopback.resume_reads(&person.name);
    }
    enter(recorder, Phase::Healed);
    recorder.until(settings.settled_ms() - BEFORE_MS).await;
    enter(recorder, Phase::Settled);
    while let Some(ended) = people.join_next().await {
        ended.map_err(io::Error::other)?;
    }
    recorder.until(settings.ended_ms() - SCRAPE_MS).await;
    operator::ask(loopback.connector(OPERATOR, 0), recorder).await?;
    enter(recorder, Phase::Ended);
    Ok(())
}

/// A real server did what none may.
fn live(what: String) -> Violation {
    Violation::new(checker::LIVE, what, &[])
}

fn enter(recorder: &Recorder, phase: Phase) {
    recorder.record("twin", None, Kind::Info, Op::Phase { phase });
}

/// Checkers take every run to begin when simulations do.
fn rebase(event: &mut Event, began: Timestamp) {
    let Op::Told { event: told } = &mut event.what.op else { return };
    let Ok(at) = told.at.parse::<Timestamp>() else { return };
    let since_ms = at.as_millisecond() - began.as_millisecond();
    let rebased = i64::try_from(EPOCH_MS).map(|epoch_ms| epoch_ms + since_ms);
    if let Ok(Ok(rebased)) = rebased.map(Timestamp::from_millisecond) {
        told.at = format!("{rebased:.3}");
    }
}
