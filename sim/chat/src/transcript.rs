//! A run for people to read: short names for its ids, and what each user was told.

use std::collections::BTreeMap;

use protocol::ServerEvent;
use racetrack_sim::diagram::ShortNames;

use crate::history::{Event, Kind, Op};
use crate::model::{Chat, Report};
use crate::words::told;

/// The transcript of a run, and what the checkers found in it.
#[must_use]
pub fn transcript(report: &Report) -> String {
    racetrack_sim::transcript::transcript(&Chat, report)
}

/// Short names for the ids of a run, which are long and random: `p1`, `p2` for conversations in order of appearance,
/// `ann/1`, `ann/2` for the sessions of a user.
#[must_use]
pub fn short_names(history: &[Event]) -> ShortNames {
    let mut names = Vec::new();
    let mut sessions: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    let mut pairs = Vec::new();
    for event in history {
        if let Some(session) = event.session {
            let known = sessions.entry(&event.process).or_default();
            if !known.contains(&session) {
                known.push(session);
                names.push((session.to_string(), format!("{}/{}", event.process, known.len())));
            }
        }
        if let Some(ServerEvent::Paired { pair }) = event.told()
            && !pairs.contains(pair)
        {
            pairs.push(*pair);
            names.push((pair.to_string(), format!("p{}", pairs.len())));
        }
    }
    ShortNames::new(names)
}

/// What one person was told, a line an event, without what every session begins with.
#[must_use]
pub fn story(report: &Report, who: &str) -> String {
    let told: Vec<_> = report
        .history
        .iter()
        .filter(|event| event.process == who)
        .filter_map(|event| match (&event.op, event.kind) {
            (Op::Told { event }, _) => match event.body {
                ServerEvent::Welcome { .. } | ServerEvent::Notice { .. } => None,
                _ => Some(told(&event.body)),
            },
            (Op::Say { id, .. }, Kind::Fail) => Some(format!("({id} refused)")),
            _ => None,
        })
        .collect();
    short_names(&report.history).shorten(&told.join("\n"))
}
