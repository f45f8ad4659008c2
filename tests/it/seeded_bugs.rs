//! The planted bugs: every patch still fits the sources and says what it breaks. Whether the
//! simulation finds them is said by `racetrack sim planted`, which takes minutes.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use sim::planted::Patch;

/// So many bugs at least must be known for a verdict on the simulation to mean anything.
const BUGS_MIN: usize = 20;

#[test]
fn every_planted_bug_fits_the_server_and_says_what_it_breaks() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = fs::read_dir(root.join("sim/planted")).expect("the folder is there");
    let mut seen = BTreeSet::new();
    for entry in folder {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        assert!(name.ends_with(".patch"), "{name} is no patch");
        let text = fs::read_to_string(&path).expect("a patch can be read");
        let patch = Patch::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let changed = patch.apply(|file| fs::read_to_string(root.join(file)));
        let changed = changed.unwrap_or_else(|error| panic!("{name}: {error}"));
        for (file, _) in &changed {
            assert!(file.starts_with("server/src"), "{name} changes {}", file.display());
        }
        assert!(seen.insert(changed), "{name} is planted twice");
    }
    assert!(seen.len() >= BUGS_MIN, "{} bugs are too few", seen.len());
}
