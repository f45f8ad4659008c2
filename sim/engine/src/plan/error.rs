//! Why a text is no plan that can be run.

/// Why a text is no plan that can be run; each is one line.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// It is no JSON, or has fields, actions or faults that the model does not know.
    #[error("this is not a plan: {0}")]
    NotAPlan(#[source] serde_json::Error),
    /// It has a version that neither the engine nor the model reads.
    #[error("the plan has version {0}, this program reads version {version}", version = super::VERSION)]
    OtherVersion(u32),
    /// It is for another model.
    #[error("the plan is for the model {found:?}, this program runs {known:?}")]
    OtherModel {
        /// The plan's model.
        found: String,
        /// The model of the program.
        known: String,
    },
    /// It contradicts itself, or names what does not exist.
    #[error("{0}")]
    Invalid(String),
}
