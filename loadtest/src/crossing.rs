//! The books between generators: what left this one for others, and what came from them.
//!
//! Each generator books its side of every message that went from one of its people to another's,
//! as a number and a sum of fingerprints; see [`reports::part`] for what the two sides prove.

use std::collections::BTreeMap;
use std::ops::Range;

use reports::part::{Come, Crossing, Gone};
use reports::run::{HistogramDump, latency_histogram};
use reports::units::plural;
use reports::{Cause, Invalid};

use crate::ledger::{self, Fate, Ledger, Record};

/// The messages of `ledger` that left or came, those due in `window` (in microseconds) and those
/// before it; none where there is no other generator.
pub(crate) fn read(ledger: &Ledger, window: &Range<u64>) -> Option<Crossing> {
    if ledger.shard.is_whole() {
        return None;
    }
    let mut crossing = Crossing::default();
    let mut come: BTreeMap<u32, Arrivals> = BTreeMap::new();
    ledger.for_each_named(|name, record| {
        let in_window = window.contains(&record.intended_us);
        let fingerprint = name.fingerprint(ledger.run);
        if record.foreign {
            let of_origin = come.entry(ledger.shard.number_of(name.sender)).or_default();
            of_origin.enter(record, in_window, fingerprint);
        } else if ledger.fate(record) == Fate::Abroad {
            let gone = if in_window { &mut crossing.window } else { &mut crossing.warm_up };
            leave(gone, record, fingerprint);
        }
    });
    crossing.come = come.into_iter().map(|(shard, it)| (shard, it.finish())).collect();
    Some(crossing)
}

/// What is said of messages that came before they were due.
pub(crate) fn early(crossing: &Crossing) -> Option<Invalid> {
    let early: u64 = crossing.come.values().map(|come| come.early).sum();
    (early > 0).then(|| {
        let messages = plural(early, "message");
        let text = format!(
            "{messages} of other generators arrived before they were due: the generators' clocks \
             are apart"
        );
        Invalid::new(Cause::ClocksApart, text)
    })
}

/// A message whose sending failed after all may have arrived; any other must have.
fn leave(gone: &mut Gone, record: &Record, fingerprint: u64) {
    match record.fate() {
        Fate::Refused => gone.doubtful.push(fingerprint),
        _ => gone.due.add(fingerprint),
    }
}

/// What came from one generator.
struct Arrivals {
    come: Come,
    latency: hdrhistogram::Histogram<u64>,
}

impl Default for Arrivals {
    fn default() -> Self {
        Self { come: Come::default(), latency: latency_histogram() }
    }
}

impl Arrivals {
    fn enter(&mut self, record: &Record, in_window: bool, fingerprint: u64) {
        let Some(received_us) = record.received_us else { return };
        let fate = record.fate();
        let Come { window, warm_up, messages, early, .. } = &mut self.come;
        let tally = if in_window { window } else { warm_up };
        tally.add(fingerprint);
        if in_window || fate.is_wrong() {
            // What is not of the window is counted by its sender only where it went well.
            let scheduled = u64::from(!in_window);
            messages.scheduled += scheduled;
            messages.sent += scheduled;
            ledger::count_fate(messages, fate);
        }
        if fate == Fate::Misdelivered {
            return;
        }
        *early += u64::from(received_us < record.intended_us);
        if in_window {
            self.latency.saturating_record(received_us.saturating_sub(record.intended_us));
        }
    }

    fn finish(self) -> Come {
        Come { latency_us: HistogramDump::from(&self.latency), ..self.come }
    }
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
