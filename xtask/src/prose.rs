//! Scrambles the human-readable texts of a source file: titles, details and refusals that reach a client or a log.
//!
//! ```text
//!   "the server is full; come back in {retry_after_ms} ms"
//!   "gur freire vf shyy; pbzr onpx va {retry_after_ms} zf"
//! ```
//!
//! A checker that compares prose goes blind with it, or raises false alarms. Changed are string literals with two
//! words or more; letters rotate, Hangul syllables too, and placeholders, escapes and everything else stay, so that
//! the file compiles and every text keeps its length. Not changed are tests, comments, attributes (except the
//! texts of `#[error]`), names of trace events, patterns that the server itself looks for, and the syntax of
//! protocols.

/// Methods whose argument is looked for in other text, and never shown.
const LOOKED_FOR: [&str; 8] = [
    "strip_prefix(",
    "strip_suffix(",
    "split_once(",
    "split(",
    "contains(",
    "starts_with(",
    "ends_with(",
    "== ",
];
/// Parts of literals that belong to the syntax of a protocol or a format.
const SYNTAX: [&str; 12] = [
    "\\r\\n",
    "charset=",
    "no-store",
    "Path=/",
    "-src ",
    "realm=",
    "data: {",
    "# HELP",
    "# TYPE",
    // The texts of other programs that clients compare: a namespace that is not there, and the echo's answers.
    "Invalid namespace",
    "Send from Server",
    "Hello World",
];

/// Scrambles a source file; returns it with the number of changed literals.
pub(crate) fn scramble(source: &str) -> (String, usize) {
    let mut scanner =
        Scanner { source, at: 0, text: String::with_capacity(source.len()), changed: 0 };
    scanner.run();
    (scanner.text, scanner.changed)
}

struct Scanner<'a> {
    source: &'a str,
    /// The offset of what has not been copied.
    at: usize,
    /// What has been copied, scrambled.
    text: String,
    changed: usize,
}

impl Scanner<'_> {
    fn run(&mut self) {
        while let Some(letter) = self.rest().chars().next() {
            let length = match letter {
                '#' if self.rest().starts_with("#[cfg(test)]") => self.test_length(),
                '#' if self.rest().starts_with("#[error(") => "#[error(".len(),
                '#' if self.rest().starts_with("#[") || self.rest().starts_with("#![") => {
                    self.attribute_length()
                }
                '"' => {
                    self.literal();
                    continue;
                }
                _ => self.opaque_length().unwrap_or_else(|| letter.len_utf8()),
            };
            self.copy(length);
        }
    }

    fn rest(&self) -> &str {
        &self.source[self.at..]
    }

    fn copy(&mut self, length: usize) {
        self.text.push_str(&self.source[self.at..self.at + length]);
        self.at += length;
    }

    /// Copies or scrambles the string literal that begins here.
    fn literal(&mut self) {
        let length = string_length(self.rest());
        let inside = &self.source[self.at + 1..self.at + length - 1];
        if is_prose(self.source[..self.at].trim_end_matches('\n'), inside) {
            self.text.push('"');
            self.text.push_str(&rotated(inside));
            self.text.push('"');
            self.at += length;
            self.changed += 1;
        } else {
            self.copy(length);
        }
    }

    /// The length of an item that is compiled for tests alone.
    fn test_length(&self) -> usize {
        let ends = |end: usize, depth: usize, letter| match letter {
            ';' => depth == 0,
            '}' => depth == 1 && end > 0,
            _ => false,
        };
        self.nested_length(ends)
    }

    fn attribute_length(&self) -> usize {
        self.nested_length(|_, depth, letter| letter == ']' && depth == 1)
    }

    /// The length up to the first letter for which `ends` is true, given its offset, the brackets that are open
    /// before it, and the letter. An attribute at the beginning does not count.
    fn nested_length(&self, ends: impl Fn(usize, usize, char) -> bool) -> usize {
        let mut inner =
            Scanner { source: self.source, at: self.at, text: String::new(), changed: 0 };
        let mut depth = 0_usize;
        while let Some(letter) = inner.rest().chars().next() {
            if let Some(length) = inner.opaque_length() {
                inner.at += length;
                continue;
            }
            if letter == '"' {
                inner.at += string_length(inner.rest());
                continue;
            }
            let is_end = ends(inner.at - self.at, depth, letter);
            match letter {
                '(' | '[' | '{' => depth += 1,
                ')' | ']' | '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            inner.at += letter.len_utf8();
            if is_end {
                break;
            }
        }
        inner.at - self.at
    }

    /// The length of what holds no code and no text to change, if that begins here: a comment, a character, a
    /// lifetime, a byte string or a raw string.
    fn opaque_length(&self) -> Option<usize> {
        let rest = self.rest();
        let is_within_word = self.source[..self.at].ends_with(is_word);
        if rest.starts_with("//") {
            return Some(rest.find('\n').unwrap_or(rest.len()));
        }
        if rest.starts_with("/*") {
            return Some(rest.find("*/").map_or(rest.len(), |end| end + 2));
        }
        if rest.starts_with('\'') {
            return Some(quote_length(rest));
        }
        if is_within_word {
            return None;
        }
        if rest.starts_with("b\"") {
            return Some(1 + string_length(&rest[1..]));
        }
        if rest.starts_with("b'") {
            return Some(1 + quote_length(&rest[1..]));
        }
        let raw = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r'))?;
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        let body = raw[hashes..].strip_prefix('"')?;
        let end = format!("\"{}", "#".repeat(hashes));
        let length = body.find(&end).map_or(body.len(), |at| at + end.len());
        Some(rest.len() - body.len() + length)
    }
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// The length of a string literal with its quotation marks.
fn string_length(literal: &str) -> usize {
    let mut is_escaped = false;
    for (at, letter) in literal.char_indices().skip(1) {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    literal.len()
}

/// The length of a character literal, or of the quotation mark of a lifetime.
fn quote_length(rest: &str) -> usize {
    let mut letters = rest.char_indices().skip(1);
    match letters.next() {
        Some((_, '\\')) => rest[3..].find('\'').map_or(rest.len(), |end| end + 4),
        Some((at, letter)) if rest[at + letter.len_utf8()..].starts_with('\'') => {
            at + letter.len_utf8() + 1
        }
        _ => 1,
    }
}

/// True for two words or more that people read; `before` is the code in front of the literal.
fn is_prose(before: &str, inside: &str) -> bool {
    let before = before.trim_end();
    let is_looked_for = LOOKED_FOR.iter().any(|method| before.ends_with(method.trim_end()));
    // `trace!(name: "said again")`: what captures the trace knows the event by that.
    let is_trace_name = before.ends_with("name:");
    let is_syntax = SYNTAX.iter().any(|syntax| inside.contains(syntax));
    let mut shown = String::new();
    each_letter(inside, |letter, is_shown| shown.push(if is_shown { letter } else { '0' }));
    let words = shown.split_whitespace().filter(|word| word.chars().any(char::is_alphabetic));
    words.count() >= 2 && !is_looked_for && !is_trace_name && !is_syntax
}

/// The inside of a literal with its letters rotated, except in placeholders and escapes.
fn rotated(inside: &str) -> String {
    let mut text = String::with_capacity(inside.len());
    each_letter(inside, |letter, is_shown| {
        text.push(if is_shown { rotate(letter) } else { letter })
    });
    text
}

/// Calls `take` with each letter of a literal, and whether it is shown as it is: letters of placeholders and escapes
/// are not.
fn each_letter(inside: &str, mut take: impl FnMut(char, bool)) {
    let mut letters = inside.chars().peekable();
    let mut is_placeholder = false;
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => {
                take(letter, false);
                letters.next().into_iter().for_each(|escaped| take(escaped, false));
                continue;
            }
            '{' if letters.peek() == Some(&'{') => {
                take(letter, true);
                letters.next().into_iter().for_each(|brace| take(brace, true));
                continue;
            }
            '{' => is_placeholder = true,
            _ => {}
        }
        take(letter, !is_placeholder);
        is_placeholder &= letter != '}';
    }
}

fn rotate(letter: char) -> char {
    let within = |first: u32, count: u32, by: u32| {
        let rotated = first + (u32::from(letter) - first + by) % count;
        char::from_u32(rotated).expect("the range holds only letters")
    };
    match letter {
        'a'..='z' => within(u32::from('a'), 26, 13),
        'A'..='Z' => within(u32::from('A'), 26, 13),
        '가'..='힣' => within(u32::from('가'), 11_172, 5_586),
        _ => letter,
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    const SOURCE: &str = r##"#![doc = "not this one"]
// "not this one"
#[error("the server is full; come back in {retry_after_ms} ms")]
#[utoipa::path(description = "a description stays", responses((status = 200)))]
fn texts<'a>(letter: char) -> &'a str {
    trace!(name: "said again", "somebody says \"it\" again");
    let quote = '"'; let other = '\''; let escaped = '\u{1f}';
    let bytes = (b"not these bytes", r#"not "this one"#, b'"');
    let set = matches!(letter, '{' | '}');
    let format = format!("at least {least:>3} of {{all}}\n  or \
        more");
    text.strip_prefix("not this one"); "one-word"; "retry: {not_this}\n\n"; "text/plain; charset=utf-8"
}
#[cfg(test)]
mod tests { const TEXT: &str = "not this } one"; fn nested() { let _ = "nor this"; } }
const LAST: &str = "상대방을 기다리고 있습니다";
"##;

    #[test]
    fn prose_is_scrambled_and_everything_else_stays() {
        let (scrambled, changed) = scramble(SOURCE);
        assert_eq!(changed, 4);
        expect![[r##"
            #![doc = "not this one"]
            // "not this one"
            #[error("gur freire vf shyy; pbzr onpx va {retry_after_ms} zf")]
            #[utoipa::path(description = "a description stays", responses((status = 200)))]
            fn texts<'a>(letter: char) -> &'a str {
                trace!(name: "said again", "fbzrobql fnlf \"vg\" ntnva");
                let quote = '"'; let other = '\''; let escaped = '\u{1f}';
                let bytes = (b"not these bytes", r#"not "this one"#, b'"');
                let set = matches!(letter, '{' | '}');
                let format = format!("ng yrnfg {least:>3} bs {{nyy}}\n  be \
                    zber");
                text.strip_prefix("not this one"); "one-word"; "retry: {not_this}\n\n"; "text/plain; charset=utf-8"
            }
            #[cfg(test)]
            mod tests { const TEXT: &str = "not this } one"; fn nested() { let _ = "nor this"; } }
            const LAST: &str = "횓죒퇻녲 쐂좶콾슲 놶곣좚좶";
        "##]].assert_eq(&scrambled);
        assert_eq!(scramble(&scrambled), (SOURCE.to_owned(), 4), "twice is not at all");
    }
}
