//! The sweep as a test: all that stands between a change of the server and its users, when
//! `cargo xtask mutants` changes the server.

use chat_sim::{Chat, Options};

/// The variable that says how many seeds to run.
const SEEDS: &str = "RACETRACK_SEEDS";
/// Without it.
const SEEDS_DEFAULT: u64 = 50;
/// With so many, each rare state is reached by several: one that none reaches cannot be reached.
const SEEDS_ENOUGH: u64 = 2_000;

#[test]
fn every_promise_is_kept_whatever_the_seed() {
    let seeds = std::env::var(SEEDS)
        .map_or(SEEDS_DEFAULT, |text| text.parse().expect("RACETRACK_SEEDS is a number"));
    let jobs = racetrack_sim::sweep::cores();
    let swept =
        racetrack_sim::sweep_to_first_failure(&Chat, 0..seeds, &Options::default(), jobs, |_| {});
    let told: Vec<_> = swept
        .failures
        .iter()
        .map(|failure| format!("seed {}: {}: {}", failure.seed, failure.checker, failure.what))
        .collect();
    assert_eq!(told, [""; 0]);
    assert_eq!(swept.seeds, seeds);
    if seeds >= SEEDS_ENOUGH {
        assert_eq!(swept.missing(&Chat), [""; 0], "rare states that were never reached");
    }
}
