//! The command line: serve, simulate, load, report; without a command, the tour of them all.
//!
//! Every command ends with an exit code that scripts can trust: 0 done and good, 1 done and not
//! good, 2 wrong usage or environment, 3 measured but not valid.

mod checkout;
mod completions;
mod environment;
mod help;
mod init;
mod load;
mod man;
mod progress;
mod prometheus;
mod report;
mod search;
mod selftest;
mod sim;
mod tour;

#[cfg(test)]
#[path = "../tests/it/schema.rs"]
mod schema;

use std::path::Path;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue};
use clap::{CommandFactory, Parser, Subcommand};

use serde_json::json;
use server::News;

use reports::cli::outcome::{Outcome, USAGE, exit_code};
use reports::cli::output::{self, Output};

/// How this program calls itself.
const PROGRAM: &str = "racetrack";
/// The version and, in a checkout, the commit that this program was built from.
const VERSION: &str = commit::version!();
/// The profile that this program was built with: what a figure of speed depends on.
const PROFILE: &str = commit::profile!();

/// Simulate a real-time server deterministically, load it with real clients, compare transports.
///
/// Without a command: the tour, which simulates, loads and reports in about two minutes.
#[derive(Parser)]
#[command(
    name = "racetrack",
    version = VERSION,
    max_term_width = 100,
    after_help = help::EXIT,
    after_long_help = help::ALL
)]
struct Cli {
    #[command(flatten)]
    output: Output,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Simulate, load and report, with the defaults of each
    #[command(after_long_help = help::TOUR)]
    Tour(tour::Tour),
    /// Run the production server until SIGINT or SIGTERM
    #[command(after_long_help = help::SERVE)]
    Serve(Box<server::Serve>),
    /// Run the server and its clients inside a simulated network, one world a seed
    #[command(after_long_help = help::SIM)]
    Sim(sim::Sim),
    /// Put thousands of real clients on the server and measure latency from intended time
    #[command(after_long_help = help::LOAD)]
    Load(load::Load),
    /// Make the report of a run directory again
    #[command(after_long_help = help::REPORT)]
    Report(report::Report),
    /// Print the script that lets a shell complete these commands
    #[command(after_long_help = help::COMPLETIONS)]
    Completions(completions::Completions),
    /// Print the manual page, or write those of all commands into a directory
    #[command(after_long_help = help::MAN)]
    Man(man::WriteMan),
}

fn main() -> ExitCode {
    let Cli { output, command } = Cli::try_parse().unwrap_or_else(|error| refuse(&error));
    let outcome = match command.unwrap_or_else(|| Command::Tour(tour::Tour::default())) {
        Command::Tour(tour) => tour.run(&output),
        Command::Serve(options) => serve(&options, &output),
        Command::Sim(sim) => sim.run(&output),
        Command::Load(load) => load.run(&output),
        Command::Report(report) => report.run(&output),
        Command::Completions(completions) => completions.run(Cli::command(), &output),
        Command::Man(man) => man.run(Cli::command(), &output),
    };
    exit_code(PROGRAM, outcome)
}

/// Ends the program with what is wrong with its words; where a file stands in the place of a command,
/// with the command that takes it.
fn refuse(error: &clap::Error) -> ! {
    let words = [ContextKind::InvalidSubcommand, ContextKind::InvalidArg];
    let named = words.iter().find_map(|kind| match error.get(*kind)? {
        ContextValue::String(word) => Some(word.as_str()),
        _ => None,
    });
    let Some(file) = named.filter(|word| Path::new(word).is_file()) else { error.exit() };
    output::fail(
        PROGRAM,
        &format!("{file} is a file, and no command; `racetrack sim replay {file}` runs a plan"),
    );
    std::process::exit(USAGE.into())
}

fn serve(options: &server::Serve, output: &Output) -> anyhow::Result<Outcome> {
    server::run_telling(options, VERSION, |news| match news {
        News::Listening(address) => {
            let url = format!("http://{address}");
            output.told(&format!("listening on {url}"), || json!({ "listening": url }))
        }
        News::Checked(config) => {
            output.told(config.to_toml().trim_end(), || json!({ "configuration": config }))
        }
    })?;
    Ok(Outcome::Good)
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    // The load suite's pacer is woken by a timer of the runtime's poll. It is looked at after every
    // eighth task, and not every 61st, so that a burst of people who are woken delays it less: the
    // send lag's p99 falls by a third where the generator has one core.
    Ok(builder.event_interval(8).enable_all().build()?)
}
