//! What shrinking promises. The failures here are properties of a run that nobody need mend, so
//! that the tests do not depend on a server that is broken.

use std::cell::Cell;

use expect_test::{Expect, expect};
use protocol::{LeftReason, ServerEvent};

use racetrack_sim::Violation;
use racetrack_sim::shrink::{self, Limits, Size, file_stem};
use racetrack_sim::summary::planned;

use crate::generate;
use crate::history::Op;
use crate::model::{self, Chat};
use crate::options::Options;
use crate::plan::FaultKind;
use crate::plan::Plan;

/// Somebody was left by a partner who skipped, after packets had been held.
fn skipped_after_a_hold(plan: &Plan) -> bool {
    let history = model::run(plan, false).history;
    let held =
        |op: &Op| matches!(op, Op::Fault { kind, effect: 1.., .. } if *kind == FaultKind::Hold);
    let Some(held) = history.iter().position(|event| held(&event.op)) else { return false };
    let skipped = ServerEvent::PartnerLeft { reason: LeftReason::Skipped };
    history[held..].iter().any(|event| event.told() == Some(&skipped))
}

/// A plan of a seed that has what is looked for.
fn failing() -> Plan {
    let plan = |seed| generate::plan(seed, &Options::default());
    (0..100).map(plan).find(skipped_after_a_hold).expect("skipping and holding are common")
}

/// Few enough to be quick, and enough for the plan here.
fn few() -> Limits {
    Limits { runs_max: 1_000, other_seeds: 0, jobs: 2 }
}

fn shrunk(plan: &Plan, limits: &Limits) -> shrink::Shrunk<Chat> {
    shrink::shrink(&Chat, plan, limits, skipped_after_a_hold, |_| {})
}

fn check(plan: &Plan, expected: Expect) {
    let lines = planned(plan);
    let lines = lines.iter().map(|line| line.trim().to_owned() + "\n");
    expected.assert_eq(&lines.collect::<String>());
}

#[test]
fn what_is_left_is_what_the_failure_needs() {
    let plan = failing();
    let shrunk = shrunk(&plan, &few());
    check(
        &shrunk.plan,
        expect![[r#"
            ann short-poll host=0
            cyd short-poll host=0
            0.001 s ann join
            0.001 s cyd join
            0.006 s cyd next
            0.006 s hold for_ms=0 target=clients-0
        "#]],
    );
    assert!(skipped_after_a_hold(&shrunk.plan));
    assert!(shrunk.is_minimal, "{} runs", shrunk.runs);
    assert_eq!((shrunk.before, shrunk.after), (Size::of(&plan), Size::of(&shrunk.plan)));
}

#[test]
fn nothing_can_be_taken_away_from_the_smallest_plan() {
    let shrunk = shrunk(&failing(), &few());
    let Size { steps, clients, faults } = shrunk.after;
    assert_eq!(shrunk.passing.len(), steps + clients + faults);
    assert!(!shrunk.passing.iter().any(skipped_after_a_hold));
}

#[test]
fn the_smallest_plan_is_the_same_on_any_number_of_threads() {
    let plan = failing();
    let limits = Limits { runs_max: 100, jobs: 1, ..few() };
    let (one, three) = (shrunk(&plan, &limits), shrunk(&plan, &Limits { jobs: 3, ..limits }));
    assert_eq!((&one.plan, one.runs, &one.passing), (&three.plan, three.runs, &three.passing));
}

#[test]
fn no_more_runs_are_made_than_are_allowed() {
    let counted = Cell::new(0);
    let limits = Limits { runs_max: 20, ..Limits::default() };
    let shrunk =
        shrink::shrink(&Chat, &failing(), &limits, skipped_after_a_hold, |runs| counted.set(runs));
    assert_eq!((shrunk.runs, counted.get()), (20, 20));
    assert!(!shrunk.is_minimal && skipped_after_a_hold(&shrunk.plan));
}

#[test]
fn a_candidate_that_passes_by_chance_is_tried_under_other_seeds() {
    let plan = (0..100).map(|seed| generate::plan(seed, &Options::default()));
    let plan = plan.filter(|plan| plan.seed > 3).find(|plan| plan.faults.len() > 3);
    let plan = plan.expect("most plans have faults");
    let lucky = |candidate: &Plan| candidate.seed != plan.seed || candidate.faults.len() > 3;
    let own_alone = shrink::shrink(&Chat, &plan, &few(), lucky, |_| {});
    assert_eq!((own_alone.plan.seed, own_alone.after.faults), (plan.seed, 4));
    let others = shrink::shrink(&Chat, &plan, &Limits { other_seeds: 2, ..few() }, lucky, |_| {});
    assert_eq!((others.plan.seed, others.after.faults, others.after.steps), (1, 0, 0));
}

#[test]
fn the_time_to_come_to_rest_is_left_as_it_is() {
    let mut plan = failing();
    plan.settings.forget_ms += 500;
    let shrunk = shrunk(&plan, &few()).plan.settings;
    let usual = crate::plan::Settings::default();
    assert_eq!((shrunk.settle_ms, shrunk.forget_ms), (usual.settle_ms, usual.forget_ms));
    assert!(shrunk.disturb_ms < plan.settings.disturb_ms);
}

#[test]
fn a_run_that_kept_every_promise_has_nothing_to_shrink() {
    let report = model::run(&generate::plan(1, &Options::default()), false);
    assert!(report.passed());
    assert!(shrink::shrink_failure(&Chat, &report, &Limits::default(), |_| {}).is_none());
}

#[test]
fn alike_is_what_differs_only_in_names_and_numbers() {
    let report = model::run(&generate::plan(1, &Options::default()), false);
    let session = report.history.iter().find_map(|event| event.session).expect("somebody joins");
    let kind = |checker: &str, what: String| {
        shrink::signature(
            &Chat,
            &report,
            &Violation { checker: checker.to_owned(), what, evidence: Vec::new() },
        )
    };
    assert_eq!(
        kind("liveness", format!("{session} talks to nobody")),
        "liveness: _ talks to nobody"
    );
    assert_eq!(
        kind("timeouts", "a poll of bob was parked for 17 ms".to_owned()),
        "timeouts: a poll of _ was parked for _ ms"
    );
    assert_eq!(kind("delivery", "ann-3 was heard twice".to_owned()), "delivery: _ was heard twice");
    let panic = kind("panic", "panicked at server/src/hub.rs:12:5: 3 of 4\nand then".to_owned());
    assert_eq!(panic, "panic: panicked at server/src/hub.rs:12:5: _ of _");
    assert_eq!(file_stem("liveness: _ talks to nobody in _"), "liveness_talks_to_nobody_in");
}
