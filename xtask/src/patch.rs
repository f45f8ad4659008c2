//! Patches of seeded bugs: each adds a plausible mistake to the server, to test whether the simulation
//! finds it.
//!
//! ```text
//!   # What is wrong, in a sentence or two.
//!   # Broken: the invariant that no longer holds.
//!   --- a/server/src/core/mailbox.rs
//!   +++ b/server/src/core/mailbox.rs
//!   @@ -1,3 +1,3 @@
//!    context
//!   -as it is
//!   +as it is with the bug
//!    context
//! ```
//!
//! A patch is a unified diff, which `git apply` takes too. A hunk applies where its context and removed
//! lines are, wherever that is in the file, and they must be there exactly once: a patch survives changes
//! around it and never applies in the wrong place. Of a hunk's header only the line counts are checked,
//! because `git apply` refuses wrong ones. Nothing here writes a file.

use std::path::{Path, PathBuf};

/// How the line that names the broken invariant begins.
const BROKEN: &str = "Broken: ";

/// A bug that can be built into the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// What is wrong and which invariant breaks, in one paragraph.
    pub about: String,
    /// The changed files, by their paths from the root of the sources.
    files: Vec<FilePatch>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct FilePatch {
    path: PathBuf,
    hunks: Vec<Hunk>,
}

/// Lines of the file, and the lines that replace them.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Hunk {
    old: String,
    new: String,
    /// Lines that the header counts and that have not been read, old and new.
    left: [usize; 2],
}

impl Patch {
    /// Reads a patch.
    ///
    /// # Errors
    ///
    /// One line that says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let comment: Vec<_> = text.lines().map_while(|line| line.strip_prefix("# ")).collect();
        let about = comment.join(" ");
        if !about.contains(BROKEN) {
            return Err(format!("it must begin with a comment that says what is `{BROKEN}`"));
        }
        let mut files: Vec<FilePatch> = Vec::new();
        for (number, line) in text.lines().enumerate().skip(comment.len()) {
            let stray = || format!("line {} belongs to no file or hunk", number + 1);
            if let Some(path) = line.strip_prefix("+++ b/") {
                files.push(FilePatch { path: path.into(), hunks: Vec::new() });
            } else if line.starts_with("@@ ") {
                let hunk = Hunk::from_header(line)
                    .ok_or_else(|| format!("line {} is no header of a hunk", number + 1))?;
                files.last_mut().ok_or_else(stray)?.hunks.push(hunk);
            } else if !line.starts_with("--- a/") {
                let hunk = files.last_mut().and_then(|file| file.hunks.last_mut());
                hunk.ok_or_else(stray)?.take(line).ok_or_else(stray)?;
            }
        }
        let mut hunks = files.iter().flat_map(|file| &file.hunks);
        if let Some(hunk) = hunks.clone().find(|hunk| hunk.left != [0, 0]) {
            let [old, new] = hunk.left;
            return Err(format!(
                "a header of a hunk promises {old} old and {new} new lines more than follow"
            ));
        }
        match hunks.any(|hunk| hunk.old != hunk.new) {
            true => Ok(Self { about, files }),
            false => Err("it changes nothing".to_owned()),
        }
    }

    /// Returns the changed files with their new text; `read` returns the text of a file.
    ///
    /// # Errors
    ///
    /// One line that says which file cannot be read, or which hunk has no place or several.
    pub fn apply(
        &self,
        read: impl Fn(&Path) -> std::io::Result<String>,
    ) -> Result<Vec<(PathBuf, String)>, String> {
        let changed = self.files.iter().map(|FilePatch { path, hunks }| {
            let name = path.display();
            let mut text = read(path).map_err(|error| format!("{name}: {error}"))?;
            for (number, Hunk { old, new, .. }) in hunks.iter().enumerate() {
                let places = text.match_indices(old.as_str()).count();
                if places != 1 {
                    let hunk = number + 1;
                    return Err(format!("hunk {hunk} fits {places} places of {name}, not one"));
                }
                text = text.replace(old.as_str(), new);
            }
            Ok((path.clone(), text))
        });
        changed.collect()
    }
}

impl Hunk {
    /// An empty hunk behind `@@ -FROM,COUNT +FROM,COUNT @@`, where a count that is left out is 1.
    fn from_header(line: &str) -> Option<Self> {
        let (old, new) = line.strip_prefix("@@ -")?.split_once(" @@")?.0.split_once(" +")?;
        let count = |range: &str| range.split_once(',').map_or(Ok(1), |(_, count)| count.parse());
        let left = [count(old).ok()?, count(new).ok()?];
        Some(Self { left, ..Self::default() })
    }

    /// One line of the hunk, unless it is none or one more than its header promises.
    fn take(&mut self, line: &str) -> Option<()> {
        let (sign, rest) = line.split_at_checked(1).unwrap_or((" ", ""));
        let (is_old, is_new) = match sign {
            " " => (true, true),
            "-" => (true, false),
            "+" => (false, true),
            _ => return None,
        };
        let [old_left, new_left] = &mut self.left;
        let sides = [(&mut self.old, old_left, is_old), (&mut self.new, new_left, is_new)];
        for (side, left, takes) in sides {
            if takes {
                *left = left.checked_sub(1)?;
                side.push_str(rest);
                side.push('\n');
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATCH: &str = "# The sum is a difference.\n# Broken: two and two are four.\n\
        --- a/sum.rs\n+++ b/sum.rs\n@@ -7,3 +7,3 @@\n fn sum(a: u8, b: u8) -> u8 {\n-    a + b\n+    \
        a - b\n }\n";

    fn applied(source: &str) -> Result<Vec<(PathBuf, String)>, String> {
        let patch = Patch::parse(PATCH).expect("it is well-formed");
        patch.apply(|path| {
            assert_eq!(path, Path::new("sum.rs"));
            Ok(source.to_owned())
        })
    }

    #[test]
    fn a_patch_goes_where_its_lines_stand_whatever_their_numbers() {
        let source = "// one\n\nfn sum(a: u8, b: u8) -> u8 {\n    a + b\n}\n// two\n";
        let changed = source.replace('+', "-");
        assert_eq!(applied(source), Ok(vec![("sum.rs".into(), changed)]));
    }

    #[test]
    fn a_patch_that_fits_nowhere_or_twice_is_refused() {
        let refused = |source: &str| applied(source).expect_err("it must not apply");
        let twice = "fn sum(a: u8, b: u8) -> u8 {\n    a + b\n}\n".repeat(2);
        assert_eq!(refused("fn sum() {}\n"), "hunk 1 fits 0 places of sum.rs, not one");
        assert_eq!(refused(&twice), "hunk 1 fits 2 places of sum.rs, not one");
    }

    #[test]
    fn a_patch_says_what_it_breaks_and_changes_something() {
        let refused = |text: &str| Patch::parse(text).expect_err("it is no patch");
        assert!(refused(&PATCH.replace("Broken", "Well")).contains("must begin with a comment"));
        assert_eq!(refused(&PATCH.replace("a + b", "a - b")), "it changes nothing");
        assert_eq!(
            refused(&PATCH.replace("@@ -7,3 +7,3 @@\n", "")),
            "line 5 belongs to no file or hunk"
        );
    }

    #[test]
    fn a_hunk_with_other_line_counts_than_its_header_is_refused() {
        let refused = |header: &str| {
            Patch::parse(&PATCH.replace("-7,3 +7,3", header)).expect_err("git refuses it too")
        };
        assert_eq!(
            refused("-7,4 +7,5"),
            "a header of a hunk promises 1 old and 2 new lines more than follow"
        );
        assert_eq!(refused("-7,2 +7,3"), "line 9 belongs to no file or hunk");
        assert_eq!(refused("-7,x +7,3"), "line 5 is no header of a hunk");
    }
}
