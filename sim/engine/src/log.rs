//! What servers and clients logged with `tracing` in a run: the lines of a log, under simulated time.
//!
//! A plan whose run is to be explained runs once more for it, so that no other run formats a line.

use std::fmt;
use std::fmt::Write;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::subscriber::with_default;
use tracing_subscriber::filter::{Targets, filter_fn};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::{Layer, SubscriberExt};

use crate::determinism::clock;
use crate::error::Error;
use crate::model::Model;
use crate::plan::Plan;
use crate::run::run_logged;

/// The environment variable that says what is logged, as `info,my_crate::payment=trace`.
pub const LOG: &str = "RACETRACK_LOG";
/// What is logged otherwise: not what libraries say of their own work.
const USUAL: &str = "debug,h2=off,hyper=off,hyper_util=off,mio=off,tokio=off,tower=off,turmoil=off";
/// Bytes of one log; what comes later is left out.
const BYTES_MAX: usize = 16 << 20;
/// Lines that are shown under a transcript.
const SHOWN_MAX: usize = 20;

/// What a run of the plan logs, a line an event; empty where nothing is logged.
///
/// Threads of `spawn_blocking` are not heard: `tracing` finds its subscriber by the thread.
///
/// # Errors
///
/// [`Error::Invalid`] if the environment variable [`LOG`] cannot be read as targets and levels.
pub fn log<M: Model>(model: &M, plan: &Plan<M>) -> Result<String, Error> {
    Ok(run_logged(model, plan, targets(std::env::var(LOG).ok().as_deref())?).1)
}

/// The end of a log, under a heading; nothing where nothing was logged.
pub(crate) fn tail(log: &str) -> String {
    let count = log.lines().count();
    let mut text = String::new();
    if count > 0 {
        let shown = count.min(SHOWN_MAX);
        let _infallible = writeln!(
            text,
            "\nlogged, the last {shown} of {count} lines ({LOG} says what is logged):"
        );
        for line in log.lines().skip(count - shown) {
            let _infallible = writeln!(text, "  {line}");
        }
    }
    text
}

/// The targets and levels that a text asks for.
fn targets(text: Option<&str>) -> Result<Targets, Error> {
    let text = text.unwrap_or(USUAL);
    text.parse().map_err(|_| {
        Error::Invalid(format!(
            "{LOG}={text} names no targets and levels: write a level, as debug, or some of each, as \
             info,my_crate::payment=trace"
        ))
    })
}

/// Runs `body` and keeps what it logs on this thread, also where it panics.
pub(crate) fn logging<T>(targets: Targets, lines: &Lines, body: impl FnOnce() -> T) -> T {
    let writer = lines.clone();
    // A span tells where an event belongs, whoever opened it: turmoil's is named after the host.
    let wanted = filter_fn(move |metadata| {
        metadata.is_span() || targets.would_enable(metadata.target(), metadata.level())
    });
    let format = tracing_subscriber::fmt::layer().with_ansi(false).with_timer(Simulated);
    let format = format.with_writer(move || writer.clone()).with_filter(wanted);
    with_default(tracing_subscriber::registry().with(format), body)
}

/// Simulated time, from the beginning of the run.
struct Simulated;

impl FormatTime for Simulated {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        write!(writer, "{:8.3} s", clock::elapsed().as_secs_f64())
    }
}

/// Lines that are written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    /// The lines so far.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl io::Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() + line.len() <= BYTES_MAX {
            lines.extend_from_slice(line);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tracing::{debug, info, info_span, trace};

    use super::*;
    use crate::service::{Client, IntoModel, Sim};

    #[test]
    fn events_of_wanted_targets_are_lines_with_their_spans() {
        let wanted = targets(None).expect("the usual targets are targets");
        let lines = Lines::default();
        logging(wanted, &lines, || {
            let _host = info_span!(target: "turmoil", "node", name = "office").entered();
            info!(target: "shop", seat = 7, "sold");
            trace!(target: "shop", "a trace is not wanted");
            debug!(target: "turmoil::net", "nor is what the network says");
        });
        let log = lines.text();
        assert_eq!(log, "   0.000 s  INFO node{name=\"office\"}: shop: sold seat=7\n");
        assert_eq!(tail(""), "");
        assert!(tail(&log).contains("the last 1 of 1 lines"), "{}", tail(&log));
    }

    #[test]
    fn run_that_is_logged_has_the_trace_of_one_that_is_not() {
        let declare = |sim: &mut Sim<String>| {
            sim.client("ann", |client: Client<String>| async move {
                for step in 0..3 {
                    tokio::time::sleep(Duration::from_millis(7)).await;
                    info!(step, "slept");
                }
                client.record("rested".to_owned());
                Ok::<_, Box<dyn std::error::Error>>(())
            });
        };
        let model = declare.into_model();
        let plan = model.generate(7, &model.usual_options());
        let wanted = targets(None).expect("the usual targets are targets");
        let (trace, log) = run_logged(&model, &plan, wanted);
        assert_eq!(log.matches("slept step=").count(), 3, "{log}");
        let plain = crate::run::run(&model, &plan, false);
        assert!(plain.passed(), "{:?}", plain.violations);
        assert_eq!(trace.hash, plain.trace.hash);
    }

    #[test]
    fn text_that_names_no_targets_is_refused_in_one_line() {
        let error = targets(Some("shop=loud")).expect_err("there is no such level").to_string();
        assert!(error.starts_with("RACETRACK_LOG=shop=loud names no targets"), "{error}");
        assert_eq!(error.lines().count(), 1);
    }
}
