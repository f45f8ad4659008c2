//! Futures of the one thread of a run.

use std::pin::Pin;

/// A future of the simulated thread.
pub type Local<T> = Pin<Box<dyn Future<Output = T>>>;
/// What a client returns; an error ends the run.
pub type ClientResult = Result<(), Box<dyn std::error::Error>>;
