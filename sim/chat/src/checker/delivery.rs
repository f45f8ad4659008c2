//! What was accepted arrives at the partner once and in order; nothing else arrives. What a
//! mailbox gave out, place by place, is looked at by `log`.
//!
//! Whoever is no longer there need not hear anything; everybody who is there until the end must
//! have heard all of it.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{MessageId, PairId, ServerEvent, SessionId, Speaker};

use super::Violation;
use super::view::View;
use crate::fault::FaultOfChat;
use crate::flood::Flood;
use crate::flood::MESSAGE_PREFIX;
use crate::history::{Detail, Event, Kind, Op};

const NAME: &str = "delivery";

/// Checks the order of each session's messages, then each accepted message against the partner's
/// log.
#[must_use]
pub fn check(view: &View<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    let out_of_order = out_of_order(view);
    for (session, events) in &view.sessions {
        violations.extend(order(*session, events, &out_of_order));
    }
    violations.extend(origin(view));
    violations.extend(arrival(view));
    violations.extend(refusal(view));
    violations.extend(account(view));
    violations
}

/// Messages that were said over another connection too, which may overtake what is in flight on the
/// first, or again after another one: order is promised to a sender who keeps it.
fn out_of_order<'a>(view: &View<'a>) -> BTreeSet<&'a MessageId> {
    let posted = view.history.iter().filter(|event| event.may_be_out_of_order());
    posted.filter_map(|event| event.said()).collect()
}

/// The messages of one sender arrive in the order in which they were said.
fn order(
    session: SessionId,
    events: &[&Event],
    out_of_order: &BTreeSet<&MessageId>,
) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut latest: BTreeMap<(Speaker, &str), (u64, usize)> = BTreeMap::new();
    for event in events {
        let Some(ServerEvent::Message { from, id, .. }) = event.told() else { continue };
        let Some((sender, number)) = numbered(id) else { continue };
        if out_of_order.contains(id) {
            continue;
        }
        let key = (*from, sender);
        match latest.get(&key) {
            Some((earlier, index)) if *earlier >= number => {
                let what = format!("{session} was given {id} after number {earlier}");
                violations.push(Violation::new(NAME, what, &[*index, event.index]));
            }
            _ => drop(latest.insert(key, (number, event.index))),
        }
    }
    violations
}

/// Every message that arrives was said by somebody, and once.
fn origin(view: &View<'_>) -> Vec<Violation> {
    let said: BTreeSet<&MessageId> = view
        .history
        .iter()
        .filter_map(|event| match &event.op {
            Op::Say { id, .. } if event.kind == Kind::Invoke => Some(id),
            _ => None,
        })
        .collect();
    let is_flooded = view.history.iter().any(
        |event| matches!(event.op, Op::Fault { kind, .. } if kind.flood() == Some(Flood::Say)),
    );
    let mut violations = Vec::new();
    let mut heard: BTreeMap<&MessageId, &Event> = BTreeMap::new();
    for event in view.history {
        let Some(ServerEvent::Message { from, id, .. }) = event.told() else { continue };
        // What an attacker says is not in the history, and can be told by its id.
        let is_of_attacker = is_flooded && id.as_str().starts_with(MESSAGE_PREFIX);
        if !said.contains(id) && !is_of_attacker {
            let what = format!("{id} was never said");
            violations.push(Violation::new(NAME, what, &[event.index]));
        }
        if *from == Speaker::Partner
            && let Some(earlier) = heard.insert(id, event)
        {
            let what = format!("{id} was heard twice");
            violations.push(Violation::new(NAME, what, &[earlier.index, event.index]));
        }
    }
    violations
}

/// What was accepted reached the partner, unless the partner was gone.
fn arrival(view: &View<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (session, id, pair, accepted) in accepted(view) {
        let Some(partner) = view.partner(pair, session) else { continue };
        if !view.is_present_at_rest(partner) || view.has_heard(partner, id) {
            continue;
        }
        let what = format!("{id} was accepted for {pair}, and {partner} never heard it");
        violations.push(Violation::new(NAME, what, &[accepted.index]));
    }
    violations
}

/// What was refused, and not said again, is heard by nobody. A client whose connection breaks under
/// a request says it again by itself, maybe to another server that knows nobody.
fn refusal(view: &View<'_>) -> Vec<Violation> {
    let mut attempts = BTreeMap::<_, usize>::new();
    let mut pending: Vec<&MessageId> = Vec::new();
    for event in view.history {
        match (&event.op, event.kind) {
            (Op::Say { id, .. }, Kind::Invoke) => {
                *attempts.entry(id).or_default() += 1;
                pending.push(id);
            }
            (Op::Say { id, .. }, _) => pending.retain(|waiting| *waiting != id),
            (Op::Fault { .. }, _) => {
                for id in &pending {
                    *attempts.entry(id).or_default() += 1;
                }
            }
            _ => {}
        }
    }
    let mut refused = BTreeMap::new();
    for event in view.history {
        let id = match &event.op {
            Op::Say { id, .. } if event.kind == Kind::Fail => Some(id),
            Op::Refused { refusal } => refusal.id.as_ref(),
            _ => None,
        };
        if let Some(id) = id.filter(|id| attempts.get(id) == Some(&1)) {
            refused.insert(id, event);
        }
    }
    let heard = view.history.iter().filter_map(|event| match event.told() {
        Some(ServerEvent::Message { id, .. }) => Some((id, event, refused.get(id)?)),
        _ => None,
    });
    heard
        .map(|(id, event, refused)| {
            let what = format!("{id} was refused, and heard all the same");
            Violation::new(NAME, what, &[refused.index, event.index])
        })
        .collect()
}

/// What was written to a socket that lived on is answered: by its echo, or by a refusal.
fn account(view: &View<'_>) -> Vec<Violation> {
    let Some(settled) = view.settled else { return Vec::new() };
    // By person: what was written on this connection and has no answer yet.
    let mut open: BTreeMap<&str, BTreeMap<&MessageId, &Event>> = BTreeMap::new();
    // What was begun on this connection: the end of a write to the one before says nothing here.
    let mut begun: BTreeMap<&str, BTreeSet<&MessageId>> = BTreeMap::new();
    let mut echoed = BTreeSet::new();
    for event in &view.history[..settled.index] {
        let process = event.process.as_str();
        match (&event.op, event.told()) {
            (Op::Say { id, .. }, _) if event.kind == Kind::Invoke => {
                begun.entry(process).or_default().insert(id);
            }
            (Op::Say { id, .. }, _)
                if event.kind == Kind::Info && event.detail == Some(Detail::Written) =>
            {
                // A repetition of what was accepted changes nothing, and nothing is told of it.
                let is_of_now = begun.get(process).is_some_and(|begun| begun.contains(id));
                if is_of_now && !echoed.contains(id) {
                    open.entry(process).or_default().insert(id, event);
                }
            }
            (_, Some(ServerEvent::Message { from: Speaker::Me, id, .. })) => {
                echoed.insert(id);
                open.entry(process).or_default().remove(id);
            }
            (Op::Refused { refusal }, _) => {
                if let Some(id) = &refusal.id {
                    open.entry(process).or_default().remove(id);
                    // Over HTTP the refusal may come before the end of the request.
                    begun.entry(process).or_default().remove(id);
                }
            }
            // What was on its way is lost with a connection, and a session that ends says no more.
            (Op::Lost | Op::Leave | Op::Vanish | Op::Open { .. }, _)
            | (_, Some(ServerEvent::Closing { .. })) => {
                open.remove(process);
                begun.remove(process);
            }
            _ => {}
        }
    }
    let unanswered = open.values().flatten().map(|(id, event)| {
        let what = format!("{id} was neither said nor refused");
        Violation::new(NAME, what, &[event.index])
    });
    unanswered.collect()
}

/// Every message that the server is known to have accepted: by its answer, or by its echo.
fn accepted<'a>(
    view: &View<'a>,
) -> impl Iterator<Item = (SessionId, &'a MessageId, PairId, &'a Event)> {
    let meant: BTreeMap<_, _> = view
        .history
        .iter()
        .filter_map(|event| match &event.op {
            Op::Say { id, pair, .. } => Some((id, *pair)),
            _ => None,
        })
        .collect();
    view.history.iter().filter_map(move |event| {
        let id = match (&event.op, event.told()) {
            (Op::Say { id, .. }, _) if event.kind == Kind::Ok => id,
            (_, Some(ServerEvent::Message { from: Speaker::Me, id, .. })) => id,
            _ => return None,
        };
        Some((event.session?, id, *meant.get(id)?, event))
    })
}

/// The workload's ids are `name-number`.
fn numbered(id: &MessageId) -> Option<(&str, u64)> {
    let (sender, number) = id.as_str().rsplit_once('-')?;
    Some((sender, number.parse().ok()?))
}
