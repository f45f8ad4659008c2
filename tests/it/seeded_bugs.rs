//! The seeded bugs: every patch applies to the server and says what it breaks. `cargo xtask seeded-bugs` builds
//! them, which takes minutes, and measures whether the simulation finds them.

use std::collections::BTreeSet;

use xtask::SEEDED_BUGS;

/// A verdict on the simulation needs at least so many bugs.
const BUGS_MIN: usize = 20;

#[test]
fn every_seeded_bug_applies_to_the_server_and_says_what_it_breaks() {
    let bugs = xtask::patches(SEEDED_BUGS).unwrap_or_else(|error| panic!("{error:#}"));
    let applied = xtask::apply(&bugs).unwrap_or_else(|error| panic!("{error:#}"));
    let mut seen = BTreeSet::new();
    for (bug, changed) in bugs.iter().zip(applied) {
        for (file, _) in &changed {
            let (name, file) = (&bug.name, file.display());
            assert!(file.to_string().starts_with("server/src/"), "{name} changes {file}");
        }
        assert!(seen.insert(changed), "{} is the same as another bug", bug.name);
    }
    assert!(seen.len() >= BUGS_MIN, "{} bugs are too few", seen.len());
}
