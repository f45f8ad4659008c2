//! One server beside another under the same load, as a sentence: how many times its figures are ours.
//!
//! Only figures that may be trusted are held beside each other.

use crate::run::{Run, Series};
use crate::summary::Summary;
use crate::units::{bytes, duration_us, number};

/// A figure that is compared: what it is called, its value, how a value is told.
type Figure = (&'static str, fn(&Summary) -> Option<f64>, fn(f64) -> String);

const FIGURES: [Figure; 6] = [
    ("the server CPU a message", |row| row.server_cpu_us_per_message, duration_us),
    ("the memory a connection", |row| row.server_rss_bytes_per_connection, bytes),
    ("the requests a message", |row| row.requests_per_message, number),
    ("the bytes a message", |row| row.bytes_per_message, bytes),
    ("the median latency", |row| row.latency_us.p50.map(|us| us as f64), duration_us),
    ("the p99", |row| row.latency_us.p99.map(|us| us as f64), duration_us),
];

/// One sentence for each series that stands beside another.
pub(crate) fn sentences(run: &Run) -> impl Iterator<Item = String> {
    run.series.iter().filter_map(|theirs| {
        let ours = theirs.beside.as_ref()?;
        let ours = run.series.iter().find(|series| series.transport == *ours)?;
        sentence(ours, theirs)
    })
}

fn sentence(ours: &Series, theirs: &Series) -> Option<String> {
    let (ours, theirs) = (Summary::from(ours), Summary::from(theirs));
    let may_be_trusted = |row: &Summary| row.valid && row.accounted;
    if !may_be_trusted(&ours) || !may_be_trusted(&theirs) {
        return None;
    }
    let told: Vec<String> = FIGURES
        .iter()
        .filter_map(|(name, value, tell)| {
            let (our, their) = (value(&ours)?, value(&theirs)?);
            (our > 0.0).then(|| {
                format!("{} times {name} ({} to {})", number(their / our), tell(their), tell(our))
            })
        })
        .collect();
    let (last, others) = told.split_last()?;
    let and = if others.is_empty() { "" } else { " and " };
    Some(format!(
        "Beside {} under the same load, {} took {}{and}{last}.",
        ours.transport,
        theirs.transport,
        others.join(", "),
    ))
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
            Beside websocket under the same load, node-websocket took 4 times the server CPU a message (96 µs to 24 µs), 1.55 times the memory a connection (14.8 KiB to 9.57 KiB), 2.94 times the requests a message (3 to 1.02), 7.79 times the bytes a message (1.45 KiB to 190 B), 2.17 times the median latency (1.12 ms to 516 µs) and 2.09 times the p99 (7.57 ms to 3.62 ms).
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
            run.series[series].invalid.push("a busy machine".to_owned());
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
