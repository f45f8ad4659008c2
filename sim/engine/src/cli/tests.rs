//! The command line of a small model, as its user types it.

use std::fs;
use std::path::Path;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::net::SimListener;
use crate::service::{Client, History, Sim};
use crate::violation::Violation;

/// Answers every connection with one byte.
async fn answer(listener: SimListener) -> std::io::Result<()> {
    loop {
        let (mut stream, _) = listener.accept().await?;
        stream.write_all(b"!").await?;
    }
}

async fn ask(client: Client<bool>) -> Result<(), Box<dyn std::error::Error>> {
    let mut stream = client.connect("service").await?;
    let answered = stream.read_u8().await.is_ok();
    client.record(answered);
    Ok(())
}

fn answered(history: &History<bool>) -> Vec<Violation> {
    let refused = history.iter().filter(|event| !event.what);
    refused.map(|event| Violation::because("there was no answer", &[event.index])).collect()
}

/// A client that needs an answer, and asks once: any fault that takes it away is found.
fn service(sim: &mut Sim<bool>) {
    sim.host("service", answer);
    sim.client("ann", ask);
    sim.checker("answered", answered);
}

fn main_with(words: &str, dir: &Path) -> anyhow::Result<Outcome> {
    let out = dir.to_str().expect("a path in UTF-8");
    let words = ["./service"].into_iter().chain(words.split(' ')).chain(["--out", out]);
    run(service.into_model(), &words.map(str::to_owned).collect::<Vec<_>>())
}

/// Files of that ending in a folder.
fn files(dir: &Path, ending: &str) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("a folder").map(|entry| entry.expect("an entry").path());
    let names = entries.filter(|path| path.extension().is_some_and(|it| it == ending));
    names.map(|path| path.to_str().expect("a path in UTF-8").to_owned()).collect()
}

#[test]
fn failing_sweep_leaves_plans_that_are_replayed_shrunk_and_compared() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    let swept = main_with("--seeds 0..200 --first --fault cut-reset --fault abort-answer", dir);
    assert_eq!(swept.expect("a sweep"), Outcome::Bad);
    assert_eq!(files(dir, "html").len(), 1, "the smallest plan is drawn");
    let plans = files(dir, "json");
    assert_eq!(plans.len(), 2, "the seed's plan and the smallest: {plans:?}");
    for plan in &plans {
        let replayed = main_with(&format!("replay {plan}"), dir).expect("a replay");
        assert_eq!(replayed, Outcome::Bad, "{plan}");
    }
    let diff = main_with(&format!("diff {} {}", plans[0], plans[1]), dir).expect("a comparison");
    assert_eq!(diff, Outcome::Good);
    let shrunk = main_with(&format!("shrink {} --runs 50", plans[0]), dir).expect("a shrunk plan");
    assert_eq!(shrunk, Outcome::Good);
}

#[test]
fn seed_that_keeps_every_invariant_is_good() {
    let dir = tempfile::tempdir().expect("a folder");
    let calm = main_with("--seeds 0..10 --fault clock-forward", dir.path()).expect("a sweep");
    assert_eq!(calm, Outcome::Good);
    let live = main_with("live --seeds 0..1 --fault clock-forward", dir.path());
    assert_eq!(live.expect("a live run"), Outcome::Good);
}

#[test]
fn flags_that_mean_nothing_to_the_model_are_refused_with_one_line() {
    let dir = tempfile::tempdir().expect("a folder");
    let refusal = |words: &str| main_with(words, dir.path()).expect_err(words).to_string();
    for (words, why) in [
        ("--clients 9", "service declares its clients"),
        ("--simulated 9s", "service declares its clients"),
        ("--fault drain", "--fault drain: service cannot suffer it"),
        ("live --seeds 0..1 --server /bin/true", "the servers of service are no programs"),
        ("replay nothing.json", "cannot read the plan nothing.json"),
    ] {
        let refused = refusal(words);
        assert!(refused.contains(why) && !refused.contains('\n'), "{words}: {refused}");
    }
}

#[test]
fn examples_of_the_help_begin_with_the_name_of_the_program() {
    let mut command = help::typed(Program::<crate::fault::NoFault>::command(), "box_office");
    let help = command.render_long_help().to_string();
    assert!(help.contains("  box_office --seeds 0..10000 --first"), "{help}");
    assert!(!help.contains("racetrack sim"), "{help}");
    let is_ours = |below: &&mut clap::Command| !below.is_hide_set() && below.get_name() != "help";
    for below in command.get_subcommands_mut().filter(is_ours) {
        let help = below.render_long_help().to_string();
        assert!(help.contains(&format!("  box_office {}", below.get_name())), "{help}");
    }
}
