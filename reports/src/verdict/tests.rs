//! What is said of runs that were good, bad, interrupted and empty.

use super::*;
use crate::invalid::{Cause, Invalid};
use expect_test::{Expect, expect};

fn check(run: &Run, standing: Standing, expected: Expect) {
    let verdict = verdict(run);
    assert_eq!(verdict.standing, standing);
    let sentences = verdict.warnings.iter().chain([&verdict.headline]);
    expected.assert_eq(&sentences.map(|sentence| format!("{sentence}\n")).collect::<String>());
}

fn sample(transports: usize) -> Run {
    crate::sample::run(transports, 5, 400)
}

#[test]
fn the_fastest_is_named_with_its_cost_and_the_slowest_beside_it() {
    check(
        &sample(3),
        Standing::Good,
        expect![[r#"
            websocket and long-poll were too close to tell apart: p50 516 µs and 1.12 ms, p99 3.62 ms and 7.57 ms. websocket had the lowest server CPU: 24.0 µs per message. short-poll was slowest: p50 496 ms.
        "#]],
    );
}

#[test]
fn one_transport_is_described_and_compared_with_nothing() {
    check(
        &sample(1),
        Standing::Good,
        expect![[r#"
            websocket: p50 516 µs, p99 3.62 ms, 24.0 µs of server CPU per message.
        "#]],
    );
}

#[test]
fn lost_messages_are_said_first_and_their_transport_does_not_win() {
    let mut run = sample(3);
    run.series[0].messages.lost = 3;
    run.series[0].messages.delivered -= 3;
    run.series[2].invalid.push("the generator was at 93 % of its core".into());
    check(
        &run,
        Standing::Failed,
        expect![[r#"
            websocket did not account for every message: 3 lost of 1,931 messages.
            The figures of short-poll are not valid: the generator was at 93 % of its core.
            Only long-poll has figures that may be compared: p50 1.12 ms, p99 7.57 ms, 96.0 µs of server CPU per message.
        "#]],
    );
}

#[test]
fn an_unexplained_message_is_said_though_no_counter_names_it() {
    let mut run = sample(1);
    run.series[0].messages.sent += 1;
    check(
        &run,
        Standing::Failed,
        expect![[r#"
            websocket did not account for every message: 1 unexplained of 1,932 messages.
            No transport has figures that may be compared.
        "#]],
    );
}

#[test]
fn an_invalid_transport_is_said_first_and_does_not_win() {
    let mut run = sample(3);
    run.series[0].invalid.push("send lag p99 is 4 ms of 9 ms latency".into());
    check(
        &run,
        Standing::Invalid,
        expect![[r#"
            The figures of websocket are not valid: send lag p99 is 4 ms of 9 ms latency.
            Of those that may be compared, long-poll was fastest: p50 1.12 ms, p99 7.57 ms, 96.0 µs of server CPU per message. Its server CPU per message was the lowest as well. short-poll was slowest: p50 496 ms.
        "#]],
    );
}

#[test]
fn medians_within_five_per_cent_are_too_close_to_tell_apart() {
    let mut run = sample(2);
    run.series[1] = run.series[0].clone();
    run.series[1].transport = "twin".to_owned();
    check(
        &run,
        Standing::Good,
        expect![[r#"
            websocket and twin were too close to tell apart: p50 516 µs and 516 µs, p99 3.62 ms and 3.62 ms.
        "#]],
    );
}

#[test]
fn the_cheapest_is_named_when_it_is_not_the_fastest() {
    let mut run = sample(2);
    let server = run.series[1].server.as_mut().expect("the sample has one");
    server.cpu_us /= 10;
    check(
        &run,
        Standing::Good,
        expect![[r#"
            websocket and long-poll were too close to tell apart: p50 516 µs and 1.12 ms, p99 3.62 ms and 7.57 ms. long-poll had the lowest server CPU: 9.60 µs per message.
        "#]],
    );
}

#[test]
fn too_few_messages_make_nobody_fastest() {
    let mut run = sample(1);
    run.series[0].latency_us.0.truncate(3);
    check(
        &run,
        Standing::Good,
        expect![[r#"
            Too few messages were delivered for a median (it needs 20), so no transport is called the fastest.
        "#]],
    );
}

#[test]
fn an_interrupted_run_says_what_there_is() {
    let mut run = sample(1);
    run.interrupted = true;
    check(
        &run,
        Standing::Invalid,
        expect![[r#"
            The run was interrupted: websocket is the last that was measured, for 5 s.
            websocket: p50 516 µs, p99 3.62 ms, 24.0 µs of server CPU per message.
        "#]],
    );
}

#[test]
fn a_search_says_how_much_each_transport_carries_the_most_first() {
    let mut run = sample(2);
    run.knees = crate::sample::knees();
    run.knees.reverse();
    check(
        &run,
        Standing::Good,
        expect![[r#"
        websocket carries 8,000 messages a second with p99 within 50 ms; at 16,000 p99 was 750 ms. long-poll carries 2,000 messages a second with p99 within 50 ms; at 4,000 p99 was 750 ms. short-poll kept p99 within 50 ms at no load: p99 was 750 ms.
    "#]],
    );
    let last = run.knees[2].probes.len() - 1;
    let undecided = &mut run.knees[2].probes[last];
    undecided.outcome = knee::Outcome::Undecided;
    undecided.why = "p99 was 75 ms, but the generator was busy".to_owned();
    undecided.causes = vec![Cause::GeneratorBusy];
    let [advice] = &verdict(&run).advice[..] else { panic!("there is one cause") };
    assert!(advice.contains("--shard"), "{advice}");
    check(
        &run,
        Standing::Invalid,
        expect![[r#"
        How much websocket carries is not known: p99 was 75 ms, but the generator was busy.
        websocket carries 8,000 messages a second with p99 within 50 ms at the least: 16,000 could not be decided. long-poll carries 2,000 messages a second with p99 within 50 ms; at 4,000 p99 was 750 ms. short-poll kept p99 within 50 ms at no load: p99 was 750 ms.
    "#]],
    );
}

#[test]
fn what_was_unusual_about_a_measurement_is_said() {
    let mut run = sample(1);
    run.series[0].notes.push("each command took a connection of its own".to_owned());
    let notes = verdict(&run).notes;
    assert_eq!(notes, ["websocket: each command took a connection of its own."]);
}

#[test]
fn an_empty_run_says_so() {
    let mut run = sample(0);
    check(
        &run,
        Standing::Good,
        expect![[r#"
            The simulation ran 200 seeds without a failure; no transport was put under load.
        "#]],
    );
    run.simulation = None;
    check(
        &run,
        Standing::Empty,
        expect![[r#"
            This run is empty: no transport was put under load.
        "#]],
    );
}

#[test]
fn a_failing_seed_fails_the_run() {
    let mut run = sample(1);
    let simulation = run.simulation.as_mut().expect("the sample has one");
    simulation.failures.push((17, "delivery".to_owned()));
    check(
        &run,
        Standing::Failed,
        expect![[r#"
            1 of 200 simulated seeds failed, the first of them seed 17 (delivery).
            websocket: p50 516 µs, p99 3.62 ms, 24.0 µs of server CPU per message.
        "#]],
    );
}

#[test]
fn what_to_do_about_a_disturbed_run_is_said_once_and_never_for_the_servers_faults() {
    let mut run = sample(6);
    run.series[0].messages.lost = 1;
    run.series[0].missing_us = crate::HistogramDump(vec![(3_000_000, 1)]);
    assert_eq!(verdict(&run).advice, [""; 0], "a lost message is the server's");
    for series in &mut run.series {
        series.invalid = [Cause::GeneratorLate, Cause::OthersBusy]
            .map(|cause| Invalid::new(cause, "it was late"))
            .into();
    }
    let [late, others] = &verdict(&run).advice[..] else { panic!("a sentence a cause") };
    assert!(late.contains("--users") && late.contains("--target"), "{late}");
    assert!(others.contains("close them"), "{others}");
    let page = crate::export::html::page(&run).into_string();
    for text in [verdict(&run).text(), page, crate::comparison_table(&run)] {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(text.matches("Other programs took the processor").count(), 1, "{text}");
    }
    run.target = Some("http://192.0.2.1".to_owned());
    assert!(verdict(&run).text().contains("--target"), "its process was read");
    run.series.iter_mut().for_each(|it| it.server = None);
    assert!(!verdict(&run).text().contains("--target"), "it is on another machine");
}

#[test]
fn reason_for_which_several_transports_failed_is_told_once() {
    let mut run = crate::sample::run(1, 5, 400);
    run.failures = [("sse", "it died"), ("mix", "it is full."), ("long-poll", "it died")]
        .map(|(transport, why)| Failure { transport: transport.to_owned(), why: why.to_owned() })
        .into();
    let verdict = verdict(&run);
    assert_eq!(verdict.standing, Standing::Failed);
    assert_eq!(verdict.warnings, ["sse and long-poll failed: it died.", "mix failed: it is full."]);
}
