//! Why the figures of a run must not be trusted, and what to do about it.
//!
//! A reason is a sentence with its figures, for people, and a cause, by which reasons are compared and
//! advice is chosen. It judges nothing: whoever measures says what was wrong. A fault of the server is
//! never a reason.

use serde::{Deserialize, Serialize};

use crate::knee::Knee;
use crate::run::Run;
use crate::slo::{Judgement, Shortage};

/// A reason not to trust the figures of a series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// What was the limit instead of the server.
    pub cause: Cause,
    /// The reason with its figures, without a full stop.
    pub text: String,
}

/// What decided the figures instead of the server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The generator sent later than intended, and no other program is known to be at fault.
    GeneratorLate,
    /// The generator sent later than intended while other programs used the processor.
    OthersBusy,
    /// Messages that were due in the window were not sent in it.
    ScheduleMissed,
    /// The generator used more of the processor than it may.
    GeneratorBusy,
    /// Generator and server together used the whole machine.
    MachineFull,
    /// The clocks of several generators differ by more than the latency allows.
    ClocksApart,
    /// Two counts of the same messages differ.
    CountsDiffer,
    /// A cause of another version of racetrack, or none: files had only the sentence.
    #[default]
    #[serde(other)]
    Other,
}

impl Cause {
    /// What to do about it, as one sentence; `is_server_here` where generator and server share a machine.
    fn advice(self, is_server_here: bool) -> &'static str {
        match (self, is_server_here) {
            (Self::GeneratorLate, true) => {
                "The generator was woken late: use fewer users or a lower rate (--users, --rate), or \
                 run the server on another machine (--target)."
            }
            (Self::GeneratorLate, false) => {
                "The generator was woken late: use fewer users or a lower rate (--users, --rate), or \
                 a machine with more cores."
            }
            (Self::OthersBusy, _) => {
                "Other programs took the processor from the generator: close them, or use a machine \
                 on which nothing else runs."
            }
            (Self::ScheduleMissed, _) => {
                "The generator did not keep its schedule: use fewer users or a lower rate (--users, \
                 --rate), or several generators (--shard)."
            }
            (Self::GeneratorBusy, _) => {
                "The generator was at its limit: use a lower rate or fewer users (--rate, --users), or \
                 several generators on machines of their own (--shard)."
            }
            (Self::MachineFull, _) => {
                "Generator and server need a machine each: run the server on another one (--target), \
                 or use a lower rate or fewer users (--rate, --users)."
            }
            (Self::ClocksApart, _) => {
                "Synchronise the clocks of the generators' machines (NTP, chrony), or run all \
                 generators on one machine."
            }
            (Self::CountsDiffer, _) => {
                "Two counts of the same messages differ, which is a fault of racetrack: please report \
                 it with run.json."
            }
            (Self::Other, true) => {
                "To get valid figures, close other programs, use fewer users or a lower rate (--users, \
                 --rate), or run the server on another machine (--target)."
            }
            (Self::Other, false) => {
                "To get valid figures, close other programs, use fewer users or a lower rate (--users, \
                 --rate), or run the load test on a machine of its own."
            }
        }
    }
}

impl Invalid {
    /// A reason of this cause.
    pub fn new(cause: Cause, text: impl Into<String>) -> Self {
        Self { cause, text: text.into() }
    }

    /// True where both say the same, whatever their figures.
    pub(crate) fn is_alike(&self, other: &Self) -> bool {
        self.cause == other.cause && (self.cause != Cause::Other || self.text == other.text)
    }
}

/// A reason of which only the sentence is known.
impl From<&str> for Invalid {
    fn from(text: &str) -> Self {
        Self::new(Cause::Other, text)
    }
}

/// All reasons as one clause.
#[must_use]
pub fn text_of(reasons: &[Invalid]) -> String {
    reasons.iter().map(|it| it.text.as_str()).collect::<Vec<_>>().join("; ")
}

/// What to do about these causes, each once.
fn advice_on(causes: impl IntoIterator<Item = Cause>, is_server_here: bool) -> Vec<&'static str> {
    let mut causes: Vec<Cause> = causes.into_iter().collect();
    causes.sort();
    causes.dedup();
    causes.into_iter().map(|cause| cause.advice(is_server_here)).collect()
}

fn is_server_here(run: &Run) -> bool {
    run.target.is_none() || run.series.iter().any(|it| it.server.is_some())
}

/// What to do about the figures of one series.
pub(crate) fn of_series(run: &Run, transport: &str) -> Vec<&'static str> {
    let of_it = run.series.iter().filter(|it| it.transport == transport);
    let causes = of_it.flat_map(|it| &it.invalid).map(|it| it.cause);
    advice_on(causes, is_server_here(run))
}

/// What to do about figures that decide nothing, a sentence a cause, each once: none where nothing but
/// the server decided them.
pub(crate) fn advice(run: &Run, judgements: &[Judgement]) -> Vec<String> {
    let of_series = run.series.iter().flat_map(|it| &it.invalid).map(|it| it.cause);
    let of_knees = run.knees.iter().filter_map(Knee::undecided).flat_map(|it| &it.causes);
    let mut advice = advice_on(of_series.chain(of_knees.copied()), is_server_here(run));
    advice.extend(Shortage::advice(judgements));
    advice.into_iter().map(str::to_owned).collect()
}

/// As two lists side by side in a series of `run.json`: the sentences, and their causes. Files that
/// were written before there were causes have only the sentences.
pub(crate) mod lists {
    use std::iter;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{Cause, Invalid};

    #[derive(Serialize, Deserialize)]
    struct Lists {
        invalid: Vec<String>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        invalid_causes: Vec<Cause>,
    }

    pub(crate) fn serialize<S: Serializer>(
        reasons: &[Invalid],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let invalid = reasons.iter().map(|it| it.text.clone()).collect();
        let mut invalid_causes: Vec<Cause> = reasons.iter().map(|it| it.cause).collect();
        if invalid_causes.iter().all(|cause| *cause == Cause::Other) {
            invalid_causes.clear();
        }
        Lists { invalid, invalid_causes }.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Invalid>, D::Error> {
        let Lists { invalid, invalid_causes } = Lists::deserialize(deserializer)?;
        let causes = invalid_causes.into_iter().chain(iter::repeat(Cause::Other));
        Ok(invalid.into_iter().zip(causes).map(|(text, cause)| Invalid { cause, text }).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Series;

    const ALL: [Cause; 8] = [
        Cause::GeneratorLate,
        Cause::OthersBusy,
        Cause::ScheduleMissed,
        Cause::GeneratorBusy,
        Cause::MachineFull,
        Cause::ClocksApart,
        Cause::CountsDiffer,
        Cause::Other,
    ];

    #[test]
    fn each_cause_has_a_sentence_of_its_own() {
        for is_server_here in [true, false] {
            let advice = advice_on(ALL.into_iter().chain(ALL), is_server_here);
            assert_eq!(advice.len(), ALL.len(), "each once");
            for (nth, sentence) in advice.iter().enumerate() {
                assert!(sentence.ends_with('.') && !advice[..nth].contains(sentence), "{sentence}");
            }
        }
    }

    #[test]
    fn series_is_written_with_sentences_as_before_and_read_with_its_causes() {
        let mut series = crate::sample::run(1, 5, 400).series.remove(0);
        series.invalid = vec![Invalid::new(Cause::MachineFull, "it was full"), "it rained".into()];
        let mut value = serde_json::to_value(&series).expect("a series is JSON");
        assert_eq!(value["invalid"], serde_json::json!(["it was full", "it rained"]));
        assert_eq!(value["invalid_causes"], serde_json::json!(["machine_full", "other"]));
        let read = |value: &serde_json::Value| -> Vec<Invalid> {
            let series = serde_json::from_value::<Series>(value.clone()).expect("a series");
            series.invalid
        };
        assert_eq!(read(&value), series.invalid);
        value["invalid_causes"] = serde_json::json!(["of_a_later_version"]);
        assert!(read(&value).iter().all(|it| it.cause == Cause::Other));
        value.as_object_mut().expect("an object").remove("invalid_causes");
        assert_eq!(read(&value), ["it was full".into(), "it rained".into()]);
        value.as_object_mut().expect("an object").remove("invalid");
        assert!(serde_json::from_value::<Series>(value).is_err(), "it says whether it is valid");
    }

    #[test]
    fn only_sentences_of_an_unknown_cause_are_compared() {
        let busy = |text| Invalid::new(Cause::GeneratorBusy, text);
        assert!(busy("0.9 of 1 cores").is_alike(&busy("1.9 of 2 cores")));
        assert!(!Invalid::from("it rained").is_alike(&"it snowed".into()));
        assert!(!busy("it rained").is_alike(&"it rained".into()));
    }
}
