//! Plans that once failed, as files: each is named for what went wrong, and none fails again.
//!
//! A plan that `racetrack sim` writes for a failing seed is put here as it is, with a patch in `patches/` that puts a
//! form of the mistake back. `cargo xtask regressions` builds each patch, which takes minutes, and proves that its
//! plan fails with it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use chat_sim::transcript::transcript;
use xtask::{REGRESSION_PATCHES, REGRESSIONS};

#[test]
fn what_once_failed_does_not_fail_again() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join(REGRESSIONS);
    let mut replayed = 0;
    for entry in fs::read_dir(dir).expect("the folder of this file is there") {
        let path = entry.expect("a folder can be listed").path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a plan is a readable file");
        let plan =
            chat_sim::plan::read(&text).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        let report = chat_sim::run(&plan, false);
        assert!(report.passed(), "{}\n{}", path.display(), transcript(&report));
        assert!(report.history.len() > plan.steps.len(), "{}: nothing happened", path.display());
        replayed += 1;
    }
    assert!(replayed > 0, "there are plans to replay");
}

#[test]
fn every_plan_has_a_patch_that_applies() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let entries = fs::read_dir(root.join(REGRESSIONS)).expect("the folder of this file is there");
    let files = entries.map(|entry| entry.expect("a folder can be listed").path());
    let plans = files.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    let plans: BTreeSet<String> = plans
        .map(|plan| plan.file_stem().expect("a plan has a name").to_string_lossy().into_owned())
        .collect();
    let patches = xtask::patches(REGRESSION_PATCHES).unwrap_or_else(|error| panic!("{error:#}"));
    let names: BTreeSet<String> = patches.iter().map(|patch| patch.name.clone()).collect();
    assert_eq!(plans, names, "each plan has a patch of its name, and each patch a plan");
    xtask::apply(&patches).unwrap_or_else(|error| panic!("{error:#}"));
}
