//! A run directory: all files of one run, written whole or not at all, and read back.
//!
//! Each file is written under a passing name and then renamed, so that a reader never meets
//! half a file. `run.json` comes first: whatever fails after it can be made again from it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::check;
use crate::error::ReportError;
use crate::export::{self, Artifact, html, json};
use crate::run::{Run, SCHEMA};

/// What [`write_run`] wrote.
#[derive(Debug)]
pub struct Written {
    /// The run directory.
    pub dir: PathBuf,
    /// Every file in it that belongs to the run, in the order in which they were written.
    pub files: Vec<PathBuf>,
    /// The report to open in a browser.
    pub report: PathBuf,
    /// Why the other files could not be written, one line each: which path, why, and what to do.
    pub unwritten: Vec<ReportError>,
}

impl Written {
    /// The same, where every file was written.
    ///
    /// # Errors
    /// Why the first of the others could not be.
    pub fn whole(mut self) -> Result<Self, ReportError> {
        if self.unwritten.is_empty() { Ok(self) } else { Err(self.unwritten.remove(0)) }
    }
}

/// Writes every format of [`export::all`] into a directory, which is made if need be. A file that
/// cannot be written takes no other away: what a full disk has no room for, a smaller one may have.
#[must_use]
pub fn write_run(run: &Run, dir: &Path) -> Written {
    let (report, dir) = (dir.join(html::FILE), dir.to_owned());
    let mut written = Written { dir, files: Vec::new(), report, unwritten: Vec::new() };
    if let Err(error) = make_directory(&written.dir) {
        written.unwritten.push(error);
        return written;
    }
    for exporter in export::all() {
        match exporter.export(run) {
            Ok(artifacts) => artifacts.iter().for_each(|artifact| written.write(artifact)),
            Err(error) => written.unwritten.push(error),
        }
    }
    written
}

impl Written {
    fn write(&mut self, artifact: &Artifact) {
        match write_artifact(&self.dir, artifact) {
            Ok(file) => self.files.push(file),
            Err(error) => self.unwritten.push(error),
        }
    }
}

/// Reads a run from its directory or from its `run.json`.
///
/// # Errors
/// When it cannot be read, is not a run, or is of another schema than [`SCHEMA`].
pub fn read_run(dir_or_file: &Path) -> Result<Run, ReportError> {
    let path = if dir_or_file.is_dir() { dir_or_file.join(json::FILE) } else { dir_or_file.into() };
    let bytes =
        fs::read(&path).map_err(|source| ReportError::Read { path: path.clone(), source })?;
    parse_run(&bytes, &path)
}

/// Reads a run from the bytes of its `run.json`, which lie at `path`.
///
/// # Errors
/// When they are not a run, one of another schema than [`SCHEMA`], or one with numbers that nobody can
/// have measured.
pub fn parse_run(bytes: &[u8], path: &Path) -> Result<Run, ReportError> {
    let not_a_run = |source| ReportError::NotARun { path: path.to_owned(), source };
    // The schema alone first: a run of another version need not have the same fields.
    let Versioned { schema } = serde_json::from_slice(bytes).map_err(not_a_run)?;
    if schema != SCHEMA {
        return Err(ReportError::Schema { path: path.to_owned(), found: schema });
    }
    let run = serde_json::from_slice(bytes).map_err(not_a_run)?;
    let value = serde_json::from_slice(bytes).map_err(not_a_run)?;
    let checked = check::check_numbers("run", &value).and_then(|()| check::check_seconds(&run));
    checked.map_err(|why| ReportError::Nonsense { path: path.to_owned(), why })?;
    Ok(run)
}

/// Finds out before a long run whether its directory can be written; makes the directory.
///
/// # Errors
/// The same line that [`write_run`] would give after the run.
pub fn check_writable(dir: &Path) -> Result<(), ReportError> {
    make_directory(dir)?;
    let name = format!(".writable-{}", std::process::id());
    let probe = write_artifact(dir, &Artifact { name, bytes: b"racetrack".to_vec() })?;
    fs::remove_file(&probe).map_err(|source| ReportError::Write { path: probe.clone(), source })
}

/// True when a run was written into this directory, whatever has become of it since.
#[must_use]
pub fn holds_run(dir: &Path) -> bool {
    dir.join(json::FILE).exists()
}

#[derive(Deserialize)]
struct Versioned {
    schema: u32,
}

fn make_directory(dir: &Path) -> Result<(), ReportError> {
    fs::create_dir_all(dir).map_err(|source| ReportError::Write { path: dir.to_owned(), source })
}

fn write_artifact(dir: &Path, artifact: &Artifact) -> Result<PathBuf, ReportError> {
    let path = dir.join(&artifact.name);
    let passing = dir.join(format!(".{}.{}.part", artifact.name, std::process::id()));
    match write_then_rename(&passing, &path, &artifact.bytes) {
        Ok(()) => Ok(path),
        Err(source) => {
            // A passing file that was never made, or cannot be removed, changes nothing.
            let _ = fs::remove_file(&passing);
            Err(ReportError::Write { path, source })
        }
    }
}

fn write_then_rename(passing: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::write(passing, bytes)?;
    fs::rename(passing, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(dir)
            .expect("the directory is there")
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_run_directory_holds_every_format_and_nothing_passing() {
        let root = tempfile::tempdir().expect("a directory for the test");
        let dir = root.path().join("made/if/need/be");
        let written =
            write_run(&crate::sample::run(2, 5, 400), &dir).whole().expect("it can be written");
        expect![[r#"
            intervals.csv
            junit.xml
            long-poll.hgrm
            long-poll.hlog
            percentiles.csv
            report.html
            run.json
            summary.csv
            websocket.hgrm
            websocket.hlog
        "#]]
        .assert_eq(
            &(names(&dir).join(
                "
",
            ) + "
"),
        );
        assert_eq!(written.files.len(), names(&dir).len());
        assert!(written.files.contains(&written.report));
    }

    #[test]
    fn a_run_read_back_is_the_run_that_was_written() {
        let root = tempfile::tempdir().expect("a directory for the test");
        let run = crate::sample::run(2, 5, 400);
        write_run(&run, root.path()).whole().expect("it can be written");
        write_run(&run, root.path()).whole().expect("and written over");
        for path in [root.path().to_owned(), root.path().join("run.json")] {
            let again = read_run(&path).expect("it can be read");
            assert_eq!(
                serde_json::to_value(&again).expect("JSON"),
                serde_json::to_value(&run).expect("JSON")
            );
        }
    }

    #[test]
    fn an_unwritable_directory_is_one_line_that_says_where_and_what_to_do() {
        let root = tempfile::tempdir().expect("a directory for the test");
        let file = root.path().join("file");
        fs::write(&file, "in the way").expect("a file in the way");
        let dir = file.join("run");
        let line = write_run(&crate::sample::run(1, 2, 50), &dir)
            .whole()
            .expect_err("a file is no directory");
        let checked = check_writable(&dir).expect_err("the same before the run");
        assert_eq!(line.to_string(), checked.to_string());
        let line = line.to_string().replace(&root.path().display().to_string(), "ROOT");
        expect![[r#"
            cannot write ROOT/file/run: Not a directory (os error 20); a part of that path is a file; choose another directory with --out DIR
        "#]].assert_eq(&(line + "
"));
    }

    #[test]
    fn file_that_cannot_be_written_takes_no_other_away() {
        let root = tempfile::tempdir().expect("a directory for the test");
        fs::create_dir(root.path().join(json::FILE)).expect("a directory in the way");
        let written = write_run(&crate::sample::run(1, 2, 50), root.path());
        assert_eq!(names(root.path()).len(), written.files.len() + 1, "nothing passing is left");
        assert!(written.files.contains(&written.report), "{written:?}");
        let why: Vec<_> = written.unwritten.iter().map(ToString::to_string).collect();
        assert!(matches!(&why[..], [why] if why.contains("run.json: Is a directory")), "{why:?}");
    }

    #[test]
    fn a_writable_directory_is_made_and_left_empty() {
        let root = tempfile::tempdir().expect("a directory for the test");
        let dir = root.path().join("new");
        check_writable(&dir).expect("it can be written");
        assert_eq!(names(&dir), Vec::<String>::new());
    }

    #[test]
    fn what_is_not_a_run_is_told_apart() {
        let root = tempfile::tempdir().expect("a directory for the test");
        let missing = read_run(root.path()).expect_err("nothing there");
        assert!(matches!(missing, ReportError::Read { .. }));
        let path = root.path().join("run.json");
        fs::write(&path, r#"{"schema": 99, "unknown": true}"#).expect("a file");
        assert!(matches!(read_run(&path), Err(ReportError::Schema { found: 99, .. })));
        fs::write(&path, r#"{"schema": 1}"#).expect("a file");
        assert!(matches!(read_run(&path), Err(ReportError::NotARun { .. })));
    }
}
