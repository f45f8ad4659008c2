//! Clients of Socket.IO 2, which put the query of `io(url + "/chat", { query })` behind the namespace.

use serde_json::{Value, json};
use server::config::Config;

use super::engine::{Polling, Socket, arguments, event};
use crate::http::ask;
use crate::served::serve;

const WEBSOCKET: &str = "/socket.io/?EIO=3&transport=websocket";
/// Not a field of this server, but of somebody's; its letter is one unit of UTF-16 and three bytes.
const OTHER: &str = "1=%3F&name=한?";

fn quiet() -> Config {
    Config { notice_interval_ms: 3_600_000, ..Config::default() }
}

/// Text of the first event, which is in the language that was asked for.
fn welcome(packet: &str) -> Value {
    let arguments = arguments(packet);
    assert_eq!(arguments[2]["type"], "welcome");
    let words = arguments[1].as_str().expect("words come first");
    assert!(words.starts_with("Connected to the server. 20"), "{words}");
    arguments[2]["session"].clone()
}

#[tokio::test]
async fn namespace_with_query_is_connected_to_by_polling() {
    let served = serve(quiet()).await;
    let mut old = Polling::open(&served, 3, "").await;
    old.until("40").await;
    assert_eq!(old.post(&["2", "40/chat?lang=en&after=0,"]).await.body, "ok");
    assert_eq!(old.until("3").await, "3");
    assert_eq!(old.until("40/").await, "40/chat,");
    let session = arguments(&old.until("42/chat,[\"session\"").await);
    welcome(&old.until("42/chat,").await);
    old.post(&["40/echo?a=b,"]).await;
    assert_eq!(old.until("40/").await, "40/echo,");
    old.post(&[r#"42/echo,["msg","?"]"#]).await;
    assert!(old.until("42/echo,").await.contains("Send from Server1"));

    // `after` was said, so the session outlives the connection.
    let token = session[1]["token"].as_str().expect("a session has a token");
    let mut back = Polling::open(&served, 3, "").await;
    back.post(&[&format!("40/chat?{OTHER}&token={token}&after=1,")]).await;
    assert_eq!(event(&back.until("42/chat,[\"msg\"").await)["seq"], 2);
}

#[tokio::test]
async fn namespace_with_query_is_connected_to_by_polling_in_bytes() {
    let served = serve(quiet()).await;
    let mut old = Polling::open(&served, 3, "").await;
    let connect = "40/chat?lang=en,";
    let length: Vec<_> = connect.len().to_string().bytes().map(|digit| digit - b'0').collect();
    let payload = [&[0], length.as_slice(), b"\xff", connect.as_bytes()].concat();
    assert_eq!(old.post_bytes(&payload).await.body, "ok");
    welcome(&old.until("42/chat,[\"msg\"").await);
}

#[tokio::test]
async fn namespace_with_query_is_connected_to_by_websocket() {
    let served = serve(quiet()).await;
    let mut old = Socket::open(&served, WEBSOCKET).await;
    old.send(&format!("40/chat?lang=en&{OTHER},")).await;
    assert_eq!(old.until("40/").await, "40/chat,");
    welcome(&old.until("42/chat,[\"msg\"").await);
    // Without a comma behind it, and to another namespace on the same connection.
    old.send("40/echo?a=b").await;
    assert_eq!(old.until("40/").await, "40/echo,");

    let partner = served.token().await;
    old.event("paired").await;
    let said = r#"42/chat,["say",{"id":"40/chat?a","text":"40/chat?a=b,c 한"}]"#;
    old.send(said).await;
    assert_eq!(old.event("message").await["text"], "40/chat?a=b,c 한");
    let heard = ask("GET /api/events?after=0").bearer(&partner).of(served.addr).await.json();
    let heard = heard["events"].as_array().and_then(|events| events.last().cloned());
    assert_eq!(heard.expect("an event")["id"], "40/chat?a");
}

#[tokio::test]
async fn query_of_the_handshake_beats_that_of_the_namespace() {
    let served = serve(quiet()).await;
    let mut old = Socket::open(&served, &format!("{WEBSOCKET}&lang=en")).await;
    old.send("40/chat?lang=ko&token=0-0,").await;
    let refused = arguments(&old.until("42/chat,").await);
    assert_eq!(refused[1]["problem"]["type"], "/problems/no-session");
    let mut old = Socket::open(&served, &format!("{WEBSOCKET}&lang=en")).await;
    old.send("40/chat?lang=ko,").await;
    welcome(&old.until("42/chat,[\"msg\"").await);
}

#[tokio::test]
async fn query_behind_a_namespace_that_is_unknown_is_refused_with_its_name() {
    let served = serve(quiet()).await;
    let mut old = Socket::open(&served, WEBSOCKET).await;
    old.send("40/nowhere?a=b,").await;
    let expected = json!({ "message": "Invalid namespace" });
    assert_eq!(old.until("44").await, format!("44/nowhere,{expected}"));
}

#[tokio::test]
async fn query_behind_a_namespace_means_nothing_in_engine_io_4() {
    let served = serve(quiet()).await;
    let target = "/socket.io/?EIO=4&transport=websocket";
    let mut socket = Socket::open(&served, target).await;
    socket.send("40/chat?lang=en,").await;
    let refused = socket.until("44").await;
    let expected = json!({ "message": "Invalid namespace" });
    assert_eq!(refused, format!("44/chat?lang=en,{expected}"));
    let mut polling = Polling::open(&served, 4, "").await;
    polling.post(&["40/chat?lang=en,"]).await;
    assert_eq!(polling.until("44").await, format!("44/chat?lang=en,{expected}"));
}
