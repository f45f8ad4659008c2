//! What a checker finds, and how findings are grouped.
//!
//! One mistake of a service is often found more than once: by several checkers that look at the same events.
//! A report names the first and the rest under it. No violation is left out.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Names of what finds violations beside checkers: a run that never ends,
pub const STANDSTILL: &str = "standstill";
/// a plan of which no run can be made,
pub const PLAN: &str = "plan";
/// a run that is no function of its seed,
pub const DETERMINISM: &str = "determinism";
/// a server of a live run that did not end as it must, or was out of reach,
pub const LIVE: &str = "live";
/// a panic,
pub const PANIC: &str = "panic";
/// a client that returned an error, or never returned.
pub const CLIENT: &str = "client";

/// An invariant that does not hold, and the evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// The checker that found it.
    pub checker: String,
    /// What is wrong, in one sentence.
    pub what: String,
    /// The few events that contradict the invariant, by their place in the history.
    pub evidence: Vec<usize>,
}

impl Violation {
    /// A violation with the events that prove it.
    pub fn new(checker: &str, what: impl Into<String>, evidence: &[usize]) -> Self {
        Self { checker: checker.to_owned(), what: what.into(), evidence: evidence.to_vec() }
    }

    /// A violation of the checker that returns it, with the events that prove it.
    pub fn because(what: impl Into<String>, evidence: &[usize]) -> Self {
        Self::new("", what, evidence)
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.checker, self.what)
    }
}

/// A violation and those that follow from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding<'a> {
    /// The first of them, in the order in which checkers report.
    pub cause: &'a Violation,
    /// Violations with the same evidence, and those of a final count in a run with no other finding.
    pub consequences: Vec<&'a Violation>,
}

/// Groups violations by their evidence, in order. `is_total` tells violations that are only totals at the end of a run: they name no
/// event of their own, so they follow from the one other finding if there is exactly one, and else stand by themselves.
pub fn findings(
    violations: &[Violation],
    is_total: impl Fn(&Violation) -> bool,
) -> Vec<Finding<'_>> {
    let (totals, others): (Vec<_>, Vec<_>) = violations.iter().partition(|it| is_total(it));
    let mut findings = of_same_evidence(others);
    match &mut findings[..] {
        [only] => only.consequences.extend(totals),
        _ => findings.extend(of_same_evidence(totals)),
    }
    findings
}

fn of_same_evidence(violations: Vec<&Violation>) -> Vec<Finding<'_>> {
    let events =
        |violation: &Violation| violation.evidence.iter().copied().collect::<BTreeSet<_>>();
    let is_same = |one: &Violation, other: &Violation| {
        !one.evidence.is_empty() && events(one) == events(other)
    };
    let mut findings: Vec<Finding<'_>> = Vec::new();
    for violation in violations {
        match findings.iter_mut().find(|finding| is_same(finding.cause, violation)) {
            Some(finding) => finding.consequences.push(violation),
            None => findings.push(Finding { cause: violation, consequences: Vec::new() }),
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grouped(violations: &[(&str, &[usize])]) -> Vec<(String, usize)> {
        let violations: Vec<_> = violations
            .iter()
            .map(|(checker, evidence)| Violation::new(checker, "broken", evidence))
            .collect();
        let findings = findings(&violations, |violation| violation.checker == "leaks");
        findings
            .iter()
            .map(|finding| (finding.cause.checker.clone(), finding.consequences.len()))
            .collect()
    }

    #[test]
    fn violations_with_the_same_evidence_are_one_finding() {
        assert_eq!(
            grouped(&[("log", &[3, 4]), ("delivery", &[4, 3]), ("echo", &[3]), ("log", &[3, 4])]),
            [("log".to_owned(), 2), ("echo".to_owned(), 0)]
        );
    }

    #[test]
    fn totals_follow_from_the_only_other_finding_and_else_stand_alone() {
        let leaks: (&str, &[usize]) = ("leaks", &[9]);
        assert_eq!(grouped(&[("liveness", &[1]), leaks, leaks]), [("liveness".to_owned(), 2)]);
        assert_eq!(grouped(&[leaks, leaks, leaks]), [("leaks".to_owned(), 2)]);
        let expected = [("log", 0), ("liveness", 1), ("leaks", 1)];
        assert_eq!(
            grouped(&[("log", &[1]), ("liveness", &[2]), ("echo", &[2]), leaks, leaks]),
            expected.map(|(checker, more)| (checker.to_owned(), more))
        );
    }

    #[test]
    fn violations_without_evidence_stay_apart() {
        assert_eq!(grouped(&[("live", &[]), ("live", &[])]).len(), 2);
    }
}
