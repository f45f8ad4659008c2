//! One run: set up, disturb, heal, settle, forget, check.
//!
//! ```text
//!   0          disturb_ms            settle_ms              forget_ms
//!   |--------------|---------------------|----------------------|
//!   people act,    all faults end,       everybody leaves,      the server must
//!   faults strike  people go on reading  time-outs pass         hold nothing
//! ```

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use turmoil::Sim;

use crate::checker::{self, Violation};
use crate::determinism::{self, TraceReport, clock};
use crate::flood::ATTACKER;
use crate::history::{Event, Kind, Op, Phase, Recorder};
use crate::host::Process;
use crate::medium::Medium;
use crate::nemesis::{Attacker, Attacks, Nemesis, Servers, Storm, Winds, client_host, host_names};
use crate::net::{Limits, Network, SimListener};
use crate::operator::{Operator, SCRAPE_MS};
use crate::plan::{FaultKind, Plan, Settings};
use crate::pulse::Pulses;
use crate::watch::{Sight, watching};
use crate::workload::{self, PORT};

/// 2025-01-01T00:00:00Z, when every simulation begins.
pub(crate) const EPOCH_MS: u64 = 1_735_689_600_000;
/// More connections than any plan opens at once.
const TCP_CAPACITY: usize = 4_096;
/// Ports that clients connect from: a crowd must not come round to one of which the server has not
/// learned yet that it was closed, which turmoil does not allow.
const EPHEMERAL_PORTS: std::ops::RangeInclusive<u16> = 1_024..=u16::MAX;

/// The beginning of a request that upgrades a connection of Socket.IO that polls.
const UPGRADE_REQUEST: &[u8] = b"GET /socket.io/?EIO=4&transport=websocket&sid=";

/// What a run left behind.
#[derive(Debug, Clone)]
pub struct Report {
    /// The plan that ran.
    pub plan: Plan,
    /// What happened.
    pub history: Vec<Event>,
    /// What was seen at the server meanwhile.
    pub sights: Vec<Sight>,
    /// What should not have.
    pub violations: Vec<Violation>,
    /// The fingerprint of the run.
    pub trace: TraceReport,
    /// Faults by kind.
    pub faults: BTreeMap<FaultKind, Strikes>,
}

/// How often a kind of fault was planned, and how often it touched anything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Strikes {
    /// Faults in the plan.
    pub planned: u64,
    /// Faults with an effect.
    pub effective: u64,
}

impl Report {
    /// True when no checker found anything.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.violations.is_empty()
    }
}

/// Runs a plan on a thread of its own and checks what happened. With `record_entries` the report
/// lists the whole trace, not only its hash.
#[must_use]
pub fn run(plan: &Plan, record_entries: bool) -> Report {
    if let Err(why) = plan.check() {
        return refused(plan, why);
    }
    let seed = plan.seed;
    let planned = plan.clone();
    let (outcome, trace) = determinism::simulated(seed, EPOCH_MS, record_entries, move || {
        watching(move || simulate(planned))
    });
    let ((history, error), sights) = match outcome {
        Ok(outcome) => outcome,
        Err(panic) => ((Vec::new(), Some(panic)), Vec::new()),
    };
    let violations = judge(plan, &history, error, &trace);
    let faults = strikes(plan, &history);
    Report { plan: plan.clone(), history, sights, violations, trace, faults }
}

/// The report of a plan of which no run can be made.
fn refused(plan: &Plan, why: String) -> Report {
    let (history, sights, violations) = (Vec::new(), Vec::new(), vec![Violation::plan(why)]);
    let (trace, faults) = (TraceReport::default(), strikes(plan, &history));
    Report { plan: plan.clone(), history, sights, violations, trace, faults }
}

/// What is wrong with a run, the reason for it first.
fn judge(
    plan: &Plan,
    history: &[Event],
    error: Option<String>,
    trace: &TraceReport,
) -> Vec<Violation> {
    // Whatever comes of reaching past the seed, a panic for one, is not the reason.
    if let Some(escape) = &trace.escape {
        return vec![Violation::escape(escape.clone())];
    }
    if trace.stands_still {
        return vec![Violation::standstill(error.unwrap_or_default())];
    }
    match error.or_else(|| trace.panics.first().cloned()) {
        Some(panic) => vec![Violation::panic(panic)],
        None => checker::check(plan, history),
    }
}

pub(crate) fn strikes(plan: &Plan, history: &[Event]) -> BTreeMap<FaultKind, Strikes> {
    let mut strikes = BTreeMap::<_, Strikes>::new();
    for fault in &plan.faults {
        strikes.entry(fault.kind).or_default().planned += 1;
    }
    for event in history.iter().filter(|event| event.kind == Kind::Ok) {
        if let Op::Fault { kind, effect: 1.., .. } = event.op {
            strikes.entry(kind).or_default().effective += 1;
        }
    }
    strikes
}

/// Everything that happens on the simulated thread.
fn simulate(plan: Plan) -> (Vec<Event>, Option<String>) {
    let plan = Rc::new(plan);
    let recorder = Recorder::default();
    let settings = &plan.settings;
    let network = Network::new(Limits {
        segment_bytes_max: settings.segment_bytes_max,
        window_bytes: settings.window_bytes,
        ..Limits::default()
    });
    let network = network.marking(UPGRADE_REQUEST);
    let duration = Duration::from_millis(settings.ended_ms() * 2);
    let mut sim = world(plan.seed, settings, duration);
    let pulses = Pulses::default();
    let servers = serve(&mut sim, &plan, &network, &pulses);
    let (storm, winds) = Storm::new(network.clone());
    populate(&mut sim, &plan, &network, winds, &recorder, &pulses);
    let (attacker, attacks) = Attacker::new(network.clone());
    attack(&mut sim, &plan, attacks, &pulses);
    let (planned, network_too) = (Rc::clone(&plan), network.clone());
    let mut nemesis =
        Nemesis::new(planned, network_too, servers, storm, attacker, recorder.clone());
    let mut operator = Operator::new(&plan, network.clone(), recorder.clone(), pulses.clone());
    let result = phases(&mut sim, settings, &mut nemesis, &mut operator, &recorder, &pulses);
    network.crash(|| drop(sim));
    (recorder.take(), result.err().map(|error| error.to_string()))
}

/// A simulated network without a host, which may exist for `duration`.
pub(crate) fn world(seed: u64, settings: &Settings, duration: Duration) -> Sim<'static> {
    turmoil::Builder::new()
        .epoch(epoch())
        .rng_seed(seed)
        .enable_random_order()
        .tick_duration(Duration::from_millis(settings.tick_ms))
        .simulation_duration(duration)
        .min_message_latency(Duration::from_millis(settings.latency_ms_min))
        .max_message_latency(Duration::from_millis(settings.latency_ms_max))
        .tcp_capacity(TCP_CAPACITY)
        .ephemeral_ports(EPHEMERAL_PORTS)
        .build()
}

fn epoch() -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(EPOCH_MS)
}

/// Starts the server; another one, where there is one, is down until it is needed.
fn serve(sim: &mut Sim<'static>, plan: &Plan, network: &Network, pulses: &Pulses) -> Servers {
    let names = host_names(plan);
    let processes: Vec<_> = names.into_iter().map(|name| (name, Process::default())).collect();
    if let Some((_, first)) = processes.first() {
        first.set_up();
    }
    for (name, process) in &processes {
        let (process, network, config) = (process.clone(), network.clone(), plan.server.clone());
        let (pulses, host) = (pulses.clone(), *name);
        sim.host(*name, move || {
            pulses.feel(host);
            let life = process.is_up().then(|| {
                let terminated = process.termination();
                let (network, config) = (network.clone(), config.clone());
                async move {
                    let listener = SimListener::bind(network, PORT).await?;
                    server::serve(listener, config, terminated).await
                }
            });
            process.host(life)
        });
    }
    // Nobody connects to it before it takes over, and a host that runs slows every step.
    for (name, _) in processes.iter().skip(1) {
        sim.crash(*name);
    }
    Servers::new(network.clone(), processes)
}

fn populate(
    sim: &mut Sim<'static>,
    plan: &Rc<Plan>,
    network: &Network,
    winds: Winds,
    recorder: &Recorder,
    pulses: &Pulses,
) {
    let mut winds = Some(winds);
    for host in 0..plan.settings.client_hosts {
        let medium = Medium::Simulated(network.clone());
        let people = workload::people(Rc::clone(plan), host, medium, recorder.clone());
        let winds = winds.take();
        let pulses = pulses.clone();
        sim.client(client_host(host), async move {
            pulses.feel(&client_host(host));
            if let Some(winds) = winds {
                tokio::task::spawn_local(winds.blow());
            }
            people.await;
            Ok(())
        });
    }
}

/// The attacker, on a host of its own where the plan has one: each host slows every step.
fn attack(sim: &mut Sim<'static>, plan: &Plan, attacks: Attacks, pulses: &Pulses) {
    if plan.floods().next().is_none() {
        return;
    }
    let pulses = pulses.clone();
    sim.client(ATTACKER, async move {
        pulses.feel(ATTACKER);
        attacks.carry_out().await;
        Ok(())
    });
}

fn phases(
    sim: &mut Sim<'static>,
    settings: &Settings,
    nemesis: &mut Nemesis,
    operator: &mut Operator,
    recorder: &Recorder,
    pulses: &Pulses,
) -> turmoil::Result {
    let disturb = |sim: &mut Sim<'static>, now_ms| {
        pulses.record();
        nemesis.act(sim, now_ms);
        operator.ask_during_drains(sim, now_ms);
    };
    run_until(sim, settings.healed_ms(), disturb)?;
    nemesis.heal(sim);
    enter(recorder, Phase::Healed);
    run_until(sim, settings.settled_ms().saturating_sub(SCRAPE_MS), |_, _| pulses.record())?;
    operator.ask(sim);
    run_until(sim, settings.settled_ms(), |_, _| pulses.record())?;
    enter(recorder, Phase::Settled);
    run_until(sim, settings.ended_ms() - SCRAPE_MS, |_, _| pulses.record())?;
    operator.ask(sim);
    run_until(sim, settings.ended_ms(), |_, _| pulses.record())?;
    enter(recorder, Phase::Ended);
    Ok(())
}

fn run_until(
    sim: &mut Sim<'static>,
    end_ms: u64,
    mut between_steps: impl FnMut(&mut Sim<'static>, u64),
) -> turmoil::Result {
    while sim.elapsed() < Duration::from_millis(end_ms) {
        clock::set_now(sim.elapsed());
        between_steps(sim, sim.elapsed().as_millis() as u64);
        sim.step()?;
        if determinism::has_escaped() {
            return Err("the run has left the simulation".into());
        }
    }
    clock::set_now(sim.elapsed());
    Ok(())
}

fn enter(recorder: &Recorder, phase: Phase) {
    recorder.record("simulation", None, Kind::Info, Op::Phase { phase });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Action, Step};

    #[test]
    fn a_run_that_reached_past_its_seed_fails_for_that_and_for_nothing_that_came_of_it() {
        let (outcome, trace) = determinism::simulated(0, EPOCH_MS, false, || {
            let thread = std::thread::spawn(|| ());
            thread.join().expect("it is never started");
        });
        let violations = judge(&Plan::new(0), &[], outcome.err(), &trace);
        let [violation] = violations.as_slice() else { panic!("{violations:?}") };
        let told = violation.to_string();
        let expected = "determinism: simulated code reached past its seed: pthread_create";
        assert!(told.starts_with(expected) && told.contains("std::thread"), "{told}");
    }

    #[test]
    fn a_plan_with_a_step_of_nobody_is_not_run() {
        let mut plan = Plan::new(0);
        plan.steps.push(Step { at_ms: 3, who: "bobb".to_owned(), action: Action::Join });
        let report = run(&plan, false);
        let told: Vec<_> = report.violations.iter().map(ToString::to_string).collect();
        let expected =
            r#"plan: step 0 of the plan, at 3 ms: no person is named "bobb"; there are none"#;
        assert_eq!((told, report.history.len()), (vec![expected.to_owned()], 0));
    }

    #[test]
    fn a_panic_comes_before_what_the_checkers_would_say() {
        let (outcome, trace) =
            determinism::simulated(0, EPOCH_MS, false, || panic!("out of the blue"));
        let outcome: Result<(), String> = outcome;
        let violations = judge(&Plan::new(0), &[], outcome.err(), &trace);
        assert!(violations[0].to_string().starts_with("panic: out of the blue"), "{violations:?}");
    }
}
