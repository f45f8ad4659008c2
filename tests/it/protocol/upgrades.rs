//! The upgrade from polling to a WebSocket: until the client has sent `5`, it may fail in any way, and
//! the polling connection goes on as if there had been none.

use std::time::Duration;

use server::config::Config;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;

use super::engine::{PATIENCE, Polling, Socket, arguments, event};
use crate::http::ask;
use crate::served::{Served, serve};

/// How often a poll without events may be answered in [`SILENCE`]; the reference does so ten times.
const NOOPS_MAX: usize = 10;
const SILENCE: Duration = Duration::from_secs(1);

/// Nothing ends by itself while a test runs.
fn patient() -> Config {
    Config {
        notice_interval_ms: 3_600_000,
        heartbeat_interval_ms: 60_000,
        heartbeat_timeout_ms: 60_000,
        poll_grace_ms: 20_000,
        upgrade_ms_max: 60_000,
        ..Config::default()
    }
}

/// What becomes of an attempt to upgrade.
#[derive(Debug, Clone, Copy)]
enum Failure {
    BrokenBeforeProbe,
    BrokenBehindProbe,
    Silent,
    SilentBehindProbe,
    Closed,
    Packet(&'static str),
    Binary,
    TooLong,
    NotWebSocket,
}

impl Failure {
    const ALL: [Self; 11] = [
        Self::BrokenBeforeProbe,
        Self::BrokenBehindProbe,
        Self::Silent,
        Self::SilentBehindProbe,
        Self::Closed,
        Self::Packet(""),
        Self::Packet("2"),
        Self::Packet("40/chat,"),
        Self::Binary,
        Self::TooLong,
        Self::NotWebSocket,
    ];

    /// Makes the attempt; gives the socket where it is still open.
    async fn happen(self, served: &Served, polling: &Polling) -> Option<Socket> {
        let mut socket = Socket::open(served, &polling.upgrade()).await;
        match self {
            Self::BrokenBeforeProbe => return None,
            Self::Silent => return Some(socket),
            Self::NotWebSocket => {
                socket.send_bytes(b"GET / HTTP/1.1\r\n\r\n").await;
                return Some(socket);
            }
            _ => {}
        }
        socket.send("2probe").await;
        assert_eq!(socket.next().await.as_deref(), Some("3probe"));
        match self {
            Self::BrokenBehindProbe => return None,
            Self::Closed => socket.send_frame(Message::Close(None)).await,
            Self::Packet(packet) => socket.send(packet).await,
            Self::Binary => socket.send_frame(Message::binary(b"5".as_slice())).await,
            Self::TooLong => socket.send(&"5".repeat(4_096)).await,
            _ => {}
        }
        Some(socket)
    }
}

/// Opens a connection and joins the chat as clients of that version do.
async fn chat(served: &Served, version: u8) -> Polling {
    if version == 4 {
        return Polling::chat(served, "{}").await;
    }
    let mut polling = Polling::open(served, version, "").await;
    polling.until("40").await;
    assert_eq!(polling.post(&["40/chat,"]).await.body, "ok");
    polling.until("42/chat,[\"session\"").await;
    polling
}

/// Everything that somebody who polls over plain HTTP was told so far.
async fn told(served: &Served, token: &str) -> String {
    ask("GET /api/events?after=0").bearer(token).of(served.addr).await.body
}

/// Both say something, and both hear it.
async fn talk(served: &Served, ann: &mut Polling, partner: &str, what: &str) {
    assert_eq!(served.say(partner, what, what).await.status, 202, "{what}");
    while ann.event("message").await["text"] != what {}
    let reply = format!("reply to {what}");
    assert_eq!(ann.post(&[&format!("42/chat,[\"msg\",\"{reply}\"]")]).await.body, "ok");
    let asked = Instant::now();
    while !told(served, partner).await.contains(&reply) {
        assert!(asked.elapsed() < PATIENCE, "nobody hears the {reply}");
    }
}

#[tokio::test]
async fn a_failed_upgrade_leaves_the_polling_connection_alone() {
    for version in [3, 4] {
        for failure in Failure::ALL {
            let served = serve(patient()).await;
            let mut ann = chat(&served, version).await;
            let partner = served.token().await;
            ann.event("paired").await;
            let what = format!("{failure:?}, Engine.IO {version}").replace('"', "'");
            let _kept = failure.happen(&served, &ann).await;
            talk(&served, &mut ann, &partner, &what).await;
            talk(&served, &mut ann, &partner, &format!("{what}, later")).await;
            assert!(!told(&served, &partner).await.contains("partner_left"), "{what}");
        }
    }
}

#[tokio::test]
async fn a_failed_upgrade_leaves_any_namespace_alone() {
    for failure in Failure::ALL {
        let served = serve(patient()).await;
        let mut ann = Polling::open(&served, 4, "").await;
        ann.post(&["40/echo,"]).await;
        ann.until("40/echo,").await;
        let _kept = failure.happen(&served, &ann).await;
        ann.post(&["42/echo,[\"msg\",\"hello\"]"]).await;
        let echo = arguments(&ann.until("42/echo,").await);
        assert!(echo[1].as_str().is_some_and(|words| words.starts_with("Send from")), "{echo}");
    }
}

#[tokio::test]
async fn a_silent_upgrade_does_not_answer_poll_after_poll() {
    for (version, noop) in [(3, "1:6"), (4, "6")] {
        for failure in [Failure::Silent, Failure::SilentBehindProbe] {
            let served = serve(patient()).await;
            let mut ann = chat(&served, version).await;
            let partner = served.token().await;
            ann.event("paired").await;
            let _silent = failure.happen(&served, &ann).await;
            let polls = async {
                for noops in 0.. {
                    let answer = ann.get().await;
                    if answer.body.contains("end of silence") {
                        return noops;
                    }
                    assert_eq!((answer.status, answer.body.as_str()), (200, noop), "{failure:?}");
                }
                unreachable!("it has no end")
            };
            let silence = async {
                tokio::time::sleep(SILENCE).await;
                served.say(&partner, "1", "end of silence").await;
            };
            let (noops, ()) = tokio::join!(polls, silence);
            assert!(noops <= NOOPS_MAX, "{noops} polls, {failure:?}, Engine.IO {version}");
        }
    }
}

/// The clients of Node wait for the poll under way before they send `5`, and that poll may have begun
/// after the first NOOP.
#[tokio::test]
async fn each_poll_that_waits_during_a_probe_is_answered_soon() {
    let served = serve(patient()).await;
    let mut ann = Polling::chat(&served, "{}").await;
    ann.event("waiting").await;
    let mut socket = Failure::SilentBehindProbe.happen(&served, &ann).await.expect("it is open");
    assert_eq!(ann.get().await.body, "6");
    assert_eq!(ann.get().await.body, "6");
    let _partner = served.token().await;
    socket.send("5").await;
    socket.event("paired").await;
}

#[tokio::test]
async fn what_follows_the_upgrade_packet_in_one_write_is_not_lost() {
    for version in [3, 4] {
        for packets in [["2probe", "5"].as_slice(), &["5"], &["2probe", "2probe", "5"]] {
            let served = serve(patient()).await;
            let mut ann = chat(&served, version).await;
            let partner = served.token().await;
            ann.event("paired").await;
            let mut socket = Socket::open(&served, &ann.upgrade()).await;
            let message = "42/chat,[\"msg\",\"at once\"]";
            socket.send_frame(Message::Ping("first".into())).await;
            socket.send_together(&[packets, &[message, message]].concat()).await;
            for _ in 0..2 {
                let packet = socket.until("42/chat,[\"msg\",\"[나]").await;
                assert_eq!(event(&packet)["text"], "at once");
            }
            served.say(&partner, "1", "here").await;
            while socket.event("message").await["text"] != "here" {}
        }
    }
}

#[tokio::test]
async fn an_upgrade_ends_by_itself_and_may_be_tried_again() {
    for failure in [Failure::Silent, Failure::SilentBehindProbe] {
        let served = serve(Config { upgrade_ms_max: 300, ..patient() }).await;
        let mut ann = chat(&served, 4).await;
        let partner = served.token().await;
        ann.event("paired").await;
        let mut late = failure.happen(&served, &ann).await.expect("it is open");
        assert_eq!(late.next().await, None, "{failure:?}");
        talk(&served, &mut ann, &partner, "and the polls go on").await;
        let mut socket = Socket::open(&served, &ann.upgrade()).await;
        socket.send_together(&["2probe", "5"]).await;
        served.say(&partner, "1", "upgraded").await;
        while socket.event("message").await["text"] != "upgraded" {}
    }
}

#[tokio::test]
async fn one_upgrade_is_tried_at_a_time_and_none_behind_it() {
    let served = serve(patient()).await;
    let mut ann = chat(&served, 4).await;
    let partner = served.token().await;
    ann.event("paired").await;
    let mut first = Failure::SilentBehindProbe.happen(&served, &ann).await.expect("it is open");
    assert_eq!(handshake(&served, &ann.upgrade()).await, 400, "the second at a time");
    first.send("5").await;
    served.say(&partner, "1", "upgraded").await;
    while first.event("message").await["text"] != "upgraded" {}
    assert_eq!(handshake(&served, &ann.upgrade()).await, 400, "one behind the first");
    served.say(&partner, "2", "still there").await;
    while first.event("message").await["text"] != "still there" {}
    let unknown = "/socket.io/?EIO=4&transport=websocket&sid=AAAAAAAAAAAAAAAA";
    assert_eq!(handshake(&served, unknown).await, 400, "an unknown connection");
}

#[tokio::test]
async fn an_upgrade_ends_with_its_connection() {
    let served = serve(patient()).await;
    let ann = chat(&served, 4).await;
    let mut socket = Failure::SilentBehindProbe.happen(&served, &ann).await.expect("it is open");
    assert_eq!(ann.post(&["1"]).await.status, 200);
    assert_eq!(socket.next().await, None);
}

#[tokio::test]
async fn upgrade_under_way_holds_no_shutdown_up() {
    for failure in [Failure::Silent, Failure::SilentBehindProbe] {
        let mut served = serve(Config { drain_ms_max: 3_600_000, ..patient() }).await;
        let mut ann = chat(&served, 4).await;
        ann.event("waiting").await;
        let mut socket = failure.happen(&served, &ann).await.expect("it is open");
        served.shut_down();
        assert_eq!(socket.next().await, None, "{failure:?}");
        assert_eq!(handshake(&served, &ann.upgrade()).await, 503);
        assert_eq!(ann.event("closing").await["reason"], "draining");
        tokio::time::timeout(PATIENCE, served.ended()).await.expect("nothing holds it up");
    }
}

/// The status with which a handshake is answered.
async fn handshake(served: &Served, target: &str) -> u16 {
    let ask = ask(&format!("GET {target}")).header("connection", "upgrade");
    let ask = ask.header("upgrade", "websocket").header("sec-websocket-version", "13");
    ask.header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==").of(served.addr).await.status
}

#[tokio::test]
async fn readers_are_counted_over_the_websocket_as_soon_as_a_client_has_upgraded() {
    let readers = async |served: &Served, over: &str| {
        let metrics = ask("GET /metrics").of(served.addr).await.body;
        metrics.contains(&format!("racetrack_readers{{transport=\"{over}\"}} 1\n"))
    };
    for version in [3, 4] {
        let served = serve(patient()).await;
        let mut ann = chat(&served, version).await;
        ann.event("waiting").await;
        assert!(readers(&served, "socketio-polling").await);
        let mut socket = Socket::open(&served, &ann.upgrade()).await;
        socket.send("2probe").await;
        assert_eq!(socket.next().await.as_deref(), Some("3probe"));
        assert!(readers(&served, "socketio-polling").await, "an attempt changes nothing");
        socket.send("5").await;
        // Nothing is said and nothing is told meanwhile.
        let upgraded = async { while !readers(&served, "socketio-websocket").await {} };
        tokio::time::timeout(PATIENCE, upgraded).await.expect("counted without an event");
    }
}
