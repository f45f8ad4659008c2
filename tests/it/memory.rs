//! What the server holds for users who do not read, over each transport: the resident memory of a process
//! of its own, once for users whose mailboxes are as full as they get, and once behind the end of their
//! sessions. The bound is that of docs/src/operations.md.

use std::net::SocketAddr;
use std::time::Duration;

use client::{Options, Receiver, Sender, TcpConnector, TransportKind};
use protocol::{ClientEvent, Event, Say, ServerEvent};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::commands::serve::{Serving, serve};
use crate::http::ask;

const USERS: usize = 200;
/// How many are written to at a time.
const AT_ONCE: usize = 20;
const TEXT_BYTES: usize = 4_000;
/// Messages that a user is spared at first: how many the system takes is not the same for all.
const SPARED: usize = 12;
/// What the system may hold of what a user does not read.
const RECEIVE_BUFFER_BYTES: u32 = 4_096;
const PATIENCE: Duration = Duration::from_secs(120);
/// Nothing is limited and nothing comes by itself; a user who does not read is soon closed as slow.
const LIMITS: [&str; 20] = [
    "--messages-per-s-max",
    "1000000",
    "--messages-burst-max",
    "1000000",
    "--connections-per-address-max",
    "0",
    "--notice-interval-ms",
    "3600000",
    "--heartbeat-interval-ms",
    "3600000",
    "--heartbeat-timeout-ms",
    "3600000",
    "--write-ms-max",
    "3600000",
    "--session-lease-ms",
    "3600000",
    "--first-lease-ms",
    "3600000",
    "--unread-ms-max",
    "500",
];

/// Bytes that one session holds, from server/src/core/mailbox.rs.
const SESSION_BYTES: usize = 300_624;

/// Bytes that a connection holds beside its session.
fn connection_bytes(kind: TransportKind) -> usize {
    match kind {
        TransportKind::Sse => 96 * 1_024,
        TransportKind::ShortPoll | TransportKind::LongPoll | TransportKind::Websocket => 64 * 1_024,
        TransportKind::SocketioWebsocket | TransportKind::SocketioPolling => 128 * 1_024,
    }
}

/// Somebody with a session who does not read.
struct Deaf {
    token: String,
    connections: Vec<TcpStream>,
}

/// The partner of somebody deaf.
struct Partner {
    sender: Sender<TcpConnector>,
    receiver: Receiver<TcpConnector>,
    said: usize,
    /// The conversation has ended, and nothing more is said.
    is_over: bool,
}

async fn patient<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it comes in time")
}

impl Deaf {
    async fn open(server: SocketAddr) -> Self {
        let opened = ask("POST /api/session").of(server).await.json();
        let token = opened["token"].as_str().expect("a session has a token").to_owned();
        Self { token, connections: Vec::new() }
    }

    /// Opens what pushes.
    async fn attach(&mut self, server: SocketAddr, kind: TransportKind) {
        match kind {
            TransportKind::ShortPoll | TransportKind::LongPoll => {}
            TransportKind::Sse => self.request(server, "GET /api/stream?after=0", "").await,
            TransportKind::Websocket => {
                self.upgrade(server, "/api/ws?after=0").await;
            }
            TransportKind::SocketioWebsocket => {
                let connect = self.connect();
                let stream = self.upgrade(server, "/socket.io/?EIO=4&transport=websocket").await;
                let length = u16::try_from(connect.len()).expect("it is short").to_be_bytes();
                // Masked with zeros, which changes nothing.
                let frame =
                    [&[0x81, 0x80 | 126], &length[..], &[0; 4], connect.as_bytes()].concat();
                stream.write_all(&frame).await.expect("the server reads");
            }
            TransportKind::SocketioPolling => {
                let target = "/socket.io/?EIO=4&transport=polling";
                let open = ask(&format!("GET {target}")).of(server).await.body;
                let (_, sid) = open.split_once("\"sid\":\"").expect("OPEN has a name");
                let sid = sid.split('"').next().expect("a name ends");
                let target = format!("{target}&sid={sid}");
                let posted = ask(&format!("POST {target}")).text(&self.connect()).of(server).await;
                assert_eq!(posted.body, "ok");
                self.request(server, &format!("GET {target}"), "").await;
            }
        }
    }

    /// Asks for everything where that is done by polls, and reads the beginning of the answer.
    async fn poll(&mut self, server: SocketAddr, kind: TransportKind) {
        if matches!(kind, TransportKind::ShortPoll | TransportKind::LongPoll) {
            self.request(server, "GET /api/events?after=0&wait_ms=1000", "").await;
            let stream = self.connections.last_mut().expect("it was just opened");
            patient(stream.read_u8()).await.expect("the server answers");
        }
    }

    fn connect(&self) -> String {
        format!("40/chat,{{\"token\":\"{}\",\"after\":0}}", self.token)
    }

    async fn upgrade(&mut self, server: SocketAddr, target: &str) -> &mut TcpStream {
        let upgrade = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
            sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        self.request(server, &format!("GET {target}"), upgrade).await;
        let stream = self.connections.last_mut().expect("it was just opened");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(patient(stream.read_u8()).await.expect("the server answers"));
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", head.escape_ascii());
        stream
    }

    async fn request(&mut self, server: SocketAddr, request: &str, headers: &str) {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES).expect("a size");
        let mut stream = socket.connect(server).await.expect("the server is there");
        let request = format!(
            "{request} HTTP/1.1\r\nhost: {server}\r\nauthorization: Bearer {}\r\n{headers}\r\n",
            self.token
        );
        stream.write_all(request.as_bytes()).await.expect("the server listens");
        self.connections.push(stream);
    }
}

impl Partner {
    async fn open(server: SocketAddr) -> Self {
        let connector = TcpConnector { target: server, source: None };
        let options = Options { silence_max: PATIENCE, ..Options::new(server.to_string()) };
        let opened = client::open(TransportKind::Websocket, connector, options).await;
        let (sender, receiver) = opened.expect("the server is there");
        let mut partner = Self { sender, receiver, said: 0, is_over: false };
        assert!(partner.hears(|event| matches!(event, ServerEvent::Paired { .. })).await);
        partner
    }

    /// Says one thing after another, until so many are said or the session of the deaf has ended; says
    /// whether it has.
    async fn say(&mut self, count: usize) -> bool {
        for _ in 0..count {
            if self.is_over {
                break;
            }
            self.said += 1;
            let id = self.said.to_string();
            let text = "x".repeat(TEXT_BYTES).into();
            let say = Say { id: id.parse().expect("an id"), text, pair: None };
            self.sender.send(ClientEvent::Say(say)).await.expect("the server is there");
            let is_echo = |event: &ServerEvent| matches!(event, ServerEvent::Message { id: it, .. } if it.as_str() == id);
            self.is_over = !self.hears(is_echo).await;
        }
        self.is_over
    }

    /// Reads until this comes, or the end of the conversation, which is false.
    async fn hears(&mut self, is_it: impl Fn(&ServerEvent) -> bool) -> bool {
        loop {
            let news = patient(self.receiver.receive()).await.expect("it goes on");
            let is_end = |event: &Event| matches!(event.body, ServerEvent::PartnerLeft { .. });
            if news.events.iter().any(is_end) {
                return false;
            }
            if news.events.iter().any(|event| is_it(&event.body)) {
                return true;
            }
        }
    }
}

type Couple = (Deaf, Partner);

async fn couple(server: SocketAddr, kind: TransportKind) -> Couple {
    let mut deaf = Deaf::open(server).await;
    let partner = Partner::open(server).await;
    deaf.attach(server, kind).await;
    (deaf, partner)
}

/// Lets each partner say so much, some at a time.
async fn say_to_all(couples: &mut Vec<Couple>, count: usize) -> usize {
    let mut ended = 0;
    let mut waiting = std::mem::take(couples).into_iter();
    loop {
        let speaking: Vec<_> = waiting.by_ref().take(AT_ONCE).collect();
        if speaking.is_empty() {
            return ended;
        }
        let speaking = speaking.into_iter().map(|(deaf, mut partner)| {
            tokio::spawn(async move {
                let has_ended = partner.say(count).await;
                (has_ended, deaf, partner)
            })
        });
        for speaking in speaking.collect::<Vec<_>>() {
            let (has_ended, deaf, partner) = speaking.await.expect("a partner speaks");
            ended += usize::from(has_ended);
            couples.push((deaf, partner));
        }
    }
}

/// Resident memory in bytes.
fn resident(serving: &Serving) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", serving.pid()));
    let status = status.expect("the server runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).expect("a size");
    kib.trim().parse::<usize>().expect("a number") * 1_024
}

/// Waits for a figure.
async fn until(server: SocketAddr, line: &str) {
    patient(async { while !ask("GET /metrics").of(server).await.body.contains(line) {} }).await;
}

#[expect(clippy::print_stdout, reason = "the measured figures, for the book")]
async fn check(kind: TransportKind) {
    let serving = serve(&LIMITS).await;
    let server = serving.addr;
    let (_deaf, mut partner) = couple(server, kind).await;
    while !partner.say(1).await {}
    let fits = partner.said - SPARED;
    partner.sender.send(ClientEvent::Leave).await.expect("the server is there");
    until(server, "racetrack_waiting 0\n").await;

    let mut couples = Vec::new();
    for _ in 0..USERS {
        couples.push(couple(server, kind).await);
    }
    let before = resident(&serving);
    let early = say_to_all(&mut couples, fits).await;
    assert!(early <= USERS / 4, "{early} were closed early");
    for (deaf, _) in &mut couples {
        deaf.poll(server, kind).await;
    }
    let each = |now: usize| now.saturating_sub(before) / USERS;
    let full = each(resident(&serving));
    let ended = say_to_all(&mut couples, 8 * SPARED).await;
    assert_eq!(ended, USERS, "all were closed as slow");
    let closed = each(resident(&serving));

    let bound = SESSION_BYTES + connection_bytes(kind);
    let kib = |bytes: usize| bytes / 1_024;
    println!(
        "{kind}: {fits} messages, {early} closed early, {} KiB full, {} KiB closed, bound {} KiB",
        kib(full),
        kib(closed),
        kib(bound)
    );
    assert!(full > 200 * 1_024, "{kind}: the mailboxes are not full: {} KiB each", kib(full));
    assert!(full <= bound, "{kind}: {} KiB each, bound {}", kib(full), kib(bound));
    assert!(closed <= bound, "{kind}: {} KiB each when closed", kib(closed));
}

#[tokio::test]
async fn user_who_polls_and_does_not_read_holds_no_more_than_promised() {
    check(TransportKind::LongPoll).await;
}

#[tokio::test]
async fn user_of_a_stream_who_does_not_read_holds_no_more_than_promised() {
    check(TransportKind::Sse).await;
}

#[tokio::test]
async fn user_of_a_websocket_who_does_not_read_holds_no_more_than_promised() {
    check(TransportKind::Websocket).await;
}

#[tokio::test]
async fn user_of_socketio_over_websocket_who_does_not_read_holds_no_more_than_promised() {
    check(TransportKind::SocketioWebsocket).await;
}

#[tokio::test]
async fn user_of_socketio_over_polling_who_does_not_read_holds_no_more_than_promised() {
    check(TransportKind::SocketioPolling).await;
}
