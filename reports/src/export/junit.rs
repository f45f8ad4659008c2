//! `junit.xml`: what a continuous integration server shows of a run, a case a promise.
//!
//! For each transport one case that every message is accounted for and one that the figures are
//! valid; then one for each objective. A broken promise is a `failure`, figures that decide nothing
//! are an `error`. The elements are those that common readers of the format agree on.

use maud::{Markup, PreEscaped, html};

use crate::error::ReportError;
use crate::export::{Artifact, Exporter};
use crate::run::Run;
use crate::slo::{Standing, judge};
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
                Some((Wrong::Error, what)) => error message=(what) {},
            }
        }
    }
}

fn cases(run: &Run) -> Vec<Case> {
    let mut cases: Vec<Case> = summaries(run).iter().flat_map(of_transport).collect();
    cases.extend(judge(run).into_iter().map(|judgement| {
        let wrong = match judgement.standing {
            Standing::Held => None,
            Standing::Broken => Some((Wrong::Failure, judgement.to_string())),
            Standing::Undecided => Some((Wrong::Error, judgement.to_string())),
        };
        Case { class: judgement.transport, name: judgement.slo, wrong }
    }));
    cases
}

fn of_transport(row: &Summary) -> [Case; 2] {
    let case =
        |name: &str, wrong| Case { class: row.transport.clone(), name: name.to_owned(), wrong };
    [
        case("every message is accounted for", unaccounted(row).map(|it| (Wrong::Failure, it))),
        case("the figures are valid", not_valid(row).map(|it| (Wrong::Error, it))),
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
        assert!(text.contains("tests=\"4\" failures=\"0\" errors=\"0\""), "{text}");
        assert_eq!(text.matches("<testcase ").count(), text.matches("</testcase>").count());
        assert!(!text.contains("<failure") && !text.contains("<error"));
    }

    #[test]
    fn a_broken_objective_fails_and_an_undecided_one_is_an_error() {
        let mut run = crate::sample::run(2, 5, 400);
        run.slos = vec!["p99 < 1us".parse().expect("an objective")];
        run.series[1].invalid.push("send lag & \"more\"".to_owned());
        run.series[0].messages.lost = 1;
        let text = text(&run);
        assert!(text.contains("tests=\"6\" failures=\"2\" errors=\"2\""), "{text}");
        assert!(text.contains("name=\"p99 &lt; 1us\""), "{text}");
        assert!(text.contains("send lag &amp; &quot;more&quot;"), "{text}");
    }
}
