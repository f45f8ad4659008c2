//! Races, each named by what happens at once, inside the simulated network.
//!
//! The moment of one action is moved from millisecond to millisecond across the other, so that
//! no test depends on knowing the very one. Each test states what must hold at all of them and
//! proves that the race was among them. The checkers of the simulation run in every run; what
//! is asserted here is what only this race promises.
//!
//! Packets take 10 ms each way, so what is done at 500 reaches the server at 510 and the other
//! person at 520; a new connection takes 10 ms more.

mod away;
mod faults;
mod meeting;
mod messages;
mod polls;
mod seen;
mod server;
mod sockets;

use std::collections::BTreeSet;
use std::ops::Range;

use chat_sim::plan::Action::Join;
use chat_sim::scenario::Scenario;
use client::TransportKind::{self, LongPoll, SocketioWebsocket};

use seen::Seen;

/// What a way of 10 ms may take longer, because hosts take turns within each millisecond.
const SLACK_MS: u64 = 4;

/// The same race for those who poll and for those who hold a socket.
fn for_both<T>(race: impl Fn(TransportKind) -> T) -> [T; 2] {
    [LongPoll, SocketioWebsocket].map(race)
}

/// The story that all of these are.
fn alike(stories: impl IntoIterator<Item = String>) -> String {
    let distinct: BTreeSet<_> = stories.into_iter().collect();
    assert_eq!(distinct.len(), 1, "{distinct:#?}");
    distinct.into_iter().next().unwrap_or_default()
}

/// One run for each millisecond at which something may happen.
fn at_each_ms(moments: Range<u64>, race: impl Fn(u64) -> Scenario) -> Vec<(u64, Seen)> {
    moments.map(|at_ms| (at_ms, Seen::run(&race(at_ms)))).collect()
}

/// Nobody yet, in a world that comes to rest soon.
fn world() -> Scenario {
    let world = Scenario::new().settings(|settings| {
        settings.disturb_ms = 1_500;
        settings.settle_ms = 1_000;
        settings.forget_ms = 2_200;
    });
    // Connections that rest for a while stay, so that a new one is never an accident.
    world.server(|config| config.keep_alive_ms_max = 10_000)
}

/// `ann` and `bob`, who talk to each other from 300 ms on.
fn couple(kind: TransportKind) -> Scenario {
    let people = world().person("ann", kind).person("bob", kind);
    people.at(100, "ann", Join).at(200, "bob", Join)
}

/// The couple, and `cyd`, who waits from 400 ms on.
fn couple_and_cyd(kind: TransportKind) -> Scenario {
    couple(kind).person("cyd", kind).at(300, "cyd", Join)
}
