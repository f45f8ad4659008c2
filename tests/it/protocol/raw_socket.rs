//! A WebSocket that does only what a test tells it: no pong of its own, no acknowledgement, no
//! closing by itself. What is pinned is what the server says to just that.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::served::Served;

/// Whatever is awaited in these tests comes sooner.
const PATIENCE: Duration = Duration::from_secs(20);
/// The key of the example in RFC 6455, and what it is answered with.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

pub(super) const TEXT: u8 = 1;
pub(super) const BINARY: u8 = 2;
pub(super) const CLOSE: u8 = 8;
pub(super) const PING: u8 = 9;
pub(super) const PONG: u8 = 10;

/// One end of a WebSocket, frame by frame.
pub(super) struct RawSocket {
    stream: TcpStream,
    /// The head of the answer to the upgrade, in small letters.
    pub(super) head: String,
}

/// What the server sends.
#[derive(Debug, PartialEq)]
pub(super) enum Frame {
    Text(Value),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(u16),
    /// The connection has ended.
    End,
}

/// An upgrade; `headers` are whole lines.
pub(super) async fn upgrade(served: &Served, query: &str, headers: &[&str]) -> RawSocket {
    let mut stream = TcpStream::connect(served.addr).await.expect("the server is there");
    let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    let request = format!(
        "GET /api/ws{query} HTTP/1.1\r\nhost: {}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: {KEY}\r\n{lines}\r\n",
        served.addr
    );
    stream.write_all(request.as_bytes()).await.expect("the server listens");
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        let byte = patient(stream.read_u8()).await.expect("the server answers");
        head.push(byte.into());
    }
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert!(head.contains(ACCEPT), "{head}");
    RawSocket { stream, head: head.to_lowercase() }
}

/// An upgrade for a new session; gives its token too.
pub(super) async fn open(served: &Served) -> (RawSocket, String) {
    let mut socket = upgrade(served, "", &[]).await;
    let opened = socket.text().await;
    assert_eq!(opened["type"], "opened");
    let token = opened["token"].as_str().expect("a token").to_owned();
    (socket, token)
}

/// An upgrade that takes a session up.
pub(super) async fn resume(served: &Served, token: &str, query: &str) -> RawSocket {
    upgrade(served, query, &[&format!("authorization: Bearer {token}")]).await
}

async fn patient<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it comes in time")
}

impl RawSocket {
    /// One frame, masked with zeros, which changes nothing.
    pub(super) async fn send(&mut self, opcode: u8, payload: &[u8]) {
        let length = payload.len();
        self.announce(opcode, length).await;
        self.write(payload).await;
    }

    /// The head of a frame of this many bytes, which need not follow.
    pub(super) async fn announce(&mut self, opcode: u8, length: usize) {
        let mut head = vec![0x80 | opcode];
        match u16::try_from(length) {
            Ok(length) if length < 126 => head.push(0x80 | length as u8),
            Ok(length) => {
                head.push(0x80 | 126);
                head.extend(length.to_be_bytes());
            }
            Err(_) => {
                head.push(0x80 | 127);
                head.extend((length as u64).to_be_bytes());
            }
        }
        head.extend([0; 4]);
        self.write(&head).await;
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("the server reads");
    }

    pub(super) async fn say(&mut self, id: &str) {
        let say = serde_json::json!({ "type": "say", "id": id, "text": id });
        self.send(TEXT, say.to_string().as_bytes()).await;
    }

    pub(super) async fn close(&mut self, code: u16) {
        self.send(CLOSE, &code.to_be_bytes()).await;
    }

    pub(super) async fn next(&mut self) -> Frame {
        match patient(self.read()).await {
            Ok(frame) => frame,
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Frame::End,
            Err(error) => panic!("the connection was not ended but torn: {error}"),
        }
    }

    async fn read(&mut self) -> std::io::Result<Frame> {
        let head = self.stream.read_u16().await?;
        assert_eq!(head & 0x7080, 0, "neither extended nor masked");
        let length = match head & 0x7f {
            126 => self.stream.read_u16().await?.into(),
            127 => self.stream.read_u64().await?,
            length => length.into(),
        };
        let mut payload = vec![0; length as usize];
        self.stream.read_exact(&mut payload).await?;
        Ok(match (head >> 8 & 0xf) as u8 {
            TEXT => Frame::Text(serde_json::from_slice(&payload).expect("a text frame is JSON")),
            PING => Frame::Ping(payload),
            PONG => Frame::Pong(payload),
            CLOSE => Frame::Close(u16::from_be_bytes([payload[0], payload[1]])),
            opcode => panic!("the server sends no frame of the kind {opcode}"),
        })
    }

    /// The next text; pings before it are not answered.
    pub(super) async fn text(&mut self) -> Value {
        loop {
            match self.next().await {
                Frame::Text(text) => return text,
                Frame::Ping(_) => {}
                other => panic!("{other:?} where a text was due"),
            }
        }
    }

    /// The next event of this type.
    pub(super) async fn event(&mut self, kind: &str) -> Value {
        loop {
            let event = self.text().await;
            if event["type"] == kind {
                return event;
            }
        }
    }

    /// The code with which the server closes; events before it do not matter. Then the client
    /// closes as well, and the server ends the connection.
    pub(super) async fn closed(mut self) -> u16 {
        let code = loop {
            match self.next().await {
                Frame::Close(code) => break code,
                Frame::End => panic!("the connection ended without a close frame"),
                _ => {}
            }
        };
        self.close(code).await;
        assert_eq!(self.next().await, Frame::End);
        code
    }

    /// The problem of a refusal, and the code of the closing behind it.
    pub(super) async fn refused(mut self) -> (String, u16) {
        let refused = self.event("refused").await;
        let problem = refused["problem"]["type"].as_str().expect("a kind").to_owned();
        (problem, self.closed().await)
    }
}
