//! What one does with a plan: shrink it, draw it, compare it with another.
//!
//! The plan that fails here keeps no promise of the server's: its sessions live on for longer than
//! the run lasts, so whoever vanishes is still there in the end.

use std::fs;
use std::path::Path;

use chat_sim::plan::Action;
use chat_sim::{Options, Plan, generate};
use serde_json::{Value, json};

use super::results::{files, object};
use super::{empty_dir, racetrack};
use crate::schema;

/// A plan of a seed in which somebody vanishes, before a server that is slow to notice.
pub(crate) fn failing() -> Plan {
    let options = Options { clients: 2, faults: Vec::new(), ..Options::default() };
    let plans = (0..100).map(|seed| generate::plan(seed, &options));
    let patient = plans.map(|mut plan| {
        (plan.config.server.session_lease_ms, plan.config.server.resume_window_ms) =
            (60_000, 60_000);
        plan
    });
    let leaves_one = |plan: &Plan| {
        let found = chat_sim::run(plan, false).violations;
        found.first().is_some_and(|found| found.what.ends_with(" sessions"))
    };
    let vanishes = |plan: &Plan| plan.steps.iter().any(|step| step.action == Action::Vanish);
    let mut failing = patient.filter(|plan| vanishes(plan) && leaves_one(plan));
    failing.next().expect("vanishing is common")
}

fn write(dir: &Path, name: &str, plan: &Plan) {
    fs::write(dir.join(name), plan.to_json()).expect("a file");
}

/// The book promises a failure to look at.
#[test]
fn the_plan_of_the_book_fails() {
    let plan = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/impatient.json");
    let replay = racetrack(empty_dir().path(), &format!("sim replay {plan}"));
    assert_eq!(replay.code, Some(1), "{}", replay.stderr);
    assert!(
        replay.stdout.contains("leaks: the server still holds 1 sessions"),
        "{}",
        replay.stdout
    );
}

#[test]
fn a_shrunk_plan_is_small_fails_alike_and_replays_from_its_file() {
    let dir = empty_dir();
    let plan = failing();
    write(dir.path(), "plan.json", &plan);
    let ended = racetrack(dir.path(), "sim shrink plan.json --runs 400 --format json --out small");
    assert_eq!(ended.code, Some(0), "it was shrunk\n{}", ended.stderr);
    let said = object(&ended);
    schema::check("sim-shrink", &said);
    assert_eq!(said["steps_before"], plan.steps.len());
    let after = ["steps_after", "clients_after", "faults_after"].map(|field| &said[field]);
    assert_eq!(after, [&json!(2), &json!(1), &json!(0)], "somebody comes and vanishes: {said}");
    assert_eq!(said["is_minimal"], true);
    let kind = said["kind"].as_str().expect("a kind is text");
    assert_eq!(kind, "leaks: the server still holds _ sessions");

    let written = files(&dir.path().join("small"));
    assert_eq!(written.len(), 2, "{written:?}");
    let replay = format!("sim replay {} --format json", said["file"].as_str().expect("a path"));
    let replay = racetrack(dir.path(), &replay);
    assert_eq!(replay.code, Some(1), "{}", replay.stderr);
    let replay = object(&replay);
    schema::check("sim-run", &replay);
    assert_eq!((&replay["checker"], &replay["plan"]), (&json!("leaks"), &said["plan"]));
}

#[test]
fn shrinking_tells_the_smallest_plan_the_divergence_and_what_to_do_with_it() {
    let dir = empty_dir();
    write(dir.path(), "plan.json", &failing());
    let ended = racetrack(dir.path(), "sim shrink plan.json --runs 400 --jobs 1 --out small");
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    for words in [
        "plan.json shrunk in ",
        "steps to 2, ",
        "2 clients to 1, ",
        " join\n",
        " vanish\n",
        "leaks: the server still holds 1 sessions",
        "only the smallest plan has: ",
        "racetrack sim replay small/leaks_the_server_still_holds_sessions.json",
        "tests/it/regressions/",
    ] {
        assert!(ended.stdout.contains(words), "{words:?} is not in\n{}", ended.stdout);
    }
    let page = dir.path().join("small/leaks_the_server_still_holds_sessions.html");
    let page = fs::read_to_string(page).expect("the page was written");
    let title = "leaks_the_server_still_holds_sessions, shrunk from plan.json";
    assert!(page.contains(&format!("<h1>racetrack: {title}</h1>")), "{title}");
}

/// What the server still holds in the end is one finding with consequences, not one for each figure.
#[test]
fn violations_that_follow_from_another_one_are_shown_under_it() {
    let dir = empty_dir();
    write(dir.path(), "plan.json", &failing());
    let ended = racetrack(dir.path(), "sim replay plan.json --html page.html");
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let lines = ended.stdout.lines();
    let causes = lines.clone().filter(|line| line.starts_with("leaks: the server still holds"));
    let consequences =
        lines.clone().filter(|line| line.starts_with("  also leaks: the server still holds"));
    let evidence = lines.filter(|line| line.contains("] ") && line.contains("the server holds"));
    assert_eq!((causes.count(), evidence.count()), (1, 1), "{}", ended.stdout);
    assert!(consequences.count() > 0, "{}", ended.stdout);
    let page = fs::read_to_string(dir.path().join("page.html")).expect("the page was written");
    assert!(page.contains("<h2>A promise was broken</h2>"));
    assert!(page.contains("and what was found with it: "));
    assert!(page.contains("<h1>racetrack: plan.json</h1>"), "no seed makes this plan");
}

#[test]
fn a_plan_that_does_not_fail_is_left_alone() {
    let ended = racetrack(empty_dir().path(), "sim shrink --seed 3 --format json");
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    schema::check("sim-shrink", &object(&ended));
    assert_eq!(object(&ended)["failed"], false);
}

#[test]
fn a_seed_and_the_replay_of_its_plan_are_drawn_as_the_same_page() {
    let dir = empty_dir();
    let seed = racetrack(dir.path(), "sim --seed 3 --html pages/one.html --format json");
    assert_eq!(seed.code, Some(0), "{}", seed.stderr);
    let said = object(&seed);
    assert_eq!(said["html"], "pages/one.html");
    fs::write(dir.path().join("plan.json"), said["plan"].to_string()).expect("a file");
    let replay = racetrack(dir.path(), "sim replay plan.json --html pages/two.html");
    assert_eq!(replay.code, Some(0), "{}", replay.stderr);
    let page = |name: &str| fs::read_to_string(dir.path().join("pages").join(name));
    let [one, two] = ["one.html", "two.html"].map(|name| page(name).expect("the page is there"));
    assert_eq!(one, two);
    assert!(one.contains("Every promise kept") && one.contains("id=\"picture\""));
}

#[test]
fn two_runs_are_compared_up_to_the_event_at_which_they_part() {
    let dir = empty_dir();
    let mut plan = generate::plan(3, &Options::default());
    plan.steps.pop();
    write(dir.path(), "shorter.json", &plan);
    let ended = racetrack(dir.path(), "sim diff 3 shorter.json --format json");
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let said = object(&ended);
    schema::check("sim-diff", &said);
    assert_eq!((&said["equal"], &said["a"]["seed"]), (&json!(false), &json!(3)));
    assert_eq!(said["plans"]["only_first"].as_array().map(Vec::len), Some(1), "{said}");
    assert_ne!(said["then"][0][0], said["then"][1][0]);

    let same = object(&racetrack(dir.path(), "sim diff 3 3 --format json"));
    assert_eq!((&same["equal"], &same["then"]), (&json!(true), &json!([[], []])));
    let told = racetrack(dir.path(), "sim diff 3 shorter.json").stdout;
    let shared = format!("{} events are the same in both", said["shared"]);
    assert!(told.contains(&shared) && told.contains("only A (passes) has: "), "{told}");
    assert_ne!(Value::Null, said["b"]["trace_hash"]);
}
