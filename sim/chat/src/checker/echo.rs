//! Whoever says something that is accepted reads it in the own mailbox.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{ServerEvent, Speaker};

use super::Violation;
use super::view::View;
use crate::history::{Event, Kind, Op};

const NAME: &str = "echo";

/// Checks each message that was answered as accepted and whose sender was there to the end.
#[must_use]
pub fn check(view: &View<'_>) -> Vec<Violation> {
    let echoes = view.history.iter().filter_map(|event| match event.told() {
        Some(ServerEvent::Message { from: Speaker::Me, id, .. }) => Some((event.session, id)),
        _ => None,
    });
    let echoed: BTreeSet<_> = echoes.collect();
    let mut accepted: BTreeMap<_, &Event> = BTreeMap::new();
    for event in view.history.iter().filter(|event| event.kind == Kind::Ok) {
        let Op::Say { id, .. } = &event.op else { continue };
        accepted.entry((event.session, id)).or_insert(event);
    }
    let missing = accepted.into_iter().filter(|((session, id), _)| {
        session.is_some_and(|session| view.is_present_at_rest(session))
            && !echoed.contains(&(*session, *id))
    });
    missing
        .map(|((_, id), event)| {
            let what = format!("{id} was accepted, and {} never read it", event.process);
            Violation::new(NAME, what, &[event.index])
        })
        .collect()
}
