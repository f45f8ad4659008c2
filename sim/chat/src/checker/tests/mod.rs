//! Tests of the checkers: histories that must fail, fail, and for the right reason.
//!
//! `script` writes histories down in a few lines, `histories`, `messages` and `waits` have one for each
//! kind of violation that a checker can report, `logs` those of one mailbox, `endings` those of checkers that ask
//! the plan, `refusals` those of what may be said, `mutations` spoils the histories of real runs.

mod admissions;
mod endings;
mod histories;
mod logs;
mod messages;
mod mutations;
mod openings;
mod refusals;
mod script;
mod waits;
