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

/// A format that a run can be written in.
pub trait Exporter {
    /// The format's name, for messages.
    fn name(&self) -> &'static str;

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
    fn a_transports_name_cannot_leave_the_directory() {
        assert_eq!(file_stem("socketio-websocket"), "socketio-websocket");
        assert_eq!(file_stem("../etc/pass wd"), "___etc_pass_wd");
    }
}
