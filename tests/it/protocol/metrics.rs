//! What an operator sees at `/metrics`.

use std::time::Duration;

use client::{Options, TcpConnector, TransportKind};
use expect_test::expect;
use server::config::Config;

use super::raw_socket;
use crate::http::ask;
use crate::served::{Served, serve};

/// Longer than a test takes.
const LONG: Duration = Duration::from_secs(25);
/// How long a reader may take until it is counted.
const COUNTED_WITHIN: Duration = Duration::from_secs(15);

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
        # HELP racetrack_parked Parked requests that wait for an announcement
        # TYPE racetrack_parked gauge
        # HELP racetrack_connections Open connections, the one that asks included
        # TYPE racetrack_connections gauge
        # HELP racetrack_timers Deadlines
        # TYPE racetrack_timers gauge
        # HELP racetrack_readers Mailboxes that a parked poll, a stream or a socket reads
        # TYPE racetrack_readers gauge
        # HELP racetrack_requests Requests that were answered, of no transport where they belong to all
        # TYPE racetrack_requests counter
        # HELP racetrack_messages Messages accepted, by what their sender's mailbox is read over, or was last
        # TYPE racetrack_messages counter
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
        racetrack_readers{transport="short-poll"} 0
        racetrack_readers{transport="long-poll"} 0
        racetrack_readers{transport="sse"} 0
        racetrack_readers{transport="websocket"} 0
        racetrack_readers{transport="socketio-polling"} 0
        racetrack_readers{transport="socketio-websocket"} 0
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
async fn messages_are_counted_once_by_how_their_sender_reads() {
    let served = serve(Config::default()).await;
    let (ann, bob) = served.couple().await;
    assert_eq!(served.say(&ann, "a-1", "before anything is read").await.status, 202);
    assert_eq!(ask("GET /api/events").bearer(&bob).of(served.addr).await.status, 200);
    for id in ["b-1", "b-2", "b-2"] {
        assert_eq!(served.say(&bob, id, "after a short poll").await.status, 202);
    }
    let mut socket = raw_socket::resume(&served, &ann, "").await;
    while socket.event("message").await["id"] != "b-2" {}
    assert_eq!(served.say(&ann, "a-2", "beside a WebSocket").await.status, 202);
    socket.say("a-3").await;
    while socket.event("message").await["id"] != "a-3" {}
    expect![[r#"
        racetrack_messages_total{transport="short-poll"} 2
        racetrack_messages_total{transport="long-poll"} 0
        racetrack_messages_total{transport="sse"} 0
        racetrack_messages_total{transport="websocket"} 2
        racetrack_messages_total{transport="socketio-polling"} 0
        racetrack_messages_total{transport="socketio-websocket"} 0
        racetrack_messages_total{transport="none"} 1
    "#]]
    .assert_eq(&lines(&metrics(&served).await, "racetrack_messages_total"));
}

/// What is delivered to short polls.
const COUNT: &str = "racetrack_deliver_seconds_count{transport=\"short-poll\"}";

#[tokio::test]
async fn what_is_delivered_is_timed_and_what_is_held_is_measured() {
    let served = serve(Config::default()).await;
    let (ann, bob) = served.couple().await;
    assert_eq!(served.say(&ann, "a-1", "hi").await.status, 202);
    let before = metrics(&served).await;
    expect![[r#"
        racetrack_deliver_seconds_count{transport="short-poll"} 0
    "#]]
    .assert_eq(&lines(&before, COUNT));
    assert_eq!(ask("GET /api/events").bearer(&bob).of(served.addr).await.status, 200);
    let after = metrics(&served).await;
    expect![[r#"
        racetrack_deliver_seconds_count{transport="short-poll"} 3
    "#]]
    .assert_eq(&lines(&after, COUNT));
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

#[tokio::test]
async fn readers_requests_and_deliveries_are_counted_by_transport() {
    for kind in TransportKind::ALL {
        let served = serve(Config::default()).await;
        let connector = TcpConnector { target: served.addr, source: None };
        let options = Options { poll_wait: LONG, ..Options::new(served.addr.to_string()) };
        let (_sender, mut receiver) =
            client::open(kind, connector, options).await.expect("a session");
        let name = kind.name();
        let heard = receiver.receive().await.expect("a session begins with events");
        assert!(!heard.events.is_empty(), "{name}");
        // Waits for what does not come, so that a poll is parked.
        let waiting = tokio::spawn(async move { receiver.receive().await.map(|_| receiver) });
        let readers = format!("racetrack_readers{{transport=\"{name}\"}} ");
        let expected = u64::from(kind != TransportKind::ShortPoll);
        let is_counted = async {
            loop {
                let metrics = metrics(&served).await;
                if metrics.contains(&format!("{readers}{expected}\n")) {
                    return metrics;
                }
            }
        };
        let metrics = tokio::time::timeout(COUNTED_WITHIN, is_counted).await;
        let metrics = metrics.unwrap_or_else(|_| panic!("{readers}{expected} never showed"));
        let delivered = format!("racetrack_deliver_seconds_count{{transport=\"{name}\"}} ");
        let of_others: Vec<_> = metrics
            .lines()
            .filter(|line| line.starts_with("racetrack_readers{") && !line.starts_with(&readers))
            .filter(|line| !line.ends_with(" 0"))
            .collect();
        assert!(of_others.is_empty(), "{name}: {of_others:?}");
        assert!(!metrics.contains(&format!("{delivered}0\n")), "{name}: {metrics}");
        let requests = format!("racetrack_requests_total{{transport=\"{name}\",code=");
        let mut requests = metrics.lines().filter(|line| line.starts_with(&requests));
        assert!(requests.any(|line| !line.ends_with(" 0")), "{name}: {metrics}");
        waiting.abort();
    }
}

#[tokio::test]
async fn format_follows_accept_and_a_browser_is_shown_text() {
    let served = serve(Config::default()).await;
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    for accept in ["text/plain", browser] {
        let answer = ask("GET /metrics").header("accept", accept).of(served.addr).await;
        let format = "text/plain; version=0.0.4; charset=utf-8";
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(format)));
        assert_eq!(answer.header("content-disposition"), None);
        assert!(answer.header("vary").is_some_and(|vary| vary.contains("accept")));
        assert!(answer.body.contains("# TYPE racetrack_events_total counter\n"));
        assert!(!answer.body.contains("# EOF"));
    }
    let answer = ask("GET /metrics").header("accept", "*/*").of(served.addr).await;
    assert!(answer.header("content-type").is_some_and(|kind| kind.starts_with("application/")));
}
