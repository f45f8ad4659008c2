//! No address has more sessions than it may, and whoever is refused one has had as many.
//!
//! ```text
//!   opened ── put, put ── ended ── the window to resume ──> forgotten
//!   └─────────── counted for the address ──────────┘
//! ```
//!
//! A session of which nothing is heard any more is taken to have ended with the last event that was put
//! into its mailbox, so less is counted here than at the server. People of one host share an address;
//! those of the metrics probe have one of their own.

use super::Violation;
use super::view::View;
use crate::fault::FaultOfChat;
use crate::history::{Event, Kind, Op, PUT_GRAIN_US};
use crate::plan::{ChatPlan, Plan};

const NAME: &str = "openings";
/// A client whose connection breaks asks once more by itself.
const ATTEMPTS: usize = 2;

/// Checks what a server holds, every session that is opened, and every one that is refused.
#[must_use]
pub fn check(plan: &Plan, view: &View<'_>) -> Vec<Violation> {
    let mut violations = refused(plan, view.history);
    let each_max = plan.config.server.sessions_per_address_max;
    if each_max == 0 {
        return violations;
    }
    violations.extend(held(plan, view.history, each_max));
    // Fewer than that were never there at once.
    if view.sessions.len() > each_max
        && !plan.moves_the_clock()
        && !plan.faults.iter().any(|fault| fault.kind.ends_servers())
    {
        violations.extend(exceeded(plan, view, each_max));
    }
    violations
}

/// Figures of a server that holds more sessions than all addresses together may have.
fn held(plan: &Plan, history: &[Event], each_max: usize) -> Vec<Violation> {
    let attackers = usize::from(plan.floods().next().is_some());
    let most = (each_max * (plan.settings.client_hosts.max(1) + attackers)) as u64;
    let violation = |event: &Event| {
        let Op::Gauges { gauges } = &event.op else { return None };
        let gauge = |name: &str| gauges.get(name).copied().unwrap_or_default();
        let held = gauge("sessions") + gauge("sessions_closed");
        let what = format!("the server holds {held} sessions, of {most} that may be there");
        (held > most).then(|| Violation::new(NAME, what, &[event.index]))
    };
    history.iter().filter_map(violation).collect()
}

/// Sessions that were opened for an address that had as many as it may have.
fn exceeded(plan: &Plan, view: &View<'_>, each_max: usize) -> Vec<Violation> {
    let sessions = view.sessions.values();
    let kept: Vec<_> = sessions.filter_map(|events| Kept::of(plan, view.history, events)).collect();
    let mut violations = Vec::new();
    for one in &kept {
        let beside = kept.iter().filter(|other| {
            other.host == one.host
                && other.opened.index < one.asked_index
                && other.until_us > one.opened.at_us
        });
        let count = beside.count() + 1;
        if count > each_max {
            let what = format!("one address has {count} sessions, of {each_max} that it may have");
            violations.push(Violation::new(NAME, what, &[one.opened.index]));
        }
    }
    violations
}

/// For how long a session was counted for its address, as far as its person knows.
struct Kept<'a> {
    host: usize,
    /// Where the person began to ask for it.
    asked_index: usize,
    opened: &'a Event,
    until_us: u64,
}

impl<'a> Kept<'a> {
    fn of(plan: &Plan, history: &[Event], events: &[&'a Event]) -> Option<Self> {
        let opens = |event: &Event| matches!(event.op, Op::Open { resumes: None, .. });
        let opened = *events.iter().find(|event| opens(event) && event.kind == Kind::Ok)?;
        let asks = |event: &&Event| opens(event) && event.process == opened.process;
        let before = history[..opened.index].iter().rev();
        let asked = before.filter(asks).find(|event| event.kind == Kind::Invoke)?;
        let person = plan.clients.iter().find(|person| person.name == opened.process);
        let last_us = events.iter().filter_map(|event| event.put_us()).max()?;
        // Two clocks need not agree by more than that, of which one tells milliseconds.
        let grain_us = plan.settings.tick_ms * 1_000 + 2 * PUT_GRAIN_US;
        let until_us = last_us + plan.config.server.resume_window_ms * 1_000;
        Some(Self {
            host: person.map_or(0, |person| person.host),
            asked_index: asked.index,
            opened,
            until_us: until_us.saturating_sub(grain_us),
        })
    }
}

/// People who were refused a session when fewer were asked for than an address may have, or open at
/// once.
fn refused(plan: &Plan, history: &[Event]) -> Vec<Violation> {
    let server = &plan.config.server;
    let limits = [
        ("too-many-sessions", server.sessions_per_address_max),
        ("opens-too-fast", server.opens_per_address_burst_max as usize),
    ];
    let mut asked = 0;
    let mut violations = Vec::new();
    for event in history {
        let Op::Open { .. } = event.op else { continue };
        if event.kind == Kind::Invoke {
            asked += 1;
        }
        let Some(detail) = &event.detail else { continue };
        for (kind, at_once_max) in limits {
            if event.is_refused_as(kind) && asked * ATTEMPTS < at_once_max {
                let what = format!(
                    "{} was refused a session, of {asked} that were asked for: {detail}",
                    event.process
                );
                violations.push(Violation::new(NAME, what, &[event.index]));
            }
        }
    }
    violations
}
