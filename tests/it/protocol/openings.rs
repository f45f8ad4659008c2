//! What one address may open that outlives its connection, and that others get in meanwhile.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use expect_test::expect;
use serde_json::json;
use server::config::Config;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

use super::engine::{Polling, Socket, arguments};
use super::raw_socket;
use crate::http::{Answer, ask};
use crate::served::{Served, serve};

/// Nothing here takes as long.
const PATIENCE: Duration = Duration::from_secs(60);
/// Where the flood comes from; everybody else comes from 127.0.0.1.
const FLOODER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// Requests in a flood: more than the places of the server.
const FLOOD: usize = 2_000;

/// Sends this request over and over on one connection without waiting; gives the statuses of the
/// answers, in order.
async fn flood(served: &Served, request: &str) -> Vec<u16> {
    statuses(&answers(served, &vec![without_body(request); FLOOD]).await)
}

fn without_body(request: &str) -> String {
    format!("{request} HTTP/1.1\r\nhost: test\r\n\r\n")
}

/// Sends these requests on one connection without waiting; gives the answers as they stand on the wire.
async fn answers(served: &Served, requests: &[String]) -> String {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(SocketAddr::from((FLOODER, 0))).expect("an address of the loopback");
    let stream = socket.connect(served.addr).await.expect("the server is there");
    let (mut from, mut to) = stream.into_split();
    let count = requests.len();
    let requests = requests.concat();
    let write = async { to.write_all(requests.as_bytes()).await.expect("the server reads") };
    let read = async {
        let mut answers = String::new();
        let mut chunk = vec![0; 1 << 16];
        while answers.matches("HTTP/1.1 ").count() < count {
            let count = from.read(&mut chunk).await.expect("the connection holds");
            assert!(count > 0, "the server has closed");
            answers += std::str::from_utf8(&chunk[..count]).expect("an answer is ASCII");
        }
        answers
    };
    let both = async { tokio::join!(read, write).0 };
    tokio::time::timeout(PATIENCE, both).await.expect("the server answers")
}

fn statuses(answers: &str) -> Vec<u16> {
    let statuses = answers.match_indices("HTTP/1.1 ");
    let status = |(at, words): (usize, &str)| answers[at + words.len()..][..3].parse();
    statuses.map(|found| status(found).expect("a status")).collect()
}

fn count(statuses: &[u16], status: u16) -> usize {
    statuses.iter().filter(|known| **known == status).count()
}

/// Every way in, at once.
async fn gets_in(served: &Served) {
    assert_eq!(ask("POST /api/session").of(served.addr).await.status, 201);
    raw_socket::open(served).await;
    Polling::chat(served, "{}").await;
    Socket::chat(served, "{}").await;
}

#[tokio::test]
async fn flood_of_sessions_from_one_address_leaves_room_for_others() {
    let config =
        Config { sessions_max: FLOOD / 2, sessions_per_address_max: 200, ..Config::default() };
    let served = serve(config).await;
    let statuses = flood(&served, "POST /api/session").await;
    assert_eq!((count(&statuses, 201), count(&statuses, 429)), (200, FLOOD - 200));
    gets_in(&served).await;
    let metrics = ask("GET /metrics").of(served.addr).await.body;
    let refused = "racetrack_rejections_total{reason=\"too-many-sessions\"} 1800\n";
    assert!(metrics.contains(refused), "{metrics}");
}

#[tokio::test]
async fn sessions_that_are_opened_too_fast_are_refused_and_others_get_in() {
    let config = Config {
        sessions_max: FLOOD / 2,
        sessions_per_address_max: 0,
        opens_per_address_burst_max: 100,
        opens_per_address_per_s_max: 1,
        ..Config::default()
    };
    let served = serve(config).await;
    let statuses = flood(&served, "POST /api/session").await;
    let opened = count(&statuses, 201);
    // One a second comes to the burst for as long as this takes.
    assert!((100..100 + PATIENCE.as_secs() as usize).contains(&opened), "{opened}");
    assert_eq!(count(&statuses, 429), FLOOD - opened);
    gets_in(&served).await;
}

fn full() -> Config {
    Config { sessions_per_address_max: 1, ..Config::default() }
}

#[tokio::test]
async fn address_with_too_many_sessions_is_429_until_one_is_forgotten() {
    let served = serve(Config { resume_window_ms: 100, ..full() }).await;
    let token = served.token().await;
    let open = || ask("POST /api/session").of(served.addr);
    let refused = open().await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")));
    assert_eq!(refused.header("content-type"), Some("application/problem+json"));
    expect![[r#"{"type":"/problems/too-many-sessions","title":"Too many sessions","status":429,"detail":"this address has 1 sessions; end one or come back in 1000 ms","retry_after_ms":1000}"#]].assert_eq(&refused.body);
    assert_eq!(ask("DELETE /api/session").bearer(&token).of(served.addr).await.status, 204);
    while open().await.status == 429 {}
}

#[tokio::test]
async fn address_that_opens_too_fast_is_429_with_the_time_to_come_back() {
    let config = Config {
        opens_per_address_burst_max: 1,
        opens_per_address_per_s_max: 1,
        ..Config::default()
    };
    let served = serve(config).await;
    served.token().await;
    let refused = ask("POST /api/session").of(served.addr).await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")));
    let problem = refused.json();
    assert_eq!(problem["type"], "/problems/opens-too-fast");
    let detail = problem["detail"].as_str().expect("a detail");
    assert!(detail.starts_with("this address opens too many; the next one is welcome in "));
}

#[tokio::test]
async fn address_with_too_many_sessions_is_refused_on_every_transport() {
    let served = serve(full()).await;
    let token = served.token().await;
    let kind = "/problems/too-many-sessions";
    let refused = raw_socket::upgrade(&served, "", &[]).await.refused().await;
    assert_eq!(refused, (kind.to_owned(), 4429));
    let is_refused = |packet: &str| {
        let problem = &arguments(packet)[1]["problem"];
        assert_eq!((&problem["type"], &problem["status"]), (&json!(kind), &json!(429)));
    };
    let mut polling = Polling::open(&served, 4, "").await;
    polling.post(&["40/chat,"]).await;
    is_refused(&polling.until("42/chat,[\"refused\"").await);
    polling.until("41/chat,").await;
    let mut socket = Socket::open(&served, "/socket.io/?EIO=4&transport=websocket").await;
    socket.send("40/chat,").await;
    is_refused(&socket.until("42/chat,[\"refused\"").await);
    socket.until("41/chat,").await;
    // Whoever has a session may come with it over any of them.
    let mut own = raw_socket::resume(&served, &token, "").await;
    assert_eq!(own.text().await["type"], "opened");
}

#[tokio::test]
async fn sessions_behind_a_proxy_count_for_the_address_that_it_names() {
    let trusted_proxies = vec!["127.0.0.0/8".parse().expect("a network")];
    let friend = "https://friend.example";
    let allowed_origins = vec![friend.parse().expect("an origin")];
    let served = serve(Config { trusted_proxies, allowed_origins, ..full() }).await;
    let open = async |address: &str| -> Answer {
        let ask = ask("POST /api/session").header("origin", friend);
        ask.header("x-forwarded-for", address).of(served.addr).await
    };
    assert_eq!(open("203.0.113.1").await.status, 201);
    let refused = open("203.0.113.1").await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")));
    assert_eq!(refused.header("access-control-allow-origin"), Some(friend));
    assert_eq!(refused.header("access-control-expose-headers"), Some("retry-after"));
    assert_eq!(open("203.0.113.2").await.status, 201);
    assert_eq!(open("2001:db8:0:1::1").await.status, 201);
    assert_eq!(open("2001:db8:0:1:ffff::9").await.status, 429, "the same /64");
    assert_eq!(open("2001:db8:0:2::1").await.status, 201);
    let header = "x-forwarded-for: 203.0.113.1";
    let (kind, code) = raw_socket::upgrade(&served, "", &[header]).await.refused().await;
    assert_eq!((kind.as_str(), code), ("/problems/too-many-sessions", 4429));
}

#[tokio::test]
async fn flood_of_polling_connections_from_one_address_leaves_room_for_others() {
    let config = Config {
        connections_max: FLOOD / 2,
        connections_per_address_max: 200,
        ..Config::default()
    };
    let served = serve(config).await;
    let statuses = flood(&served, "GET /socket.io/?EIO=4&transport=polling").await;
    assert_eq!((count(&statuses, 200), count(&statuses, 429)), (200, FLOOD - 200));
    gets_in(&served).await;
}

#[tokio::test]
async fn flood_of_polling_connections_that_join_leaves_room_for_others() {
    let config = Config {
        connections_max: FLOOD / 2,
        sessions_max: FLOOD / 2,
        connections_per_address_max: 200,
        sessions_per_address_max: 100,
        first_lease_ms: 60_000,
        ..Config::default()
    };
    let served = serve(config).await;
    let open = without_body("GET /socket.io/?EIO=4&transport=polling");
    let opened = answers(&served, &vec![open; FLOOD]).await;
    let names = opened.match_indices("\"sid\":\"");
    let joins: Vec<_> = names
        .map(|(at, words)| {
            let name = &opened[at + words.len()..][..16];
            let head = format!("POST /socket.io/?EIO=4&transport=polling&sid={name} HTTP/1.1");
            format!("{head}\r\nhost: test\r\ncontent-length: 8\r\n\r\n40/chat,")
        })
        .collect();
    assert_eq!(joins.len(), 200);
    assert_eq!(count(&statuses(&answers(&served, &joins).await), 200), 200);
    let told = ["racetrack_sessions 100\n", "{reason=\"too-many-sessions\"} 100\n"];
    let counted = async {
        loop {
            let metrics = ask("GET /metrics").of(served.addr).await.body;
            if told.iter().all(|figure| metrics.contains(figure)) {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, counted).await.expect("half of them get a session");
    gets_in(&served).await;
}

#[tokio::test]
async fn polling_connections_that_are_opened_too_fast_are_refused_and_others_get_in() {
    let config = Config {
        connections_max: FLOOD / 2,
        opens_per_address_burst_max: 100,
        opens_per_address_per_s_max: 1,
        ..Config::default()
    };
    let served = serve(config).await;
    let statuses = flood(&served, "GET /socket.io/?EIO=4&transport=polling").await;
    let opened = count(&statuses, 200);
    assert!((100..100 + PATIENCE.as_secs() as usize).contains(&opened), "{opened}");
    assert_eq!(count(&statuses, 429), FLOOD - opened);
    gets_in(&served).await;
    let metrics = ask("GET /metrics").of(served.addr).await.body;
    assert!(metrics.contains("racetrack_rejections_total{reason=\"opens-too-fast\"}"), "{metrics}");
}

/// Waits until the server has so many sessions.
async fn until_sessions(served: &Served, count: usize) {
    let told = format!("racetrack_sessions {count}\n");
    let counted =
        async { while !ask("GET /metrics").of(served.addr).await.body.contains(&told) {} };
    tokio::time::timeout(PATIENCE, counted).await.expect("as many sessions in time");
}

/// A server that waits only for those of whom it has heard.
fn impatient() -> Config {
    Config { first_lease_ms: 300, heartbeat_interval_ms: 3_600_000, ..Config::default() }
}

#[tokio::test]
async fn session_without_a_second_request_ends_and_one_with_it_stays() {
    let served = serve(impatient()).await;
    let heard = served.token().await;
    let poll = || ask("GET /api/events").bearer(&heard).of(served.addr);
    assert_eq!(poll().await.status, 200);
    served.token().await;
    until_sessions(&served, 1).await;
    assert_eq!(poll().await.status, 200);
    assert!(poll().await.body.contains("\"partner_left\""));
}

#[tokio::test]
async fn polling_connection_that_never_polls_ends_with_its_session_and_one_that_does_stays() {
    let served = serve(impatient()).await;
    let mut polled = Polling::chat(&served, "{}").await;
    let opened = ask("GET /socket.io/?EIO=4&transport=polling").of(served.addr).await;
    let (_, sid) = opened.body.split_once("\"sid\":\"").expect("a name");
    let target = format!("/socket.io/?EIO=4&transport=polling&sid={}", &sid[..16]);
    let joined = ask(&format!("POST {target}")).text("40/chat,").of(served.addr).await;
    assert_eq!((joined.status, joined.body.as_str()), (200, "ok"));
    polled.event("partner_left").await;
    assert_eq!(ask(&format!("GET {target}")).of(served.addr).await.status, 400);
    polled.post(&[r#"42/chat,1["next"]"#]).await;
    polled.until("43").await;
}

#[tokio::test]
async fn polling_connection_that_polls_once_ends_within_a_heartbeat_and_one_that_goes_on_stays() {
    // The heartbeat itself waits for an hour.
    let config = Config {
        first_lease_ms: 300,
        heartbeat_interval_ms: 500,
        heartbeat_timeout_ms: 3_600_000,
        ..Config::default()
    };
    let served = serve(config).await;
    let mut goes_on = Polling::chat(&served, "{}").await;
    for version in [3, 4] {
        let open = format!("GET /socket.io/?EIO={version}&transport=polling");
        let opened = ask(&open).of(served.addr).await;
        let (_, sid) = opened.body.split_once("\"sid\":\"").expect("a name");
        let target = format!("/socket.io/?EIO={version}&transport=polling&sid={}", &sid[..16]);
        let connect = if version == 3 { "8:40/chat," } else { "40/chat," };
        let joined = ask(&format!("POST {target}")).text(connect).of(served.addr).await;
        assert_eq!((joined.status, joined.body.as_str()), (200, "ok"));
        assert_eq!(ask(&format!("GET {target}")).of(served.addr).await.status, 200);
        goes_on.event("partner_left").await;
        assert_eq!(ask(&format!("GET {target}")).of(served.addr).await.status, 400);
    }
    goes_on.post(&[r#"42/chat,1["next"]"#]).await;
    goes_on.until("43").await;
}
