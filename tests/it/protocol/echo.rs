//! The namespace `/echo`: what it answers, when, and what it refuses.

use std::time::Duration;

use serde_json::json;
use server::config::Config;
use tokio::time::Instant;

use super::engine::{Socket, arguments};
use crate::served::{Served, serve};

async fn join(served: &Served) -> Socket {
    let mut socket = Socket::open(served, "/socket.io/?EIO=4&transport=websocket").await;
    socket.send("40/echo,").await;
    socket.until("40/echo,").await;
    socket
}

#[tokio::test]
async fn the_sender_is_answered_after_a_second_and_so_is_everybody() {
    let served = serve(Config::default()).await;
    let (mut ann, mut bob) = (join(&served).await, join(&served).await);
    let asked = Instant::now();
    ann.send(r#"42/echo,["msg","hello"]"#).await;
    let first = arguments(&ann.until("42/echo,").await);
    assert!(asked.elapsed() >= Duration::from_secs(1), "{:?}", asked.elapsed());
    assert!(first[1].as_str().expect("words").starts_with("Send from Server120"), "{first}");
    for socket in [&mut ann, &mut bob] {
        let all = arguments(&socket.until("42/echo,").await);
        assert!(all[1].as_str().expect("words").starts_with("Send from Server220"), "{all}");
    }
}

#[tokio::test]
async fn a_socket_may_wait_for_four_answers() {
    let served = serve(Config::default()).await;
    let mut ann = join(&served).await;
    for _ in 0..5 {
        ann.send(r#"42/echo,["msg"]"#).await;
    }
    let refused = arguments(&ann.until("42/echo,").await);
    assert_eq!(refused[0], "refused");
    assert_eq!(refused[1]["problem"]["status"], 429);
    for _ in 0..4 {
        ann.until("42/echo,[\"msg\",\"Send from Server1").await;
        ann.until("42/echo,[\"msg\",\"Send from Server2").await;
    }
}

#[tokio::test]
async fn what_is_sent_to_everybody_counts_as_often_as_there_are_people() {
    let served = serve(Config { echoes_per_s_max: 5, ..Config::default() }).await;
    let (mut ann, _bob) = (join(&served).await, join(&served).await);
    // One answer is three packets, and a second has five.
    ann.send(r#"42/echo,["msg"]"#).await;
    ann.send(r#"42/echo,1["msg"]"#).await;
    let refused = arguments(&ann.until("43/echo,1").await)[0]["refused"].clone();
    assert_eq!(refused["problem"]["type"], json!("/problems/too-fast"));
}
