//! Mutant schemata: many mutants in one build, each behind a test of the mutant that a process has.
//!
//! ```text
//!   fn waits(&self) -> bool {                 fn waits(&self) -> bool {
//!       self.partner.is_none()                    match crate::mutant() {
//!   }                                                 7 => return { true },
//!                                                     8 => return { !self.partner.is_none() },
//!                                                     _ => {}
//!                                                 }
//!                                                 self.partner.is_none()
//!                                             }
//! ```
//!
//! One build for each mutant would take half a minute for a run of two seconds. The variable [`CHOSEN`] tells
//! a process which mutant it has. Only a copy of the sources is written to.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// The environment variable with the number of a process's mutant; none without it.
pub(crate) const CHOSEN: &str = "RACETRACK_MUTANT";
/// The file that gets the function [`SWITCH`].
const SWITCH_FILE: &str = "server/src/lib.rs";
/// Reads [`CHOSEN`] once: every call of a changed function asks for it.
const SWITCH: &str = r#"
/// The number of this process's mutant.
pub(crate) fn mutant() -> u32 {
    static CHOSEN: std::sync::LazyLock<u32> = std::sync::LazyLock::new(|| {
        std::env::var("VARIABLE").ok().and_then(|number| number.parse().ok()).unwrap_or(0)
    });
    *CHOSEN
}
"#;

/// A mutant, as cargo-mutants lists it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Mutant {
    /// The name that is shown.
    pub(crate) name: String,
    file: PathBuf,
    function: Option<Function>,
    /// The replaced code.
    span: Span,
    replacement: String,
    genre: Genre,
}

#[derive(Debug, Clone, Deserialize)]
struct Function {
    span: Span,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
enum Genre {
    /// The whole body.
    FnValue,
    #[serde(other)]
    Within,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
struct Span {
    start: Place,
    end: Place,
}

/// Both from 1; columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
struct Place {
    line: usize,
    column: usize,
}

/// The lines of each mutant in the sources that were written.
#[derive(Debug, Default)]
pub(crate) struct Written(BTreeMap<PathBuf, Vec<(RangeInclusive<usize>, usize)>>);

impl Written {
    /// The mutant that a line of a file belongs to; none where it belongs to the original code.
    pub(crate) fn at(&self, file: &Path, line: usize) -> Option<usize> {
        let changes =
            self.0.iter().find(|(known, _)| known.ends_with(file) || file.ends_with(known));
        let (_, changes) = changes?;
        changes.iter().find(|(lines, _)| lines.contains(&line)).map(|(_, number)| *number)
    }
}

/// Writes the chosen mutants, by their numbers from 1, into a copy that equals the sources.
pub(crate) fn write(
    copy: &Path,
    mutants: &[Mutant],
    chosen: &BTreeSet<usize>,
) -> io::Result<Written> {
    let mut files: BTreeMap<&Path, Vec<(usize, &Mutant)>> = BTreeMap::new();
    for number in chosen {
        let mutant = &mutants[number - 1];
        files.entry(&mutant.file).or_default().push((*number, mutant));
    }
    let mut written = Written::default();
    for (file, changes) in files {
        let path = copy.join(file);
        let text = switched(&fs::read_to_string(&path)?, &changes);
        written.0.insert(file.to_owned(), places(&text));
        fs::write(path, text)?;
    }
    let path = copy.join(SWITCH_FILE);
    let text = fs::read_to_string(&path)? + &SWITCH.replace("VARIABLE", CHOSEN);
    fs::write(path, text)?;
    Ok(written)
}

/// A file with a switch in each function that has mutants.
fn switched(text: &str, changes: &[(usize, &Mutant)]) -> String {
    let offset = |place: Place| {
        let before: usize = text.split_inclusive('\n').take(place.line - 1).map(str::len).sum();
        let line = &text[before..];
        let column = line.char_indices().nth(place.column - 1).map_or(line.len(), |(at, _)| at);
        before + column
    };
    let mut functions: BTreeMap<Span, Vec<(usize, &Mutant)>> = BTreeMap::new();
    for (number, mutant) in changes {
        if let Some(function) = &mutant.function {
            functions.entry(function.span).or_default().push((*number, mutant));
        }
    }
    let mut switched = text.to_owned();
    // From the end, so that what stands before keeps its place.
    for (span, changes) in functions.iter().rev() {
        let (start, end) = (offset(span.start), offset(span.end));
        let Some(opens) = body(&text[start..end]) else { continue };
        let (begins, ends) = (start + opens, end - 1);
        let mut arms = String::new();
        for (number, mutant) in changes {
            let changed = match mutant.genre {
                Genre::FnValue => mutant.replacement.clone(),
                Genre::Within => {
                    let (from, to) = (offset(mutant.span.start), offset(mutant.span.end));
                    format!("{}{}{}", &text[begins..from], mutant.replacement, &text[to..ends])
                }
            };
            let _infallible = write!(
                arms,
                "{}{number} => return {{{changed}\n}},{}\n",
                mark('<', *number),
                mark('>', *number)
            );
        }
        switched.insert_str(begins, &format!(" match crate::mutant() {{\n{arms}_ => {{}} }}\n"));
    }
    switched
}

/// A comment that marks where a mutant begins and ends.
fn mark(side: char, number: usize) -> String {
    format!("/*{side}mutant {number}*/")
}

/// The lines of each mutant.
fn places(text: &str) -> Vec<(RangeInclusive<usize>, usize)> {
    let mut places = Vec::new();
    let mut began = None;
    for (line, words) in (1..).zip(text.lines()) {
        let number = |side: char| {
            let (_, rest) = words.split_once(&format!("/*{side}mutant "))?;
            rest.split_once("*/")?.0.parse::<usize>().ok()
        };
        began = number('<').map(|_| line).or(began);
        if let (Some(first), Some(number)) = (began, number('>')) {
            places.push((first..=line, number));
        }
    }
    places
}

/// The offset of a function's body, behind its brace: the first brace outside of the parameters.
fn body(function: &str) -> Option<usize> {
    let mut depth = 0_i32;
    for (at, letter) in function.char_indices() {
        match letter {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            '{' if depth == 0 => return Some(at + 1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    const SOURCE: &str = "fn sum(a: [u8; 2]) -> u8 {\n    // é\n    a[0] + a[1]\n}\n";

    fn mutant(genre: &str, [from, to]: [[usize; 2]; 2], replacement: &str) -> Mutant {
        let place =
            |[line, column]: [usize; 2]| serde_json::json!({ "line": line, "column": column });
        let json = serde_json::json!({
            "name": "a change", "file": "sum.rs", "genre": genre, "replacement": replacement,
            "span": { "start": place(from), "end": place(to) },
            "function": { "span": { "start": place([1, 1]), "end": place([4, 2]) } },
        });
        serde_json::from_value(json).expect("it is what cargo-mutants lists")
    }

    #[test]
    fn each_mutant_is_an_arm_of_the_switch_of_its_function() {
        let value = mutant("FnValue", [[3, 5], [3, 16]], "0");
        let operator = mutant("BinaryOperator", [[3, 10], [3, 11]], "-");
        let text = switched(SOURCE, &[(1, &value), (2, &operator)]);
        expect![[r#"
            fn sum(a: [u8; 2]) -> u8 { match crate::mutant() {
            /*<mutant 1*/1 => return {0
            },/*>mutant 1*/
            /*<mutant 2*/2 => return {
                // é
                a[0] - a[1]

            },/*>mutant 2*/
            _ => {} }

                // é
                a[0] + a[1]
            }
        "#]]
        .assert_eq(&text);
        assert_eq!(places(&text), [(2..=3, 1), (4..=8, 2)]);
        let written = Written(BTreeMap::from([("server/src/sum.rs".into(), places(&text))]));
        assert_eq!(written.at(Path::new("src/sum.rs"), 6), Some(2));
        assert_eq!(written.at(Path::new("src/sum.rs"), 11), None);
    }
}
