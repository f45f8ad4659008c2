//! `racetrack sim planted --mutants`: cargo-mutants changes the server's core and hub, one change at
//! a time, and the simulation is the only test. What it does not notice is a habit that nobody in
//! the simulation has, or a promise that nobody checks.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, bail, ensure};
use serde::{Deserialize, Serialize};
use tokio::process::Command;

/// What is changed.
const CHANGED: [&str; 3] = ["server/src/core/*.rs", "server/src/hub.rs", "server/src/hub/*.rs"];
/// The only test.
const PACKAGE: &str = "racetrack-sim";
const TEST: [&str; 2] = ["--test", "sweep"];
/// A sweep that is slower than this goes on for ever, and has a while to begin.
const SEEDS_A_SECOND_MIN: u64 = 10;
const BEGIN_S_MAX: u64 = 20;
/// The share of the changes that should be noticed.
pub(super) const SCORE_MIN: f64 = 0.85;

/// How the changes fared.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Score {
    /// A checker failed, or a run did not come to an end.
    pub(super) caught: u64,
    /// Nobody noticed, as cargo-mutants tells them.
    pub(super) missed: Vec<String>,
    /// They do not compile.
    pub(super) unviable: u64,
}

impl Score {
    /// Caught of those that compile; none where none does.
    pub(super) fn share(&self) -> Option<f64> {
        let viable = self.caught + self.missed.len() as u64;
        (viable > 0).then(|| self.caught as f64 / viable as f64)
    }
}

/// Runs cargo-mutants in `sources`, a copy that it may change; it leaves `mutants.out` in `out`.
pub(super) async fn run(
    sources: &Path,
    target: &Path,
    out: &Path,
    seeds: u64,
    shard: Option<&str>,
) -> anyhow::Result<Score> {
    let cargo = || {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.env("CARGO_TARGET_DIR", target).env("RACETRACK_SEEDS", seeds.to_string());
        // What it says as it goes is progress, and standard output is for the result.
        cargo.stdin(Stdio::null()).stdout(std::io::stderr()).kill_on_drop(true);
        cargo
    };
    // cargo-mutants would hold the sources as they are against the tests of what it changes.
    let mut unchanged = cargo();
    unchanged.args(["test", "--quiet", "--package", PACKAGE]).args(TEST).current_dir(sources);
    let status = unchanged.status().await.context("cannot start cargo")?;
    ensure!(status.success(), "the sources as they are do not pass the only test: {status}");
    let mut cargo = cargo();
    cargo.arg("mutants").arg("--in-place").arg("--dir").arg(sources).arg("--output").arg(out);
    cargo.args(["--package", "racetrack-server", "--test-package", PACKAGE]);
    let timeout_s = BEGIN_S_MAX + seeds / SEEDS_A_SECOND_MIN;
    cargo.args(["--baseline", "skip", "--timeout", &timeout_s.to_string()]);
    cargo.args(CHANGED.iter().flat_map(|files| ["--file", files]));
    cargo.args(shard.into_iter().flat_map(|shard| ["--shard", shard]));
    cargo.arg("--").args(TEST);
    let status = cargo.status().await.context("cannot start cargo")?;
    // 0: all caught; 2: some missed; 3: some did not end.
    let Some(0 | 2 | 3) = status.code() else {
        bail!("cargo mutants ended with {status}; if it is not there: cargo install cargo-mutants")
    };
    let path = out.join("mutants.out/outcomes.json");
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    let outcomes: Outcomes = serde_json::from_str(&text).with_context(|| {
        format!("{} is not what this cargo-mutants is known to write", path.display())
    })?;
    let missed = std::fs::read_to_string(out.join("mutants.out/missed.txt")).unwrap_or_default();
    let missed: Vec<String> = missed.lines().map(str::to_owned).collect();
    ensure!(missed.len() as u64 == outcomes.missed, "cargo-mutants counts and names others");
    let Outcomes { caught, timeout, unviable, .. } = outcomes;
    Ok(Score { caught: caught + timeout, missed, unviable })
}

/// The part of cargo-mutants' own summary that is wanted.
#[derive(Debug, Deserialize)]
struct Outcomes {
    caught: u64,
    missed: u64,
    timeout: u64,
    unviable: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_score_is_of_what_compiles() {
        let missed = vec!["one".to_owned()];
        let score = Score { caught: 9, missed, unviable: 90 };
        assert_eq!(score.share(), Some(0.9));
        let nothing = Score { caught: 0, missed: Vec::new(), unviable: 3 };
        assert_eq!(nothing.share(), None);
    }
}
