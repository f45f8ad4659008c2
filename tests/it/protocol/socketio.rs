//! The chat over Socket.IO as its clients see it: packets, words, answers, and who is still there.

use serde_json::{Value, json};
use server::config::Config;
use tokio::time::Instant;

use super::engine::{PATIENCE, Polling, Socket, arguments, event};
use crate::http::ask;
use crate::served::{Served, serve};

/// The heartbeat would notice somebody who is gone only after that; everything here is quicker.
fn patient() -> Config {
    Config {
        notice_interval_ms: 3_600_000,
        heartbeat_interval_ms: 60_000,
        heartbeat_timeout_ms: 60_000,
        poll_grace_ms: 300,
        ..Config::default()
    }
}

/// What somebody who polls over plain HTTP is told from now on, until it is of this type.
async fn told(served: &Served, token: &str, after: &mut u64, kind: &str) -> Value {
    let asked = Instant::now();
    while asked.elapsed() < PATIENCE {
        let poll = ask(&format!("GET /api/events?after={after}&wait_ms=1000")).bearer(token);
        let batch = poll.of(served.addr).await.json();
        for event in batch["events"].as_array().expect("a batch has events") {
            *after = event["seq"].as_u64().expect("an event has a place");
            if event["type"] == kind {
                return event.clone();
            }
        }
    }
    panic!("nobody was told {kind}");
}

#[tokio::test]
async fn polling_opens_as_the_protocol_says() {
    let served = serve(patient()).await;
    let mut polling = Polling::open(&served, 4, "").await;
    let mut open = polling.open.clone();
    open["sid"].take();
    let expected = json!({
        "sid": null, "upgrades": ["websocket"], "pingInterval": 60_000, "pingTimeout": 60_000,
        "maxPayload": 16_384,
    });
    assert_eq!(open, expected);
    assert_eq!(polling.post(&["40/chat,{}"]).await.body, "ok");
    assert!(polling.until("40/chat,").await.starts_with("40/chat,{\"sid\":\""));
    let session = arguments(&polling.until("42/chat,").await);
    assert_eq!(session[0], "session");
    assert_eq!(session[1]["next"], 0);
    let welcome = arguments(&polling.until("42/chat,").await);
    assert_eq!(welcome[2]["type"], "welcome");
    let words = welcome[1].as_str().expect("words come first");
    assert!(words.starts_with("서버에 접속되었습니다.20"), "{words}");
}

#[tokio::test]
async fn a_client_of_socket_io_2_is_connected_to_the_root_and_says_the_rest_in_its_query() {
    let served = serve(patient()).await;
    let mut old = Polling::open(&served, 3, "&after=0&lang=en-GB").await;
    old.until("40").await;
    assert_eq!(old.post(&["40/chat,"]).await.body, "ok");
    assert_eq!(old.until("40/chat").await, "40/chat,");
    let session = arguments(&old.until("42/chat,").await);
    let welcome = arguments(&old.until("42/chat,").await);
    let words = welcome[1].as_str().expect("words come first");
    assert!(words.starts_with("Connected to the server. 20"), "{words}");

    let partner = served.token().await;
    old.event("paired").await;
    served.say(&partner, "1", "안녕 😀").await;
    let heard = arguments(&old.until("42/chat,[\"msg\",\"[Partner]").await);
    assert_eq!(heard[1], "[Partner]안녕 😀");
    old.post(&["42/chat,[\"msg\",\"여보세요 😀\"]"]).await;
    let mut after = 0;
    told(&served, &partner, &mut after, "message").await;
    assert_eq!(told(&served, &partner, &mut after, "message").await["text"], "여보세요 😀");

    // It said `after`, so it may come back.
    let token = session[1]["token"].as_str().expect("a session has a token");
    let query = format!("&token={token}&after=2");
    let mut back = Polling::open(&served, 3, &query).await;
    back.post(&["40/chat,"]).await;
    assert_eq!(event(&back.until("42/chat,[\"msg\"").await)["seq"], 3);
}

#[tokio::test]
async fn words_without_an_id_are_said_as_the_original_chat_said_them() {
    let served = serve(patient()).await;
    let mut ann = Socket::chat(&served, "{}").await;
    let mut bob = Polling::chat(&served, r#"{"lang":"en"}"#).await;
    bob.event("paired").await;
    ann.event("paired").await;
    for _ in 0..2 {
        ann.send(r#"42/chat,["msg","hello"]"#).await;
    }
    let mut ids = Vec::new();
    for _ in 0..2 {
        let echo = arguments(&ann.until("42/chat,").await);
        assert_eq!(echo[1], "[나]hello");
        let heard = arguments(&bob.until("42/chat,").await);
        assert_eq!(heard[1], "[Partner]hello");
        assert_eq!(heard[2]["id"], echo[2]["id"]);
        ids.push(echo[2]["id"].clone());
    }
    assert_ne!(ids[0], ids[1], "the same words again are another message");
}

#[tokio::test]
async fn a_command_with_a_callback_is_answered_there_and_nowhere_else() {
    let served = serve(patient()).await;
    let mut ann = Socket::chat(&served, "{}").await;
    ann.send(r#"42/chat,7["say",{"id":"a","text":"hello"}]"#).await;
    let answer = ann.until("43/chat,").await;
    assert!(answer.starts_with("43/chat,7[{\"refused\":"), "{answer}");
    let refused = &arguments(&answer)[0]["refused"];
    assert_eq!(refused["id"], "a");
    assert_eq!(refused["problem"]["type"], "/problems/not-paired");

    let _bob = served.token().await;
    ann.event("paired").await;
    ann.send(r#"42/chat,8["say",{"id":"a","text":"hello"}]"#).await;
    assert_eq!(ann.until("43/chat,").await, "43/chat,8[{\"accepted\":true}]");
    ann.send(r#"42/chat,9["shout",1]"#).await;
    let refused = arguments(&ann.until("43/chat,9").await)[0]["refused"].clone();
    assert_eq!(refused["problem"]["status"], 400);
    ann.send(r#"42/chat,["say",{"id":""}]"#).await;
    let refused = arguments(&ann.until("42/chat,[\"refused\"").await);
    assert_eq!(refused[1]["problem"]["type"], "/problems/bad-event");
}

#[tokio::test]
async fn a_disconnect_packet_leaves_at_once() {
    let served = serve(patient()).await;
    for resumable in ["{}", r#"{"after":0}"#] {
        let partner = served.token().await;
        let mut ann = Polling::chat(&served, resumable).await;
        ann.event("paired").await;
        ann.post(&["41/chat,"]).await;
        let left = told(&served, &partner, &mut 0, "partner_left").await;
        assert_eq!(left["reason"], "left");
        ask("DELETE /api/session").bearer(&partner).of(served.addr).await;
    }
}

#[tokio::test]
async fn a_word_that_crosses_the_end_does_not_take_the_last_event_away() {
    let served = serve(patient()).await;
    let mut ann = Polling::chat(&served, r#"{"after":0}"#).await;
    ann.event("waiting").await;
    ann.post(&[r#"42/chat,["leave"]"#]).await;
    ann.post(&[r#"42/chat,["ack",{"seq":2}]"#]).await;
    assert_eq!(ann.event("closing").await["reason"], "left");
    assert_eq!(ann.until("41").await, "41/chat,");
}

#[tokio::test]
async fn a_session_is_taken_up_where_it_was_left_and_the_first_reader_is_told() {
    let served = serve(patient()).await;
    let mut ann = Socket::open(&served, "/socket.io/?EIO=4&transport=websocket").await;
    ann.send(r#"40/chat,{"after":0}"#).await;
    let session = arguments(&ann.until("42/chat,[\"session\"").await);
    let partner = served.token().await;
    let paired = ann.event("paired").await;
    served.say(&partner, "1", "one").await;
    ann.event("message").await;

    let auth = json!({ "token": session[1]["token"], "after": paired["seq"] });
    let mut again = Polling::chat(&served, &auth.to_string()).await;
    assert_eq!(again.event("message").await["text"], "one");
    let refused = arguments(&ann.until("42/chat,[\"refused\"").await);
    assert_eq!(refused[1]["problem"]["type"], "/problems/superseded");
    assert_eq!(ann.until("41").await, "41/chat,");

    // Without a cursor, reading begins where the mailbox does.
    let auth = json!({ "token": session[1]["token"] });
    let mut third = Socket::chat(&served, &auth.to_string()).await;
    assert_eq!(third.event("message").await["text"], "one");
}

#[tokio::test]
async fn what_comes_on_a_superseded_connection_is_not_obeyed() {
    let served = serve(Config { poll_grace_ms: 20_000, ..patient() }).await;
    let mut first = Polling::open(&served, 4, "").await;
    first.post(&[r#"40/chat,{"after":0}"#]).await;
    let session = arguments(&first.until("42/chat,[\"session\"").await);
    let partner = served.token().await;
    first.event("paired").await;
    first.post(&[r#"42/chat,["say",{"id":"before","text":"before"}]"#]).await;
    let before = first.event("message").await;

    let auth = json!({ "token": session[1]["token"], "after": before["seq"] });
    let mut second = Socket::chat(&served, &auth.to_string()).await;
    // It has not asked yet what has become of it, and is still waited for.
    first.post(&[r#"42/chat,["say",{"id":"behind","text":"behind"}]"#]).await;
    first.post(&[r#"42/chat,["leave"]"#]).await;
    second.send(r#"42/chat,["say",{"id":"here","text":"here"}]"#).await;
    assert_eq!(second.event("message").await["text"], "here");
    let refused = arguments(&first.until("42/chat,[\"refused\"").await);
    assert_eq!(refused[1]["problem"]["type"], "/problems/superseded");

    let mut after = 0;
    assert_eq!(told(&served, &partner, &mut after, "message").await["text"], "before");
    assert_eq!(told(&served, &partner, &mut after, "message").await["text"], "here");
}

#[tokio::test]
async fn a_token_that_opens_nothing_and_an_auth_that_makes_no_sense_are_refused() {
    let served = serve(patient()).await;
    for (auth, status) in [(r#"{"token":"0-0"}"#, 401), (r#"{"token":7}"#, 400)] {
        let mut socket = Socket::open(&served, "/socket.io/?EIO=4&transport=websocket").await;
        socket.send(&format!("40/chat,{auth}")).await;
        let refused = arguments(&socket.until("42/chat,").await);
        assert_eq!(refused[0], "refused");
        assert_eq!(refused[1]["problem"]["status"], status);
        assert_eq!(socket.until("41").await, "41/chat,");
    }
}

#[tokio::test]
async fn a_cut_poll_ends_a_session_that_cannot_be_resumed_within_the_grace() {
    let served = serve(patient()).await;
    let mut ann = Polling::chat(&served, "{}").await;
    let partner = served.token().await;
    ann.event("paired").await;
    ann.cut_a_poll().await;
    let left = told(&served, &partner, &mut 0, "partner_left").await;
    assert_eq!(left["reason"], "lost");
    // The connection is gone as well, long before its heartbeat would have been missed.
    let mut answer = ann.get().await;
    while answer.status == 200 {
        answer = ann.get().await;
    }
    assert_eq!((answer.status, &answer.json()["code"]), (400, &json!("1")));
}

#[tokio::test]
async fn a_client_that_polls_again_in_time_has_lost_nothing() {
    let served = serve(Config { poll_grace_ms: 10_000, ..patient() }).await;
    let mut ann = Polling::chat(&served, "{}").await;
    let partner = served.token().await;
    ann.event("paired").await;
    ann.cut_a_poll().await;
    served.say(&partner, "1", "are you there").await;
    assert_eq!(ann.event("message").await["text"], "are you there");
    ann.post(&[r#"42/chat,["msg","yes"]"#]).await;
    let mut after = 0;
    told(&served, &partner, &mut after, "message").await;
    assert_eq!(told(&served, &partner, &mut after, "message").await["text"], "yes");
}

#[tokio::test]
async fn a_resumable_session_outlives_its_cut_poll() {
    let served = serve(patient()).await;
    let mut ann = Polling::open(&served, 4, "").await;
    ann.post(&[r#"40/chat,{"after":0}"#]).await;
    let session = arguments(&ann.until("42/chat,[\"session\"").await);
    let partner = served.token().await;
    let paired = ann.event("paired").await;
    ann.cut_a_poll().await;
    served.say(&partner, "1", "are you there").await;
    let auth = json!({ "token": session[1]["token"], "after": paired["seq"] });
    let mut back = Polling::chat(&served, &auth.to_string()).await;
    assert_eq!(back.event("message").await["text"], "are you there");
}

#[tokio::test]
async fn two_polls_at_a_time_end_the_connection() {
    let served = serve(patient()).await;
    let mut ann = Polling::chat(&served, "{}").await;
    let partner = served.token().await;
    ann.event("paired").await;
    let (one, other) = tokio::join!(ann.get(), ann.get());
    assert!([one.status, other.status].contains(&400), "{one:?} {other:?}");
    assert_eq!(told(&served, &partner, &mut 0, "partner_left").await["reason"], "lost");
}

#[tokio::test]
async fn a_connection_is_upgraded_without_a_word_lost() {
    let served = serve(patient()).await;
    let mut ann = Polling::chat(&served, "{}").await;
    let partner = served.token().await;
    ann.event("paired").await;
    let upgrade = ann.upgrade();
    let (noop, mut socket) = tokio::join!(ann.get(), async {
        let mut socket = Socket::open(&served, &upgrade).await;
        socket.send("2probe").await;
        assert_eq!(socket.next().await.as_deref(), Some("3probe"));
        socket
    });
    assert_eq!(noop.body, "6");
    served.say(&partner, "1", "meanwhile").await;
    socket.send("5").await;
    assert_eq!(socket.event("message").await["text"], "meanwhile");
    socket.send(r#"42/chat,1["msg","here"]"#).await;
    assert_eq!(socket.until("43").await, "43/chat,1[{\"accepted\":true}]");
    // What is no longer a poll is not taken for one.
    ann.cut_a_poll().await;
    served.say(&partner, "2", "still").await;
    assert_eq!(event(&socket.until("42/chat,[\"msg\",\"[상대방]still").await)["text"], "still");
}

#[tokio::test]
async fn a_shutdown_is_told_to_those_who_poll() {
    let mut served = serve(patient()).await;
    let mut ann = Polling::chat(&served, "{}").await;
    ann.event("waiting").await;
    served.shut_down();
    let closing = ann.event("closing").await;
    assert_eq!(
        (&closing["reason"], &closing["retry_after_ms"]),
        (&json!("draining"), &json!(1_000))
    );
    served.ended().await;
}
