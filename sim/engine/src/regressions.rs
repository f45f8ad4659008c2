//! A folder of plans that once failed: written when an exploration fails, replayed first by every later one.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::Error;
use crate::log::{log, tail};
use crate::model::Model;
use crate::plan::{Plan, PlanError};
use crate::run;
use crate::transcript::brief;

/// A folder of plans.
#[derive(Debug, Clone)]
pub(crate) struct Regressions(PathBuf);

#[derive(Deserialize)]
struct Head {
    model: String,
}

impl Regressions {
    /// The folder; a relative one lies in the package whose test runs.
    pub(crate) fn at(folder: &Path) -> Self {
        let package = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        Self(package.unwrap_or_default().join(folder))
    }

    /// Replays every plan of the model; returns how many.
    pub(crate) fn replay<M: Model>(&self, model: &M) -> Result<usize, Error> {
        let mut count = 0;
        for file in self.files()? {
            let text = fs::read_to_string(&file).map_err(|error| refused(&file, &error))?;
            let Some(plan) = read(model, &text).map_err(|error| unusable(&file, &error))? else {
                continue;
            };
            let report = run(model, &plan, false);
            if !report.passed() {
                let (shown, logged) = (brief(model, &report), tail(&log(model, &plan)?));
                let again = format!("{} fails again\n{shown}{logged}", file.display());
                return Err(Error::Failed(again));
            }
            count += 1;
        }
        Ok(count)
    }

    /// Keeps a failing plan, and beside it what its run logged, if anything; returns the plan's file.
    pub(crate) fn keep<M: Model>(
        &self,
        stem: &str,
        plan: &Plan<M>,
        log: &str,
    ) -> Result<PathBuf, Error> {
        let (file, log_file) =
            (self.0.join(format!("{stem}.json")), self.0.join(format!("{stem}.log")));
        fs::create_dir_all(&self.0).map_err(|error| refused(&self.0, &error))?;
        fs::write(&file, plan.to_json()).map_err(|error| refused(&file, &error))?;
        if !log.is_empty() {
            fs::write(&log_file, log).map_err(|error| refused(&log_file, &error))?;
        }
        Ok(file)
    }

    /// The plan files, by name; none where the folder does not exist yet.
    fn files(&self) -> Result<Vec<PathBuf>, Error> {
        if !self.0.exists() {
            return Ok(Vec::new());
        }
        let entries = fs::read_dir(&self.0).map_err(|error| refused(&self.0, &error))?;
        let mut files = Vec::new();
        for entry in entries {
            let path = entry.map_err(|error| refused(&self.0, &error))?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                files.push(path);
            }
        }
        files.sort_unstable();
        Ok(files)
    }
}

/// The plan, unless it is for another model: one folder may serve several tests.
fn read<M: Model>(model: &M, text: &str) -> Result<Option<Plan<M>>, PlanError> {
    let head: Head = serde_json::from_str(text).map_err(PlanError::NotAPlan)?;
    if head.model != model.name() {
        return Ok(None);
    }
    Plan::from_json(model, text).map(Some)
}

fn refused(path: &Path, error: &std::io::Error) -> Error {
    Error::Regression { path: path.display().to_string(), why: error.to_string() }
}

fn unusable(path: &Path, error: &PlanError) -> Error {
    let why = format!("{error}; correct the file, or remove it if its failure cannot come back");
    Error::Regression { path: path.display().to_string(), why }
}
