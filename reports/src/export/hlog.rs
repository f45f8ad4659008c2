//! `<transport>.hlog`: latency second by second as an HdrHistogram interval log.
//!
//! A message stands in the second in which it was due, so all lines together are the latency of
//! the window, as `percentiles.csv` has it.
//! Values are microseconds, in the compressed V2 encoding. Every line is tagged with the
//! transport, so that the logs of a run can be joined into one; a reader that sees untagged
//! lines only must be told the tag. Times count from BaseTime, which equals StartTime.

use std::time::{Duration, SystemTime};

use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};
use jiff::Timestamp;

use crate::error::ReportError;
use crate::export::{Artifact, Exporter, File, file_stem};
use crate::run::{Run, Series};

/// The exporter.
#[derive(Debug, Clone, Copy)]
pub struct Hlog;

impl Exporter for Hlog {
    fn name(&self) -> &'static str {
        "hlog"
    }

    fn files(&self, run: &Run) -> Vec<File> {
        let what = "latency second by second, as an HdrHistogram log";
        run.series.iter().map(|it| File::new(name(it), what)).collect()
    }

    fn export(&self, run: &Run) -> Result<Vec<Artifact>, ReportError> {
        let started = started(run);
        run.series.iter().map(|series| log(series, started)).collect()
    }
}

/// A run whose start cannot be read starts at the epoch: its seconds count all the same.
fn started(run: &Run) -> SystemTime {
    run.started_at.parse::<Timestamp>().map_or(SystemTime::UNIX_EPOCH, SystemTime::from)
}

fn log(series: &Series, started: SystemTime) -> Result<Artifact, ReportError> {
    let stem = file_stem(&series.transport);
    let bytes = write_log(series, &stem, started)
        .map_err(|reason| ReportError::Export { format: Hlog.name(), reason })?;
    Ok(Artifact { name: name(series), bytes })
}

fn name(series: &Series) -> String {
    format!("{}.hlog", file_stem(&series.transport))
}

fn write_log(series: &Series, tag: &str, started: SystemTime) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut serializer = V2DeflateSerializer::new();
    let mut builder = IntervalLogWriterBuilder::new();
    builder.add_comment("[Histogram log format version 1.3]").add_comment(
        "Latency from the intended time of sending, in microseconds, by the second of that time",
    );
    if let Some(left_out) = series.left_out() {
        builder.add_comment(&format!("Of the messages that arrived. {left_out}."));
    }
    let mut writer = builder
        .with_start_time(started)
        .with_base_time(started)
        .begin_log_with(&mut bytes, &mut serializer)
        .map_err(|error| error.to_string())?;
    for interval in &series.intervals {
        let histogram = interval.latency_us.to_histogram();
        let start = Duration::from_secs(interval.second);
        let tag = Tag::new(tag);
        writer
            .write_histogram(&histogram, start, Duration::from_secs(1), tag)
            .map_err(|error| format!("second {}: {error}", interval.second))?;
    }
    drop(writer);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::HistogramDump;
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    #[test]
    fn a_log_read_back_by_hdrhistogram_is_the_run_second_by_second() {
        let run = crate::sample::run(2, 4, 300);
        let logs = Hlog.export(&run).expect("a run fits into logs");
        assert_eq!(logs.len(), run.series.len());
        for (series, log) in run.series.iter().zip(&logs) {
            assert_eq!(log.name, format!("{}.hlog", series.transport));
            let entries: Vec<LogEntry> = IntervalLogIterator::new(&log.bytes)
                .collect::<Result<_, _>>()
                .expect("the log parses");
            check(series, &entries);
        }
    }

    fn check(series: &Series, entries: &[LogEntry]) {
        let began = Duration::from_secs(1_772_357_400);
        assert_eq!(entries[..2], [LogEntry::StartTime(began), LogEntry::BaseTime(began)]);
        assert_eq!(entries.len(), 2 + series.intervals.len());
        for (interval, entry) in series.intervals.iter().zip(&entries[2..]) {
            let LogEntry::Interval(line) = entry else { panic!("a line that is no interval") };
            assert_eq!(line.tag().map(|tag| tag.as_str()), Some(series.transport.as_str()));
            assert_eq!(line.start_timestamp(), Duration::from_secs(interval.second));
            assert_eq!(line.duration(), Duration::from_secs(1));
            let read = Deserializer::new()
                .deserialize::<u64, _>(&mut from_base64(line.encoded_histogram()).as_slice())
                .expect("the histogram can be read");
            assert_eq!(read, interval.latency_us.to_histogram());
            assert_eq!(line.max(), read.max() as f64);
        }
    }

    #[test]
    fn log_with_missing_messages_says_what_it_leaves_out() {
        let mut run = crate::sample::run(1, 2, 50);
        run.series[0].missing_us = HistogramDump(vec![(3_000_000, 7)]);
        let log = Hlog.export(&run).expect("it fits").remove(0);
        let text = String::from_utf8(log.bytes).expect("a log is text");
        assert!(text.contains("#Of the messages that arrived. 7 of "), "{text}");
    }

    /// Enough of RFC 4648 for the test: the standard alphabet with padding.
    fn from_base64(text: &str) -> Vec<u8> {
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let (mut bytes, mut bits, mut held) = (Vec::new(), 0_u32, 0);
        for letter in text.bytes().filter(|&letter| letter != b'=') {
            let place = alphabet.iter().position(|&it| it == letter).expect("a base64 letter");
            bits = bits << 6 | u32::try_from(place).expect("less than 64");
            held += 6;
            if held >= 8 {
                held -= 8;
                bytes.push((bits >> held) as u8);
                bits &= (1 << held) - 1;
            }
        }
        bytes
    }

    #[test]
    fn a_run_without_a_readable_start_is_logged_all_the_same() {
        let mut run = crate::sample::run(1, 1, 50);
        run.started_at = "yesterday".to_owned();
        let log = Hlog.export(&run).expect("it fits").remove(0);
        let first = IntervalLogIterator::new(&log.bytes).next();
        assert_eq!(first, Some(Ok(LogEntry::StartTime(Duration::ZERO))));
    }
}
