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

/// Where a command's result goes, as flags.
#[derive(Debug, Clone, Args)]
pub struct Output {
    /// Output format
    #[arg(long, global = true, value_enum, default_value_t = Format::Human, display_order = 900)]
    format: Format,
    /// Where files go [default: target/racetrack/COMMAND-TIME]
    #[arg(long, global = true, value_name = "DIR", value_hint = ValueHint::DirPath,
        display_order = 901)]
    out: Option<PathBuf>,
}

/// Output format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Human-readable text
    Human,
    /// One JSON object
    Json,
}

impl Output {
    /// The directory that was asked for.
    #[must_use]
    pub fn out(&self) -> Option<&Path> {
        self.out.as_deref()
    }

    /// Finds out before a long run whether the directory that was asked for can be written, and
    /// makes it.
    ///
    /// # Errors
    ///
    /// The directory cannot be made or written.
    pub fn check_out(&self) -> anyhow::Result<()> {
        Ok(self.out.as_deref().map_or(Ok(()), crate::check_writable)?)
    }

    /// The directory for the files of a command; not made yet.
    #[must_use]
    pub fn dir(&self, command: &str) -> PathBuf {
        self.out.clone().unwrap_or_else(|| {
            let time = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S.%3fZ");
            PathBuf::from(format!("target/racetrack/{command}-{time}"))
        })
    }

    /// Prints a command's result.
    ///
    /// # Errors
    ///
    /// Standard output cannot be written.
    pub fn result(&self, human: &str, json: impl FnOnce() -> Value) -> anyhow::Result<()> {
        self.format.result(human, json)
    }

    /// A command's result, of which the JSON is made only where it is asked for.
    #[must_use]
    pub fn told(&self, human: &str, json: impl FnOnce() -> Value) -> String {
        self.format.told(human, json)
    }

    /// Text for people that is not part of the result.
    ///
    /// # Errors
    ///
    /// Standard output cannot be written.
    pub fn note(&self, text: &str) -> anyhow::Result<()> {
        self.format.note(text)
    }
}

impl Format {
    /// Prints a command's result.
    ///
    /// # Errors
    ///
    /// Standard output cannot be written.
    pub fn result(self, human: &str, json: impl FnOnce() -> Value) -> anyhow::Result<()> {
        print(&self.told(human, json))
    }

    /// A command's result, of which the JSON is made only where it is asked for.
    #[must_use]
    pub fn told(self, human: &str, json: impl FnOnce() -> Value) -> String {
        if self == Self::Human {
            return human.to_owned();
        }
        versioned(json()).to_string()
    }

    /// Text for people that is not part of the result.
    ///
    /// # Errors
    ///
    /// Standard output cannot be written.
    pub fn note(self, text: &str) -> anyhow::Result<()> {
        match self {
            Self::Human => print(text),
            Self::Json => {
                warn(text);
                Ok(())
            }
        }
    }
}

/// A directory that can be written; it is taken away again, if it is empty, where nothing came of it.
pub struct Claim(Option<PathBuf>);

impl Claim {
    /// Finds out before a long run whether the directory can be written, and makes it. A run that is
    /// there is not written over.
    ///
    /// # Errors
    ///
    /// The directory holds a run, or cannot be written.
    pub fn on(dir: PathBuf) -> anyhow::Result<Self> {
        ensure!(
            !crate::holds_run(&dir),
            "{} holds an earlier run; choose another directory with --out DIR, or remove that one",
            dir.display()
        );
        let is_new = !dir.exists();
        crate::check_writable(&dir)?;
        Ok(Self(is_new.then_some(dir)))
    }

    /// Something came of it.
    pub fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let _holds_something = self.0.take().map(std::fs::remove_dir);
    }
}

/// The fields of a result behind the version of all of them.
#[must_use]
pub fn versioned(fields: Value) -> Value {
    let mut object = json!({ "schema": SCHEMA });
    if let (Some(object), Value::Object(fields)) = (object.as_object_mut(), fields) {
        object.extend(fields);
    }
    object
}

/// Writes a file of a command, whose directory is made if need be.
///
/// # Errors
///
/// The file cannot be written.
pub fn write(dir: &Path, name: &str, text: &str) -> anyhow::Result<PathBuf> {
    let path = dir.join(name);
    std::fs::create_dir_all(dir)
        .and_then(|()| std::fs::write(&path, text))
        .with_context(|| format!("cannot write {}; choose another place", path.display()))?;
    Ok(path)
}

/// Prints a text, and a line's end.
///
/// # Errors
///
/// A full disk; a reader who went away (`| head`) is no error.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{}", text.trim_end()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output; free some space, or redirect it")
        }
        _ => Ok(()),
    }
}

/// A line for people, on standard error.
pub fn warn(text: &str) {
    let _reader_is_gone = writeln!(io::stderr().lock(), "{}", text.trim_end());
}

/// The one line of a program that did not do what it was asked for.
pub fn fail(program: &str, why: &str) {
    let red = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
    let _reader_is_gone = writeln!(anstream::stderr().lock(), "{red}{program}:{red:#} {why}");
}

/// An error and its causes, without those that it tells itself. A name out of a file may hold
/// anything, so what a terminal would obey is shown instead.
#[must_use]
pub fn in_one_line(error: &anyhow::Error) -> String {
    let told = error.chain().map(ToString::to_string).fold(String::new(), |line, cause| match line
        .as_str()
    {
        "" => cause,
        told if told.contains(&cause) => line,
        told => format!("{told}: {cause}"),
    });
    let mut line = String::with_capacity(told.len());
    for letter in told.chars() {
        if letter.is_control() {
            line.extend(letter.escape_default());
        } else {
            line.push(letter);
        }
    }
    line
}

/// True where what is written to standard error may be coloured.
#[must_use]
pub fn has_colours() -> bool {
    AutoStream::choice(&io::stderr()) != ColorChoice::Never
}
