//! Whoever asks the server what it holds: while it drains, once everything is at rest, and in the end.

use std::io;

use client::Connect;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::history::{Kind, Op, Recorder};

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
