//! A seed is one run: whatever ran before, beside it, or in another process.
//!
//! The hash that is compared covers packets, entropy, clock readings, timers and the history.

use std::collections::BTreeSet;
use std::ops::Range;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use chat_sim::{Chat, Options, generate};
use serde_json::Value;

const SEEDS: Range<u64> = 0..20;

fn hash(seed: u64) -> u64 {
    chat_sim::run(&generate::plan(seed, &Options::default()), false).trace.hash
}

#[test]
fn a_seed_is_one_run_whatever_ran_before() {
    let upwards: Vec<_> = SEEDS.map(hash).collect();
    let mut downwards: Vec<_> = SEEDS.rev().map(hash).collect();
    downwards.reverse();
    assert_eq!(upwards, downwards);
}

#[test]
fn different_seeds_are_different_runs() {
    let hashes: BTreeSet<_> = SEEDS.map(hash).collect();
    assert_eq!(hashes.len(), SEEDS.count());
}

#[test]
fn two_threads_make_the_same_runs_as_one() {
    let sweep = |jobs| racetrack_sim::sweep(&Chat, SEEDS, &Options::default(), jobs, |_| {});
    let (one, two) = (sweep(1), sweep(2));
    assert_eq!((one.trace_hash, one.events), (two.trace_hash, two.events));
    assert_eq!((one.faults, one.reached), (two.faults, two.reached));
}

#[test]
fn a_plan_read_from_its_file_is_the_same_run() {
    for seed in 0..4 {
        let plan = generate::plan(seed, &Options::default());
        let read = chat_sim::plan::read(&plan.to_json()).expect("what was written can be read");
        assert_eq!(plan, read);
        assert_eq!(chat_sim::run(&read, false).trace.hash, hash(seed), "seed {seed}");
    }
}

#[test]
fn switching_faults_off_leaves_the_people_as_they_were() {
    let calm = Options { faults: Vec::new(), ..Options::default() };
    for seed in SEEDS {
        let (with, without) =
            (generate::plan(seed, &Options::default()), generate::plan(seed, &calm));
        assert_eq!((&with.clients, &with.steps), (&without.clients, &without.steps), "seed {seed}");
        assert!(without.faults.is_empty());
    }
    let struck = SEEDS.filter(|seed| !generate::plan(*seed, &Options::default()).faults.is_empty());
    assert!(struck.count() > 10, "most seeds have faults that could be switched off");
}

const RACETRACK: &str = env!("CARGO_BIN_EXE_racetrack");

fn meta(arguments: &[&str]) -> Output {
    let mut meta = Command::new(RACETRACK);
    meta.args(["sim", "meta", "--format", "json"]).args(arguments);
    meta.output().expect("the program can be started")
}

fn said(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).expect("one JSON object")
}

/// A program that passes what it is told to racetrack, with these words added.
fn program(dir: &Path, words: &str) -> PathBuf {
    let path = dir.join("another-build");
    std::fs::write(&path, format!("#!/bin/sh\nexec {RACETRACK} \"$@\" {words}\n"))
        .expect("it is written");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("it is ours");
    path
}

#[test]
fn two_processes_make_the_same_runs() {
    let output = meta(&["--seeds", "0..6"]);
    assert!(output.status.success(), "{output:?}");
    let said = said(&output);
    assert_eq!((&said["seeds"], &said["equal"]), (&Value::from(6), &Value::from(6)), "{said}");
    assert_eq!((&said["first_divergence"], &said["escape"]), (&Value::Null, &Value::Null));
}

#[test]
fn another_build_is_compared_with_this_one() {
    let dir = tempfile::tempdir().expect("a directory for the test");
    let same = program(dir.path(), "");
    let output = meta(&["--seeds", "0..2", "--with", &same.display().to_string()]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(said(&output)["equal"], 2, "{output:?}");
}

#[test]
fn a_build_that_runs_otherwise_is_told_by_the_first_entry_at_which_they_part() {
    let dir = tempfile::tempdir().expect("a directory for the test");
    let other = program(dir.path(), "--fault freeze --fault storm");
    let output = meta(&["--seeds", "0..20", "--with", &other.display().to_string()]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let parting = said(&output)["first_divergence"]["at"].clone();
    assert!(parting.as_str().is_some_and(|at| at.starts_with("entry ")), "{parting}");
}

#[test]
fn a_build_that_is_not_there_is_named() {
    let output = meta(&["--seeds", "0..2", "--with", "/no/such/build"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.starts_with("racetrack: cannot start /no/such/build: "), "{said}");
}

#[test]
fn every_kind_of_entry_is_in_the_trace_of_a_run() {
    let counts = SEEDS.map(|seed| {
        let counts = chat_sim::run(&generate::plan(seed, &Options::default()), false).trace.counts;
        [counts.packet, counts.entropy, counts.clock, counts.timer, counts.history]
    });
    for counts in counts {
        assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
    }
}
