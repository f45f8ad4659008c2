//! The load suite for real, in small: the production server as a process, twenty people, sockets.
//!
//! Goose keeps its word to stop in a global variable, so one run must not overlap another: all
//! runs of this binary take turns.

mod attached;
mod dishonest;
mod failing;
mod frozen;
mod moving;
mod proxied;

use std::ffi::OsString;
use std::sync::Mutex;
use std::time::Duration;

use client::TransportKind;
use loadtest::search::{Goal, Searched};
use loadtest::{LoadError, Options, Span};
use reports::Cause;
use reports::knee::{Load, Outcome};
use reports::run::Series;
use tokio::sync::Mutex as Turn;
use tokio::time::Instant;

const SERVER: &str = env!("CARGO_BIN_EXE_racetrack");

static TURN: Turn<()> = Turn::const_new(());

/// How long [`small`] runs are, in seconds.
const WINDOW_S: f64 = 2.0;

/// Twenty people for two seconds over `kind`.
fn small(kind: TransportKind) -> Options {
    Options {
        transports: vec![kind.into()],
        users: 20,
        rate: Some(40.0),
        duration: Span(Duration::from_secs_f64(WINDOW_S)),
        poll_intervals: vec![Span(Duration::from_millis(100))],
        server_command: [SERVER, "serve"].map(OsString::from).to_vec(),
        ..Options::default()
    }
}

async fn run(options: &Options) -> Result<Series, LoadError> {
    let _turn = TURN.lock().await;
    let mut series = loadtest::run(options, |_| {}).await?.series;
    assert_eq!(series.len(), 1);
    Ok(series.remove(0))
}

/// What every run must show, whatever the machine is doing meanwhile.
fn check(series: &Series, kind: TransportKind) {
    let messages = &series.messages;
    assert_eq!(series.transport, kind.name());
    assert!(messages.all_accounted_for(), "{messages:?} {:?}", series.traffic.errors);
    assert_eq!(series.traffic.errors.len(), 0, "{:?}", series.traffic.errors);
    assert!(messages.scheduled > 40, "80 are expected: {messages:?}");
    assert_eq!((messages.unsent, messages.delivered), (0, messages.scheduled));
    for histogram in [&series.latency_us, &series.service_us, &series.send_lag_us] {
        assert_eq!(histogram.to_histogram().len(), messages.delivered);
    }
    assert_eq!(series.intervals.len(), 2);
    assert!(!series.hiccups_us.is_empty(), "a thread slept meanwhile");
    // Traffic is counted while the window lasts, and what was meant for its end a busy machine sends
    // later: as many as come in the longest time that one took, by chance twice as many.
    let late_us = [&series.send_lag_us, &series.service_us].map(|us| us.to_histogram().max());
    let late_s = late_us.iter().sum::<u64>() as f64 / 1e6;
    let late = (2.0 * late_s * messages.sent as f64 / WINDOW_S).ceil() as u64 + 1;
    let sent = messages.sent.saturating_sub(late);
    assert!(series.traffic.requests >= sent, "{:?}, {late} late", series.traffic);
    assert!(series.traffic.bytes_sent > 64 * sent, "{:?}, {late} late", series.traffic);
    assert!(series.server.expect("it is our process").rss_bytes > 0);
    let goose_agrees = !series.invalid.iter().any(|it| it.cause == Cause::CountsDiffer);
    assert!(goose_agrees, "{:?}", series.invalid);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn short_polling_delivers_every_message_within_an_interval_and_a_bit() {
    let series = run(&small(TransportKind::ShortPoll)).await.expect("a run");
    check(&series, TransportKind::ShortPoll);
    let median_us = series.latency_us.to_histogram().value_at_quantile(0.5);
    assert!(median_us > 5_000, "a poll each 100 ms cannot be this quick: {median_us} us");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_polling_delivers_every_message() {
    let series = run(&small(TransportKind::LongPoll)).await.expect("a run");
    check(&series, TransportKind::LongPoll);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_and_sockets_deliver_every_message() {
    let pushed = TransportKind::ALL.into_iter();
    let is_polled = |kind| matches!(kind, TransportKind::ShortPoll | TransportKind::LongPoll);
    for kind in pushed.filter(|kind| !is_polled(*kind)) {
        let series = run(&small(kind)).await.expect("a run");
        check(&series, kind);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn short_polling_is_measured_at_each_interval() {
    let poll_intervals = [50, 200].map(|ms| Span(Duration::from_millis(ms))).to_vec();
    let options = Options { poll_intervals, ..small(TransportKind::ShortPoll) };
    let _turn = TURN.lock().await;
    let series = loadtest::run(&options, |_| {}).await.expect("two runs").series;
    let labels: Vec<_> = series.iter().map(|series| series.transport.as_str()).collect();
    assert_eq!(labels, ["short-poll-50ms", "short-poll-200ms"]);
    let [quick, slow] = [0, 1].map(|nth: usize| series[nth].latency_us.to_histogram());
    assert!(series.iter().all(|series| series.messages.all_accounted_for()));
    // Half an interval on average, and the machine may be busy.
    assert!(slow.mean() > quick.mean() + 40_000.0, "{} and {} us", slow.mean(), quick.mean());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bound_that_no_load_keeps_ends_the_search_at_the_least() {
    let options = Options { rate: Some(900.0), ..small(TransportKind::Websocket) };
    let goal = Goal { load: Load::Rate, p99_us_max: 1 };
    let told = Mutex::new(0);
    let turn = TURN.lock().await;
    let searched = loadtest::search::search(
        &options,
        goal,
        |_| {},
        |knee, _| {
            assert_eq!(knee.transport, "websocket");
            *told.lock().expect("no panic") += 1;
        },
    );
    let Searched { knees, series, failures, interrupted } = searched.await.expect("a search");
    drop(turn);
    let probes = &knees[0].probes;
    assert_eq!((knees.len(), series.len(), failures.len(), interrupted), (1, 0, 0, false));
    assert_eq!((knees[0].found(), probes.len()), (None, told.into_inner().expect("no panic")));
    // A thousand messages and some for a p99, in two seconds.
    assert_eq!(probes.last().map(|probe| probe.load), Some(600.0));
    assert!(
        probes.iter().all(|it| it.p99_us > Some(1) && it.outcome != Outcome::Held),
        "{knees:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_measured_twice_is_one_series_with_two_rounds() {
    let transports = vec![TransportKind::Websocket.into(), TransportKind::Sse.into()];
    let options = Options { transports, repeat: 2, ..small(TransportKind::Websocket) };
    let turn = TURN.lock().await;
    let began = Mutex::new(Vec::new());
    let trials = options.trials();
    let measured = loadtest::repeat::repeat(&options, &trials, |progress| {
        if progress.phase == loadtest::Phase::Starting {
            began.lock().expect("no panic").push(progress.transport.to_string());
        }
    });
    let series = measured.await.expect("a run").series;
    drop(turn);
    assert_eq!(began.into_inner().expect("no panic"), ["websocket", "sse", "sse", "websocket"]);
    let names: Vec<_> = series.iter().map(|it| it.transport.as_str()).collect();
    assert_eq!(names, ["websocket", "sse"]);
    for series in &series {
        assert!(series.messages.all_accounted_for(), "{:?}", series.messages);
        // A round that was disturbed may have been thrown away, and that is said.
        let rounds = series.rounds.len().max(1) + series.discarded.len();
        assert_eq!((rounds, series.intervals.len()), (2, 2 * series.rounds.len().max(1)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_odd_one_out_has_nobody_to_talk_to_and_that_is_said() {
    let options = Options { users: 3, ..small(TransportKind::LongPoll) };
    let messages = run(&options).await.expect("a run").messages;
    assert!(messages.unsent > 0 && messages.delivered > 0, "{messages:?}");
    assert_eq!(messages.scheduled, messages.unsent + messages.delivered);
    assert!(messages.all_accounted_for());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_ends_within_two_seconds_and_the_drain_after_its_window() {
    let started = Instant::now();
    let windows_opened = Mutex::new(None);
    let options = small(TransportKind::LongPoll);
    let turn = TURN.lock().await;
    loadtest::run(&options, |progress| {
        if matches!(progress.phase, loadtest::Phase::Measuring { .. }) {
            let mut opened = windows_opened.lock().expect("no panic");
            opened.get_or_insert(started.elapsed());
        }
    })
    .await
    .expect("a run");
    drop(turn);
    let opened = windows_opened.lock().expect("no panic").expect("the window opened");
    let after_window = started.elapsed() - opened - options.duration.0;
    assert!(after_window < Duration::from_secs(2 + 3), "{after_window:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_dies_ends_the_run_with_its_last_words() {
    let script = format!(r#"{SERVER:?} serve "$@" & echo out of luck >&2; sleep 2; kill $!"#);
    let command = ["sh", "-c", &script, "server"].map(OsString::from);
    let options = Options {
        server_command: command.to_vec(),
        duration: Span(Duration::from_secs(30)),
        ..small(TransportKind::LongPoll)
    };
    let turn = TURN.lock().await;
    let failures = loadtest::run(&options, |_| {}).await.expect("it began").failures;
    drop(turn);
    let [failure] = &failures[..] else { panic!("{failures:?}") };
    assert_eq!(failure.transport, "long-poll");
    assert!(failure.why.starts_with("the server ended: exit code "), "{failure:?}");
    assert!(failure.why.contains("out of luck"), "{failure:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unreachable_target_is_refused_before_anything_starts() {
    let (_bound, addr) = super::served::nobody();
    let target = Some(format!("http://{addr}"));
    let options = Options { target, ..small(TransportKind::LongPoll) };
    let error = run(&options).await.expect_err("nobody listens");
    assert!(error.is_usage());
    assert!(error.to_string().contains("is the server running?"), "{error}");
}
