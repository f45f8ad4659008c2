//! Recorded bytes as text: HTTP messages, frames of WebSocket behind an upgrade, and names in place of
//! what differs from run to run.
//!
//! `>` is what the client sent, `<` what the server sent. A line of a head ends with CR LF on the wire. A
//! frame begins with its first byte in hexadecimal; that it has the shortest length, and a mask only
//! from the client, is asserted.

use super::recording::Connection;

/// Between two packets of one payload of Engine.IO.
const SEPARATOR: &str = "\x1e";

pub(super) struct Transcript {
    replaced: Vec<(String, String)>,
}

/// One HTTP message.
struct Message {
    head: String,
    body: Vec<u8>,
}

/// A request and its answer as they are written down.
#[derive(PartialEq)]
struct Exchange {
    request: String,
    head: String,
    body: String,
}

impl Transcript {
    pub(super) fn new() -> Self {
        Self { replaced: Vec::new() }
    }

    /// Writes `name` wherever `value` stands.
    pub(super) fn replace(&mut self, value: &str, name: &str) {
        self.replaced.push((value.to_owned(), name.to_owned()));
    }

    /// Writes `name` wherever a field of JSON has this number.
    pub(super) fn replace_field(&mut self, field: &str, value: u64, name: &str) {
        self.replace(&format!("\"{field}\":{value}"), &format!("\"{field}\":{name}"));
    }

    pub(super) fn of(mut self, connections: &[Connection]) -> String {
        for connection in connections {
            self.name_connections_of_engine_io(&String::from_utf8_lossy(&connection.received));
        }
        let mut text = String::new();
        for (number, connection) in (1..).zip(connections) {
            text += &format!("connection {number}\n");
            text += &self.connection(connection);
        }
        text
    }

    fn name_connections_of_engine_io(&mut self, received: &str) {
        for part in received.split(r#""sid":""#).skip(1) {
            let sid = part.split('"').next().unwrap_or_default();
            if self.replaced.iter().all(|(value, _)| value != sid) {
                let name = format!("SID{}", self.replaced.len());
                self.replace(sid, &name);
            }
        }
    }

    fn connection(&self, connection: &Connection) -> String {
        let (mut sent, mut received) = (&connection.sent[..], &connection.received[..]);
        let mut exchanges: Vec<Exchange> = Vec::new();
        while !sent.is_empty() {
            let (request, answer) = (read_message(&mut sent), read_message(&mut received));
            let request = self.head('>', &request) + &self.payload('>', &request.body);
            let (head, mut body) = (self.head('<', &answer), self.payload('<', &answer.body));
            if answer.head.starts_with("HTTP/1.1 101 ") {
                body += &self.frames('>', &mut sent);
                body += &self.frames('<', &mut received);
            }
            match exchanges.last_mut() {
                Some(last) if is_repeated_poll(&request, last) && head == last.head => {
                    last.body += &body;
                }
                _ => exchanges.push(Exchange { request, head, body }),
            }
        }
        assert_eq!(received, b"", "everything that the server sent belongs to a request");
        exchanges
            .into_iter()
            .map(|exchange| exchange.request + &exchange.head + &exchange.body)
            .collect()
    }

    fn head(&self, side: char, message: &Message) -> String {
        let mut text = String::new();
        for line in message.head.lines() {
            let line = match line.split_once(": ") {
                Some(("date", _)) => "date: DATE",
                Some(("content-length", length)) => {
                    assert_eq!(length, message.body.len().to_string(), "{}", message.head);
                    "content-length: LENGTH"
                }
                Some(("sec-websocket-key" | "Sec-WebSocket-Key", _)) => "sec-websocket-key: KEY",
                Some(("sec-websocket-accept", _)) => "sec-websocket-accept: ACCEPT",
                _ => line,
            };
            text += format!("{side} {}", self.named(line)).trim_end();
            text += "\n";
        }
        text
    }

    /// A body, a line for each packet or line of it.
    fn payload(&self, side: char, body: &[u8]) -> String {
        let body = self.named(std::str::from_utf8(body).expect("bodies are text"));
        let lines = body.lines().flat_map(|line| line.split(SEPARATOR));
        lines.map(|line| format!("{side} {line}").trim_end().to_owned() + "\n").collect()
    }

    fn frames(&self, side: char, bytes: &mut &[u8]) -> String {
        let mut text = String::new();
        while !bytes.is_empty() {
            let (first, payload) = read_frame(side == '>', bytes);
            let payload = match first & 0xf {
                8 => format!("{}", u16::from_be_bytes([payload[0], payload[1]])),
                _ => self.named(std::str::from_utf8(&payload).expect("frames are text")),
            };
            text += format!("{side} {first:02x} {payload}").trim_end();
            text += "\n";
        }
        text
    }

    fn named(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (value, name) in &self.replaced {
            text = text.replace(value, name);
        }
        timeless(&text)
    }
}

/// True for the same poll of Engine.IO once more: how many packets one answer holds depends on time.
fn is_repeated_poll(request: &str, last: &Exchange) -> bool {
    request.starts_with("> GET /socket.io/") && request == last.request
}

/// Takes one HTTP message off the front. The last answer of a connection may have no end.
fn read_message(bytes: &mut &[u8]) -> Message {
    let end = position(bytes, b"\r\n\r\n").expect("a head has an end");
    let head = std::str::from_utf8(&bytes[..end + 2]).expect("a head is text");
    assert_eq!(head.matches('\n').count(), head.matches("\r\n").count(), "{head}");
    let head = head.replace("\r\n", "\n");
    *bytes = &bytes[end + 4..];
    let field =
        |name: &str| head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let body = match field("content-length").map(|length| length.parse().expect("a number")) {
        Some(length) => take(bytes, length),
        None if field("transfer-encoding") == Some("chunked") => read_chunks(bytes),
        None => Vec::new(),
    };
    Message { head, body }
}

/// Takes the chunks of one body off the front, with the last one if there is one.
fn read_chunks(bytes: &mut &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = position(bytes, b"\r\n") {
        let size = std::str::from_utf8(&bytes[..end]).expect("a size is text");
        let size = usize::from_str_radix(size, 16).expect("a size is hexadecimal");
        *bytes = &bytes[end + 2..];
        body.extend(take(bytes, size));
        assert_eq!(take(bytes, 2), b"\r\n");
        if size == 0 {
            break;
        }
    }
    body
}

/// Takes one frame off the front; gives its first byte and its payload without the mask.
fn read_frame(is_masked: bool, bytes: &mut &[u8]) -> (u8, Vec<u8>) {
    let head = take(bytes, 2);
    assert_eq!(head[1] & 0x80 != 0, is_masked, "only frames of the client have a mask");
    let length = match head[1] & 0x7f {
        126 => {
            let length = take(bytes, 2);
            let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
            assert!(length >= 126, "the length takes as few bytes as it can");
            length
        }
        length => {
            assert!(length < 126, "no frame of the conversation is that long");
            usize::from(length)
        }
    };
    let mask = if is_masked { take(bytes, 4) } else { vec![0; 4] };
    let payload = take(bytes, length);
    (head[0], payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect())
}

fn take(bytes: &mut &[u8], count: usize) -> Vec<u8> {
    let (taken, rest) = bytes.split_at(count);
    *bytes = rest;
    taken.to_vec()
}

fn position(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// The text with `TIME` in place of every time.
fn timeless(text: &str) -> String {
    let (mut left, mut written) = (text, String::new());
    while !left.is_empty() {
        let time = left.get(..TIME.len()).filter(|text| is_time(text));
        let skipped = match time {
            Some(time) => {
                written += "TIME";
                time.len()
            }
            None => {
                let letter = left.chars().next().expect("it is not empty");
                written.push(letter);
                letter.len_utf8()
            }
        };
        left = &left[skipped..];
    }
    written
}

/// How the server writes a time, with `0` for any digit.
const TIME: &str = "0000-00-00T00:00:00.000Z";

fn is_time(text: &str) -> bool {
    text.chars().zip(TIME.chars()).all(|(letter, wanted)| match wanted {
        '0' => letter.is_ascii_digit(),
        wanted => letter == wanted,
    })
}
