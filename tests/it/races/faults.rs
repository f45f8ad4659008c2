//! Faults that say nothing: nobody is told, and somebody has to find out.

use std::collections::BTreeSet;

use chat_sim::fault::{self, ChatFault};
use chat_sim::plan::Action::{ComeBack, DoublePost, Flood, FreshTab, GoAway, Join, Say, SecondTab};
use chat_sim::plan::FaultKind::{
    AbortAnswer, BlackHole, ClockForward, Freeze, HalfOpen, PartitionToClient, PartitionToServer,
    RollingDrain,
};
use chat_sim::scenario::Scenario;
use chat_sim::{Chat, Options};
use client::TransportKind::{self, LongPoll, SocketioPolling, SocketioWebsocket, Sse, Websocket};

use super::SLACK_MS;
use super::seen::Seen;

/// Ann and bob, who talk from 300 ms on, with time for heartbeats to be missed.
fn couple(kind: TransportKind) -> Scenario {
    let people = Scenario::new().person("ann", kind).person("bob", kind);
    let people = people.at(100, "ann", Join).at(200, "bob", Join);
    people.settings(|settings| settings.disturb_ms = 3_500)
}

#[test]
fn every_kind_of_fault_touches_something_and_every_promise_is_kept() {
    for kind in fault::all() {
        let options = Options { faults: vec![kind], ..Options::default() };
        let swept = racetrack_sim::sweep(&Chat, 0..12, &options, 2, |_| {});
        assert!(swept.failures.is_empty(), "{kind}: {:#?}", swept.failures[0].evidence);
        assert!(swept.faults[&kind].effective > 0, "{kind} touched nothing");
    }
}

#[test]
fn a_connection_in_a_black_hole_is_found_by_its_heartbeat() {
    for kind in [Sse, Websocket, SocketioWebsocket] {
        let seen = couple(kind).trouble(500, BlackHole, "bob", 2_900).at(600, "ann", Say);
        let seen = Seen::run(&seen);
        let told = seen.told("bob", "partner ann-1");
        // Nothing came for as long as a client bears it, and the window is still open.
        assert!((1_400..3_000).contains(&told.arrived_ms), "{kind}\n{seen}");
        assert_eq!(seen.count("bob", "partner ann-1"), 1, "{kind}\n{seen}");
    }
}

/// Times at which a fault of upgrades begins: it comes behind the handshake at the first, and behind the probe
/// at the second.
const BEFORE_UPGRADE_MS: [u64; 2] = [150, 151];

#[test]
fn upgrade_that_is_broken_before_its_end_loses_no_connection() {
    for (kind, at_ms) in [ChatFault::UpgradeCut, ChatFault::UpgradeSilence]
        .into_iter()
        .flat_map(|kind| BEFORE_UPGRADE_MS.map(|at| (kind, at)))
    {
        let people = Scenario::new().person("ann", SocketioPolling).person("bob", SocketioPolling);
        let people = people.upgrading_after(1).at(100, "ann", Join).at(200, "bob", Join);
        let people = people.settings(|settings| settings.disturb_ms = 3_500);
        // Whoever loses a connection is lost to the partner.
        let people = people.server(|server| server.resume_window_ms = 0);
        let people = people.trouble(at_ms, kind, "bob", 3_000);
        let seen =
            Seen::run(&people.at(600, "ann", Say).at(2_600, "bob", Say).at(2_800, "ann", Say));
        for (who, words) in
            [("bob", "partner ann-1"), ("ann", "partner bob-1"), ("bob", "partner ann-2")]
        {
            assert_eq!(seen.count(who, words), 1, "{kind} at {at_ms}\n{seen}");
        }
        assert_eq!(seen.count("ann", "partner left: lost"), 0, "{kind} at {at_ms}\n{seen}");
    }
}

#[test]
fn a_client_that_is_gone_without_a_word_takes_its_session_up_again() {
    for kind in [LongPoll, Sse, Websocket, SocketioWebsocket] {
        let seen = couple(kind).trouble(500, HalfOpen, "bob", 1_000).at(520, "ann", Say);
        let seen = Seen::run(&seen);
        assert_eq!(seen.count("bob", "partner ann-1"), 1, "{kind}\n{seen}");
        assert_eq!(seen.count("ann", "partner left: lost"), 0, "{kind}\n{seen}");
    }
}

#[test]
fn what_one_way_of_the_network_has_held_back_arrives_once_when_it_is_open_again() {
    for kind in [Sse, Websocket, SocketioWebsocket] {
        let back = couple(kind).trouble(500, PartitionToClient, "bob", 400).at(600, "ann", Say);
        let seen = Seen::run(&back);
        let told = seen.told("bob", "partner ann-1");
        assert!((900..=920 + SLACK_MS).contains(&told.arrived_ms), "{kind}\n{seen}");
    }
    for kind in [Websocket, SocketioWebsocket] {
        let there = couple(kind).trouble(500, PartitionToServer, "ann", 400).at(600, "ann", Say);
        let seen = Seen::run(&there);
        let told = seen.told("bob", "partner ann-1");
        assert!((910..=920 + SLACK_MS).contains(&told.arrived_ms), "{kind}\n{seen}");
    }
}

#[test]
fn a_server_that_stood_still_takes_up_what_came_in_meanwhile() {
    for kind in [LongPoll, Websocket, SocketioWebsocket] {
        let seen = Seen::run(&couple(kind).server_trouble(500, Freeze, 300).at(600, "ann", Say));
        let told = seen.told("bob", "partner ann-1");
        assert!((800..=840 + SLACK_MS).contains(&told.arrived_ms), "{kind}\n{seen}");
    }
}

#[test]
fn people_move_over_to_another_server_while_the_first_one_drains() {
    for kind in TransportKind::ALL {
        let people = couple(kind).server_trouble(1_000, RollingDrain, 1_500).at(500, "ann", Say);
        let seen = Seen::run(&people.at(2_800, "bob", Say));
        assert_eq!(seen.count("ann", "closing: draining"), 1, "{kind}\n{seen}");
        assert_eq!(seen.count("ann", "partner bob-1"), 1, "{kind}\n{seen}");
        assert!(seen.told("bob", "paired p2").happened_ms < 2_500, "{kind}\n{seen}");
    }
}

#[test]
fn a_wall_clock_that_jumps_moves_nobodys_messages() {
    let people = couple(Websocket).server_trouble(500, ClockForward, 300);
    let seen = Seen::run(&people.at(600, "ann", Say).at(900, "ann", Say));
    let at = |words: &str| seen.told("bob", words).happened_ms;
    assert_eq!((at("partner ann-1") / 100, at("partner ann-2") / 100), (6, 9), "{seen}");
}

#[test]
fn an_answer_that_is_cut_in_the_middle_is_asked_for_again() {
    for kind in [LongPoll, Sse, Websocket, SocketioWebsocket] {
        let people = couple(kind).trouble(500, AbortAnswer, "bob", 300);
        let seen = Seen::run(&people.at(600, "ann", Say));
        assert_eq!(seen.count("bob", "partner ann-1"), 1, "{kind}\n{seen}");
    }
}

#[test]
fn who_comes_back_with_the_cursor_misses_nothing_and_hears_nothing_twice() {
    for kind in TransportKind::ALL {
        let people = couple(kind).at(800, "bob", GoAway).at(900, "ann", Say);
        let seen = Seen::run(&people.at(1_100, "bob", ComeBack));
        assert_eq!(seen.count("bob", "partner ann-1"), 1, "{kind}\n{seen}");
        assert!(seen.told("bob", "partner ann-1").arrived_ms > 1_100, "{kind}\n{seen}");
    }
}

#[test]
fn who_stays_away_too_long_is_lost_to_the_partner() {
    for kind in [LongPoll, Sse, Websocket, SocketioWebsocket] {
        let seen = couple(kind).at(800, "bob", GoAway).at(2_500, "bob", ComeBack);
        let seen = Seen::run(&seen);
        assert_eq!(seen.count("ann", "partner left: lost"), 1, "{kind}\n{seen}");
        assert_eq!(seen.last("ann"), seen.last("bob"), "they meet again\n{seen}");
    }
}

#[test]
fn a_message_that_is_posted_over_two_connections_is_heard_once() {
    for kind in TransportKind::ALL {
        let seen = Seen::run(&couple(kind).at(600, "ann", DoublePost));
        let counts = ["me ann-1", "partner ann-1"]
            .map(|words| seen.count("ann", words) + seen.count("bob", words));
        assert_eq!(counts, [1, 1], "{kind}\n{seen}");
    }
}

#[test]
fn a_flood_is_heard_up_to_the_limit_and_the_rest_is_refused() {
    let people = couple(Websocket).at(600, "ann", Flood);
    let seen = Seen::run(&people.server(|config| config.messages_burst_max = 5));
    let ids: BTreeSet<_> = (1..=60).map(|number| format!("ann-{number}")).collect();
    let accepted = ids.iter().filter(|id| seen.is_accepted(id)).count();
    let refused = ids.iter().filter(|id| seen.is_refused(id)).count();
    assert!((5..=7).contains(&accepted), "{accepted} accepted\n{seen}");
    assert_eq!(accepted + refused, 60, "each was accepted or refused\n{seen}");
}

#[test]
fn a_second_tab_takes_nothing_away_from_the_first() {
    for kind in TransportKind::ALL {
        for tab in [SecondTab, FreshTab] {
            let people = couple(kind).at(600, "bob", tab).at(700, "ann", Say);
            let seen = Seen::run(&people);
            assert_eq!(seen.count("bob", "partner ann-1"), 1, "{kind}\n{seen}");
        }
    }
}
