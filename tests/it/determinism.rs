//! A seed is one run: whatever ran before, beside it, or in another process.
//!
//! The hash that is compared covers packets, entropy, clock readings and the history.

use std::collections::BTreeSet;
use std::ops::Range;
use std::process::Command;

use serde_json::Value;
use sim::{Options, Plan, generate};

const SEEDS: Range<u64> = 0..20;

fn hash(seed: u64) -> u64 {
    sim::run(&generate::plan(seed, &Options::default()), false).trace.hash
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
    let sweep = |jobs| sim::sweep(SEEDS, &Options::default(), jobs, |_| {});
    let (one, two) = (sweep(1), sweep(2));
    assert_eq!((one.trace_hash, one.events), (two.trace_hash, two.events));
    assert_eq!((one.faults, one.reached), (two.faults, two.reached));
}

#[test]
fn a_plan_read_from_its_file_is_the_same_run() {
    for seed in 0..4 {
        let plan = generate::plan(seed, &Options::default());
        let read = Plan::from_json(&plan.to_json()).expect("what was written can be read");
        assert_eq!(plan, read);
        assert_eq!(sim::run(&read, false).trace.hash, hash(seed), "seed {seed}");
    }
}

#[test]
fn switching_faults_off_leaves_the_people_as_they_were() {
    let calm = Options { faults: Vec::new(), ..Options::default() };
    for seed in SEEDS {
        let (with, without) =
            (generate::plan(seed, &Options::default()), generate::plan(seed, &calm));
        assert_eq!((&with.people, &with.steps), (&without.people, &without.steps), "seed {seed}");
        assert!(without.faults.is_empty());
    }
    let struck = SEEDS.filter(|seed| !generate::plan(*seed, &Options::default()).faults.is_empty());
    assert!(struck.count() > 10, "most seeds have faults that could be switched off");
}

#[test]
fn two_processes_make_the_same_runs() {
    let mut meta = Command::new(env!("CARGO_BIN_EXE_racetrack"));
    let meta = meta.args(["sim", "meta", "--seeds", "0..6", "--format", "json"]);
    let output = meta.output().expect("the program can be started");
    assert!(output.status.success(), "{output:?}");
    let said: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert_eq!((&said["seeds"], &said["equal"]), (&Value::from(6), &Value::from(6)), "{said}");
    assert_eq!(said["first_divergence"], Value::Null, "{said}");
}
