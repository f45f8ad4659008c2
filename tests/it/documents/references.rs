//! Links lead somewhere, paths name files, and the book leaves out nothing that has a name.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use clap::{Args, Command};
use client::TransportKind;
use server::config::Config;

use super::markdown::Link;
use super::{Document, book, document, documents, root};

/// The picture of the README may not make it slow to open.
const PICTURE_BYTES_MAX: u64 = 100_000;
/// Endings of files that documents name in code type.
const ENDINGS: [&str; 10] =
    [".rs", ".md", ".mjs", ".patch", ".css", ".json", ".toml", ".html", ".service", ".conf"];
/// Documents whose paths begin at the root.
const PATHS_FROM_ROOT: [&str; 1] = ["CONTRIBUTING.md"];

/// The path from the root without `..`; none where it leaves the root.
fn normal(path: &Path) -> Option<PathBuf> {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => normal.pop().then_some(())?,
            Component::Normal(part) => normal.push(part),
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(normal)
}

fn check(document: &Document, link: &Link) -> Result<(), String> {
    if link.target.starts_with("https://") || link.target.starts_with("http://") {
        return Ok(());
    }
    let (path, anchor) = link.target.split_once('#').unwrap_or((&link.target, ""));
    let folder = Path::new(&document.name).parent().unwrap_or_else(|| Path::new(""));
    let there = match path {
        "" => PathBuf::from(&document.name),
        path => normal(&folder.join(path)).ok_or("it leaves the project")?,
    };
    if !root().join(&there).exists() {
        return Err(format!("there is no {}", there.display()));
    }
    if document.name.starts_with("docs/src/") && !there.starts_with("docs/src") {
        return Err("a page of the book leads out of the book".to_owned());
    }
    if anchor.is_empty() {
        return Ok(());
    }
    let there = super::document(there.to_str().expect("our paths are UTF-8"));
    let known = there.anchors();
    if known.iter().any(|known| known == anchor) { Ok(()) } else { Err(format!("{known:?}")) }
}

#[test]
fn every_link_leads_somewhere() {
    let mut wrong = Vec::new();
    for document in documents() {
        for link in document.links() {
            if let Err(why) = check(&document, &link) {
                wrong.push(format!("{}: {}: {why}", link.place, link.target));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let readme = document("README.md");
    for target in ["no.md", "docs/no.md", "../outside.md", "README.md#nowhere", "#nowhere"] {
        let link = Link { place: String::new(), target: target.to_owned() };
        assert!(check(&readme, &link).is_err(), "{target}");
    }
}

#[test]
fn every_path_in_the_book_and_in_the_recipes_names_a_file() {
    let mut documents = book();
    documents.extend(PATHS_FROM_ROOT.map(document));
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (place, word) in documents.iter().flat_map(Document::code_words) {
        let is_path = word.contains('/')
            && !word.contains(['*', ' ', '<'])
            && !word.starts_with(['/', '~', 'h'])
            && !word.starts_with("target/")
            && (word.ends_with('/') || ENDINGS.iter().any(|ending| word.ends_with(ending)));
        if is_path {
            seen += 1;
            if !root().join(&word).exists() {
                wrong.push(format!("{place}: {word}"));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
    assert!(seen > 20, "only {seen} paths were found");
}

#[test]
fn the_book_has_every_page_once() {
    let summary = document("docs/src/SUMMARY.md");
    let listed: Vec<String> = summary.links().into_iter().map(|link| link.target).collect();
    let listed: Vec<_> = listed.into_iter().filter(|target| !target.is_empty()).collect();
    let distinct: BTreeSet<_> = listed.iter().cloned().collect();
    assert_eq!(distinct.len(), listed.len(), "{listed:?}");
    let pages = book().into_iter().map(|page| page.name.replace("docs/src/", ""));
    let pages: BTreeSet<_> = pages.filter(|name| name != "SUMMARY.md").collect();
    assert_eq!(distinct, pages);
}

#[test]
fn the_book_names_every_transport_fault_checker_and_limit() {
    let text: String = book().iter().map(|page| page.text.as_str()).collect();
    let command = Config::augment_args(Command::new("serve"));
    let limits = command.get_arguments().filter_map(|it| Some(format!("--{}", it.get_long()?)));
    let checkers = document("sim/chat/src/checker/mod.rs").text;
    let checkers = checkers
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod "))
        .map(|name| name.trim_end_matches(';').replace('_', "-"));
    let mut names: Vec<String> = limits.chain(checkers).collect();
    names.extend(chat_sim::fault::all().into_iter().map(|kind| kind.name().to_owned()));
    names.extend(TransportKind::ALL.map(|kind| kind.name().to_owned()));
    assert!(names.len() > 60, "{names:?}");
    let missing = names.iter().filter(|name| !text.contains(&format!("`{name}`")));
    assert_eq!(missing.collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn the_readmes_are_each_others_translation_and_show_the_report() {
    let [english, korean] = ["README.md", "README.ko.md"].map(document);
    let headings = |document: &Document| document.anchors().len();
    assert_eq!(headings(&english), headings(&korean));
    let others = |document: &Document, other: &str| -> Vec<String> {
        let links = document.links().into_iter().map(|link| link.target);
        let (to_other, rest): (Vec<_>, Vec<_>) = links.partition(|target| target == other);
        assert_eq!(to_other.len(), 1, "{} links {other} once", document.name);
        // Headings have other names in another language.
        rest.into_iter().filter(|target| !target.starts_with('#')).collect()
    };
    let words = |document: &Document| -> BTreeSet<String> {
        document.code_words().into_iter().map(|(_, word)| word).collect()
    };
    assert_eq!(words(&english), words(&korean));
    let links = others(&english, "README.ko.md");
    assert_eq!(links, others(&korean, "README.md"));
    let picture = links.iter().find(|target| target.ends_with(".png")).expect("a picture");
    let bytes = root().join(picture).metadata().expect("it is there").len();
    assert!(bytes < PICTURE_BYTES_MAX, "{picture} has {bytes} bytes");
}
