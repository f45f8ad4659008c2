//! How commands tell their results, for every program that has some: flags, exit codes, and how far a command is.

pub mod bar;
pub mod outcome;
pub mod output;

pub use outcome::Outcome;
pub use output::Output;
