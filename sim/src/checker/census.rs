//! The head count that people are told lies within what it can be.

use server::protocol::ServerEvent;

use super::Violation;
use crate::history::{Event, Kind, Op};

const NAME: &str = "head count";

/// Checks every head count: whoever is told is there, and nobody is counted who never asked to
/// come in.
#[must_use]
pub fn check(history: &[Event]) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut asked: u64 = 0;
    for event in history {
        if matches!(event.op, Op::Open { resumes: None, .. }) && event.kind == Kind::Invoke {
            asked += 1;
        }
        let Some(ServerEvent::Welcome { online, .. } | ServerEvent::Notice { online }) =
            event.told()
        else {
            continue;
        };
        if *online == 0 {
            let what = format!("{} was told that nobody is there", event.process);
            violations.push(Violation::new(NAME, what, &[event.index]));
        } else if *online > asked {
            let what = format!("{online} people are there, of {asked} who ever asked to come in");
            violations.push(Violation::new(NAME, what, &[event.index]));
        }
    }
    violations
}
