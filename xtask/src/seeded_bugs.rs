//! `cargo xtask seeded-bugs`: builds known bugs into copies of the server, one at a time, and measures whether the
//! simulation finds them, how soon, and how small it shrinks them.
//!
//! This measures the simulation. A bug that no seed finds shows that a checker is missing, or an action of the
//! simulated users.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};
use xtask::{NamedPatch, SEEDED_BUGS};

use crate::output::Output;
use crate::prose;
use crate::workshop::{Changes, End, Workshop};
use reports::Seeds;
use reports::cli::{Outcome, bar, output};

pub(crate) const EXAMPLES: &str = "\
Examples:
  cargo xtask seeded-bugs                                       # all of them; half a minute each
  cargo xtask seeded-bugs cursor-off-by-one --seeds 0..100
  cargo xtask seeded-bugs --ranges 3 --format json              # the median of three ranges of seeds
  cargo xtask seeded-bugs skips-are-free -- --fault crash       # further arguments of `racetrack sim`

Exit: 0 every bug was found; 1 one was not; 2 wrong usage or environment, or a patch no longer applies.";

/// The name in place of a checker's for a run that does not end, or that ends the whole program.
pub(crate) const WATCHDOG: &str = "watchdog";
/// The simulation's own name for a run that does not end.
const STANDSTILL: &str = "standstill";
/// Each range takes as long as the first one.
const RANGES_MAX: u64 = 9;
/// Folders with texts that reach a client or a log.
const PROSE: [&str; 2] = ["server/src", "protocol/src"];
/// Tests, and the descriptions of the OpenAPI document.
const NOT_PROSE: [&str; 3] = ["tests", "tests.rs", "openapi.rs"];
/// The limit of `racetrack sim`.
pub(crate) const JOBS_MAX: u64 = 1_024;

#[derive(Debug, Args)]
pub(crate) struct SeededBugs {
    /// Bugs to build, by the names of their patches [default: all]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Seeds to sweep; a sweep ends with the first seed that fails
    #[arg(long, value_name = "A..B", default_value = "0..2000")]
    seeds: Seeds,
    /// Number of disjoint ranges to sweep, each as long as --seeds and behind the one before
    #[arg(long, value_name = "N", default_value_t = 1,
        value_parser = clap::value_parser!(u64).range(1..=RANGES_MAX))]
    ranges: u64,
    /// Scramble every human-readable text of the server after the patch: a checker that compares texts goes blind
    #[arg(long)]
    scramble_text: bool,
    /// Runs to shrink each failure; 0 does not shrink
    #[arg(long, value_name = "N", default_value_t = 500)]
    shrink_runs: u64,
    /// Threads of the simulation [default: one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=JOBS_MAX))]
    jobs: Option<u64>,
    /// Further arguments of `racetrack sim`
    #[arg(last = true, value_name = "ARGUMENT")]
    simulation: Vec<String>,
}

/// What came of a bug.
#[derive(Debug, Default, Serialize)]
struct Row {
    name: String,
    about: String,
    /// True when the median of the ranges found it.
    found: bool,
    /// The checker of the median range, and the violation.
    checker: Option<String>,
    what: Option<String>,
    /// Seeds until the first failure, the median of all ranges; unknown where a run did not end.
    seeds: Option<u64>,
    /// Processor time of all sweeps.
    cpu_seconds: Option<f64>,
    ranges: Vec<Swept>,
    /// The size of the shrunk plan.
    shrunk_steps: Option<u64>,
    shrunk_people: Option<u64>,
    shrunk_faults: Option<u64>,
}

/// A sweep of one range.
#[derive(Debug, Clone, Default, Serialize)]
struct Swept {
    range: String,
    found: bool,
    checker: Option<String>,
    what: Option<String>,
    /// The first seed that failed.
    seed: Option<u64>,
    /// Seeds that ran, with the first that failed; unknown where a run did not end.
    seeds: Option<u64>,
    cpu_seconds: Option<f64>,
}

impl SeededBugs {
    pub(crate) async fn run(&self, output: &Output) -> anyhow::Result<Outcome> {
        let ranges = self.seeds.repeated(self.ranges);
        let ranges = ranges.with_context(|| format!("--seeds {}: too large", self.seeds))?;
        let bugs = chosen(xtask::patches(SEEDED_BUGS)?, &self.names)?;
        let changes = xtask::apply(&bugs)?;
        let dir = output.dir("seeded-bugs")?;
        let workshop = Workshop::open(dir.clone(), self.jobs)?;
        output::warn("building one server for each bug; the first build takes minutes");
        let bar = bar::on_terminal(bugs.len() as u64, "");
        let mut rows = Vec::new();
        for (bug, changed) in bugs.iter().zip(changes) {
            bar.set_message(bug.name.clone());
            let mut changed = changed.into_iter().collect();
            if self.scramble_text {
                let literals = scramble(&mut changed)?;
                output::warn(&format!("{}: {literals} texts scrambled", bug.name));
            }
            workshop.prepare(&changed)?;
            let row = self.measure(&workshop, bug, &ranges).await;
            rows.push(row.with_context(|| format!("{}.patch", bug.name))?);
            // Each row at once: all of them take a while.
            bar.suspend(|| output.note(&table(&rows[rows.len() - 1..], rows.len() == 1)))?;
            bar.inc(1);
        }
        bar.finish_and_clear();
        output.result(&verdict(&rows), || to_json(&rows, &dir))?;
        Ok(if found(&rows) == rows.len() { Outcome::Good } else { Outcome::Bad })
    }

    /// Builds the prepared copy once, sweeps every range and shrinks the failure of the median range.
    async fn measure(
        &self,
        workshop: &Workshop,
        bug: &NamedPatch,
        ranges: &[Seeds],
    ) -> anyhow::Result<Row> {
        workshop.build().await?;
        let mut swept = Vec::new();
        for seeds in ranges {
            swept.push(Swept::of(seeds, workshop.sweep(&bug.name, seeds, &self.simulation).await?));
        }
        let mut row = Row::of(bug, swept);
        let is_endless = row.checker.as_deref() == Some(STANDSTILL);
        let seed = median(&row.ranges).seed.filter(|_| self.shrink_runs > 0 && !is_endless);
        let Some(seed) = seed else { return Ok(row) };
        // Where a run of a smaller plan does not end, the bug is found all the same.
        if let End::Report(shrunk) = workshop.shrink(&bug.name, seed, self.shrink_runs).await? {
            row.shrunk_steps = shrunk["steps_after"].as_u64();
            row.shrunk_people = shrunk["clients_after"].as_u64();
            row.shrunk_faults = shrunk["faults_after"].as_u64();
        }
        Ok(row)
    }
}

impl Swept {
    fn of(seeds: &Seeds, end: End) -> Self {
        let range = seeds.to_string();
        let sweep = match end {
            End::Report(sweep) => sweep,
            End::Endless => return Self::found_by_watchdog(range, "a run does not end"),
            End::Aborted => return Self::found_by_watchdog(range, "a run aborts the program"),
        };
        let failure = &sweep["failures"][0];
        Self {
            range,
            found: !failure.is_null(),
            checker: failure["checker"].as_str().map(str::to_owned),
            what: failure["what"].as_str().map(str::to_owned),
            seed: failure["seed"].as_u64(),
            seeds: sweep["seeds"].as_u64(),
            cpu_seconds: sweep["cpu_seconds"].as_f64(),
        }
    }

    fn found_by_watchdog(range: String, what: &str) -> Self {
        let (checker, what) = (Some(WATCHDOG.to_owned()), Some(what.to_owned()));
        Self { range, found: true, checker, what, ..Self::default() }
    }
}

impl Row {
    fn of(bug: &NamedPatch, ranges: Vec<Swept>) -> Self {
        let median = median(&ranges).clone();
        let cpu_seconds: Option<f64> = ranges.iter().map(|swept| swept.cpu_seconds).sum();
        Self {
            name: bug.name.clone(),
            about: bug.patch.about.clone(),
            found: median.found,
            checker: median.checker,
            what: median.what,
            seeds: median.seeds,
            cpu_seconds,
            ranges,
            ..Self::default()
        }
    }
}

/// The range in the middle by the seeds until the first failure, the slower of two. A range without a failure
/// is slower than all others; one with an endless run is slower than those whose seeds are known.
fn median(ranges: &[Swept]) -> &Swept {
    let mut sorted: Vec<_> = ranges.iter().collect();
    sorted.sort_by_key(|swept| (!swept.found, swept.seeds.is_none(), swept.seeds));
    sorted[sorted.len() / 2]
}

/// Scrambles the texts of the server; returns the number of changed literals.
fn scramble(changed: &mut Changes) -> anyhow::Result<usize> {
    let mut literals = 0;
    for file in server_files()? {
        let original = match changed.get(&file) {
            Some(text) => text.clone(),
            None => xtask::read_source(&file)?,
        };
        let (text, scrambled) = prose::scramble(&original);
        literals += scrambled;
        changed.insert(file, text);
    }
    Ok(literals)
}

/// The sources of the server and of its wire types, without tests and the descriptions of its OpenAPI document.
fn server_files() -> anyhow::Result<Vec<PathBuf>> {
    let mut folders: Vec<_> = PROSE.map(PathBuf::from).into();
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        let cannot_read = || format!("cannot read {}", folder.display());
        for entry in fs::read_dir(xtask::root().join(&folder)).with_context(cannot_read)? {
            let entry = entry.with_context(cannot_read)?;
            let path = folder.join(entry.file_name());
            if NOT_PROSE.iter().any(|name| entry.file_name() == *name) {
                continue;
            }
            if entry.path().is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    Ok(files)
}

/// The patches with these names, or all of them.
pub(crate) fn chosen(
    mut patches: Vec<NamedPatch>,
    names: &[String],
) -> anyhow::Result<Vec<NamedPatch>> {
    let known: Vec<_> = patches.iter().map(|patch| patch.name.as_str()).collect();
    if let Some(unknown) = names.iter().find(|name| !known.contains(&name.as_str())) {
        bail!("no patch is named {unknown:?}; there are {}", known.join(", "));
    }
    if !names.is_empty() {
        patches.retain(|patch| names.contains(&patch.name));
    }
    Ok(patches)
}

fn table(rows: &[Row], with_head: bool) -> String {
    let mut text = String::new();
    if with_head {
        let head = ["bug", "found by", "seeds", "CPU s", "steps", "people", "faults"];
        let [bug, found_by, seeds, cpu, steps, people, faults] = head;
        let _infallible = writeln!(
            text,
            "{bug:<42} {found_by:<12} {seeds:>5} {cpu:>7} {steps:>6} {people:>6} {faults:>6}"
        );
    }
    for row in rows {
        let figure =
            |figure: Option<u64>| figure.map_or_else(|| "-".to_owned(), |it| it.to_string());
        let found_by = if row.found { row.checker.as_deref().unwrap_or("-") } else { "NOT FOUND" };
        let _infallible = writeln!(
            text,
            "{:<42} {found_by:<12} {:>5} {:>7} {:>6} {:>6} {:>6}",
            row.name,
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
    let mut text = format!("{} bugs built, {} found", rows.len(), found(rows));
    if let Some(median) = median_steps(rows) {
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
        "built": rows.len(),
        "found": found(rows),
        "shrunk_steps_median": median_steps(rows),
        "out": dir,
    })
}

fn found(rows: &[Row]) -> usize {
    rows.iter().filter(|row| row.found).count()
}

/// The median of the shrunk steps, the higher of two in the middle.
fn median_steps(rows: &[Row]) -> Option<u64> {
    let mut steps: Vec<_> = rows.iter().filter_map(|row| row.shrunk_steps).collect();
    steps.sort_unstable();
    steps.get(steps.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema;
    use reports::cli::output::versioned;

    fn swept(seeds: Option<u64>, found: bool) -> Swept {
        Swept { range: "0..9".to_owned(), found, seeds, ..Swept::default() }
    }

    #[test]
    fn median_counts_a_range_without_failure_as_slowest() {
        let found = |ranges: &[Swept]| (median(ranges).found, median(ranges).seeds);
        let [soon, late, endless] = [Some(1), Some(5), None].map(|seeds| swept(seeds, true));
        let never = swept(Some(9), false);
        let three = [never.clone(), late.clone(), soon.clone()];
        assert_eq!(found(&three), (true, Some(5)));
        assert_eq!(found(&[never.clone(), late, never.clone()]), (false, Some(9)));
        assert_eq!(found(&[endless, soon.clone(), never]), (true, None));
        assert_eq!(found(&[soon]), (true, Some(1)));
    }

    #[test]
    fn json_fits_its_schema() {
        let range = Swept {
            range: "0..2000".to_owned(),
            found: true,
            checker: Some("delivery".to_owned()),
            what: Some("bob never got m1".to_owned()),
            seed: Some(2),
            seeds: Some(3),
            cpu_seconds: Some(1.5),
        };
        let found = Row {
            name: "cursor-off-by-one".to_owned(),
            about: "an event is skipped".to_owned(),
            found: true,
            checker: range.checker.clone(),
            what: range.what.clone(),
            seeds: range.seeds,
            cpu_seconds: Some(1.5),
            ranges: vec![range, Swept::default()],
            shrunk_steps: Some(4),
            shrunk_people: Some(2),
            shrunk_faults: Some(0),
        };
        let rows = [found, Row::default()];
        schema::check("xtask-seeded-bugs", &versioned(to_json(&rows, Path::new("out"))));
    }
}
