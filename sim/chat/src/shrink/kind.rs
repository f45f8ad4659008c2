//! What makes two failures alike.

use crate::checker::Violation;
use crate::simulation::Report;
use crate::transcript::Names;

/// What a violation is, whoever it befell: the checker and its sentence, with `_` for every
/// person, session, conversation, message and number. The place of a panic in the source stays.
///
/// `liveness: bob/1 talks to nobody in p6` is of the kind `liveness: _ talks to nobody in _`.
#[must_use]
pub fn kind(report: &Report, violation: &Violation) -> String {
    let sentence = Names::of(&report.history).shorten(&violation.what);
    let first = sentence.lines().next().unwrap_or_default();
    let is_name = |word: &str| report.plan.people.iter().any(|person| person.name == word);
    let words = first.split(' ').map(|word| {
        let bare = word.trim_matches(|letter: char| !letter.is_alphanumeric());
        let is_place = bare.contains(".rs:");
        let is_particular = bare.contains(|letter: char| letter.is_ascii_digit()) || is_name(bare);
        if is_particular && !is_place { word.replace(bare, "_") } else { word.to_owned() }
    });
    format!("{}: {}", violation.checker, words.collect::<Vec<_>>().join(" "))
}

/// A kind as the stem of a file's name: `liveness_talks_to_nobody_in`.
#[must_use]
pub fn name(kind: &str) -> String {
    /// Longer names than this are hard to read, and some systems refuse them.
    const LETTERS_MAX: usize = 80;
    let words = kind.split(|letter: char| !letter.is_ascii_alphanumeric());
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    let name = words.join("_").to_lowercase();
    name.chars().take(LETTERS_MAX).collect()
}
