//! What people read is true: every command of the README and the book runs, every example compiles,
//! every file that they speak of is there.
//!
//! `markdown` takes documents apart; `commands` says how each command of a `sh` block is run, which
//! of its words make it shorter, and which commands are not run and why; `trial` runs them;
//! `blocks` looks at everything else that is quoted, `references` at links, paths and names,
//! `snippets` holds the Rust of the documents, compiled and run. Nothing here writes a document,
//! but for `limits`, with `UPDATE_EXPECT=1`.

mod blocks;
mod commands;
mod limits;
mod markdown;
mod references;
mod snippets;
mod trial;

use std::fs;
use std::path::{Path, PathBuf};

/// Folders with documents, from the root; folders below them are looked at too.
const FOLDERS: [&str; 3] = ["docs/src", "docs/upstream", "loadtest/peers"];

/// A document.
pub(crate) struct Document {
    /// Its path from the root.
    name: String,
    pub(crate) text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn document(name: &str) -> Document {
    let text = fs::read_to_string(root().join(name));
    let text = text.unwrap_or_else(|error| panic!("{name}: {error}"));
    Document { name: name.to_owned(), text }
}

/// Every document, by its path.
fn documents() -> Vec<Document> {
    let mut found: Vec<String> = markdown_in(root(), false);
    found.extend(FOLDERS.iter().flat_map(|folder| markdown_in(&root().join(folder), true)));
    found.sort();
    assert!(found.len() >= 10, "{found:?}");
    found.iter().map(|name| document(name)).collect()
}

/// The documents of the book.
fn book() -> Vec<Document> {
    documents().into_iter().filter(|it| it.name.starts_with("docs/src/")).collect()
}

fn markdown_in(folder: &Path, is_deep: bool) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let mut found = Vec::new();
    for path in entries.map(|entry| entry.expect("an entry").path()) {
        if path.is_dir() && is_deep && !path.ends_with("node_modules") {
            found.extend(markdown_in(&path, true));
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(from_root(&path));
        }
    }
    found
}

fn from_root(path: &Path) -> String {
    let path: PathBuf = path.strip_prefix(root()).expect("it lies below the root").to_owned();
    path.to_str().expect("our paths are UTF-8").to_owned()
}
