//! What the program says of itself: its version, its help, and what was probably meant.

use std::process::Command;

use super::{RACETRACK, empty_dir, ended, racetrack};

#[test]
fn the_version_names_the_commit_it_was_built_from() {
    let said = racetrack(empty_dir().path(), "--version");
    assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""));
    let version = said.stdout.trim_end().strip_prefix("racetrack ").expect("its name comes first");
    let number = env!("CARGO_PKG_VERSION");
    // Outside of a checkout there is no more to say.
    if version == number {
        return;
    }
    let commit = version.strip_prefix(number).and_then(|rest| rest.strip_prefix(" ("));
    let commit = commit.and_then(|rest| rest.strip_suffix(')')).expect("a commit in brackets");
    let (name, date) = commit.split_once(' ').expect("a name and a date");
    let name = name.strip_suffix("-dirty").unwrap_or(name);
    assert!(name.len() == 7 && name.chars().all(|letter| letter.is_ascii_hexdigit()), "{name}");
    let parts: Vec<usize> = date.split('-').map(str::len).collect();
    assert_eq!(parts, [4, 2, 2], "{date}");
}

#[test]
fn help_is_a_result_and_goes_to_standard_output() {
    for line in ["--help", "-h", "help", "sim --help", "sim help meta", "load selftest -h"] {
        let said = racetrack(empty_dir().path(), line);
        assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""), "{line}");
        assert!(said.stdout.contains("Usage: racetrack"), "{line}\n{}", said.stdout);
    }
}

#[test]
fn the_help_of_narrow_terminals_is_narrow() {
    let mut help = Command::new("script");
    let line = format!("stty columns 60 rows 24; {RACETRACK} load -h");
    let said = ended(help.args(["-qec", &line, "/dev/null"]).env("NO_COLOR", "1"));
    let wide = said.stdout.lines().find(|line| {
        // A word cannot be broken.
        line.trim_end().chars().count() > 60 && line.split_whitespace().count() > 1
    });
    assert_eq!(wide, None);
}

#[test]
fn what_was_probably_meant_is_suggested() {
    for (line, meant) in [
        ("simm", "'sim'"),
        ("sim metta", "'meta'"),
        ("sim --sedes 0..3", "'--seeds'"),
        ("sim --fault crsh", "'crash'"),
        ("load --transport websockets", "'websocket'"),
        ("load --format jsn", "'json'"),
        ("serve --log jsn", "'json'"),
        ("completions bahs", "'bash'"),
    ] {
        let said = racetrack(empty_dir().path(), line);
        assert_eq!((said.code, said.stdout.as_str()), (Some(2), ""), "{line}");
        let tip = said.stderr.lines().find(|line| line.trim_start().starts_with("tip: "));
        assert!(tip.is_some_and(|tip| tip.contains(meant)), "{line}\n{}", said.stderr);
    }
}
