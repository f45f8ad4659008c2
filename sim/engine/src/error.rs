//! Why a run, an exploration or a proof did not succeed.

use crate::plan::PlanError;

/// Why a run, an exploration or a proof did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No run can be made of the plan.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A run broke an invariant; the text is the transcript with the evidence.
    #[error("{0}")]
    Failed(String),
    /// A fault touched nothing, so it has tested nothing.
    #[error("{kind} touched nothing: {hint}\n{transcript}")]
    WithoutEffect {
        /// The kind of fault.
        kind: String,
        /// What to do.
        hint: &'static str,
        /// The run.
        transcript: String,
    },
    /// A file of the regressions folder cannot be used; one line with its path and the remedy.
    #[error("{path}: {why}")]
    Regression {
        /// The file or folder.
        path: String,
        /// What is wrong and what to do.
        why: String,
    },
    /// A server of a live run cannot be started.
    #[error("a live run cannot start: {0}")]
    Live(std::io::Error),
    /// Two runs of one seed differ.
    #[error("seed {seed} is not deterministic: {what}")]
    Diverged {
        /// The seed.
        seed: u64,
        /// Where the traces differ.
        what: String,
    },
    /// The environment or the call asks for something that cannot be done; one line.
    #[error("{0}")]
    Invalid(String),
}
