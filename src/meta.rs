//! `racetrack sim meta`: proof that a seed decides everything, by running it in two processes.
//!
//! The hash of a run covers its packets, entropy draws, clock reads and history. Where two
//! processes, which take the seeds in opposite orders, differ, both run that seed again with the whole trace written down, and the first
//! entry at which they part is named.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use ::sim::determinism::TraceReport;
use ::sim::generate;
use anyhow::{Context, ensure};
use clap::Args;
use serde_json::json;

use crate::outcome::Outcome;
use crate::output::{self, Output};
use crate::seeds::Seeds;
use crate::world::World;

#[derive(Debug, Args)]
pub(crate) struct Meta {
    /// The seeds to compare
    #[arg(long, value_name = "A..B", default_value = "0..50")]
    seeds: Seeds,
    #[command(flatten)]
    world: World,
}

#[derive(Debug, Args)]
pub(crate) struct Trace {
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
    world: World,
}

impl Trace {
    /// Prints a line a seed: the seed, a space, the trace as JSON.
    pub(crate) fn run(&self) -> anyhow::Result<Outcome> {
        let options = self.world.options()?;
        let mut seeds: Vec<_> = self.seeds.0.clone().collect();
        if self.reverse {
            seeds.reverse();
        }
        for seed in seeds {
            let report = ::sim::run(&generate::plan(seed, &options), self.entries);
            output::print(&format!("{seed} {}", serde_json::to_string(&report.trace)?));
        }
        Ok(Outcome::Good)
    }
}

impl Meta {
    pub(crate) fn run(&self, output: &Output) -> anyhow::Result<Outcome> {
        self.world.options()?;
        let (ours, theirs) = self.twice(&self.seeds, false)?;
        let different = ours.iter().find(|(seed, trace)| theirs.get(seed) != Some(trace));
        let equal = ours.iter().filter(|(seed, trace)| theirs.get(seed) == Some(trace)).count();
        let divergence = match different {
            Some((seed, _)) => Some((*seed, self.divergence(*seed)?)),
            None => None,
        };
        let text = match &divergence {
            None => format!("{equal} seeds, each run in two processes: every trace is equal"),
            Some((seed, None)) => {
                format!("seed {seed} gave two traces, but not when they were written down")
            }
            Some((seed, Some(parting))) => {
                format!("seed {seed} gives two traces: they part at {parting}")
            }
        };
        output.result(&text, || {
            json!({
                "seeds": ours.len(),
                "equal": equal,
                "first_divergence": divergence.as_ref().map(|(seed, parting)| {
                    json!({ "seed": seed, "at": parting })
                }),
            })
        });
        Ok(if divergence.is_none() { Outcome::Good } else { Outcome::Bad })
    }

    fn divergence(&self, seed: u64) -> anyhow::Result<Option<String>> {
        let (ours, theirs) = self.twice(&Seeds(seed..seed + 1), true)?;
        let parting = ours[&seed].first_divergence(&theirs[&seed]);
        Ok(parting.map(|parting| {
            format!("entry {}: {:?} or {:?}", parting.index, parting.ours, parting.theirs)
        }))
    }

    fn twice(
        &self,
        seeds: &Seeds,
        entries: bool,
    ) -> anyhow::Result<(BTreeMap<u64, TraceReport>, BTreeMap<u64, TraceReport>)> {
        let spawn = |reverse: Option<&str>| {
            let mut command = Command::new(std::env::current_exe()?);
            command.args(["sim", "trace", "--seeds", &seeds.to_string()]);
            command.args(self.world.arguments()).args(entries.then_some("--entries")).args(reverse);
            command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()
        };
        let context = "cannot start this program again";
        // In opposite orders, so that nothing that one seed leaves in its process goes unseen.
        let one = spawn(None).context(context)?;
        let other = spawn(Some("--reverse")).context(context)?;
        // Both are read to the end before either is judged, so that none is left behind.
        let outputs = [one, other].map(std::process::Child::wait_with_output);
        let [one, other] = outputs.map(|output| {
            let output = output.context("cannot read from the second process")?;
            ensure!(output.status.success(), "a process that traced seeds {seeds} failed");
            parse(&output.stdout)
        });
        Ok((one?, other?))
    }
}

fn parse(lines: &[u8]) -> anyhow::Result<BTreeMap<u64, TraceReport>> {
    let lines = std::str::from_utf8(lines)?.lines();
    lines
        .map(|line| {
            let (seed, trace) = line.split_once(' ').context("a trace has a seed and a report")?;
            Ok((seed.parse()?, serde_json::from_str(trace)?))
        })
        .collect()
}
