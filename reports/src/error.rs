//! What can go wrong with a run directory, each as one line that says where and what to do.

use std::io;
use std::path::PathBuf;

/// Why a run could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A file or directory could not be written.
    #[error("cannot write {}: {}; {}", path.display(), source, advice(source))]
    Write {
        /// What was being written.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file could not be read.
    #[error("cannot read {}: {source}; give a run directory or the run.json in one", path.display())]
    Read {
        /// What was being read.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file is not the JSON of a run.
    #[error("{} is not a run: {source}; give a run directory or the run.json in one", path.display())]
    NotARun {
        /// What was being read.
        path: PathBuf,
        /// Where the JSON differs from a run.
        source: serde_json::Error,
    },
    /// A run with numbers that cannot be meant.
    #[error("{} is not a run: {why}; give a run directory or the run.json in one", path.display())]
    Nonsense {
        /// What was being read.
        path: PathBuf,
        /// Which number.
        why: String,
    },
    /// A run of another version of the format.
    #[error(
        "{} has schema {found}, and this racetrack reads schema {}; use the version that wrote it",
        path.display(),
        crate::run::SCHEMA
    )]
    Schema {
        /// What was being read.
        path: PathBuf,
        /// The schema it names.
        found: u32,
    },
    /// A run that a format cannot hold.
    #[error("cannot export {format}: {reason}; the other files of the run do not need it")]
    Export {
        /// The exporter's name.
        format: &'static str,
        /// What does not fit.
        reason: String,
    },
}

fn advice(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free some space there, or choose another directory with --out DIR"
        }
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            "a part of that path is a file; choose another directory with --out DIR"
        }
        _ => "make it writable, or choose another directory with --out DIR",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_one_line_that_says_where_and_what_to_do() {
        let source = io::Error::from(io::ErrorKind::StorageFull);
        let line = ReportError::Write { path: "runs/a/run.json".into(), source }.to_string();
        assert_eq!(
            line,
            "cannot write runs/a/run.json: no storage space; \
             free some space there, or choose another directory with --out DIR"
        );
    }
}
