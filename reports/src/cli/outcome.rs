//! How a command ended, as scripts see it.

use std::process::ExitCode;

use super::output;

/// The exit code of wrong usage or environment, for commands that did not run at all.
pub const USAGE: u8 = 2;

/// How a command that ran came out; the worse, the later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Done and good.
    Good,
    /// Measured, but the figures must not be trusted.
    Invalid,
    /// Done and not good: a failing seed, a lost message.
    Bad,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(match outcome {
            Outcome::Good => 0,
            Outcome::Bad => 1,
            Outcome::Invalid => 3,
        })
    }
}

/// How a program ends with this result; an error becomes its one line.
#[must_use]
pub fn exit_code(program: &str, result: anyhow::Result<Outcome>) -> ExitCode {
    match result {
        Ok(outcome) => outcome.into(),
        Err(error) => {
            output::fail(program, &output::in_one_line(&error));
            USAGE.into()
        }
    }
}
