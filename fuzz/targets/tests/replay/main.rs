//! Every target with its seeds, with what once broke something, and with mutations of both: the same
//! on every machine, so that no target rots between two hunts.

mod mutation;

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use mutation::Mutations;
use targets::{ALL, Target};

/// Mutations of each input.
const MUTATIONS: usize = 40;

fn folder(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(kind)
}

/// The files of a folder with their names, in the order of these; none where there is no folder.
fn inputs(kind: &str, target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = folder(kind).join(target);
    let entries = fs::read_dir(&folder).map(Iterator::collect::<Result<Vec<_>, _>>);
    let entries = entries.unwrap_or_else(|_| Ok(Vec::new())).expect("a folder of ours");
    let mut inputs: Vec<_> = entries
        .iter()
        .map(|entry| {
            let name = format!("{kind}/{target}/{}", entry.file_name().to_string_lossy());
            (name, fs::read(entry.path()).expect("a readable file"))
        })
        .collect();
    inputs.sort();
    inputs
}

/// Names the input that breaks something, so that it can be put into the folder.
fn give(target: Target, name: &str, input: &[u8]) {
    let given = catch_unwind(|| target(input));
    assert!(given.is_ok(), "{name} breaks a promise: \"{}\"", input.escape_ascii());
}

fn replay(name: &str) {
    let target = ALL.into_iter().find(|(known, _)| *known == name);
    let (_, target) = target.unwrap_or_else(|| panic!("{name} is no target"));
    let (seeds, regressions) = (inputs("seeds", name), inputs("regressions", name));
    assert!(!seeds.is_empty(), "{name} has no seed");
    let inputs = [seeds, regressions].concat();
    for (from, input) in &inputs {
        give(target, from, input);
    }
    let all: Vec<_> = inputs.iter().map(|(_, input)| input.as_slice()).collect();
    for (nth, (from, input)) in (0..).zip(&inputs) {
        for mutant in Mutations::new(nth, input, &all).take(MUTATIONS) {
            give(target, &format!("a mutation of {from}"), &mutant);
        }
    }
}

macro_rules! replayed {
    ($($target:ident = $sentence:ident,)*) => {
        $(#[test]
        fn $sentence() {
            replay(stringify!($target));
        })*

        #[test]
        fn every_target_is_replayed_and_every_folder_is_one_of_a_target() {
            assert_eq!(ALL.map(|(name, _)| name), [$(stringify!($target)),*]);
            for kind in ["seeds", "regressions"] {
                for entry in fs::read_dir(folder(kind)).expect("a folder of ours") {
                    let name = entry.expect("an entry").file_name();
                    assert!(ALL.iter().any(|(known, _)| name == *known), "{kind}/{name:?}");
                }
            }
        }
    };
}

replayed! {
    http = no_bytes_of_a_connection_bring_the_server_down,
    websocket = no_frames_of_a_websocket_bring_the_server_down,
    socketio = no_packets_of_socket_io_bring_the_server_down,
    plan = a_plan_is_refused_or_runs_without_harm,
    run = a_run_is_refused_or_shown_in_every_way,
    page = no_name_becomes_markup,
    options = words_are_refused_or_mean_what_they_are_written_as,
    config = a_config_is_refused_or_served_with,
}

#[test]
fn every_target_has_a_fuzzer_of_its_name() {
    let manifest = fs::read_to_string(folder("Cargo.toml")).expect("the manifest of the fuzzers");
    for (name, _) in ALL {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} has no fuzzer");
        let source = folder("fuzz_targets").join(name).with_extension("rs");
        let source = fs::read_to_string(source).expect("the source of a fuzzer");
        assert!(source.contains(&format!("targets::{name}(input)")), "{source}");
    }
}
