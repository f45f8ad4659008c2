//! Engine.IO by hand, over plain HTTP and over a WebSocket: packets go out as a test writes them
//! and come in as they stand on the wire. It answers no ping and sends nothing by itself.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::http::{Answer, ask};
use crate::served::Served;

/// Whatever is awaited in these tests comes sooner.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// One connection by long-polling.
pub(super) struct Polling {
    server: SocketAddr,
    /// Path and query of every further request.
    target: String,
    version: u8,
    /// The answer to the first request.
    pub(super) open: Value,
    /// Packets that were read and not yet looked at.
    read: Vec<String>,
}

impl Polling {
    /// Opens a connection; `query` may add fields, each with its `&`.
    pub(super) async fn open(served: &Served, version: u8, query: &str) -> Self {
        let target = format!("/socket.io/?EIO={version}&transport=polling{query}");
        let answer = ask(&format!("GET {target}")).of(served.addr).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let packets = split(&answer.body, version);
        let open = packets[0].strip_prefix('0').expect("OPEN comes first");
        let open: Value = serde_json::from_str(open).expect("OPEN is JSON");
        let sid = open["sid"].as_str().expect("OPEN has a name");
        let target = format!("/socket.io/?EIO={version}&transport=polling&sid={sid}");
        let read = packets[1..].to_vec();
        let mut polling = Self { server: served.addr, target, version, open, read };
        if version == 4 {
            // The first ping goes out at once; behind it, polls are answered by the chat alone.
            polling.until("2").await;
        }
        polling
    }

    /// Opens a connection of today's protocol and joins the chat.
    pub(super) async fn chat(served: &Served, auth: &str) -> Self {
        let mut polling = Self::open(served, 4, "").await;
        assert_eq!(polling.post(&[&format!("40/chat,{auth}")]).await.body, "ok");
        polling.until("42/chat,[\"session\"").await;
        polling
    }

    /// Sends packets in one request.
    pub(super) async fn post(&self, packets: &[&str]) -> Answer {
        let body = match self.version {
            3 => packets.iter().map(|p| format!("{}:{p}", p.encode_utf16().count())).collect(),
            _ => packets.join("\x1e"),
        };
        let ask = ask(&format!("POST {}", self.target)).text(&body);
        ask.of(self.server).await
    }

    /// Sends a payload of bytes, as old clients do that have something binary to send.
    pub(super) async fn post_bytes(&self, payload: &[u8]) -> Answer {
        let head = format!("POST {}", self.target);
        let ask = ask(&head).bytes(payload).header("content-type", "application/octet-stream");
        ask.of(self.server).await
    }

    /// One poll.
    pub(super) async fn get(&self) -> Answer {
        ask(&format!("GET {}", self.target)).of(self.server).await
    }

    /// Polls until a packet begins like this; gives it. What came before it is passed over.
    pub(super) async fn until(&mut self, beginning: &str) -> String {
        let mut seen = Vec::new();
        loop {
            while !self.read.is_empty() {
                let packet = self.read.remove(0);
                if packet.starts_with(beginning) {
                    return packet;
                }
                seen.push(packet);
            }
            let answer = self.get().await;
            assert_eq!(answer.status, 200, "no {beginning}: {answer:?} after {seen:#?}");
            self.read = split(&answer.body, self.version);
        }
    }

    /// The next event of the mailbox of this type, as a program sees it.
    pub(super) async fn event(&mut self, kind: &str) -> Value {
        loop {
            let event = event(&self.until("42/chat,[\"msg\"").await);
            if event["type"] == kind {
                return event;
            }
        }
    }

    /// Begins a poll and cuts its connection.
    pub(super) async fn cut_a_poll(&self) {
        let mut stream = TcpStream::connect(self.server).await.expect("the server is there");
        let poll = format!("GET {} HTTP/1.1\r\nhost: test\r\n\r\n", self.target);
        stream.write_all(poll.as_bytes()).await.expect("the server listens");
    }

    /// The query that upgrades this connection.
    pub(super) fn upgrade(&self) -> String {
        self.target.replace("polling", "websocket")
    }
}

/// The packets of one HTTP body.
fn split(body: &str, version: u8) -> Vec<String> {
    if version == 4 {
        return body.split('\x1e').map(str::to_owned).collect();
    }
    let mut packets = Vec::new();
    let mut rest = body;
    while let Some((length, packet)) = rest.split_once(':') {
        let length: usize = length.parse().expect("a packet has its length in front");
        let mut units = 0;
        let end = packet.char_indices().find(|(_, letter)| {
            let is_end = units == length;
            units += letter.len_utf16();
            is_end
        });
        let (packet, behind) = packet.split_at(end.map_or(packet.len(), |(at, _)| at));
        packets.push(packet.to_owned());
        rest = behind;
    }
    packets
}

/// The second argument of a `msg`.
pub(super) fn event(packet: &str) -> Value {
    arguments(packet)[2].clone()
}

/// The name of an event and its arguments.
pub(super) fn arguments(packet: &str) -> Value {
    let at = packet.find('[').expect("an event has arguments");
    serde_json::from_str(&packet[at..]).expect("arguments are JSON")
}

/// One connection over a WebSocket.
pub(super) struct Socket(WebSocketStream<TcpStream>);

impl Socket {
    pub(super) async fn open(served: &Served, target: &str) -> Self {
        let stream = TcpStream::connect(served.addr).await.expect("the server is there");
        let url = format!("ws://{}{target}", served.addr);
        let (socket, _) = client_async(url, stream).await.expect("the server upgrades");
        Self(socket)
    }

    /// Opens a connection of today's protocol and joins the chat.
    pub(super) async fn chat(served: &Served, auth: &str) -> Self {
        let mut socket = Self::open(served, "/socket.io/?EIO=4&transport=websocket").await;
        socket.send(&format!("40/chat,{auth}")).await;
        socket.until("42/chat,[\"session\"").await;
        socket
    }

    pub(super) async fn send(&mut self, packet: &str) {
        self.send_frame(Message::text(packet)).await;
    }

    /// Sends a frame of any kind.
    pub(super) async fn send_frame(&mut self, frame: Message) {
        self.0.send(frame).await.expect("the server reads");
    }

    /// Sends several packets in one write.
    pub(super) async fn send_together(&mut self, packets: &[&str]) {
        for packet in packets {
            self.0.feed(Message::text(*packet)).await.expect("the server reads");
        }
        self.0.flush().await.expect("the server reads");
    }

    /// Sends bytes as they are.
    pub(super) async fn send_bytes(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).await.expect("the server reads");
    }

    /// The next packet; none when the connection has ended.
    pub(super) async fn next(&mut self) -> Option<String> {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.0.next()).await;
            match next.expect("it comes in time")?.ok()? {
                Message::Text(text) => return Some(text.as_str().to_owned()),
                Message::Close(_) => return None,
                _ => {}
            }
        }
    }

    /// Reads until a packet begins like this; gives it. What came before it is passed over.
    pub(super) async fn until(&mut self, beginning: &str) -> String {
        let mut seen = Vec::new();
        loop {
            let Some(packet) = self.next().await else {
                panic!("no {beginning} after {seen:#?}");
            };
            if packet.starts_with(beginning) {
                return packet;
            }
            seen.push(packet);
        }
    }

    /// The next event of the mailbox of this type, as a program sees it.
    pub(super) async fn event(&mut self, kind: &str) -> Value {
        loop {
            let event = event(&self.until("42/chat,[\"msg\"").await);
            if event["type"] == kind {
                return event;
            }
        }
    }
}
