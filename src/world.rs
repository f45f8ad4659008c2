//! What a simulated world is like, as flags: for a sweep, and for the processes that prove it.

use std::time::Duration;

use anyhow::ensure;
use chat_sim::Options;
use chat_sim::fault::{self, ChatFaultKind};
use chat_sim::plan::RUN_MS_MAX;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use loadtest::Span;

/// A run that is shorter cannot come to rest.
const SIMULATED_MIN: Duration = Duration::from_secs(8);
/// A longer run could not be repeated from its plan.
const SIMULATED_MAX: Duration = Duration::from_millis(RUN_MS_MAX);
/// More people than this make a run slower than real time.
const PEOPLE_MAX: usize = 1_000;

/// How large a run is and what may go wrong in it.
#[derive(Debug, Clone, Args)]
pub(crate) struct World {
    /// People in each run
    #[arg(long, value_name = "N", default_value_t = 4)]
    people: usize,
    /// Simulated time of each run
    #[arg(long, value_name = "SPAN", default_value = "10s")]
    simulated: Span,
    /// Only this kind of fault, repeatable [default: all]
    #[arg(long = "fault", value_name = "NAME", value_parser = fault(), hide_possible_values = true,
        long_help = fault_help())]
    faults: Vec<ChatFaultKind>,
}

/// Reads a name, which can suggest the one that was meant, and complete it.
fn fault() -> impl TypedValueParser<Value = ChatFaultKind> {
    PossibleValuesParser::new(fault::names()).try_map(|name| name.parse())
}

fn fault_help() -> String {
    format!("Only this kind of fault, repeatable [default: all]: {}", fault::names().join(", "))
}

impl World {
    pub(crate) fn options(&self) -> anyhow::Result<Options> {
        ensure!(
            (2..=PEOPLE_MAX).contains(&self.people),
            "--people {}: 2 to {PEOPLE_MAX} people can be simulated",
            self.people
        );
        ensure!(
            self.simulated.0 >= SIMULATED_MIN,
            "--simulated {}: a run takes at least {}, so that it can come to rest",
            self.simulated,
            Span(SIMULATED_MIN)
        );
        ensure!(
            self.simulated.0 <= SIMULATED_MAX,
            "--simulated {}: a run takes at most {}",
            self.simulated,
            Span(SIMULATED_MAX)
        );
        let simulated_ms = self.simulated.0.as_millis() as u64;
        let faults = if self.faults.is_empty() { fault::all() } else { self.faults.clone() };
        Ok(Options { clients: self.people, simulated_ms, faults })
    }

    /// The same world as arguments of another process.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let mut arguments = vec![
            "--people".to_owned(),
            self.people.to_string(),
            "--simulated".to_owned(),
            self.simulated.to_string(),
        ];
        for fault in &self.faults {
            arguments.extend(["--fault".to_owned(), fault.to_string()]);
        }
        arguments
    }
}
