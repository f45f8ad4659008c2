//! A run of a simulation as a picture of who told whom what when: in a terminal, or as a page.
//!
//! Whoever has a run fills in a [`Sequence`]; this module draws it and knows neither clients nor a
//! server's protocol. Times are microseconds since the start of the run.
//!
//! - `text`: for a terminal, a row an event.
//! - `layout`: where on the page a time is.
//! - `picture`, `overview`: the same as SVG, whole and as a strip.
//! - `page`: one self-contained HTML page.

mod layout;
mod overview;
mod page;
mod picture;
#[cfg(test)]
mod tests;
mod text;

pub use page::page;
pub use text::{Detail, text};

/// Everything that is drawn of one run.
#[derive(Debug, Clone, Default)]
pub struct Sequence {
    /// What ran, in a few words.
    pub title: String,
    /// What else is worth knowing, with its name.
    pub facts: Vec<(String, String)>,
    /// What should not have happened; empty if all went well.
    pub findings: Vec<Finding>,
    /// Who takes part, from left to right.
    pub lanes: Vec<Lane>,
    /// The place of the server among the lanes.
    pub server: usize,
    /// What happened, in order.
    pub entries: Vec<Entry>,
    /// What went from one lane to another.
    pub arrows: Vec<Arrow>,
    /// What lasted: a person's conversations.
    pub bands: Vec<Band>,
    /// What went wrong.
    pub troubles: Vec<Trouble>,
    /// The parts of the run, each with its name and when it begins.
    pub phases: Vec<(u64, String)>,
    /// When the run was over.
    pub ended_us: u64,
}

/// A broken promise.
#[derive(Debug, Clone)]
pub struct Finding {
    /// Which, in a sentence.
    pub what: String,
    /// The entries that contradict it, by their [`Entry::index`].
    pub evidence: Vec<usize>,
    /// Other broken promises that the same evidence shows, or that nothing else explains, a sentence
    /// each.
    pub consequences: Vec<String>,
}

/// Somebody who takes part.
#[derive(Debug, Clone)]
pub struct Lane {
    /// The name.
    pub name: String,
    /// What to know of them.
    pub note: String,
}

/// One event.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its number, which is unique and rises.
    pub index: usize,
    /// When.
    pub at_us: u64,
    /// Who it befell.
    pub who: String,
    /// The lane, if who has one.
    pub lane: Option<usize>,
    /// Where it goes to.
    pub course: Course,
    /// What, in a few words.
    pub words: String,
    /// Left out where there is little room.
    pub is_minor: bool,
}

/// Between whom an event passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Course {
    /// From its lane to the server.
    Out,
    /// From the server to its lane.
    In,
    /// Nowhere.
    Stays,
    /// It befalls everybody.
    Across,
}

/// Something on its way.
#[derive(Debug, Clone, Copy)]
pub struct Arrow {
    /// Where from, and when.
    pub from: (usize, u64),
    /// Where to, and when.
    pub to: (usize, u64),
    /// The entry that it belongs to, which lies at one of its ends.
    pub entry: usize,
    /// The conversation, which gives the colour; none for what belongs to no conversation.
    pub tone: Option<usize>,
    /// It is not known to have arrived.
    pub is_lost: bool,
}

/// Something that lasts, on one lane.
#[derive(Debug, Clone)]
pub struct Band {
    /// The lane.
    pub lane: usize,
    /// From when until when.
    pub span_us: (u64, u64),
    /// Its name.
    pub name: String,
    /// Its colour.
    pub tone: usize,
}

/// Something that goes wrong for a while, or in an instant.
#[derive(Debug, Clone)]
pub struct Trouble {
    /// What.
    pub name: String,
    /// What came of it.
    pub effect: String,
    /// From when until when.
    pub span_us: (u64, u64),
    /// The lanes that it befalls.
    pub lanes: Vec<usize>,
}

impl Sequence {
    /// True for an entry that contradicts a promise.
    fn is_evidence(&self, entry: &Entry) -> bool {
        self.findings.iter().any(|finding| finding.evidence.contains(&entry.index))
    }
}

/// Seconds with three digits behind the point.
fn seconds(at_us: u64) -> String {
    format!("{:.3}", at_us as f64 / 1e6)
}
