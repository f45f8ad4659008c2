//! A document taken apart: its quoted blocks, its links, its headings, its words in code type.

use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

use super::Document;

/// A fenced block.
#[derive(Debug, Clone)]
pub(super) struct Block {
    /// Where it begins, as `README.md:12`.
    pub(super) place: String,
    /// What stands behind the fence.
    pub(super) language: String,
    pub(super) text: String,
}

/// A link or a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    /// Where it stands.
    pub(super) place: String,
    /// Where it goes.
    pub(super) target: String,
}

impl Document {
    fn events(&self) -> impl Iterator<Item = (Event<'_>, Range<usize>)> {
        Parser::new_ext(&self.text, Options::ENABLE_TABLES).into_offset_iter()
    }

    fn place(&self, offset: usize) -> String {
        let before = self.text.get(..offset).unwrap_or_default();
        format!("{}:{}", self.name, before.matches('\n').count() + 1)
    }

    /// Every fenced block, in order.
    pub(super) fn blocks(&self) -> Vec<Block> {
        let mut blocks: Vec<Block> = Vec::new();
        let mut is_inside = false;
        for (event, range) in self.events() {
            match event {
                Event::Start(Tag::CodeBlock(kind)) => {
                    is_inside = true;
                    let language = match kind {
                        CodeBlockKind::Fenced(language) => language.to_string(),
                        CodeBlockKind::Indented => String::new(),
                    };
                    let place = self.place(range.start);
                    blocks.push(Block { place, language, text: String::new() });
                }
                Event::End(TagEnd::CodeBlock) => is_inside = false,
                Event::Text(text) if is_inside => {
                    blocks.last_mut().expect("a block has begun").text.push_str(&text);
                }
                _ => {}
            }
        }
        blocks
    }

    /// Every link and picture, in order.
    pub(super) fn links(&self) -> Vec<Link> {
        let links = self.events().filter_map(|(event, range)| match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                Some(Link { place: self.place(range.start), target: dest_url.to_string() })
            }
            _ => None,
        });
        links.collect()
    }

    /// What the headings are called in an address, as GitHub and mdBook call them.
    pub(super) fn anchors(&self) -> Vec<String> {
        let mut anchors = Vec::new();
        let mut heading: Option<String> = None;
        for (event, _) in self.events() {
            match (event, &mut heading) {
                (Event::Start(Tag::Heading { .. }), _) => heading = Some(String::new()),
                (Event::End(TagEnd::Heading(_)), Some(text)) => {
                    anchors.push(anchor(text));
                    heading = None;
                }
                (Event::Text(text) | Event::Code(text), Some(heading)) => heading.push_str(&text),
                _ => {}
            }
        }
        anchors
    }

    /// What stands in code type within sentences, and where.
    pub(super) fn code_words(&self) -> Vec<(String, String)> {
        let words = self.events().filter_map(|(event, range)| match event {
            Event::Code(text) => Some((self.place(range.start), text.to_string())),
            _ => None,
        });
        words.collect()
    }
}

fn anchor(heading: &str) -> String {
    let letters = heading.trim().to_lowercase();
    let kept = letters.chars().filter(|it| it.is_alphanumeric() || [' ', '-', '_'].contains(it));
    kept.map(|it| if it == ' ' { '-' } else { it }).collect()
}

#[test]
fn a_document_is_taken_apart() {
    let text = "# One `two`: 3!\n\nSee [it](there.md#x) and `src/main.rs`.\n\n```sh\nls\nls\n```\n\n\
                ![](picture.png)\n";
    let document = Document { name: "it.md".to_owned(), text: text.to_owned() };
    let blocks = document.blocks();
    assert_eq!((blocks.len(), blocks[0].place.as_str()), (1, "it.md:5"));
    assert_eq!((blocks[0].language.as_str(), blocks[0].text.as_str()), ("sh", "ls\nls\n"));
    let targets: Vec<_> = document.links().into_iter().map(|link| link.target).collect();
    assert_eq!(targets, ["there.md#x", "picture.png"]);
    assert_eq!(document.anchors(), ["one-two-3"]);
    let words: Vec<_> = document.code_words().into_iter().map(|(_, word)| word).collect();
    assert_eq!(words, ["two", "src/main.rs"]);
}
