//! How far a command is, on standard error: a bar where that is a terminal, and where it is not, a
//! line now and then, so that a log shows that something goes on without being flooded.

use std::io::{self, IsTerminal};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::output;

/// What is over sooner needs no line.
const FIRST_LINE: Duration = Duration::from_secs(5);
/// Between two lines.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// So that the time moves on while nothing else does.
const TICK: Duration = Duration::from_millis(250);

/// Counts up to a number that is known beforehand.
pub struct Bar {
    bar: ProgressBar,
    lines: Option<Mutex<Lines>>,
    length: u64,
    what: &'static str,
}

impl Bar {
    /// Begins at 0 of `length`; `what` is going on.
    #[must_use]
    pub fn new(length: u64, what: &'static str) -> Self {
        let lines = (!io::stderr().is_terminal()).then(|| Mutex::new(Lines::begin()));
        Self { bar: on_terminal(length, what), lines, length, what }
    }

    /// One more is done.
    pub fn inc(&self) {
        self.bar.inc(1);
        self.tell();
    }

    /// So many are done.
    pub fn set_position(&self, position: u64) {
        self.bar.set_position(position);
        self.tell();
    }

    /// Takes the bar away.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }

    fn tell(&self) {
        let Some(lines) = &self.lines else { return };
        // Two lines at once say no more than one.
        let Some(took) = lines.lock().unwrap_or_else(PoisonError::into_inner).due() else { return };
        let (what, position, length) = (self.what, self.bar.position(), self.length);
        output::warn(&format!("{what}: {position} of {length}, {} s", took.as_secs()));
    }
}

/// A bar on a terminal, and nothing elsewhere.
#[must_use]
pub fn on_terminal(length: u64, what: &'static str) -> ProgressBar {
    shown("{msg} [{bar:40}] {pos}/{len} {elapsed}", length, what)
}

/// The same for what does not know how far it is.
#[must_use]
pub fn waiting(what: &'static str) -> ProgressBar {
    shown("{msg} {spinner} {elapsed}", 0, what)
}

fn shown(template: &str, length: u64, what: &'static str) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template(template)
        .expect("the template is well-formed")
        .progress_chars("=> ");
    let bar = ProgressBar::new(length).with_style(style).with_message(what);
    bar.enable_steady_tick(TICK);
    bar
}

/// When there is to be a line.
struct Lines {
    begun: Instant,
    next: Duration,
}

impl Lines {
    #[expect(clippy::disallowed_methods, reason = "whoever waits does so in real time")]
    fn begin() -> Self {
        Self { begun: Instant::now(), next: FIRST_LINE }
    }

    /// The time since the beginning, where a line is due.
    fn due(&mut self) -> Option<Duration> {
        self.due_at(self.begun.elapsed())
    }

    fn due_at(&mut self, elapsed: Duration) -> Option<Duration> {
        let is_due = elapsed >= self.next;
        if is_due {
            self.next = elapsed + LINE_EVERY;
        }
        is_due.then_some(elapsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_soon_over_says_nothing_and_what_takes_long_does_not_flood() {
        let mut lines = Lines::begin();
        let told = (0..60).filter(|s| lines.due_at(Duration::from_secs(*s)).is_some());
        assert_eq!(told.collect::<Vec<_>>(), [5, 15, 25, 35, 45, 55]);
    }
}
