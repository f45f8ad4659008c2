//! A drain loses nothing: whoever reads is told that the server closes, while it still answers.
//!
//! ```text
//!   drain ──────────────── so long as the server drains ────────────────> its connections are cut
//!     └── way of an event ──> told `closing`
//! ```
//!
//! Asked are people whose connection stood when the drain began, if nothing else was in its way and
//! the drain was long enough for them to read once more.

use client::TransportKind;
use server::protocol::{CloseReason, ServerEvent};

use super::Violation;
use super::connections::{Connections, is_calm, lets_be};
use super::promptness::limit_us;
use crate::history::{Event, Kind, Op};
use crate::plan::{FaultKind, Plan};

const NAME: &str = "drain";

/// Checks each drain that struck anybody.
#[must_use]
pub fn check(plan: &Plan, history: &[Event]) -> Vec<Violation> {
    let mut connections = Connections::default();
    let mut violations = Vec::new();
    for event in history {
        connections.take(event);
        let Op::Fault { fault, kind: FaultKind::Drain | FaultKind::RollingDrain, .. } = event.op
        else {
            continue;
        };
        if event.kind == Kind::Invoke && has_effect(history, fault) {
            let standing = connections.standing();
            violations.extend(
                standing.filter_map(|(who, since_us)| {
                    untold(plan, history, event, fault, who, since_us)
                }),
            );
        }
    }
    violations
}

fn has_effect(history: &[Event], wanted: usize) -> bool {
    let is_effective = |event: &Event| {
        matches!(event.op, Op::Fault { fault, effect: 1.., .. } if fault == wanted)
            && event.kind == Kind::Ok
    };
    history.iter().any(is_effective)
}

/// Somebody who had the time to read what a drain tells, and was not told.
fn untold(
    plan: &Plan,
    history: &[Event],
    drain: &Event,
    fault: usize,
    who: &str,
    since_us: u64,
) -> Option<Violation> {
    let person = plan.people.iter().find(|person| person.name == who)?;
    let planned = plan.faults.get(fault)?;
    let polls = match person.transport {
        TransportKind::ShortPoll | TransportKind::LongPoll | TransportKind::SocketioPolling => true,
        TransportKind::Sse | TransportKind::Websocket | TransportKind::SocketioWebsocket => false,
    };
    if polls && planned.kind == FaultKind::RollingDrain {
        // A new connection goes to the other server, which knows nobody.
        return None;
    }
    let is_short = person.transport == TransportKind::ShortPoll;
    let needs_us = limit_us(&plan.settings, is_short);
    let until_us = drain.at_us + needs_us;
    let lasts_us = planned.for_ms.min(plan.server.drain_ms_max) * 1_000;
    if needs_us > lasts_us
        || until_us > plan.settings.healed_ms() * 1_000
        || !is_calm(plan, who, since_us, until_us, Some(fault))
        || !lets_be(plan, who, since_us, until_us)
    {
        return None;
    }
    let later = history[drain.index..].iter().filter(|event| event.process == who);
    let end = later.into_iter().find(|event| {
        matches!(event.told(), Some(ServerEvent::Closing { .. }))
            || matches!(event.op, Op::Lost | Op::Open { .. } | Op::Leave | Op::Vanish)
    });
    let is_told = |event: &Event| match event.told() {
        Some(ServerEvent::Closing { reason: CloseReason::Draining, .. }) => event.at_us <= until_us,
        Some(_) => true,
        None => matches!(event.op, Op::Leave | Op::Vanish),
    };
    if end.is_some_and(is_told) {
        return None;
    }
    let evidence: Vec<_> = [drain].into_iter().chain(end).map(|event| event.index).collect();
    let what = format!("{who} was not told in time that the server drains");
    Some(Violation::new(NAME, what, &evidence))
}
