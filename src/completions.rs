//! `racetrack completions SHELL`: the script that lets a shell complete this command line.

use anyhow::Context;
use clap::{Args, Command};
use clap_complete::Shell;
use serde_json::json;

use reports::cli::outcome::Outcome;
use reports::cli::output::Output;

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell that is to complete
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    /// Prints the script for `command`, the whole command line.
    pub(crate) fn run(&self, mut command: Command, output: &Output) -> anyhow::Result<Outcome> {
        let mut script = Vec::new();
        let name = command.get_name().to_owned();
        clap_complete::generate(self.shell, &mut command, name, &mut script);
        let script = String::from_utf8(script).context("the script is not UTF-8")?;
        let json = || json!({ "shell": self.shell.to_string(), "script": script });
        output.result(&script, json)?;
        Ok(Outcome::Good)
    }
}
