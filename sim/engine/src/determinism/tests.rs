//! What the rest of the simulation relies on: inside, everything follows from
//! the seed; outside, nothing is touched.

#![allow(clippy::disallowed_methods, reason = "real clocks and real entropy are the subject")]

mod escapes;
mod outside;
mod standstill;
#[cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
mod turns;

use std::collections::HashMap;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rand::TryRng;
use rand::rngs::SysRng;

use super::trace::PacketEvent;
use super::{Kind, TraceReport, clock, simulated, trace};

const EPOCH_MS: u64 = 1_800_000_000_123;

/// Draws in every way, reads the clocks, moves time: a small program that
/// hashes everything it sees.
fn drawing(seed: u64) -> (Drawn, TraceReport) {
    let (drawn, report) = simulated(seed, EPOCH_MS, true, draw_all);
    (drawn.expect("drawing does not panic"), report)
}

#[derive(Debug, PartialEq)]
struct Drawn {
    crate_getrandom: [u8; 300],
    rand_system: u64,
    rand_thread: u64,
    map_order: Vec<u32>,
}

fn draw_all() -> Drawn {
    let mut crate_getrandom = [0; 300];
    getrandom::fill(&mut crate_getrandom).expect("served");
    clock::set_now(Duration::from_millis(1));
    let map: HashMap<u32, ()> = (0..64).map(|key| (key, ())).collect();
    let rand_system = SysRng.try_next_u64().expect("served");
    let rand_thread = rand::random();
    let _ = (Instant::now(), SystemTime::now());
    Drawn { crate_getrandom, rand_system, rand_thread, map_order: map.into_keys().collect() }
}

#[test]
fn the_same_seed_gives_the_same_run_whatever_ran_before() {
    let first = drawing(7);
    for other in [8, 9, 10] {
        drawing(other);
    }
    assert_eq!(first, drawing(7));
}

#[test]
fn the_same_seed_gives_the_same_run_whatever_runs_beside() {
    let alone = drawing(7);
    let others: Vec<_> = (0..4)
        .map(|n| {
            thread::spawn(move || {
                let _ = draw_outside();
                drawing(if n < 2 { 7 } else { 100 + n })
            })
        })
        .collect();
    let others: Vec<_> = others.into_iter().map(|other| other.join().expect("joins")).collect();
    assert_eq!(alone, others[0]);
    assert_eq!(alone, others[1]);
    assert_ne!(alone.1.hash, others[2].1.hash);
}

#[test]
fn different_seeds_differ_in_all_that_is_drawn() {
    let ((one, one_report), (two, two_report)) = (drawing(1), drawing(2));
    assert_ne!(one.crate_getrandom, two.crate_getrandom);
    assert_ne!(one.rand_system, two.rand_system);
    assert_ne!(one.rand_thread, two.rand_thread);
    assert_ne!(one.map_order, two.map_order);
    assert_ne!(one_report.hash, two_report.hash);
}

#[test]
fn the_clocks_inside_are_the_simulated_ones() {
    let (times, report) = simulated(0, EPOCH_MS, false, || {
        let (wall, monotonic) = (SystemTime::now(), Instant::now());
        clock::set_now(Duration::from_micros(2_500));
        let later = (SystemTime::now(), monotonic.elapsed());
        clock::jump_wall_clock(-2_000_500_000);
        (wall, later, SystemTime::now(), monotonic.elapsed())
    });
    let (wall, later, jumped, monotonic) = times.expect("no panic");
    let epoch = UNIX_EPOCH + Duration::from_millis(EPOCH_MS);
    let passed = Duration::from_micros(2_500);
    assert_eq!(wall, epoch);
    assert_eq!(later, (epoch + passed, passed));
    assert_eq!(jumped, epoch + passed - Duration::from_nanos(2_000_500_000));
    assert_eq!(monotonic, passed, "a jump of the wall clock moves no other");
    assert_eq!(report.counts.clock, 6);
}

#[test]
fn a_wall_clock_that_jumped_before_1970_is_still_read() {
    let (time, _) = simulated(0, 0, false, || {
        clock::jump_wall_clock(-1_500_000_000);
        SystemTime::now()
    });
    assert_eq!(time, Ok(UNIX_EPOCH - Duration::from_millis(1_500)));
}

#[test]
fn simulated_time_does_not_go_back() {
    let (outcome, _) = simulated(0, 0, false, || {
        clock::set_now(Duration::from_secs(2));
        clock::set_now(Duration::from_secs(1));
    });
    assert!(outcome.is_err_and(|text| text.contains("went back from 2s to 1s")));
}

struct Outside {
    bytes: [[u8; 32]; 2],
    numbers: [u64; 2],
    wall: SystemTime,
}

fn draw_outside() -> Outside {
    let (mut one, mut two) = ([0; 32], [0; 32]);
    getrandom::fill(&mut one).expect("the system has entropy");
    getrandom::fill(&mut two).expect("the system has entropy");
    Outside {
        bytes: [one, two],
        numbers: [rand::random(), rand::random()],
        wall: SystemTime::now(),
    }
}

#[test]
fn outside_entropy_and_clocks_are_the_systems_even_while_a_run_is_under_way() {
    let (ask, asked) = mpsc::channel();
    let (tell, told) = mpsc::channel();
    let beside = thread::spawn(move || {
        asked.recv().expect("the run asks once");
        let outside = draw_outside();
        tell.send(()).expect("the run waits for it");
        outside
    });
    let (_, report) = simulated(7, 0, false, move || {
        ask.send(()).expect("the other thread waits for it");
        told.recv().expect("the other thread answers");
    });
    let (outside, again) = (beside.join().expect("joins"), draw_outside());
    assert_ne!(outside.bytes, again.bytes);
    for Outside { bytes, numbers, wall } in [outside, again] {
        assert_ne!(bytes[0], bytes[1]);
        assert_ne!(numbers[0], numbers[1]);
        assert!(wall > UNIX_EPOCH + Duration::from_secs(1_700_000_000));
    }
    assert_eq!(report.counts.total(), 0, "another thread is not simulated");
    let before = Instant::now();
    while before.elapsed() == Duration::ZERO {}
}

#[test]
fn a_large_draw_outside_falls_through_whole() {
    let mut bytes = vec![0_u8; 10 << 20];
    getrandom::fill(&mut bytes).expect("the system has entropy");
    let tail = &bytes[bytes.len() - 4096..];
    assert!(tail.iter().any(|byte| *byte != 0));
}

#[test]
fn a_draw_of_nothing_leaves_no_trace() {
    let (_, report) = simulated(0, 0, false, || getrandom::fill(&mut []).expect("served"));
    assert_eq!(report.counts.total(), 0);
}

#[test]
fn clocks_of_processor_time_stay_real_and_leave_no_trace() {
    // Nothing in std reads them: the check is that they are not in the list.
    let clock = clock::Clock::starting_at(0);
    assert_eq!(clock.read(libc::CLOCK_THREAD_CPUTIME_ID), None);
    assert_eq!(clock.read(libc::CLOCK_PROCESS_CPUTIME_ID), None);
}

#[test]
fn a_panic_is_reported_with_its_place_and_the_trace_survives() {
    let (outcome, report) = simulated(7, 0, false, || {
        let _: u64 = rand::random();
        assert_eq!(1 + 1, 3, "arithmetic");
    });
    let text = outcome.expect_err("it panicked");
    assert!(text.contains("arithmetic") && text.contains("tests.rs:"), "{text}");
    assert_eq!(report.panics, [text]);
    assert_eq!(report.counts.entropy, 1);
}

#[test]
fn a_panic_that_the_body_caught_is_evidence_too() {
    let (outcome, report) =
        simulated(7, 0, false, || std::panic::catch_unwind(|| panic!("swallowed")).is_err());
    assert_eq!(outcome, Ok(true));
    assert!(report.panics[0].starts_with("swallowed (at "));
}

#[test]
fn the_first_entry_at_which_two_runs_part_is_named() {
    let run = |byte: u8| {
        let (_, report) = simulated(7, 0, true, move || {
            let [local, peer] = [1, 2].map(|port| ([192, 168, 0, 1], port).into());
            trace::packet(10, PacketEvent::Sent, local, peer, b"equal");
            trace::history(20, &[byte]);
            trace::fault(30, b"equal");
        });
        report
    };
    let (one, two) = (run(1), run(2));
    let divergence = one.first_divergence(&two).expect("they differ");
    let (ours, theirs) = (divergence.ours.expect("there"), divergence.theirs.expect("there"));
    assert_eq!(divergence.index, 1);
    assert_eq!((ours.kind, ours.at_us), (Kind::History, 20));
    assert_eq!((theirs.kind, theirs.at_us), (Kind::History, 20));
    assert_eq!(one.first_divergence(&run(1)), None);
}

#[test]
fn entries_without_equal_bytes_at_equal_places_hash_differently() {
    let hash = |record: fn()| simulated(0, 0, false, record).1.hash;
    let hashes = [
        hash(|| ()),
        hash(|| trace::history(0, b"ab")),
        hash(|| trace::fault(0, b"ab")),
        hash(|| trace::history(1, b"ab")),
        hash(|| trace::history(0, b"ab\0")),
        hash(|| (trace::history(0, b"a"), trace::history(0, b"b")).0),
    ];
    let distinct: std::collections::BTreeSet<_> = hashes.iter().collect();
    assert_eq!(distinct.len(), hashes.len());
}

#[test]
fn a_report_survives_json() {
    let (_, report) = drawing(3);
    let json = serde_json::to_string(&report).expect("serialises");
    assert_eq!(serde_json::from_str::<TraceReport>(&json).expect("parses"), report);
}

#[test]
fn destructors_of_the_thread_run_outside_the_simulation() {
    struct DrawsAtTheEnd;
    impl Drop for DrawsAtTheEnd {
        fn drop(&mut self) {
            let now = SystemTime::now();
            assert!(now > UNIX_EPOCH + Duration::from_secs(1_700_000_000));
            let _: HashMap<u8, u8> = HashMap::new();
        }
    }
    thread_local!(static LAST: DrawsAtTheEnd = const { DrawsAtTheEnd });
    let (_, report) = simulated(0, 0, false, || LAST.with(|_| ()));
    assert_eq!(report.counts.total(), 0);
}

#[test]
fn a_blocking_wait_with_a_time_out_ends() {
    let (_, report) = simulated(0, 0, false, || {
        thread::park_timeout(Duration::from_millis(1));
    });
    assert!(report.panics.is_empty());
}
