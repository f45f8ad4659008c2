//! Where a load run is, on standard error: a bar where that is a terminal, and lines where it is not.

use std::cell::RefCell;
use std::io::{self, IsTerminal};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use indicatif::ProgressBar;
use loadtest::{Phase, Progress};
use reports::units::{count, duration_us, number};

use reports::cli::{bar, output};

/// Between two lines about the same phase.
const LINE_EVERY: Duration = Duration::from_secs(5);

pub(crate) struct Meter {
    bar: ProgressBar,
    is_terminal: bool,
    told: RefCell<Option<Told>>,
}

/// What the last line was about, and how far the window was.
struct Told {
    transport: Arc<str>,
    phase: mem::Discriminant<Phase>,
    at: Duration,
}

impl Meter {
    pub(crate) fn new() -> Self {
        let bar = bar::on_terminal(1, "loading");
        Self { bar, is_terminal: io::stderr().is_terminal(), told: RefCell::new(None) }
    }

    pub(crate) fn show(&self, Progress { transport, phase }: Progress) {
        let (position, length, what) = describe(phase);
        if self.is_terminal {
            self.bar.set_length(length);
            self.bar.set_position(position);
            self.bar.set_message(format!("{transport}: {what}"));
        } else if phase != Phase::Starting && self.is_news(&transport, phase) {
            output::warn(&format!("{transport}: {what}"));
        }
    }

    /// The bar alone, where whoever measures has lines of its own.
    pub(crate) fn show_on_terminal(&self, progress: Progress) {
        if self.is_terminal {
            self.show(progress);
        }
    }

    /// A line above the bar.
    pub(crate) fn line(&self, text: &str) {
        self.bar.suspend(|| output::warn(text));
    }

    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }

    /// A line for each phase that has begun; the first may be refused, and then that is what counts.
    fn is_news(&self, transport: &Arc<str>, phase: Phase) -> bool {
        let at = match phase {
            Phase::Measuring { elapsed, .. } => elapsed,
            _ => Duration::ZERO,
        };
        let phase = mem::discriminant(&phase);
        let mut told = self.told.borrow_mut();
        let is_news = told.as_ref().is_none_or(|last| {
            (&last.transport, last.phase) != (transport, phase) || at >= last.at + LINE_EVERY
        });
        if is_news {
            *told = Some(Told { transport: Arc::clone(transport), phase, at });
        }
        is_news
    }
}

/// How far it is, of how much, and what is going on.
fn describe(phase: Phase) -> (u64, u64, String) {
    match phase {
        Phase::Starting => (0, 1, "starting the server".to_owned()),
        Phase::Connecting { connected, paired, users } => {
            let what = format!("connecting: {} of {} people", count(connected), count(users));
            (connected + paired, 2 * users, what)
        }
        Phase::Waiting { left } => {
            (0, 1, format!("everybody is here; the start is in {} s", left.as_secs()))
        }
        Phase::Settling => (0, 1, "settling".to_owned()),
        Phase::Measuring { elapsed, duration, received, percentiles_us, .. } => {
            let what = format!("measuring{}", so_far(elapsed, received, percentiles_us));
            (elapsed.as_millis() as u64, duration.as_millis() as u64, what)
        }
        Phase::Draining { open } => (0, open, format!("waiting for {} messages", count(open))),
        Phase::Finished => (1, 1, "done".to_owned()),
    }
}

fn so_far(elapsed: Duration, received: u64, percentiles_us: Option<[u64; 2]>) -> String {
    let Some([p50, p99]) = percentiles_us.filter(|_| elapsed > Duration::ZERO) else {
        return String::new();
    };
    let rate = number(received as f64 / elapsed.as_secs_f64());
    let [p50, p99] = [p50, p99].map(|us| duration_us(us as f64));
    format!(": {rate} messages a second, p50 {p50}, p99 {p99} so far")
}
