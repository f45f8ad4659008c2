//! Sockets that are cut: before they are up, and while something is in flight on them.

use chat_sim::plan::Action::{Hang, Join, Say, Vanish};
use chat_sim::plan::FaultKind::{self, CutFinish, CutReset};
use chat_sim::transcript::transcript;
use client::TransportKind::{LongPoll, SocketioPolling, SocketioWebsocket, Websocket};

use super::{at_each_ms, couple, world};

/// Over a network that takes `latency_ms` each way, where the handshake takes six ways.
fn cut_in_the_handshake(cut: FaultKind, latency_ms: u64, seed: u64, at_ms: u64) -> u64 {
    let people = world().seed(seed).person("ann", SocketioWebsocket).at(100, "ann", Join);
    let people = people.settings(|settings| {
        settings.latency_ms_min = latency_ms;
        settings.latency_ms_max = latency_ms;
        settings.disturb_ms = 300;
        settings.settle_ms = 700;
    });
    let report = chat_sim::run(&people.trouble(at_ms, cut, "ann", 0).plan(), false);
    assert!(report.passed(), "{cut} at {at_ms} ms, seed {seed}\n{}", transcript(&report));
    report.faults[&cut.into()].effective
}

fn cut_at_any_moment_of_the_handshake(cut: FaultKind) {
    let far: u64 = (100..180).map(|at_ms| cut_in_the_handshake(cut, 10, 1, at_ms)).sum();
    assert!(far >= 60, "only {far} of 80 cuts met a connection");
    // Where packets take no time, the end of the connection comes right behind the last word.
    let moments = (0..8).flat_map(|seed| (100..110).map(move |at_ms| (seed, at_ms)));
    let near: u64 = moments.map(|(seed, at_ms)| cut_in_the_handshake(cut, 0, seed, at_ms)).sum();
    assert!(near >= 60, "only {near} of 80 cuts met a connection");
}

#[test]
fn a_reset_at_any_moment_of_a_sockets_handshake_leaves_nobody_behind() {
    cut_at_any_moment_of_the_handshake(CutReset);
}

#[test]
fn a_finish_at_any_moment_of_a_sockets_handshake_leaves_nobody_behind() {
    cut_at_any_moment_of_the_handshake(CutFinish);
}

#[test]
fn a_message_in_flight_on_a_socket_that_is_cut_arrives_on_the_next_one() {
    for cut in [CutReset, CutFinish] {
        let runs = at_each_ms(507..523, |at_ms| {
            couple(SocketioWebsocket).at(500, "ann", Say).trouble(at_ms, cut, "bob", 0)
        });
        let mut in_flight = 0;
        for (at_ms, seen) in &runs {
            assert_eq!(seen.count("bob", "partner ann-1"), 1, "{cut} at {at_ms} ms\n{seen}");
            // Who comes back has not been away for anybody else.
            assert_eq!(
                (seen.last("ann"), seen.last("bob")),
                ("me ann-1", "partner ann-1"),
                "{seen}"
            );
            let taken_ms = seen.told("ann", "me ann-1").happened_ms;
            in_flight += usize::from(taken_ms < *at_ms && *at_ms < taken_ms + 10);
        }
        assert!(in_flight > 0, "{cut} while the message was on its way");
    }
}

#[test]
fn a_poll_that_was_cut_takes_its_client_out_of_the_lobby_at_once() {
    // Ann is alone when her poll is cut, at any moment of its life; then bob comes, then cyd.
    let runs = at_each_ms(300..340, |at_ms| {
        let people = world().person("ann", SocketioPolling).at(100, "ann", Join);
        let people = people.at(at_ms, "ann", Vanish).person("bob", LongPoll).at(400, "bob", Join);
        people.person("cyd", LongPoll).at(600, "cyd", Join)
    });
    for (at_ms, seen) in &runs {
        let first = seen.told("bob", "paired p1");
        assert!(first.happened_ms >= 600, "bob met a ghost, at {at_ms} ms\n{seen}");
        assert_eq!(seen.last("cyd"), "paired p1", "at {at_ms} ms\n{seen}");
    }
}

#[test]
fn a_partner_whose_socket_is_cut_never_leaves_a_poller_with_a_ghost() {
    let runs = at_each_ms(240..280, |at_ms| {
        let people = world().person("ann", LongPoll).person("bob", SocketioWebsocket);
        let people = people.at(100, "ann", Join).at(200, "bob", Join);
        people.trouble(at_ms, CutReset, "bob", 0).at(1_400, "ann", Say)
    });
    let mut ghosts = 0;
    for (at_ms, seen) in &runs {
        assert_eq!(seen.count("bob", "partner ann-1"), 1, "at {at_ms} ms\n{seen}");
        ghosts += seen.count("ann", "partner left: lost");
    }
    assert!(ghosts > 0, "a partner was cut off in the moment of pairing");
}

#[test]
fn a_program_that_hangs_is_missed_by_its_heartbeat_though_its_system_takes_everything() {
    for transport in [Websocket, SocketioWebsocket] {
        let runs = at_each_ms(500..510, |at_ms| {
            let people = world().person("ann", LongPoll).person("bob", transport);
            let people = people.at(100, "ann", Join).at(200, "bob", Join);
            people.at(at_ms, "bob", Hang).at(at_ms + 50, "ann", Say)
        });
        for (at_ms, seen) in &runs {
            let missed_ms = seen.told("ann", "partner left: lost").happened_ms - at_ms;
            // A resume window at least, and at most one behind a heartbeat that is not answered.
            assert!((700..2_200).contains(&missed_ms), "{transport}: {missed_ms} ms\n{seen}");
        }
    }
}
