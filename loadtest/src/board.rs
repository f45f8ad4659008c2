//! What a run is at, for whoever watches from outside while it goes on.
//!
//! The text is the exposition format of Prometheus, version 0.0.4. The board only reads what the
//! people count anyway; it opens no socket, and nothing in a report comes from it.

use std::fmt::{self, Write};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, Weak};

use crate::Phase;
use crate::scenario::Stage;

/// The `Content-Type` of [`Board::text`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

const PHASES: [&str; 7] =
    ["starting", "connecting", "waiting", "settling", "measuring", "draining", "finished"];

/// What is going on, and where the figures are.
#[derive(Debug, Default)]
pub struct Board(Mutex<Shown>);

#[derive(Debug, Default)]
struct Shown {
    now: Option<(Arc<str>, &'static str)>,
    /// Weak, so that the books of a run do not outlive it.
    stage: Weak<Stage>,
}

impl Board {
    /// A phase of a trial has begun, or goes on.
    pub(crate) fn enter(&self, transport: &Arc<str>, phase: Phase) {
        let mut shown = self.0.lock().expect("nothing panics under this lock");
        shown.now = Some((Arc::clone(transport), name(phase)));
    }

    /// The people of the trial that runs now.
    pub(crate) fn watch(&self, stage: Weak<Stage>) {
        self.0.lock().expect("nothing panics under this lock").stage = stage;
    }

    /// All figures, as Prometheus reads them; none before the first run begins.
    #[must_use]
    pub fn text(&self) -> String {
        let shown = self.0.lock().expect("nothing panics under this lock");
        let mut text = String::new();
        if let Some((transport, phase)) = &shown.now {
            write(&mut text, transport, phase, shown.stage.upgrade().as_deref())
                .expect("a string takes everything");
        }
        text
    }
}

fn write(text: &mut String, transport: &str, phase: &str, stage: Option<&Stage>) -> fmt::Result {
    head(text, "phase", "gauge", "1 for what is going on")?;
    for known in PHASES {
        let is_it = u8::from(known == phase);
        writeln!(
            text,
            "racetrack_load_phase{{transport=\"{transport}\",phase=\"{known}\"}} {is_it}"
        )?;
    }
    let Some(stage) = stage else { return Ok(()) };
    let people = [
        ("people_connected", "People with an open session", &stage.connected),
        ("people_paired", "People with a partner", &stage.paired),
    ];
    for (name, help, count) in people {
        head(text, name, "gauge", help)?;
        figure(text, name, transport, count.load(Ordering::Relaxed) as f64)?;
    }
    let errors: u64 = stage.errors().values().sum();
    let counters = [
        ("messages_sent_total", "Messages sent", stage.ledger.sent()),
        ("messages_received_total", "Messages received, each once", stage.ledger.received()),
        ("errors_total", "Errors that the clients met", errors),
    ];
    for (name, help, count) in counters {
        head(text, name, "counter", help)?;
        figure(text, name, transport, count as f64)?;
    }
    let Some(percentiles_us) = stage.live.percentiles_us() else { return Ok(()) };
    let names = ["latency_p50_seconds", "latency_p99_seconds"];
    for (name, us) in names.into_iter().zip(percentiles_us) {
        head(text, name, "gauge", "Latency from the intended time so far, to an eighth")?;
        figure(text, name, transport, us as f64 / 1e6)?;
    }
    Ok(())
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) -> fmt::Result {
    writeln!(text, "# HELP racetrack_load_{name} {help}.\n# TYPE racetrack_load_{name} {kind}")
}

fn figure(text: &mut String, name: &str, transport: &str, value: f64) -> fmt::Result {
    writeln!(text, "racetrack_load_{name}{{transport=\"{transport}\"}} {value}")
}

fn name(phase: Phase) -> &'static str {
    match phase {
        Phase::Starting => PHASES[0],
        Phase::Connecting { .. } => PHASES[1],
        Phase::Waiting { .. } => PHASES[2],
        Phase::Settling => PHASES[3],
        Phase::Measuring { .. } => PHASES[4],
        Phase::Draining { .. } => PHASES[5],
        Phase::Finished => PHASES[6],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn before_a_run_there_is_nothing_to_see_and_without_people_only_the_phase() {
        let board = Board::default();
        assert_eq!(board.text(), "");
        board.enter(&"sse".into(), Phase::Settling);
        let text = board.text();
        let lines: Vec<_> = text.lines().filter(|line| line.ends_with(" 1")).collect();
        assert_eq!(lines, ["racetrack_load_phase{transport=\"sse\",phase=\"settling\"} 1"]);
        assert_eq!(text.lines().count(), 2 + PHASES.len(), "{text}");
    }
}
