//! `cargo xtask mutants`: makes every change of cargo-mutants to the server's core and hub, one at a time, with
//! the simulation as the only test. A mutant that is missed shows an action that no simulated user takes, or
//! an invariant that no checker tests.
//!
//! All mutants are built into one program (`schemata`), except those that do not compile.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::output::Output;
use crate::schemata::{self, CHOSEN, Mutant, Written};
use crate::workshop::{Changes, Workshop, limited};
use reports::Seeds;
use reports::cli::{Outcome, bar, output};

pub(crate) const EXAMPLES: &str = "\
Examples:
  cargo install cargo-mutants
  cargo xtask mutants                     # about half an hour
  cargo xtask mutants --shard 0/8         # an eighth of them

Exit: 0 enough mutants were caught; 1 too few were; 2 wrong usage or environment.";

/// What is changed.
const CHANGED: [&str; 3] = ["server/src/core/*.rs", "server/src/hub.rs", "server/src/hub/*.rs"];
/// The only test.
const TEST: [&str; 4] = ["--package", "racetrack-chat-sim", "--test", "sweep"];
/// Builds at most, each without the mutants that did not compile before: one compiler error may hide another.
const BUILDS_MAX: usize = 8;
/// Seeds that run first: most mutants fail at once, and some make a run endless.
const SEEDS_FIRST: u64 = 200;
/// Limit of processor time of a sweep, in seconds, and the seeds that add a second to it: several times what
/// a healthy sweep takes.
const CPU_S_MAX: u64 = 10;
const SEEDS_A_CPU_SECOND_MIN: u64 = 20;
/// Limit of real time, as a multiple of the processor time: a mutant may wait for ever.
const WAIT_FACTOR: u32 = 10;
/// Mutants between two lines of progress where there is no terminal.
const TOLD_EVERY: usize = 50;
/// The share of mutants that must be caught.
const SCORE_MIN: f64 = 0.85;

#[derive(Debug, Args)]
pub(crate) struct Mutants {
    /// Seeds to sweep for each mutant; they begin at 0
    #[arg(long, value_name = "A..B", default_value = "0..2000")]
    seeds: Seeds,
    /// Only part K of N of the mutants, K from 0 [default: all]
    #[arg(long, value_name = "K/N")]
    shard: Option<Shard>,
}

impl Mutants {
    pub(crate) async fn run(&self, output: &Output) -> anyhow::Result<Outcome> {
        ensure!(self.seeds.0.start == 0, "--seeds {}: the seeds begin at 0", self.seeds);
        let dir = output.dir("mutants")?;
        let workshop = Workshop::open(dir.clone(), None)?;
        output::warn("building one server with all mutants; the first build takes minutes");
        let bench = Bench { workshop: &workshop, seeds: self.seeds.count(), shard: self.shard };
        let score = bench.run().await?;
        output::write(&dir, "mutants.txt", &score.describe())?;
        output.result(&score.describe(), || score.to_json(&dir))?;
        let is_enough = score.share().is_some_and(|share| share >= SCORE_MIN);
        Ok(if is_enough { Outcome::Good } else { Outcome::Bad })
    }
}

/// How many mutants were caught.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
struct Score {
    /// A checker failed, or a run did not end.
    caught: u64,
    /// Every sweep passed; by the names of cargo-mutants.
    missed: Vec<String>,
    /// They do not compile.
    unviable: u64,
}

impl Score {
    /// Caught of those that compile; none where none does.
    fn share(&self) -> Option<f64> {
        let viable = self.caught + self.missed.len() as u64;
        (viable > 0).then(|| self.caught as f64 / viable as f64)
    }

    fn describe(&self) -> String {
        let viable = self.caught + self.missed.len() as u64;
        let mut text = format!("{} of {viable} mutants that compile were caught", self.caught);
        if let Some(share) = self.share() {
            let _infallible = write!(text, ": {:.1} %", 100.0 * share);
        }
        let _infallible = write!(text, " ({} do not compile)", self.unviable);
        for missed in &self.missed {
            let _infallible = write!(text, "\nmissed: {missed}");
        }
        text
    }

    fn to_json(&self, dir: &Path) -> Value {
        json!({ "score": self.share(), "mutants": self, "out": dir })
    }
}

/// One of several equal parts of all mutants: every N-th.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shard {
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
        shard.ok_or_else(|| format!("{text:?} is no shard; write K/N with K below N, as 0/8"))
    }
}

/// A run of the command.
struct Bench<'a> {
    workshop: &'a Workshop,
    /// Seeds to sweep for each mutant.
    seeds: u64,
    shard: Option<Shard>,
}

impl Bench<'_> {
    async fn run(&self) -> anyhow::Result<Score> {
        self.workshop.prepare(&Changes::new())?;
        let mutants = self.list().await?;
        let of = self.shard.unwrap_or(Shard { part: 0, of: 1 });
        let mut chosen: BTreeSet<usize> =
            (1..=mutants.len()).filter(|number| (number - 1) % of.of == of.part).collect();
        let all = chosen.len();
        let program = self.build(&mutants, &mut chosen).await?;
        let fails = self.is_caught(&program, 0).await?;
        ensure!(!fails, "the unchanged sources do not pass the only test");
        let mut score = Score { unviable: (all - chosen.len()) as u64, ..Score::default() };
        let viable = chosen.len();
        let bar = bar::on_terminal(viable as u64, "");
        for (done, number) in chosen.into_iter().enumerate() {
            if bar.is_hidden() && done % TOLD_EVERY == 0 {
                let missed = score.missed.len();
                output::warn(&format!("{done} of {viable} mutants tested, {missed} missed"));
            }
            let name = &mutants[number - 1].name;
            bar.set_message(name.clone());
            if self.is_caught(&program, number).await? {
                score.caught += 1;
            } else {
                score.missed.push(name.clone());
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(score)
    }

    async fn list(&self) -> anyhow::Result<Vec<Mutant>> {
        let mut cargo = self.workshop.cargo();
        cargo.args(["mutants", "--list", "--json", "--package", "racetrack-server"]);
        cargo.args(CHANGED.iter().flat_map(|files| ["--file", files]));
        let listed = cargo.output().await.context("cannot start cargo")?;
        if !listed.status.success() {
            bail!(
                "cargo mutants ended with {}; if it is not installed: cargo install cargo-mutants",
                listed.status
            );
        }
        serde_json::from_slice(&listed.stdout)
            .context("the list of cargo mutants has another format")
    }

    /// Builds the test with the chosen mutants; removes those that do not compile from the choice.
    async fn build(
        &self,
        mutants: &[Mutant],
        chosen: &mut BTreeSet<usize>,
    ) -> anyhow::Result<PathBuf> {
        for _ in 0..BUILDS_MAX {
            self.workshop.prepare(&Changes::new())?;
            let written = schemata::write(self.workshop.sources(), mutants, chosen);
            let written = written.context("cannot write to the copy of the sources")?;
            let mut cargo = self.workshop.cargo();
            cargo.args(["test", "--no-run", "--message-format=json"]).args(TEST);
            let built = cargo.output().await.context("cannot start cargo")?;
            let messages = messages(&built.stdout);
            if built.status.success() {
                let program = messages.into_iter().find_map(|message| message.executable);
                return program.context("cargo does not name the program of the test");
            }
            let unviable = unviable(&messages, &written);
            ensure!(
                !unviable.is_empty(),
                "the sources with mutants do not compile, and no mutant is the reason"
            );
            chosen.retain(|number| !unviable.contains(number));
        }
        bail!("after {BUILDS_MAX} builds there is still a mutant that does not compile")
    }

    /// True when the simulation fails or does not end.
    async fn is_caught(&self, program: &Path, mutant: usize) -> anyhow::Result<bool> {
        let first = SEEDS_FIRST.min(self.seeds);
        if !self.passes(program, mutant, first).await? {
            return Ok(true);
        }
        Ok(self.seeds > first && !self.passes(program, mutant, self.seeds).await?)
    }

    async fn passes(&self, program: &Path, mutant: usize, seeds: u64) -> anyhow::Result<bool> {
        let cpu_s_max = CPU_S_MAX + seeds / SEEDS_A_CPU_SECOND_MIN;
        let mut test = limited(cpu_s_max);
        test.arg(program).current_dir(self.workshop.sources()).kill_on_drop(true);
        test.env(CHOSEN, mutant.to_string()).env("RACETRACK_SEEDS", seeds.to_string());
        test.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let limit = Duration::from_secs(cpu_s_max) * WAIT_FACTOR;
        let ended = tokio::time::timeout(limit, test.status()).await;
        let status = ended.map_or(Ok(None), |status| status.map(Some));
        let status = status.context("cannot start the test")?;
        Ok(status.is_some_and(|status: ExitStatus| status.success()))
    }
}

/// A line of what cargo prints about a build.
#[derive(Debug, Deserialize)]
struct Message {
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

fn messages(output: &[u8]) -> Vec<Message> {
    let lines = output.split(|byte| *byte == b'\n');
    lines.filter_map(|line| serde_json::from_slice(line).ok()).collect()
}

/// The mutants with compiler errors.
fn unviable(messages: &[Message], written: &Written) -> BTreeSet<usize> {
    let errors = messages.iter().filter_map(|message| message.message.as_ref());
    let errors = errors.filter(|message| message.level == "error");
    let places = errors.flat_map(|message| &message.spans);
    places.filter_map(|place| written.at(&place.file_name, place.line_start)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema;
    use reports::cli::output::versioned;

    #[test]
    fn score_counts_only_mutants_that_compile() {
        let missed = vec!["one".to_owned()];
        let score = Score { caught: 9, missed, unviable: 90 };
        assert_eq!(score.share(), Some(0.9));
        let nothing = Score { caught: 0, missed: Vec::new(), unviable: 3 };
        assert_eq!(nothing.share(), None);
    }

    #[test]
    fn shard_is_below_the_number_of_shards() {
        assert_eq!("7/8".parse(), Ok(Shard { part: 7, of: 8 }));
        for nonsense in ["8/8", "1", "a/b", "1/0", "-1/2", ""] {
            let refused = nonsense.parse::<Shard>().expect_err(nonsense);
            assert!(refused.contains("0/8"), "{refused}");
        }
    }

    #[test]
    fn json_fits_its_schema() {
        let missed = vec!["core/mod.rs:1: replace + by -".to_owned()];
        for score in [
            Score { caught: 9, missed, unviable: 90 },
            Score { caught: 0, missed: Vec::new(), unviable: 0 },
        ] {
            schema::check("xtask-mutants", &versioned(score.to_json(Path::new("out"))));
        }
    }
}
