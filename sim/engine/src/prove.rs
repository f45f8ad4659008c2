//! Proves that a model's runs are functions of their seeds: each seed runs twice, and the traces must be equal.
//!
//! Runs of one process share what the process shares, for instance counters in libraries. Running the test in two processes with
//! the hashes that [`Proof::run`] returns compared finds what differs between them.

use std::ops::Range;

use crate::determinism::{TraceReport, uncontrolled};
use crate::error::Error;
use crate::model::Model;
use crate::run;
use crate::service::IntoModel;

/// A proof under construction.
#[derive(Debug, Clone)]
#[must_use = "a proof does nothing until it runs"]
pub struct Proof<M: Model> {
    model: M,
    seeds: Range<u64>,
}

/// Runs the seeds 0 to 9 twice each, unless told otherwise.
pub fn prove<K, I: IntoModel<K>>(model: I) -> Proof<I::Model> {
    Proof { model: model.into_model(), seeds: 0..10 }
}

impl<M: Model> Proof<M> {
    /// The seeds.
    pub fn seeds(mut self, seeds: Range<u64>) -> Self {
        self.seeds = seeds;
        self
    }

    /// Runs every seed twice.
    ///
    /// # Panics
    ///
    /// With the seed and the first entry at which the two traces differ.
    #[track_caller]
    pub fn run(self) -> Vec<u64> {
        self.try_run().unwrap_or_else(|error| panic!("{error}"))
    }

    /// As [`run`](Self::run), without the panic; returns the trace hash of each seed.
    ///
    /// # Errors
    ///
    /// [`Error::Diverged`] for the first seed whose traces differ.
    pub fn try_run(self) -> Result<Vec<u64>, Error> {
        let options = self.model.usual_options();
        let trace = |seed| {
            let plan = self.model.generate(seed, &options);
            run(&self.model, &plan, true).trace
        };
        self.seeds.clone().map(|seed| compare(seed, &trace(seed), &trace(seed))).collect()
    }
}

fn compare(seed: u64, first: &TraceReport, second: &TraceReport) -> Result<u64, Error> {
    if let Some(escape) = first.escape.as_ref().or(second.escape.as_ref()) {
        return Err(Error::Diverged { seed, what: escape.clone() });
    }
    let Some(divergence) = first.first_divergence(second) else { return Ok(first.hash) };
    let entry = divergence.ours.or(divergence.theirs);
    let cause = uncontrolled().map(|what| format!("; {what}")).unwrap_or_default();
    let what = entry.map_or_else(String::new, |entry| {
        let (kind, at_us) = (entry.kind, entry.at_us);
        format!(
            "two runs differ from entry {} of the trace on, a {kind:?} at {at_us} us: something that the seed does not decide, \
             as the order of a hash map that is shared by runs, decided it{cause}",
            divergence.index
        )
    });
    Err(Error::Diverged { seed, what })
}
