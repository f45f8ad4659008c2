//! The comparison as plain text for a terminal: two aligned tables and the notes below them.
//!
//! No line is wider than [`WIDTH`] columns, and no colour or box is drawn: it can be piped.

use crate::run::{Messages, Readers, Run, Series};
use crate::slo::{Standing, judge};
use crate::summary::{Percentiles, Summary, summaries};
use crate::units::{bytes, count, duration_us, number, or_absent};
use crate::verdict::verdict;

/// The widest line, in columns.
pub const WIDTH: usize = 100;

/// A longer name of a transport is cut to this many columns.
const NAME_WIDTH_MAX: usize = 23;

/// Between two columns; one space where two would make the table too wide.
const GAPS: [&str; 2] = ["  ", " "];

/// A table: headings and rows of as many cells; the first column is to the left, others right.
type Table<const N: usize> = (&'static [&'static str; N], Vec<[String; N]>);

/// Speed, then correctness and cost, a row a transport; then the verdict.
#[must_use]
pub fn comparison_table(run: &Run) -> String {
    let rows = summaries(run);
    let mut text = String::new();
    if !rows.is_empty() {
        text.push_str(&render(&speed(&rows)));
        text.push('\n');
        text.push_str(&render(&cost(&rows)));
        text.push('\n');
    }
    let (readers, waits) = (readers(run), waits(run));
    if !readers.1.is_empty() {
        text.push_str(&render(&readers));
        text.push('\n');
    }
    if !waits.1.is_empty() {
        text.push_str(&render(&waits));
        text.push('\n');
    }
    // The verdict tells of those that are not.
    for judgement in judge(run).iter().filter(|it| it.standing == Standing::Held) {
        text.push_str(&wrap(&judgement.to_string()));
    }
    let verdict = verdict(run);
    for sentence in verdict.sentences() {
        text.push_str(&wrap(sentence));
    }
    text
}

fn speed(rows: &[Summary]) -> Table<9> {
    let row = |row: &Summary| {
        let [p50, p99, p999, max] = times(&row.latency_us);
        [
            name(row),
            count(row.users),
            number(row.offered_per_s),
            number(row.achieved_per_s),
            p50,
            p99,
            p999,
            max,
            if row.valid { "yes" } else { "NO" }.to_owned(),
        ]
    };
    let headings =
        &["latency", "users", "offered/s", "achieved/s", "p50", "p99", "p99.9", "max", "valid"];
    (headings, rows.iter().map(row).collect())
}

fn cost(rows: &[Summary]) -> Table<10> {
    let row = |row: &Summary| {
        [
            name(row),
            count(row.messages.lost),
            count(row.messages.failed),
            count(row.messages.duplicated),
            count(row.messages.misdelivered),
            count(row.messages.out_of_order),
            or_absent(row.server_cpu_us_per_message, duration_us),
            or_absent(row.server_rss_bytes_per_connection, bytes),
            or_absent(row.requests_per_message, number),
            or_absent(row.bytes_per_message, bytes),
        ]
    };
    let headings = &[
        "messages, cost",
        "lost",
        "failed",
        "dup.",
        "misdel.",
        "disord.",
        "CPU/msg",
        "mem/conn",
        "reqs/msg",
        "bytes/msg",
    ];
    (headings, rows.iter().map(row).collect())
}

/// Latency by what the reader uses; no row where all use the same.
fn readers(run: &Run) -> Table<7> {
    let named =
        run.series.iter().flat_map(|series| series.by_reader.iter().map(move |it| (series, it)));
    let row = |(series, it): (&Series, &Readers)| {
        let latency = Percentiles::from(it.latencies());
        let [p50, p99, p999, max] = times(&latency);
        [short(&series.transport), it.transport.clone(), count(it.users), p50, p99, p999, max]
    };
    let headings = &["crowd", "read over", "users", "p50", "p99", "p99.9", "max"];
    (headings, named.map(row).collect())
}

/// How long people were without a partner; no row where nobody moved.
fn waits(run: &Run) -> Table<7> {
    let moving = run.series.iter().filter(|series| series.pairing_us.count() > 0);
    let row = |series: &Series| {
        let waits = Percentiles::from(&series.pairing_us);
        let [p50, p99, _, max] = times(&waits);
        let Messages { unsent, refused, .. } = series.messages;
        let found = count(waits.samples);
        [short(&series.transport), found, p50, p99, max, count(unsent), count(refused)]
    };
    let headings = &["partners", "found", "p50", "p99", "max", "unsent", "refused"];
    (headings, moving.map(row).collect())
}

fn times(it: &Percentiles) -> [String; 4] {
    [it.p50_text(), it.p99_text(), it.p999_text(), it.max_text()]
}

fn name(row: &Summary) -> String {
    short(&row.transport)
}

fn short(name: &str) -> String {
    if name.chars().count() <= NAME_WIDTH_MAX {
        return name.to_owned();
    }
    let kept: String = name.chars().take(NAME_WIDTH_MAX - 1).collect();
    format!("{kept}…")
}

fn render<const N: usize>((headings, rows): &Table<N>) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([headings[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let wide = widths.iter().sum::<usize>() + GAPS[0].len() * (N - 1) > WIDTH;
    let gap = GAPS[usize::from(wide)];
    let headings = headings.map(str::to_owned);
    let rule = std::array::from_fn(|column| "-".repeat(widths[column]));
    [&headings, &rule].into_iter().chain(rows).map(|row| line(row, &widths, gap)).collect()
}

fn line<const N: usize>(cells: &[String; N], widths: &[usize; N], gap: &str) -> String {
    let mut line = format!("{:<width$}", cells[0], width = widths[0]);
    for (cell, width) in cells.iter().zip(widths).skip(1) {
        line.push_str(&format!("{gap}{cell:>width$}"));
    }
    line.push('\n');
    line
}

/// One paragraph in lines of at most [`WIDTH`] columns.
pub(crate) fn wrap(paragraph: &str) -> String {
    let mut text = String::new();
    let mut used = 0;
    for word in paragraph.split_whitespace() {
        let length = word.chars().count();
        if used > 0 && used + 1 + length > WIDTH {
            text.push('\n');
            used = 0;
        }
        if used > 0 {
            text.push(' ');
            used += 1;
        }
        text.push_str(word);
        used += length;
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::HistogramDump;
    use crate::units::ABSENT;
    use expect_test::expect;

    #[test]
    fn transports_stand_side_by_side_and_aligned() {
        let text = comparison_table(&crate::sample::run(3, 5, 400));
        expect![[r#"
            latency     users  offered/s  achieved/s      p50      p99  p99.9      max  valid
            ----------  -----  ---------  ----------  -------  -------  -----  -------  -----
            websocket   1,000        400         386   516 µs  3.62 ms      –  11.2 ms    yes
            long-poll   1,000        400         392  1.12 ms  7.57 ms      –    27 ms    yes
            short-poll  1,000        400         389   496 ms   989 ms      –      1 s    yes

            messages, cost  lost  failed  dup.  misdel.  disord.  CPU/msg  mem/conn  reqs/msg  bytes/msg
            --------------  ----  ------  ----  -------  -------  -------  --------  --------  ---------
            websocket          0       0     0        0        0    24 µs  9.57 KiB      1.02      190 B
            long-poll          0       0     0        0        0    96 µs  14.8 KiB         3   1.45 KiB
            short-poll         0       0     0        0        0   610 µs  13.6 KiB      11.4   5.09 KiB

            websocket and long-poll were too close to tell apart: p50 516 µs and 1.12 ms, p99 3.62 ms and 7.57
            ms. websocket had the lowest server CPU: 24.0 µs per message. short-poll was slowest: p50 496 ms.
        "#]].assert_eq(&text);
    }

    #[test]
    fn no_line_is_wider_than_a_hundred_columns() {
        let mut run = crate::sample::run(6, 2, 400);
        let series = &mut run.series[4];
        series.transport = "a-transport-of-a-very-long-name".to_owned();
        series.users = 1_000_000;
        (series.offered_per_s, series.achieved_per_s) = (9_999_999.0, 9_999_999.0);
        series.messages.lost = 123_456_789;
        series.invalid.push("the generator was busy for longer than it may be".into());
        let text = comparison_table(&run);
        let widest = text.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(WIDTH), "{widest:?} columns:\n{text}");
    }

    #[test]
    fn who_moves_about_and_who_uses_what_are_tables_of_their_own() {
        let mut run = crate::sample::run(1, 5, 400);
        let series = &mut run.series[0];
        series.transport = "mix".to_owned();
        series.by_reader = ["sse", "websocket"]
            .map(|name| Readers {
                transport: name.to_owned(),
                users: 500,
                latency_us: HistogramDump(vec![(400, 2_000)]),
                ..Readers::default()
            })
            .to_vec();
        series.pairing_us = HistogramDump(vec![(2_000, 50)]);
        let text = comparison_table(&run);
        let tables: Vec<_> = text.split("\n\n").collect();
        expect![[r#"
            crowd  read over  users     p50     p99  p99.9     max
            -----  ---------  -----  ------  ------  -----  ------
            mix          sse    500  400 µs  400 µs      –  400 µs
            mix    websocket    500  400 µs  400 µs      –  400 µs

            partners  found   p50  p99   max  unsent  refused
            --------  -----  ----  ---  ----  ------  -------
            mix          50  2 ms    –  2 ms       0        0"#]]
        .assert_eq(&tables[2..4].join("\n\n"));
    }

    #[test]
    fn what_could_not_be_measured_is_a_dash() {
        let mut run = crate::sample::run(1, 1, 15);
        run.series[0].server = None;
        let text = comparison_table(&run);
        assert!(text.lines().nth(2).is_some_and(|line| line.contains(ABSENT)), "{text}");
    }

    #[test]
    fn an_empty_run_is_a_sentence_and_no_table() {
        let text = comparison_table(&crate::sample::run(0, 1, 1));
        assert!(!text.contains("---"), "{text}");
    }
}
