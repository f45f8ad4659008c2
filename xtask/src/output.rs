//! Where a command's results go: text or one JSON object on standard output, files in a directory, and
//! everything else on standard error.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, ValueEnum, ValueHint};
use serde_json::{Value, json};

/// The version of every command's JSON.
const SCHEMA: u32 = 1;

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

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Human-readable text
    Human,
    /// One JSON object
    Json,
}

/// How a command that ran to its end came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Everything that should be found was found.
    Good,
    /// Something was not.
    Bad,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Good => Self::SUCCESS,
            Outcome::Bad => Self::FAILURE,
        }
    }
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
        match self.format {
            Format::Human => print(human),
            Format::Json => print(&versioned(json()).to_string()),
        }
    }

    /// Prints text that is not part of the JSON result.
    pub(crate) fn note(&self, text: &str) -> anyhow::Result<()> {
        match self.format {
            Format::Human => print(text),
            Format::Json => {
                warn(text);
                Ok(())
            }
        }
    }
}

/// The fields of a result behind the version of all of them.
pub(crate) fn versioned(fields: Value) -> Value {
    let mut object = json!({ "schema": SCHEMA });
    if let (Some(object), Value::Object(fields)) = (object.as_object_mut(), fields) {
        object.extend(fields);
    }
    object
}

/// Writes a file of a command.
pub(crate) fn write(dir: &Path, name: &str, text: &str) -> anyhow::Result<()> {
    let path = dir.join(name);
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// Prints to standard output. A reader that closed the pipe is no error; a full disk is one.
fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{}", text.trim_end()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        _ => Ok(()),
    }
}

/// Prints a line to standard error.
pub(crate) fn warn(text: &str) {
    let _reader_is_gone = writeln!(io::stderr().lock(), "{}", text.trim_end());
}
