//! What is left when simulated code has reached past its seed: what it reached for, who did, and
//! what to do instead.

use std::backtrace::Backtrace;
use std::sync::Arc;

use super::callers::Callers;
use super::outside::{Outside, remedy};

/// The first call of a run that the simulation does not serve.
#[derive(Debug)]
pub(super) struct Escape {
    /// What was asked for: a function of the C library, a system call.
    way: &'static str,
    outside: Outside,
    /// The calls under way, if they could be taken down.
    calls: Option<Backtrace>,
    /// The calls under way where the thread was asked for, if it is one of tokio's pool.
    pub(super) asked_for_by: Option<Arc<Backtrace>>,
}

impl Escape {
    /// Takes down who calls; puts nothing into words yet, which needs files.
    pub(super) fn through(way: &'static str, outside: Outside) -> Self {
        Self { way, outside, calls: Some(Backtrace::force_capture()), asked_for_by: None }
    }

    /// Where the calls under way could not be taken down.
    pub(super) fn past(way: &'static str, outside: Outside) -> Self {
        Self { way, outside, calls: None, asked_for_by: None }
    }

    /// One line: what was asked for, by which function of std or tokio, by whom, and what to do
    /// instead. To be called on an ordinary thread.
    pub(super) fn describe(&self) -> String {
        let Self { way, outside, calls, asked_for_by } = self;
        let callers = calls.as_ref().map(|calls| Callers::of(&calls.to_string(), way));
        let mut callers = callers.unwrap_or_default();
        if let Some(calls) = asked_for_by.as_ref().filter(|_| !callers.names_the_user()) {
            callers = Callers::of(&calls.to_string(), way);
        }
        let remedy = remedy(*outside, &callers.functions);
        format!("simulated code reached past its seed: {way}{callers}; {remedy}")
    }
}
