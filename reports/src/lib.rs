//! What a run was, what it means, and what it looks like.
//!
//! `loadtest` and `sim` fill in a [`Run`]; nobody but this crate knows how one is shown. It
//! measures nothing, opens no socket and prints nothing: it turns numbers into files and text.
//!
//! The modules, in reading order:
//!
//! - [`run`]: the Run format itself, histograms and counts; [`part`]: what one of several
//!   generators knows; [`invalid`]: why figures must not be trusted; `check`: what nobody can have
//!   measured.
//! - [`counts`]: counts by value.
//! - [`quantile`]: percentiles of a histogram, and when there are too few samples for one.
//! - [`missing`]: the same of messages of which some never arrived.
//! - [`summary`]: one transport as one row; the shape of the JSON that the command line prints.
//! - [`slo`]: objectives, and whether the run kept them.
//! - [`mod@verdict`]: the whole run in one honest sentence.
//! - `headline`: what was measured, in a line.
//! - `beside`: one server beside another under the same load, as a sentence.
//! - [`compare`]: one run beside another, with what chance alone would do (`confidence`, which takes
//!   the wider of two intervals, and `bootstrap`).
//! - [`mod@merge`]: the runs of several generators as one.
//! - [`rounds`]: several measurements of the same, as one.
//! - [`knee`]: how much a transport carries within a bound.
//! - [`units`]: `1.2 ms`, `3.4 KiB`, `12,000`.
//! - [`sequence`]: a run of a simulation as a picture of who told whom what.
//! - [`text`]: the comparison as a table for a terminal.
//! - `page`: what all pages have in common.
//! - [`chart`]: SVG pictures.
//! - [`export`]: one exporter a file format.
//! - [`directory`]: a run directory, written and read.
//! - [`error`]: what can go wrong, and what to do about it.

// The sample run is shared with `examples/`, which knows this crate by its name.
#[cfg(test)]
extern crate self as reports;

mod check;
pub mod invalid;
pub mod part;
pub mod run;

mod beside;
mod bootstrap;
mod coarse;
pub mod compare;
mod confidence;
pub mod counts;
mod figure;
mod headline;
pub mod knee;
pub mod merge;
pub mod missing;
pub mod quantile;
mod ranking;
pub mod rounds;
mod seeds;
pub mod slo;
mod span;
pub mod summary;
pub mod units;
pub mod verdict;

mod page;

pub mod chart;
pub mod export;
pub mod sequence;
pub mod text;

pub mod directory;
pub mod error;

#[cfg(feature = "cli")]
pub mod cli;

pub use directory::{Written, check_writable, holds_run, parse_run, read_run, write_run};
pub use error::ReportError;
pub use invalid::{Cause, Invalid};
pub use missing::{Latencies, Latency};
pub use quantile::{Estimate, Quantile};
pub use run::{HistogramDump, Run, Series, latency_histogram};
pub use seeds::Seeds;
pub use span::Span;
pub use summary::{Percentiles, Summary, summaries};
pub use text::comparison_table;
pub use verdict::{Standing, Verdict, verdict};

#[cfg(test)]
mod agreement;
#[cfg(test)]
#[path = "../examples/sample/mod.rs"]
mod sample;
#[cfg(test)]
mod tests;
