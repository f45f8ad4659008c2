//! The README's example of a race that is kept by name.

use client::TransportKind::{LongPoll, SocketioWebsocket};
use sim::plan::Action::{Join, Say};
use sim::plan::FaultKind::CutReset;
use sim::scenario::Scenario;
use sim::transcript::story;

#[test]
fn the_race_in_the_readme_runs_as_it_stands_there() {
    let report = Scenario::new()
        .person("ann", LongPoll)
        .person("bob", SocketioWebsocket)
        .at(100, "ann", Join)
        .at(100, "bob", Join)
        .at(500, "ann", Say)
        .trouble(505, CutReset, "bob", 0)
        .run();
    // Whoever keeps a cursor loses nothing with a connection.
    assert!(story(&report, "bob").contains("partner ann-1"), "{}", story(&report, "bob"));
    assert!(!story(&report, "ann").contains("lost"), "{}", story(&report, "ann"));
}
