//! The rules of the house, which no compiler knows.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command as Process;

use clap::{Args, Command};
use serde_json::Value;
use server::config::Config;

/// Lines of one source file at most.
const LINES_MAX: usize = 500;
/// The same of a file of tests, much of which is what they expect.
const TEST_LINES_MAX: usize = 600;
/// Crates in the normal dependencies of `racetrack-client`, itself included: 57 on Linux when this was
/// set, and 152 when the wire types were a part of the server.
const CLIENT_CRATES_MAX: usize = 62;
/// The only folder with unsafe code, wherever its crate lies.
const INTERPOSITION: &str = "src/determinism";
/// The manifests of our workspaces; libFuzzer needs one of its own.
const WORKSPACES: [&str; 2] = ["Cargo.toml", "fuzz/Cargo.toml"];
/// Which of our crates each of our crates may depend on; its tests may depend on any. ARCHITECTURE.md shows the
/// same arrows.
const MAY_DEPEND_ON: [(&str, &[&str]); 12] = [
    ("racetrack", &["chat-sim", "commit", "loadtest", "reports", "server", "sim"]),
    ("racetrack-client", &["protocol"]),
    ("racetrack-commit", &[]),
    ("racetrack-fuzz", &["fuzz-targets"]),
    (
        "racetrack-fuzz-targets",
        &["chat-sim", "client", "loadtest", "protocol", "reports", "server", "sim"],
    ),
    ("racetrack-loadtest", &["client", "protocol", "reports"]),
    ("racetrack-protocol", &[]),
    ("racetrack-reports", &[]),
    ("racetrack-server", &["commit", "protocol"]),
    ("racetrack-chat-sim", &["client", "protocol", "reports", "server", "sim"]),
    ("racetrack-sim", &["reports"]),
    ("racetrack-xtask", &["reports"]),
];

/// A crate of ours, as cargo describes it.
#[derive(Debug)]
struct Member {
    name: String,
    /// From the root; empty for the package at the root.
    folder: PathBuf,
    /// The crates of ours that it depends on, without `racetrack-`; those of its tests alone are left out.
    dependencies: BTreeSet<String>,
}

impl Member {
    /// Reads a package of `cargo metadata`; crates of ours are the ones that are found by path.
    fn from_metadata(package: &Value) -> Self {
        let text = |value: &Value| value.as_str().expect("cargo says it as text").to_owned();
        let manifest = PathBuf::from(text(&package["manifest_path"]));
        let folder = manifest.parent().expect("a manifest lies in a folder");
        let folder = folder.strip_prefix(root()).expect("it lies below the root").to_owned();
        let dependencies = package["dependencies"].as_array().expect("a list of dependencies");
        let ours = dependencies.iter().filter(|it| it["path"].is_string() && it["kind"] != "dev");
        let dependencies = ours.map(|it| text(&it["name"]).replace("racetrack-", "")).collect();
        Self { name: text(&package["name"]), folder, dependencies }
    }
}

/// Every crate of ours.
fn members() -> Vec<Member> {
    let packages = WORKSPACES.iter().flat_map(|manifest| {
        let mut cargo = Process::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["metadata", "--no-deps", "--offline", "--format-version", "1"]);
        let told = cargo.arg("--manifest-path").arg(root().join(manifest)).output();
        let told = told.expect("cargo can be started");
        assert!(told.status.success(), "{manifest}: {}", String::from_utf8_lossy(&told.stderr));
        let metadata: Value = serde_json::from_slice(&told.stdout).expect("it prints JSON");
        metadata["packages"].as_array().expect("a list of packages").clone()
    });
    packages.map(|package| Member::from_metadata(&package)).collect()
}

/// Every Rust file of ours: those of all crates, without what is built.
fn sources() -> Vec<(PathBuf, String)> {
    let folders = members().into_iter().flat_map(|member| match member.folder.to_str() {
        Some("") => vec![PathBuf::from("src"), PathBuf::from("tests")],
        _ => vec![member.folder],
    });
    // A crate may lie in the folder of another one.
    let files: BTreeMap<_, _> = folders.flat_map(rust_files).collect();
    files.into_iter().collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every Rust file below a folder of the root, by its path from there.
fn rust_files(folder: impl AsRef<Path>) -> Vec<(PathBuf, String)> {
    let folder = folder.as_ref();
    let mut folders = vec![root().join(folder)];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).expect("a folder of ours can be listed");
        for path in entries.map(|entry| entry.expect("an entry").path()) {
            if path.is_dir() {
                // Cargo marks what it builds.
                if !path.join("CACHEDIR.TAG").exists() {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root()).expect("it lies below the root").to_owned();
                files.push((name, read(&path)));
            }
        }
    }
    assert!(!files.is_empty(), "{} holds no Rust", folder.display());
    files
}

/// The lines of a file that are code, numbered from 1.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = (1..).zip(text.lines());
    lines.map(|(number, line)| (number, line.split("//").next().unwrap_or_default()))
}

/// Where one of these words stands in the code of these files.
fn found(files: &[(PathBuf, String)], words: &[&str]) -> Vec<String> {
    let mut places = Vec::new();
    for (path, text) in files {
        for (number, line) in code(text) {
            for word in words.iter().filter(|word| has_word(line, word)) {
                places.push(format!("{}:{number}: {word}", path.display()));
            }
        }
    }
    places
}

/// True when the word stands there by itself, and not as a part of a longer one.
fn has_word(line: &str, word: &str) -> bool {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
    line.match_indices(word).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + word.len()..].chars().next();
        let ends_open = !word.ends_with(is_part);
        !before.is_some_and(is_part) && (ends_open || !after.is_some_and(is_part))
    })
}

#[test]
fn the_core_knows_no_clock_no_chance_no_lock_and_no_task() {
    let files = rust_files("server/src/core");
    let words = [
        "async",
        "await",
        "tokio::",
        "Instant::now",
        "SystemTime",
        "rand::",
        "getrandom",
        "Mutex",
        "RwLock",
        "HashMap",
        "HashSet",
        "thread::",
        "std::net",
        "std::io",
    ];
    assert_eq!(found(&files, &words), [""; 0]);
}

/// True for a file in the folder [`INTERPOSITION`] of a crate below `sim/`.
fn is_interposition(path: &Path) -> bool {
    let mut folders = path.ancestors().skip(1);
    path.starts_with("sim") && folders.any(|folder| folder.ends_with(INTERPOSITION))
}

#[test]
fn only_the_interposition_is_unsafe() {
    let (interposition, mut files): (Vec<_>, Vec<_>) =
        sources().into_iter().partition(|(path, _)| is_interposition(path));
    assert!(!interposition.is_empty(), "no crate has the folder {INTERPOSITION}");
    files.retain(|(path, _)| !path.ends_with("it/tidy.rs"));
    let words = [
        "unsafe {",
        "unsafe fn",
        "unsafe impl",
        "unsafe trait",
        "unsafe extern",
        "unsafe(",
        "unsafe_code",
    ];
    assert_eq!(found(&files, &words), [""; 0]);
}

#[test]
fn the_server_does_not_know_that_it_is_watched() {
    let words =
        ["turmoil", "goose", "racetrack_sim", "chat_sim", "loadtest", "cfg(sim", "cfg(feature"];
    assert_eq!(found(&rust_files("server/src"), &words), [""; 0]);
}

#[test]
fn arrows_between_crates_run_one_way() {
    let members = members();
    let known: BTreeSet<_> = members.iter().map(|member| member.name.as_str()).collect();
    let ruled: BTreeSet<_> = MAY_DEPEND_ON.iter().map(|(name, _)| *name).collect();
    assert_eq!(known, ruled, "each crate has its rule in MAY_DEPEND_ON");
    for Member { name, dependencies, .. } in &members {
        let (_, allowed) = MAY_DEPEND_ON.iter().find(|(ruled, _)| ruled == name).expect("as above");
        let unwanted: Vec<_> =
            dependencies.iter().filter(|it| !allowed.contains(&it.as_str())).collect();
        assert_eq!(unwanted, [""; 0], "{name} must not depend on these");
    }
}

#[test]
fn client_dependency_count_is_capped() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments =
        "tree --offline --locked --package racetrack-client --edges normal --prefix none";
    let output = Process::new(cargo).args(arguments.split(' ')).current_dir(root()).output();
    let output = output.expect("cargo can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).expect("cargo prints text");
    let crates: BTreeSet<_> = tree.lines().map(|line| line.trim_end_matches(" (*)")).collect();
    assert!(crates.iter().any(|name| name.starts_with("racetrack-protocol ")), "{crates:#?}");
    let count = crates.len();
    assert!(count <= CLIENT_CRATES_MAX, "{count} instead of {CLIENT_CRATES_MAX}: {crates:#?}");
}

#[test]
fn no_source_file_is_longer_than_one_reads_at_a_sitting() {
    let files = sources().into_iter();
    let long = files.filter_map(|(path, text)| {
        let is_test = path.components().any(|part| part.as_os_str() == "tests");
        let lines = text.lines().count();
        (lines > if is_test { TEST_LINES_MAX } else { LINES_MAX }).then_some((path, lines))
    });
    assert_eq!(long.collect::<Vec<_>>(), []);
}

#[test]
fn every_source_file_says_what_it_is_for() {
    let files = sources().into_iter();
    let mute: Vec<_> = files.filter(|(_, text)| !text.starts_with("//! ")).collect();
    let mute: Vec<_> = mute.iter().map(|(path, _)| path).collect();
    assert!(mute.is_empty(), "{mute:?}");
}

#[test]
fn every_limit_is_a_flag_and_an_environment_variable_of_the_same_name() {
    let config = serde_json::to_value(Config::default()).expect("a config is plain data");
    let Value::Object(fields) = config else { panic!("a config has fields") };
    let command = Config::augment_args(Command::new("serve"));
    let arguments: Vec<_> = command.get_arguments().collect();
    assert_eq!(arguments.len(), fields.len());
    for field in fields.keys() {
        let argument = arguments.iter().find(|argument| argument.get_id() == field.as_str());
        let argument = argument.unwrap_or_else(|| panic!("{field} has no flag"));
        assert_eq!(argument.get_long(), Some(field.replace('_', "-").as_str()));
        let variable = format!("RACETRACK_{}", field.to_uppercase());
        let known = argument.get_env().and_then(|name| name.to_str());
        assert_eq!(known, Some(variable.as_str()));
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        assert!(!help.is_empty(), "{field} is not explained");
    }
}

#[test]
fn the_simulated_server_has_every_limit_of_the_real_one_in_the_same_order_of_size() {
    let (real, quick) = (Config::default(), chat_sim::plan::quick_server());
    let (real, quick) = (serde_json::to_value(real), serde_json::to_value(quick));
    let (Ok(Value::Object(real)), Ok(Value::Object(quick))) = (real, quick) else {
        panic!("a config has fields");
    };
    for (field, value) in &real {
        let (Some(real), Some(quick)) = (value.as_u64(), quick[field].as_u64()) else { continue };
        assert!(quick > 0 && quick <= real && real <= 50 * quick, "{field}: {quick} for {real}");
    }
}
