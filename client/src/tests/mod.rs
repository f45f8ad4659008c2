//! Clients against a server that is played by hand, over in-memory streams and simulated time.
//!
//! A test accepts each connection itself and says, byte for byte, what comes over it.

mod polling;
mod socketio;
mod socketio_polling;
mod sse;
mod websocket;

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::mpsc;

use crate::{Connect, Options, Receiver, Resume, Sender, TransportKind};
use protocol::{ClientEvent, Say, Seq, SessionId};

const OPENED: &str = r#"{"session":7,"token":"abc","next":0}"#;
const PROBLEM: &str =
    r#"{"type":"/problems/rate","title":"Too many messages","status":429,"detail":"wait 1 s"}"#;

/// Makes connections whose other ends come out of [`Listener`].
#[derive(Clone)]
struct Wire {
    dials: mpsc::UnboundedSender<DuplexStream>,
    buffer_bytes: usize,
}

struct Listener(mpsc::UnboundedReceiver<DuplexStream>);

fn wire(buffer_bytes: usize) -> (Wire, Listener) {
    let (dials, accepted) = mpsc::unbounded_channel();
    (Wire { dials, buffer_bytes }, Listener(accepted))
}

impl Connect for Wire {
    type Stream = DuplexStream;

    async fn connect(&self) -> io::Result<DuplexStream> {
        let (near, far) = duplex(self.buffer_bytes);
        self.dials.send(far).map_err(|_| io::Error::from(io::ErrorKind::ConnectionRefused))?;
        Ok(near)
    }
}

impl Listener {
    async fn accept(&mut self) -> Peer {
        Peer(self.0.recv().await.expect("the client dials"))
    }

    fn nobody_dialled(&mut self) -> bool {
        self.0.try_recv().is_err()
    }
}

/// The server's end of one connection.
struct Peer(DuplexStream);

impl Peer {
    /// One request, head and body, as text.
    async fn request(&mut self) -> String {
        let mut text = Vec::new();
        while !is_whole(&text) {
            let byte = self.0.read_u8().await.expect("the client sends a whole request");
            text.push(byte);
        }
        String::from_utf8(text).expect("requests are text")
    }

    async fn answer(&mut self, status: u16, body: &str) {
        self.answer_with(status, "", body).await;
    }

    async fn answer_with(&mut self, status: u16, headers: &str, body: &str) {
        let length = body.len();
        let text =
            format!("HTTP/1.1 {status} x\r\n{headers}content-length: {length}\r\n\r\n{body}");
        self.0.write_all(text.as_bytes()).await.expect("the client reads");
    }

    /// The client has closed this connection.
    async fn is_closed(&mut self) -> bool {
        matches!(self.0.read(&mut [0]).await, Ok(0))
    }
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head.split_once("content-length: ").map_or(0, |(_, rest)| {
        let digits = rest.split("\r\n").next().expect("split gives one part");
        digits.parse().expect("a length is a number")
    });
    body.len() >= length
}

fn options() -> Options {
    Options::new("test:3000")
}

fn resuming(after: u64) -> Options {
    let resume = Resume { session: SessionId(7), token: "abc".to_owned(), after: Seq(after) };
    Options { resume: Some(resume), ..options() }
}

fn say(id: &str) -> ClientEvent {
    let id = id.parse().expect("a short id");
    ClientEvent::Say(Say { id, text: "hello".into(), pair: None })
}

fn event(seq: u64) -> String {
    format!(r#"{{"seq":{seq},"at":"2026-01-01T00:00:00.000Z","type":"notice","online":2}}"#)
}

fn closing(seq: u64) -> String {
    format!(r#"{{"seq":{seq},"at":"2026-01-01T00:00:00.000Z","type":"closing","reason":"left"}}"#)
}

fn seqs(received: &crate::Received) -> Vec<u64> {
    received.events.iter().map(|event| event.seq.0).collect()
}

#[test]
fn a_client_may_move_between_threads_with_every_future_it_makes() {
    fn send<T: Send>(_: T) {}
    let (wire, _listener) = wire(64);
    send(crate::open(TransportKind::LongPoll, wire, options()));
    let _ = |mut sender: Sender<Wire>, mut receiver: Receiver<Wire>| {
        send(sender.send(ClientEvent::Next { pair: None }));
        send(receiver.receive());
        send((sender, receiver));
    };
}

#[test]
fn a_transport_has_one_name_everywhere() {
    for kind in TransportKind::ALL {
        assert_eq!(kind.to_string().parse(), Ok(kind));
        let json = serde_json::to_string(&kind).expect("a name");
        assert_eq!(json, format!("\"{kind}\""));
    }
    assert!("carrier-pigeon".parse::<TransportKind>().is_err());
}
