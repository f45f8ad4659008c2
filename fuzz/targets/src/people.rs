//! Two people who have been paired, and what of theirs an input may name.
//!
//! Tokens and ids are drawn by chance, so an input says `$ANN` and `$BEN` for their tokens, `$PAIR`
//! for their conversation and `$SID` for an Engine.IO connection that has been opened.

use protocol::{Opened, ServerEvent};

use crate::memory::Memory;

pub(crate) struct People {
    ann: Opened,
    ben: Opened,
    pair: u64,
}

impl People {
    pub(crate) async fn meet(memory: &Memory) -> Self {
        let open = async || {
            let answer = memory.ask("POST /api/session", "", b"").await;
            let opened: Opened = serde_json::from_slice(&answer.body).expect("a session");
            opened
        };
        let (ann, ben) = (open().await, open().await);
        let events = memory.ask("GET /api/events", &bearer(&ann), b"").await.batch().events;
        let pair = events.iter().find_map(|event| match event.body {
            ServerEvent::Paired { pair } => Some(pair.0),
            _ => None,
        });
        Self { ann, ben, pair: pair.expect("two people are paired") }
    }

    /// The input with the names in it filled in.
    pub(crate) async fn fill(&self, memory: &Memory, input: &[u8]) -> Vec<u8> {
        let mut filled = replace(input, b"$ANN", &self.ann.token);
        filled = replace(&filled, b"$BEN", &self.ben.token);
        filled = replace(&filled, b"$PAIR", &self.pair.to_string());
        if find(&filled, b"$SID").is_some() {
            let open = memory.ask("GET /socket.io/?EIO=4&transport=polling", "", b"").await;
            let sid = sid(&open.body).expect("a connection is opened");
            filled = replace(&filled, b"$SID", &sid);
        }
        filled
    }

    /// Whatever was said, the server lives, and the two can be told what became of them.
    pub(crate) async fn are_well(&self, memory: &Memory) {
        assert_eq!(memory.ask("GET /healthz", "", b"").await.status, 200);
        for person in [&self.ann, &self.ben] {
            let answer = memory.ask("GET /api/events", &bearer(person), b"").await;
            answer.check();
            if answer.status == 200 {
                answer.batch();
            }
        }
        let metrics = memory.ask("GET /metrics", "", b"").await;
        assert_eq!(metrics.status, 200);
    }
}

fn bearer(person: &Opened) -> String {
    format!("Authorization: Bearer {}\r\n", person.token)
}

/// The name that Engine.IO gives to a connection when it opens it.
pub(crate) fn sid(open: &[u8]) -> Option<String> {
    let (_, rest) = std::str::from_utf8(open).ok()?.split_once("\"sid\":\"")?;
    Some(rest.split_once('"')?.0.to_owned())
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn replace(bytes: &[u8], what: &[u8], by: &str) -> Vec<u8> {
    let mut replaced = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(start) = find(rest, what) {
        replaced.extend_from_slice(&rest[..start]);
        replaced.extend_from_slice(by.as_bytes());
        rest = &rest[start + what.len()..];
    }
    replaced.extend_from_slice(rest);
    replaced
}
