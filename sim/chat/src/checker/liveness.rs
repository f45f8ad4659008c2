//! After the network has healed and had its time, nobody is stuck.

use std::collections::BTreeMap;

use protocol::{PairId, ServerEvent, SessionId};

use super::Violation;
use super::view::View;
use crate::history::{Event, Kind, Op};
use crate::plan::Plan;

const NAME: &str = "liveness";

/// Checks that everybody who wants to be there is, as far as there is room, that both members of a conversation take it
/// for theirs, and that at most one person waits.
#[must_use]
pub fn check(plan: &Plan, view: &View<'_>) -> Vec<Violation> {
    let Some(settled) = view.settled else {
        return vec![Violation::new(NAME, "the run never came to rest", &[])];
    };
    let mut violations = Vec::new();
    let mut waiting = Vec::new();
    for session in view.sessions.keys() {
        if !view.is_present_at_rest(*session) {
            continue;
        }
        match view.last_word(*session) {
            Some((event, ServerEvent::Paired { pair })) => {
                let partner = view.partner(*pair, *session);
                match partner.filter(|partner| view.is_present_at_rest(*partner)) {
                    None => {
                        let what = format!("{session} talks to nobody in {pair}");
                        violations.push(Violation::new(NAME, what, &[event.index]));
                    }
                    Some(partner) => {
                        let word = view.last_word(partner);
                        violations.extend(elsewhere(*pair, [*session, partner], event, word));
                    }
                }
            }
            Some((event, _)) => waiting.push(event.index),
            None => {
                let what = format!("{session} was told neither to wait nor of a partner");
                violations.push(Violation::new(NAME, what, &[]));
            }
        }
    }
    if waiting.len() > 1 {
        let what = format!("{} people wait for each other", waiting.len());
        violations.push(Violation::new(NAME, what, &waiting));
    }
    let there = view.sessions.keys().filter(|session| view.is_present_at_rest(**session)).count();
    if there < plan.config.server.sessions_max {
        violations.extend(absent(view, settled));
    }
    violations
}

/// A conversation that only one of its members still takes for theirs.
fn elsewhere(
    pair: PairId,
    [session, partner]: [SessionId; 2],
    event: &Event,
    word: Option<(&Event, &ServerEvent)>,
) -> Option<Violation> {
    let (told, body) = word?;
    let is_there = *body == ServerEvent::Paired { pair };
    let what = format!("{session} talks in {pair} to {partner}, who is elsewhere");
    (!is_there).then(|| Violation::new(NAME, what, &[event.index, told.index]))
}

/// People who tried to get in and never did.
fn absent(view: &View<'_>, settled: &Event) -> Vec<Violation> {
    let mut last: BTreeMap<&str, &Event> = BTreeMap::new();
    for event in &view.history[..settled.index] {
        match event.op {
            Op::Open { .. } | Op::Leave | Op::Vanish | Op::Lost => {
                last.insert(&event.process, event);
            }
            _ => {}
        }
    }
    last.values()
        .filter(|event| matches!(event.op, Op::Open { .. }) && event.kind != Kind::Ok)
        .map(|event| {
            let what = format!("{} tried to get in and never did", event.process);
            Violation::new(NAME, what, &[event.index])
        })
        .collect()
}
