//! What an operator sees at `/metrics`.

use expect_test::expect;
use server::config::Config;

use crate::http::ask;
use crate::served::{Served, serve};

async fn metrics(served: &Served) -> String {
    ask("GET /metrics").of(served.addr).await.body
}

/// The lines that begin like this.
fn lines(metrics: &str, start: &str) -> String {
    let lines = metrics.lines().filter(|line| line.starts_with(start));
    lines.map(|line| format!("{line}\n")).collect()
}

#[tokio::test]
async fn figures_are_told_in_the_format_of_open_metrics() {
    let served = serve(Config::default()).await;
    let _couple = served.couple().await;
    let answer = ask("GET /metrics").of(served.addr).await;
    let format = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!((answer.status, answer.header("content-type")), (200, Some(format)));
    assert!(answer.body.ends_with("# EOF\n"));
    expect![[r#""#]].assert_eq(&lines(&answer.body, "# "));
    let gauges = ["sessions", "waiting", "pairs", "readers", "connections", "timers"];
    let gauges = gauges.map(|gauge| lines(&answer.body, &format!("racetrack_{gauge}")));
    expect![[r#""#]].assert_eq(&gauges.concat());
}

#[tokio::test]
async fn events_are_counted_by_type_and_refusals_by_reason() {
    let served = serve(Config::default()).await;
    let (ann, _bob) = served.couple().await;
    assert_eq!(served.say(&ann, "a-1", "hi").await.status, 202);
    assert_eq!(served.say(&ann, "a-2", &"x".repeat(5_000)).await.status, 413);
    assert_eq!(ask("GET /nothing").of(served.addr).await.status, 404);
    assert_eq!(ask("POST /api/next").of(served.addr).await.status, 401);
    let metrics = metrics(&served).await;
    expect![[r#""#]].assert_eq(&lines(&metrics, "racetrack_events_total"));
    expect![[r#""#]].assert_eq(&lines(&metrics, "racetrack_rejections_total"));
}

#[tokio::test]
async fn what_is_delivered_is_timed_and_what_is_held_is_measured() {
    let served = serve(Config::default()).await;
    let (ann, bob) = served.couple().await;
    assert_eq!(served.say(&ann, "a-1", "hi").await.status, 202);
    let before = metrics(&served).await;
    expect![[r#""#]].assert_eq(&lines(&before, "racetrack_deliver_seconds_count"));
    assert_eq!(ask("GET /api/events").bearer(&bob).of(served.addr).await.status, 200);
    let after = metrics(&served).await;
    expect![[r#""#]].assert_eq(&lines(&after, "racetrack_deliver_seconds_count"));
    expect![[r#""#]].assert_eq(&lines(&after, "racetrack_mailbox_depth"));
}
