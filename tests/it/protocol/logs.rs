//! What the log never tells: tokens, cookies, and what people say to each other.

use std::process::Stdio;
use std::time::Duration;

use client::{Options, TcpConnector, TransportKind};
use protocol::{ClientEvent, Say, ServerEvent};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::Command;

use crate::http::ask;

/// Nothing here takes as long.
const PATIENCE: Duration = Duration::from_secs(20);
/// Whose pages may ask.
const FRIEND: &str = "https://friend.example";
/// What must not be found.
const TEXT: &str = "die Kirschen in Nachbars Garten";

/// Says the text over one transport, and gives the token where the client knows it.
async fn say(addr: std::net::SocketAddr, kind: TransportKind) {
    let person = async || {
        let connector = TcpConnector { target: addr, source: None };
        let options = Options { poll_wait: PATIENCE, ..Options::new(addr.to_string()) };
        client::open(kind, connector, options).await.expect("a session")
    };
    let ((mut ann, _), (_, mut bob)) = (person().await, person().await);
    let say = Say { id: "m-1".parse().expect("an id"), text: TEXT.into(), pair: None };
    ann.send(ClientEvent::Say(say)).await.expect("the server is there");
    let is_said = |event: &protocol::Event| matches!(&event.body, ServerEvent::Message { text, .. } if &**text == TEXT);
    let heard =
        async { while !bob.receive().await.expect("it goes on").events.iter().any(is_said) {} };
    tokio::time::timeout(PATIENCE, heard).await.expect("it is heard in time");
}

#[tokio::test]
async fn at_no_level_is_a_secret_or_a_message_logged() {
    let mut server = Command::new(env!("CARGO_BIN_EXE_racetrack"))
        .args(["serve", "--addr", "127.0.0.1:0", "--log", "json"])
        .args(["--allowed-origins", FRIEND])
        .env("RUST_LOG", "trace")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the program can be started");
    let mut stderr = server.stderr.take().expect("standard error is a pipe");
    let log = tokio::spawn(async move {
        let mut log = String::new();
        stderr.read_to_string(&mut log).await.map(|_| log)
    });
    let stdout = server.stdout.take().expect("standard output is a pipe");
    let line = BufReader::new(stdout).lines().next_line().await.expect("a readable line");
    let line = line.expect("it says where it listens");
    let addr = line.rsplit('/').next().and_then(|addr| addr.parse().ok()).expect("an address");

    for kind in TransportKind::ALL {
        say(addr, kind).await;
    }
    let opened = ask("POST /api/session").of(addr).await.json();
    let token = opened["token"].as_str().expect("a token").to_owned();
    let cookie = format!("racetrack_session={token}");
    let ask_with =
        ask("GET /api/events").header("cookie", &cookie).header("x-requested-with", "it");
    assert_eq!(ask_with.of(addr).await.status, 200);
    let issued = ask("POST /api/ticket").bearer(&token).header("origin", FRIEND).of(addr).await;
    let ticket = issued.json()["ticket"].as_str().expect("a ticket").to_owned();
    for ticket in [ticket.as_str(), &format!("{ticket}0")] {
        let head = ask(&format!("HEAD /api/stream?ticket={ticket}")).header("origin", FRIEND);
        assert!([200, 401].contains(&head.of(addr).await.status));
    }
    let pid = server.id().expect("the server runs").to_string();
    let killed = Command::new("kill").args(["-INT", &pid]).status().await;
    assert!(killed.expect("kill is there").success());
    // The people above are gone without a word, and nobody waits for them twice.
    let killed = Command::new("kill").args(["-INT", &pid]).status().await;
    assert!(killed.expect("kill is there").success());
    let log = log.await.expect("the test does not panic").expect("a readable log");

    let lines = log.lines().map(|line| {
        serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|_| panic!("{line}"))
    });
    let levels: Vec<_> = lines.map(|line| line["level"].clone()).collect();
    assert!(levels.iter().any(|level| level == "TRACE"), "this was to be the whole log");
    let (_, secret) = token.split_once('-').expect("a session and a secret");
    let code = ticket.rsplit('-').next().expect("the last part");
    let tells = |line: &&str| [TEXT, secret, code].iter().any(|it| line.contains(it));
    let telling: Vec<_> = log.lines().filter(tells).take(5).collect();
    assert!(telling.is_empty(), "{telling:#?}");
}
