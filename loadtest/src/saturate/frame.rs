//! WebSocket as a lean client needs it: the handshake, and whole text and control frames.
//!
//! A generator that shares a machine with the servers it compares must cost less a message than
//! the fastest of them. So this reads frames in place and copies nothing; what no server of the
//! line-up sends (fragments, binary, compression) is an error here. It does no input or output.

/// A key that a client may offer once, from RFC 6455, section 1.3; the servers' answer to it is in
/// the same place, so that no hash is needed to check it.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
/// A mask protects caches between a browser and a server, of which there are none here; it costs
/// the server the same whatever it is.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
/// An answer to an upgrade is shorter than this.
const HEAD_BYTES_MAX: usize = 8 * 1024;

const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;

/// What a frame is, as far as the servers use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opcode {
    Text = 1,
    Close = 8,
    Ping = 9,
    Pong = 10,
}

/// One whole frame of a server, in the bytes it came in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    pub(super) opcode: Opcode,
    pub(super) payload: &'a [u8],
    /// Bytes of the frame, its header included.
    pub(super) length: usize,
}

/// The request for an upgrade.
pub(super) fn upgrade_request(host: &str, path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
    )
}

/// The length of the answer to [`upgrade_request`], once it is there in full.
pub(super) fn upgraded(bytes: &[u8]) -> Result<Option<usize>, String> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        let too_long = bytes.len() > HEAD_BYTES_MAX;
        return if too_long {
            Err("an endless answer to the upgrade".to_owned())
        } else {
            Ok(None)
        };
    };
    let head = std::str::from_utf8(&bytes[..end]).map_err(|error| error.to_string())?;
    let is_101 = head.starts_with("HTTP/1.1 101 ");
    let accepted = head.lines().filter_map(|line| line.split_once(':')).any(|(name, value)| {
        name.eq_ignore_ascii_case("sec-websocket-accept") && value.trim() == ACCEPT
    });
    if is_101 && accepted {
        Ok(Some(end + 4))
    } else {
        Err(format!("the upgrade was refused: {}", head.lines().next().unwrap_or_default()))
    }
}

/// Appends one frame of a client.
pub(super) fn write(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8]) {
    out.push(FIN | opcode as u8);
    match u16::try_from(payload.len()) {
        Ok(length @ 0..=125) => out.push(MASKED | length as u8),
        Ok(length) => {
            out.push(MASKED | 126);
            out.extend(length.to_be_bytes());
        }
        Err(_) => {
            out.push(MASKED | 127);
            out.extend((payload.len() as u64).to_be_bytes());
        }
    }
    out.extend(MASK);
    out.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
}

/// The first frame of a server in `bytes`; none while it is incomplete.
pub(super) fn read(bytes: &[u8]) -> Result<Option<Frame<'_>>, String> {
    let [first, second, rest @ ..] = bytes else { return Ok(None) };
    let opcode = match *first {
        0x81 => Opcode::Text,
        0x88 => Opcode::Close,
        0x89 => Opcode::Ping,
        0x8a => Opcode::Pong,
        other => return Err(format!("a frame that begins with {other:#04x}")),
    };
    let lengths: Option<(u64, usize)> = match *second {
        length @ 0..=125 => Some((u64::from(length), 2)),
        126 => rest.first_chunk().map(|length| (u64::from(u16::from_be_bytes(*length)), 4)),
        127 => rest.first_chunk().map(|length| (u64::from_be_bytes(*length), 10)),
        _ => return Err("a masked frame".to_owned()),
    };
    let Some((length, header)) = lengths else { return Ok(None) };
    let end = usize::try_from(length).ok().and_then(|length| length.checked_add(header));
    let end = end.ok_or("a frame that no memory holds")?;
    Ok(bytes.get(header..end).map(|payload| Frame { opcode, payload, length: end }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client's frame as its server would send it.
    fn as_server(payload: &[u8]) -> Vec<u8> {
        let mut masked = Vec::new();
        write(&mut masked, Opcode::Text, payload);
        let header = masked.len() - payload.len() - MASK.len();
        let mut frame = masked[..header].to_vec();
        frame[1] &= !MASKED;
        frame.extend(payload);
        frame
    }

    #[test]
    fn the_example_of_the_standard_is_read_and_written() {
        let expected = Frame { opcode: Opcode::Text, payload: b"Hello", length: 7 };
        assert_eq!(read(b"\x81\x05Hello\x89"), Ok(Some(expected)));
        let mut out = Vec::new();
        write(&mut out, Opcode::Text, b"Hello");
        assert_eq!(out, b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
    }

    #[test]
    fn every_length_is_read_back_and_no_part_of_it_is_a_frame() {
        for length in [0, 1, 125, 126, 300, 65_535, 65_536] {
            let payload = vec![b'x'; length];
            let bytes = as_server(&payload);
            let frame = read(&bytes).expect("valid").expect("complete");
            assert_eq!((frame.payload.len(), frame.length), (length, bytes.len()));
            for end in [0, 1, 2, 3, bytes.len() - 1] {
                assert_eq!(read(&bytes[..end.min(bytes.len() - 1)]), Ok(None), "{length}, {end}");
            }
        }
    }

    #[test]
    fn what_the_line_up_never_sends_is_an_error() {
        for bytes in [&b"\x01\x00"[..], b"\x82\x00", b"\xc1\x00", b"\x81\x80"] {
            assert!(read(bytes).is_err(), "{bytes:?}");
        }
        let endless = [0x81, 127, 255, 255, 255, 255, 255, 255, 255, 255];
        assert_eq!(read(&endless), Err("a frame that no memory holds".to_owned()));
    }

    #[test]
    fn an_upgrade_needs_101_and_the_right_key() {
        let answer = |status: &str, accept: &str| {
            format!("HTTP/1.1 {status}\r\nsec-websocket-accept: {accept}\r\n\r\n\x01")
        };
        let good = answer("101 Switching Protocols", ACCEPT);
        assert_eq!(upgraded(good.as_bytes()), Ok(Some(good.len() - 1)));
        assert_eq!(upgraded(&good.as_bytes()[..good.len() - 2]), Ok(None));
        let refused = upgraded(answer("400 Bad Request", ACCEPT).as_bytes());
        assert_eq!(refused, Err("the upgrade was refused: HTTP/1.1 400 Bad Request".to_owned()));
        assert!(upgraded(answer("101 Switching Protocols", "x").as_bytes()).is_err());
        assert!(upgraded(&[b'x'; HEAD_BYTES_MAX + 1]).is_err());
    }
}
