//! Rare states that a sweep should reach: a promise that was never in danger was not tested.

use std::collections::{BTreeMap, BTreeSet};

use server::protocol::{CloseReason, LeftReason, ServerEvent};

use crate::history::{Event, Kind, Op};

type Seen = fn(&[Event]) -> bool;

/// Every state that is looked for, by name.
const STATES: [(&str, Seen); 14] = [
    ("a message was refused because its conversation was over", |history| {
        any(history, |event| match &event.op {
            Op::Say { .. } if event.kind == Kind::Fail => mentions(event, "is over"),
            Op::Refused { refusal } => refusal.problem.kind.ends_with("stale-pair"),
            _ => false,
        })
    }),
    ("a message was repeated and accepted", repeated),
    ("a session was resumed", |history| {
        any(history, |event| {
            matches!(event.op, Op::Open { resumes: Some(_), .. }) && event.kind == Kind::Ok
        })
    }),
    ("a session could not be resumed any more", |history| {
        any(history, |event| {
            matches!(event.op, Op::Open { resumes: Some(_), .. }) && event.kind == Kind::Info
        })
    }),
    ("a parked poll was aborted by its client", |history| {
        any(history, |event| matches!(event.op, Op::Poll { .. }) && mentions(event, "aborted"))
    }),
    ("a poll was lost with its connection", |history| {
        any(history, |event| {
            let is_info = matches!(event.op, Op::Poll { .. }) && event.kind == Kind::Info;
            is_info && !mentions(event, "aborted")
        })
    }),
    ("a stream or a socket was broken off by its client", |history| {
        any(history, |event| matches!(event.op, Op::Lost) && mentions(event, "aborted"))
    }),
    ("a stream or a socket was superseded by a second tab", |history| {
        any(history, |event| {
            matches!(event.op, Op::Lost) && mentions(event, "Read by another connection")
        })
    }),
    ("a partner left", |history| left(history, LeftReason::Left)),
    ("a partner skipped", |history| left(history, LeftReason::Skipped)),
    ("a partner was lost", |history| left(history, LeftReason::Lost)),
    ("a session was closed by a drain", |history| closed(history, CloseReason::Draining)),
    ("a session was given up and its person learned of it", |history| {
        closed(history, CloseReason::Lost)
    }),
    ("two who had parted met again", met_again),
];

/// The names of all states.
#[must_use]
pub fn known() -> Vec<&'static str> {
    STATES.iter().map(|(name, _)| *name).collect()
}

/// The names of the states that a run was in.
#[must_use]
pub fn reached(history: &[Event]) -> BTreeSet<&'static str> {
    STATES.iter().filter(|(_, seen)| seen(history)).map(|(name, _)| *name).collect()
}

fn any(history: &[Event], wanted: impl Fn(&Event) -> bool) -> bool {
    history.iter().any(wanted)
}

fn mentions(event: &Event, words: &str) -> bool {
    event.detail.as_deref().is_some_and(|detail| detail.contains(words))
}

fn left(history: &[Event], wanted: LeftReason) -> bool {
    any(
        history,
        |event| matches!(event.told(), Some(ServerEvent::PartnerLeft { reason }) if *reason == wanted),
    )
}

fn closed(history: &[Event], wanted: CloseReason) -> bool {
    any(
        history,
        |event| matches!(event.told(), Some(ServerEvent::Closing { reason, .. }) if *reason == wanted),
    )
}

fn repeated(history: &[Event]) -> bool {
    let mut accepted = BTreeSet::new();
    history.iter().any(|event| match &event.op {
        Op::Say { id, .. } if event.kind == Kind::Ok => !accepted.insert(id),
        _ => false,
    })
}

fn met_again(history: &[Event]) -> bool {
    let mut members: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for event in history {
        if let (Some(ServerEvent::Paired { pair }), Some(session)) = (event.told(), event.session) {
            members.entry(*pair).or_default().insert(session);
        }
    }
    let mut met = BTreeSet::new();
    members.values().filter(|both| both.len() == 2).any(|both| !met.insert(both.clone()))
}
