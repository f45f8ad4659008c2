//! Where two runs of the chat diverge.

use std::collections::BTreeMap;

use racetrack_sim::diff::{PlanDiff, diff, nearest};
use serde_json::Value;

use crate::generate;
use crate::model::{self, Chat, Report};
use crate::options::Options;
use crate::plan::Plan;

fn run(seed: u64, change: impl FnOnce(&mut Plan)) -> Report {
    let mut plan = generate::plan(seed, &Options::default());
    change(&mut plan);
    model::run(&plan, false)
}

#[test]
fn a_run_does_not_differ_from_itself() {
    let found = diff(&Chat, &run(3, |_| {}), &run(3, |_| {}));
    assert!(found.is_none(), "{found:?}");
    let none = PlanDiff { only_first: vec![], only_second: vec![], settings: BTreeMap::new() };
    assert_eq!(found.plans, none);
}

#[test]
fn runs_diverge_where_one_has_a_step_that_the_other_does_not() {
    let whole = run(3, |_| {});
    let last = whole.plan.steps.len() - 1;
    let at_us = whole.plan.steps[last].at_ms * 1_000;
    let shorter = run(3, |plan| drop(plan.steps.pop()));
    let found = diff(&Chat, &whole, &shorter);
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
                step.client == "ann"
            })
        })
    });
    let found = diff(&Chat, &early, &late);
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
    let found = diff(&Chat, &run(3, |_| {}), &run(3, |plan| plan.config.poll_wait_ms = 900));
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
    let nearest = nearest(&Chat, &whole, &plans).expect("there are plans");
    assert_eq!(nearest.plan, plans[1]);
}
