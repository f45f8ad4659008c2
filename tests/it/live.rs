//! Plans against real servers: the same people, the same checkers, and no server left behind.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use chat_sim::plan::{Action, Plan};
use chat_sim::{Options, generate};
use client::TransportKind;
use serde_json::Value;

const RACETRACK: &str = env!("CARGO_BIN_EXE_racetrack");

/// A program that takes down its process id, does this, and becomes racetrack with these words.
fn program(dir: &Path, first: &str, words: &str) -> PathBuf {
    let path = dir.join("server");
    let pids = dir.join("pids");
    let script =
        format!("#!/bin/sh\necho $$ >> {}\n{first}\nexec {RACETRACK} {words}\n", pids.display());
    fs::write(&path, script).expect("it is written");
    fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("it is ours");
    path
}

/// Runs the plan of one seed against servers of this program, with faults of this kind at most.
fn live_with(seed: u64, program: &Path, fault: Option<&str>) -> Output {
    let mut run = Command::new(RACETRACK);
    run.args(["sim", "live", "--format", "json", "--simulated", "8s"]);
    run.args(fault.map(|fault| format!("--fault={fault}")));
    run.args(["--seeds", &format!("{seed}..{}", seed + 1), "--server"]).arg(program);
    run.output().expect("the program can be started")
}

fn live(seed: u64, program: &Path) -> Output {
    live_with(seed, program, None)
}

fn said(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// How many servers there were; fails if one is still there.
fn gone(dir: &Path) -> usize {
    let pids = fs::read_to_string(dir.join("pids")).expect("a server was started");
    for pid in pids.lines() {
        // Whoever has the same id now is another program.
        let command = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        assert!(!command.contains("serve"), "process {pid} is left behind: {command}");
    }
    pids.lines().count()
}

fn plan(seed: u64) -> Plan {
    generate::plan(seed, &Options { simulated_ms: 8_000, ..Options::default() })
}

/// The first seed whose plan is as wanted.
fn seed_where(is_wanted: impl Fn(&Plan) -> bool) -> u64 {
    (0..1_000).find(|seed| is_wanted(&plan(*seed))).expect("there are many plans")
}

#[test]
fn a_plan_keeps_its_promises_against_a_real_server_that_is_gone_afterwards() {
    let dir = tempfile::tempdir().expect("a directory for the test");
    let server = program(dir.path(), "", "\"$@\"");
    let is_restarted = |plan: &Plan| {
        let kinds: Vec<_> = plan.faults.iter().map(|fault| fault.kind.to_string()).collect();
        kinds.iter().any(|kind| kind == "crash") && plan.clients.len() == 4
    };
    let output = live(seed_where(is_restarted), &server);
    let said = said(&output);
    assert!(output.status.success(), "{said}");
    assert_eq!((&said["seeds"], &said["failures"]), (&Value::from(1), &Value::Array(Vec::new())));
    assert!(said["events"].as_u64().is_some_and(|events| events > 20), "{said}");
    assert!(gone(dir.path()) >= 2, "one crashed, another came");
}

#[test]
fn a_server_that_answers_polls_too_soon_fails_by_the_same_checker() {
    let dir = tempfile::tempdir().expect("a directory for the test");
    let server = program(
        dir.path(),
        "words=$(echo \"$@\" | sed 's/--poll-wait-ms-max [0-9]*/--poll-wait-ms-max 100/')",
        "$words",
    );
    // No loopback has such a fault.
    let output = live_with(seed_where(rests_over_a_long_poll), &server, Some("clock-forward"));
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(said["failures"][0]["checker"], "timeouts", "{said}");
    gone(dir.path());
}

/// Somebody polls to the end.
fn rests_over_a_long_poll(plan: &Plan) -> bool {
    let stays = |name: &str| {
        let leaves = [Action::Leave, Action::Vanish, Action::GoAway];
        !plan.steps.iter().any(|step| step.client == name && leaves.contains(&step.action))
    };
    let polls = |transport| transport == TransportKind::LongPoll;
    (plan.config.poll_wait_ms, plan.config.server.notice_interval_ms) == (1_200, 1_000)
        && plan.clients.iter().any(|person| polls(person.profile.transport) && stays(&person.name))
}

#[test]
fn interrupted_live_run_takes_its_server_with_it() {
    let dir = tempfile::tempdir().expect("a directory for the test");
    let server = program(dir.path(), "kill -INT $PPID", "\"$@\"");
    let output = live(0, &server);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("interrupted; every server that was started is gone"), "{said}");
    assert_eq!(gone(dir.path()), 1);
}

#[test]
fn a_program_that_does_not_serve_is_told_in_its_own_words() {
    let dir = tempfile::tempdir().expect("a directory for the test");
    let server = program(dir.path(), "echo no such command >&2; exit 3", "\"$@\"");
    let output = live(0, &server);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("does not listen; its log: no such command"), "{said}");
}
