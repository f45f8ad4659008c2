//! Tests of the checkers: histories that must fail, fail, and for the right reason.
//!
//! `script` writes histories down in a few lines, `histories` has one for each kind of violation
//! that a checker can report, `mutations` spoils the histories of real runs.

mod histories;
mod mutations;
mod script;
