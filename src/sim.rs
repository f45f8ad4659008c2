//! `racetrack sim`: the engine's command line, for the chat.

use chat_sim::Chat;
use chat_sim::fault::ChatFault;
use clap::Args;
use racetrack_sim::cli::{Command, CommandLine, SweepArgs};
use reports::cli::{Outcome, Output};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Sim {
    #[command(subcommand)]
    command: Option<Command<ChatFault>>,
    #[command(flatten)]
    sweep: SweepArgs<ChatFault>,
}

impl Sim {
    pub(crate) fn run(&self, output: &Output) -> anyhow::Result<Outcome> {
        commands().run(self.command.as_ref(), &self.sweep, output)
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
