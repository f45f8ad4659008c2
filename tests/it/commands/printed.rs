//! What every command prints for programs, and what becomes of it where nobody reads it.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::results::object;
use super::{Ended, RACETRACK, complaint, empty_dir, ended, racetrack};
use crate::schema;

/// Runs a command for programs, and holds what it prints against its schema.
fn printed(dir: &Path, line: &str, name: &str) -> (Option<i32>, Value) {
    let said = racetrack(dir, &format!("{line} --format json"));
    let object = object(&said);
    schema::check(name, &object);
    (said.code, object)
}

#[test]
fn what_the_simulation_prints_is_as_its_schemas_say() {
    let dir = empty_dir();
    let (code, met) = printed(dir.path(), "sim meta --seeds 0..2", "sim-meta");
    assert_eq!((code, met["equal"].as_u64()), (Some(0), Some(2)));
    let (code, live) = printed(dir.path(), "sim live --seeds 0..1", "sim-live");
    assert_eq!((code, live["seeds"].as_u64()), (Some(0), Some(1)), "{live}");
}

#[test]
fn what_the_tour_and_its_comparison_print_is_as_their_schemas_say() {
    let dir = empty_dir();
    let tour = "tour --seeds 2 --users 100 --duration 1s --out run";
    let (code, said) = printed(dir.path(), tour, "tour");
    // On a machine that is busy the figures may be said to be invalid.
    assert!(matches!(code, Some(0 | 3)), "{said}");
    assert_eq!(said["load"]["transports"].as_object().map(serde_json::Map::len), Some(6));
    let run = fs::read_to_string(dir.path().join("run/run.json")).expect("a run was written");
    let run: Value = serde_json::from_str(&run).expect("it is JSON");
    let version = racetrack(dir.path(), "--version").stdout;
    assert_eq!(
        version.trim_end().strip_prefix("racetrack "),
        run["environment"]["racetrack"].as_str()
    );
    let compare = "report compare run run --out beside";
    let (code, compared) = printed(dir.path(), compare, "report-compare");
    assert!(matches!(code, Some(0 | 3)), "a run is not slower than itself: {compared}");
    let page = fs::read_to_string(dir.path().join("beside/compare.html")).expect("a page");
    assert_eq!(compared["report"], "beside/compare.html");
    assert!(page.contains("Verdict: ") && page.contains("socketio-polling"), "{page}");
}

#[test]
fn a_server_tells_programs_where_it_listens() {
    let mut server = Command::new(RACETRACK);
    server.args(["serve", "--addr", "127.0.0.1:0", "--format", "json"]);
    let mut server =
        server.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it can be started");
    let stdout = server.stdout.take().expect("standard output is a pipe");
    let line = BufReader::new(stdout).lines().next().expect("a line").expect("a readable line");
    server.kill().expect("it runs");
    server.wait().expect("it ends");
    let said: Value = serde_json::from_str(&line).expect("an object");
    schema::check("serve", &said);
    let url = said["listening"].as_str().expect("a URL");
    assert!(url.starts_with("http://127.0.0.1:"), "{url}");
}

/// The same plan as in a file, in which nobody does anything.
fn write_plan(dir: &Path) {
    fs::write(dir.join("plan.json"), chat_sim::plan::empty(1).to_json()).expect("a file");
}

#[test]
fn a_reader_who_goes_away_is_no_error() {
    let dir = empty_dir();
    write_plan(dir.path());
    for line in [
        "--help",
        "sim --seeds 0..2",
        "sim --seed 1",
        "sim replay plan.json",
        "sim diff 1 2",
        "sim trace --seeds 0..3 --entries",
        "completions bash",
        "man",
    ] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = Command::new(RACETRACK);
        command.args(line.split(' ')).current_dir(dir.path()).stdout(writer);
        let output = command.stderr(Stdio::piped()).output().expect("it can be started");
        let complaint = complaint(&String::from_utf8_lossy(&output.stderr));
        assert_eq!((output.status.code(), complaint.as_str()), (Some(0), ""), "{line}");
    }
}

#[test]
fn results_that_cannot_be_written_are_an_error() {
    let dir = empty_dir();
    write_plan(dir.path());
    for line in
        ["sim --seeds 0..2", "sim replay plan.json", "sim diff 1 1", "completions zsh", "man"]
    {
        let full = File::options().write(true).open("/dev/full").expect("Linux has it");
        let mut command = Command::new(RACETRACK);
        command.args(line.split(' ')).current_dir(dir.path()).stdout(full);
        let output = command.stderr(Stdio::piped()).output().expect("it can be started");
        let complaint = complaint(&String::from_utf8_lossy(&output.stderr));
        let expected = "racetrack: cannot write to standard output; free some space, or redirect \
                        it: No space left on device (os error 28)\n";
        assert_eq!((output.status.code(), complaint.as_str()), (Some(2), expected), "{line}");
    }
}

#[test]
fn a_command_without_any_standard_stream_ends_as_ever() {
    let mut shell = Command::new("sh");
    let script = r#""$0" sim --seeds 0..2 <&- >&- 2>&-"#;
    let Ended { code, .. } =
        ended(shell.args(["-c", script, RACETRACK]).current_dir(empty_dir().path()));
    assert_eq!(code, Some(0));
}
