//! A message reaches the partner that it was meant for, or nobody.

use std::collections::BTreeMap;

use protocol::{PairId, ServerEvent, Speaker};

use super::Violation;
use super::view::View;
use crate::history::{Event, Kind, Op};

const NAME: &str = "isolation";

/// Checks that each message is heard in the conversation that its sender named, by the sender's
/// partner in it, and echoed to the sender in the same.
#[must_use]
pub fn check(view: &View<'_>) -> Vec<Violation> {
    let mut meant: BTreeMap<_, (PairId, &Event)> = BTreeMap::new();
    for event in view.history.iter().filter(|event| event.kind == Kind::Invoke) {
        if let Op::Say { id, pair, .. } = &event.op {
            // A repetition is the same message, and what the first time meant counts.
            meant.entry(id).or_insert((*pair, event));
        }
    }
    let mut violations = Vec::new();
    for (session, events) in &view.sessions {
        let mut current: Option<PairId> = None;
        for event in events {
            match event.told() {
                Some(ServerEvent::Paired { pair }) => current = Some(*pair),
                Some(ServerEvent::PartnerLeft { .. } | ServerEvent::Waiting) => current = None,
                Some(ServerEvent::Message { from, id, .. }) => {
                    let Some((pair, said)) = meant.get(id) else { continue };
                    // An echo says that the sender's partner of that moment has the message too.
                    let (verb, is_own) = match from {
                        Speaker::Partner => ("heard", false),
                        Speaker::Me => ("said", true),
                    };
                    if current != Some(*pair) || (said.session == Some(*session)) != is_own {
                        let what = format!("{id} was meant for {pair}, and {session} {verb} it");
                        violations.push(Violation::new(NAME, what, &[said.index, event.index]));
                    }
                }
                _ => {}
            }
        }
    }
    violations
}
