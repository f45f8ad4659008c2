//! Answers of HTTP/1.1, read from bytes, and what is true of all of them.

use protocol::{Batch, Problem};

/// One whole answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// In lower case.
    head: String,
    pub(crate) body: Vec<u8>,
    /// The answer to a HEAD: it says how long it would be.
    is_head: bool,
}

impl Answer {
    /// The first answer and what follows it; none where it is not whole, or its length is not said.
    pub(crate) fn split_first(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        let status = head.strip_prefix("http/1.")?.get(2..5)?.parse().ok()?;
        let rest = &bytes[end + 4..];
        let length = field(&head, "content-length").and_then(|length| length.parse().ok());
        let is_head = rest.starts_with(b"HTTP/1.") && length != Some(0);
        let has_none = matches!(status, 101 | 204) || is_head;
        let length = if has_none { Some(0) } else { length }?;
        let (body, rest) = rest.split_at_checked(length)?;
        Some((Self { status, head, body: body.to_owned(), is_head }, rest))
    }

    fn is(&self, content_type: &str) -> bool {
        field(&self.head, "content-type") == Some(content_type)
    }

    /// The server has broken no promise with it.
    pub(crate) fn check(&self) {
        let told = self.body.escape_ascii();
        assert_ne!(self.status, 500, "the server has failed: {told}");
        if self.is("application/problem+json") && !self.is_head {
            let problem: Problem = serde_json::from_slice(&self.body).expect("a problem");
            assert_eq!(problem.status, self.status, "{told}");
        }
    }

    /// The events in it.
    pub(crate) fn batch(&self) -> Batch {
        let batch: Batch = serde_json::from_slice(&self.body).expect("events");
        assert!(batch.events.is_sorted_by(|one, two| one.seq < two.seq), "{batch:?}");
        batch
    }
}

/// Every whole answer at the start of what a connection brought.
pub(crate) fn check_all(mut answers: &[u8]) {
    while let Some((answer, rest)) = Answer::split_first(answers) {
        answer.check();
        answers = rest;
    }
}

fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    lines.find_map(|(key, value)| (key == name).then(|| value.trim()))
}
