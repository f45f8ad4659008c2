//! Violations in groups: a cause, and what follows from it.
//!
//! One fault in a server is often found more than once: by several checkers that look at the same
//! events, and by the figures of the server in the end, which show whatever was left behind. A report
//! names the cause first and the rest under it. No violation is left out.

use std::collections::BTreeSet;

use super::{Violation, leaks};

/// A violation and those that follow from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding<'a> {
    /// The first of them, in the order in which checkers report.
    pub cause: &'a Violation,
    /// Violations with the same evidence, and leaks in a run in which something else went wrong
    /// first.
    pub consequences: Vec<&'a Violation>,
}

/// Puts violations into groups, in their order.
#[must_use]
pub fn findings(violations: &[Violation]) -> Vec<Finding<'_>> {
    let mut findings: Vec<Finding<'_>> = Vec::new();
    for violation in violations {
        match findings.iter_mut().find(|finding| follows(violation, finding.cause)) {
            Some(finding) => finding.consequences.push(violation),
            None => findings.push(Finding { cause: violation, consequences: Vec::new() }),
        }
    }
    findings
}

fn follows(violation: &Violation, cause: &Violation) -> bool {
    let is_left_behind = violation.checker == leaks::NAME && cause.checker != leaks::NAME;
    let events =
        |violation: &Violation| violation.evidence.iter().copied().collect::<BTreeSet<_>>();
    is_left_behind || !cause.evidence.is_empty() && events(violation) == events(cause)
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
    fn leaks_follow_from_whatever_else_went_wrong_and_else_from_the_first() {
        let leaks: (&str, &[usize]) = ("leaks", &[9]);
        assert_eq!(grouped(&[("liveness", &[1]), leaks, leaks]), [("liveness".to_owned(), 2)]);
        assert_eq!(grouped(&[leaks, leaks, leaks]), [("leaks".to_owned(), 2)]);
    }

    #[test]
    fn violations_without_evidence_stay_apart() {
        assert_eq!(grouped(&[("twin", &[]), ("twin", &[])]).len(), 2);
    }
}
