//! The book's page of all limits, made from the flags themselves; `UPDATE_EXPECT=1` writes it anew.
//! And the unit for systemd, which must start the server with flags that it knows.

use std::fmt::Write;

use clap::{Arg, Args, Command};
use expect_test::expect_file;
use server::Serve;

use super::document;

const HEAD: &str = "\
# Every flag of the server

Each is a flag of `racetrack serve` and of `racetrack-server`, an environment variable
(`--sessions-max` is `RACETRACK_SESSIONS_MAX`) and, but for `--config`, `--log` and `--workers`, a key of
the file (`sessions_max`). Flags win over the environment, and that over the file. A value that cannot be
meant is refused at the start, in a line that says why. This page is made from the program.

| flag | default | what it says |
|---|---|---|
";

fn row(argument: &Arg) -> String {
    let flag = argument.get_long().expect("all of them are flags");
    let defaults = argument.get_default_values().iter().map(|value| value.to_string_lossy());
    let default = match defaults.collect::<Vec<_>>().join(",").as_str() {
        "" => "none".to_owned(),
        default => format!("`{default}`"),
    };
    let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
    let mut row = format!("| `--{flag}` | {default} | {}", help.trim_end_matches('.'));
    let values = argument.get_possible_values();
    if !values.is_empty() {
        let values: Vec<_> = values.iter().map(|value| format!("`{}`", value.get_name())).collect();
        write!(row, "; {}", values.join(" or ")).expect("a string takes everything");
    }
    row + " |\n"
}

#[test]
fn the_page_of_limits_is_what_the_program_says() {
    let command = Serve::augment_args(Command::new("serve"));
    let rows: String = command.get_arguments().map(row).collect();
    expect_file!["../../../docs/src/flags.md"].assert_eq(&format!("{HEAD}{rows}"));
}

#[test]
fn the_unit_starts_the_server_with_flags_that_it_knows() {
    let unit = document("docs/deploy/racetrack.service").text;
    let starts: Vec<_> = unit.lines().filter_map(|line| line.strip_prefix("ExecStart=")).collect();
    let [start] = starts.as_slice() else { panic!("one command, and not {starts:?}") };
    let (program, _) = start.split_once(' ').expect("it has flags");
    assert!(program.ends_with("/racetrack-server"), "{program}");
    let command = Serve::augment_args(Command::new("racetrack-server"));
    command.try_get_matches_from(start.split(' ')).expect("it knows its flags");
}
