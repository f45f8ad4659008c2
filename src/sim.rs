//! `racetrack sim`: the engine's command line, for the chat; and `init`, for other services.

use chat_sim::Chat;
use chat_sim::fault::ChatFault;
use clap::{Args, Subcommand};
use racetrack_sim::cli::{Command, CommandLine, SweepArgs};
use reports::cli::{Outcome, Output};

use crate::help;
use crate::init::Init;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Sim {
    #[command(subcommand)]
    command: Option<SimCommand>,
    #[command(flatten)]
    sweep: SweepArgs<ChatFault>,
}

#[derive(Debug, Subcommand)]
enum SimCommand {
    /// Give a crate of yours what it needs to simulate its service, and a first test
    #[command(after_long_help = help::INIT)]
    Init(Init),
    #[command(flatten)]
    Chat(Command<ChatFault>),
}

impl Sim {
    pub(crate) fn run(&self, output: &Output) -> anyhow::Result<Outcome> {
        match &self.command {
            Some(SimCommand::Init(init)) => init.run(output),
            Some(SimCommand::Chat(command)) => commands().run(Some(command), &self.sweep, output),
            None => commands().run(None, &self.sweep, output),
        }
    }
}

/// The chat's commands, as this program has them.
pub(crate) fn commands() -> CommandLine<Chat> {
    CommandLine {
        model: Chat,
        typed: "racetrack sim".to_owned(),
        leading: &["sim"],
        regressions: "tests/it/regressions/",
    }
}
