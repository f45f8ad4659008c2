//! Payloads of Engine.IO 3, cut where engineioxide would never come to an end of them.
//!
//! A payload is `LENGTH:PACKET`, again and again, and a length counts the units of UTF-16. One that
//! ends between the two units of a letter is wrong. engineioxide-core 0.2.3 sees that where the
//! payload ends with the letter; where anything follows, it looks at the same letter for ever, and
//! its thread serves nobody any more. What follows such a letter is therefore never shown to it.
//! Nothing else is judged here.

use axum::body::Body;
use axum::extract::Request;
use futures_util::{StreamExt, stream};

/// The same request with a body that Engine.IO 3 can read to its end. A body that is too long, or
/// breaks off, is handed on as such.
pub(super) async fn readable(request: Request, bytes_max: usize) -> Request {
    let (parts, body) = request.into_parts();
    let mut chunks = body.into_data_stream();
    let mut payload = Vec::new();
    while payload.len() <= bytes_max {
        match chunks.next().await {
            Some(Ok(chunk)) => payload.extend_from_slice(&chunk),
            Some(Err(error)) => {
                let broken = stream::iter([Err::<Vec<u8>, _>(error)]);
                return Request::from_parts(parts, Body::from_stream(broken));
            }
            None => break,
        }
    }
    if let Some(end) = split_letter(&payload) {
        payload.truncate(end);
    }
    Request::from_parts(parts, Body::from(payload))
}

/// The end of the first letter that a length splits. What is no payload has none: Engine.IO refuses
/// it by itself.
fn split_letter(payload: &[u8]) -> Option<usize> {
    let mut start = 0;
    loop {
        let rest = &payload[start..];
        let digits = rest.iter().position(|byte| *byte == b':')?;
        let length: usize = std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()?;
        start += digits + 1;
        match packet_end(&payload[start..], length)? {
            Ok(end) => start += end,
            Err(end) => return Some(start + end),
        }
    }
}

/// Where a packet of so many units ends; as an error, where the letter ends that is split. None where
/// there is less text than that.
fn packet_end(text: &[u8], length: usize) -> Option<Result<usize, usize>> {
    if length == 0 {
        return Some(Ok(0));
    }
    let text = text.utf8_chunks().next()?.valid();
    let mut units = 0;
    for (start, letter) in text.char_indices() {
        units += letter.len_utf16();
        let end = start + letter.len_utf8();
        if units >= length {
            return Some(if units == length { Ok(end) } else { Err(end) });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_of_whole_letters_is_left_alone() {
        for payload in ["", "1:2", "1:21:3", "6:4hello1:3", "3:4😀1:2", "0:1:2", "2:😀"] {
            assert_eq!(split_letter(payload.as_bytes()), None, "{payload}");
        }
    }

    #[test]
    fn a_payload_is_cut_behind_the_letter_that_a_length_splits() {
        for (payload, kept) in [
            ("1:😀x", "1:😀"),
            ("2:4😀1:2", "2:4😀"),
            ("1:22:4😀1:2", "1:22:4😀"),
            ("0:+1:😀\u{7f}", "0:+1:😀"),
        ] {
            assert_eq!(split_letter(payload.as_bytes()), Some(kept.len()), "{payload}");
        }
    }

    #[test]
    fn what_is_no_payload_is_for_engine_io_to_refuse() {
        for payload in [b"x:\xff".as_slice(), b"5:ab", b"99999999999999999999:a", b"2:a\xffb"] {
            assert_eq!(split_letter(payload), None, "{}", payload.escape_ascii());
        }
    }
}
