//! One server beside another under the same load, as sentences: how many times its figures are ours.
//!
//! Only figures that may be trusted are held beside each other.

use crate::confidence::is_clear;
use crate::figure::{COST, Figure, Kind, P50, P99, Row};
use crate::run::{Run, Series};
use crate::units::number;
use crate::verdict::listed;

/// The figures that are compared, and what each is called in a sentence.
const FIGURES: [(&str, Figure); 6] = {
    let [cpu, memory, requests, bytes] = COST;
    [
        ("the server CPU per message", cpu),
        ("the memory per connection", memory),
        ("the requests per message", requests),
        ("the bytes per message", bytes),
        ("the median latency", P50),
        ("the p99", P99),
    ]
};

/// The sentences on each series that stands beside another.
pub(crate) fn sentences(run: &Run) -> impl Iterator<Item = String> {
    run.series.iter().flat_map(|theirs| {
        let ours = theirs.beside.as_ref();
        let ours = ours.and_then(|name| run.series.iter().find(|it| it.transport == *name));
        ours.map(|ours| compared(ours, theirs)).unwrap_or_default()
    })
}

/// How many times ours each of their figures is, and which are too close to tell apart: the same
/// decision as in the table.
fn compared(ours: &Series, theirs: &Series) -> Vec<String> {
    let (ours, theirs) = (Row::of(ours), Row::of(theirs));
    if !ours.may_be_compared() || !theirs.may_be_compared() {
        return Vec::new();
    }
    let (mut multiples, mut close) = (Vec::new(), Vec::new());
    for (name, figure) in &FIGURES {
        let (Some(our), Some(their)) = ((figure.measured)(&ours), (figure.measured)(&theirs))
        else {
            continue;
        };
        let values = format!("({} to {})", (figure.show)(their.value), (figure.show)(our.value));
        if figure.kind == Kind::Lowest && !is_clear(&our, &their) && !is_clear(&their, &our) {
            close.push(format!("{name} {values}"));
        } else if our.value > 0.0 {
            let times = number(their.value / our.value);
            multiples.push(format!("{times} times {name} {values}"));
        }
    }
    let (ours, theirs) = (ours.name(), theirs.name());
    let beside = format!("Beside {ours} under the same load, {theirs}");
    let took = |told: &[String]| format!("{beside} took {}.", listed(told));
    let tied =
        |told: &[String]| format!("{beside} is too close to tell apart in {}.", listed(told));
    let both = [(&multiples, &took as &dyn Fn(&[String]) -> String), (&close, &tied)];
    both.into_iter().filter(|(told, _)| !told.is_empty()).map(|(told, tell)| tell(told)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    /// The second series is another server's, beside the first.
    fn sample() -> Run {
        let mut run = crate::sample::run(2, 5, 400);
        run.series[1].transport = "node-websocket".to_owned();
        run.series[1].beside = Some("websocket".to_owned());
        run
    }

    fn told(run: &Run) -> Vec<String> {
        sentences(run).collect()
    }

    #[test]
    fn each_figure_is_told_as_a_multiple_of_ours_with_both_values() {
        expect![[r#"
            Beside websocket under the same load, node-websocket took 4 times the server CPU per message (96.0 µs to 24.0 µs), 1.55 times the memory per connection (14.8 KiB to 9.57 KiB), 2.94 times the requests per message (3.00 to 1.02) and 7.79 times the bytes per message (1.45 KiB to 190 B).
            Beside websocket under the same load, node-websocket is too close to tell apart in the median latency (1.12 ms to 516 µs) and the p99 (7.57 ms to 3.62 ms).
        "#]]
        .assert_eq(&format!("{}\n", told(&sample()).join("\n")));
    }

    #[test]
    fn what_could_not_be_measured_is_left_out() {
        let mut run = sample();
        run.series[0].server = None;
        let told = told(&run).concat();
        assert!(told.contains("took 2.94 times the requests"), "{told}");
    }

    #[test]
    fn figures_that_must_not_be_trusted_are_not_compared() {
        for series in 0..2 {
            let mut run = sample();
            run.series[series].invalid.push("a busy machine".into());
            assert_eq!(told(&run), [""; 0]);
        }
        let mut run = sample();
        run.series[1].messages.lost = 1;
        assert_eq!(told(&run), [""; 0]);
    }

    #[test]
    fn a_series_that_stands_beside_nothing_is_told_nothing_of() {
        let mut run = sample();
        run.series.remove(0);
        assert_eq!(told(&run), [""; 0]);
    }
}
