//! Objectives that are read, met, missed and undecided.

use super::*;

fn judged(slo: &str, change: impl FnOnce(&mut Run)) -> Vec<String> {
    let mut run = crate::sample::run(2, 5, 400);
    run.slos = vec![slo.parse().expect("an objective")];
    change(&mut run);
    judge(&run).iter().map(ToString::to_string).collect()
}

#[test]
fn an_objective_is_held_against_the_transport_that_it_names() {
    assert_eq!(judged("websocket p50 < 20ms", |_| ()), ["websocket p50 < 20ms is held: 516 µs"]);
    assert_eq!(judged("websocket p99<=0.5ms", |_| ()), ["websocket p99<=0.5ms is broken: 3.62 ms"]);
}

#[test]
fn an_objective_without_a_transport_is_held_against_each() {
    assert_eq!(
        judged("cpu <= 50us", |_| ()),
        ["websocket cpu <= 50us is held: 24 µs", "long-poll cpu <= 50us is broken: 96 µs"]
    );
    assert_eq!(
        judged("lost = 0", |run| run.series[1].messages.lost = 2),
        ["websocket lost = 0 is held: 0", "long-poll lost = 0 is broken: 2"]
    );
    let memory = judged("memory < 12KiB", |_| ());
    assert!(memory[0].contains("is held") && memory[1].contains("is broken"), "{memory:?}");
    assert!(judged("rate > 1000000", |_| ())[0].contains("is broken"));
}

#[test]
fn what_was_measured_badly_decides_nothing_but_a_loss() {
    let invalidate = |run: &mut Run| run.series[0].invalid.push("a busy machine".into());
    assert_eq!(
        judged("websocket p50 < 20ms", invalidate),
        ["websocket p50 < 20ms is not decided: 516 µs"]
    );
    assert_eq!(judged("websocket lost = 0", invalidate), ["websocket lost = 0 is held: 0"]);
    let too_few = |run: &mut Run| run.series[0].latency_us.0.truncate(3);
    assert_eq!(
        judged("websocket p99.9 < 20ms", too_few),
        ["websocket p99.9 < 20ms is not decided: 3 messages arrived, and p99.9 needs 10,000"]
    );
}

#[test]
fn objective_without_figure_says_why_and_what_to_do_is_said_once() {
    let mut run = crate::sample::run(2, 5, 400);
    run.series.iter_mut().for_each(|it| it.server = None);
    run.slos = ["p99.9 < 1s", "cpu < 1s", "memory < 1MiB"]
        .map(|it| it.parse().expect("an objective"))
        .into();
    let said: Vec<String> = judge(&run).iter().map(ToString::to_string).collect();
    assert!(said[0].ends_with("1,931 messages arrived, and p99.9 needs 10,000"), "{said:?}");
    assert!(said[2..].iter().all(|it| it.ends_with("the server's use could not be read")));
    let advice = crate::verdict(&run).advice;
    assert_eq!(advice.len(), 2, "{advice:?}");
    assert!(advice[0].contains("--duration") && advice[1].contains("--target"), "{advice:?}");
    run.series.iter_mut().for_each(|it| it.messages.delivered = 0);
    let said = judge(&run)[2].to_string();
    assert!(said.ends_with("cpu < 1s is not decided: no message arrived"), "{said}");
}

/// The first series loses this many messages of its 1,931, each after a wait of 3 s at the least.
fn losing(number: u64) -> impl Fn(&mut Run) {
    move |run| {
        let series = &mut run.series[0];
        series.messages.lost = number;
        series.messages.delivered -= number;
        series.missing_us = crate::HistogramDump(vec![(3_000_000, number)]);
    }
}

#[test]
fn latency_objective_counts_missing_messages_as_slower_than_any_bound() {
    for (slo, expected) in [
        ("max < 20s", "is broken: > 3 s, 1 message missing, each counted as slower"),
        ("max > 1ms", "is held: > 3 s, 1 message missing, each counted as slower"),
        ("p50 < 20ms", "is held: 516 µs, 1 message missing, each counted as slower"),
    ] {
        assert_eq!(
            judged(&format!("websocket {slo}"), losing(1)),
            [format!("websocket {slo} {expected}")]
        );
    }
}

#[test]
fn objective_is_broken_by_missing_messages_however_badly_the_rest_was_measured() {
    let broken = judged("websocket p99 < 20s", |run| {
        losing(100)(run);
        run.series[0].invalid.push("a busy machine".into());
    });
    assert!(broken[0].starts_with("websocket p99 < 20s is broken: > 3 s"), "{broken:?}");
}

#[test]
fn objective_on_errors_is_the_share_of_messages_that_did_not_arrive() {
    let failing = |run: &mut Run| {
        let messages = &mut run.series[0].messages;
        (messages.delivered, messages.lost, messages.failed) = (980, 5, 15);
        run.series[0].invalid.push("a busy machine".into());
    };
    for (slo, expected) in [
        ("websocket errors <= 2%", "is held: 2 %"),
        ("websocket errors < 1.5 %", "is broken: 2 %"),
        ("websocket errors = 0", "is broken: 2 %"),
    ] {
        assert_eq!(judged(slo, failing), [format!("{slo} {expected}")]);
    }
    assert_eq!(judged("websocket errors = 0", |_| ()), ["websocket errors = 0 is held: 0 %"]);
}

#[test]
fn objective_on_p95_and_microseconds_in_three_spellings_are_read() {
    for unit in ["us", "\u{b5}s", "\u{3bc}s"] {
        let slo = format!("websocket p95 < 5000 {unit}");
        let held = judged(&slo, |_| ());
        assert!(held[0].starts_with(&format!("{slo} is held: ")), "{held:?}");
    }
    assert!(judged("websocket p95 < 1µs", |_| ())[0].contains("is broken"));
}

#[test]
fn what_cannot_be_meant_is_refused_with_what_can() {
    for (text, expected) in [
        ("websocket p99", "write for example 'websocket p99 < 20ms'"),
        (
            "p98 < 20ms",
            "`p98` is none of p50, p90, p95, p99, p99.9, max, rate, lost, errors, cpu, memory",
        ),
        ("p99 < 20", "`20` needs a unit, one of us, ms, s"),
        ("p99 < fast", "`fast` is not a number with one of the units us, ms, s"),
        ("memory < 8KB", "one of the units B, KiB, MiB"),
        ("errors < 1", "`1` needs a unit, one of %"),
        ("lost = none", "`none` is not a number without a unit"),
        ("lost = 1%", "`1%` is not a number without a unit"),
        ("p99 < 0ms", "`p99 < 0ms` is broken by every run; 0 and more can be measured"),
        ("rate >= 0", "`rate >= 0` is held by every run; 0 and more can be measured"),
        ("errors > 100%", "is broken by every run; 0 % to 100 % can be measured"),
        ("errors <= 100%", "is held by every run; 0 % to 100 % can be measured"),
        ("lost = 0.5", "is broken by every run; whole numbers from 0 can be measured"),
        (&format!("p99 < {}ms", "9".repeat(400)), "is not a number with one of the units"),
        ("the websocket p99 < 20ms", "a transport and a figure stand before the `<`"),
        ("< 20ms", "a transport and a figure"),
    ] {
        let error = text.parse::<Slo>().expect_err(text);
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn an_objective_is_written_as_it_was_read() {
    let slo: Slo = " websocket  p99 < 20 ms ".parse().expect("an objective");
    let json = serde_json::to_string(&slo).expect("it is a string");
    assert_eq!(json, "\"websocket  p99 < 20 ms\"");
    assert_eq!(serde_json::from_str::<Slo>(&json).expect("the same"), slo);
}
