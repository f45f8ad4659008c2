//! One exporter a file format. An exporter turns a [`Run`] into named bytes and touches no disk;
//! [`crate::directory`] writes them.

use crate::error::ReportError;
use crate::run::Run;

pub mod csv;
pub mod hgrm;
pub mod hlog;
pub mod html;
pub mod json;
pub mod junit;

/// One file to be, in the run directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// Its name, without a directory.
    pub name: String,
    /// All of it.
    pub bytes: Vec<u8>,
}

/// A file of a run directory, and what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its name, without a directory.
    pub name: String,
    /// What is in it, in a few words.
    pub what: &'static str,
}

impl File {
    fn new(name: impl Into<String>, what: &'static str) -> Self {
        Self { name: name.into(), what }
    }
}

/// A format that a run can be written in.
pub trait Exporter {
    /// The format's name, for messages.
    fn name(&self) -> &'static str;

    /// The files that [`Self::export`] gives, in its order, without making them.
    fn files(&self, run: &Run) -> Vec<File>;

    /// The files of the run in this format.
    ///
    /// # Errors
    /// When the run holds what the format cannot.
    fn export(&self, run: &Run) -> Result<Vec<Artifact>, ReportError>;
}

/// Every format, in the order in which they are written: `run.json` first, because all others
/// can be made from it.
#[must_use]
pub fn all() -> [&'static dyn Exporter; 6] {
    [&json::Json, &html::Html, &csv::Csv, &hlog::Hlog, &hgrm::Hgrm, &junit::Junit]
}

/// A transport's name as the stem of a file name: no separator, no space.
fn file_stem(transport: &str) -> String {
    let safe = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
    transport.chars().map(|letter| if safe(letter) { letter } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exporter_lists_the_files_that_it_makes() {
        let mut run = crate::sample::run(2, 5, 400);
        for step in 0..3 {
            match step {
                0 => {}
                1 => run.knees = crate::sample::knees(),
                _ => run.series[0].rounds = vec![run.series[0].latency_us.clone()],
            }
            for exporter in all() {
                let made = exporter.export(&run).expect("a run fits").into_iter().map(|it| it.name);
                let listed = exporter.files(&run).into_iter().map(|it| it.name);
                assert!(made.eq(listed), "{}", exporter.name());
            }
        }
    }

    #[test]
    fn a_transports_name_cannot_leave_the_directory() {
        assert_eq!(file_stem("socketio-websocket"), "socketio-websocket");
        assert_eq!(file_stem("../etc/pass wd"), "___etc_pass_wd");
    }
}
