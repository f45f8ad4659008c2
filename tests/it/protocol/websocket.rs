//! What stands on the wire of a WebSocket: frames, refusals, every close code.

use std::time::Duration;

use serde_json::{Value, json};
use server::config::Config;

use super::raw_socket::{BINARY, CLOSE, Frame, PING, PONG, RawSocket, TEXT, open, resume, upgrade};
use crate::http::ask;
use crate::served::{Served, serve};

/// Nobody is told head counts, so that every event of these tests has a cause in it.
fn quiet() -> Config {
    Config { notice_interval_ms: 3_600_000, ..Config::default() }
}

/// Somebody at a WebSocket who talks to somebody who polls.
async fn couple(served: &Served) -> (RawSocket, String, String) {
    let (mut socket, token) = open(served).await;
    let partner = served.token().await;
    socket.event("paired").await;
    (socket, token, partner)
}

/// What the partner was told past the welcome, as soon as there is some of it.
async fn told(served: &Served, token: &str, after: u64) -> Value {
    let poll = format!("GET /api/events?after={after}&wait_ms=15000");
    ask(&poll).bearer(token).of(served.addr).await.json()["events"].clone()
}

#[tokio::test]
async fn who_comes_without_a_token_is_given_a_session_a_cookie_and_the_first_events() {
    let served = serve(quiet()).await;
    let mut socket = upgrade(&served, "", &[]).await;
    let opened = socket.text().await;
    let token = opened["token"].as_str().expect("a token");
    assert_eq!(
        opened,
        json!({
            "type": "opened", "session": opened["session"], "token": token, "next": 0
        })
    );
    let cookie =
        format!("set-cookie: racetrack_session={token}; path=/; httponly; samesite=strict");
    assert!(socket.head.contains(&cookie), "{}", socket.head);
    let welcome = socket.text().await;
    assert_eq!((&welcome["seq"], &welcome["type"]), (&json!(1), &json!("welcome")));
    let waiting = socket.text().await;
    assert_eq!((&waiting["seq"], &waiting["type"]), (&json!(2), &json!("waiting")));
}

#[tokio::test]
async fn a_page_names_its_token_in_a_subprotocol_and_that_beats_the_cookie() {
    let served = serve(quiet()).await;
    let (mine, other) = served.couple().await;
    let headers = [
        &*format!("sec-websocket-protocol: racetrack, racetrack.token.{mine}"),
        &format!("cookie: theme=dark; racetrack_session={other}"),
    ];
    let mut socket = upgrade(&served, "?after=1", &headers).await;
    assert!(socket.head.contains("sec-websocket-protocol: racetrack\r\n"), "{}", socket.head);
    assert!(!socket.head.contains("set-cookie"), "{}", socket.head);
    let opened = socket.text().await;
    assert_eq!((&opened["token"], &opened["next"]), (&json!(mine), &json!(1)));
    assert_eq!(socket.text().await["seq"], 2);
}

#[tokio::test]
async fn a_cookie_alone_takes_the_session_up_where_the_mailbox_begins() {
    let served = serve(quiet()).await;
    let token = served.token().await;
    told(&served, &token, 1).await;
    let cookie = format!("cookie: racetrack_session={token}");
    let mut socket = upgrade(&served, "", &[&cookie]).await;
    assert_eq!(socket.text().await["next"], 1, "the first event was acknowledged");
    assert_eq!(socket.text().await["seq"], 2);
}

#[tokio::test]
async fn a_cookie_of_a_session_that_is_over_begins_anew_unless_a_cursor_is_named() {
    let served = serve(quiet()).await;
    let stale = "cookie: racetrack_session=1-0";
    for query in ["", "?after=0"] {
        let mut socket = upgrade(&served, query, &[stale]).await;
        assert!(socket.head.contains("set-cookie: "), "{}", socket.head);
        assert_eq!(socket.text().await["type"], "opened");
    }
    let socket = upgrade(&served, "?after=5", &[stale]).await;
    assert_eq!(socket.refused().await, ("/problems/no-session".to_owned(), 4_401));
}

#[tokio::test]
async fn what_concerns_the_session_is_told_behind_the_upgrade() {
    let config = Config { sessions_max: 1, ..quiet() };
    let served = serve(config).await;
    let token = served.token().await;
    let unknown = resume(&served, "1-0", "").await;
    assert_eq!(unknown.refused().await, ("/problems/no-session".to_owned(), 4_401));
    let nobody = upgrade(&served, "?after=5", &[]).await;
    assert_eq!(nobody.refused().await, ("/problems/no-session".to_owned(), 4_401));
    let future = resume(&served, &token, "?after=99").await;
    assert_eq!(future.refused().await, ("/problems/cursor".to_owned(), 4_409));
    let one_too_many = upgrade(&served, "", &[]).await;
    assert_eq!(one_too_many.refused().await, ("/problems/full".to_owned(), 4_503));
}

#[tokio::test]
async fn what_is_no_upgrade_is_an_answer_of_http() {
    let served = serve(quiet()).await;
    let plain = ask("GET /api/ws").of(served.addr).await;
    assert_eq!((plain.status, &plain.json()["type"]), (426, &json!("/problems/not-websocket")));
    assert_eq!(plain.header("upgrade"), Some("websocket"));
    assert_eq!(plain.header("sec-websocket-version"), Some("13"));
    let query = ask("GET /api/ws?after=soon").of(served.addr).await;
    assert_eq!((query.status, &query.json()["type"]), (400, &json!("/problems/bad-query")));
    let method = ask("POST /api/ws").of(served.addr).await;
    assert_eq!(method.status, 405);
}

#[tokio::test]
async fn commands_are_carried_out_in_order_and_refusals_name_what_they_refuse() {
    let served = serve(quiet()).await;
    let (mut socket, _, partner) = couple(&served).await;
    for number in 0..20 {
        socket.say(&format!("m-{number}")).await;
    }
    socket.send(TEXT, br#"{"type":"say","id":"stale","text":"","pair":1}"#).await;
    let mut echoes = (0..20).map(|number| json!(format!("m-{number}")));
    let mut refused = Value::Null;
    // A refusal has no place in the mailbox, and may overtake what has one.
    while echoes.len() > 0 || refused.is_null() {
        let frame = socket.text().await;
        if frame["type"] == "refused" {
            refused = frame;
        } else {
            assert_eq!(Some(frame["id"].clone()), echoes.next());
        }
    }
    assert_eq!(refused["id"], "stale");
    assert_eq!(refused["problem"]["type"], "/problems/stale-pair");
    let heard = told(&served, &partner, 2).await;
    let ids = heard.as_array().expect("events").iter().map(|event| event["id"].clone());
    assert_eq!(ids.collect::<Vec<_>>(), Vec::from_iter((0..20).map(|n| json!(format!("m-{n}")))));
}

#[tokio::test]
async fn leaving_ends_with_closing_and_1000() {
    let served = serve(quiet()).await;
    let (mut socket, ..) = couple(&served).await;
    socket.send(TEXT, br#"{"type":"leave"}"#).await;
    assert_eq!(socket.event("closing").await["reason"], "left");
    assert_eq!(socket.closed().await, 1_000);
}

#[tokio::test]
async fn a_close_frame_with_1000_or_without_a_code_leaves_at_once() {
    for payload in [&1_000u16.to_be_bytes()[..], &[]] {
        let served = serve(quiet()).await;
        let (mut socket, _, partner) = couple(&served).await;
        socket.send(CLOSE, payload).await;
        let left = told(&served, &partner, 2).await;
        assert_eq!(
            (&left[0]["type"], &left[0]["reason"]),
            (&json!("partner_left"), &json!("left"))
        );
    }
}

#[tokio::test]
async fn a_page_that_goes_away_may_come_back() {
    let served = serve(quiet()).await;
    let (mut socket, token, partner) = couple(&served).await;
    socket.close(1_001).await;
    assert_eq!(socket.next().await, Frame::Close(1_001));
    assert_eq!(socket.next().await, Frame::End);
    served.say(&partner, "b-1", "still there?").await;
    let mut socket = resume(&served, &token, "?after=3").await;
    assert_eq!(socket.text().await["type"], "opened");
    let message = socket.text().await;
    assert_eq!((&message["seq"], &message["text"]), (&json!(4), &json!("still there?")));
}

#[tokio::test]
async fn who_does_not_come_back_in_time_is_lost() {
    let served = serve(Config { resume_window_ms: 100, ..quiet() }).await;
    let (mut socket, _, partner) = couple(&served).await;
    socket.close(1_001).await;
    assert_eq!(told(&served, &partner, 2).await[0]["reason"], "lost");
    let (socket, _) = open(&served).await;
    drop(socket);
}

#[tokio::test]
async fn a_second_reader_ends_the_first_and_goes_on_where_it_says() {
    let served = serve(quiet()).await;
    let (mut first, token, partner) = couple(&served).await;
    served.say(&partner, "b-1", "one").await;
    first.event("message").await;
    let mut second = resume(&served, &token, "?after=3").await;
    assert_eq!(first.refused().await, ("/problems/superseded".to_owned(), 4_409));
    second.event("opened").await;
    assert_eq!(second.text().await["id"], "b-1");
}

#[tokio::test]
async fn a_superseded_socket_was_heard_before_and_is_not_heard_any_more() {
    let served = serve(quiet()).await;
    let (mut first, token, partner) = couple(&served).await;
    first.say("before").await;
    first.event("message").await;
    let mut second = resume(&served, &token, "?after=3").await;
    second.event("opened").await;
    first.say("behind").await;
    // Nor does it end the session, which is the other's now.
    first.close(1_000).await;
    second.say("here").await;
    assert_eq!(second.event("message").await["id"], "before");
    assert_eq!(second.event("message").await["id"], "here");
    assert_eq!(first.refused().await, ("/problems/superseded".to_owned(), 4_409));
    let heard = told(&served, &partner, 2).await;
    assert_eq!((&heard[0]["id"], &heard[1]["id"]), (&json!("before"), &json!("here")));
    assert_eq!(heard[2], Value::Null);
}

#[tokio::test]
async fn a_drain_ends_with_closing_and_1012() {
    // The partner never comes for its last event, and is not waited for for ever.
    let mut served = serve(Config { drain_ms_max: 1_000, ..quiet() }).await;
    let (mut socket, ..) = couple(&served).await;
    served.shut_down();
    let closing = socket.event("closing").await;
    assert_eq!(
        (&closing["reason"], &closing["retry_after_ms"]),
        (&json!("draining"), &json!(1_000))
    );
    assert_eq!(socket.closed().await, 1_012);
    served.ended().await;
}

#[tokio::test]
async fn a_drain_ends_connections_that_say_nothing_any_more() {
    let mut served = serve(Config { drain_ms_max: 60_000, ..quiet() }).await;
    let (mut socket, ..) = couple(&served).await;
    served.shut_down();
    socket.event("closing").await;
    // The client never answers the close frame, and the server does not wait for it for ever.
    served.ended().await;
}

#[tokio::test]
async fn who_acknowledges_too_little_is_closed_as_slow_with_1008() {
    let config =
        Config { mailbox_events_max: 8, messages_burst_max: 100, unread_ms_max: 100, ..quiet() };
    let served = serve(config).await;
    let (mut socket, _, partner) = couple(&served).await;
    socket.send(TEXT, br#"{"type":"ack","seq":1}"#).await;
    socket.say("a-1").await;
    socket.event("message").await;
    for number in 0..10 {
        served.say(&partner, &format!("b-{number}"), "are you reading this?").await;
    }
    assert_eq!(socket.event("closing").await["reason"], "slow");
    assert_eq!(socket.closed().await, 1_008);
}

#[tokio::test]
async fn a_message_that_is_too_big_is_answered_with_1009() {
    let served = serve(quiet()).await;
    let limit = Config::default().body_bytes_max;
    let whole = async {
        let (mut socket, ..) = couple(&served).await;
        socket.send(TEXT, &vec![b' '; limit + 1]).await;
        assert_eq!(socket.closed().await, 1_009);
    };
    whole.await;
    let announced = async {
        let (mut socket, ..) = couple(&served).await;
        socket.announce(TEXT, 1 << 40).await;
        assert_eq!(socket.closed().await, 1_009);
    };
    announced.await;
    let (mut socket, ..) = couple(&served).await;
    let first_half = [&[0x01, 0x80 | 126][..], &(limit as u16).to_be_bytes(), &[0; 4]].concat();
    socket.write(&first_half).await;
    socket.write(&vec![b' '; limit]).await;
    socket.write(&[0x80, 0x80 | 1, 0, 0, 0, 0, b' ']).await;
    assert_eq!(socket.closed().await, 1_009, "two fragments are one message");
}

#[tokio::test]
async fn the_longest_message_is_understood() {
    let served = serve(quiet()).await;
    let (mut socket, ..) = couple(&served).await;
    let text = "x".repeat(Config::default().message_bytes_max);
    let say = json!({ "type": "say", "id": "a-1", "text": text });
    socket.send(TEXT, say.to_string().as_bytes()).await;
    assert_eq!(socket.event("message").await["text"], text);
}

#[tokio::test]
async fn what_is_not_text_is_answered_with_1003_1007_or_1002() {
    let served = serve(quiet()).await;
    let (mut socket, ..) = couple(&served).await;
    socket.send(BINARY, b"{}").await;
    assert_eq!(socket.closed().await, 1_003);
    let (mut socket, ..) = couple(&served).await;
    socket.send(TEXT, &[b'"', 0xff, b'"']).await;
    assert_eq!(socket.closed().await, 1_007);
    let (mut socket, ..) = couple(&served).await;
    let unmasked = [0x81, 2, b'{', b'}'];
    socket.write(&unmasked).await;
    assert_eq!(socket.closed().await, 1_002);
}

#[tokio::test]
async fn a_frame_that_is_not_understood_is_refused_and_the_seventeenth_ends_it_with_1008() {
    let served = serve(quiet()).await;
    let (mut socket, ..) = couple(&served).await;
    for frame in ["{", "[]", r#"{"type":"shout"}"#, r#"{"type":"say","text":"no id"}"#] {
        socket.send(TEXT, frame.as_bytes()).await;
        let refused = socket.event("refused").await;
        assert_eq!(refused["problem"]["type"], "/problems/bad-event", "{frame}");
        assert_eq!(refused["problem"]["status"], 400, "{frame}");
    }
    for _ in 4..16 {
        socket.send(TEXT, b"{").await;
        socket.event("refused").await;
    }
    // Who is understood in between has not earned more of it.
    socket.say("a-1").await;
    socket.event("message").await;
    socket.send(TEXT, b"{").await;
    assert_eq!(socket.closed().await, 1_008);
}

#[tokio::test]
async fn pings_are_answered_with_what_they_carry() {
    let served = serve(quiet()).await;
    let (mut socket, ..) = couple(&served).await;
    socket.send(PING, b"are you there?").await;
    assert_eq!(socket.next().await, Frame::Pong(b"are you there?".to_vec()));
}

/// A couple, of whom one was told fifteen events and the other says the sixteenth.
async fn sixteen_events(served: &Served) -> (RawSocket, String) {
    let (mut socket, token, partner) = couple(served).await;
    for number in 4..=16 {
        assert_eq!(served.say(&partner, &format!("b-{number}"), "").await.status, 202);
        assert_eq!(socket.text().await["seq"], number);
    }
    (socket, token)
}

#[tokio::test]
async fn every_sixteen_events_a_ping_asks_for_the_pong_that_acknowledges_them() {
    let served = serve(quiet()).await;
    let (mut socket, token) = sixteen_events(&served).await;
    let place = 16u64.to_be_bytes();
    assert_eq!(socket.next().await, Frame::Ping(place.to_vec()));
    // A pong that nobody asked for says nothing.
    socket.send(PONG, &15u64.to_be_bytes()).await;
    socket.send(PONG, b"hello").await;
    socket.send(PONG, &place).await;
    socket.say("a-1").await;
    assert_eq!(socket.text().await["seq"], 17);
    let forgotten = resume(&served, &token, "?after=15").await;
    assert_eq!(forgotten.refused().await, ("/problems/cursor".to_owned(), 4_409));
    let mut kept = resume(&served, &token, "?after=16").await;
    kept.event("opened").await;
    assert_eq!(kept.text().await["seq"], 17);
}

#[tokio::test]
async fn who_acknowledges_is_not_pinged_for_it() {
    let served = serve(quiet()).await;
    let (mut socket, _, partner) = couple(&served).await;
    socket.send(TEXT, br#"{"type":"ack","seq":2}"#).await;
    for number in 4..=40 {
        served.say(&partner, &format!("b-{number}"), "").await;
        let next = socket.next().await;
        assert!(matches!(&next, Frame::Text(event) if event["seq"] == number), "{next:?}");
    }
}

#[tokio::test]
async fn who_gives_no_sign_of_life_is_cut_off_and_lost() {
    let config = Config {
        heartbeat_interval_ms: 50,
        heartbeat_timeout_ms: 50,
        resume_window_ms: 100,
        ..quiet()
    };
    let served = serve(config).await;
    let (mut socket, _, partner) = couple(&served).await;
    let place = 3u64.to_be_bytes();
    for _ in 0..3 {
        assert_eq!(socket.next().await, Frame::Ping(place.to_vec()));
        socket.send(PONG, &place).await;
    }
    assert_eq!(socket.next().await, Frame::Ping(place.to_vec()));
    assert_eq!(socket.next().await, Frame::End);
    assert_eq!(told(&served, &partner, 2).await[0]["reason"], "lost");
}

#[tokio::test]
async fn whoever_only_speaks_is_heard_and_told_as_well() {
    let served =
        serve(Config { messages_burst_max: 1_000, message_ids_max: 1_000, ..quiet() }).await;
    let (mut socket, ..) = couple(&served).await;
    let frames: Vec<u8> = (0..200)
        .flat_map(|number| {
            let say = json!({ "type": "say", "id": format!("m-{number}"), "text": "" }).to_string();
            [&[0x81, 0x80 | say.len() as u8, 0, 0, 0, 0][..], say.as_bytes()].concat()
        })
        .collect();
    socket.write(&frames).await;
    for number in 0..200 {
        assert_eq!(socket.event("message").await["id"], format!("m-{number}"));
    }
    // Longer than the client waits for what it is owed, the server has nothing to add.
    let more = tokio::time::timeout(Duration::from_millis(50), socket.event("message")).await;
    assert!(more.is_err(), "{more:?}");
}
