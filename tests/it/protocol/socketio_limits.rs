//! Order and limits of Socket.IO: bursts, readers who do not read, what is too big, too much or
//! makes no sense.

use client::{Options, TcpConnector, TransportKind};
use protocol::{ClientEvent, Say, ServerEvent};
use serde_json::json;
use server::config::Config;

use super::engine::{PATIENCE, Polling, Socket, arguments};
use crate::http::ask;
use crate::served::{Served, serve};

/// More than a short line, a batch or a queue holds.
const BURST: usize = 10_000;

/// Nothing is limited but by the machine.
fn generous() -> Config {
    Config {
        notice_interval_ms: 3_600_000,
        messages_per_s_max: 1_000_000,
        messages_burst_max: 100_000,
        mailbox_events_max: 100_000,
        mailbox_bytes_max: 100_000_000,
        ..Config::default()
    }
}

fn say(number: usize) -> String {
    format!(r#"42/chat,["say",{{"id":"{number}","text":"{number}"}}]"#)
}

/// Reads the partner's burst, which must be in order and complete.
async fn hears_it_all(socket: &mut Socket) {
    for number in 0..BURST {
        let heard = socket.event("message").await;
        assert_eq!(heard["text"], number.to_string());
    }
}

async fn couple(served: &Served) -> (Socket, Socket) {
    let mut ann = Socket::chat(served, "{}").await;
    let mut bob = Socket::chat(served, "{}").await;
    ann.event("paired").await;
    bob.event("paired").await;
    (ann, bob)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_over_a_websocket_arrives_in_order() {
    let served = serve(generous()).await;
    let (mut ann, mut bob) = couple(&served).await;
    let talk = async {
        for number in 0..BURST {
            ann.send(&say(number)).await;
        }
        hears_it_all(&mut ann).await;
    };
    tokio::join!(talk, hears_it_all(&mut bob));
}

/// Some commands are obeyed where they are read, and some must wait for their turn.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_keeps_its_order_whether_answers_are_wanted_or_not() {
    let served = serve(generous()).await;
    let (mut ann, mut bob) = couple(&served).await;
    let talk = async {
        for number in 0..BURST {
            let packet = match number % 7 {
                2 => format!(r#"42/chat,{number}["say",{{"id":"{number}","text":"{number}"}}]"#),
                5 => format!(r#"42/chat,["msg","{number}"]"#),
                _ => say(number),
            };
            ann.send(&packet).await;
        }
        hears_it_all(&mut ann).await;
    };
    tokio::join!(talk, hears_it_all(&mut bob));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_of_full_requests_arrives_in_order() {
    let served = serve(generous()).await;
    let ann = Polling::chat(&served, "{}").await;
    let mut bob = Socket::chat(&served, "{}").await;
    bob.event("paired").await;
    let talk = async {
        let packets: Vec<_> = (0..BURST).map(say).collect();
        for packets in packets.chunks(250) {
            let packets: Vec<_> = packets.iter().map(String::as_str).collect();
            assert_eq!(ann.post(&packets).await.body, "ok");
        }
    };
    let read = async {
        // Who does not read what comes of it would be too slow in the end.
        while ann.get().await.status == 200 {}
    };
    tokio::select! {
        ((), ()) = async { tokio::join!(talk, hears_it_all(&mut bob)) } => {}
        () = read => panic!("the polls go on"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_keeps_its_order_across_an_upgrade_in_its_middle() {
    let served = serve(generous()).await;
    let connector = TcpConnector { target: served.addr, source: None };
    let options = Options {
        upgrade_after_events: Some(BURST as u64 / 4),
        ..Options::new(served.addr.to_string())
    };
    let opened = client::open(TransportKind::SocketioPolling, connector, options).await;
    let (mut sender, mut receiver) = opened.expect("a session");
    let mut bob = Socket::chat(&served, "{}").await;
    bob.event("paired").await;
    let talk = async {
        for number in 0..BURST {
            let id = number.to_string().parse().expect("a short id");
            let say = Say { id, text: number.to_string().into(), pair: None };
            sender.send(ClientEvent::Say(say)).await.expect("the server is there");
        }
    };
    let read = async {
        let mut heard = 0;
        while heard < BURST {
            let received = tokio::time::timeout(PATIENCE, receiver.receive()).await;
            let received = received.expect("it comes in time").expect("the session goes on");
            assert_eq!(received.refused, []);
            for event in received.events {
                if let ServerEvent::Message { text, .. } = event.body {
                    assert_eq!(*text, heard.to_string());
                    heard += 1;
                }
            }
        }
    };
    tokio::join!(talk, read, hears_it_all(&mut bob));
}

#[tokio::test]
async fn what_several_answers_hold_comes_with_the_next_polls_and_not_with_the_next_heartbeat() {
    let config = Config { heartbeat_interval_ms: 3_600_000, ..generous() };
    let answer_bytes_max = config.body_bytes_max;
    let served = serve(config).await;
    let mut ann = Polling::chat(&served, "{}").await;
    let mut bob = Socket::chat(&served, "{}").await;
    ann.event("paired").await;
    let text = ".".repeat(2_000);
    let last = 4 * answer_bytes_max / text.len();
    for number in 0..=last {
        bob.send(&format!(r#"42/chat,["say",{{"id":"{number}","text":"{text}"}}]"#)).await;
    }
    // Everything is said before ann asks again.
    let last_id = last.to_string();
    while bob.event("message").await["id"] != last_id {}
    for number in 0..=last {
        let heard = tokio::time::timeout(PATIENCE, ann.event("message")).await;
        let heard = heard.unwrap_or_else(|_| panic!("{number} of {last} waits for a heartbeat"));
        assert_eq!(heard["id"], number.to_string());
    }
}

#[tokio::test]
async fn a_reader_who_does_not_read_is_closed_as_slow_and_loses_nothing_that_was_kept() {
    let config = Config { mailbox_events_max: 32, unread_ms_max: 100, ..generous() };
    let served = serve(config).await;
    let mut ann = Polling::chat(&served, "{}").await;
    let mut bob = Socket::chat(&served, "{}").await;
    let first = ann.event("paired").await["seq"].as_u64().expect("an event has a place");
    let mut said = 0;
    let reason = loop {
        bob.send(&say(said)).await;
        said += 1;
        let packet = bob.until("42/chat,[").await;
        if packet.starts_with("42/chat,[\"refused\"") {
            let problem = arguments(&packet)[1]["problem"].clone();
            assert_eq!(problem["type"], "/problems/mailbox-full");
            break super::engine::event(&bob.until("42/chat,[\"msg\"").await)["reason"].clone();
        }
    };
    assert_eq!(reason, "lost");
    // What an answer holds, a batch of up to 64, a mailbox of 32: that is all that is kept for somebody.
    assert!((80..160).contains(&said), "{said}");
    let mut seq = first;
    loop {
        let packet = ann.until("42/chat,[\"msg\"").await;
        let event = super::engine::event(&packet);
        seq += 1;
        assert_eq!(event["seq"], seq, "nothing is left out");
        if event["type"] == "closing" {
            assert_eq!(event["reason"], "slow");
            break;
        }
    }
    ann.until("41/chat,").await;
}

#[tokio::test]
async fn what_is_too_big_is_413_or_the_end_of_the_socket() {
    let served = serve(generous()).await;
    let huge = format!(r#"42/chat,["msg","{}"]"#, "x".repeat(16_384));
    let ann = Polling::chat(&served, "{}").await;
    let (mut bob, mut cyd) = (served.token().await, Socket::chat(&served, "{}").await);
    assert_eq!(ann.post(&[&huge]).await.status, 413);
    assert_eq!(ann.get().await.status, 400, "the connection has ended");
    // Bob has lost ann and talks to cyd.
    cyd.event("paired").await;
    cyd.send(&huge).await;
    while cyd.next().await.is_some() {}
    bob = ask("GET /api/events?after=0").bearer(&bob).of(served.addr).await.body;
    assert_eq!(
        bob.matches(r#"{"reason":"lost""#).count() + bob.matches("\"lost\"").count(),
        2,
        "{bob}"
    );
}

#[tokio::test]
async fn a_message_that_is_too_long_is_refused_and_the_conversation_goes_on() {
    let served = serve(generous()).await;
    let (mut ann, mut bob) = couple(&served).await;
    ann.send(&format!(r#"42/chat,1["msg","{}"]"#, "x".repeat(4_097))).await;
    let refused = arguments(&ann.until("43").await)[0]["refused"]["problem"].clone();
    assert_eq!(
        (&refused["status"], &refused["type"]),
        (&json!(413), &json!("/problems/message-too-long"))
    );
    ann.send(r#"42/chat,["msg","short"]"#).await;
    assert_eq!(bob.event("message").await["text"], "short");
}

#[tokio::test]
async fn more_commands_than_may_wait_are_refused_by_name() {
    // On one thread, all of a request is read before any of it is obeyed.
    let config = Config { messages_burst_max: 40, messages_per_s_max: 1, ..generous() };
    let served = serve(config).await;
    let mut ann = Polling::chat(&served, "{}").await;
    let _bob = served.token().await;
    ann.event("paired").await;
    let packets: Vec<_> = (0..150).map(say).collect();
    let packets: Vec<_> = packets.iter().map(String::as_str).collect();
    assert_eq!(ann.post(&packets).await.body, "ok");
    let mut refused = Vec::new();
    while refused.len() < 110 {
        let refusal = arguments(&ann.until("42/chat,[\"refused\"").await)[1].clone();
        assert_eq!(refusal["problem"]["status"], 429);
        refused.push(refusal["id"].as_str().expect("it has a name").to_owned());
    }
    refused.sort_by_key(|id| id.parse::<u32>().expect("a number"));
    let expected: Vec<_> = (40..150).map(|number: u32| number.to_string()).collect();
    assert_eq!(refused, expected);
}

#[tokio::test]
async fn packets_that_make_no_sense_end_their_connection_and_nothing_else() {
    // A poll that nothing else answers is soon answered by a ping, once that before it was answered.
    let config = Config { heartbeat_interval_ms: 200, heartbeat_timeout_ms: 10_000, ..generous() };
    let served = serve(config).await;
    for packet in ["", "zz", "9", "4", "4x", "42/chat,[", "42/chat,{}", "451-/chat,[\"msg\"]", "5"]
    {
        let ann = Polling::chat(&served, "{}").await;
        let mut bob = Socket::chat(&served, "{}").await;
        bob.event("paired").await;
        // Some are noticed by Engine.IO, which answers 400, and some behind it.
        let status = ann.post(&[packet]).await.status;
        assert!([200, 400].contains(&status), "{packet}: {status}");
        if status == 400 || ann.post(&["3"]).await.status == 400 || ann.get().await.status == 400 {
            continue;
        }
        // Others are just not understood.
        bob.send(r#"42/chat,1["msg","still here"]"#).await;
        bob.until("43").await;
    }
}

#[tokio::test]
async fn a_namespace_that_is_not_there_is_said_so() {
    let served = serve(generous()).await;
    let mut polling = Polling::open(&served, 4, "").await;
    polling.post(&["40/nowhere,"]).await;
    let expected = r#"44/nowhere,{"message":"Invalid namespace"}"#;
    assert_eq!(polling.until("44").await, expected);
    // The root is there for clients of Socket.IO 2 only.
    polling.post(&["40"]).await;
    assert_eq!(polling.until("44").await, r#"44{"message":"Invalid namespace"}"#);
}

#[tokio::test]
async fn connections_that_are_only_polled_are_counted_as_well() {
    let served = serve(Config { connections_max: 4, ..generous() }).await;
    let mut kept = Vec::new();
    for _ in 0..4 {
        kept.push(Polling::open(&served, 4, "").await);
    }
    let opening = || ask("GET /socket.io/?EIO=4&transport=polling").of(served.addr);
    let refused = opening().await;
    assert_eq!((refused.status, &refused.json()["type"]), (503, &json!("/problems/full")));
    // A connection that ends gives its place back.
    kept[0].post(&["1"]).await;
    while opening().await.status != 200 {}
}
