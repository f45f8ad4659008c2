//! `cargo xtask`: developer tools that need the sources, not only the programs.
//!
//! ```text
//!   seeded-bugs    known bugs, each built into a copy of the sources: which checker finds it, how soon
//!   regressions    each regression plan fails with a patch that puts its mistake back
//!   mutants        what cargo-mutants can change in the server, with the simulation as the only test
//! ```
//!
//! `workshop` owns the copy of the sources and builds it; `seeded_bugs`, `regressions` and `mutants`
//! are the commands;
//! `prose` scrambles texts; `schemata` builds many changes into one program; `output` is the command line.
//! The sources themselves are only read.

mod mutants;
mod output;
mod prose;
mod regressions;
mod schemata;
mod seeded_bugs;
mod workshop;

#[cfg(test)]
#[path = "../../tests/it/schema.rs"]
mod schema;

use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

use reports::cli::outcome::USAGE;
use reports::cli::{Outcome, output as printed};

use crate::output::Output;

/// Developer tools: seeded bugs and mutants, built into a copy of the sources.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 100, after_help = EXIT)]
struct Cli {
    #[command(flatten)]
    output: Output,
    #[command(subcommand)]
    command: Command,
}

const EXIT: &str = "Exit: 0 done and good; 1 done and not good; 2 wrong usage or environment, nothing was measured.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Build each seeded bug into a copy of the sources and measure how soon the simulation finds it
    #[command(after_long_help = seeded_bugs::EXAMPLES)]
    SeededBugs(seeded_bugs::SeededBugs),
    /// Prove that each regression plan fails when its mistake is put back
    #[command(after_long_help = regressions::EXAMPLES)]
    Regressions(regressions::Regressions),
    /// Make every change of cargo-mutants to the server's core and hub, with the simulation as the only test
    #[command(after_long_help = mutants::EXAMPLES)]
    Mutants(mutants::Mutants),
}

fn main() -> ExitCode {
    let Cli { output, command } = Cli::parse();
    match run(command, &output) {
        Ok(outcome) => outcome.into(),
        Err(error) => {
            printed::warn(&format!("xtask: {error:#}"));
            ExitCode::from(USAGE)
        }
    }
}

fn run(command: Command, output: &Output) -> anyhow::Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(unless_interrupted(async {
        match command {
            Command::SeededBugs(seeded_bugs) => seeded_bugs.run(output).await,
            Command::Regressions(regressions) => regressions.run(output).await,
            Command::Mutants(mutants) => mutants.run(output).await,
        }
    }))
}

/// Runs a command to its end. A signal drops it before that, and with it every process that it waits for.
async fn unless_interrupted<T>(
    command: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    let cannot_listen = "cannot listen for signals";
    let mut interrupt = signal(SignalKind::interrupt()).context(cannot_listen)?;
    let mut terminate = signal(SignalKind::terminate()).context(cannot_listen)?;
    tokio::select! {
        result = command => return result,
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    bail!("interrupted; every process that was started has been stopped")
}
