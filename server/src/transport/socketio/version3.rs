//! Payloads of Engine.IO 3, as engineioxide and socketioxide can read them.
//!
//! A payload is `LENGTH:PACKET`, again and again, and a length counts the units of UTF-16. One that
//! ends between the two units of a letter is wrong. engineioxide-core 0.2.3 sees that where the
//! payload ends with the letter; where anything follows, it looks at the same letter for ever, and
//! its thread serves nobody any more. What follows such a letter is therefore never shown to it.
//! A payload of bytes is `KIND LENGTH 255 PACKET`, again and again, with a digit of the length a byte.
//!
//! The query of a namespace is replaced in both, as `namespace_query` does it. Nothing else is judged
//! here.

use std::ops::Range;

use axum::body::Body;
use axum::extract::Request;
use axum::http::Uri;
use axum::http::header::CONTENT_TYPE;
use futures_util::{StreamExt, stream};

use super::namespace_query;
use super::polling::field;

/// The media type of a payload of bytes, as engineioxide compares it.
const BYTES: &[u8] = b"application/octet-stream";
/// What stands before a packet in a payload of bytes.
const TEXT_PACKET: u8 = 0;
const LENGTH_END: u8 = 255;

/// True for a request of Engine.IO 3.
pub(super) fn is_meant(uri: &Uri) -> bool {
    field(uri.query().unwrap_or_default(), "EIO") == Some("3")
}

/// The same request with a body that Engine.IO 3 can read to its end. A body that is too long, or
/// breaks off, is handed on as such.
pub(super) async fn readable(request: Request, bytes_max: usize) -> Request {
    let (parts, body) = request.into_parts();
    let is_bytes = parts.headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes() == BYTES);
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
    if is_bytes {
        mend_bytes(&mut payload);
    } else {
        mend(&mut payload);
    }
    Request::from_parts(parts, Body::from(payload))
}

/// Cuts a payload of text behind a letter that a length splits. What is no payload is left alone: Engine.IO
/// refuses it by itself.
fn mend(payload: &mut Vec<u8>) {
    let mut start = 0;
    while let Some(packet) = packet(payload, start) {
        match packet {
            Ok(packet) => {
                start = packet.end;
                namespace_query::replace(&mut payload[packet]);
            }
            Err(end) => return payload.truncate(end),
        }
    }
}

/// The packet whose length stands there; as an error, where the letter ends that this splits.
fn packet(payload: &[u8], start: usize) -> Option<Result<Range<usize>, usize>> {
    let rest = &payload[start..];
    let digits = rest.iter().position(|byte| *byte == b':')?;
    let length: usize = std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()?;
    let start = start + digits + 1;
    let end = packet_end(&payload[start..], length)?;
    Some(end.map(|end| start..start + end).map_err(|end| start + end))
}

/// The packets of a payload of text.
pub(super) fn packets(payload: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let packet = packet(payload, start)?.ok()?;
        start = packet.end;
        Some(&payload[packet])
    })
}

/// Replaces what there is to replace in a payload of bytes.
fn mend_bytes(payload: &mut [u8]) {
    let mut rest = payload;
    while let Some((kind, behind)) = rest.split_first_mut() {
        let Some(digits) = behind.iter().position(|byte| *byte == LENGTH_END) else { return };
        let length = behind[..digits].iter().try_fold(0_usize, |length, digit| {
            length.checked_mul(10)?.checked_add(usize::from(*digit))
        });
        let packet = &mut behind[digits + 1..];
        let Some(length) = length.filter(|length| *length <= packet.len()) else { return };
        let (packet, behind) = packet.split_at_mut(length);
        if *kind == TEXT_PACKET {
            namespace_query::replace(packet);
        }
        rest = behind;
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

    fn mended(payload: impl AsRef<[u8]>) -> String {
        let mut payload = payload.as_ref().to_vec();
        mend(&mut payload);
        payload.escape_ascii().to_string()
    }

    fn plain(payload: impl AsRef<[u8]>) -> String {
        payload.as_ref().escape_ascii().to_string()
    }

    #[test]
    fn a_payload_of_whole_letters_is_left_alone() {
        for payload in ["", "1:2", "1:21:3", "6:4hello1:3", "3:4😀1:2", "0:1:2", "2:😀"] {
            assert_eq!(mended(payload), plain(payload), "{payload}");
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
            assert_eq!(mended(payload), plain(kept), "{payload}");
        }
    }

    #[test]
    fn what_is_no_payload_is_for_engine_io_to_refuse() {
        for payload in [b"x:\xff".as_slice(), b"5:ab", b"99999999999999999999:a", b"2:a\xffb"] {
            assert_eq!(mended(payload), plain(payload));
        }
    }

    #[test]
    fn query_of_a_namespace_is_replaced_in_each_connect_of_a_payload() {
        for (payload, expected) in [
            ("12:40/chat?a=1,", "12:40/chat,a=1 "),
            ("11:40/chat?a=1", "11:40/chat,a=1"),
            ("1:213:40/chat?a=😀,12:40/echo?a=1,", "1:213:40/chat,a=😀 12:40/echo,a=1 "),
            ("8:40/chat,13:42/chat,[\"?\"]", "8:40/chat,13:42/chat,[\"?\"]"),
        ] {
            assert_eq!(mended(payload), plain(expected), "{payload}");
        }
    }

    #[test]
    fn query_of_a_namespace_is_replaced_in_text_packets_of_a_payload_of_bytes() {
        for (payload, expected) in [
            (b"\0\x01\x02\xff40/chat?a=1,".as_slice(), b"\0\x01\x02\xff40/chat,a=1 ".as_slice()),
            (b"\x01\x05\xff\x0440/?\0\x05\xff40/?,", b"\x01\x05\xff\x0440/?\0\x05\xff40/, "),
            (b"\0\x09\xff40/?,", b"\0\x09\xff40/?,"),
            (b"\0\xc8\xc8\xff40/?,", b"\0\xc8\xc8\xff40/?,"),
        ] {
            let mut payload = payload.to_vec();
            mend_bytes(&mut payload);
            assert_eq!(plain(payload), plain(expected));
        }
    }
}
