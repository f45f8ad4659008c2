//! The command line of a model: `main` makes a program of it.
//!
//! ```no_run
//! # fn box_office(sim: &mut racetrack_sim::Sim<bool>) {}
//! fn main() -> std::process::ExitCode {
//!     racetrack_sim::cli::main(box_office)
//! }
//! ```
//!
//! Without a command the program sweeps seeds, or shows one; the commands replay, shrink and compare plans, prove that seeds
//! decide everything, and run plans over real sockets. A program that has other commands too, as `racetrack`, takes [`SweepArgs`] and
//! [`Command`] into its own command line, and runs them with a [`CommandLine`].

mod diff;
pub mod help;
mod live;
mod meta;
mod show;
mod shrink;
mod size;
mod sweep;
mod swept;

use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use reports::cli::outcome::exit_code;
use reports::cli::{Outcome, Output};

pub use diff::Diff;
pub use live::RunLive;
pub use meta::{Meta, Trace};
pub use show::Replay;
pub use shrink::Shrink;
pub use size::RunSize;
pub use sweep::SweepArgs;
pub use swept::Swept;

use crate::error::Error;
use crate::fault::FaultType;
use crate::model::Model;
use crate::options::Options;
use crate::plan::Plan;
use crate::service::IntoModel;
use crate::sweep::drawn;

/// Where a test keeps plans, as `explore(..).regressions(..)` is usually told.
const REGRESSIONS: &str = "tests/regressions/";

/// A model, and how its commands are typed.
#[derive(Debug, Clone)]
pub struct CommandLine<M: Model> {
    /// The model.
    pub model: M,
    /// What a user types before a command, for instance `racetrack sim`.
    pub typed: String,
    /// What this program takes before a command when it starts itself, for instance `sim`.
    pub leading: &'static [&'static str],
    /// The folder of plans that are replayed for ever, as a user types it.
    pub regressions: &'static str,
}

/// What can be done with seeds and plans beside a sweep.
#[derive(Debug, Subcommand)]
pub enum Command<F: FaultType> {
    /// Run each seed in two processes and compare their traces
    #[command(after_long_help = help::META)]
    Meta(Meta<F>),
    /// Run the plan in a file once more
    #[command(after_long_help = help::REPLAY)]
    Replay(Replay),
    /// Find the smallest plan that fails like this one
    #[command(after_long_help = help::SHRINK)]
    Shrink(Shrink<F>),
    /// Run two plans and name the first event at which they diverge
    #[command(after_long_help = help::DIFF)]
    Diff(Diff<F>),
    /// Run the same plans against real servers over loopback
    #[command(alias = "twin", after_long_help = help::LIVE)]
    Live(RunLive<F>),
    /// Print each seed's trace, for `meta`
    #[command(hide = true)]
    Trace(Trace<F>),
}

/// The program that [`main`] is.
#[derive(Debug, Parser)]
#[command(args_conflicts_with_subcommands = true, max_term_width = 100, after_long_help = help::SWEEP)]
struct Program<F: FaultType> {
    #[command(flatten)]
    output: Output,
    #[command(subcommand)]
    command: Option<Command<F>>,
    #[command(flatten)]
    sweep: SweepArgs<F>,
}

impl<M: Model> CommandLine<M> {
    /// The plan of a seed, checked: what a function declares is wrong for every seed or for none.
    fn generate(&self, seed: u64, options: &Options<M::Fault>) -> Result<Plan<M>, Error> {
        drawn(&self.model, seed, options)
    }

    /// Runs a command, or without one the sweep.
    ///
    /// # Errors
    ///
    /// Wrong usage or environment, in words for the user.
    pub fn run(
        &self,
        command: Option<&Command<M::Fault>>,
        sweep: &SweepArgs<M::Fault>,
        output: &Output,
    ) -> anyhow::Result<Outcome> {
        match command {
            Some(Command::Meta(meta)) => meta.run(self, output),
            Some(Command::Trace(trace)) => trace.run(self),
            Some(Command::Replay(replay)) => replay.run(self, output),
            Some(Command::Shrink(shrink)) => shrink.run(self, output),
            Some(Command::Diff(diff)) => diff.run(self, output),
            Some(Command::Live(live)) => live.run(self, output),
            None => sweep.run(self, output),
        }
    }
}

/// The command line of a model, as the whole of a program.
///
/// Exit code 0: done, every invariant held; 1: one was broken; 2: wrong usage or environment.
pub fn main<K, I: IntoModel<K>>(model: I) -> ExitCode {
    let model = model.into_model();
    let words: Vec<_> = std::env::args().collect();
    let program = program(&words, model.name()).to_owned();
    exit_code(&program, run(model, &words))
}

/// The name of this program, without its folder.
fn program<'a>(words: &'a [String], otherwise: &'a str) -> &'a str {
    let file = words.first().and_then(|word| Path::new(word).file_name()?.to_str());
    file.unwrap_or(otherwise)
}

fn run<M: Model>(model: M, words: &[String]) -> anyhow::Result<Outcome> {
    let name = program(words, model.name());
    let about = format!("Simulate {}, one run a seed", model.name());
    let command = help::typed(Program::<M::Fault>::command().about(about), name);
    let matches = command.get_matches_from(words);
    let Program { output, command, sweep } =
        Program::<M::Fault>::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let typed = words.first().cloned().unwrap_or_else(|| name.to_owned());
    let cli = CommandLine { model, typed, leading: &[], regressions: REGRESSIONS };
    cli.run(command.as_ref(), &sweep, &output)
}

#[cfg(test)]
mod tests;
