//! `racetrack sim planted --mutants`: everything that cargo-mutants can think of to change in the
//! server's core and hub, one change at a time, and the simulation is the only test. What it does not
//! notice is a habit that nobody in the simulation has, or a promise that nobody checks.
//!
//! All changes are built into one program (`switches`), but for those that do not compile.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use indicatif::ProgressBar;
use serde::{Deserialize, Serialize};
use tokio::process::Command;

use super::switches::{self, CHOSEN, Mutant, Written};
use super::workshop::limited;
use crate::output;

/// What is changed.
const CHANGED: [&str; 3] = ["server/src/core/*.rs", "server/src/hub.rs", "server/src/hub/*.rs"];
/// The only test.
const TEST: [&str; 4] = ["--package", "racetrack-sim", "--test", "sweep"];
/// How often what does not compile is left out: what the compiler says of one may hide another.
const BUILDS_MAX: usize = 8;
/// Seeds that come first, because most changes show at once and some make a run endless.
const SEEDS_FIRST: u64 = 200;
/// The processor time that a sweep may take, in seconds, and more for each seed: several times what
/// it takes.
const CPU_S_MAX: u64 = 10;
const SEEDS_A_CPU_SECOND_MIN: u64 = 20;
/// Beyond the processor time: for what waits for ever without taking any.
const WAIT_FACTOR: u32 = 10;
/// Changes between two lines about how far it is, where there is no terminal.
const TOLD_EVERY: usize = 50;
/// The share of the changes that should be noticed.
pub(super) const SCORE_MIN: f64 = 0.85;

/// How the changes fared.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct Score {
    /// A checker failed, or a run did not come to an end.
    pub(super) caught: u64,
    /// Nobody noticed, as cargo-mutants names them.
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

/// A part of all changes: each so-many-th.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shard {
    part: usize,
    of: usize,
}

impl std::str::FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text
            .split_once('/')
            .and_then(|(part, of)| Some(Self { part: part.parse().ok()?, of: of.parse().ok()? }));
        let shard = numbers.filter(|shard| shard.part < shard.of);
        shard.ok_or_else(|| format!("{text:?} is no part of a whole; 0/8 to 7/8 are, for example"))
    }
}

/// Where the changes are made, and what they are measured by.
pub(super) struct Bench<'a> {
    /// A copy of the sources.
    pub(super) sources: &'a Path,
    pub(super) target: &'a Path,
    pub(super) seeds: u64,
    pub(super) shard: Option<Shard>,
}

impl Bench<'_> {
    /// Makes each change and looks whether the simulation notices; `restore` makes the copy equal to
    /// the sources.
    pub(super) async fn run(
        &self,
        restore: impl Fn() -> anyhow::Result<()>,
        bar: &ProgressBar,
    ) -> anyhow::Result<Score> {
        restore()?;
        let mutants = self.list().await?;
        let of = self.shard.unwrap_or(Shard { part: 0, of: 1 });
        let mut chosen: BTreeSet<usize> =
            (1..=mutants.len()).filter(|number| (number - 1) % of.of == of.part).collect();
        let all = chosen.len();
        let program = self.build(&mutants, &mut chosen, restore).await?;
        let unchanged = self.is_noticed(&program, 0).await?;
        ensure!(!unchanged, "the sources as they are do not pass the only test");
        let mut score = Score { unviable: (all - chosen.len()) as u64, ..Score::default() };
        let changes = chosen.len();
        bar.set_length(changes as u64);
        for (done, number) in chosen.into_iter().enumerate() {
            if bar.is_hidden() && done % TOLD_EVERY == 0 {
                let missed = score.missed.len();
                output::warn(&format!("{done} of {changes} changes made, {missed} not noticed"));
            }
            let name = &mutants[number - 1].name;
            bar.set_message(name.clone());
            if self.is_noticed(&program, number).await? {
                score.caught += 1;
            } else {
                score.missed.push(name.clone());
            }
            bar.inc(1);
        }
        Ok(score)
    }

    fn cargo(&self) -> Command {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(self.sources).env("CARGO_TARGET_DIR", self.target);
        cargo.stdin(Stdio::null()).kill_on_drop(true);
        cargo
    }

    async fn list(&self) -> anyhow::Result<Vec<Mutant>> {
        let mut cargo = self.cargo();
        cargo.args(["mutants", "--list", "--json", "--package", "racetrack-server"]);
        cargo.args(CHANGED.iter().flat_map(|files| ["--file", files]));
        let listed = cargo.output().await.context("cannot start cargo")?;
        if !listed.status.success() {
            bail!(
                "cargo mutants ended with {}; if it is not there: cargo install cargo-mutants",
                listed.status
            );
        }
        serde_json::from_slice(&listed.stdout)
            .context("cargo mutants lists what this program does not know")
    }

    /// Builds the test with all that is chosen, and gives up what does not compile.
    async fn build(
        &self,
        mutants: &[Mutant],
        chosen: &mut BTreeSet<usize>,
        restore: impl Fn() -> anyhow::Result<()>,
    ) -> anyhow::Result<PathBuf> {
        for _ in 0..BUILDS_MAX {
            restore()?;
            let written = switches::write(self.sources, mutants, chosen);
            let written = written.context("cannot write to the copy of the sources")?;
            let mut cargo = self.cargo();
            cargo.args(["test", "--no-run", "--message-format=json"]).args(TEST);
            let built = cargo.output().await.context("cannot start cargo")?;
            let said: Vec<Said> = said(&built.stdout);
            if built.status.success() {
                let program = said.into_iter().find_map(|said| said.executable);
                return program.context("cargo does not say where the test is");
            }
            let unviable = unviable(&said, &written);
            ensure!(!unviable.is_empty(), "the sources with switches in them do not compile");
            chosen.retain(|number| !unviable.contains(number));
        }
        bail!("after {BUILDS_MAX} builds there is still something that does not compile")
    }

    /// True when the simulation fails, or does not come to its end.
    async fn is_noticed(&self, program: &Path, mutant: usize) -> anyhow::Result<bool> {
        let first = SEEDS_FIRST.min(self.seeds);
        if !self.passes(program, mutant, first).await? {
            return Ok(true);
        }
        Ok(self.seeds > first && !self.passes(program, mutant, self.seeds).await?)
    }

    async fn passes(&self, program: &Path, mutant: usize, seeds: u64) -> anyhow::Result<bool> {
        let cpu_s_max = CPU_S_MAX + seeds / SEEDS_A_CPU_SECOND_MIN;
        let mut test = limited(cpu_s_max);
        test.arg(program).current_dir(self.sources).kill_on_drop(true);
        test.env(CHOSEN, mutant.to_string()).env("RACETRACK_SEEDS", seeds.to_string());
        test.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let limit = Duration::from_secs(cpu_s_max) * WAIT_FACTOR;
        let ended = tokio::time::timeout(limit, test.status()).await;
        let status = ended.map_or(Ok(None), |status| status.map(Some));
        let status = status.context("cannot start the test")?;
        Ok(status.is_some_and(|status: ExitStatus| status.success()))
    }
}

/// A line of what cargo says of a build.
#[derive(Debug, Deserialize)]
struct Said {
    executable: Option<PathBuf>,
    message: Option<Diagnostic>,
}

#[derive(Debug, Deserialize)]
struct Diagnostic {
    level: String,
    spans: Vec<Location>,
}

#[derive(Debug, Deserialize)]
struct Location {
    file_name: PathBuf,
    line_start: usize,
}

fn said(output: &[u8]) -> Vec<Said> {
    let lines = output.split(|byte| *byte == b'\n');
    lines.filter_map(|line| serde_json::from_slice(line).ok()).collect()
}

/// The changes that the compiler complains of.
fn unviable(said: &[Said], written: &Written) -> BTreeSet<usize> {
    let errors = said.iter().filter_map(|said| said.message.as_ref());
    let errors = errors.filter(|message| message.level == "error");
    let places = errors.flat_map(|message| &message.spans);
    places.filter_map(|place| written.at(&place.file_name, place.line_start)).collect()
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

    #[test]
    fn a_part_is_one_of_as_many_as_there_are() {
        assert_eq!("7/8".parse(), Ok(Shard { part: 7, of: 8 }));
        for nonsense in ["8/8", "1", "a/b", "1/0", "-1/2", ""] {
            let refused = nonsense.parse::<Shard>().expect_err(nonsense);
            assert!(refused.contains("0/8"), "{refused}");
        }
    }
}
