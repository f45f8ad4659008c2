//! The query behind a namespace, as Socket.IO 2 sends it.
//!
//! ```text
//!   40/chat?token=T&after=6,    what `io(url + "/chat", { query })` sends over Engine.IO 3
//!   40/chat,token=T&after=6     what the engine is given: the namespace, and the query as payload
//! ```
//!
//! socketioxide takes all of `/chat?token=T` for the name of a namespace, and there is none of that
//! name. A CONNECT of Socket.IO 2 has no payload, so the query can stand in its place. Two bytes are
//! replaced and none is added or left out: the lengths of packets and frames stay right, and the bytes
//! are replaced while they pass. Everything else is passed on as it came, and nothing is kept.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A message of Engine.IO that holds a CONNECT to a namespace with a name.
const CONNECT: &[u8] = b"40/";
/// The first byte of a frame of a WebSocket: its opcode, and the bit of all others (RFC 6455, section
/// 5.2).
const OPCODE: u8 = 0x0f;
const CONTROL: u8 = 0x08;
const CONTINUATION: u8 = 0x00;
const TEXT: u8 = 0x01;
/// The second byte.
const IS_MASKED: u8 = 0x80;
/// What the length of a frame says of itself where it is longer than that.
const LENGTH_16: u8 = 126;
const LENGTH_64: u8 = 127;

/// How far one packet has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packet {
    /// So many bytes, all of which are those of a CONNECT.
    Kind(usize),
    Namespace,
    Query,
    /// Nothing behind this is replaced.
    Rest,
}

impl Packet {
    pub(super) const BEGINNING: Self = Self::Kind(0);

    /// Lets the next byte pass, and replaces it where it ends the namespace or its query.
    pub(super) fn pass(&mut self, byte: &mut u8) {
        *self = match *self {
            Self::Kind(seen) if *byte != CONNECT[seen] => Self::Rest,
            Self::Kind(seen) if seen + 1 == CONNECT.len() => Self::Namespace,
            Self::Kind(seen) => Self::Kind(seen + 1),
            Self::Namespace if *byte == b'?' => {
                *byte = b',';
                Self::Query
            }
            Self::Query if *byte == b',' => {
                *byte = b' ';
                Self::Rest
            }
            Self::Namespace if *byte == b',' => Self::Rest,
            passing => passing,
        };
    }
}

/// Replaces what [`Packet::pass`] does in a whole packet.
pub(super) fn replace(packet: &mut [u8]) {
    let mut passed = Packet::BEGINNING;
    packet.iter_mut().for_each(|byte| passed.pass(byte));
}

/// A WebSocket on its way from the client, whose text messages are packets.
pub(super) struct Frames<Io> {
    io: Io,
    at: Frame,
    /// The message that data frames belong to.
    message: Packet,
}

/// Where in a frame the next byte stands.
#[derive(Debug, Clone, Copy)]
enum Frame {
    Opcode,
    Length {
        is_data: bool,
    },
    Extended {
        is_data: bool,
        is_masked: bool,
        missing: u8,
        length: u64,
    },
    Mask {
        is_data: bool,
        missing: u8,
        mask: u32,
        length: u64,
    },
    /// `mask` is turned so that its first byte is that of the next byte.
    Payload {
        is_data: bool,
        mask: u32,
        length: u64,
    },
}

impl<Io> Frames<Io> {
    pub(super) fn new(io: Io) -> Self {
        Self { io, at: Frame::Opcode, message: Packet::Rest }
    }

    fn pass(&mut self, mut bytes: &mut [u8]) {
        while !bytes.is_empty() {
            if let Frame::Payload { is_data, length, mask } = self.at
                && (!is_data || self.message == Packet::Rest)
            {
                let skipped = bytes.len().min(usize::try_from(length).unwrap_or(usize::MAX));
                bytes = &mut bytes[skipped..];
                self.at = Frame::payload(is_data, mask, length - skipped as u64);
                continue;
            }
            let Some((byte, rest)) = bytes.split_first_mut() else { return };
            self.pass_one(byte);
            bytes = rest;
        }
    }

    fn pass_one(&mut self, byte: &mut u8) {
        self.at = match self.at {
            Frame::Opcode => {
                let opcode = *byte & OPCODE;
                let is_data = opcode & CONTROL == 0;
                if opcode == TEXT {
                    self.message = Packet::BEGINNING;
                } else if is_data && opcode != CONTINUATION {
                    self.message = Packet::Rest;
                }
                Frame::Length { is_data }
            }
            Frame::Length { is_data } => {
                let is_masked = *byte & IS_MASKED != 0;
                match *byte & !IS_MASKED {
                    LENGTH_16 => Frame::Extended { is_data, is_masked, missing: 2, length: 0 },
                    LENGTH_64 => Frame::Extended { is_data, is_masked, missing: 8, length: 0 },
                    length => Frame::measured(is_data, is_masked, length.into()),
                }
            }
            Frame::Extended { is_data, is_masked, missing, length } => {
                let length = length << 8 | u64::from(*byte);
                match missing - 1 {
                    0 => Frame::measured(is_data, is_masked, length),
                    missing => Frame::Extended { is_data, is_masked, missing, length },
                }
            }
            Frame::Mask { is_data, missing, mask, length } => {
                let mask = mask << 8 | u32::from(*byte);
                match missing - 1 {
                    0 => Frame::payload(is_data, mask, length),
                    missing => Frame::Mask { is_data, missing, mask, length },
                }
            }
            Frame::Payload { is_data, mask, length } => {
                let [key, ..] = mask.to_be_bytes();
                *byte ^= key;
                self.message.pass(byte);
                *byte ^= key;
                Frame::payload(is_data, mask.rotate_left(8), length - 1)
            }
        };
    }
}

impl Frame {
    /// Behind the length.
    fn measured(is_data: bool, is_masked: bool, length: u64) -> Self {
        if is_masked {
            Self::Mask { is_data, missing: 4, mask: 0, length }
        } else {
            Self::payload(is_data, 0, length)
        }
    }

    /// Where so many bytes are missing.
    fn payload(is_data: bool, mask: u32, length: u64) -> Self {
        if length == 0 { Self::Opcode } else { Self::Payload { is_data, mask, length } }
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for Frames<Io> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let filled_before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        self.pass(&mut buf.filled_mut()[filled_before..]);
        Poll::Ready(Ok(()))
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Frames<Io> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames of a client; the mask is that of the example in RFC 6455, section 5.7.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
        let mut frame = vec![first];
        match payload.len() {
            length @ ..126 => frame.push(0x80 | length as u8),
            length @ ..65_536 => {
                frame.push(0x80 | 126);
                frame.extend((length as u16).to_be_bytes());
            }
            length => {
                frame.push(0x80 | 127);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        frame.extend(MASK);
        frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, key)| byte ^ key));
        frame
    }

    /// Passes bytes in pieces of each length.
    fn check(sent: &[Vec<u8>], expected: &[Vec<u8>]) {
        for piece in [1, 2, 3, 7, usize::MAX] {
            let mut bytes = sent.concat();
            let mut frames = Frames::new(());
            for piece in bytes.chunks_mut(piece.min(sent.concat().len())) {
                frames.pass(piece);
            }
            let expected = expected.concat();
            assert_eq!(bytes.escape_ascii().to_string(), expected.escape_ascii().to_string());
        }
    }

    #[test]
    fn query_becomes_the_payload_of_a_connect_in_frames_of_every_length() {
        for length in [1, 100, 120, 200, 70_000] {
            let name = "a".repeat(length);
            let sent = format!("40/chat?token={name},");
            let expected = format!("40/chat,token={name} ");
            check(&[frame(0x81, sent.as_bytes())], &[frame(0x81, expected.as_bytes())]);
        }
    }

    #[test]
    fn query_is_found_in_fragments_with_a_pong_between() {
        let pong = || frame(0x8a, b"40/a?b,");
        check(
            &[frame(0x01, b"40"), pong(), frame(0x00, b""), frame(0x80, b"/chat?a,?,")],
            &[frame(0x01, b"40"), pong(), frame(0x00, b""), frame(0x80, b"/chat,a ?,")],
        );
    }

    #[test]
    fn everything_but_a_connect_with_a_query_passes_as_it_came() {
        let sent = [
            frame(0x81, b"40/chat,?,"),
            frame(0x82, b"40/chat?a,"),
            frame(0x02, b"40"),
            frame(0x80, b"/chat?a,"),
            frame(0x81, b"42/chat?a,[\"40/chat?a,\"]"),
            frame(0x81, b"41/chat?a,"),
            frame(0x81, b""),
            frame(0x81, b"4"),
            frame(0x81, b"0/chat?a,"),
            frame(0x88, b"\x03\xe840/chat?a,"),
        ];
        check(&sent, &sent);
    }
}
