//! What the description of `/api/` lets anybody send: numbers as JSON has them, names in characters.

use protocol::{ClientEvent, SAFE_INTEGER_MAX, Seq};
use serde_json::{Value, json};
use server::config::Config;

use crate::http::ask;
use crate::served::{Served, serve};

/// One and the same number of JSON.
const TWO: [&str; 4] = ["2", "2.0", "2e0", "0.2e1"];
const NO_PLACE: [&str; 8] =
    ["1.5", "-1", "-0.5", "9007199254740992", "9007199254740992.0", "1e300", "\"2\"", "null"];

async fn acknowledged(served: &Served, token: &str, seq: &str) -> u16 {
    let ack = ask("POST /api/ack").bearer(token).json(format!(r#"{{"seq":{seq}}}"#));
    ack.of(served.addr).await.status
}

fn ack_frame(seq: &str) -> serde_json::Result<ClientEvent> {
    serde_json::from_str(&format!(r#"{{"type":"ack","seq":{seq}}}"#))
}

#[tokio::test]
async fn a_whole_number_is_one_however_json_writes_it() {
    let served = serve(Config::default()).await;
    let (token, _partner) = served.couple().await;
    for two in TWO {
        assert_eq!(acknowledged(&served, &token, two).await, 202, "{two}");
        let frame = ack_frame(two).unwrap_or_else(|error| panic!("{two}: {error}"));
        assert_eq!(frame, ClientEvent::Ack { seq: Seq(2) });
    }
}

#[tokio::test]
async fn what_is_not_a_whole_number_that_json_holds_everywhere_is_refused() {
    let served = serve(Config::default()).await;
    let token = served.token().await;
    for other in NO_PLACE {
        assert_eq!(acknowledged(&served, &token, other).await, 400, "{other}");
        ack_frame(other).expect_err(other);
    }
    assert_eq!(acknowledged(&served, &token, &SAFE_INTEGER_MAX.to_string()).await, 409);
}

#[tokio::test]
async fn a_query_and_a_header_have_the_same_numbers_in_digits() {
    let served = serve(Config::default()).await;
    let token = served.token().await;
    let past = SAFE_INTEGER_MAX + 1;
    for (after, status) in [("1".to_owned(), 200), (SAFE_INTEGER_MAX.to_string(), 409)] {
        let poll = format!("GET /api/events?wait_ms=0&after={after}");
        assert_eq!(ask(&poll).bearer(&token).of(served.addr).await.status, status, "{after}");
    }
    for query in [format!("after={past}"), format!("wait_ms={past}"), "after=1.0".to_owned()] {
        let poll = format!("GET /api/events?{query}");
        assert_eq!(ask(&poll).bearer(&token).of(served.addr).await.status, 400, "{query}");
    }
    let stream = || ask("GET /api/stream").bearer(&token);
    for wrong in [past.to_string(), "soon".to_owned()] {
        let refused = stream().header("last-event-id", &wrong).of(served.addr).await;
        assert_eq!(refused.status, 400, "{wrong}");
    }
}

#[tokio::test]
async fn the_length_of_a_name_is_counted_in_characters() {
    let served = serve(Config::default()).await;
    let (token, _partner) = served.couple().await;
    assert_eq!(served.say(&token, &"말".repeat(64), "hi").await.status, 202);
    assert_eq!(served.say(&token, &"말".repeat(65), "hi").await.status, 400);
}

#[tokio::test]
async fn the_description_names_the_highest_number() {
    let served = serve(Config::default()).await;
    let document = ask("GET /api/openapi.json").of(served.addr).await.json();
    for name in ["Seq", "PairId", "SessionId"] {
        let schema = &document["components"]["schemas"][name];
        assert_eq!((&schema["minimum"], &schema["maximum"]), (&json!(0), &json!(SAFE_INTEGER_MAX)));
    }
    let parameters = document["paths"]["/api/events"]["get"]["parameters"].as_array();
    let wait = parameters.and_then(|list| list.iter().find(|one| one["name"] == "wait_ms"));
    assert_eq!(
        wait.map_or(&Value::Null, |wait| &wait["schema"]["maximum"]),
        &json!(SAFE_INTEGER_MAX)
    );
}
