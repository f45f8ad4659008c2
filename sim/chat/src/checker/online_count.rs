//! The head count that people are told lies within what it can be.

use protocol::ServerEvent;

use super::Violation;
use crate::history::{Event, Kind, Op};
use crate::plan::{ChatPlan, Plan};

const NAME: &str = "head count";

/// Checks every head count: whoever is told is there, and nobody is counted who never asked to
/// come in. What an attacker asks for is not in the history; what it may have is known.
#[must_use]
pub fn check(plan: &Plan, history: &[Event]) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut asked = match (plan.floods().next(), plan.config.server.sessions_per_address_max) {
        (None, _) => 0,
        (Some(_), 0) => u64::MAX / 2,
        (Some(_), each_max) => each_max as u64,
    };
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
