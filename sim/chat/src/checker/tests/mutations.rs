//! Histories of real runs, each spoiled in one place: a checker that looks away is found here.

use std::collections::BTreeSet;

use protocol::{PairId, Seq, ServerEvent, SessionId, Speaker};

use super::super::check;
use crate::generate;
use crate::history::{Event, Kind, Op, Phase};
use crate::model;
use crate::options::Options;
use crate::plan::Plan;

/// Runs to spoil; enough for every kind of event to be among them.
const SEEDS: u64 = 24;

/// A spoiled history must be found out by this checker, wherever it is spoiled; `spoil` gives all
/// variants of one history.
fn must_fail(checker: &str, spoil: impl Fn(&[Event]) -> Vec<Vec<Event>>) {
    must_fail_one_of(&[checker], spoil);
}

/// As [`must_fail`], where it depends on the place which of several checkers finds it.
fn must_fail_one_of(checkers: &[&str], spoil: impl Fn(&[Event]) -> Vec<Vec<Event>>) {
    let mut spoiled_count = 0;
    for seed in 0..SEEDS {
        let plan = generate::plan(seed, &Options::default());
        let report = model::run(&plan, false);
        assert!(report.passed(), "seed {seed}: {:?}", report.violations);
        for (variant, spoiled) in spoil(&report.history).into_iter().enumerate() {
            let found = checkers_of(&plan, spoiled);
            let is_found = checkers.iter().any(|checker| found.contains(*checker));
            assert!(is_found, "seed {seed}, variant {variant}: only {found:?}");
            spoiled_count += 1;
        }
    }
    assert!(spoiled_count > 1, "{spoiled_count} histories were spoiled");
}

fn checkers_of(plan: &Plan, mut history: Vec<Event>) -> BTreeSet<String> {
    for (index, event) in history.iter_mut().enumerate() {
        event.index = index;
    }
    check(plan, &history).into_iter().map(|violation| violation.checker).collect()
}

/// The places in a history that one may spoil: before people leave in the end, and not the last
/// word to a session, which may be lost with its connection.
fn places(history: &[Event], wanted: impl Fn(&Event) -> bool) -> Vec<usize> {
    let is_settled = |event: &Event| matches!(event.op, Op::Phase { phase: Phase::Settled });
    let settled = history.iter().position(is_settled).expect("the run came to rest");
    let is_last = |place: usize| {
        let session = history[place].session;
        let mut later = history[place + 1..].iter();
        !later.any(|event| event.session == session && event.told().is_some())
    };
    (0..settled).filter(|place| wanted(&history[*place]) && !is_last(*place)).collect()
}

/// Those places whose loss a `lagged` of the same session cannot be taken to stand for, be it one that
/// was never read.
fn unspoken_for(history: &[Event], places: Vec<usize>) -> Vec<usize> {
    let lags = |event: &Event| matches!(event.told(), Some(ServerEvent::Lagged { .. }));
    let ends = |event: &Event| matches!(event.told(), Some(ServerEvent::Closing { .. }));
    let later = |place: usize| {
        let session = history[place].session;
        history[place..].iter().filter(move |event| event.session == session)
    };
    let is_unspoken_for = |place: &usize| later(*place).any(ends) && !later(*place).any(lags);
    places.into_iter().filter(is_unspoken_for).collect()
}

/// One variant for each of the places, made by `change`.
fn each(
    history: &[Event],
    places: Vec<usize>,
    change: impl Fn(&mut Vec<Event>, usize),
) -> Vec<Vec<Event>> {
    let variants = places.into_iter().map(|place| {
        let mut spoiled = history.to_vec();
        change(&mut spoiled, place);
        spoiled
    });
    variants.collect()
}

fn is_heard(event: &Event) -> bool {
    matches!(event.told(), Some(ServerEvent::Message { from: Speaker::Partner, .. }))
}

fn is_paired(event: &Event) -> bool {
    matches!(event.told(), Some(ServerEvent::Paired { .. }))
}

fn body(event: &mut Event) -> &mut ServerEvent {
    match &mut event.what.op {
        Op::Told { event } => &mut event.body,
        op => panic!("nobody is told {op:?}"),
    }
}

#[test]
fn a_message_that_is_dropped_is_missed() {
    must_fail("log", |history| {
        let heard = unspoken_for(history, places(history, is_heard));
        each(history, heard, |spoiled, place| drop(spoiled.remove(place)))
    });
}

#[test]
fn a_message_that_is_doubled_is_noticed() {
    must_fail("delivery", |history| {
        each(history, places(history, is_heard), |spoiled, place| {
            spoiled.insert(place, spoiled[place].clone());
        })
    });
}

#[test]
fn a_message_that_comes_again_later_is_noticed() {
    must_fail("delivery", |history| {
        each(history, places(history, is_heard), |spoiled, place| {
            let heard = body(&mut spoiled[place]).clone();
            let session = spoiled[place].session;
            let mut later = spoiled[place + 1..].iter_mut();
            let next = later.find(|event| event.session == session && event.told().is_some());
            *body(next.expect("it is not the last word")) = heard;
        })
    });
}

#[test]
fn two_messages_of_one_sender_that_are_swapped_are_noticed() {
    must_fail("delivery", |history| {
        let mut variants = Vec::new();
        // Of what was said over two connections, or again after another one, no order is promised.
        let out_of_order = history.iter().filter(|event| event.may_be_out_of_order());
        let out_of_order: BTreeSet<_> = out_of_order.filter_map(|event| event.said()).collect();
        let is_heard = |event: &Event| match event.told() {
            Some(ServerEvent::Message { id, .. }) => is_heard(event) && !out_of_order.contains(id),
            _ => false,
        };
        for first in places(history, is_heard) {
            let sender = |event: &Event| match event.told() {
                Some(ServerEvent::Message { id, .. }) => {
                    id.as_str().split('-').next().map(str::to_owned)
                }
                _ => None,
            };
            let (session, name) = (history[first].session, sender(&history[first]));
            let second = (first + 1..history.len()).find(|place| {
                let event = &history[*place];
                event.session == session && is_heard(event) && sender(event) == name
            });
            let Some(second) = second else { continue };
            let mut spoiled = history.to_vec();
            let (one, other) =
                (body(&mut spoiled[first]).clone(), body(&mut spoiled[second]).clone());
            *body(&mut spoiled[first]) = other;
            *body(&mut spoiled[second]) = one;
            variants.push(spoiled);
        }
        variants
    });
}

#[test]
fn a_message_that_nobody_said_is_noticed() {
    must_fail("delivery", |history| {
        each(history, places(history, is_heard), |spoiled, place| {
            if let ServerEvent::Message { id, .. } = body(&mut spoiled[place]) {
                *id = "nobody-1".parse().expect("a short id");
            }
        })
    });
}

#[test]
fn a_message_that_is_moved_to_another_person_is_noticed() {
    must_fail("isolation", |history| {
        let people: BTreeSet<_> = history
            .iter()
            .filter_map(|event| event.session.map(|session| (session, event.process.clone())))
            .collect();
        let mut variants = Vec::new();
        for place in places(history, is_heard) {
            let owner = history[place].session;
            for (session, process) in people.iter().filter(|(session, _)| Some(*session) != owner) {
                let mut spoiled = history.to_vec();
                spoiled[place].what.session = Some(*session);
                spoiled[place].process.clone_from(process);
                variants.push(spoiled);
            }
        }
        variants
    });
}

#[test]
fn a_partner_who_is_announced_to_one_side_only_is_noticed() {
    // What is said in that conversation is out of place, or somebody is left by nobody.
    must_fail_one_of(&["log", "isolation", "pairing", "liveness"], |history| {
        each(history, places(history, is_paired), |spoiled, place| drop(spoiled.remove(place)))
    });
}

#[test]
fn a_second_partner_is_noticed() {
    must_fail("pairing", |history| {
        each(history, places(history, is_paired), |spoiled, place| {
            let mut second = spoiled[place].clone();
            *body(&mut second) = ServerEvent::Paired { pair: PairId(1) };
            spoiled.insert(place + 1, second);
        })
    });
}

#[test]
fn a_third_member_is_noticed() {
    must_fail("pairing", |history| {
        let members = |event: &Event| {
            let same =
                history.iter().filter(|other| is_paired(other) && other.told() == event.told());
            same.count()
        };
        let met = places(history, |event| is_paired(event) && members(event) == 2);
        each(history, met, |spoiled, place| {
            let mut third = spoiled[place].clone();
            third.what.session = Some(SessionId(1));
            spoiled.insert(place + 1, third);
        })
    });
}

#[test]
fn people_who_wait_instead_of_talking_in_the_end_are_noticed() {
    must_fail("liveness", |history| {
        let is_rest = |event: &&Event| matches!(event.op, Op::Phase { phase: Phase::Settled });
        let rest_us = history.iter().find(is_rest).expect("the run came to rest").at_us;
        let last_pair = history.iter().rev().find_map(|event| match event.told() {
            Some(ServerEvent::Paired { pair }) => Some(*pair),
            _ => None,
        });
        let of_pair = places(
            history,
            |event| matches!(event.told(), Some(ServerEvent::Paired { pair }) if Some(*pair) == last_pair),
        );
        let lasts = |place: &usize| {
            let session = history[*place].session;
            let mut later = history[place + 1..].iter().filter(|event| event.session == session);
            let end = later.find(|event| {
                let has_left = matches!(event.op, Op::Leave | Op::Vanish | Op::Lost);
                has_left || matches!(event.told(), Some(ServerEvent::PartnerLeft { .. }))
            });
            end.is_some_and(|event| event.at_us >= rest_us)
        };
        if of_pair.len() < 2 || !of_pair.iter().all(lasts) {
            return Vec::new();
        }
        let mut spoiled = history.to_vec();
        for place in of_pair {
            *body(&mut spoiled[place]) = ServerEvent::Waiting;
        }
        vec![spoiled]
    });
}

#[test]
fn a_session_that_is_never_given_up_is_noticed() {
    must_fail("leaks", |history| {
        let mut spoiled = history.to_vec();
        let gauges = spoiled.iter_mut().rev().find_map(|event| match &mut event.what.op {
            Op::Gauges { gauges } => Some(gauges),
            _ => None,
        });
        gauges.expect("the server gave its figures").insert("sessions".to_owned(), 1);
        vec![spoiled]
    });
}

#[test]
fn a_poll_that_is_stretched_is_noticed() {
    must_fail("timeouts", |history| {
        let is_healed = |event: &Event| matches!(event.op, Op::Phase { phase: Phase::Healed });
        let healed = history.iter().position(is_healed).expect("the network healed");
        let ended = places(history, |event| {
            matches!(event.op, Op::Poll { .. }) && event.kind == Kind::Ok && event.index > healed
        });
        // Only what began after the network had healed has a limit.
        let begun_healed = ended.into_iter().filter(|place| {
            let mut earlier = history[healed..*place].iter();
            earlier.any(|event| {
                event.process == history[*place].process
                    && matches!(event.op, Op::Poll { .. })
                    && event.kind == Kind::Invoke
            })
        });
        each(history, begun_healed.collect(), |spoiled, place| {
            for event in &mut spoiled[place..] {
                event.at_us += 10_000_000;
            }
        })
    });
}

#[test]
fn a_place_that_is_given_out_again_is_noticed() {
    must_fail("log", |history| {
        // What lies behind a gap could have had a place in it.
        let told = places(history, |event| event.told().is_some());
        let behind_another = told.into_iter().filter(|place| {
            let seq = |event: &Event| match &event.op {
                Op::Told { event } => Some(event.seq),
                _ => None,
            };
            let session = history[*place].session;
            let of_session = history[..*place].iter().filter(|event| event.session == session);
            let before = of_session.filter_map(seq).next_back().unwrap_or_default();
            seq(&history[*place]) == Some(before.next())
        });
        each(history, behind_another.collect(), |spoiled, place| {
            if let Op::Told { event } = &mut spoiled[place].what.op {
                event.seq = Seq(event.seq.0.saturating_sub(1));
            }
        })
    });
}
