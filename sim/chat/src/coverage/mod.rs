//! Rare states that a sweep should reach: a promise that was never in danger was not tested.
//!
//! `people` are states that people notice, `server` those that only the server knows and says in
//! its tracing events, `moments` two things in one tick, `floods` what an attacker does. A state is a
//! question to a finished run; it never changes one.

mod floods;
mod moments;
mod people;
mod run;
mod server;

use std::collections::BTreeSet;

use crate::model::Report;
use run::Run;

/// A state: its name, and whether a run was in it.
type State = (&'static str, fn(&Run<'_>) -> bool);

fn states() -> impl Iterator<Item = &'static State> {
    people::STATES.iter().chain(server::STATES).chain(moments::STATES).chain(floods::STATES)
}

/// The names of all states.
#[must_use]
pub fn known() -> Vec<&'static str> {
    states().map(|(name, _)| *name).collect()
}

/// The names of the states that a run was in.
#[must_use]
pub fn reached(report: &Report) -> BTreeSet<&'static str> {
    let run = Run::new(report);
    states().filter(|(_, seen)| seen(&run)).map(|(name, _)| *name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_a_name_of_its_own() {
        let names = known();
        let distinct: BTreeSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), names.len());
        assert!(names.len() >= 40, "{}", names.len());
    }
}
