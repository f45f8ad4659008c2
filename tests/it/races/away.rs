//! A server that is away: where its process crashed or has drained, its machine refuses connections at
//! once; where the machine lost its power, nothing answers until it is back.

use chat_sim::Report;
use chat_sim::history::{Kind, Op};
use chat_sim::plan::Action::Join;
use chat_sim::plan::FaultKind::{self, Crash, CrashBlackHole, Drain};
use chat_sim::scenario::Scenario;
use chat_sim::transcript::transcript;
use client::TransportKind;

use super::SLACK_MS;

/// An attempt to open a session.
#[derive(Debug)]
struct Opening {
    begun_ms: u64,
    ended_ms: u64,
    /// Why it failed; empty if it did not.
    why: String,
}

/// The attempts of a newcomer who wants to get in while the server is away, from 1,000 to 1,400 ms, and
/// two others talk until then.
fn newcomer(kind: TransportKind, fault: FaultKind) -> (Report, Vec<Opening>) {
    let people = Scenario::new().person("ann", kind).person("bob", kind).person("cyd", kind);
    let people = people.settings(|settings| settings.disturb_ms = 2_000);
    let people = people.server_trouble(1_000, fault, 400);
    let report = people.at(100, "ann", Join).at(200, "bob", Join).at(1_100, "cyd", Join).run();
    let mut begun_us = 0;
    let mut openings = Vec::new();
    for event in report.history.iter().filter(|event| event.process == "cyd") {
        match (&event.op, event.kind) {
            (Op::Open { .. }, Kind::Invoke) => begun_us = event.at_us,
            (Op::Open { .. }, _) => openings.push(Opening {
                begun_ms: begun_us / 1_000,
                ended_ms: event.at_us / 1_000,
                why: event.detail.as_ref().map(ToString::to_string).unwrap_or_default(),
            }),
            _ => {}
        }
    }
    (report, openings)
}

#[test]
fn machine_whose_process_crashed_or_has_drained_refuses_connections() {
    for kind in TransportKind::ALL {
        for fault in [Crash, Drain] {
            let (report, openings) = newcomer(kind, fault);
            let told = || format!("{kind} {fault}: {openings:?}\n{}", transcript(&report));
            let is_refused = |it: &&Opening| it.why.contains("server refuses connections");
            // While it still drains it takes connections.
            let mut openings_then = openings.iter().skip_while(|it| !is_refused(it)).peekable();
            assert!(openings_then.peek().is_some(), "refused: {}", told());
            while let Some(it) = openings_then.next_if(is_refused) {
                assert!((1_100..1_400).contains(&it.begun_ms), "while it is away: {}", told());
                assert!(it.ended_ms <= it.begun_ms + 10 + SLACK_MS, "at once: {}", told());
            }
            let next = openings_then.next().expect("the server came back");
            assert!(next.ended_ms >= 1_400 && next.why.is_empty(), "{}", told());
        }
    }
}

#[test]
fn machine_that_lost_its_power_answers_nothing_until_it_is_back() {
    for kind in TransportKind::ALL {
        let (report, openings) = newcomer(kind, CrashBlackHole);
        let first = openings.first().expect("there is an attempt");
        let is_late = first.begun_ms < 1_110 && first.ended_ms >= 1_400;
        assert!(is_late, "{kind}: {openings:?}\n{}", transcript(&report));
    }
}
