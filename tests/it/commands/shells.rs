//! What shells and `man` are told of the command line, tried out in a shell and in `man`'s formatter.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use super::results::{files, object};
use super::{RACETRACK, empty_dir, ended, racetrack};
use crate::schema;

/// What bash offers when these words have been typed and Tab is pressed behind the last.
fn offered(words: &[&str]) -> BTreeSet<String> {
    let script = r#"
        source <("$0" completions bash)
        COMP_WORDS=("$@")
        COMP_CWORD=$(($# - 1))
        previous=
        if [ "$COMP_CWORD" -gt 0 ]; then previous=${COMP_WORDS[COMP_CWORD - 1]}; fi
        _racetrack racetrack "${COMP_WORDS[COMP_CWORD]}" "$previous"
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-c", script, RACETRACK]).args(words);
    let said = ended(bash.current_dir(empty_dir().path()));
    assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""), "{words:?}");
    said.stdout.lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_options_and_values() {
    let set = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    assert_eq!(offered(&["racetrack", "si"]), set(&["sim"]));
    assert_eq!(offered(&["racetrack", "sim", "--see"]), set(&["--seed", "--seeds"]));
    assert_eq!(offered(&["racetrack", "sim", "me"]), set(&["meta"]));
    assert_eq!(offered(&["racetrack", "load", "--format", "j"]), set(&["json"]));
    let faults = offered(&["racetrack", "sim", "--fault", "crash"]);
    assert_eq!(faults, set(&["crash", "crash-black-hole"]));
    assert!(offered(&["racetrack", "load", "--transport", ""]).contains("socketio-polling"));
    assert!(offered(&["racetrack", "sim", ""]).contains("live"));
}

#[test]
fn every_shell_has_a_script_that_names_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let said = racetrack(empty_dir().path(), &format!("completions {shell}"));
        assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""), "{shell}");
        for word in ["selftest", "compare", "shrink", "require-coverage"] {
            assert!(said.stdout.contains(word), "{shell} is not told of {word}");
        }
        let json = racetrack(empty_dir().path(), &format!("completions {shell} --format json"));
        schema::check("completions", &object(&json));
        assert_eq!(object(&json)["shell"], shell);
    }
}

#[test]
fn every_command_has_a_page_in_the_manual() {
    let dir = empty_dir();
    let said = racetrack(dir.path(), "man --out man1 --format json");
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    schema::check("man", &object(&said));
    let pages = files(&dir.path().join("man1"));
    let all = "completions load load-selftest man report report-compare report-merge serve sim \
               sim-diff sim-init sim-meta sim-replay sim-shrink sim-live tour";
    let all = all.split_whitespace().map(|name| format!("racetrack-{name}.1"));
    assert_eq!(pages, all.chain(["racetrack.1".to_owned()]).collect::<BTreeSet<_>>());
    for name in &pages {
        let page = fs::read_to_string(dir.path().join("man1").join(name)).expect("a page");
        for part in [".TH ", ".SH NAME", ".SH SYNOPSIS", ".SH DESCRIPTION", "Example", "Exit: "] {
            assert!(page.contains(part), "{name} lacks {part:?}");
        }
        assert_eq!(Some(&page.as_str()), object(&said)["pages"][name].as_str().as_ref());
    }
    let alone = racetrack(dir.path(), "man");
    let page = fs::read_to_string(dir.path().join("man1/racetrack.1")).expect("a page");
    assert_eq!((alone.code, alone.stdout.trim_end()), (Some(0), page.trim_end()));
}

/// Where there is a formatter, it has nothing to complain of.
#[test]
fn the_manual_can_be_formatted() {
    let dir = empty_dir();
    assert_eq!(racetrack(dir.path(), "man --out man1").code, Some(0));
    let script = r#"
        command -v groff >/dev/null || { echo EXAMPLES; exit 0; }
        for page in man1/*; do groff -man -Tutf8 -ww -rLL=100n "$page"; done
    "#;
    let said = ended(Command::new("sh").args(["-c", script]).current_dir(dir.path()));
    assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""));
    assert!(said.stdout.to_uppercase().contains("EXAMPLES"), "{}", said.stdout);
}
