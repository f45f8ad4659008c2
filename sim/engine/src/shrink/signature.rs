//! What two failures of the same cause have in common.

use crate::model::Model;
use crate::report::Report;
use crate::violation::Violation;

/// The checker and its sentence, with `_` for every client, session, message and number. The place of a panic in the
/// source stays.
///
/// `liveness: bob/1 talks to nobody in p6` has the signature `liveness: _ talks to nobody in _`.
#[must_use]
pub fn signature<M: Model>(model: &M, report: &Report<M>, violation: &Violation) -> String {
    let sentence = model.short_names(&report.history).shorten(&violation.what);
    let first = sentence.lines().next().unwrap_or_default();
    let words = first.split(' ').map(|word| {
        let bare = word.trim_matches(|letter: char| !letter.is_alphanumeric());
        let is_place = bare.contains(".rs:");
        let is_particular = bare.contains(|letter: char| letter.is_ascii_digit())
            || report.plan.client(bare).is_some();
        if is_particular && !is_place { word.replace(bare, "_") } else { word.to_owned() }
    });
    format!("{}: {}", violation.checker, words.collect::<Vec<_>>().join(" "))
}

/// A signature as the stem of a file name: `liveness_talks_to_nobody_in`.
#[must_use]
pub fn file_stem(signature: &str) -> String {
    /// Longer names are hard to read, and some file systems refuse them.
    const LETTERS_MAX: usize = 80;
    let words = signature.split(|letter: char| !letter.is_ascii_alphanumeric());
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    let name = words.join("_").to_lowercase();
    name.chars().take(LETTERS_MAX).collect()
}
