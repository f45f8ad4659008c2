//! What documents quote besides commands: each language is parsed, compiled or compared with the
//! file that it comes from. The Korean README quotes what the English one quotes.

use serde_json::Value;
use server::config::Config;

use super::markdown::Block;
use super::{document, documents};

/// Sources whose code documents quote; all of them are compiled and run by `cargo test`.
const SOURCES: [&str; 4] = [
    "src/init/simulation.rs",
    "tests/it/documents/snippets.rs",
    "sim/engine/examples/box_office/main.rs",
    "server/tests/upstream.rs",
];
/// Files that documents quote in part.
const FILES: [(&str, &str); 2] =
    [("ini", "docs/deploy/racetrack.service"), ("nginx", "docs/deploy/racetrack.nginx.conf")];

fn check(block: &Block) -> Result<(), String> {
    let text = block.text.as_str();
    match block.language.as_str() {
        // `commands` runs the first; the second is what programs print and what people draw; the
        // third runs in `tests/interop/documents`.
        "sh" | "text" | "js" => Ok(()),
        "json" => serde_json::from_str::<Value>(text).map_err(|error| error.to_string()).map(drop),
        "toml" => toml(text),
        "rust" => {
            let mut sources = SOURCES.iter().map(|name| plain(&document(name).text));
            let is_there = sources.any(|source| source.contains(&plain(text)));
            is_there.then_some(()).ok_or_else(|| format!("none of {SOURCES:?} has this"))
        }
        language => match FILES.iter().find(|(known, _)| *known == language) {
            Some((_, file)) => is_part(text, file),
            None => Err(format!("nobody knows how to check {language:?}")),
        },
    }
}

fn toml(text: &str) -> Result<(), String> {
    if !text.starts_with("# racetrack.toml") {
        return toml::from_str::<toml::Table>(text).map_err(|error| error.to_string()).map(drop);
    }
    let config: Config = toml::from_str(text).map_err(|error| error.to_string())?;
    config.check().map_err(|error| error.to_string())
}

/// Every line stands in the file, in the same order.
fn is_part(text: &str, file: &str) -> Result<(), String> {
    let whole = document(file).text;
    let mut whole = whole.lines().map(str::trim);
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    match lines.find(|line| !whole.any(|known| known == *line)) {
        None => Ok(()),
        Some(line) => Err(format!("{file} has no such line, or has it before: {line}")),
    }
}

/// Code without comments and without what `rustfmt` decides.
fn plain(code: &str) -> String {
    let lines = code.lines().map(|line| line.split("//").next().unwrap_or_default());
    lines.flat_map(str::chars).filter(|letter| !letter.is_whitespace()).collect()
}

/// A block without its comments, which may be in another language.
fn uncommented(block: &Block) -> (String, String) {
    let mark = match block.language.as_str() {
        "sh" => " #",
        "rust" | "js" => "//",
        _ => return (block.language.clone(), block.text.clone()),
    };
    let lines = block.text.lines().map(|line| line.split(mark).next().unwrap_or_default().trim());
    (block.language.clone(), lines.collect::<Vec<_>>().join("\n"))
}

#[test]
fn everything_that_is_quoted_can_be_read_by_what_it_is_for() {
    let blocks = documents().into_iter().flat_map(|document| document.blocks());
    let wrong =
        blocks.filter_map(|block| Some(format!("{}: {}", block.place, check(&block).err()?)));
    assert_eq!(wrong.collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn both_readmes_quote_the_same() {
    let quoted =
        |name: &str| -> Vec<_> { document(name).blocks().iter().map(uncommented).collect() };
    assert_eq!(quoted("README.ko.md"), quoted("README.md"));
}

#[test]
fn what_cannot_be_read_is_found() {
    let check = |language: &str, text: &str| {
        let (language, text) = (language.to_owned(), text.to_owned());
        check(&Block { place: "here".to_owned(), language, text })
    };
    for (language, text) in [
        ("", "nothing says what this is"),
        ("json", "{,}"),
        ("toml", "a = "),
        ("toml", "# racetrack.toml\nsessions = 1"),
        ("toml", "# racetrack.toml\nsessions_max = 0"),
        ("rust", "let all = these.are().not().there();"),
        ("ini", "[Service]\n[Unit]"),
        ("nginx", "listen 1;"),
    ] {
        assert!(check(language, text).is_err(), "{language}: {text}");
    }
}
