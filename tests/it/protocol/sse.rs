//! What stands on the wire of an event stream, and what acknowledges it.

use expect_test::expect;
use serde_json::json;
use server::config::Config;

use super::raw_stream::stream;
use crate::http::ask;
use crate::served::{Served, serve};

fn quiet() -> Config {
    Config { notice_interval_ms: 3_600_000, ..Config::default() }
}

/// The lines of a stream without the heads of the chunks, and with one time for all times.
fn lines(text: &str) -> String {
    let lines = text.lines().filter(|line| usize::from_str_radix(line, 16).is_err());
    let lines: Vec<_> = lines
        .map(|line| match line.split_once(r#","at":""#) {
            Some((head, tail)) => {
                format!(r#"{head},"at":"..{}"#, &tail["2025-01-01T00:00:00.000Z".len()..])
            }
            None => line.to_owned(),
        })
        .collect();
    lines.join("\n")
}

#[tokio::test]
async fn a_stream_looks_like_this() {
    let mut served = serve(quiet()).await;
    let token = served.token().await;
    let mut stream = stream(&served, &token, "?after=0", &[]).await;
    let head = stream.until("id: 2").await.to_lowercase();
    for header in ["http/1.1 200 ok", "content-type: text/event-stream", "cache-control: no-store"]
    {
        assert!(head.contains(header), "{header} is missing in {head}");
    }
    served.shut_down();
    let text = stream.ended().await;
    let (_, body) = text.split_once("\r\n\r\n").expect("a head and a body");
    let (session, _) = token.split_once('-').expect("a session and a secret");
    let session = u64::from_str_radix(session, 16).expect("a number").to_string();
    expect![[r#"
        retry: 1000


        id: 1
        data: {"seq":1,"at":"..","type":"welcome","session":SESSION,"online":1}

        id: 2
        data: {"seq":2,"at":"..","type":"waiting"}


        id: 3
        data: {"seq":3,"at":"..","type":"closing","reason":"draining","retry_after_ms":1000}


    "#]]
    .assert_eq(&lines(body).replace(&session, "SESSION"));
    served.ended().await;
}

#[tokio::test]
async fn a_stream_without_a_session_or_with_a_wrong_cursor_is_refused() {
    let served = serve(quiet()).await;
    let token = served.token().await;
    let nobody = ask("GET /api/stream").of(served.addr).await;
    assert_eq!((nobody.status, &nobody.json()["type"]), (401, &json!("/problems/no-session")));
    let wrong = [
        ("GET /api/stream?after=99", "", 409, "/problems/cursor"),
        ("GET /api/stream?after=soon", "", 400, "/problems/bad-query"),
        ("GET /api/stream?after=1", "99", 409, "/problems/cursor"),
        ("GET /api/stream?after=1", "soon", 400, "/problems/bad-event"),
    ];
    for (request, last_event_id, status, problem) in wrong {
        let mut request_with = ask(request).bearer(&token);
        if !last_event_id.is_empty() {
            request_with = request_with.header("last-event-id", last_event_id);
        }
        let answer = request_with.of(served.addr).await;
        let kind = answer.json()["type"].clone();
        assert_eq!((answer.status, kind), (status, json!(problem)), "{request} {last_event_id}");
    }
}

#[tokio::test]
async fn the_last_event_id_beats_the_cursor_of_the_address() {
    let served = serve(quiet()).await;
    let token = served.token().await;
    let mut stream = stream(&served, &token, "?after=0", &["last-event-id: 1"]).await;
    let text = stream.until("id: 2").await;
    assert!(!text.contains("id: 1\n"), "{text}");
}

#[tokio::test]
async fn without_a_cursor_a_stream_begins_where_the_mailbox_does() {
    let served = serve(quiet()).await;
    let token = served.token().await;
    let mut first = stream(&served, &token, "?after=1", &[]).await;
    first.until("id: 2").await;
    let mut second = stream(&served, &token, "", &[]).await;
    let text = second.until("id: 2").await;
    assert!(!text.contains("id: 1\n"), "{text}");
}

#[tokio::test]
async fn a_stream_without_events_is_kept_awake_by_comments() {
    let served = serve(Config { stream_comment_ms: 20, ..quiet() }).await;
    let token = served.token().await;
    let mut stream = stream(&served, &token, "?after=2", &[]).await;
    stream.until("\n:\n\n\r\n3\r\n:\n\n\r\n").await;
}

#[tokio::test]
async fn a_second_stream_ends_the_first_and_says_so() {
    let served = serve(quiet()).await;
    let token = served.token().await;
    let mut first = stream(&served, &token, "?after=0", &[]).await;
    first.until("id: 2").await;
    let mut second = stream(&served, &token, "?after=1", &[]).await;
    second.until("id: 2").await;
    let text = first.ended().await;
    let (_, end) = text.split_once("event: refused\n").expect("the stream says why it ends");
    let data = end.lines().find_map(|line| line.strip_prefix("data: ")).expect("with data");
    let data: serde_json::Value = serde_json::from_str(data).expect("which is JSON");
    assert_eq!(
        (&data["type"], &data["problem"]["type"]),
        (&json!("refused"), &json!("/problems/superseded"),)
    );
}

/// Somebody with a stream who talks to somebody who polls.
async fn couple(served: &Served) -> (super::raw_stream::RawStream, String, String) {
    let (token, partner) = served.couple().await;
    let mut stream = stream(served, &token, "?after=0", &[]).await;
    stream.until("paired").await;
    (stream, token, partner)
}

#[tokio::test]
async fn a_cut_stream_is_taken_up_again_or_the_partner_is_told() {
    let served = serve(Config { resume_window_ms: 500, ..quiet() }).await;
    let (cut, token, partner) = couple(&served).await;
    drop(cut);
    served.say(&partner, "b-1", "meanwhile").await;
    let mut again = stream(&served, &token, "", &["last-event-id: 3"]).await;
    let text = again.until("meanwhile").await;
    assert!(text.contains("id: 4\n") && !text.contains("id: 3\n"), "{text}");
    drop(again);
    let poll = ask("GET /api/events?after=3&wait_ms=15000").bearer(&partner);
    let told = poll.of(served.addr).await.json();
    assert_eq!(told["events"][0]["reason"], "lost", "{told}");
}

#[tokio::test]
async fn what_was_acknowledged_is_forgotten_and_what_was_not_is_kept() {
    let served = serve(quiet()).await;
    let token = served.token().await;
    let ack = |body: &str| ask("POST /api/ack").bearer(&token).json(body);
    let answer = ack(r#"{"seq":1}"#).of(served.addr).await;
    assert_eq!((answer.status, answer.body.as_str()), (202, ""));
    let late = ack(r#"{"seq":0}"#).of(served.addr).await;
    assert_eq!(late.status, 202, "an acknowledgement that comes late says nothing new");
    let forgotten = ask("GET /api/stream?after=0").bearer(&token).of(served.addr).await;
    assert_eq!(forgotten.status, 409);
    stream(&served, &token, "?after=1", &[]).await.until("id: 2").await;
    let future = ack(r#"{"seq":99}"#).of(served.addr).await;
    assert_eq!((future.status, &future.json()["type"]), (409, &json!("/problems/cursor")));
    for body in ["", "{}", r#"{"seq":"1"}"#, r#"{"seq":-1}"#] {
        let malformed = ack(body).of(served.addr).await;
        assert_eq!(
            (malformed.status, &malformed.json()["type"]),
            (400, &json!("/problems/bad-body"),),
            "{body}"
        );
    }
    let nobody = ask("POST /api/ack").json(r#"{"seq":1}"#).of(served.addr).await;
    assert_eq!(nobody.status, 401);
}
