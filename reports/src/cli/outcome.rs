//! How a command ended, as scripts see it.

use std::process::ExitCode;

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
