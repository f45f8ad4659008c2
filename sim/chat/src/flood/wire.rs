//! The bytes of floods: requests, WebSocket frames, and what is read of Engine.IO's answers.

use super::Flood;

/// Asks for a WebSocket.
pub(super) const HANDSHAKE: &str = "GET /api/ws HTTP/1.1\r\nhost: server\r\nconnection: upgrade\r\n\
     upgrade: websocket\r\nsec-websocket-version: 13\r\n\
     sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const SESSION: &str = "POST /api/session HTTP/1.1\r\nhost: server\r\ncontent-length: 0\r\n\r\n";
const STREAM: &str = "GET /api/stream HTTP/1.1\r\nhost: server\r\n\r\n";
const ENGINE_IO: &str = "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nhost: server\r\n\r\n";
const PARKED: &str = "GET /longpolling HTTP/1.1\r\nhost: server\r\n\r\n";
/// The packet that joins the chat.
const JOIN: &str = "40/chat,";
/// What a session id stands behind, in an answer of Engine.IO.
const SID: &[u8] = br#""sid":""#;
/// A session id is shorter than that.
const SID_BYTES_MAX: usize = 64;

/// How a flood goes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form {
    /// This request again and again, on a few connections; what it opens joins the chat, or not.
    Pipelined { request: &'static str, joins: bool },
    /// This command again and again, on a few WebSockets; `{id}` is new each time.
    Commands(&'static str),
    /// Many connections, of which each says this: one for so many of the count.
    Many { words: &'static str, one_in: usize, keep: Keep },
}

/// What becomes of one of many connections.
#[derive(Debug, Clone, Copy)]
pub(super) enum Keep {
    /// It is kept, and what is answered is read.
    Reading,
    /// It is kept, and nothing was asked.
    Waiting,
    /// It is left at once.
    Not,
}

impl Flood {
    pub(super) const fn form(self) -> Form {
        const fn kept(words: &'static str, keep: Keep) -> Form {
            Form::Many { words, one_in: 2, keep }
        }
        match self {
            Self::Sessions => Form::Pipelined { request: SESSION, joins: false },
            Self::EngineIo => Form::Pipelined { request: ENGINE_IO, joins: false },
            Self::SocketIo => Form::Pipelined { request: ENGINE_IO, joins: true },
            Self::Next => Form::Commands(r#"{"type":"next"}"#),
            Self::Say => Form::Commands(r#"{"type":"say","id":"{id}","text":"flood"}"#),
            Self::Ack => Form::Commands(r#"{"type":"ack","seq":1}"#),
            Self::Streams => kept(STREAM, Keep::Reading),
            Self::WebSockets => kept(HANDSHAKE, Keep::Reading),
            Self::Parked => kept(PARKED, Keep::Reading),
            Self::HalfRequests => kept("GET /api/events?after=", Keep::Waiting),
            Self::Connections => Form::Many { words: "", one_in: 1, keep: Keep::Not },
        }
    }
}

/// A masked frame of text, with a mask that changes nothing.
pub(super) fn frame(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).ok().filter(|length| *length < 126);
    let length = length.expect("commands of floods are short");
    [&[0x81, 0x80 | length, 0, 0, 0, 0], text.as_bytes()].concat()
}

/// Joins the chat over the connection of Engine.IO with that id.
pub(super) fn join(sid: &str) -> Vec<u8> {
    let length = JOIN.len();
    format!(
        "POST /socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nhost: server\r\n\
         content-type: text/plain\r\ncontent-length: {length}\r\n\r\n{JOIN}"
    )
    .into_bytes()
}

/// Finds session ids in answers of Engine.IO, which come in pieces.
#[derive(Debug, Default)]
pub(crate) struct Sids(Vec<u8>);

impl Sids {
    /// The ids that end in this piece.
    pub(crate) fn take(&mut self, piece: &[u8]) -> Vec<String> {
        self.0.extend_from_slice(piece);
        let mut sids = Vec::new();
        while let Some(place) = self.0.windows(SID.len()).position(|bytes| bytes == SID) {
            let begin = place + SID.len();
            let Some(length) = self.0[begin..].iter().position(|byte| *byte == b'"') else {
                self.0.drain(..place);
                break;
            };
            sids.push(String::from_utf8_lossy(&self.0[begin..begin + length]).into_owned());
            self.0.drain(..begin + length);
        }
        // What may be the beginning of the next one is enough.
        let spare = self.0.len().saturating_sub(SID.len() + SID_BYTES_MAX);
        self.0.drain(..spare);
        sids
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_found_in_pieces_of_any_length() {
        let answers = r#"HTTP/1.1 200 OK 0{"sid":"one","upgrades":[]} 0{"sid":"two"}"#;
        for length in 1..answers.len() {
            let mut sids = Sids::default();
            let pieces = answers.as_bytes().chunks(length);
            let found: Vec<_> = pieces.flat_map(|piece| sids.take(piece)).collect();
            assert_eq!(found, ["one", "two"], "pieces of {length} bytes");
        }
    }

    #[test]
    fn what_is_kept_of_answers_without_an_id_is_bounded() {
        let mut sids = Sids::default();
        for _ in 0..1_000 {
            assert!(sids.take(b"HTTP/1.1 429 Too Many Requests").is_empty());
        }
        assert!(sids.0.len() <= SID.len() + SID_BYTES_MAX);
    }
}
