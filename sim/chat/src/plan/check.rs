//! Plans that cannot be meant are refused before they run: a file may come from anybody.

use std::collections::BTreeSet;
use std::num::NonZeroU64;
use std::ops::RangeInclusive;

use super::{Fault, Plan, Settings, Step};
use crate::flood::ATTACKER;
use crate::names::{listed, unknown};
use crate::nemesis::SLOW_LATENCY_MS;
use crate::operator::{OPERATOR, SCRAPE_MS};
use crate::workload::SERVER;

/// The longest run, and the latest moment in one: a day, in milliseconds.
pub const RUN_MS_MAX: u64 = 24 * 60 * 60 * 1_000;
/// How often the world may be looked at in one run.
const TICKS_MAX: u64 = 100_000_000;
/// The coarsest grain of time, in milliseconds.
const TICK_MS_MAX: u64 = 1_000;
/// People, and hosts for them.
const PEOPLE_MAX: usize = 1_000;
/// Who else is in a history.
const TAKEN: [&str; 5] = [SERVER, OPERATOR, ATTACKER, "nemesis", "simulation"];
/// What all floods together may ask for: less than the ports and the backlog of a simulated host.
const FLOODS_COUNT_MAX: u64 = 2_000;

impl Plan {
    /// Looks for what no run could be made of.
    ///
    /// # Errors
    ///
    /// One line that says what is wrong, with the names that there are where one is unknown.
    pub fn check(&self) -> Result<(), String> {
        self.server.check().map_err(|nonsense| format!("the plan's server: {nonsense}"))?;
        self.settings.check().map_err(|why| format!("the plan's settings: {why}"))?;
        self.check_people()?;
        let steps = self.steps.iter().map(|step| (step.at_ms, 0));
        let faults = self.faults.iter().map(|fault| (fault.at_ms, fault.for_ms));
        for (at_ms, for_ms) in steps.chain(faults) {
            within("at_ms", at_ms, 0..=RUN_MS_MAX).map_err(|why| format!("the plan: {why}"))?;
            within("for_ms", for_ms, 0..=RUN_MS_MAX).map_err(|why| format!("the plan: {why}"))?;
        }
        let counts = self.faults.iter().filter_map(Fault::flood_count);
        let count = counts.map(NonZeroU64::get).fold(0, u64::saturating_add);
        within("the count of all floods together", count, 0..=FLOODS_COUNT_MAX)
            .map_err(|why| format!("the plan: {why}"))?;
        Ok(())
    }

    fn check_people(&self) -> Result<(), String> {
        if self.people.len() > PEOPLE_MAX {
            let people = self.people.len();
            return Err(format!("the plan has {people} people; at most {PEOPLE_MAX} take part"));
        }
        let mut names = BTreeSet::new();
        for person in &self.people {
            let (name, hosts) = (person.name.as_str(), self.settings.client_hosts);
            if name.is_empty() || TAKEN.contains(&name) {
                let taken = listed(TAKEN);
                return Err(format!("the plan names a person {name:?}; reserved names: {taken}"));
            }
            if !names.insert(name) {
                return Err(format!("the plan has two people who are named {name:?}"));
            }
            if person.host >= hosts {
                let host = person.host;
                return Err(format!("the plan puts {name:?} on host {host} of {hosts}, from 0"));
            }
        }
        let mut steps = self.steps.iter().enumerate();
        match steps.find(|(_, step)| !names.contains(step.who.as_str())) {
            Some((number, Step { at_ms, who, .. })) => {
                let known = self.people.iter().map(|person| person.name.as_str());
                let unknown = unknown("person", who, known);
                Err(format!("step {number} of the plan, at {at_ms} ms: {unknown}"))
            }
            None => Ok(()),
        }
    }
}

impl Settings {
    fn check(&self) -> Result<(), String> {
        within("tick_ms", self.tick_ms, 1..=TICK_MS_MAX)?;
        within("latency_ms_max", self.latency_ms_max, 0..=SLOW_LATENCY_MS)?;
        within("latency_ms_min", self.latency_ms_min, 0..=self.latency_ms_max)?;
        within("client_hosts", self.client_hosts as u64, 1..=PEOPLE_MAX as u64)?;
        within("poll_interval_ms", self.poll_interval_ms, 1..=RUN_MS_MAX)?;
        within("poll_wait_ms", self.poll_wait_ms, 0..=RUN_MS_MAX)?;
        within("segment_bytes_max", self.segment_bytes_max as u64, 1..=u64::MAX)?;
        within("window_bytes", self.window_bytes as u64, 1..=u64::MAX)?;
        within("disturb_ms", self.disturb_ms, 0..=RUN_MS_MAX)?;
        within("settle_ms", self.settle_ms, 0..=RUN_MS_MAX)?;
        within("forget_ms", self.forget_ms, SCRAPE_MS..=RUN_MS_MAX)?;
        let run_ms_max = RUN_MS_MAX.min(TICKS_MAX.saturating_mul(self.tick_ms));
        within("disturb_ms + settle_ms + forget_ms", self.ended_ms(), SCRAPE_MS..=run_ms_max)
    }
}

fn within(name: &str, value: u64, range: RangeInclusive<u64>) -> Result<(), String> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(format!("{name} {value}: {} to {} can be run", range.start(), range.end()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate;
    use crate::options::Options;

    fn refusal(change: impl FnOnce(&mut Plan)) -> String {
        let mut plan = generate::plan(3, &Options::default());
        change(&mut plan);
        let why = Plan::from_json(&plan.to_json()).expect_err("it cannot be meant");
        assert_eq!(why.lines().count(), 1, "{why}");
        why
    }

    #[test]
    fn every_plan_that_a_seed_makes_can_be_meant() {
        for seed in 0..200 {
            let plan = generate::plan(seed, &Options::default());
            assert_eq!(plan.check(), Ok(()), "seed {seed}");
        }
    }

    #[test]
    fn a_plan_that_could_never_end_is_refused() {
        let why = refusal(|plan| plan.settings.tick_ms = 0);
        assert_eq!(why, "the plan's settings: tick_ms 0: 1 to 1000 can be run");
        let why = refusal(|plan| plan.settings.segment_bytes_max = 0);
        assert!(why.contains("segment_bytes_max 0: 1 to "), "{why}");
        let why = refusal(|plan| plan.settings.disturb_ms = u64::MAX);
        assert!(why.contains("disturb_ms 18446744073709551615: 0 to 86400000"), "{why}");
        let why = refusal(|plan| {
            plan.settings.disturb_ms = RUN_MS_MAX;
            plan.settings.settle_ms = RUN_MS_MAX;
        });
        assert!(why.contains("disturb_ms + settle_ms + forget_ms"), "{why}");
    }

    #[test]
    fn a_plan_of_a_world_that_cannot_be_is_refused() {
        let why = refusal(|plan| plan.settings.latency_ms_min = 400);
        assert!(why.contains("latency_ms_min 400: 0 to "), "{why}");
        let why = refusal(|plan| plan.people[1].name = plan.people[0].name.clone());
        assert!(why.starts_with("the plan has two people who are named "), "{why}");
        let why = refusal(|plan| plan.people[0].host = 100);
        assert!(why.contains(" on host 100 of "), "{why}");
        let why = refusal(|plan| plan.steps[0].who = "no\nbody".to_owned());
        assert!(why.starts_with("step 0 of the plan, at "), "{why}");
        assert!(why.contains(r#": no person is named "no\nbody"; there are ""#), "{why}");
        let why = refusal(|plan| plan.people[0].name = "server".to_owned());
        assert!(why.starts_with(r#"the plan names a person "server"; reserved names: "#), "{why}");
        let why = refusal(|plan| plan.server.messages_per_s_max = 0);
        assert!(why.starts_with("the plan's server: --messages-per-s-max: 0 "), "{why}");
    }
}
