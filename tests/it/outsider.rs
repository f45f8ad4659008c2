//! A quarter of an hour of somebody who has a service and an empty folder: from `cargo new` to a race that is found, shrunk, drawn,
//! kept, and gone once the service is mended.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::{schema, unflagged};

const RACETRACK: &str = env!("CARGO_BIN_EXE_racetrack");
/// What the service does in two steps, and what it should do in one.
const RACE: &str = "let seat = sold.load(Ordering::SeqCst);";
const MENDED: &str = "let seat = sold.fetch_add(1, Ordering::SeqCst);";
const SECOND_STEP: &str = "sold.store(seat + 1, Ordering::SeqCst);";

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// An empty crate with the lock file of ours, so that nothing is fetched, and the profile of what `unflagged` builds, so that only the first
/// of the two builds the dependencies.
fn new_crate(folder: &Path) -> PathBuf {
    let made = Command::new(env!("CARGO"))
        .args(["new", "--quiet", "--vcs", "none", "--lib", "shop"])
        .current_dir(folder)
        .status();
    assert!(made.expect("cargo is there").success());
    let shop = folder.join("shop");
    let ours = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::copy(ours.join("Cargo.lock"), shop.join("Cargo.lock")).expect("there is room");
    let manifest = fs::read_to_string(shop.join("Cargo.toml")).expect("cargo wrote it");
    fs::write(shop.join("Cargo.toml"), manifest + unflagged::PROFILE).expect("there is room");
    shop
}

fn init(shop: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(RACETRACK);
    command.args(["sim", "init"]).args(words).current_dir(shop);
    command.output().expect("the program can be started")
}

/// `cargo test`, and what it printed.
fn cargo_test(shop: &Path) -> (bool, String) {
    let mut command = unflagged::cargo_test(shop, "simulation");
    command.env_remove("RACETRACK_SEED").env_remove("RACETRACK_SEEDS");
    let output = command.output().expect("cargo is there");
    (output.status.success(), text(&output.stdout) + &text(&output.stderr))
}

fn regressions(shop: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(shop.join("tests/regressions")).expect("plans were kept");
    let files = entries.map(|entry| entry.expect("an entry").path());
    files.filter(|file| file.extension().is_some_and(|it| it == "json")).collect()
}

#[test]
fn race_is_found_shrunk_drawn_and_kept_and_its_plan_passes_once_the_service_is_mended() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let shop = new_crate(folder.path());
    let output = init(&shop, &["--format", "json"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let object: Value = serde_json::from_slice(&output.stdout).expect("it prints JSON");
    schema::check("sim-init", &object);
    assert_eq!(object["dependencies"], json!(["racetrack-sim", "axum", "tokio"]));
    assert_eq!(object["is_flag_set"], json!(true));

    let (has_passed, printed) = cargo_test(&shop);
    assert!(!has_passed, "{printed}");
    for words in [
        " failed: seat-sold-once: seat ",
        "shrunk in ",
        " 3 clients to 2, ",
        "kept as ",
        "Healed =",
    ] {
        assert!(printed.contains(words), "{words:?} is not in\n{printed}");
    }
    let kept = regressions(&shop);
    assert_eq!(kept.len(), 1, "{kept:?}");
    let (has_passed, printed) = cargo_test(&shop);
    assert!(
        !has_passed
            && printed
                .contains(kept[0].file_name().unwrap_or_default().to_str().unwrap_or_default()),
        "{printed}"
    );

    let test = shop.join("tests/simulation.rs");
    let written = fs::read_to_string(&test).expect("it was written");
    assert!(written.contains(RACE) && written.contains(SECOND_STEP), "{written}");
    fs::write(&test, written.replace(RACE, MENDED).replace(SECOND_STEP, ""))
        .expect("there is room");
    let (has_passed, printed) = cargo_test(&shop);
    assert!(has_passed, "{printed}");
    assert_eq!(regressions(&shop), kept, "the plan stays");
}

#[test]
fn init_writes_nothing_where_something_is_in_its_way() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let refusal = |shop: &Path, words: &[&str]| {
        let output = init(shop, words);
        assert_eq!(output.status.code(), Some(2), "{}", text(&output.stdout));
        let line = text(&output.stderr);
        assert_eq!(line.lines().count(), 1, "{line}");
        line
    };
    let line = refusal(folder.path(), &[]);
    assert!(line.contains("has no Cargo.toml") && line.contains("cargo init"), "{line}");
    let shop = new_crate(folder.path());
    let line = refusal(&shop, &["--sources", "/nowhere"]);
    assert!(line.contains("/nowhere is no checkout of racetrack"), "{line}");
    let manifest = fs::read_to_string(shop.join("Cargo.toml")).expect("cargo wrote it");
    fs::create_dir(shop.join("tests")).expect("there is room");
    fs::write(shop.join("tests/simulation.rs"), "mine").expect("there is room");
    let line = refusal(&shop, &[]);
    assert!(line.contains("simulation.rs is there already, and nothing was changed"), "{line}");
    assert_eq!(fs::read_to_string(shop.join("Cargo.toml")).expect("it is there"), manifest);
    assert!(!shop.join(".cargo").exists());

    fs::remove_file(shop.join("tests/simulation.rs")).expect("it is there");
    fs::create_dir(shop.join(".cargo")).expect("there is room");
    fs::write(shop.join(".cargo/config.toml"), "[build]\n").expect("there is room");
    let output = init(&shop, &[]);
    assert!(
        text(&output.stdout).contains("config.toml is left as it is: add --cfg tokio_unstable")
    );
    let config = fs::read_to_string(shop.join(".cargo/config.toml")).expect("it is there");
    assert_eq!(config, "[build]\n");
}
