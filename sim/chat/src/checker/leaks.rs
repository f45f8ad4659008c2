//! After everybody has left and all time-outs have passed, the server holds nothing.

use super::Violation;
use crate::history::{Event, Op};
use crate::operator::{DEPTHS, MESSAGES};

pub(crate) const NAME: &str = "leaks";

/// Checks the figures that the server gave of itself in the end.
#[must_use]
pub fn check(history: &[Event]) -> Vec<Violation> {
    let last = history.iter().rev().find_map(|event| match &event.op {
        Op::Gauges { gauges } => Some((event, gauges)),
        _ => None,
    });
    let Some((event, gauges)) = last else {
        return vec![Violation::new(NAME, "the server gave no figures in the end", &[])];
    };
    if gauges.is_empty() {
        return vec![Violation::new(NAME, "the server's figures are empty", &[event.index])];
    }
    let held = gauges.iter().filter(|(name, value)| **value > asked_over(name));
    let held =
        held.filter(|(name, _)| !DEPTHS.contains(&name.as_str()) && !name.starts_with(MESSAGES));
    held.map(|(name, value)| {
        let what = format!("the server still holds {value} {name}");
        Violation::new(NAME, what, &[event.index])
    })
    .collect()
}

/// What the question itself makes the server hold, and what is nothing to hold.
fn asked_over(gauge: &str) -> u64 {
    u64::from(matches!(gauge, "connections" | "ready"))
}
