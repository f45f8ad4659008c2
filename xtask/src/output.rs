//! Where a developer's command puts its results; how they are printed is that of every program of ours.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, ValueHint};
use reports::cli::output::Format;
use serde_json::Value;

#[derive(Debug, Clone, Args)]
pub(crate) struct Output {
    /// Output format
    #[arg(long, global = true, value_enum, default_value_t = Format::Human, display_order = 900)]
    format: Format,
    /// Directory for plans and pictures [default: target/xtask/COMMAND-TIME]
    #[arg(long, global = true, value_name = "DIR", value_hint = ValueHint::DirPath,
        display_order = 901)]
    out: Option<PathBuf>,
}

impl Output {
    /// Makes the directory for the files of a command and returns its absolute path.
    pub(crate) fn dir(&self, command: &str) -> anyhow::Result<PathBuf> {
        let dir = match &self.out {
            Some(out) => std::path::absolute(out).context("--out is no path")?,
            None => {
                let time = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S.%3fZ");
                xtask::root().join("target").join("xtask").join(format!("{command}-{time}"))
            }
        };
        fs::create_dir_all(&dir).with_context(|| format!("cannot write to {}", dir.display()))?;
        Ok(dir)
    }

    /// Prints a command's result.
    pub(crate) fn result(&self, human: &str, json: impl FnOnce() -> Value) -> anyhow::Result<()> {
        self.format.result(human, json)
    }

    /// Prints text that is not part of the JSON result.
    pub(crate) fn note(&self, text: &str) -> anyhow::Result<()> {
        self.format.note(text)
    }
}
