//! A conversation has two members; nobody has two partners at once; the end is told once.

use std::collections::BTreeSet;

use protocol::{PairId, ServerEvent, SessionId};

use super::Violation;
use super::view::View;
use crate::history::Event;

const NAME: &str = "pairing";

/// Checks the members of each conversation and each session's sequence of partners.
#[must_use]
pub fn check(view: &View<'_>) -> Vec<Violation> {
    let mut violations: Vec<_> =
        view.pairs.iter().filter_map(|(pair, told)| members(*pair, told)).collect();
    for (session, events) in &view.sessions {
        violations.extend(sequence(*session, events));
    }
    violations
}

fn members(pair: PairId, told: &[(SessionId, &Event)]) -> Option<Violation> {
    let distinct: BTreeSet<_> = told.iter().map(|(session, _)| session).collect();
    let evidence: Vec<_> = told.iter().map(|(_, event)| event.index).collect();
    if distinct.len() > 2 {
        let what = format!("{pair} has {} members", distinct.len());
        return Some(Violation::new(NAME, what, &evidence));
    }
    let twice = told.len() > distinct.len();
    twice.then(|| Violation::new(NAME, format!("{pair} was announced twice to one"), &evidence))
}

fn sequence(session: SessionId, events: &[&Event]) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut current: Option<&Event> = None;
    for event in events {
        match event.told() {
            Some(ServerEvent::Paired { pair }) => {
                if let Some(earlier) = current {
                    let what = format!("{session} got partner {pair} while it had another");
                    violations.push(Violation::new(NAME, what, &[earlier.index, event.index]));
                }
                current = Some(event);
            }
            Some(ServerEvent::PartnerLeft { .. }) if current.take().is_none() => {
                let what = format!("{session} was left by a partner that it did not have");
                violations.push(Violation::new(NAME, what, &[event.index]));
            }
            Some(ServerEvent::Waiting) => {
                if let Some(earlier) = current.take() {
                    let what = format!("{session} waits while it has a partner");
                    violations.push(Violation::new(NAME, what, &[earlier.index, event.index]));
                }
            }
            _ => {}
        }
    }
    violations
}
