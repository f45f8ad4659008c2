//! Violations in groups: one that stands for all, and the others.
//!
//! One fault in a server is often found more than once: by several checkers that look at the same
//! events, and by the figures of the server in the end, which show whatever was left behind. A report
//! names the first and the rest under it. No violation is left out.
//!
//! The figures of the server in the end are counts, which name nobody. So what it still holds is told
//! under what went wrong before only where that is one thing; where several went wrong, nothing says of
//! which of them it is left over, and it stands by itself.

use std::collections::BTreeSet;

use super::{Violation, leaks};

/// A violation and those that follow from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding<'a> {
    /// The first of them, in the order in which checkers report.
    pub cause: &'a Violation,
    /// Violations with the same evidence, and leaks in a run in which nothing else went wrong.
    pub consequences: Vec<&'a Violation>,
}

/// Puts violations into groups, in their order.
#[must_use]
pub fn findings(violations: &[Violation]) -> Vec<Finding<'_>> {
    let (leaks, others): (Vec<_>, Vec<_>) = violations.iter().partition(|it| is_leak(it));
    let mut findings = of_same_evidence(others);
    match &mut findings[..] {
        [only] => only.consequences.extend(leaks),
        _ => findings.extend(of_same_evidence(leaks)),
    }
    findings
}

fn is_leak(violation: &Violation) -> bool {
    violation.checker == leaks::NAME
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
        let findings = findings(&violations);
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
    fn leaks_are_told_under_the_only_thing_that_went_wrong_and_else_by_themselves() {
        let leaks: (&str, &[usize]) = ("leaks", &[9]);
        assert_eq!(grouped(&[("liveness", &[1]), leaks, leaks]), [("liveness".to_owned(), 2)]);
        assert_eq!(grouped(&[leaks, leaks, leaks]), [("leaks".to_owned(), 2)]);
        let told = [("log", 0), ("liveness", 1), ("leaks", 1)];
        assert_eq!(
            grouped(&[("log", &[1]), ("liveness", &[2]), ("echo", &[2]), leaks, leaks]),
            told.map(|(checker, more)| (checker.to_owned(), more))
        );
    }

    #[test]
    fn violations_without_evidence_stay_apart() {
        assert_eq!(grouped(&[("twin", &[]), ("twin", &[])]).len(), 2);
    }
}
