//! How each command of a `sh` block is run. A command that nobody knows how to run is an error.
//!
//! A measurement of six transports and a sweep of 2,000 seeds take minutes, so commands are made
//! shorter: [`SHORTER`] says by which words, for each command, and nothing else is changed. What is
//! not run stands in [`PARSED`], if the command line can at least read it, or in [`ELSEWHERE`], each
//! with its reason. Nothing is started here.

use super::document;
use super::markdown::Block;

/// What is done about a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum How {
    /// `racetrack` with these words ends with one of these codes.
    Runs(Vec<String>, &'static [i32]),
    /// `racetrack` with these words serves until it is asked to stop.
    Serves(Vec<String>),
    /// The whole block is a script for a shell, before a server of its own.
    Script(String),
    /// An example of a package: its name, and its arguments.
    Example(String, Vec<String>),
    /// The command line reads these words; it is not let do what they say.
    Parses(Vec<String>),
    /// Not for a test.
    Elsewhere,
}

/// A command, where it stands, and what is done about it.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) place: String,
    pub(super) line: String,
    pub(super) how: How,
}

/// What makes a command short.
struct Shorter {
    /// The command behind `racetrack`.
    command: &'static str,
    /// Flags and the values that they get, whether they are there or not.
    always: &'static [(&'static str, &'static str)],
    /// Flags and the values that they get where they are there.
    where_said: &'static [(&'static str, &'static str)],
    /// How it may end.
    codes: &'static [i32],
}

/// What asks for an object for programs.
pub(super) const JSON: [&str; 2] = ["--format", "json"];
const GOOD: &[i32] = &[0];
/// A machine that is busy with other tests is no place to measure, and says so.
const MEASURED: &[i32] = &[0, 3];

const SHORTER: [Shorter; 12] = [
    Shorter {
        command: "tour",
        always: &[("--seeds", "2"), ("--users", "20"), ("--duration", "1s")],
        where_said: &[],
        codes: MEASURED,
    },
    Shorter {
        command: "sim",
        // So few seeds reach not all the rare states that `--require-coverage` asks for.
        always: &[("--seeds", "0..2")],
        where_said: &[],
        codes: &[0, 1],
    },
    Shorter { command: "sim meta", always: &[("--seeds", "0..2")], where_said: &[], codes: GOOD },
    Shorter { command: "sim live", always: &[("--seeds", "0..1")], where_said: &[], codes: GOOD },
    // FILE is a plan that fails.
    Shorter { command: "sim replay", always: &[], where_said: &[], codes: &[1] },
    Shorter { command: "sim shrink", always: &[("--runs", "100")], where_said: &[], codes: GOOD },
    Shorter { command: "sim diff", always: &[], where_said: &[], codes: &[0, 1] },
    Shorter {
        command: "load",
        always: &[("--users", "20"), ("--duration", "1s"), ("--transport", "websocket")],
        where_said: &[
            ("--rate", "40"),
            ("--repeat", "2"),
            ("--prometheus", "127.0.0.1:0"),
            ("--poll-interval", "1s,100ms"),
        ],
        // An objective may be broken, and the exit code says so.
        codes: &[0, 1, 3],
    },
    Shorter { command: "report", always: &[], where_said: &[], codes: MEASURED },
    // Two runs differ as they please.
    Shorter { command: "report compare", always: &[], where_said: &[], codes: &[0, 1, 3] },
    Shorter { command: "completions", always: &[], where_said: &[], codes: GOOD },
    Shorter { command: "man", always: &[], where_said: &[], codes: GOOD },
];

/// Flags that are not touched where a command says what matters to it.
const UNLESS: [(&str, &str); 2] = [("--transport", "--transport"), ("--seeds", "--seed")];

/// Words of a `racetrack` command that is read and not run, and why.
const PARSED: [(&str, &str); 7] = [
    ("load selftest", "takes a minute of a quiet machine; `.ci/run` runs it"),
    ("--peer node", "needs `npm ci`; `.ci/run` runs it"),
    ("--search", "measures a dozen times; `reports` and `loadtest` test it in small"),
    ("--shard", "`commands/shards.rs` runs the generators of the book against one server"),
    ("report merge", "`commands/shards.rs` merges the parts that it made"),
    ("--users 10000", "needs the open files of 10,000 people"),
    ("--simulated 1h", "an hour, even if a simulated one"),
];

/// How lines begin that are not run at all, and why.
const ELSEWHERE: [(&str, &str); 20] = [
    ("cargo test", "is what runs this"),
    ("racetrack sim init", "`outsider.rs` runs it in a crate of its own"),
    ("SELLING=careful cargo run", "the tests of the example `box_office` explore it"),
    ("cargo build", "builds for minutes"),
    ("cargo bench", "measures for minutes; `cargo test` builds it"),
    ("cargo fmt", "`.ci/run` runs it"),
    ("cargo clippy", "`.ci/run` runs it"),
    ("RUSTDOCFLAGS=", "`.ci/run` runs it"),
    ("cargo xtask", "builds a server for every bug"),
    ("cargo install", "fetches and builds other people's tools"),
    ("cargo run --release --bin racetrack-server", "another name for `racetrack serve`"),
    (
        "cargo run --profile dist -p racetrack-loadtest --example saturate",
        "`saturate.rs` runs it in small",
    ),
    ("for peer in", "fetches packages"),
    ("npm ci", "fetches packages; `.ci/run` runs it"),
    ("mdbook build", "needs mdBook, which is installed by hand"),
    ("sudo ", "changes the machine; see `.ci/run` for what is checked of it"),
    ("start=$(", "`commands/shards.rs` runs the block"),
    ("load=", "`commands/shards.rs` runs the block"),
    ("$load ", "`commands/shards.rs` runs the block"),
    ("bash .ci/run", "runs this"),
];

/// What is done about each command of a block.
pub(super) fn commands(block: &Block) -> Vec<Told> {
    let lines = lines(&block.text);
    if lines.iter().any(|line| line.starts_with("curl ")) {
        let (line, how) = (lines.join("\n"), How::Script(block.text.clone()));
        return vec![Told { place: block.place.clone(), line, how }];
    }
    let told = lines.into_iter().map(|line| {
        let how = how(&line).unwrap_or_else(|why| panic!("{}: `{line}`: {why}", block.place));
        Told { place: block.place.clone(), line, how }
    });
    told.collect()
}

/// The lines that are commands, each in one piece.
fn lines(text: &str) -> Vec<String> {
    let text = text.replace("\\\n", " ");
    let lines = text.lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
}

fn how(line: &str) -> Result<How, String> {
    if ELSEWHERE.iter().any(|(start, _)| line.starts_with(start)) {
        return Ok(How::Elsewhere);
    }
    let words = shlex::split(line).ok_or("its quotes do not close")?;
    // What is given to `jq` is one JSON object, which `trial` reads.
    let words = words.split(|word| word == "|").collect::<Vec<_>>();
    let words = match words.as_slice() {
        [words] => *words,
        [words, [jq, ..]] if jq == "jq" && words.ends_with(&JSON.map(str::to_owned)) => words,
        _ => return Err("only a block with curl in it is given to a shell".to_owned()),
    };
    if words.iter().any(|word| word.contains(['$', '|', '&', ';', '>'])) {
        return Err("only a block with curl in it is given to a shell".to_owned());
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["racetrack", words @ ..] => ours(words),
        // Without a command it is the tour.
        ["cargo", "run", "--release"] => ours(&["tour"]),
        ["cargo", "run", "--release", "--", words @ ..] => ours(words),
        ["cargo", "run", "-p", "racetrack-sim", "--example", name, rest @ ..] => {
            let arguments = rest.strip_prefix(&["--"]).unwrap_or(rest);
            Ok(How::Example((*name).to_owned(), owned(arguments)))
        }
        _ => Err("nobody knows how to run this; see tests/it/documents/commands.rs".to_owned()),
    }
}

/// What is done about `racetrack` with these words.
fn ours(words: &[&str]) -> Result<How, String> {
    let joined = format!("{} ", words.join(" "));
    if PARSED.iter().any(|(said, _)| joined.contains(&format!("{said} "))) {
        return Ok(How::Parses(owned(words)));
    }
    if words.contains(&"--help") || words.contains(&"--version") {
        return Ok(How::Runs(owned(words), GOOD));
    }
    let command = command(words);
    if words.contains(&"--check-config") {
        return Ok(How::Runs(owned(words), GOOD));
    }
    if command == "serve" {
        return Ok(How::Serves(with(owned(words), "--addr", "127.0.0.1:0")));
    }
    let rule = SHORTER.iter().find(|rule| rule.command == command);
    let rule = rule.ok_or_else(|| format!("nobody knows how to make `{command}` short"))?;
    let mut shorter = owned(words);
    for (flag, value) in rule.where_said {
        if shorter.iter().any(|word| word == flag) {
            shorter = with(shorter, flag, value);
        }
    }
    for (flag, value) in rule.always {
        let is_said = |told: &str| shorter.iter().any(|word| word == told);
        if !UNLESS.iter().any(|(unwanted, told)| unwanted == flag && is_said(told)) {
            shorter = with(shorter, flag, value);
        }
    }
    Ok(How::Runs(shorter, rule.codes))
}

/// The words before the first flag that name a command of a rule, as many as there are.
fn command(words: &[&str]) -> String {
    let named = |length: &usize| {
        let command = words[..*length].join(" ");
        command == "serve" || SHORTER.iter().any(|rule| rule.command == command)
    };
    let longest = (1..=words.len().min(2)).rev().find(named).unwrap_or_default();
    words[..longest].join(" ")
}

/// The words with this value for a flag.
fn with(mut words: Vec<String>, flag: &str, value: &str) -> Vec<String> {
    match words.iter().position(|word| word == flag) {
        Some(at) => value.clone_into(&mut words[at + 1]),
        None => words.extend([flag.to_owned(), value.to_owned()]),
    }
    words
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Every command of every document.
pub(super) fn every_command() -> Vec<Told> {
    let blocks = super::documents().into_iter().flat_map(|document| document.blocks());
    let blocks = blocks.filter(|block| block.language == "sh");
    blocks.flat_map(|block| commands(&block)).collect()
}

#[test]
fn commands_are_made_shorter_as_the_tables_say() {
    let done = |line: &str| match how(line) {
        Ok(How::Runs(words, codes)) => format!("{} {codes:?}", words.join(" ")),
        other => format!("{other:?}"),
    };
    assert_eq!(done("racetrack sim --seeds 0..2000 # all"), "sim --seeds 0..2 [0, 1]");
    assert_eq!(
        done("racetrack load --slo 'lost = 0' --users 5"),
        "load --slo lost = 0 --users 20 --duration 1s --transport websocket [0, 1, 3]"
    );
    assert_eq!(done("cargo run --release"), "tour --seeds 2 --users 20 --duration 1s [0, 3]");
    assert_eq!(
        done("racetrack sim --format json | jq '.failures[] | .seed'"),
        "sim --format json --seeds 0..2 [0, 1]"
    );
    assert!(done("racetrack load --peer node").starts_with("Ok(Parses"));
    assert!(done("cargo test").starts_with("Ok(Elsewhere"));
}

#[test]
fn a_command_that_nobody_knows_is_an_error() {
    for line in ["rm -rf /", "racetrack fly", "cargo run --release -p other", "racetrack sim | cat"]
    {
        assert!(how(line).is_err(), "{line}");
    }
}

#[test]
fn every_exception_is_needed() {
    let lines: Vec<String> = every_command().into_iter().map(|told| told.line).collect();
    let is_used = |said: &str| lines.iter().any(|line| line.contains(said));
    let exceptions = PARSED.iter().chain(&ELSEWHERE);
    let unused: Vec<_> = exceptions.filter(|(said, _)| !is_used(said)).collect();
    assert!(unused.is_empty(), "no document says {unused:?}");
    for (_, reason) in PARSED.iter().chain(&ELSEWHERE) {
        for name in reason.split('`').filter(|word| word.ends_with(".rs")) {
            document(&format!("tests/it/{name}"));
        }
    }
}
