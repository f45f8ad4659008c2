//! `racetrack report`: the files of a run made again from its `run.json`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::load;
use crate::outcome::Outcome;
use crate::output::Output;

#[derive(Debug, Args)]
pub(crate) struct Report {
    /// A run directory, or the run.json in one
    run: PathBuf,
}

impl Report {
    pub(crate) fn run(&self, output: &Output) -> anyhow::Result<Outcome> {
        let run = reports::read_run(&self.run)?;
        let written = reports::write_run(&run, &output.dir("report"))?;
        output.result(&load::describe(&run, &written), || json!({ "report": written.report }));
        Ok(load::outcome(&run))
    }
}
