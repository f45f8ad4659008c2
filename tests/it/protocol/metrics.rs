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
    expect![[r#"
        # HELP racetrack_build What runs here
        # TYPE racetrack_build info
        # HELP racetrack_sessions Open sessions
        # TYPE racetrack_sessions gauge
        # HELP racetrack_sessions_closed Ended sessions whose last events may be collected
        # TYPE racetrack_sessions_closed gauge
        # HELP racetrack_waiting Sessions without a partner
        # TYPE racetrack_waiting gauge
        # HELP racetrack_pairs Conversations
        # TYPE racetrack_pairs gauge
        # HELP racetrack_readers Parked polls, streams and sockets, each of which reads a mailbox
        # TYPE racetrack_readers gauge
        # HELP racetrack_parked Parked requests that wait for an announcement
        # TYPE racetrack_parked gauge
        # HELP racetrack_connections Open connections, the one that asks included
        # TYPE racetrack_connections gauge
        # HELP racetrack_timers Deadlines
        # TYPE racetrack_timers gauge
        # HELP racetrack_events Events put into mailboxes
        # TYPE racetrack_events counter
        # HELP racetrack_rejections Requests and commands refused
        # TYPE racetrack_rejections counter
        # HELP racetrack_deliver_seconds From the mailbox to the transport that reads it
        # TYPE racetrack_deliver_seconds histogram
        # UNIT racetrack_deliver_seconds seconds
        # HELP racetrack_mailbox_depth Events in a mailbox when one is added
        # TYPE racetrack_mailbox_depth histogram
        # EOF
    "#]]
    .assert_eq(&lines(&answer.body, "# "));
    let gauges = ["sessions", "waiting", "pairs", "readers", "connections", "timers"];
    let gauges = gauges.map(|gauge| lines(&answer.body, &format!("racetrack_{gauge}")));
    expect![[r#"
        racetrack_sessions 2
        racetrack_sessions_closed 0
        racetrack_waiting 0
        racetrack_pairs 1
        racetrack_readers 0
        racetrack_connections 1
        racetrack_timers 4
    "#]]
    .assert_eq(&gauges.concat());
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
    expect![[r#"
        racetrack_events_total{type="message"} 2
        racetrack_events_total{type="notice"} 0
        racetrack_events_total{type="paired"} 2
        racetrack_events_total{type="waiting"} 1
        racetrack_events_total{type="partner_left"} 0
        racetrack_events_total{type="welcome"} 2
        racetrack_events_total{type="closing"} 0
        racetrack_events_total{type="lagged"} 0
    "#]]
    .assert_eq(&lines(&metrics, "racetrack_events_total"));
    expect![[r#"
        racetrack_rejections_total{reason="message-too-long"} 1
        racetrack_rejections_total{reason="no-session"} 1
        racetrack_rejections_total{reason="not-found"} 1
    "#]]
    .assert_eq(&lines(&metrics, "racetrack_rejections_total"));
}

#[tokio::test]
async fn what_is_delivered_is_timed_and_what_is_held_is_measured() {
    let served = serve(Config::default()).await;
    let (ann, bob) = served.couple().await;
    assert_eq!(served.say(&ann, "a-1", "hi").await.status, 202);
    let before = metrics(&served).await;
    expect![[r#"
        racetrack_deliver_seconds_count 0
    "#]]
    .assert_eq(&lines(&before, "racetrack_deliver_seconds_count"));
    assert_eq!(ask("GET /api/events").bearer(&bob).of(served.addr).await.status, 200);
    let after = metrics(&served).await;
    expect![[r#"
        racetrack_deliver_seconds_count 3
    "#]]
    .assert_eq(&lines(&after, "racetrack_deliver_seconds_count"));
    expect![[r#"
        racetrack_mailbox_depth_sum 16.0
        racetrack_mailbox_depth_count 7
        racetrack_mailbox_depth_bucket{le="0.0"} 0
        racetrack_mailbox_depth_bucket{le="1.0"} 2
        racetrack_mailbox_depth_bucket{le="2.0"} 4
        racetrack_mailbox_depth_bucket{le="4.0"} 7
        racetrack_mailbox_depth_bucket{le="8.0"} 7
        racetrack_mailbox_depth_bucket{le="16.0"} 7
        racetrack_mailbox_depth_bucket{le="32.0"} 7
        racetrack_mailbox_depth_bucket{le="64.0"} 7
        racetrack_mailbox_depth_bucket{le="128.0"} 7
        racetrack_mailbox_depth_bucket{le="256.0"} 7
        racetrack_mailbox_depth_bucket{le="+Inf"} 7
    "#]]
    .assert_eq(&lines(&after, "racetrack_mailbox_depth"));
}
