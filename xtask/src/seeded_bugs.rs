//! `racetrack sim planted`: bugs are planted into copies of the server, one at a time, to see
//! whether the simulation finds them, how soon, and how small it makes them.
//!
//! What is judged here is the simulation. A bug that is not found in the seeds means that a checker
//! or a habit of the simulated people is missing.

mod mutants;
mod switches;
mod workshop;

use std::fmt::Write;
use std::path::{Path, PathBuf};

use ::sim::checker::STANDSTILL;
use ::sim::planted::Patch;
use anyhow::{Context, bail, ensure};
use clap::Args;
use reports::units::or_absent;
use serde::Serialize;
use serde_json::{Value, json};
use server::Interrupt;

use self::mutants::{Score, Shard};
use self::workshop::{End, Workshop};
use crate::bar;
use crate::checkout;
use crate::outcome::Outcome;
use crate::output::{self, Output};
use crate::seeds::Seeds;
use crate::sim::threads;
use crate::world::World;

/// Where the patches lie, from the root of the sources.
const PATCHES: &str = "sim/planted";
/// Who finds a run that does not come to an end, or takes the whole program with it.
const WATCHDOG: &str = "watchdog";

#[derive(Debug, Args)]
pub(crate) struct Planted {
    /// The bugs to plant, by the names in sim/planted [default: all]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// The seeds to look in; a sweep ends with the first that fails
    #[arg(long, value_name = "A..B", default_value = "0..2000")]
    seeds: Seeds,
    /// Make every change that cargo-mutants can think of to the server's core and hub instead, with the
    /// simulation as the only test; hundreds of sweeps, so a matter of half an hour
    #[arg(long, conflicts_with = "names")]
    mutants: bool,
    /// Of the changes, the part K of N, from 0
    #[arg(long, value_name = "K/N", requires = "mutants")]
    shard: Option<Shard>,
    #[command(flatten)]
    world: World,
    /// Runs to shrink each failure; 0 leaves the plans as they are
    #[arg(long, value_name = "N", default_value_t = 500)]
    shrink_runs: u64,
    /// Threads [default: one a core]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
}

/// A bug that can be planted.
struct Bug {
    name: String,
    patch: Patch,
}

/// What came of a bug.
#[derive(Debug, Default, Serialize)]
struct Row {
    name: String,
    about: String,
    found: bool,
    /// Which checker found it, and what.
    checker: Option<String>,
    what: Option<String>,
    /// Seeds that ran, with the first that failed; unknown where one did not come to an end.
    seeds: Option<u64>,
    /// What the sweep took.
    cpu_seconds: Option<f64>,
    /// What is left of the plan when it is shrunk.
    shrunk_steps: Option<u64>,
    shrunk_people: Option<u64>,
    shrunk_faults: Option<u64>,
}

impl Planted {
    pub(crate) fn run(&self, output: &Output) -> anyhow::Result<Outcome> {
        self.world.options()?;
        let jobs = threads(self.jobs)?;
        let root = checkout::root(PATCHES, "planting bugs")?;
        if self.mutants {
            return self.mutate(output, root, jobs);
        }
        let bugs = self.chosen(known(&root)?)?;
        output.check_out()?;
        let dir = output.dir("planted");
        let workshop = Workshop::open(root, &dir, jobs)?;
        let runtime = crate::runtime()?;
        let mut interrupt = runtime.block_on(async { Interrupt::listen() })?;
        let mut rows = Vec::new();
        output::warn("building the server once for each bug; the first time takes minutes");
        let bar = bar::on_terminal(bugs.len() as u64, "planting");
        for bug in &bugs {
            bar.set_message(bug.name.clone());
            let row = self.judge(&workshop, bug);
            let row = runtime.block_on(unless_interrupted(&mut interrupt, row));
            rows.push(row.with_context(|| format!("{}.patch", bug.name))?);
            // Each line as soon as it is known: all of them take a while.
            bar.suspend(|| output.note(&table(&rows[rows.len() - 1..], rows.len() == 1)))?;
            bar.inc(1);
        }
        bar.finish_and_clear();
        output.result(&verdict(&rows), || to_json(&rows, &dir))?;
        Ok(if found(&rows) == rows.len() { Outcome::Good } else { Outcome::Bad })
    }

    /// Everything that cargo-mutants can think of, instead of the patches.
    fn mutate(&self, output: &Output, root: PathBuf, jobs: usize) -> anyhow::Result<Outcome> {
        ensure!(self.seeds.0.start == 0, "--seeds {}: with --mutants they begin at 0", self.seeds);
        output.check_out()?;
        let dir = output.dir("mutants");
        let workshop = Workshop::open(root, &dir, jobs)?;
        output::warn("building the server once with all changes; the first time takes minutes");
        let bar = bar::on_terminal(0, "changing");
        let running = workshop.mutate(self.seeds.len(), self.shard, &bar);
        let runtime = crate::runtime()?;
        let mut interrupt = runtime.block_on(async { Interrupt::listen() })?;
        let score = runtime.block_on(unless_interrupted(&mut interrupt, running))?;
        bar.finish_and_clear();
        output::write(&dir, "mutants.txt", &told(&score))?;
        output.result(&told(&score), || score_to_json(&score, &dir))?;
        let is_enough = score.share().is_some_and(|share| share >= mutants::SCORE_MIN);
        Ok(if is_enough { Outcome::Good } else { Outcome::Bad })
    }

    fn chosen(&self, mut bugs: Vec<Bug>) -> anyhow::Result<Vec<Bug>> {
        let names: Vec<_> = bugs.iter().map(|bug| bug.name.as_str()).collect();
        if let Some(unknown) = self.names.iter().find(|name| !names.contains(&name.as_str())) {
            bail!("no bug is named {unknown:?}; there are {}", names.join(", "));
        }
        if !self.names.is_empty() {
            bugs.retain(|bug| self.names.contains(&bug.name));
        }
        Ok(bugs)
    }

    async fn judge(&self, workshop: &Workshop, bug: &Bug) -> anyhow::Result<Row> {
        workshop.plant(&bug.patch)?;
        workshop.build().await?;
        let mut row =
            Row { name: bug.name.clone(), about: bug.patch.about.clone(), ..Row::default() };
        let sweep = match workshop.sweep(&bug.name, &self.seeds, &self.world).await? {
            End::Report(sweep) => sweep,
            End::Endless => return Ok(row.found_by_watchdog("a run goes on for ever")),
            End::Aborted => return Ok(row.found_by_watchdog("a run aborts the whole program")),
        };
        let failure = &sweep["failures"][0];
        row.found = !failure.is_null();
        row.checker = failure["checker"].as_str().map(str::to_owned);
        row.what = failure["what"].as_str().map(str::to_owned);
        row.seeds = sweep["seeds"].as_u64();
        row.cpu_seconds = sweep["cpu_seconds"].as_f64();
        let is_endless = row.checker.as_deref() == Some(STANDSTILL);
        let Some(seed) = failure["seed"].as_u64().filter(|_| self.shrink_runs > 0 && !is_endless)
        else {
            return Ok(row);
        };
        // Where a smaller plan does not come to a good end, the bug is found all the same.
        if let End::Report(shrunk) = workshop.shrink(&bug.name, seed, self.shrink_runs).await? {
            row.shrunk_steps = shrunk["steps_after"].as_u64();
            row.shrunk_people = shrunk["people_after"].as_u64();
            row.shrunk_faults = shrunk["faults_after"].as_u64();
        }
        Ok(row)
    }
}

fn told(score: &Score) -> String {
    let share = or_absent(score.share(), |share| format!("{:.1} %", 100.0 * share));
    let mut text = format!(
        "{} of {} changes that compile were noticed: {share} ({} do not compile)",
        score.caught,
        score.caught + score.missed.len() as u64,
        score.unviable,
    );
    for missed in &score.missed {
        let _infallible = write!(text, "\nnot noticed: {missed}");
    }
    text
}

impl Row {
    fn found_by_watchdog(self, what: &str) -> Self {
        let (checker, what) = (Some(WATCHDOG.to_owned()), Some(what.to_owned()));
        Self { found: true, checker, what, ..self }
    }
}

/// Every bug, by name.
fn known(root: &Path) -> anyhow::Result<Vec<Bug>> {
    let folder = root.join(PATCHES);
    let cannot_read = || format!("cannot read {}", folder.display());
    let mut bugs = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(cannot_read)? {
        let path = entry.with_context(cannot_read)?.path();
        if path.extension().is_none_or(|extension| extension != "patch") {
            continue;
        }
        let text = std::fs::read_to_string(&path).with_context(cannot_read)?;
        let patch = Patch::parse(&text).map_err(anyhow::Error::msg);
        let patch = patch.with_context(|| path.display().to_string())?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        bugs.push(Bug { name, patch });
    }
    bugs.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    Ok(bugs)
}

fn table(rows: &[Row], with_head: bool) -> String {
    let mut text = String::new();
    if with_head {
        let head = ["bug", "found by", "seeds", "CPU s", "steps", "people", "faults"];
        let [bug, found_by, seeds, cpu, steps, people, faults] = head;
        let _infallible = writeln!(
            text,
            "{bug:<36} {found_by:<12} {seeds:>5} {cpu:>7} {steps:>6} {people:>6} {faults:>6}"
        );
    }
    for row in rows {
        let figure =
            |figure: Option<u64>| figure.map_or_else(|| "-".to_owned(), |it| it.to_string());
        let _infallible = writeln!(
            text,
            "{:<36} {:<12} {:>5} {:>7} {:>6} {:>6} {:>6}",
            row.name,
            row.checker.as_deref().unwrap_or("NOT FOUND"),
            figure(row.seeds),
            row.cpu_seconds.map_or_else(|| "-".to_owned(), |seconds| format!("{seconds:.1}")),
            figure(row.shrunk_steps),
            figure(row.shrunk_people),
            figure(row.shrunk_faults),
        );
    }
    text
}

fn verdict(rows: &[Row]) -> String {
    let mut text = format!("{} bugs planted, {} found", rows.len(), found(rows));
    if let Some(median) = median(rows) {
        let _infallible = write!(text, "; shrunk to {median} steps in the median");
    }
    for row in rows.iter().filter(|row| !row.found) {
        let _infallible = write!(text, "\nNOT FOUND: {}: {}", row.name, row.about);
    }
    text
}

fn to_json(rows: &[Row], dir: &Path) -> Value {
    json!({
        "bugs": rows,
        "planted": rows.len(),
        "found": found(rows),
        "shrunk_steps_median": median(rows),
        "out": dir,
    })
}

fn score_to_json(score: &Score, dir: &Path) -> Value {
    json!({ "score": score.share(), "mutants": score, "out": dir })
}

/// What it gives, unless a signal comes before that: then it is dropped, and with it every process
/// that it waits for.
async fn unless_interrupted<T>(
    interrupt: &mut Interrupt,
    running: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    tokio::select! {
        given = running => given,
        () = interrupt.came() => bail!("interrupted; nothing that was started runs on"),
    }
}

fn found(rows: &[Row]) -> usize {
    rows.iter().filter(|row| row.found).count()
}

/// The median of the steps that are left, the higher of the two in the middle.
fn median(rows: &[Row]) -> Option<u64> {
    let mut steps: Vec<_> = rows.iter().filter_map(|row| row.shrunk_steps).collect();
    steps.sort_unstable();
    steps.get(steps.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::versioned;
    use crate::schema;

    #[test]
    fn what_is_printed_is_as_its_schemas_say() {
        let found = Row {
            name: "cursor-off-by-one".to_owned(),
            about: "an event is skipped".to_owned(),
            found: true,
            checker: Some("delivery".to_owned()),
            what: Some("bob never got m1".to_owned()),
            seeds: Some(3),
            cpu_seconds: Some(1.5),
            shrunk_steps: Some(4),
            shrunk_people: Some(2),
            shrunk_faults: Some(0),
        };
        let rows = [found, Row::default()];
        schema::check("sim-planted", &versioned(to_json(&rows, Path::new("out"))));
        let missed = vec!["core/mod.rs:1: replace + by -".to_owned()];
        for score in [
            Score { caught: 9, missed, unviable: 90 },
            Score { caught: 0, missed: Vec::new(), unviable: 0 },
        ] {
            let object = versioned(score_to_json(&score, Path::new("out")));
            schema::check("sim-planted-mutants", &object);
        }
    }
}
