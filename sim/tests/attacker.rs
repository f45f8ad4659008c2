//! An attacker, who floods each way in and each command, pipelined and from one address. Others, at
//! addresses of their own, get in, are not closed, and hear what they say within a bound.

use std::time::Duration;

use client::{Options, TransportKind};
use server::config::Config;
use server::protocol::{ClientEvent, Say, ServerEvent, Speaker};
use sim::plan::quick_server;
use sim::testbed::{Client, Testbed};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};

const SERVER: &str = "server";
/// When the attack begins. Requests are on their way at once, commands when somebody else is there.
const ATTACK: Duration = Duration::from_millis(300);
/// When others come, while the attack goes on.
const ARRIVAL: Duration = Duration::from_millis(600);
/// How long others take to get in at most.
const OPENING_MAX: Duration = Duration::from_secs(1);
/// How long others take at most to hear what they said.
const ECHO_MAX: Duration = Duration::from_secs(1);
/// How long others stay.
const STAY: Duration = Duration::from_secs(4);
/// Connections of the attacker, and requests on each.
const CONNECTIONS: usize = 4;
const REQUESTS: usize = 100;
/// Commands of the attacker in one write: with two events each, more than a mailbox holds.
const COMMANDS: usize = 300;

/// A server that is full soon, with limits for an address of the same proportion as usual.
fn small() -> Config {
    Config {
        sessions_max: 200,
        sessions_per_address_max: 20,
        opens_per_address_burst_max: 20,
        opens_per_address_per_s_max: 1,
        ..quick_server()
    }
}

/// The same server without these limits, as it once was.
fn unguarded() -> Config {
    Config {
        sessions_per_address_max: 0,
        opens_per_address_per_s_max: 0,
        nexts_per_s_max: 10_000,
        nexts_burst_max: 10_000,
        commands_per_s_max: 10_000,
        commands_burst_max: 10_000,
        ..small()
    }
}

/// What is flooded.
#[derive(Debug, Clone, Copy)]
enum Flood {
    /// These requests, on several connections at once.
    Requests(&'static str),
    /// This command, on one WebSocket; `_` is its number.
    Commands(&'static str),
}

const FLOODS: [(&str, Flood); 7] = [
    (
        "sessions",
        Flood::Requests("POST /api/session HTTP/1.1\r\nhost: server\r\ncontent-length: 0\r\n\r\n"),
    ),
    (
        "Engine.IO connections",
        Flood::Requests("GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nhost: server\r\n\r\n"),
    ),
    ("streams", Flood::Requests("GET /api/stream HTTP/1.1\r\nhost: server\r\n\r\n")),
    ("parked requests", Flood::Requests("GET /longpolling HTTP/1.1\r\nhost: server\r\n\r\n")),
    ("next", Flood::Commands(r#"{"type":"next"}"#)),
    ("say", Flood::Commands(r#"{"type":"say","id":"f_","text":"flood"}"#)),
    ("ack", Flood::Commands(r#"{"type":"ack","seq":1}"#)),
];

const HANDSHAKE: &str = "GET /api/ws HTTP/1.1\r\nhost: server\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// A masked frame of text, with a mask that changes nothing.
fn frame(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).expect("commands are short");
    [&[0x81, 0x80 | length, 0, 0, 0, 0], text.as_bytes()].concat()
}

async fn attack(attacker: Client<String>, flood: Flood) -> turmoil::Result {
    sleep(ATTACK).await;
    let (connections, greeting, bytes) = match flood {
        Flood::Requests(request) => (CONNECTIONS, "", request.repeat(REQUESTS).into_bytes()),
        Flood::Commands(command) => {
            let frames =
                (0..COMMANDS).flat_map(|number| frame(&command.replace('_', &number.to_string())));
            (1, HANDSHAKE, frames.collect())
        }
    };
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..connections {
        let (attacker, bytes) = (attacker.clone(), bytes.clone());
        writers.spawn_local(async move {
            let Ok(stream) = attacker.connect(SERVER).await else { return };
            let (mut reader, mut writer) = tokio::io::split(stream);
            let reading = async { while matches!(reader.read(&mut [0; 4096]).await, Ok(1..)) {} };
            let writing = async {
                if !greeting.is_empty() {
                    writer.write_all(greeting.as_bytes()).await?;
                    // Until somebody is there to be met.
                    sleep(2 * ARRIVAL).await;
                }
                writer.write_all(&bytes).await
            };
            // Whatever comes of it: the server may end the connection.
            let _both = tokio::join!(reading, writing);
        });
    }
    let _over = timeout(STAY + ARRIVAL, writers.join_all()).await;
    Ok(())
}

/// Somebody who wants to talk; notes what must not happen, and how often everything went well.
async fn talk(other: Client<String>, kind: TransportKind) -> turmoil::Result {
    sleep(ARRIVAL).await;
    let options = Options { poll_interval: Duration::from_millis(50), ..Options::new(SERVER) };
    let opening = timeout(OPENING_MAX, client::open(kind, other.connector(SERVER), options)).await;
    let (mut sender, mut receiver) = match opening {
        Ok(Ok(halves)) => halves,
        Ok(Err(error)) => {
            other.note(format!("does not get in: {error}"));
            return Ok(());
        }
        Err(_) => {
            other.note(format!("is not in after {OPENING_MAX:?}"));
            return Ok(());
        }
    };
    let now = || turmoil::sim_elapsed().expect("within a host");
    let mut said = Vec::new();
    let staying = async {
        loop {
            let events = match receiver.receive().await {
                Ok(received) => received.events,
                Err(error) => return other.note(format!("is cut off: {error}")),
            };
            for event in events {
                match event.body {
                    ServerEvent::Paired { .. } => {
                        let text = format!("{}-{}", other.name(), said.len());
                        let id = text.parse().expect("the text is short enough to be an id");
                        let say = Say { id, text: text.into(), pair: None };
                        said.push(now());
                        if let Err(error) = sender.send(ClientEvent::Say(say)).await {
                            other.note(format!("cannot speak: {error}"));
                        }
                    }
                    ServerEvent::Message { from: Speaker::Me, id, .. } => {
                        let number = id.as_str().rsplit('-').next().and_then(|it| it.parse().ok());
                        let number: usize = number.expect("ids end with a number");
                        let took = now() - said[number];
                        let is_late = took > ECHO_MAX;
                        other.note(if is_late {
                            format!("hears after {took:?}")
                        } else {
                            "ok".to_owned()
                        });
                    }
                    ServerEvent::Closing { reason, .. } => {
                        return other.note(format!("is closed: {reason:?}"));
                    }
                    _ => {}
                }
            }
        }
    };
    let _over = timeout(STAY, staying).await;
    Ok(())
}

/// What `ann` and `bob` complain of during that flood, or that they never heard themselves.
fn complaints(config: fn() -> Config, flood: Flood, kind: TransportKind, seed: u64) -> Vec<String> {
    let run = Testbed::new(seed)
        .server(SERVER, move |listener| server::serve(listener, config(), std::future::pending()))
        .client("mallory", move |mallory| attack(mallory, flood))
        .client("ann", move |ann| talk(ann, kind))
        .client("bob", move |bob| talk(bob, kind))
        .run();
    let history = match run {
        Ok(run) => run.history,
        Err(error) => return vec![error],
    };
    let unheard = ["ann", "bob"].into_iter().filter(|who| history.iter().all(|it| it.who != *who));
    let unheard = unheard.map(|who| format!("{who} is never heard"));
    let bad = history.iter().filter(|it| it.what != "ok");
    bad.map(|it| format!("{} {} at {:?}", it.who, it.what, it.at)).chain(unheard).collect()
}

/// What is found during each flood, for each transport of the others.
fn found(config: fn() -> Config) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    for (name, flood) in FLOODS {
        for (seed, kind) in TransportKind::ALL.into_iter().enumerate() {
            let complaints = complaints(config, flood, kind, seed as u64);
            found.extend(complaints.iter().map(|it| (name, format!("{name}, {kind}: {it}"))));
        }
    }
    found
}

fn lines(found: &[(&str, String)]) -> String {
    found.iter().map(|(_, line)| format!("{line}\n")).collect()
}

#[test]
fn floods_from_one_address_leave_the_others_alone() {
    let found = found(small);
    assert!(found.is_empty(), "{}", lines(&found));
}

#[test]
fn a_flood_of_sessions_is_found_where_an_address_has_no_limits() {
    let found = found(unguarded);
    assert!(found.iter().any(|(name, _)| *name == "sessions"), "{}", lines(&found));
}
