//! Names and words that end up in pages and tables: whatever they are, they stay text.
//!
//! A name that wants to be markup is put wherever a run or a picture has words of its own, and the
//! same files are made of a harmless name of the same length. What is markup must be as much in
//! both: a letter that escapes is counted once too often.

use reports::export;
use reports::run::Run;
use reports::sequence::{self, Arrow, Band, Course, Entry, Finding, Lane, Sequence, Trouble};
use serde_json::Value;

/// A run in which every word of its own is [`PLACE`].
const RUN: &str = include_str!("run.json");
const PLACE: &str = "NAME";
/// Longer names teach nothing.
const NAME_BYTES_MAX: usize = 256;
/// What means something in markup.
const MARKUP: [char; 5] = ['<', '>', '"', '\'', '&'];

/// Puts the input wherever there are words.
pub fn page(input: &[u8]) {
    let Ok(name) = std::str::from_utf8(input) else { return };
    if name.len() > NAME_BYTES_MAX {
        return;
    }
    let harmless = name.replace(MARKUP, "x");
    let (files, tame) = (files(name), files(&harmless));
    assert_eq!(files.len(), tame.len());
    for ((kind, file), (_, tame)) in files.iter().zip(&tame) {
        for letter in ['<', '>', '"'] {
            let count = |text: &str| text.matches(letter).count();
            assert_eq!(count(file), count(tame), "{letter} of {name:?} escapes into {kind}");
        }
    }
}

/// Every file that is markup.
fn files(name: &str) -> Vec<(&'static str, String)> {
    let mut files = vec![("sequence", sequence::page(&picture(name)))];
    let run = run(name);
    let html: &dyn export::Exporter = &export::html::Html;
    let junit: &dyn export::Exporter = &export::junit::Junit;
    for (kind, exporter) in [("report", html), ("junit", junit)] {
        let artifacts = exporter.export(&run).expect("a small run fits into every format");
        for artifact in artifacts {
            files.push((kind, String::from_utf8(artifact.bytes).expect("it is text")));
        }
    }
    files
}

fn run(name: &str) -> Run {
    let mut run = serde_json::from_str(RUN).expect("it is JSON");
    fill(&mut run, name);
    serde_json::from_value(run).expect("a run may have any words")
}

fn fill(value: &mut Value, name: &str) {
    match value {
        Value::String(text) => *text = text.replace(PLACE, name),
        Value::Array(values) => values.iter_mut().for_each(|value| fill(value, name)),
        Value::Object(fields) => {
            for (mut key, mut value) in std::mem::take(fields) {
                fill(&mut value, name);
                key = key.replace(PLACE, name);
                fields.insert(key, value);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn picture(name: &str) -> Sequence {
    let name = || name.to_owned();
    let lane = || Lane { name: name(), note: name() };
    let entry = |index, course| Entry {
        index,
        at_us: 1_000 * index as u64,
        who: name(),
        lane: Some(1),
        course,
        words: name(),
        is_minor: false,
    };
    let courses = [Course::Out, Course::In, Course::Stays, Course::Across];
    let arrow = Arrow { from: (1, 0), to: (0, 1_000), entry: 0, tone: Some(0), is_lost: true };
    Sequence {
        title: name(),
        facts: vec![(name(), name())],
        findings: vec![Finding { what: name(), evidence: vec![0], consequences: vec![name()] }],
        lanes: vec![lane(), lane()],
        server: 0,
        entries: (0..).zip(courses).map(|(index, course)| entry(index, course)).collect(),
        arrows: vec![arrow],
        bands: vec![Band { lane: 1, span_us: (0, 3_000), name: name(), tone: 0 }],
        troubles: vec![Trouble {
            name: name(),
            effect: name(),
            span_us: (0, 2_000),
            lanes: vec![1],
        }],
        phases: vec![(0, name())],
        ended_us: 5_000,
    }
}
