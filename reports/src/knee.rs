//! How much a transport carries within a bound: what a search for it measured, and what that says.
//!
//! Each probe is a load of its own, on a server of its own. The answer is an interval: the highest
//! load that held the bound, and the lowest above it that did not, or could not be decided.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::invalid::Cause;
use crate::units::{count, duration_us, number};

/// Two loads that differ by less than this share are the same answer.
pub const PRECISION: f64 = 0.05;

/// What one search measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Knee {
    /// The transport's name.
    pub transport: String,
    /// What was raised from probe to probe.
    pub load: Load,
    /// What p99 of the latency may be, in microseconds.
    pub p99_us_max: u64,
    /// In the order in which they were measured; the same load may have been measured again.
    pub probes: Vec<Probe>,
}

/// What is raised to find the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Load {
    /// Messages a second that the same people say together.
    Rate,
    /// People, each of whom says as much as before.
    People,
}

/// One load, measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// What was asked for: messages a second, or people.
    pub load: f64,
    /// People connected.
    pub users: u64,
    /// Messages a second that the schedule asked for.
    pub offered_per_s: f64,
    /// Messages a second that arrived.
    pub achieved_per_s: f64,
    /// Median of the latency, in microseconds.
    pub p50_us: Option<u64>,
    /// 99th percentile of the latency, in microseconds.
    pub p99_us: Option<u64>,
    /// What that says of the load.
    pub outcome: Outcome,
    /// Why it is not [`Outcome::Held`], in words; empty where it is.
    pub why: String,
    /// What was the limit instead of the server where it is [`Outcome::Undecided`]; empty where it is not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<Cause>,
}

/// What a probe says of its load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// p99 was within the bound, and every message arrived.
    Held,
    /// p99 was beyond the bound, or messages did not arrive.
    Broken,
    /// The generator or the machine was the limit: it says nothing of the server.
    Undecided,
}

/// Why a search went no further up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// The load just above breaks the bound.
    Bound,
    /// The load just above is more than the generator or the machine can do.
    Generator,
    /// Nothing was tried above.
    Asked,
}

impl Load {
    /// So much of it, as people read it.
    #[must_use]
    pub fn told(self, load: f64) -> String {
        match self {
            Self::Rate => format!("{} messages a second", number(load)),
            Self::People => format!("{} people", count(load as u64)),
        }
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rate => "rate",
            Self::People => "people",
        })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Held => "held",
            Self::Broken => "broken",
            Self::Undecided => "undecided",
        })
    }
}

impl FromStr for Load {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "rate" => Ok(Self::Rate),
            "people" => Ok(Self::People),
            other => Err(format!("`{other}` is none of rate, people")),
        }
    }
}

impl Knee {
    /// The highest load that held the bound, below everything that did not.
    #[must_use]
    pub fn found(&self) -> Option<&Probe> {
        let ceiling = self.ceiling().map_or(f64::INFINITY, |probe| probe.load);
        let held = self.probes.iter().filter(|it| it.outcome == Outcome::Held && it.load < ceiling);
        held.max_by(|one, other| one.load.total_cmp(&other.load))
    }

    /// The lowest load that did not hold it.
    #[must_use]
    pub fn ceiling(&self) -> Option<&Probe> {
        let not_held = self.probes.iter().filter(|it| match it.outcome {
            Outcome::Held => false,
            Outcome::Broken => true,
            // What could not be decided the first time may have been the second.
            Outcome::Undecided => self.last_at(it.load).outcome == Outcome::Undecided,
        });
        not_held.min_by(|one, other| one.load.total_cmp(&other.load))
    }

    /// The probes by their load; those of the same load in the order in which they were measured.
    #[must_use]
    pub fn by_load(&self) -> Vec<&Probe> {
        let mut probes: Vec<&Probe> = self.probes.iter().collect();
        probes.sort_by(|one, other| one.load.total_cmp(&other.load));
        probes
    }

    fn last_at(&self, load: f64) -> &Probe {
        let last = self.probes.iter().rfind(|it| it.load == load);
        last.expect("it is asked for the load of a probe")
    }

    /// Why it went no further up.
    #[must_use]
    pub fn limit(&self) -> Limit {
        match self.ceiling().map(|probe| probe.outcome) {
            Some(Outcome::Broken) => Limit::Bound,
            Some(Outcome::Undecided) => Limit::Generator,
            Some(Outcome::Held) | None => Limit::Asked,
        }
    }

    /// How far apart found and ceiling are, as a share; none where one of them is missing.
    #[must_use]
    pub fn gap(&self) -> Option<f64> {
        Some(self.ceiling()?.load / self.found()?.load - 1.0)
    }

    /// What is said first of a search that the generator ended; nothing of any other.
    pub(crate) fn not_found_out(&self) -> Option<String> {
        let why = &self.undecided()?.why;
        Some(format!("How much {} carries is not known: {why}.", self.transport))
    }

    /// The probe that the generator, and not the server, ended the search with; none of any other.
    pub(crate) fn undecided(&self) -> Option<&Probe> {
        match self.limit() {
            Limit::Generator => self.ceiling(),
            Limit::Bound | Limit::Asked => None,
        }
    }
}

/// How much each transport carries, in a sentence each, the most first.
pub(crate) fn all_told(knees: &[Knee]) -> String {
    let most = |knee: &Knee| knee.found().map_or(0.0, |probe| probe.load);
    let mut knees: Vec<&Knee> = knees.iter().collect();
    knees.sort_by(|one, other| most(other).total_cmp(&most(one)));
    let sentences: Vec<String> = knees.iter().map(|knee| format!("{knee}.")).collect();
    sentences.join(" ")
}

impl fmt::Display for Knee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bound = duration_us(self.p99_us_max as f64);
        let Some(found) = self.found() else {
            let why = self.ceiling().map_or("nothing was measured", |probe| &probe.why);
            return write!(f, "{} kept p99 within {bound} at no load: {why}", self.transport);
        };
        let told = self.load.told(found.load);
        write!(f, "{} carries {told} with p99 within {bound}", self.transport)?;
        match (self.limit(), self.ceiling()) {
            (Limit::Bound, Some(ceiling)) => {
                write!(f, "; at {} {}", number(ceiling.load), ceiling.why)
            }
            (Limit::Generator, Some(ceiling)) => {
                write!(f, " at the least: {} could not be decided", number(ceiling.load))
            }
            _ => f.write_str(" at the least: no more was tried"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn probe(load: f64, outcome: Outcome) -> Probe {
        let (p99_us, why) = match outcome {
            Outcome::Held => (9_000, ""),
            Outcome::Broken => (31_000, "p99 was 31 ms"),
            Outcome::Undecided => (9_000, "the generator was busy"),
        };
        Probe {
            load,
            users: load as u64,
            offered_per_s: load,
            achieved_per_s: load,
            p50_us: Some(900),
            p99_us: Some(p99_us),
            outcome,
            why: why.to_owned(),
            causes: Vec::new(),
        }
    }

    fn check(load: Load, probes: &[(f64, Outcome)], expected: Expect) {
        let knee = Knee {
            transport: "websocket".to_owned(),
            load,
            p99_us_max: 20_000,
            probes: probes.iter().map(|&(load, outcome)| probe(load, outcome)).collect(),
        };
        let gap =
            knee.gap().map_or_else(|| "none".to_owned(), |gap| format!("{:.1} %", 100.0 * gap));
        expected.assert_eq(&format!("{knee}\n{:?}, gap {gap}\n", knee.limit()));
    }

    #[test]
    fn the_most_is_the_highest_load_that_held_below_the_lowest_that_did_not() {
        check(
            Load::Rate,
            &[
                (4_000.0, Outcome::Held),
                (8_000.0, Outcome::Broken),
                (5_656.0, Outcome::Held),
                (5_900.0, Outcome::Broken),
            ],
            expect![[r#"
                websocket carries 5,656 messages a second with p99 within 20 ms; at 5,900 p99 was 31 ms
                Bound, gap 4.3 %
            "#]],
        );
    }

    #[test]
    fn a_load_that_held_once_and_broke_once_is_not_carried() {
        check(
            Load::Rate,
            &[(4_000.0, Outcome::Held), (4_100.0, Outcome::Held), (4_100.0, Outcome::Broken)],
            expect![[r#"
                websocket carries 4,000 messages a second with p99 within 20 ms; at 4,100 p99 was 31 ms
                Bound, gap 2.5 %
            "#]],
        );
    }

    #[test]
    fn where_the_generator_is_the_limit_the_answer_is_a_lower_bound() {
        check(
            Load::People,
            &[(4_000.0, Outcome::Held), (8_000.0, Outcome::Undecided)],
            expect![[r#"
                websocket carries 4,000 people with p99 within 20 ms at the least: 8,000 could not be decided
                Generator, gap 100.0 %
            "#]],
        );
    }

    #[test]
    fn a_load_that_was_undecided_once_and_held_then_is_carried() {
        check(
            Load::Rate,
            &[(4_000.0, Outcome::Undecided), (4_000.0, Outcome::Held)],
            expect![[r#"
                websocket carries 4,000 messages a second with p99 within 20 ms at the least: no more was tried
                Asked, gap none
            "#]],
        );
    }

    #[test]
    fn where_no_load_held_the_reason_of_the_lowest_is_told() {
        check(
            Load::Rate,
            &[(400.0, Outcome::Broken), (200.0, Outcome::Broken)],
            expect![[r#"
                websocket kept p99 within 20 ms at no load: p99 was 31 ms
                Bound, gap none
            "#]],
        );
    }
}
