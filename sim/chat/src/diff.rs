//! Where two runs part: what they share until then, and what each did from there on.
//!
//! Ids are random, and so differ from run to run; events are compared by who and by what in short
//! names. That the same thing happened at another time is told apart from another thing.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::plan::Plan;
use crate::simulation::{self, Report};
use crate::transcript::Names;
use crate::words::{describe, planned};

/// Events that are shown before the parting, and of each run after it.
const SHOWN_MAX: usize = 6;

/// Two runs, compared.
#[derive(Debug, Clone, Serialize)]
pub struct Diff {
    /// What the plans do not have in common.
    pub plans: PlanDiff,
    /// Events that both begin with, in the same order.
    pub shared: usize,
    /// The last of them, as they are in the first run.
    pub before: Vec<String>,
    /// The first event that happened at another time, if that was before the parting.
    pub other_time: Option<[String; 2]>,
    /// The first event that is not the same, in each run, and a few after it; nothing where a run
    /// is over, and nothing in both where they are the same to the end.
    pub then: [Vec<String>; 2],
}

/// What two plans do not have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlanDiff {
    /// People, steps and faults of the first plan alone.
    pub only_first: Vec<String>,
    /// People, steps and faults of the second plan alone.
    pub only_second: Vec<String>,
    /// Settings and limits that differ, by name, with both values.
    pub settings: BTreeMap<String, [Value; 2]>,
}

impl Diff {
    /// True when both did the same at the same times, to the end.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.other_time.is_none() && self.then.iter().all(Vec::is_empty)
    }
}

/// Compares two runs.
#[must_use]
pub fn diff(first: &Report, second: &Report) -> Diff {
    let (ours, theirs) = (Told::of(first), Told::of(second));
    let shared = ours.shared(&theirs);
    let other = (0..shared).find(|place| ours.at_us(*place) != theirs.at_us(*place));
    Diff {
        plans: plans(&first.plan, &second.plan),
        shared,
        before: ours.lines(shared.saturating_sub(SHOWN_MAX)..shared),
        other_time: other.map(|place| [ours.line(place), theirs.line(place)]),
        then: [&ours, &theirs].map(|told| told.lines(shared..shared + SHOWN_MAX)),
    }
}

/// Of some plans, the run of the one that goes along with a run for the longest; the first of
/// those where there are several.
#[must_use]
pub fn nearest(report: &Report, plans: &[Plan]) -> Option<Report> {
    let ours = Told::of(report);
    let runs = plans.iter().map(|plan| simulation::run(plan, false)).collect::<Vec<_>>();
    let shared = |run: &Report| ours.shared(&Told::of(run));
    // The last of equals is taken, so the list is turned round.
    runs.into_iter().rev().max_by_key(shared)
}

/// A history with everything in words that do not differ by chance.
struct Told<'a> {
    report: &'a Report,
    words: Vec<String>,
}

impl<'a> Told<'a> {
    fn of(report: &'a Report) -> Self {
        let names = Names::of(&report.history);
        Self { report, words: names.shorten_all(report.history.iter().map(describe)) }
    }

    /// How many events from the start on are the same in both.
    fn shared(&self, other: &Told<'_>) -> usize {
        let pairs = self.all().zip(other.all());
        pairs.take_while(|(ours, theirs)| ours == theirs).count()
    }

    fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        let who = self.report.history.iter().map(|event| event.process.as_str());
        who.zip(self.words.iter().map(String::as_str))
    }

    fn at_us(&self, place: usize) -> u64 {
        self.report.history[place].at_us
    }

    fn line(&self, place: usize) -> String {
        let event = &self.report.history[place];
        let (seconds, who) = (event.at_us as f64 / 1e6, &event.process);
        format!("[{place}] {seconds:.3} s {who}: {}", self.words[place])
    }

    fn lines(&self, places: std::ops::Range<usize>) -> Vec<String> {
        places.take_while(|place| *place < self.words.len()).map(|place| self.line(place)).collect()
    }
}

fn plans(first: &Plan, second: &Plan) -> PlanDiff {
    let (ours, theirs) = (planned(first), planned(second));
    PlanDiff {
        only_first: less(&ours, &theirs),
        only_second: less(&theirs, &ours),
        settings: settings(first, second),
    }
}

/// The lines of one list that are not in another, as often as they are not.
fn less(lines: &[String], others: &[String]) -> Vec<String> {
    let mut others = others.to_vec();
    let mut left = Vec::new();
    for line in lines {
        match others.iter().position(|other| other == line) {
            Some(place) => drop(others.remove(place)),
            None => left.push(line.trim().to_owned()),
        }
    }
    left
}

fn settings(first: &Plan, second: &Plan) -> BTreeMap<String, [Value; 2]> {
    let [ours, theirs] = [first, second].map(|plan| {
        let json = serde_json::to_value(plan).expect("a plan is plain data");
        let parts = ["settings", "server"].map(|part| json[part].as_object().cloned());
        let mut all: BTreeMap<_, _> = parts.into_iter().flatten().flatten().collect();
        all.insert("seed".to_owned(), plan.seed.into());
        all
    });
    let keys = ours.keys().chain(theirs.keys().filter(|key| !ours.contains_key(*key)));
    let value = |all: &BTreeMap<String, Value>, key| all.get(key).cloned().unwrap_or_default();
    let both = keys.map(|key| (key.clone(), [value(&ours, key), value(&theirs, key)]));
    both.filter(|(_, [ours, theirs])| ours != theirs).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate;
    use crate::options::Options;

    fn run(seed: u64, change: impl FnOnce(&mut Plan)) -> Report {
        let mut plan = generate::plan(seed, &Options::default());
        change(&mut plan);
        simulation::run(&plan, false)
    }

    #[test]
    fn a_run_does_not_differ_from_itself() {
        let found = diff(&run(3, |_| {}), &run(3, |_| {}));
        assert!(found.is_none(), "{found:?}");
        let none = PlanDiff { only_first: vec![], only_second: vec![], settings: BTreeMap::new() };
        assert_eq!(found.plans, none);
    }

    #[test]
    fn runs_part_where_one_has_a_step_that_the_other_does_not() {
        let whole = run(3, |_| {});
        let last = whole.plan.steps.len() - 1;
        let at_us = whole.plan.steps[last].at_ms * 1_000;
        let shorter = run(3, |plan| drop(plan.steps.pop()));
        let found = diff(&whole, &shorter);
        assert_eq!((found.plans.only_first.len(), found.plans.only_second.len()), (1, 0));
        let before = whole.history.iter().filter(|event| event.at_us < at_us).count();
        assert!(found.shared >= before, "{} of {before}", found.shared);
        assert!(found.shared < whole.history.len() && !found.before.is_empty());
        assert_eq!(found.other_time, None);
        assert_ne!(found.then[0].first(), found.then[1].first());
    }

    #[test]
    fn the_same_at_another_time_is_told_apart_from_something_else() {
        let [early, late] = [100, 103].map(|ms| {
            run(3, |plan| {
                plan.steps.retain_mut(|step| {
                    step.at_ms = ms;
                    step.who == "ann"
                })
            })
        });
        let found = diff(&early, &late);
        let [ours, theirs] = found.other_time.clone().expect("everything is 3 ms later");
        assert!(ours.starts_with("[0] 0.100 s ann"), "{ours}");
        assert!(
            theirs.starts_with("[0] 0.105 s ann") || theirs.starts_with("[0] 0.103 s ann"),
            "{theirs}"
        );
        assert!(!found.is_none());
    }

    #[test]
    fn settings_that_differ_are_named_with_both_values() {
        let found = diff(&run(3, |_| {}), &run(3, |plan| plan.settings.poll_wait_ms = 900));
        let expected = [Value::from(1_200), Value::from(900)];
        assert_eq!(found.plans.settings, BTreeMap::from([("poll_wait_ms".to_owned(), expected)]));
    }

    #[test]
    fn the_nearest_of_several_runs_goes_along_for_the_longest() {
        let whole = run(5, |_| {});
        let without = |place: usize| {
            let mut plan = whole.plan.clone();
            plan.steps.remove(place);
            plan
        };
        let plans = [without(0), without(whole.plan.steps.len() - 1), without(1)];
        let nearest = nearest(&whole, &plans).expect("there are plans");
        assert_eq!(nearest.plan, plans[1]);
    }
}
