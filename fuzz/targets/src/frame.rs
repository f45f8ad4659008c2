//! Frames of WebSocket (RFC 6455), as a client that means no good writes them and as it reads them.

/// The head of a text frame that is whole.
const TEXT: u8 = 0x81;
/// What stands before two hexadecimal digits, the first byte of another frame.
const MARK: u8 = b'!';

/// Asks for a WebSocket; `target` is path and query, `headers` are whole lines.
pub(crate) fn upgrade(target: &str, headers: &str) -> Vec<u8> {
    let request = format!(
        "GET {target} HTTP/1.1\r\nHost: here\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
    );
    request.into_bytes()
}

/// A line of an input as a frame: `!89abc` is a ping with `abc` in it, and what begins with anything
/// else is text.
pub(crate) fn of_line(line: &[u8]) -> Vec<u8> {
    let marked = line.strip_prefix(&[MARK]).and_then(|rest| rest.split_at_checked(2));
    let marked = marked.and_then(|(digits, payload)| {
        let first = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        Some((first, payload))
    });
    let (first, payload) = marked.unwrap_or((TEXT, line));
    masked(first, payload)
}

/// The mask is nothing but zeros, so that an input can be read.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..126 => frame.push(0x80 | length as u8),
        length @ 126..65_536 => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(payload);
    frame
}

/// The texts among the whole frames of a server, which masks nothing.
pub(crate) fn texts(mut bytes: &[u8]) -> Vec<&str> {
    let mut texts = Vec::new();
    while let Some((first, payload, rest)) = split_first(bytes) {
        if first == TEXT {
            texts.push(std::str::from_utf8(payload).expect("a server's text is UTF-8"));
        }
        bytes = rest;
    }
    texts
}

fn split_first(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[first, length], rest) = bytes.split_first_chunk()?;
    let (length, rest) = match length {
        126 => {
            let (length, rest) = rest.split_first_chunk()?;
            (usize::from(u16::from_be_bytes(*length)), rest)
        }
        127 => {
            let (length, rest) = rest.split_first_chunk()?;
            (u64::from_be_bytes(*length) as usize, rest)
        }
        length => (usize::from(length), rest),
    };
    let (payload, rest) = rest.split_at_checked(length)?;
    Some((first, payload, rest))
}
