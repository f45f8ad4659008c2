//! Plans that once failed, as files: each is named for what went wrong, and none fails again.
//!
//! A plan that `racetrack sim` writes for a failing seed is put here as it is.

use std::fs;
use std::path::Path;

use chat_sim::transcript::transcript;

#[test]
fn what_once_failed_does_not_fail_again() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/regressions");
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
