//! `junit.xml`: what a continuous integration server shows of a run, a case a promise.
//!
//! For each transport one case that it was measured to the end, one that every message is accounted
//! for and one that the figures are valid; then one for each objective. A broken promise is a
//! `failure`, figures that decide nothing are an `error`. The elements are those that common readers of the format agree on.

use maud::{Markup, PreEscaped, html};

use crate::error::ReportError;
use crate::export::{Artifact, Exporter, File};
use crate::invalid;
use crate::run::{Failure, Run};
use crate::slo::{Shortage, Standing, judge};
use crate::summary::{Summary, summaries};
use crate::verdict::{not_valid, unaccounted};

/// The file's name in a run directory.
const FILE: &str = "junit.xml";

/// The exporter.
#[derive(Debug, Clone, Copy)]
pub struct Junit;

/// One case: whose it is, what it promises, and what went wrong.
struct Case {
    class: String,
    name: String,
    wrong: Option<(Wrong, String)>,
    /// What to do about it.
    advice: Vec<&'static str>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wrong {
    Failure,
    Error,
}

impl Exporter for Junit {
    fn name(&self) -> &'static str {
        "junit"
    }

    fn files(&self, _: &Run) -> Vec<File> {
        vec![File::new(FILE, "the objectives as tests, for a continuous integration server")]
    }

    fn export(&self, run: &Run) -> Result<Vec<Artifact>, ReportError> {
        let bytes = document(run).into_string().into_bytes();
        Ok(vec![Artifact { name: FILE.to_owned(), bytes }])
    }
}

fn document(run: &Run) -> Markup {
    let cases = cases(run);
    let count = |kind| {
        cases.iter().filter(|case| case.wrong.as_ref().is_some_and(|it| it.0 == kind)).count()
    };
    html! {
        (PreEscaped("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"))
        testsuites {
            testsuite name="racetrack load" timestamp=(run.started_at) tests=(cases.len())
                failures=(count(Wrong::Failure)) errors=(count(Wrong::Error)) {
                @for case in &cases { (element(case)) }
            }
        }
    }
}

fn element(case: &Case) -> Markup {
    html! {
        testcase classname=(case.class) name=(case.name) {
            @match &case.wrong {
                None => {},
                Some((Wrong::Failure, what)) => failure message=(what) {},
                Some((Wrong::Error, what)) => error message=(what) { (case.advice.join(" ")) },
            }
        }
    }
}

fn cases(run: &Run) -> Vec<Case> {
    let rows = summaries(run);
    let mut cases: Vec<Case> = rows.iter().flat_map(|row| of_transport(run, row)).collect();
    let unmeasured = run.failures.iter().filter(|it| !is_measured(&rows, it));
    cases.extend(unmeasured.map(|it| {
        let wrong = Some((Wrong::Failure, it.why.clone()));
        let (class, name) = (it.transport.clone(), MEASURED.to_owned());
        Case { class, name, wrong, advice: Vec::new() }
    }));
    cases.extend(judge(run).into_iter().map(|judgement| {
        let wrong = match judgement.standing {
            Standing::Held => None,
            Standing::Broken => Some((Wrong::Failure, judgement.to_string())),
            Standing::Undecided => Some((Wrong::Error, judgement.to_string())),
        };
        let advice = Shortage::advice(std::slice::from_ref(&judgement)).collect();
        Case { class: judgement.transport, name: judgement.slo, wrong, advice }
    }));
    cases
}

const MEASURED: &str = "it was measured to the end";

fn is_measured(rows: &[Summary], failure: &Failure) -> bool {
    rows.iter().any(|row| row.transport == failure.transport)
}

fn of_transport(run: &Run, row: &Summary) -> [Case; 3] {
    let case = |name: &str, wrong| {
        let (class, name) = (row.transport.clone(), name.to_owned());
        Case { class, name, wrong, advice: Vec::new() }
    };
    let failures = run.failures.iter().filter(|it| it.transport == row.transport);
    let whys: Vec<&str> = failures.map(|it| it.why.as_str()).collect();
    let ended = (!whys.is_empty()).then(|| (Wrong::Failure, whys.join("; ")));
    [
        case(MEASURED, ended),
        case("every message is accounted for", unaccounted(row).map(|it| (Wrong::Failure, it))),
        Case {
            advice: invalid::of_series(run, &row.transport),
            ..case("the figures are valid", not_valid(row).map(|it| (Wrong::Error, it)))
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(run: &Run) -> String {
        document(run).into_string()
    }

    #[test]
    fn a_good_run_has_neither_failure_nor_error() {
        let text = text(&crate::sample::run(2, 5, 400));
        assert!(text.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>"));
        assert!(text.contains("tests=\"6\" failures=\"0\" errors=\"0\""), "{text}");
        assert_eq!(text.matches("<testcase ").count(), text.matches("</testcase>").count());
        assert!(!text.contains("<failure") && !text.contains("<error"));
    }

    #[test]
    fn a_broken_objective_fails_and_an_undecided_one_is_an_error() {
        let mut run = crate::sample::run(2, 5, 400);
        run.slos = vec!["p99 < 1us".parse().expect("an objective")];
        run.series[1].invalid.push("send lag & \"more\"".into());
        run.series[0].messages.lost = 1;
        let text = text(&run);
        assert!(text.contains("tests=\"8\" failures=\"2\" errors=\"2\""), "{text}");
        assert!(text.contains("name=\"p99 &lt; 1us\""), "{text}");
        assert!(text.contains("send lag &amp; &quot;more&quot;"), "{text}");
        assert_eq!(text.matches("close other programs").count(), 1, "{text}");
    }

    #[test]
    fn missing_messages_fail_the_objective_that_they_break_and_are_no_valid_figures() {
        let mut run = crate::sample::run(1, 5, 400);
        run.slos = ["max < 20s", "p50 < 20ms"].map(|slo| slo.parse().expect("an objective")).into();
        let series = &mut run.series[0];
        (series.messages.lost, series.messages.delivered) = (7, series.messages.delivered - 7);
        series.missing_us = crate::HistogramDump(vec![(3_000_000, 7)]);
        let text = text(&run);
        assert!(text.contains("tests=\"5\" failures=\"2\" errors=\"1\""), "{text}");
        assert!(text.contains("max &lt; 20s is broken: &gt; 3 s"), "{text}");
        assert!(text.contains("7 of 1,938 messages never reached the partner"), "{text}");
    }

    #[test]
    fn transport_that_ended_early_fails_and_so_does_one_that_was_not_measured() {
        let mut run = crate::sample::run(1, 5, 400);
        run.slos = vec!["sse p99 < 1s".parse().expect("an objective")];
        run.failures = ["websocket", "sse"]
            .map(|transport| Failure { transport: transport.to_owned(), why: "it died".to_owned() })
            .into();
        let text = text(&run);
        assert!(text.contains("tests=\"5\" failures=\"2\" errors=\"1\""), "{text}");
        assert!(text.contains("classname=\"sse\" name=\"it was measured to the end\""), "{text}");
        assert!(text.contains("sse p99 &lt; 1s is not decided: it was not measured"), "{text}");
    }
}
