//! Colours are for terminals, and for those who ask for them.

use std::fs;
use std::process::{Command, Stdio};

use super::{RACETRACK, empty_dir, ended, racetrack};

const ESCAPE: char = '\u{1b}';

/// What the program writes to a terminal, where both of its outputs are one.
fn on_a_terminal(line: &str, environment: &[(&str, &str)]) -> String {
    let mut script = Command::new("script");
    script.args(["-qec", &format!("{RACETRACK} {line}"), "/dev/null"]);
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "CI"] {
        script.env_remove(name);
    }
    script.env("TERM", "xterm").envs(environment.iter().copied());
    ended(script.stdin(Stdio::null()).current_dir(empty_dir().path())).stdout
}

#[test]
fn no_command_writes_an_escape_into_a_pipe() {
    let dir = empty_dir();
    let plan = chat_sim::generate::plan(1, &chat_sim::Options::default());
    fs::write(dir.path().join("plan.json"), plan.to_json()).expect("a file");
    for line in [
        "--help",
        "-h",
        "simm",
        "sim --seeds 0..3",
        "sim --seed 1",
        "sim replay plan.json --html page.html",
        "sim replay nothing.json",
        "sim shrink plan.json",
        "sim diff 1 2",
        "sim meta --seeds 0..2",
        "load --transport sse --users 4 --duration 1s --out run",
        "load --users 1",
        "report run --out again",
        "report compare run run",
        "report nothing",
        "serve --addr 127.0.0.1:x",
        "completions bash",
        "man",
    ] {
        let said = racetrack(dir.path(), line);
        assert!(!said.stdout.contains(ESCAPE), "{line}: {:?}", said.stdout);
        assert!(!said.stderr.contains(ESCAPE), "{line}: {:?}", said.stderr);
    }
}

#[test]
fn a_terminal_has_colours_unless_it_is_asked_not_to() {
    for line in ["--help", "simm", "load --users 1", "serve --addr 192.0.2.1:1"] {
        assert!(on_a_terminal(line, &[]).contains(ESCAPE), "{line}");
        for plain in [("NO_COLOR", "1"), ("CLICOLOR", "0"), ("TERM", "dumb")] {
            let said = on_a_terminal(line, &[plain]);
            assert!(!said.contains(ESCAPE), "{line} with {plain:?}: {said:?}");
        }
    }
}

#[test]
fn who_asks_for_colours_has_them_in_a_pipe_too() {
    for line in ["--help", "load --users 1"] {
        let mut command = Command::new(RACETRACK);
        let said = ended(command.args(line.split(' ')).env("CLICOLOR_FORCE", "1"));
        assert!((said.stdout + &said.stderr).contains(ESCAPE), "{line}");
    }
}

#[test]
fn the_log_of_the_server_is_plain_in_a_file_and_coloured_on_a_terminal() {
    let dir = empty_dir();
    // It is asked to stop as soon as it has said that it listens.
    let line = format!(
        "rm -f told; mkfifo told; {RACETRACK} serve --addr 127.0.0.1:0 >told & \
         read -r line <told; kill -TERM $!; wait $!"
    );
    let mut piped = Command::new("sh");
    piped.args(["-c", &line]).env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
    let piped = ended(piped.env("RUST_LOG", "info").current_dir(dir.path()));
    assert!(
        piped.stderr.contains("stopping") && !piped.stderr.contains(ESCAPE),
        "{}",
        piped.stderr
    );
    let mut script = Command::new("script");
    script.args(["-qec", &line, "/dev/null"]).env_remove("NO_COLOR").env("TERM", "xterm");
    script.env("RUST_LOG", "info").env("SHELL", "/bin/sh").stdin(Stdio::null());
    let shown = ended(script.current_dir(dir.path())).stdout;
    assert!(shown.contains("stopping") && shown.contains(ESCAPE), "{shown:?}");
}
