//! The search for the most that a transport carries while p99 stays within a bound.
//!
//! Each probe is a whole run with a server of its own, so nothing of an overload is left when the
//! next begins. Which load comes next is the business of `walk`.
//!
//! Latency counts from the intended time, so whatever the generator does wrong makes it longer: a
//! bound that held has held, however late the generator was. A bound that broke has been broken by
//! the server only where the generator can be trusted; otherwise nothing is decided.

mod walk;

use std::ops::RangeInclusive;

use reports::knee::{Knee, Load, Outcome, Probe};
use reports::run::{Failure, Series};
use reports::{Quantile, invalid, units};

use self::walk::Walk;
use crate::options::{self, MESSAGES_MAX, Options, OptionsError};
use crate::preflight;
use crate::trial::Trial;
use crate::{LoadError, Progress};

/// Messages that a p99 wants: ten that lie beyond it, and some to spare.
const MESSAGES_MIN: f64 = 1_200.0;
/// The share of the offered messages that must arrive within the window.
const ACHIEVED_SHARE_MIN: f64 = 0.99;

/// What is searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Goal {
    /// What is raised.
    pub load: Load,
    /// What p99 may be, in microseconds.
    pub p99_us_max: u64,
}

/// What a search came to.
#[derive(Debug, Clone, Default)]
pub struct Searched {
    /// One search a transport, in the order of the options; as many as there are, where it was
    /// interrupted.
    pub knees: Vec<Knee>,
    /// The last measurement of the most that each carries, where it carries anything; and of what
    /// was delivered wrongly.
    pub series: Vec<Series>,
    /// The searches that met the end of a server, or could not go on.
    pub failures: Vec<Failure>,
    /// Ctrl-C ended it before its time.
    pub interrupted: bool,
}

/// Searches each trial of `options` in turn, beginning at the load that the options ask for.
/// `told` hears of each probe when it is over.
///
/// A transport that delivers a message twice, to somebody else or out of order is searched no
/// further.
///
/// People who cannot connect or be served break the bound, and so does the end of the server, which
/// is a failure besides. A search that has no server any more ends with what it has found.
///
/// # Errors
///
/// As [`crate::run`], of the first probe.
pub async fn search(
    options: &Options,
    goal: Goal,
    progress: impl Fn(Progress),
    told: impl Fn(&Knee, &Probe),
) -> Result<Searched, LoadError> {
    check(options, goal)?;
    let mut searched = Searched::default();
    for trial in &options.trials() {
        let one = One { options, trial, goal };
        match one.search(&progress, &told).await {
            Ok(found) => {
                searched.interrupted = matches!(found.end, End::Interrupted);
                searched.knees.push(found.knee);
                searched.series.extend(found.series);
                searched.failures.extend(found.failures);
            }
            Err(error) if searched.knees.is_empty() => return Err(error),
            Err(error) => searched.failures.push(error.of_trial(&trial.label)),
        }
        if searched.interrupted {
            break;
        }
    }
    Ok(searched)
}

/// Checks that there is something to search.
///
/// # Errors
///
/// The options cannot be meant, or the least load of which a p99 can be told is more than the most that
/// is possible.
pub fn check(options: &Options, goal: Goal) -> Result<(), OptionsError> {
    options.validate()?;
    options.trials().iter().try_for_each(|trial| One { options, trial, goal }.check())
}

/// The search of one transport.
struct One<'a> {
    options: &'a Options,
    trial: &'a Trial,
    goal: Goal,
}

enum End {
    Found,
    Wrong,
    Interrupted,
}

/// What one load came to.
struct Probed {
    probe: Probe,
    series: Option<Series>,
    /// The end of the server.
    gone: Option<Failure>,
}

/// What the search of one transport came to.
struct Found {
    knee: Knee,
    /// The last measurement of the most that it carries.
    series: Option<Series>,
    end: End,
    failures: Vec<Failure>,
}

impl One<'_> {
    async fn search(
        &self,
        progress: impl Fn(Progress),
        told: impl Fn(&Knee, &Probe),
    ) -> Result<Found, LoadError> {
        let Goal { load, p99_us_max } = self.goal;
        let transport = self.trial.label.to_string();
        let mut failures = Vec::new();
        let mut knee = Knee { transport, load, p99_us_max, probes: Vec::new() };
        let mut measured = Vec::new();
        let mut walk = self.walk();
        let mut end = End::Found;
        while let Some(load) = walk.next() {
            let Probed { probe, series, gone } = match self.probe(load, &progress).await {
                Ok(probed) => probed,
                Err(LoadError::Interrupted) => {
                    end = End::Interrupted;
                    break;
                }
                Err(error) if knee.probes.is_empty() => return Err(error),
                Err(error) => {
                    failures.push(error.of_trial(&self.trial.label));
                    break;
                }
            };
            told(&knee, &probe);
            walk.tell(probe.outcome);
            knee.probes.push(probe);
            let is_wrong = series.as_ref().is_some_and(delivered_wrongly);
            measured.push(series);
            let is_stranded = gone.is_some() && self.options.target.is_some();
            failures.extend(gone);
            if is_stranded {
                break;
            }
            if is_wrong {
                end = End::Wrong;
                break;
            }
        }
        let shown = match end {
            End::Wrong => measured.len().checked_sub(1),
            End::Found | End::Interrupted => knee.found().and_then(|found| {
                knee.probes
                    .iter()
                    .rposition(|it| it.load == found.load && it.outcome == found.outcome)
            }),
        };
        let series = shown.and_then(|index| measured.swap_remove(index));
        Ok(Found { knee, series: series.map(explained), end, failures })
    }

    /// Measures at this load. The end of the server and people who cannot be served are results.
    async fn probe(&self, load: f64, progress: impl Fn(Progress)) -> Result<Probed, LoadError> {
        let options = self.options_at(load);
        options.validate()?;
        crate::keeping(&options, self.trial)?;
        let (series, error) = match crate::run_one(&options, self.trial, None, progress).await {
            Ok(one) if one.is_interrupted() => return Err(LoadError::Interrupted),
            Ok(one) => {
                let error = one.failure();
                (Some(one.series), error)
            }
            Err(error @ (LoadError::Failed { .. } | LoadError::Gone { .. })) => (None, Some(error)),
            Err(error) => return Err(error),
        };
        let probe = match (&error, &series) {
            (None, Some(series)) => self.judge(load, series),
            _ => self.overwhelmed(load, error.as_ref().map(LoadError::why).unwrap_or_default()),
        };
        let gone = error.filter(|error| matches!(error, LoadError::Gone { .. })).map(|gone| {
            let Failure { transport, why } = gone.of_trial(&self.trial.label);
            Failure { transport, why: format!("at {}: {why}", self.goal.load.told(load)) }
        });
        Ok(Probed { probe, series, gone })
    }

    fn walk(&self) -> Walk {
        let options = self.options;
        match self.goal.load {
            Load::Rate => Walk::new(options.rate_per_s(), self.range(), 1.0),
            Load::People => Walk::new(f64::from(options.users), self.range(), 2.0),
        }
    }

    /// The loads between which a p99 can be told and the machine allows a run.
    fn range(&self) -> RangeInclusive<f64> {
        let options = self.options;
        let least_per_s = MESSAGES_MIN / options.duration.0.as_secs_f64();
        match self.goal.load {
            Load::Rate => {
                let length_s = (options.warm_up.0 + options.duration.0).as_secs_f64();
                least_per_s..=(MESSAGES_MAX / length_s).floor()
            }
            Load::People => {
                let most =
                    preflight::users_max(self.trial.mix.heaviest(), preflight::raise_open_files());
                // More than this nobody asks for, and a float holds it.
                let most = most.min(1_000_000) as f64;
                (least_per_s / self.rate_per_person()).max(2.0)..=most
            }
        }
    }

    /// Refuses a search between loads of which the least is more than the most.
    fn check(&self) -> Result<(), OptionsError> {
        let (least, most) = self.range().into_inner();
        if least <= most {
            return Ok(());
        }
        let told = |load: f64| self.goal.load.told(load.ceil());
        let allowed = format!(
            "over {} it takes {} to know a p99, and at most {} are possible here; raise --rate or \
             --duration",
            self.trial.label,
            told(least),
            told(most)
        );
        options::refuse("search", self.goal.load.to_string(), &allowed)
    }

    fn rate_per_person(&self) -> f64 {
        self.options.rate_per_s() / f64::from(self.options.users)
    }

    fn options_at(&self, load: f64) -> Options {
        let options = self.options.clone();
        match self.goal.load {
            Load::Rate => Options { rate: Some(load), ..options },
            Load::People => {
                let rate = Some(load * self.rate_per_person());
                Options { users: load as u32, rate, ..options }
            }
        }
    }

    fn judge(&self, load: f64, series: &Series) -> Probe {
        let at = |quantile| series.latency_us.estimate(quantile).map(|it| it.value);
        let p99_us = at(Quantile::P99);
        let (outcome, why) = match (self.broken(series, p99_us), series.invalid.as_slice()) {
            (None, _) => (Outcome::Held, String::new()),
            (Some(why), []) => (Outcome::Broken, why),
            (Some(why), reasons) => {
                (Outcome::Undecided, format!("{why}, but {}", invalid::text_of(reasons)))
            }
        };
        let causes = match outcome {
            Outcome::Undecided => series.invalid.iter().map(|it| it.cause).collect(),
            Outcome::Held | Outcome::Broken => Vec::new(),
        };
        Probe {
            load,
            users: series.users,
            offered_per_s: series.offered_per_s,
            achieved_per_s: series.achieved_per_s,
            p50_us: at(Quantile::P50),
            p99_us,
            outcome,
            why,
            causes,
        }
    }

    /// Why the bound was not held; none where it was.
    fn broken(&self, series: &Series, p99_us: Option<u64>) -> Option<String> {
        let messages = &series.messages;
        let Some(p99_us) = p99_us else {
            return Some("too few messages arrived for a p99".to_owned());
        };
        if p99_us > self.goal.p99_us_max {
            return Some(format!("p99 was {}", units::duration_us(p99_us as f64)));
        }
        if !messages.all_accounted_for() {
            let missing = messages.sent - messages.delivered.min(messages.sent) - messages.refused;
            return Some(format!("{} did not arrive", units::plural(missing, "message")));
        }
        (series.achieved_per_s < ACHIEVED_SHARE_MIN * series.offered_per_s).then(|| {
            format!("only {} messages a second arrived", units::number(series.achieved_per_s))
        })
    }

    /// A load at which people could not even be served.
    fn overwhelmed(&self, load: f64, why: String) -> Probe {
        let options = self.options_at(load);
        Probe {
            load,
            users: u64::from(options.users),
            offered_per_s: options.rate_per_s(),
            achieved_per_s: 0.0,
            p50_us: None,
            p99_us: None,
            outcome: Outcome::Broken,
            why,
            causes: Vec::new(),
        }
    }
}

/// The measurement of the most that is carried. A late generator does not make it less.
fn explained(mut series: Series) -> Series {
    if !series.invalid.is_empty() {
        let why = invalid::text_of(&std::mem::take(&mut series.invalid));
        series.notes.push(format!("its figures are upper bounds: {why}"));
    }
    series
}

/// Wrong at any load. A message that did not arrive in time under too high a load is not.
fn delivered_wrongly(series: &Series) -> bool {
    let messages = &series.messages;
    messages.duplicated + messages.misdelivered + messages.out_of_order > 0
}

#[cfg(test)]
mod tests {
    use reports::run::{HistogramDump, Messages, latency_histogram};

    use super::*;

    const GOAL: Goal = Goal { load: Load::Rate, p99_us_max: 20_000 };

    fn series(latency_us: u64) -> Series {
        let mut histogram = latency_histogram();
        histogram.saturating_record_n(latency_us, 5_000);
        Series {
            transport: "websocket".to_owned(),
            users: 100,
            duration_s: 10.0,
            offered_per_s: 500.0,
            achieved_per_s: 500.0,
            messages: Messages {
                scheduled: 5_000,
                sent: 5_000,
                delivered: 5_000,
                ..Messages::default()
            },
            latency_us: HistogramDump::from(&histogram),
            ..Series::default()
        }
    }

    fn judged(series: &Series) -> (Outcome, String) {
        let options = Options::default();
        let one = One { options: &options, trial: &options.trials()[0], goal: GOAL };
        let probe = one.judge(500.0, series);
        (probe.outcome, probe.why)
    }

    #[test]
    fn a_probe_holds_when_p99_is_within_the_bound_and_everything_arrived() {
        assert_eq!(judged(&series(19_000)), (Outcome::Held, String::new()));
        assert_eq!(judged(&series(31_000)), (Outcome::Broken, "p99 was 31 ms".to_owned()));
    }

    #[test]
    fn messages_that_did_not_arrive_break_the_bound() {
        let mut lossy = series(1_000);
        (lossy.messages.delivered, lossy.messages.lost) = (4_997, 3);
        assert_eq!(judged(&lossy), (Outcome::Broken, "3 messages did not arrive".to_owned()));
        let refusing = Series { achieved_per_s: 400.0, ..series(1_000) };
        let why = "only 400 messages a second arrived".to_owned();
        assert_eq!(judged(&refusing), (Outcome::Broken, why));
    }

    #[test]
    fn a_bound_that_held_has_held_and_one_that_broke_may_be_the_generators_fault() {
        let invalid = || vec!["the generator was busy".into()];
        let held = judged(&Series { invalid: invalid(), ..series(19_000) });
        assert_eq!(held, (Outcome::Held, String::new()));
        let undecided = judged(&Series { invalid: invalid(), ..series(31_000) });
        let why = "p99 was 31 ms, but the generator was busy".to_owned();
        assert_eq!(undecided, (Outcome::Undecided, why));
    }

    #[test]
    fn more_people_say_as_much_each() {
        let options = Options { users: 100, rate: Some(300.0), ..Options::default() };
        let goal = Goal { load: Load::People, ..GOAL };
        let one = One { options: &options, trial: &options.trials()[0], goal };
        let more = one.options_at(250.0);
        assert_eq!((more.users, more.rate_per_s()), (250, 750.0));
    }
}
