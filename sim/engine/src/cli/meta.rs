//! `meta`: proof that a seed decides everything, by running it in two processes.
//!
//! The hash of a run covers its packets, entropy draws, clock reads, timers and history. The two
//! processes take the seeds in opposite orders, and may be of two builds. Where they differ, both
//! run that seed again with the whole trace written down, and the first entry at which they diverge
//! is named. A run that reached past its seed fails, whatever its trace.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, ensure};
use clap::Args;
use reports::Seeds;
use reports::cli::bar::Bar;
use reports::cli::{Outcome, Output};
use serde_json::json;

use super::CommandLine;
use super::size::RunSize;
use crate::determinism::{TraceReport, uncontrolled};
use crate::fault::FaultType;
use crate::model::Model;
use crate::run::run;

/// Which seeds, and which other program.
#[derive(Debug, Args)]
pub struct Meta<F: FaultType> {
    /// The seeds to compare
    #[arg(long, value_name = "A..B", default_value = "0..50")]
    seeds: Seeds,
    /// Run the second process from this program, another build of the same source [default: this
    /// program]
    #[arg(long, value_name = "PROGRAM")]
    with: Option<PathBuf>,
    #[command(flatten)]
    size: RunSize<F>,
}

/// Which seeds, in which order.
#[derive(Debug, Args)]
pub struct Trace<F: FaultType> {
    /// The seeds to run
    #[arg(long, value_name = "A..B")]
    seeds: Seeds,
    /// Print every entry, not only the hash
    #[arg(long)]
    entries: bool,
    /// Begin with the last seed
    #[arg(long)]
    reverse: bool,
    #[command(flatten)]
    size: RunSize<F>,
}

impl<F: FaultType> Trace<F> {
    /// Prints a line a seed: the seed, a space, the trace as JSON.
    pub(super) fn run<M: Model<Fault = F>>(&self, cli: &CommandLine<M>) -> anyhow::Result<Outcome> {
        let options = self.size.options(&cli.model)?;
        let seeds = self.seeds.0.clone();
        let seeds: Box<dyn Iterator<Item = u64>> =
            if self.reverse { Box::new(seeds.rev()) } else { Box::new(seeds) };
        for seed in seeds {
            let report = run(&cli.model, &cli.generate(seed, &options)?, self.entries);
            let line = format!("{seed} {}", serde_json::to_string(&report.trace)?);
            // Whoever asked is gone, and nobody else wants the rest.
            if writeln!(io::stdout(), "{line}").is_err() {
                break;
            }
        }
        Ok(Outcome::Good)
    }
}

impl<F: FaultType> Meta<F> {
    pub(super) fn run<M: Model<Fault = F>>(
        &self,
        cli: &CommandLine<M>,
        output: &Output,
    ) -> anyhow::Result<Outcome> {
        self.size.options(&cli.model)?;
        let (ours, theirs) = self.twice(cli, &self.seeds, false)?;
        let different = ours.iter().find(|(seed, trace)| theirs.get(seed) != Some(trace));
        let equal = ours.iter().filter(|(seed, trace)| theirs.get(seed) == Some(trace)).count();
        let divergence = match different {
            Some((seed, _)) => Some((*seed, self.divergence(cli, *seed)?)),
            None => None,
        };
        let escape = ours.iter().find_map(|(seed, trace)| Some((*seed, trace.escape.clone()?)));
        let text = match (&divergence, &escape) {
            (_, Some((seed, escape))) => format!("seed {seed} proves nothing: {escape}"),
            (None, None) => self.describe_equal(equal),
            (Some((seed, None)), None) => {
                format!(
                    "seed {seed} gave two traces, but not when they were written down{}",
                    suspect()
                )
            }
            (Some((seed, Some(entry))), None) => {
                format!("seed {seed} gives two traces: they diverge at {entry}{}", suspect())
            }
        };
        output.result(&text, || {
            json!({
                "seeds": ours.len(),
                "equal": equal,
                "with": self.with,
                "escape": escape.as_ref().map(|(seed, how)| json!({ "seed": seed, "how": how })),
                "first_divergence": divergence.as_ref().map(|(seed, entry)| {
                    json!({ "seed": seed, "at": entry })
                }),
            })
        })?;
        let is_good = divergence.is_none() && escape.is_none();
        Ok(if is_good { Outcome::Good } else { Outcome::Bad })
    }

    fn describe_equal(&self, equal: usize) -> String {
        match &self.with {
            None => format!("{equal} seeds, each run in two processes: every trace is equal"),
            Some(with) => format!(
                "{equal} seeds, each run by this program and by {}: every trace is equal",
                with.display()
            ),
        }
    }

    fn divergence<M: Model<Fault = F>>(
        &self,
        cli: &CommandLine<M>,
        seed: u64,
    ) -> anyhow::Result<Option<String>> {
        let (ours, theirs) = self.twice(cli, &Seeds(seed..seed + 1), true)?;
        let divergence = ours[&seed].first_divergence(&theirs[&seed]);
        Ok(divergence
            .map(|found| format!("entry {}: {:?} or {:?}", found.index, found.ours, found.theirs)))
    }

    fn twice<M: Model<Fault = F>>(
        &self,
        cli: &CommandLine<M>,
        seeds: &Seeds,
        entries: bool,
    ) -> anyhow::Result<(BTreeMap<u64, TraceReport>, BTreeMap<u64, TraceReport>)> {
        let this = std::env::current_exe().context("this program has no path")?;
        let spawn = |program: &Path, reverse: Option<&str>| {
            let mut command = Command::new(program);
            command.args(cli.leading).args(["trace", "--seeds", &seeds.to_string()]);
            command.args(self.size.arguments()).args(entries.then_some("--entries")).args(reverse);
            let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
            child.with_context(|| format!("cannot start {}", program.display()))
        };
        // In opposite orders, so that nothing that one seed leaves in its process goes unseen. The
        // one that may not be there comes first, so that none is left behind.
        let other = spawn(self.with.as_deref().unwrap_or(&this), Some("--reverse"))?;
        let one = spawn(&this, None)?;
        // Both are read to the end before either is judged, so that none is left behind.
        let bar = Bar::new(seeds.count().saturating_mul(2), "tracing");
        let (one, other) = std::thread::scope(|scope| {
            let other = scope.spawn(|| traces(other, seeds, &bar));
            (traces(one, seeds, &bar), other.join().expect("reading does not panic"))
        });
        bar.end();
        let program = self.with.as_deref().unwrap_or(&this).display();
        let other = other.with_context(|| format!("{program} is no build of this program"))?;
        Ok((one?, other))
    }
}

/// What this build does not control, behind a semicolon.
fn suspect() -> String {
    uncontrolled().map(|what| format!("; {what}")).unwrap_or_default()
}

/// What a process prints until it ends, a line a seed.
fn traces(
    mut child: Child,
    seeds: &Seeds,
    bar: &Bar,
) -> anyhow::Result<BTreeMap<u64, TraceReport>> {
    let stdout = child.stdout.take().context("the process has no output")?;
    let lines = BufReader::new(stdout).lines().inspect(|_| bar.inc());
    // A line that cannot be understood closes the pipe, and that ends the process.
    let traces: anyhow::Result<BTreeMap<_, _>> = lines.map(|line| parse(&line?)).collect();
    let status = child.wait().context("the end of a process is not known")?;
    ensure!(status.success(), "`trace --seeds {seeds}` ended with {status}");
    let traces = traces.context("it printed something else than traces")?;
    ensure!(traces.keys().copied().eq(seeds.0.clone()), "it did not trace the seeds {seeds}");
    Ok(traces)
}

fn parse(line: &str) -> anyhow::Result<(u64, TraceReport)> {
    let (seed, trace) = line.split_once(' ').context("a trace has a seed and a report")?;
    Ok((seed.parse()?, serde_json::from_str(trace)?))
}
