//! The book's page of all limits, made from the flags themselves; `UPDATE_EXPECT=1` writes it anew.
//! And the unit for systemd, which must start the server with flags that it knows.

use std::fmt::Write;

use clap::{Arg, Args, Command};
use expect_test::expect_file;
use server::Serve;

use super::{document, root};

const HEAD: &str = "\
# Every flag of the server

Each is a flag of `racetrack serve` and of `racetrack-server`, an environment variable
(`--sessions-max` is `RACETRACK_SESSIONS_MAX`) and, but for `--config`, `--check-config`, `--log` and
`--workers`, a key of the file (`sessions_max`). Flags win over the environment, and that over the file. A
value that can never work is refused at the start, in a line that says why. This page is made from the
program.

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
    if argument.get_action().takes_values() && !values.is_empty() {
        let values: Vec<_> = values.iter().map(|value| format!("`{}`", value.get_name())).collect();
        write!(row, "; {}", values.join(" or ")).expect("a string takes everything");
    }
    row + " |\n"
}

#[test]
fn the_page_of_limits_is_what_the_program_says() {
    let command = Serve::augment_args(Command::new("serve"));
    let arguments = command.get_arguments().filter(|argument| !argument.is_hide_set());
    let rows: String = arguments.map(row).collect();
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

/// The table of the book that says what bounds each resource, row by row.
fn resources() -> Vec<Vec<String>> {
    let page = document("docs/src/operations.md").text;
    let (_, table) = page.split_once("| resource | bound per address |").expect("such a table");
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let cells = |row: &str| row.trim_matches('|').split('|').map(str::to_owned).collect();
    rows.map(cells).collect()
}

/// Texts of all files of Rust below these folders.
fn sources(folders: &[&str]) -> String {
    let mut folders: Vec<_> = folders.iter().map(|folder| root().join(folder)).collect();
    let mut texts = String::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder of ours") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                texts += &std::fs::read_to_string(path).expect("a file of ours");
            }
        }
    }
    texts
}

#[test]
fn every_resource_has_a_test_that_shows_its_bounds() {
    let tests = sources(&["tests/it/protocol", "server/src"]);
    let rows = resources();
    assert!(rows.len() > 8, "{rows:?}");
    for row in rows {
        let named: Vec<_> = row.last().expect("a cell").split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "{row:?}");
        for name in named {
            assert!(tests.contains(&format!("fn {name}()")), "no test has the name {name}");
        }
    }
}
