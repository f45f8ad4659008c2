//! Plans of the chat that are refused, and those that are not.

use racetrack_sim::plan::RUN_MS_MAX;

use super::{Plan, read};
use crate::fault;
use crate::generate;
use crate::model::Chat;
use crate::options::Options;

fn refusal(change: impl FnOnce(&mut Plan)) -> String {
    let mut plan = generate::plan(3, &Options::default());
    change(&mut plan);
    let why = read(&plan.to_json()).map_err(|why| why.to_string()).expect_err("it cannot be meant");
    assert_eq!(why.lines().count(), 1, "{why}");
    why
}

#[test]
fn every_plan_that_a_seed_makes_can_be_meant() {
    for seed in 0..200 {
        let plan = generate::plan(seed, &Options::default());
        assert_eq!(plan.check(&Chat).map_err(|why| why.to_string()), Ok(()), "seed {seed}");
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
    let why = refusal(|plan| plan.clients[1].name = plan.clients[0].name.clone());
    assert!(why.starts_with("the plan has two clients named "), "{why}");
    let why = refusal(|plan| plan.clients[0].host = 100);
    assert!(why.contains(" on host 100 of "), "{why}");
    let why = refusal(|plan| plan.steps[0].client = "no\nbody".to_owned());
    assert!(why.starts_with("step 0 of the plan, at "), "{why}");
    assert!(why.contains(r#": no client is named "no\nbody"; there are ""#), "{why}");
    let why = refusal(|plan| plan.clients[0].name = "server".to_owned());
    assert!(why.starts_with(r#"the plan names a client "server"; reserved names: "#), "{why}");
    let why = refusal(|plan| plan.config.server.messages_per_s_max = 0);
    assert!(why.starts_with("the plan's server: --messages-per-s-max: 0 "), "{why}");
}

#[test]
fn fault_of_an_unknown_client_or_kind_is_refused_with_the_names_that_exist() {
    let why = refusal(|plan| {
        plan.faults = vec![crate::plan::Fault {
            at_ms: 7,
            kind: racetrack_sim::FaultKind::CutReset.into(),
            target: "zoe".to_owned(),
            for_ms: 0,
            count: None,
        }];
    });
    assert!(
        why.starts_with(r#"fault 0 of the plan, cut-reset at 7 ms: no client is named "zoe"; "#),
        "{why}"
    );
    let json = generate::plan(3, &Options::default()).to_json();
    let json = json.replacen(
        "\"faults\": [",
        "\"faults\": [{\"at_ms\": 1, \"kind\": \"rain\", \"target\": \"ann\", \"for_ms\": 1},",
        1,
    );
    let why = read(&json).expect_err("no fault has that name").to_string();
    assert!(why.contains(r#"no fault is named "rain"; there are hold, "#), "{why}");
    assert_eq!(fault::all().len(), 33);
}

#[test]
fn plan_of_another_model_is_refused() {
    let why = refusal(|plan| plan.model = "box-office".to_owned());
    assert_eq!(why, r#"the plan is for the model "box-office", this program runs "chat""#);
}
