//! Where two runs diverge: the events that they share, and what each did from there on.
//!
//! Ids are random, and so differ from run to run; events are compared by process and by their description in short
//! names. The same event at another time is told apart from another event.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::model::Model;
use crate::plan::Plan;
use crate::report::Report;
use crate::run::run;
use crate::summary::{flatten, planned};

/// Events that are shown before the divergence, and of each run after it.
const SHOWN_MAX: usize = 6;

/// Two runs, compared.
#[derive(Debug, Clone, Serialize)]
pub struct Diff {
    /// What the plans do not have in common.
    pub plans: PlanDiff,
    /// Events that both begin with, in the same order.
    pub shared: usize,
    /// The last of them, as they are in the first run.
    pub before: Vec<String>,
    /// The first event that happened at another time, if that was before the divergence.
    pub other_time: Option<[String; 2]>,
    /// The first event that is not the same, in each run, and a few after it; nothing where a run
    /// is over, and nothing in both where they are the same to the end.
    pub then: [Vec<String>; 2],
}

/// What two plans do not have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlanDiff {
    /// Clients, steps and faults of the first plan alone.
    pub only_first: Vec<String>,
    /// Clients, steps and faults of the second plan alone.
    pub only_second: Vec<String>,
    /// Settings and limits that differ, by name, with both values.
    pub settings: BTreeMap<String, [Value; 2]>,
}

impl Diff {
    /// True when both did the same at the same times, to the end.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.other_time.is_none() && self.then.iter().all(Vec::is_empty)
    }
}

/// Compares two runs.
#[must_use]
pub fn diff<M: Model>(model: &M, first: &Report<M>, second: &Report<M>) -> Diff {
    let (ours, theirs) = (Described::of(model, first), Described::of(model, second));
    let shared = ours.shared(&theirs);
    let other = (0..shared).find(|place| ours.at_us(*place) != theirs.at_us(*place));
    Diff {
        plans: plans(&first.plan, &second.plan),
        shared,
        before: ours.lines(shared.saturating_sub(SHOWN_MAX)..shared),
        other_time: other.map(|place| [ours.line(place), theirs.line(place)]),
        then: [&ours, &theirs].map(|described| described.lines(shared..shared + SHOWN_MAX)),
    }
}

/// Of some plans, the run of the one that goes along with a run for the longest; the first of
/// those where there are several.
#[must_use]
pub fn nearest<M: Model>(model: &M, report: &Report<M>, plans: &[Plan<M>]) -> Option<Report<M>> {
    let ours = Described::of(model, report);
    let runs = plans.iter().map(|plan| run(model, plan, false)).collect::<Vec<_>>();
    let shared = |run: &Report<M>| ours.shared(&Described::of(model, run));
    // The last of equals is taken, so the list is turned round.
    runs.into_iter().rev().max_by_key(shared)
}

/// A history with everything in words that do not differ by chance.
struct Described<'a, M: Model> {
    report: &'a Report<M>,
    words: Vec<String>,
}

impl<'a, M: Model> Described<'a, M> {
    fn of(model: &M, report: &'a Report<M>) -> Self {
        let names = model.short_names(&report.history);
        let words = report.history.iter().map(|event| model.describe(event));
        Self { report, words: names.shorten_all(words) }
    }

    /// How many events from the start on are the same in both.
    fn shared(&self, other: &Described<'_, M>) -> usize {
        let pairs = self.all().zip(other.all());
        pairs.take_while(|(ours, theirs)| ours == theirs).count()
    }

    fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        let who = self.report.history.iter().map(|event| event.process.as_str());
        who.zip(self.words.iter().map(String::as_str))
    }

    fn at_us(&self, place: usize) -> u64 {
        self.report.history[place].at_us
    }

    fn line(&self, place: usize) -> String {
        let event = &self.report.history[place];
        let (seconds, who) = (event.at_us as f64 / 1e6, &event.process);
        format!("[{place}] {seconds:.3} s {who}: {}", self.words[place])
    }

    fn lines(&self, places: std::ops::Range<usize>) -> Vec<String> {
        places.take_while(|place| *place < self.words.len()).map(|place| self.line(place)).collect()
    }
}

fn plans<M: Model>(first: &Plan<M>, second: &Plan<M>) -> PlanDiff {
    let (ours, theirs) = (planned(first), planned(second));
    PlanDiff {
        only_first: less(&ours, &theirs),
        only_second: less(&theirs, &ours),
        settings: settings(first, second),
    }
}

/// The lines of one list that are not in another, as often as they are not.
fn less(lines: &[String], others: &[String]) -> Vec<String> {
    let mut others = others.to_vec();
    let mut left = Vec::new();
    for line in lines {
        match others.iter().position(|other| other == line) {
            Some(place) => drop(others.remove(place)),
            None => left.push(line.trim().to_owned()),
        }
    }
    left
}

fn settings<M: Model>(first: &Plan<M>, second: &Plan<M>) -> BTreeMap<String, [Value; 2]> {
    let [ours, theirs] = [first, second].map(|plan| {
        let json = serde_json::to_value(plan).expect("a plan is plain data");
        let mut all = BTreeMap::new();
        flatten("settings", &json["settings"], &mut all);
        flatten("config", &json["config"], &mut all);
        all.insert("seed".to_owned(), plan.seed.into());
        all
    });
    let keys = ours.keys().chain(theirs.keys().filter(|key| !ours.contains_key(*key)));
    let value = |all: &BTreeMap<String, Value>, key| all.get(key).cloned().unwrap_or_default();
    let both = keys.map(|key| (key.clone(), [value(&ours, key), value(&theirs, key)]));
    both.filter(|(_, [ours, theirs])| ours != theirs).collect()
}
