//! Servers that die under load: what was measured is kept, and nobody takes it for a slow generator.

use std::process::Command;
use std::time::Duration;

use client::TransportKind;
use loadtest::search::Goal;
use loadtest::{Measured, Options, Phase, Progress, Span};
use reports::Cause;
use reports::knee::{Load, Outcome};
use reports::run::{Failure, Series};
use server::config::Config;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::attached::Attached;
use super::{SERVER, TURN, small};
use crate::served::serve;

fn over(transports: &[TransportKind], target: Option<String>) -> Options {
    let transports = transports.iter().map(|kind| (*kind).into()).collect();
    Options { transports, target, ..small(TransportKind::Websocket) }
}

/// A window of `transport` has been open for a while.
fn is_open(progress: &Progress, transport: &str) -> bool {
    let passed = match progress.phase {
        Phase::Measuring { elapsed, .. } => elapsed,
        _ => Duration::ZERO,
    };
    *progress.transport == *transport && passed > Duration::from_millis(400)
}

/// What a window must show whose server died in it.
#[track_caller]
fn check_died_in(series: &Series) {
    let messages = &series.messages;
    assert!(messages.delivered > 0 && messages.failed > 0, "{messages:?}");
    assert!(!messages.all_accounted_for(), "{messages:?}");
    assert_eq!(series.missing_us.count(), messages.failed + messages.lost, "{messages:?}");
    let blamed = series.invalid.iter().find(|it| it.cause == Cause::ScheduleMissed);
    assert_eq!(blamed, None, "the generator did what it could");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn target_that_dies_in_one_transport_leaves_those_before_it_measured() {
    let server = Attached::start();
    let kinds = [TransportKind::Websocket, TransportKind::LongPoll, TransportKind::Sse];
    let options = over(&kinds, Some(server.url.clone()));
    let turn = TURN.lock().await;
    let measured = loadtest::run(&options, |progress| {
        if is_open(&progress, "long-poll") {
            server.kill();
        }
    });
    let Measured { series, failures, interrupted } = measured.await.expect("one was measured");
    drop(turn);
    let names: Vec<_> = series.iter().map(|it| it.transport.as_str()).collect();
    assert_eq!((&names[..], interrupted), (&["websocket", "long-poll"][..], false));
    assert!(series[0].messages.all_accounted_for(), "{:?}", series[0].messages);
    check_died_in(&series[1]);
    let failures: Vec<_> = failures.iter().map(|it| (&*it.transport, &*it.why)).collect();
    let [("long-poll", died), ("sse", unreached)] = failures[..] else { panic!("{failures:?}") };
    let expected = format!("{} no longer accepts connections: Connection refused", server.url);
    assert!(died.starts_with(&expected), "{died}");
    assert!(unreached.starts_with(&format!("cannot reach {}: ", server.url)), "{unreached}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spawned_server_that_is_killed_fails_what_was_due_in_the_whole_window() {
    let folder = tempfile::tempdir().expect("a directory for the test");
    let pid = folder.path().join("pid");
    let script = format!(r#"echo $$ > "$0"; exec {SERVER:?} serve "$@""#);
    let options = Options {
        server_command: ["sh".into(), "-c".into(), script.into(), pid.clone().into()].to_vec(),
        duration: Span(Duration::from_secs(30)),
        ..over(&[TransportKind::Websocket], None)
    };
    let turn = TURN.lock().await;
    let measured = loadtest::run(&options, |progress| {
        if is_open(&progress, "websocket") {
            let pid = std::fs::read_to_string(&pid).expect("the server wrote it");
            let _is_gone_already = Command::new("kill").args(["-9", pid.trim()]).status();
        }
    });
    let Measured { series, failures, .. } = measured.await.expect("the window was open");
    drop(turn);
    check_died_in(&series[0]);
    let messages = &series[0].messages;
    assert!(messages.scheduled > 1_000, "1,200 were due: {messages:?}");
    let why = failures.iter().map(|it| &*it.why).collect::<Vec<_>>();
    assert!(
        why.len() == 1 && why[0].starts_with("the server ended: killed by signal 9"),
        "{why:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn search_whose_target_dies_ends_with_the_load_at_which_it_did() {
    let server = Attached::start();
    let options = over(&[TransportKind::Websocket], Some(server.url.clone()));
    let goal = Goal { load: Load::Rate, p99_us_max: 60_000_000 };
    let turn = TURN.lock().await;
    let searched = loadtest::search::search(
        &options,
        goal,
        |progress| {
            if is_open(&progress, "websocket") {
                server.kill();
            }
        },
        |_, _| {},
    );
    let searched = searched.await.expect("a search");
    drop(turn);
    let probes = &searched.knees[0].probes;
    assert!(matches!(&probes[..], [probe] if probe.outcome == Outcome::Broken), "{probes:?}");
    let why = searched.failures.iter().map(|it| &*it.why).collect::<Vec<_>>();
    assert!(matches!(&why[..], [why] if why.starts_with("at 600 messages a second: ")), "{why:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn target_of_another_kind_is_named_before_anything_starts() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _is_gone = stream.read(&mut [0; 4_096]).await;
            let _is_gone =
                stream.write_all(b"HTTP/1.1 404 Not Found\r\nServer: nginx\r\n\r\n").await;
        }
    });
    for kind in TransportKind::ALL {
        let options = over(&[kind], Some(url.clone()));
        let turn = TURN.lock().await;
        let error = loadtest::run(&options, |_| {}).await.expect_err("it is no chat");
        drop(turn);
        assert!(error.is_usage());
        let expected = format!(
            "{url} is not a racetrack server: it looks like a plain HTTP server (Server: nginx); what \
             can be loaded is `racetrack serve`, or a server that speaks its protocol \
             (docs/src/protocol.md)"
        );
        assert_eq!(error.to_string(), expected, "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limit_of_connections_per_address_is_named_with_its_flag() {
    let config = Config { connections_per_address_max: 9, ..Config::default() };
    let served = serve(config).await;
    let kinds = [TransportKind::Websocket, TransportKind::LongPoll];
    let options = over(&kinds, Some(format!("http://{}", served.addr)));
    let turn = TURN.lock().await;
    let measured = loadtest::run(&options, |_| {}).await.expect("it began");
    drop(turn);
    assert_eq!((measured.series.len(), measured.failures.len()), (0, 2));
    for Failure { why, .. } in &measured.failures {
        assert!(why.contains("refused: 429"), "{why}");
        let advice = "start the server with --connections-per-address-max 0 \
                      --sessions-per-address-max 0 --opens-per-address-per-s-max 0";
        assert!(why.ends_with(advice), "{why}");
    }
}
