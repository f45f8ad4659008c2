//! People who skip, leave and come: whatever they do, every message is explained.

use std::collections::BTreeSet;
use std::time::Duration;

use client::TransportKind;
use loadtest::mix::Transport;
use loadtest::{Options, Span};
use reports::{Cause, Invalid};
use server::config::Config;

use super::dishonest::Dishonest;
use super::{run, small};
use crate::served;

fn span(ms: u64) -> Span {
    Span(Duration::from_millis(ms))
}

/// A few dozen people who stay for a second and want somebody else twice in it.
fn moving(transport: impl Into<Transport>) -> Options {
    Options {
        transports: vec![transport.into()],
        users: 36,
        rate: Some(360.0),
        skip_every: Some(span(500)),
        stay: Some(span(1_000)),
        ..small(TransportKind::Sse)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_of_every_transport_skip_and_leave_and_every_message_is_explained() {
    let series = run(&moving(Transport::Mix)).await.expect("a run");
    let messages = &series.messages;
    assert_eq!(series.transport, "mix");
    assert!(messages.all_accounted_for(), "{messages:?} {:?}", series.traffic.errors);
    assert_eq!(series.traffic.errors.len(), 0, "{:?}", series.traffic.errors);
    assert_eq!(messages.scheduled, messages.unsent + messages.refused + messages.delivered);
    assert!(messages.delivered > 400, "about 700 are due: {messages:?}");
    // 36 people, 2 skips and a departure a second each, all but some of which part two people.
    assert!(series.pairing_us.count() > 100, "{} found a partner", series.pairing_us.count());
    let is_short = |reason: &&Invalid| reason.cause == Cause::ScheduleMissed;
    assert_eq!(series.invalid.iter().find(is_short), None, "who is alone is not expected to speak");

    let readers = &series.by_reader;
    let names: BTreeSet<_> = readers.iter().map(|it| it.transport.as_str()).collect();
    assert_eq!(names, TransportKind::ALL.map(TransportKind::name).into());
    assert_eq!(readers.iter().map(|it| it.users).sum::<u64>(), 36);
    let read: u64 = readers.iter().map(|it| it.latency_us.count()).sum();
    assert_eq!(read, messages.delivered, "each has one reader");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nobody_moves_nobody_is_ever_alone() {
    let series = run(&small(TransportKind::Websocket)).await.expect("a run");
    assert_eq!((series.pairing_us.count(), series.by_reader.len()), (0, 0));
    assert!(series.connect_s > Some(0.0), "{:?}", series.connect_s);
}

/// A message that vanishes is lost, though its reader has long left: nothing excuses it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_a_server_drops_is_lost_however_soon_its_reader_leaves() {
    let config = Config {
        connections_per_address_max: 0,
        sessions_per_address_max: 0,
        opens_per_address_per_s_max: 0,
        messages_per_s_max: 1_000,
        messages_burst_max: 1_000,
        nexts_per_s_max: 1_000,
        nexts_burst_max: 1_000,
        ..Config::default()
    };
    let server = served::serve(config).await;
    let dishonest = Dishonest::start(server.addr).await;
    let options = Options {
        target: Some(format!("http://{}", dishonest.addr)),
        ..moving(TransportKind::Websocket)
    };
    let series = run(&options).await.expect("a run");
    let dropped = dishonest.dropped();
    assert!(dropped > 5, "{dropped} were dropped");
    assert_eq!(series.messages.lost, dropped, "{:?}", series.messages);
    assert!(!series.messages.all_accounted_for());
}
