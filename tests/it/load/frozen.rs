//! A server that freezes under load (SIGSTOP): its messages are missing, and every file of the run says
//! so. None of them takes the few that arrived before for the whole.

use std::time::Duration;

use client::TransportKind;
use loadtest::{Measured, Options, Phase, Span};
use reports::export;
use reports::run::{Run, Series};
use reports::slo::{self, judge};
use reports::verdict::{Standing, verdict};
use serde_json::json;

use super::attached::Attached;
use super::{TURN, small};

/// How long the window has been open when the server freezes.
const FREEZES_AT: Duration = Duration::from_millis(400);

/// Measures one transport against a server that is stopped in the middle of the window, and goes on
/// after so long, or never.
async fn frozen(options: Options, frozen_for: Option<Duration>) -> Series {
    let server = Attached::start();
    let options = Options { target: Some(server.url.clone()), ..options };
    let turn = TURN.lock().await;
    let measured = loadtest::run(&options, |progress| {
        let goes_on = |elapsed| frozen_for.is_some_and(|time| elapsed > FREEZES_AT + time);
        match progress.phase {
            Phase::Measuring { elapsed, .. } if goes_on(elapsed) => server.signal("CONT"),
            Phase::Measuring { elapsed, .. } if elapsed > FREEZES_AT => server.signal("STOP"),
            Phase::Draining { .. } if frozen_for.is_some() => server.signal("CONT"),
            _ => {}
        }
    });
    let Measured { mut series, .. } = measured.await.expect("the window was open");
    drop(turn);
    series.remove(0)
}

/// A run of one series, held against objectives on its maximum and its median.
fn run_of(series: Series) -> Run {
    let mut run: Run = serde_json::from_value(json!({
        "schema": reports::run::SCHEMA, "command": "", "started_at": "2026-01-01T00:00:00Z", "seed": 1,
        "environment": {
            "os": "", "cpu": "", "cores": 2, "memory_bytes": 1, "open_files_max": 1, "racetrack": "",
            "profile": "",
        },
        "simulation": null, "series": [],
    }))
    .expect("a run");
    run.slos = ["max < 20s", "p50 < 20s"].map(|slo| slo.parse().expect("an objective")).to_vec();
    run.series = vec![series];
    run
}

/// The text of the file of that name.
fn file(run: &Run, name: &str) -> String {
    let artifacts = export::all().into_iter().flat_map(|it| it.export(run).expect("a run fits"));
    let artifact = artifacts.into_iter().find(|it| it.name == name);
    String::from_utf8(artifact.expect("a file of that name").bytes).expect("it is text")
}

/// Most of what was due never arrived: no percentile that is known is below that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_lost_in_a_freeze_break_objectives_and_stand_in_every_file() {
    let options = Options {
        rate: Some(100.0),
        duration: Span(Duration::from_secs(3)),
        ..small(TransportKind::Websocket)
    };
    let series = frozen(options, None).await;
    let messages = series.messages;
    let missing = series.missing_us.count();
    assert!(messages.delivered > 0 && missing > messages.delivered, "{messages:?}");
    assert!(missing <= messages.lost + messages.failed, "{messages:?}");
    assert!(!series.is_valid(), "percentiles leave messages out");
    let run = run_of(series);
    assert_eq!(verdict(&run).standing, Standing::Failed);
    for judgement in judge(&run) {
        assert_eq!(judgement.standing, slo::Standing::Broken, "{judgement}");
        assert!(judgement.told.starts_with("> ") && judgement.measured.is_none(), "{judgement}");
    }
    let missing = reports::units::count(missing);
    let left_out = format!("{missing} of ");
    for name in ["report.html", "junit.xml", "websocket.hgrm", "websocket.hlog"] {
        let text = file(&run, name);
        assert!(text.contains(&left_out), "{name} leaves out {missing} in silence");
    }
    let junit = file(&run, "junit.xml");
    assert_eq!(junit.matches("<failure ").count(), 3, "accounts and objectives: {junit}");
    assert!(junit.contains("max &lt; 20s is broken: &gt; "), "{junit}");
    let table = reports::comparison_table(&run);
    assert!(table.contains(" NO\n") && table.contains("> "), "{table}");
    let summary = file(&run, "summary.csv");
    assert!(summary.lines().all(|line| !line.contains(",true,true,")), "{summary}");
}

/// What was due in the freeze arrives afterwards, and late.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn freeze_that_ends_within_the_window_loses_nothing_and_is_seen_in_the_latency() {
    let options =
        Options { duration: Span(Duration::from_secs(3)), ..small(TransportKind::Websocket) };
    let series = frozen(options, Some(Duration::from_secs(1))).await;
    assert!(series.messages.all_accounted_for(), "{:?}", series.messages);
    assert_eq!(series.missing_us.count(), 0);
    let max_us = series.latency_us.max().expect("messages arrived");
    assert!(max_us > 500_000, "a second of the window was frozen: {max_us} us");
}
