//! Whoever asks the server what it holds: while it drains, once everything is at rest, and in the end.

use std::io;
use std::time::Duration;

use client::Connect;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use turmoil::Sim;

use crate::history::{Kind, Op, Recorder};
use crate::medium::MediumConnector;
use crate::net::Network;
use crate::plan::{FaultKind, Plan};
use crate::pulse::Pulses;

/// Who asks the server what it holds.
pub(crate) const OPERATOR: &str = "operator";
/// What an operator asks, on one connection: whether new people are welcome, and what is held.
const QUESTIONS: &str = "GET /readyz HTTP/1.1\r\nhost: server\r\n\r\n\
                         GET /metrics HTTP/1.1\r\nhost: server\r\nconnection: close\r\n\r\n";
/// How often something was put into a mailbox, and what they held then, all added up.
pub(crate) const DEPTHS: [&str; 2] = ["mailbox_depth_count", "mailbox_depth_sum"];
/// Messages that the server has accepted, of each transport.
pub(crate) const MESSAGES: &str = "messages_total";
/// What a question may take, in milliseconds.
pub(crate) const SCRAPE_MS: u64 = 1_000;
const ANSWER_MAX: Duration = Duration::from_millis(SCRAPE_MS);
/// How long after a server was told to stop it is asked, in milliseconds.
const HEARD_MS: u64 = 20;

/// An operator in the simulated network.
pub(crate) struct Operator {
    network: Network,
    recorder: Recorder,
    pulses: Pulses,
    /// When a server that was told to stop is asked, in milliseconds; the latest first.
    during_drains: Vec<u64>,
    asked: usize,
}

impl Operator {
    pub(crate) fn new(plan: &Plan, network: Network, recorder: Recorder, pulses: Pulses) -> Self {
        let drains = plan.faults.iter().filter(|fault| fault.kind == FaultKind::Drain);
        let mut during_drains: Vec<_> = drains.map(|fault| fault.at_ms + HEARD_MS).collect();
        during_drains.reverse();
        Self { network, recorder, pulses, during_drains, asked: 0 }
    }

    /// Asks the servers that were told to stop, when it is time.
    pub(crate) fn ask_during_drains(&mut self, sim: &mut Sim<'static>, now_ms: u64) {
        while self.during_drains.pop_if(|at_ms| *at_ms <= now_ms).is_some() {
            self.on_a_new_host(sim, async |connector, recorder| {
                // One that has come to its end, or is struck by something else, does not answer.
                drop(timeout(ANSWER_MAX, ask(connector, &recorder)).await);
                Ok(())
            });
        }
    }

    /// Asks the server, which must answer.
    pub(crate) fn ask(&mut self, sim: &mut Sim<'static>) {
        self.on_a_new_host(sim, async |connector, recorder| ask(connector, &recorder).await);
    }

    /// The host is new each time, because each host slows every step for as long as something runs
    /// on it.
    fn on_a_new_host<F>(
        &mut self,
        sim: &mut Sim<'static>,
        asks: impl FnOnce(MediumConnector, Recorder) -> F + 'static,
    ) where
        F: Future<Output = io::Result<()>> + 'static,
    {
        self.asked += 1;
        let host = format!("{OPERATOR}-{}", self.asked);
        let connector = MediumConnector::simulated(&self.network, OPERATOR);
        let (recorder, pulses) = (self.recorder.clone(), self.pulses.clone());
        sim.client(host.as_str(), {
            let host = host.clone();
            async move {
                pulses.feel(&host);
                Ok(asks(connector, recorder).await?)
            }
        });
    }
}

/// Asks the server for its gauges, as an operator would: what it holds at this moment, and takes them
/// down. Whether it is `ready` is told as one of them.
pub(crate) async fn ask(connector: impl Connect, recorder: &Recorder) -> io::Result<()> {
    let mut stream = connector.connect().await?;
    stream.write_all(QUESTIONS.as_bytes()).await?;
    let mut answers = String::new();
    stream.read_to_string(&mut answers).await?;
    let ready = u64::from(answers.starts_with("HTTP/1.1 200 "));
    let gauges = gauges(&answers).into_iter().chain([("ready".to_owned(), ready)]).collect();
    recorder.record(OPERATOR, None, Kind::Ok, Op::Gauges { gauges });
    Ok(())
}

/// The gauges in the OpenMetrics text format, each of them one or more lines behind its type, and how
/// deep mailboxes were: how often one was looked at, and what they held together. What has labels is
/// added up, but for the messages of each transport.
fn gauges(text: &str) -> Vec<(String, u64)> {
    let lines = || text.lines().filter_map(|line| line.split_once("racetrack_"));
    let types = lines().filter(|(before, _)| *before == "# TYPE ");
    let names = types.filter_map(|(_, rest)| rest.strip_suffix(" gauge"));
    let value_of = |name: &str| {
        let samples = lines().filter(|(before, _)| before.is_empty());
        let values = samples.filter_map(|(_, rest)| {
            let (sample, value) = rest.rsplit_once(' ')?;
            let labels = sample.strip_prefix(name)?;
            (labels.is_empty() || labels.starts_with('{')).then(|| value.parse::<f64>().ok())?
        });
        values.reduce(|sum, value| sum + value).map(|sum| sum as u64)
    };
    let figures = names.chain(DEPTHS);
    let figures = figures.filter_map(|name| Some((name.to_owned(), value_of(name)?)));
    let messages = lines().filter_map(|(before, sample)| {
        let is_one = before.is_empty() && sample.starts_with(MESSAGES);
        let (sample, value) = sample.rsplit_once(' ').filter(|_| is_one)?;
        Some((sample.to_owned(), value.parse().ok()?))
    });
    figures.chain(messages).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gauges_are_found_among_counters_and_histograms() {
        let text = "# HELP racetrack_pairs Conversations.\n# TYPE racetrack_pairs gauge\n\
                    racetrack_pairs 3\n# TYPE racetrack_events counter\n\
                    racetrack_events_total{type=\"message\"} 9\n\
                    # TYPE racetrack_deliver_seconds histogram\n\
                    racetrack_deliver_seconds_count 2\n\
                    # TYPE racetrack_mailbox_depth histogram\nracetrack_mailbox_depth_sum 7.0\n\
                    racetrack_mailbox_depth_count 4\n# TYPE racetrack_timers gauge\n\
                    racetrack_timers 0\n# TYPE racetrack_readers gauge\n\
                    racetrack_readers{transport=\"sse\"} 2\n\
                    racetrack_readers{transport=\"websocket\"} 3\n\
                    racetrack_readers_of_another 9\n\
                    # TYPE racetrack_messages counter\n\
                    racetrack_messages_total{transport=\"sse\"} 6\n\
                    racetrack_messages_total{transport=\"none\"} 1\n# EOF\n";
        let [count, sum] = DEPTHS;
        let [sse, none] =
            ["messages_total{transport=\"sse\"}", "messages_total{transport=\"none\"}"];
        let gauges_of = [("pairs", 3), ("timers", 0), ("readers", 5)];
        let expected =
            [gauges_of[0], gauges_of[1], gauges_of[2], (count, 4), (sum, 7), (sse, 6), (none, 1)];
        assert_eq!(gauges(text), expected.map(|(name, value)| (name.to_owned(), value)));
    }
}
