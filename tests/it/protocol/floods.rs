//! One client floods the server with commands; the partner, who reads, keeps session and conversation.

use std::time::Duration;

use client::{ClientError, Options, TcpConnector, TransportKind};
use protocol::{ServerEvent, Speaker};
use serde_json::{Value, json};
use server::config::Config;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::engine::{Polling, Socket, arguments};
use super::raw_socket::{RawSocket, open};
use crate::http::ask;
use crate::served::{Served, serve};

/// Whatever is awaited in these tests comes sooner.
const PATIENCE: Duration = Duration::from_secs(20);
/// Requests for another partner: with two events each, more than a mailbox holds.
const NEXTS: usize = 130;
/// More acknowledgements than may come at once.
const ACKS: usize = 300;
const TOO_FAST: &str = "/problems/too-fast";
const LAST_WORDS: &str = "still here";

/// Rates that allow no more in the course of a test than at its beginning.
fn strict() -> Config {
    Config {
        notice_interval_ms: 3_600_000,
        nexts_per_s_max: 1,
        commands_per_s_max: 1,
        ..Config::default()
    }
}

/// Reads until the attacker's last words, or until the session ends; gives what it was told last.
fn victim(served: &Served, kind: TransportKind) -> JoinHandle<ServerEvent> {
    let connector = TcpConnector { target: served.addr, source: None };
    let poll_interval = Duration::from_millis(20);
    let options = Options { poll_interval, ..Options::new(served.addr.to_string()) };
    tokio::spawn(async move {
        let (_sender, mut receiver) =
            client::open(kind, connector, options).await.expect("there is room");
        loop {
            let received = match receiver.receive().await {
                Ok(received) => received,
                Err(ClientError::Closed) => panic!("{kind}: the session is over"),
                Err(error) => panic!("{kind}: {error}"),
            };
            for event in received.events {
                match event.body {
                    ServerEvent::Message { from: Speaker::Partner, .. }
                    | ServerEvent::Closing { .. } => return event.body,
                    _ => {}
                }
            }
        }
    })
}

/// One way to send many commands in one write.
enum Attacker {
    Websocket(RawSocket),
    SocketioWebsocket(Socket),
    SocketioPolling(Polling),
    Http(String),
}

const WAYS: [&str; 4] = ["WebSocket", "Socket.IO, WebSocket", "Socket.IO, polling", "HTTP"];

impl Attacker {
    /// Somebody who is paired with the one who waits.
    async fn paired(served: &Served, way: &str) -> Self {
        match way {
            "WebSocket" => {
                let (mut socket, _) = open(served).await;
                socket.event("paired").await;
                Self::Websocket(socket)
            }
            "Socket.IO, WebSocket" => {
                let mut socket = Socket::chat(served, "{}").await;
                socket.event("paired").await;
                Self::SocketioWebsocket(socket)
            }
            "Socket.IO, polling" => {
                let mut polling = Polling::chat(served, "{}").await;
                polling.event("paired").await;
                Self::SocketioPolling(polling)
            }
            _ => Self::Http(served.token().await),
        }
    }

    /// Sends a command so many times, and behind them a message; gives the refusals, unless the server
    /// has ended the attacker's connection.
    async fn flood(
        &mut self,
        served: &Served,
        command: &Value,
        times: usize,
    ) -> Option<Vec<Value>> {
        let name = command["type"].as_str().expect("a command has a type");
        let packet = format!("42/chat,{}", json!([name, command]));
        let last = json!({ "id": "last", "text": LAST_WORDS });
        let last_packet = format!("42/chat,{}", json!(["say", last]));
        match self {
            Self::Websocket(socket) => {
                let frames = vec![frame(command); times].concat();
                socket.write(&frames).await;
                socket.say("last").await;
                let mut refused = Vec::new();
                loop {
                    let text = socket.text().await;
                    match text["type"].as_str() {
                        Some("refused") => refused.push(text["problem"].clone()),
                        Some("message") => return Some(refused),
                        _ => {}
                    }
                }
            }
            Self::SocketioWebsocket(socket) => {
                for packet in vec![packet; times].iter().chain([&last_packet]) {
                    socket.send(packet).await;
                }
                let mut refused = Vec::new();
                while let Some(packet) = socket.next().await {
                    if !packet.starts_with("42/chat,") {
                        continue;
                    }
                    if arguments(&packet)[1]["id"] == "last" {
                        // As many waited as may.
                        socket.send(&last_packet).await;
                    } else if is_over(&packet, &mut refused) {
                        return Some(refused);
                    }
                }
                // It wrote faster than the server has room for refusals, and was thrown out.
                None
            }
            Self::SocketioPolling(polling) => {
                let packets = vec![&*packet; times];
                assert_eq!(polling.post(&packets).await.status, 200);
                assert_eq!(polling.post(&[&*last_packet]).await.status, 200);
                let mut refused = Vec::new();
                loop {
                    let packet = polling.until("42/chat,").await;
                    if is_over(&packet, &mut refused) {
                        return Some(refused);
                    }
                }
            }
            Self::Http(token) => {
                let refused = pipelined(served, token, command, times).await;
                assert_eq!(served.say(token, "last", LAST_WORDS).await.status, 202);
                Some(refused)
            }
        }
    }
}

/// A text frame that is masked with zeros.
fn frame(command: &Value) -> Vec<u8> {
    let payload = command.to_string().into_bytes();
    let length = u8::try_from(payload.len()).expect("a command is short");
    [vec![0x81, 0x80 | length, 0, 0, 0, 0], payload].concat()
}

/// True for the echo of the last words; takes note of a refusal.
fn is_over(packet: &str, refused: &mut Vec<Value>) -> bool {
    let arguments = arguments(packet);
    if arguments[0] == "refused" {
        refused.push(arguments[1]["problem"].clone());
    }
    arguments[2]["type"] == "message"
}

/// The same command over and over on one connection, in one write.
async fn pipelined(served: &Served, token: &str, command: &Value, times: usize) -> Vec<Value> {
    let path = command["type"].as_str().expect("a command has a type");
    let body = command.to_string();
    let request = |connection| {
        format!(
            "POST /api/{path} HTTP/1.1\r\nhost: test\r\nconnection: {connection}\r\n\
             authorization: Bearer {token}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let requests = request("keep-alive").repeat(times - 1) + &request("close");
    let mut stream = TcpStream::connect(served.addr).await.expect("the server is there");
    stream.write_all(requests.as_bytes()).await.expect("the server listens");
    let mut answers = String::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_string(&mut answers)).await;
    read.expect("the server closes").expect("the server is there");
    assert_eq!(answers.matches("HTTP/1.1 ").count(), times);
    let problems = answers.split("HTTP/1.1 429 ").skip(1).map(|answer| {
        let problem = answer.split("\r\n\r\n").nth(1).expect("a problem has a body");
        let end = problem.rfind('}').expect("a problem is an object");
        serde_json::from_str(&problem[..=end]).expect("a problem is JSON")
    });
    problems.collect()
}

/// Floods from each transport, with a partner on each.
async fn check(command: &Value, times: usize, at_once: u32, words: &str) {
    for way in WAYS {
        for kind in TransportKind::ALL {
            let served = serve(strict()).await;
            let victim = victim(&served, kind);
            while !ask("GET /metrics").of(served.addr).await.body.contains("sessions 1\n") {}
            let mut attacker = Attacker::paired(&served, way).await;
            let refused = attacker.flood(&served, command, times).await;
            if refused.is_none() {
                let other = served.token().await;
                let last = async || served.say(&other, "last", LAST_WORDS).await.status;
                while last().await != 202 {}
            }
            let told = tokio::time::timeout(PATIENCE, victim).await.expect("it is told in time");
            let told = told.expect("the victim's connection holds");
            let text = match &told {
                ServerEvent::Message { text, .. } => &**text,
                other => panic!("{way} to {kind}: {other:?}"),
            };
            // Over a WebSocket the last words are their own id.
            assert!([LAST_WORDS, "last"].contains(&text), "{way} to {kind}: {text}");
            let Some(refused) = refused else { continue };
            let allowed = times - refused.len();
            let at_once = at_once as usize;
            assert!((at_once..=at_once + 10).contains(&allowed), "{way} to {kind}: {allowed}");
            for problem in refused {
                assert_eq!(problem["type"], TOO_FAST);
                assert_eq!(problem["status"], 429);
                let detail = problem["detail"].as_str().expect("a problem has a detail");
                // Socket.IO lets only so many wait.
                let waits = detail.ends_with("commands are waiting; send slower");
                assert!(waits || detail.starts_with(words), "{detail}");
            }
        }
    }
}

#[tokio::test]
async fn a_flood_of_nexts_is_refused_and_the_partner_stays() {
    let at_once = Config::default().nexts_burst_max;
    let words = "too many requests for another partner; the next one is welcome in ";
    check(&json!({ "type": "next" }), NEXTS, at_once, words).await;
}

#[tokio::test]
async fn a_flood_of_acknowledgements_is_refused_and_the_partner_stays() {
    let at_once = Config::default().commands_burst_max;
    let words = "too many commands; the next one is welcome in ";
    check(&json!({ "type": "ack", "seq": 0 }), ACKS, at_once, words).await;
}

/// Without any rate, the mailboxes alone protect whoever reads.
#[tokio::test]
async fn a_flood_without_a_rate_closes_nobody_who_reads() {
    let config = Config { nexts_burst_max: 1_000_000, mailbox_events_max: 64, ..strict() };
    for kind in TransportKind::ALL {
        let served = serve(config.clone()).await;
        let victim = victim(&served, kind);
        while !ask("GET /metrics").of(served.addr).await.body.contains("sessions 1\n") {}
        let token = served.token().await;
        let refused = pipelined(&served, &token, &json!({ "type": "next" }), NEXTS).await;
        assert_eq!(refused, Vec::<Value>::new(), "{kind}");
        // Both are paired again as soon as they have read.
        let last = async {
            let mut after = 0;
            while served.say(&token, "last", LAST_WORDS).await.status != 202 {
                after = read(&served, &token, after).await["next"].as_u64().expect("a cursor");
            }
        };
        tokio::time::timeout(PATIENCE, last).await.expect("it is said in time");
        let told = tokio::time::timeout(PATIENCE, victim).await.expect("it is told in time");
        let told = told.expect("the victim's connection holds");
        assert!(matches!(told, ServerEvent::Message { .. }), "{kind}: {told:?}");
    }
}

#[tokio::test]
async fn a_full_mailbox_refuses_messages_until_it_is_read_and_loses_none() {
    let config = Config { mailbox_events_max: 16, messages_burst_max: 100, ..strict() };
    let served = serve(config).await;
    let (ann, bob) = served.couple().await;
    let (mut said, mut bob_at) = (0, 0);
    let refused = loop {
        bob_at = read(&served, &bob, bob_at).await["next"].as_u64().expect("a cursor");
        let answer = served.say(&bob, &format!("b-{said}"), "hello").await;
        match answer.status {
            202 => said += 1,
            _ => break answer,
        }
    };
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")));
    assert_eq!(refused.json()["type"], "/problems/mailbox-full");
    assert_eq!(refused.json()["detail"], "the partner's mailbox is full; try again in 1000 ms");
    let batch = read(&served, &ann, 0).await;
    let heard = batch["events"].as_array().expect("events");
    let heard = heard.iter().filter(|event| event["type"] == "message").count();
    assert_eq!(heard, said, "what was accepted is there");
    read(&served, &ann, batch["next"].as_u64().expect("a cursor")).await;
    assert_eq!(served.say(&bob, "last", LAST_WORDS).await.status, 202);
}

/// What a short poll brings.
async fn read(served: &Served, token: &str, after: u64) -> Value {
    let poll = format!("GET /api/events?after={after}");
    ask(&poll).bearer(token).of(served.addr).await.json()
}
