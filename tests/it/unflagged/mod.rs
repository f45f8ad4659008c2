//! A crate outside of the workspace, built without `--cfg tokio_unstable`, runs the simulation.
//!
//! The crate is written below the target folder and keeps its own build there, so that only its first
//! build is long.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const TESTS: &str = include_str!("crate.rs");

/// A profile for all crates that are built without the flag, so that they share what they build.
pub(crate) const PROFILE: &str =
    "\n[profile.dev]\ndebug = \"line-tables-only\"\n\n[profile.dev.package.\"*\"]\ndebug = false\n";

/// `cargo test --test NAME` of a crate without the flag, whatever the configuration of a folder above says.
pub(crate) fn cargo_test(folder: &Path, name: &str) -> Command {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("unflagged/target");
    let mut command = Command::new(env!("CARGO"));
    command.args(["test", "--offline", "--test", name]).current_dir(folder);
    command.env("CARGO_TARGET_DIR", target).env("RUSTFLAGS", "");
    command.env_remove("CARGO_ENCODED_RUSTFLAGS");
    command
}

/// Versions are those of the workspace's lock file.
fn manifest(root: &Path) -> String {
    let sim = root.join("sim/engine");
    format!(
        "[package]\nname = \"unflagged\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\naxum = \"0.8\"\n\
         racetrack-sim = {{ path = {sim:?} }}\n\
         tokio = {{ version = \"1\", features = [\"io-util\", \"macros\", \"rt\", \"time\"] }}\n\
         turmoil = \"0.7\"\n{PROFILE}"
    )
}

/// Leaves a file alone that is as it should be: Cargo builds anew what was written anew.
fn write(path: &Path, text: &str) {
    if fs::read_to_string(path).ok().as_deref() != Some(text) {
        fs::create_dir_all(path.parent().expect("it lies in the crate")).expect("there is room");
        fs::write(path, text).expect("there is room");
    }
}

fn prepare(root: &Path) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("unflagged");
    write(&folder.join("Cargo.toml"), &manifest(root));
    write(&folder.join("src/lib.rs"), "");
    write(&folder.join("tests/unflagged.rs"), TESTS);
    let lock = folder.join("Cargo.lock");
    if !lock.exists() {
        fs::copy(root.join("Cargo.lock"), lock).expect("there is room");
    }
    folder
}

#[test]
fn crate_without_the_flag_finds_panics_and_says_what_is_not_controlled() {
    let folder = prepare(Path::new(env!("CARGO_MANIFEST_DIR")));
    let output = cargo_test(&folder, "unflagged")
        .args(["--", "--nocapture", "--test-threads=1"])
        .output()
        .expect("cargo is there");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{stdout}\n{stderr}");
    let tests = TESTS.matches("#[test]").count();
    assert!(stdout.contains(&format!("{tests} passed")), "{stdout}");
    let said = stderr.matches("simulation: built without `--cfg tokio_unstable`").count();
    assert_eq!(said, 1, "{stderr}");
}
