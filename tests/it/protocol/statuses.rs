//! What HTTP answers to what is wrong: the status, the problem, and when to come back.

use expect_test::{Expect, expect};
use serde_json::json;
use server::config::Config;

use crate::http::{Answer, ask};
use crate::served::serve;

/// The status, the headers that matter, the body.
fn check(answer: &Answer, expected: Expect) {
    let mut text = format!("{}\n", answer.status);
    for name in ["content-type", "retry-after", "allow", "www-authenticate", "accept"] {
        if let Some(value) = answer.header(name) {
            text += &format!("{name}: {value}\n");
        }
    }
    expected.assert_eq(&(text + &answer.body + "\n"));
}

#[tokio::test]
async fn a_session_is_opened_with_a_cookie_that_no_script_can_read() {
    let served = serve(Config::default()).await;
    let answer = ask("POST /api/session").of(served.addr).await;
    assert_eq!(answer.status, 201);
    let token = answer.json()["token"].as_str().expect("a token").to_owned();
    let cookie = answer.header("set-cookie").expect("a cookie");
    let expected = format!("racetrack_session={token}; Path=/; HttpOnly; SameSite=Strict");
    assert_eq!(cookie, expected);
    let (_, secret) = token.split_once('-').expect("a session and a secret");
    assert_eq!(secret.len(), 32, "128 bits");
    // The cookie alone opens the mailbox, among other cookies too.
    let cookies = format!("theme=dark; racetrack_session={token}");
    let ask = ask("GET /api/events").header("cookie", &cookies);
    let answer = ask.header("x-requested-with", "test").of(served.addr).await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, Some("no-store")));
    assert_eq!(answer.json()["next"], 2);
}

#[tokio::test]
async fn commands_are_accepted_without_a_word() {
    let served = serve(Config::default()).await;
    let (ann, bob) = served.couple().await;
    check(
        &served.say(&ann, "a-1", "hi").await,
        expect![[r#"
        202

    "#]],
    );
    check(
        &ask("POST /api/next").bearer(&ann).of(served.addr).await,
        expect![[r#"
        202

    "#]],
    );
    check(
        &ask("DELETE /api/session").bearer(&bob).of(served.addr).await,
        expect![[r#"
        204

    "#]],
    );
}

#[tokio::test]
async fn what_cannot_be_read_is_400_or_415() {
    let served = serve(Config::default()).await;
    let token = served.token().await;
    let post = || ask("POST /api/messages").bearer(&token);
    check(
        &post().json("{\"id\":").of(served.addr).await,
        expect![[r#"
        400
        content-type: application/problem+json
        {"type":"/problems/bad-body","title":"The body is not understood","status":400,"detail":"Failed to parse the request body as JSON: id: EOF while parsing a value at line 1 column 6"}
    "#]],
    );
    check(
        &post().json(json!({ "id": "", "text": "hi" })).of(served.addr).await,
        expect![[r#"
        400
        content-type: application/problem+json
        {"type":"/problems/bad-body","title":"The body is not understood","status":400,"detail":"Failed to deserialize the JSON body into the target type: id: a message id has 1 to 64 characters, this one has 0 at line 1 column 8"}
    "#]],
    );
    check(
        &post().of(served.addr).await,
        expect![[r#"
            415
            content-type: application/problem+json
            accept: application/json
            {"type":"/problems/media-type","title":"The media type is not understood","status":415,"detail":"Expected request with `Content-Type: application/json`"}
        "#]],
    );
    let query = ask("GET /api/events?after=soon").bearer(&token).of(served.addr).await;
    check(
        &query,
        expect![[r#"
        400
        content-type: application/problem+json
        {"type":"/problems/bad-query","title":"The query is not understood","status":400,"detail":"Failed to deserialize query string: after: invalid digit found in string"}
    "#]],
    );
}

#[tokio::test]
async fn without_a_session_that_lives_it_is_401() {
    let served = serve(Config::default()).await;
    check(
        &ask("GET /api/events").of(served.addr).await,
        expect![[r#"
            401
            content-type: application/problem+json
            www-authenticate: Bearer realm="racetrack"
            {"type":"/problems/no-session","title":"No session","status":401,"detail":"send the token as `Authorization: Bearer TOKEN` or as the cookie racetrack_session"}
        "#]],
    );
    let token = served.token().await;
    let mut wrong = token.clone();
    let last = if wrong.pop() == Some('0') { '1' } else { '0' };
    wrong.push(last);
    for stranger in [wrong.as_str(), "1-0", "", "no token at all"] {
        let answer = ask("POST /api/next").bearer(stranger).of(served.addr).await;
        assert_eq!(answer.status, 401, "{stranger:?}");
    }
    assert_eq!(ask("POST /api/next").bearer(&token).of(served.addr).await.status, 202);
}

#[tokio::test]
async fn what_is_not_there_is_404_and_what_cannot_be_done_there_405() {
    let served = serve(Config::default()).await;
    check(
        &ask("GET /api/nothing").of(served.addr).await,
        expect![[r#"
        404
        content-type: application/problem+json
        {"type":"/problems/not-found","title":"Not found","status":404,"detail":"there is nothing at this address; GET / and GET /api/openapi.json list what there is"}
    "#]],
    );
    check(
        &ask("PUT /api/session").of(served.addr).await,
        expect![[r#"
            405
            content-type: application/problem+json
            allow: POST,DELETE,OPTIONS
            {"type":"/problems/method-not-allowed","title":"Method not allowed","status":405,"detail":"this address does not take that method; `Allow` lists those that it takes"}
        "#]],
    );
}

#[tokio::test]
async fn a_cursor_out_of_bounds_is_409_with_the_bounds() {
    let served = serve(Config::default()).await;
    let token = served.token().await;
    let read =
        |after: u64| ask(&format!("GET /api/events?after={after}")).bearer(&token).of(served.addr);
    check(
        &read(3).await,
        expect![[r#"
        409
        content-type: application/problem+json
        {"type":"/problems/cursor","title":"The cursor is out of bounds","status":409,"detail":"the cursor #3 is outside of #0 to #2"}
    "#]],
    );
    assert_eq!(read(2).await.status, 200, "this acknowledges both events");
    check(
        &read(1).await,
        expect![[r#"
        409
        content-type: application/problem+json
        {"type":"/problems/cursor","title":"The cursor is out of bounds","status":409,"detail":"the cursor #1 is outside of #2 to #2"}
    "#]],
    );
}

#[tokio::test]
async fn saying_something_to_nobody_is_409() {
    let served = serve(Config::default()).await;
    let token = served.token().await;
    check(
        &served.say(&token, "a-1", "anybody?").await,
        expect![[r#"
        409
        content-type: application/problem+json
        {"type":"/problems/not-paired","title":"Nobody is there","status":409,"detail":"there is no partner to say it to"}
    "#]],
    );
    let stale = json!({ "id": "a-2", "text": "hi", "pair": 1 });
    let answer = ask("POST /api/messages").bearer(&token).json(stale).of(served.addr).await;
    check(
        &answer,
        expect![[r#"
        409
        content-type: application/problem+json
        {"type":"/problems/stale-pair","title":"The partner has left","status":409,"detail":"the conversation p1 is over, and the message was not said to anybody"}
    "#]],
    );
    assert_eq!(ask("DELETE /api/session").bearer(&token).of(served.addr).await.status, 204);
    check(
        &served.say(&token, "a-3", "hi").await,
        expect![[r#"
        409
        content-type: application/problem+json
        {"type":"/problems/closed","title":"The session has ended","status":409,"detail":"the session has ended; open a new one"}
    "#]],
    );
}

#[tokio::test]
async fn what_is_too_large_is_413() {
    let served = serve(Config::default()).await;
    let (ann, _bob) = served.couple().await;
    let longest = "x".repeat(4_096);
    assert_eq!(served.say(&ann, "a-1", &longest).await.status, 202);
    check(
        &served.say(&ann, "a-2", &(longest + "x")).await,
        expect![[r#"
        413
        content-type: application/problem+json
        {"type":"/problems/message-too-long","title":"The message is too long","status":413,"detail":"a message has at most 4096 bytes, this one has 4097"}
    "#]],
    );
    check(
        &served.say(&ann, "a-3", &"x".repeat(20_000)).await,
        expect![[r#"
            413
            content-type: application/problem+json
            {"type":"/problems/body-too-large","title":"The body is too large","status":413,"detail":"Failed to buffer the request body: length limit exceeded"}
        "#]],
    );
}

#[tokio::test]
async fn what_comes_too_fast_is_429_with_a_time_to_come_back() {
    let config = Config { messages_burst_max: 2, messages_per_s_max: 1, ..Config::default() };
    let served = serve(config).await;
    let (ann, _bob) = served.couple().await;
    for id in ["a-1", "a-2"] {
        assert_eq!(served.say(&ann, id, "hi").await.status, 202);
    }
    let answer = served.say(&ann, "a-3", "hi").await;
    assert_eq!((answer.status, answer.header("retry-after")), (429, Some("1")));
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(answer.json()["type"], "/problems/too-fast");
    assert_eq!(served.say(&ann, "a-2", "hi").await.status, 202, "a repetition costs nothing");
}

#[tokio::test]
async fn a_full_server_is_503_with_a_time_to_come_back() {
    let served = serve(Config { sessions_max: 1, ..Config::default() }).await;
    served.token().await;
    check(
        &ask("POST /api/session").of(served.addr).await,
        expect![[r#"
            503
            content-type: application/problem+json
            retry-after: 1
            {"type":"/problems/full","title":"The server is full","status":503,"detail":"the server is full; come back in 1000 ms","retry_after_ms":1000}
        "#]],
    );
}

#[tokio::test]
async fn a_draining_server_is_503_until_everybody_was_told() {
    let mut served = serve(Config { retry_after_ms: 2_500, ..Config::default() }).await;
    let (ann, bob) = served.couple().await;
    assert_eq!(ask("GET /readyz").of(served.addr).await.status, 200);
    served.shut_down();
    // The server notices at the latest with the next connection.
    while ask("GET /readyz").of(served.addr).await.status == 200 {}
    assert_eq!(ask("GET /healthz").of(served.addr).await.status, 200);
    check(
        &ask("POST /api/session").of(served.addr).await,
        expect![[r#"
            503
            content-type: application/problem+json
            retry-after: 3
            {"type":"/problems/draining","title":"The server is shutting down","status":503,"detail":"the server is shutting down; come back in 2500 ms","retry_after_ms":2500}
        "#]],
    );
    check(
        &served.say(&ann, "a-1", "hi").await,
        expect![[r#"
            503
            content-type: application/problem+json
            retry-after: 3
            {"type":"/problems/draining","title":"The server is shutting down","status":503,"detail":"the server is shutting down; come back in 2500 ms","retry_after_ms":2500}
        "#]],
    );
    for token in [ann, bob] {
        let told = ask("GET /api/events").bearer(&token).of(served.addr).await.json();
        let last = told["events"].as_array().and_then(|events| events.last());
        let last = last.expect("there are events");
        assert_eq!((&last["type"], &last["reason"]), (&json!("closing"), &json!("draining")));
        assert_eq!(last["retry_after_ms"], 2_500);
    }
    served.ended().await;
}
