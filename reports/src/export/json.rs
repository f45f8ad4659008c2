//! `run.json`: the run itself, the file from which all others can be made again.

use crate::error::ReportError;
use crate::export::{Artifact, Exporter, File};
use crate::run::Run;

/// The file's name in a run directory.
pub const FILE: &str = "run.json";

/// The exporter.
#[derive(Debug, Clone, Copy)]
pub struct Json;

impl Exporter for Json {
    fn name(&self) -> &'static str {
        "json"
    }

    fn files(&self, _: &Run) -> Vec<File> {
        vec![File::new(FILE, "everything that was measured; all other files can be made from it")]
    }

    fn export(&self, run: &Run) -> Result<Vec<Artifact>, ReportError> {
        let bytes = serde_json::to_vec(run).map_err(|error| ReportError::Export {
            format: self.name(),
            reason: error.to_string(),
        })?;
        Ok(vec![Artifact { name: FILE.to_owned(), bytes }])
    }
}
