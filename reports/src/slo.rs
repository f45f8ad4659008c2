//! Service level objectives: bounds that a run must keep, in the words of whoever set them.
//!
//! ```text
//!   [TRANSPORT] FIGURE OPERATOR BOUND      websocket p99 < 20ms      lost = 0      cpu <= 150us
//! ```
//!
//! Without a transport the objective holds for each. Figures are `p50`, `p90`, `p95`, `p99`, `p99.9`
//! and `max` of the latency, `rate` (messages a second that arrived), `lost`, `errors` (the share of
//! the messages that were due and did not reach the partner once and in order), `cpu` (of the server,
//! a message) and `memory` (of the server, a connection). Times are in `us` (or `µs`), `ms` or `s`,
//! memory in `B`, `KiB` or `MiB`, errors in `%`, and the others have no unit.
//!
//! What was measured badly decides nothing: an objective on figures that are not valid is neither
//! held nor broken. A missing message does decide: it took longer than any bound, however busy the
//! machine was. A percentile that lies among missing messages breaks every bound from above.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::quantile::Quantile;
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
    /// What the figure exceeds, where it lies among messages that never arrived; absent otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub more_than: Option<f64>,
    /// What the figure leaves out, or why there is none; absent otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// What there is too little of, where there is no figure for that reason.
    #[serde(skip)]
    pub(crate) shortage: Option<Shortage>,
}

/// Why there is no figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shortage {
    /// Fewer messages than a percentile needs.
    Messages,
    /// The process of the server could not be read.
    Server,
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
    P95,
    P99,
    P999,
    Max,
    Rate,
    Lost,
    Errors,
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

const FIGURES: [(&str, Figure); 11] = [
    ("p50", Figure::P50),
    ("p90", Figure::P90),
    ("p95", Figure::P95),
    ("p99", Figure::P99),
    ("p99.9", Figure::P999),
    ("max", Figure::Max),
    ("rate", Figure::Rate),
    ("lost", Figure::Lost),
    ("errors", Figure::Errors),
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
const SHARES: [(&str, f64); 1] = [("%", 0.01)];
const PLAIN: [(&str, f64); 1] = [("", 1.0)];

/// Every objective of a run, held against each transport that it is about, in order.
#[must_use]
pub fn judge(run: &Run) -> Vec<Judgement> {
    let rows = summaries(run);
    let is_measured = |name: &str| rows.iter().any(|row| row.transport == name);
    let unmeasured: Vec<&str> = run.failures.iter().map(|it| it.transport.as_str()).collect();
    let mut judgements = Vec::new();
    for slo in &run.slos {
        let about = rows.iter().filter(|row| slo.is_about(&row.transport));
        judgements.extend(about.map(|row| slo.judge(row)));
        let about = unmeasured.iter().filter(|it| !is_measured(it) && slo.is_about(it));
        judgements.extend(about.map(|transport| slo.judge_unmeasured(transport)));
    }
    judgements
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
        let standing = match measured {
            Some(Measured::MoreThan(_)) => self.operator.of_the_missing(),
            // A message that did not arrive is a result however busy the machine was.
            Some(Measured::Known(_)) if !row.measured_well && !self.figure.is_a_count() => {
                Standing::Undecided
            }
            Some(Measured::Known(value)) if self.operator.holds(value, self.bound) => {
                Standing::Held
            }
            Some(Measured::Known(_)) => Standing::Broken,
            None => Standing::Undecided,
        };
        let told = units::or_absent(measured, |it| match it {
            Measured::Known(value) => self.figure.tell(value),
            Measured::MoreThan(value) => format!("> {}", self.figure.tell(value)),
        });
        let missing = row.latency_us.missing;
        let left_out = (missing > 0 && self.figure.is_a_latency()).then(|| {
            let messages = units::plural(missing, "message");
            format!("{messages} missing, each counted as slower")
        });
        let unknown = measured.is_none().then(|| self.figure.shortage(row));
        Judgement {
            slo: self.text.clone(),
            transport: row.transport.clone(),
            measured: measured.and_then(Measured::known),
            told,
            standing,
            more_than: measured.and_then(Measured::more_than),
            note: left_out.or_else(|| unknown.as_ref().map(|(_, why)| why.clone())),
            shortage: unknown.map(|(shortage, _)| shortage),
        }
    }

    fn judge_unmeasured(&self, transport: &str) -> Judgement {
        Judgement {
            slo: self.text.clone(),
            transport: transport.to_owned(),
            measured: None,
            told: units::ABSENT.to_owned(),
            standing: Standing::Undecided,
            more_than: None,
            note: Some("it was not measured".to_owned()),
            shortage: None,
        }
    }
}

impl Shortage {
    /// What to do about the figures that there are not, a sentence a shortage.
    pub(crate) fn advice(judgements: &[Judgement]) -> impl Iterator<Item = &'static str> {
        let is_short = |of| judgements.iter().any(|it| it.shortage == Some(of));
        let all = [
            (
                Self::Messages,
                "An objective has too few messages to be decided: measure for longer (--duration), or \
                 send more (--rate).",
            ),
            (
                Self::Server,
                "What a server uses is known only where it runs on the machine of the load test: leave \
                 out --target for objectives on cpu and memory.",
            ),
        ];
        all.into_iter().filter(move |(of, _)| is_short(*of)).map(|(_, advice)| advice)
    }
}

/// A figure of a transport.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Measured {
    Known(f64),
    /// It lies among messages that never arrived.
    MoreThan(f64),
}

impl Measured {
    fn known(self) -> Option<f64> {
        match self {
            Self::Known(value) => Some(value),
            Self::MoreThan(_) => None,
        }
    }

    fn more_than(self) -> Option<f64> {
        match self {
            Self::Known(_) => None,
            Self::MoreThan(value) => Some(value),
        }
    }

    fn time(known: Option<u64>, more_than: Option<u64>) -> Option<Self> {
        let more_than = more_than.map(|us| Self::MoreThan(us as f64));
        known.map(|us| Self::Known(us as f64)).or(more_than)
    }
}

impl Figure {
    fn units(self) -> &'static [(&'static str, f64)] {
        match self {
            Self::Memory => &SIZES,
            Self::Errors => &SHARES,
            Self::Rate | Self::Lost => &PLAIN,
            Self::Cpu => &TIMES,
            Self::P50 | Self::P90 | Self::P95 | Self::P99 | Self::P999 | Self::Max => &TIMES,
        }
    }

    /// What every run does to such an objective, where that is known before; none otherwise.
    fn decided(self, operator: Operator, bound: f64) -> Option<&'static str> {
        let most = if self == Self::Errors { 1.0 } else { f64::INFINITY };
        let is_whole = self != Self::Lost || bound.fract() == 0.0;
        let (broken, held) = match operator {
            Operator::Below => (bound <= 0.0, bound > most),
            Operator::AtMost => (false, bound >= most),
            Operator::Equal => (bound > most || !is_whole, false),
            Operator::AtLeast => (bound > most, bound <= 0.0),
            Operator::Above => (bound >= most, false),
        };
        if broken { Some("broken") } else { held.then_some("held") }
    }

    /// What it can be.
    fn range(self) -> &'static str {
        match self {
            Self::Errors => "0 % to 100 %",
            Self::Lost => "whole numbers from 0",
            _ => "0 and more",
        }
    }

    fn is_a_latency(self) -> bool {
        self.units() == TIMES && self != Self::Cpu
    }

    /// It counts messages, and takes no time.
    fn is_a_count(self) -> bool {
        matches!(self, Self::Lost | Self::Errors)
    }

    /// Why it is not known, and as people read it.
    fn shortage(self, row: &Summary) -> (Shortage, String) {
        let quantile = match self {
            Self::P50 => Quantile::P50,
            Self::P90 => Quantile::P90,
            Self::P95 => Quantile::P95,
            Self::P99 => Quantile::P99,
            Self::P999 => Quantile::P999,
            Self::Cpu | Self::Memory if row.messages.delivered > 0 => {
                return (Shortage::Server, "the server's use could not be read".to_owned());
            }
            Self::Max | Self::Rate | Self::Lost | Self::Errors | Self::Cpu | Self::Memory => {
                return (Shortage::Messages, "no message arrived".to_owned());
            }
        };
        let arrived = units::plural(row.latency_us.samples, "message");
        let needed = units::count(quantile.samples_min());
        let why = format!("{arrived} arrived, and p{} needs {needed}", quantile.percent());
        (Shortage::Messages, why)
    }

    fn of(self, row: &Summary) -> Option<Measured> {
        let (known, more_than) = (&row.latency_us, &row.latency_us.more_than);
        match self {
            Self::P50 => Measured::time(known.p50, more_than.p50),
            Self::P90 => Measured::time(known.p90, more_than.p90),
            Self::P95 => Measured::time(known.p95, more_than.p95),
            Self::P99 => Measured::time(known.p99, more_than.p99),
            Self::P999 => Measured::time(known.p999, more_than.p999),
            Self::Max => Measured::time(known.max, more_than.max),
            Self::Rate => Some(Measured::Known(row.achieved_per_s)),
            Self::Lost => Some(Measured::Known(row.messages.lost as f64)),
            Self::Errors => row.error_share.map(Measured::Known),
            Self::Cpu => row.server_cpu_us_per_message.map(Measured::Known),
            Self::Memory => row.server_rss_bytes_per_connection.map(Measured::Known),
        }
    }

    fn tell(self, value: f64) -> String {
        match self.units() {
            units if units == TIMES => units::duration_us(value),
            units if units == SIZES => units::bytes(value),
            units if units == SHARES => units::percent(value),
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

    /// What it says of a latency that never ended: it is above every bound.
    fn of_the_missing(self) -> Standing {
        match self.holds(f64::INFINITY, f64::MAX) {
            true => Standing::Held,
            false => Standing::Broken,
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
        if let Some(outcome) = figure.decided(operator, bound) {
            return Err(format!(
                "`{text}` is {outcome} by every run; {} can be measured",
                figure.range()
            ));
        }
        Ok(Self { text: text.trim().to_owned(), transport, figure, operator, bound })
    }
}

fn bound(text: &str, units: &[(&str, f64)]) -> Result<f64, String> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    // Both the micro sign and the Greek letter are in use.
    let unit = unit.trim().replace(['\u{b5}', '\u{3bc}'], "u");
    let size = units.iter().find(|(name, _)| *name == unit).map(|(_, size)| *size);
    match (number.parse::<f64>(), size) {
        (Ok(number), Some(size)) if number.is_finite() => Ok(number * size),
        (Ok(0.0), None) if unit.is_empty() && units == SHARES => Ok(0.0),
        (Ok(_), _) if unit.is_empty() => {
            Err(format!("`{text}` needs a unit, one of {}", names(units)))
        }
        _ if units == PLAIN => Err(format!("`{text}` is not a number without a unit")),
        _ => Err(format!("`{text}` is not a number with one of the units {}", names(units))),
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
        let Self { slo, transport, told, standing, note, .. } = self;
        let what = match standing {
            Standing::Held => "is held",
            Standing::Broken => "is broken",
            Standing::Undecided => "is not decided",
        };
        let whose = if slo.starts_with(transport.as_str()) { "" } else { transport };
        let gap = if whose.is_empty() { "" } else { " " };
        write!(f, "{whose}{gap}{slo} {what}: ")?;
        match note {
            None => f.write_str(told),
            Some(note) if told == units::ABSENT => f.write_str(note),
            Some(note) => write!(f, "{told}, {note}"),
        }
    }
}

#[cfg(test)]
mod tests;
