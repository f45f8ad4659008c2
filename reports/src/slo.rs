//! Service level objectives: bounds that a run must keep, in the words of whoever set them.
//!
//! ```text
//!   [TRANSPORT] FIGURE OPERATOR BOUND      websocket p99 < 20ms      lost = 0      cpu <= 150us
//! ```
//!
//! Without a transport the objective holds for each. Figures are `p50`, `p90`, `p99`, `p99.9` and
//! `max` of the latency, `rate` (messages a second that arrived), `lost`, `cpu` (of the server, a
//! message) and `memory` (of the server, a connection). Times are in `us`, `ms` or `s`, memory in
//! `B`, `KiB` or `MiB`, and the others have no unit.
//!
//! What was measured badly decides nothing: an objective on figures that are not valid is neither
//! held nor broken.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::run::Run;
use crate::summary::{Summary, summaries};
use crate::units;

/// One objective.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Slo {
    text: String,
    transport: Option<String>,
    figure: Figure,
    operator: Operator,
    bound: f64,
}

/// What became of an objective on one transport.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judgement {
    /// The objective, as it was written.
    pub slo: String,
    /// The transport that it was held against.
    pub transport: String,
    /// The figure, in microseconds, bytes or a plain number; absent where there is none.
    pub measured: Option<f64>,
    /// The figure as people read it.
    pub told: String,
    /// Whether it was kept.
    pub standing: Standing,
}

/// Whether an objective was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It was.
    Held,
    /// It was not.
    Broken,
    /// The figures are not valid, or there are none.
    Undecided,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Figure {
    P50,
    P90,
    P99,
    P999,
    Max,
    Rate,
    Lost,
    Cpu,
    Memory,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Below,
    AtMost,
    Equal,
    AtLeast,
    Above,
}

const FIGURES: [(&str, Figure); 9] = [
    ("p50", Figure::P50),
    ("p90", Figure::P90),
    ("p99", Figure::P99),
    ("p99.9", Figure::P999),
    ("max", Figure::Max),
    ("rate", Figure::Rate),
    ("lost", Figure::Lost),
    ("cpu", Figure::Cpu),
    ("memory", Figure::Memory),
];

/// Longer ones first, or else `<=` would be read as `<` and something odd.
const OPERATORS: [(&str, Operator); 5] = [
    ("<=", Operator::AtMost),
    (">=", Operator::AtLeast),
    ("<", Operator::Below),
    (">", Operator::Above),
    ("=", Operator::Equal),
];

const TIMES: [(&str, f64); 3] = [("us", 1.0), ("ms", 1e3), ("s", 1e6)];
const SIZES: [(&str, f64); 3] = [("B", 1.0), ("KiB", 1024.0), ("MiB", 1_048_576.0)];
const PLAIN: [(&str, f64); 1] = [("", 1.0)];

/// Every objective of a run, held against each transport that it is about, in order.
#[must_use]
pub fn judge(run: &Run) -> Vec<Judgement> {
    let rows = summaries(run);
    let pairs = run.slos.iter().flat_map(|slo| rows.iter().map(move |row| (slo, row)));
    pairs
        .filter(|(slo, row)| slo.is_about(&row.transport))
        .map(|(slo, row)| slo.judge(row))
        .collect()
}

impl Slo {
    /// The transport that it names, if it names one.
    #[must_use]
    pub fn transport(&self) -> Option<&str> {
        self.transport.as_deref()
    }

    fn is_about(&self, transport: &str) -> bool {
        self.transport().is_none_or(|named| named == transport)
    }

    fn judge(&self, row: &Summary) -> Judgement {
        let measured = self.figure.of(row);
        // A lost message is a result however busy the machine was.
        let may_decide = row.valid || self.figure == Figure::Lost;
        let standing = match measured.filter(|_| may_decide) {
            None => Standing::Undecided,
            Some(value) if self.operator.holds(value, self.bound) => Standing::Held,
            Some(_) => Standing::Broken,
        };
        Judgement {
            slo: self.text.clone(),
            transport: row.transport.clone(),
            measured,
            told: units::or_absent(measured, |value| self.figure.tell(value)),
            standing,
        }
    }
}

impl Figure {
    fn units(self) -> &'static [(&'static str, f64)] {
        match self {
            Self::P50 | Self::P90 | Self::P99 | Self::P999 | Self::Max | Self::Cpu => &TIMES,
            Self::Memory => &SIZES,
            Self::Rate | Self::Lost => &PLAIN,
        }
    }

    fn of(self, row: &Summary) -> Option<f64> {
        let time = |us: Option<u64>| us.map(|us| us as f64);
        match self {
            Self::P50 => time(row.latency_us.p50),
            Self::P90 => time(row.latency_us.p90),
            Self::P99 => time(row.latency_us.p99),
            Self::P999 => time(row.latency_us.p999),
            Self::Max => time(row.latency_us.max),
            Self::Rate => Some(row.achieved_per_s),
            Self::Lost => Some(row.messages.lost as f64),
            Self::Cpu => row.server_cpu_us_per_message,
            Self::Memory => row.server_rss_bytes_per_connection,
        }
    }

    fn tell(self, value: f64) -> String {
        match self.units() {
            units if units == TIMES => units::duration_us(value),
            units if units == SIZES => units::bytes(value),
            _ => units::number(value),
        }
    }
}

impl Operator {
    fn holds(self, value: f64, bound: f64) -> bool {
        match self {
            Self::Below => value < bound,
            Self::AtMost => value <= bound,
            Self::Equal => (value - bound).abs() < f64::EPSILON,
            Self::AtLeast => value >= bound,
            Self::Above => value > bound,
        }
    }
}

impl FromStr for Slo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let place = text.find(['<', '>', '=']).ok_or_else(|| {
            format!("`{text}` compares nothing; write for example 'websocket p99 < 20ms'")
        })?;
        let (subject, rest) = text.split_at(place);
        let (sign, operator) = OPERATORS
            .into_iter()
            .find(|(sign, _)| rest.starts_with(sign))
            .expect("each of the three signs is an operator");
        let (transport, figure) = match *subject.split_whitespace().collect::<Vec<_>>() {
            [figure] => (None, figure),
            [transport, figure] => (Some(transport.to_owned()), figure),
            _ => {
                return Err(format!(
                    "`{text}`: a transport and a figure stand before the `{sign}`"
                ));
            }
        };
        let (_, figure) = FIGURES
            .into_iter()
            .find(|(name, _)| *name == figure)
            .ok_or_else(|| format!("`{figure}` is none of {}", names(&FIGURES)))?;
        let bound = bound(rest[sign.len()..].trim(), figure.units())?;
        Ok(Self { text: text.trim().to_owned(), transport, figure, operator, bound })
    }
}

fn bound(text: &str, units: &[(&str, f64)]) -> Result<f64, String> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let size = units.iter().find(|(name, _)| *name == unit.trim()).map(|(_, size)| size);
    match (number.parse::<f64>(), size) {
        (Ok(number), Some(size)) => Ok(number * size),
        _ if units == PLAIN => Err(format!("`{text}` is no number")),
        _ => Err(format!("`{text}` is no number with one of the units {}", names(units))),
    }
}

fn names<T>(table: &[(&str, T)]) -> String {
    table.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Slo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for Slo {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Slo> for String {
    fn from(slo: Slo) -> Self {
        slo.text
    }
}

impl fmt::Display for Judgement {
    /// `websocket p99 < 20ms is broken: 31 ms`, with the transport where the objective names none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { slo, transport, measured, standing, .. } = self;
        let told = match measured {
            Some(_) => self.told.as_str(),
            None => "too few messages, or it could not be measured",
        };
        let what = match standing {
            Standing::Held => "is held",
            Standing::Broken => "is broken",
            Standing::Undecided => "is not decided",
        };
        let whose = if slo.starts_with(transport.as_str()) { "" } else { transport };
        let gap = if whose.is_empty() { "" } else { " " };
        write!(f, "{whose}{gap}{slo} {what}: {told}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(slo: &str, change: impl FnOnce(&mut Run)) -> Vec<String> {
        let mut run = crate::sample::run(2, 5, 400);
        run.slos = vec![slo.parse().expect("an objective")];
        change(&mut run);
        judge(&run).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_objective_is_held_against_the_transport_that_it_names() {
        assert_eq!(
            judged("websocket p50 < 20ms", |_| ()),
            ["websocket p50 < 20ms is held: 516 µs"]
        );
        assert_eq!(
            judged("websocket p99<=0.5ms", |_| ()),
            ["websocket p99<=0.5ms is broken: 3.62 ms"]
        );
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
        let invalidate = |run: &mut Run| run.series[0].invalid.push("a busy machine".to_owned());
        assert_eq!(
            judged("websocket p50 < 20ms", invalidate),
            ["websocket p50 < 20ms is not decided: 516 µs"]
        );
        assert_eq!(judged("websocket lost = 0", invalidate), ["websocket lost = 0 is held: 0"]);
        let too_few = |run: &mut Run| run.series[0].latency_us.0.truncate(3);
        assert_eq!(
            judged("websocket p99.9 < 20ms", too_few),
            [
                "websocket p99.9 < 20ms is not decided: too few messages, or it could not be measured"
            ]
        );
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_what_can() {
        for (text, expected) in [
            ("websocket p99", "write for example 'websocket p99 < 20ms'"),
            ("p98 < 20ms", "`p98` is none of p50, p90, p99, p99.9, max, rate, lost, cpu, memory"),
            ("p99 < 20", "`20` is no number with one of the units us, ms, s"),
            ("memory < 8KB", "one of the units B, KiB, MiB"),
            ("lost = none", "`none` is no number"),
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
}
