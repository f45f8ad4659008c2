//! The command line as its users see it: each command is a process of its own.

mod colours;
mod configuration;
mod help;
mod metrics;
mod numbers;
mod orphans;
pub(crate) mod plans;
mod printed;
mod prometheus;
mod refused;
mod results;
pub(crate) mod serve;
mod shards;
mod shells;

use std::path::Path;
use std::process::{Command, Output};

/// The program under test.
const RACETRACK: &str = env!("CARGO_BIN_EXE_racetrack");

/// How a process ended and what it left behind.
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// Runs `racetrack` with these words, in `dir`.
fn racetrack(dir: &Path, arguments: &str) -> Ended {
    let mut command = Command::new(RACETRACK);
    ended(command.args(arguments.split_whitespace()).current_dir(dir))
}

fn ended(command: &mut Command) -> Ended {
    let Output { status, stdout, stderr } = command.output().expect("the program can be started");
    let text = |bytes| String::from_utf8(bytes).expect("the program writes UTF-8");
    Ended { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
}

/// What a command complained of. On a machine that is busy it may have said before how far it was.
fn complaint(stderr: &str) -> String {
    let is_progress = |line: &&str| line.contains(" of ") && line.ends_with(" s");
    let lines = stderr.lines().filter(|line| !is_progress(line));
    lines.map(|line| format!("{line}\n")).collect()
}

fn empty_dir() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory for the test")
}
