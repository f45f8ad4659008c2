//! Where a command's results go: text or one JSON object on standard output, files in a
//! directory, and everything else on standard error.

use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use anstream::{AutoStream, ColorChoice};
use anyhow::{Context, ensure};
use clap::builder::styling::{AnsiColor, Style};
use clap::{Args, ValueEnum, ValueHint};
use serde_json::{Value, json};

/// The version of every command's JSON.
const SCHEMA: u32 = 1;

#[derive(Debug, Clone, Args)]
pub(crate) struct Output {
    /// How the result is told
    #[arg(long, global = true, value_enum, default_value_t = Format::Human, display_order = 900)]
    format: Format,
    /// Where files go [default: target/racetrack/COMMAND-TIME]
    #[arg(long, global = true, value_name = "DIR", value_hint = ValueHint::DirPath,
        display_order = 901)]
    out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Text for people
    Human,
    /// One JSON object for programs
    Json,
}

impl Output {
    /// The directory that was asked for.
    pub(crate) fn out(&self) -> Option<&Path> {
        self.out.as_deref()
    }

    /// Finds out before a long run whether the directory that was asked for can be written, and
    /// makes it.
    pub(crate) fn check_out(&self) -> anyhow::Result<()> {
        Ok(self.out.as_deref().map_or(Ok(()), reports::check_writable)?)
    }

    /// The directory for the files of a command; not made yet.
    pub(crate) fn dir(&self, command: &str) -> PathBuf {
        self.out.clone().unwrap_or_else(|| {
            let time = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S.%3fZ");
            PathBuf::from(format!("target/racetrack/{command}-{time}"))
        })
    }

    /// Prints a command's result.
    pub(crate) fn result(&self, human: &str, json: impl FnOnce() -> Value) -> anyhow::Result<()> {
        print(&self.told(human, json))
    }

    /// A command's result, of which the JSON is made only where it is asked for.
    pub(crate) fn told(&self, human: &str, json: impl FnOnce() -> Value) -> String {
        if self.format == Format::Human {
            return human.to_owned();
        }
        versioned(json()).to_string()
    }

    /// Text for people that is not part of the result.
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

/// A directory that can be written; it is taken away again, if it is empty, where nothing came of it.
pub(crate) struct Claim(Option<PathBuf>);

impl Claim {
    /// Finds out before a long run whether the directory can be written, and makes it. A run that is
    /// there is not written over.
    pub(crate) fn on(dir: PathBuf) -> anyhow::Result<Self> {
        ensure!(
            !reports::holds_run(&dir),
            "{} holds an earlier run; choose another directory with --out DIR, or remove that one",
            dir.display()
        );
        let is_new = !dir.exists();
        reports::check_writable(&dir)?;
        Ok(Self(is_new.then_some(dir)))
    }

    /// Something came of it.
    pub(crate) fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let _holds_something = self.0.take().map(std::fs::remove_dir);
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

/// Writes a file of a command, whose directory is made if need be.
pub(crate) fn write(dir: &Path, name: &str, text: &str) -> anyhow::Result<PathBuf> {
    let path = dir.join(name);
    std::fs::create_dir_all(dir)
        .and_then(|()| std::fs::write(&path, text))
        .with_context(|| format!("cannot write {}; choose another place", path.display()))?;
    Ok(path)
}

/// A reader who went away (`| head`) is no error; a full disk behind `> FILE` is one.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{}", text.trim_end()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output; free some space, or redirect it")
        }
        _ => Ok(()),
    }
}

pub(crate) fn warn(text: &str) {
    let _reader_is_gone = writeln!(io::stderr().lock(), "{}", text.trim_end());
}

/// The one line of a command that did not do what it was asked for.
pub(crate) fn fail(why: &str) {
    let red = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
    let _reader_is_gone = writeln!(anstream::stderr().lock(), "{red}racetrack:{red:#} {why}");
}

/// True where what is written to standard error may be coloured.
pub(crate) fn has_colours() -> bool {
    AutoStream::choice(&io::stderr()) != ColorChoice::Never
}
