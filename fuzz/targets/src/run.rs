//! Run files: refused in a line, or shown in every way there is.

use std::collections::BTreeSet;
use std::path::{Component, Path};

use reports::run::Run;
use reports::{compare, export, merge, slo};
use serde_json::Value;

/// Reads a run; exports it, compares it with itself, and merges it with itself.
pub fn run(input: &[u8]) {
    let run = match reports::parse_run(input, Path::new("run.json")) {
        Ok(run) => run,
        Err(why) => return crate::assert_says_something(&why.to_string()),
    };
    check_written_alike(&run);
    show(&run);
    let compared = compare::compare(&run, &run);
    let _told = compare::table(&compared);
    let _page = compare::page(["one", "two"], (&run, &run), &compared);
    let _notes = compare::notes(&run, &run);
    let parts = [("one".to_owned(), run.clone()), ("two".to_owned(), run)];
    match merge::merge(&parts, "racetrack report merge one two".to_owned()) {
        Ok(merged) => show(&merged),
        Err(why) => crate::assert_says_something(&why.to_string()),
    }
}

fn check_written_alike(run: &Run) {
    let written = serde_json::to_vec(run).expect("a run is plain data");
    let again = reports::parse_run(&written, Path::new("run.json")).expect("what was written");
    let value = |run| serde_json::to_value(run).expect("a run is plain data");
    assert!(are_alike(&value(&again), &value(run)), "{}", written.escape_ascii());
}

/// The same but for the last digit of a fraction, which serde_json may read differently.
fn are_alike(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) if one.is_f64() && other.is_f64() => {
            let [one, other] = [one, other].map(|number| number.as_f64().unwrap_or_default());
            (one - other).abs() <= 1e-12 * one.abs()
        }
        (Value::Array(one), Value::Array(other)) => {
            let mut pairs = one.iter().zip(other);
            one.len() == other.len() && pairs.all(|(one, other)| are_alike(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let mut pairs = one.iter().zip(other);
            let are_pairs_alike =
                pairs.all(|((name, one), (named, other))| name == named && are_alike(one, other));
            one.len() == other.len() && are_pairs_alike
        }
        (one, other) => one == other,
    }
}

/// Every artifact goes into the directory of the run, and none over another.
fn show(run: &Run) {
    let mut names = BTreeSet::new();
    for exporter in export::all() {
        match exporter.export(run) {
            Ok(artifacts) => {
                for artifact in artifacts {
                    assert!(is_plain(&artifact.name), "{:?} leaves the directory", artifact.name);
                    assert!(!names.contains(&artifact.name), "{:?} twice", artifact.name);
                    names.insert(artifact.name);
                }
            }
            Err(why) => crate::assert_says_something(&why.to_string()),
        }
    }
    assert!(!reports::comparison_table(run).is_empty());
    assert!(!reports::verdict(run).text().is_empty());
    for judgement in slo::judge(run) {
        assert!(!judgement.to_string().is_empty());
    }
}

fn is_plain(name: &str) -> bool {
    let parts: Vec<_> = Path::new(name).components().collect();
    matches!(parts[..], [Component::Normal(part)] if part == name)
}
