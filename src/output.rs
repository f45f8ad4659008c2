//! Where a command's results go: text or one JSON object on standard output, files in a
//! directory, and everything else on standard error.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

/// The version of every command's JSON.
const SCHEMA: u32 = 1;

#[derive(Debug, Clone, Args)]
pub(crate) struct Output {
    /// Text for people, or one JSON object for programs
    #[arg(long, global = true, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Where files go [default: target/racetrack/COMMAND-TIME]
    #[arg(long, global = true, value_name = "DIR")]
    out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Human,
    Json,
}

impl Output {
    /// The directory for the files of a command; not made yet.
    pub(crate) fn dir(&self, command: &str) -> PathBuf {
        self.out.clone().unwrap_or_else(|| {
            let time = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S.%3fZ");
            PathBuf::from(format!("target/racetrack/{command}-{time}"))
        })
    }

    /// Prints a command's result, of which the JSON is made only where it is asked for.
    pub(crate) fn result(&self, human: &str, json: impl FnOnce() -> Value) {
        match self.format {
            Format::Human => print(human),
            Format::Json => {
                let mut object = json!({ "schema": SCHEMA });
                if let (Some(object), Value::Object(fields)) = (object.as_object_mut(), json()) {
                    object.extend(fields);
                }
                print(&object.to_string());
            }
        }
    }

    /// Text for people that is not part of the result.
    pub(crate) fn note(&self, text: &str) {
        match self.format {
            Format::Human => print(text),
            Format::Json => warn(text),
        }
    }
}

/// A progress bar on standard error; where that is no terminal, nothing.
pub(crate) fn progress(length: u64, what: &str) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{msg} [{bar:40}] {pos}/{len} {elapsed}")
        .expect("the template is well-formed")
        .progress_chars("=> ");
    ProgressBar::new(length).with_style(style).with_message(what.to_owned())
}

/// Writes a file of a command, whose directory is made if need be.
pub(crate) fn write(dir: &Path, name: &str, text: &str) -> anyhow::Result<PathBuf> {
    let path = dir.join(name);
    std::fs::create_dir_all(dir).and_then(|()| std::fs::write(&path, text)).with_context(|| {
        format!("cannot write {}; choose another place with --out", path.display())
    })?;
    Ok(path)
}

/// A reader who went away (`| head`) is no error.
pub(crate) fn print(text: &str) {
    let _reader_is_gone = writeln!(io::stdout().lock(), "{}", text.trim_end());
}

pub(crate) fn warn(text: &str) {
    let _reader_is_gone = writeln!(io::stderr().lock(), "{}", text.trim_end());
}
