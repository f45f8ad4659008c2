//! A service that reaches past the simulation fails its run with its own line and the remedy, which its author
//! reads.

#![allow(clippy::disallowed_methods, reason = "what a service must not do is the subject")]

use std::net::TcpListener;
use std::time::Duration;

use axum::routing::get;
use racetrack_sim::{FaultKind, Sim, scenario};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The error of a run whose one handler is `handle`.
fn error_of<H: Future<Output = ()> + Send + 'static>(
    handle: impl Fn() -> H + Clone + Send + Sync + 'static,
) -> String {
    let shop = move |sim: &mut Sim<()>| {
        let handle = handle.clone();
        sim.host("shop", move |listener| {
            axum::serve(listener, axum::Router::new().route("/", get(handle.clone())))
        });
        sim.client("ann", |ann| async move {
            let mut stream = ann.connect("shop").await?;
            stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await?;
            stream.read_to_string(&mut String::new()).await?;
            ann.record(());
            Ok(())
        });
    };
    let plan = scenario(shop);
    plan.violations().first().map_or_else(|| "the run was fine".to_owned(), |it| it.what.clone())
}

#[test]
fn handler_that_leaves_the_simulation_is_named_with_its_line() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it listens");
    let told = [
        error_of(move || async move { drop(std::net::TcpStream::connect(address)) }),
        error_of(|| async { drop(std::fs::write("/tmp/racetrack-escaped", "out")) }),
        error_of(|| async { std::thread::sleep(Duration::from_secs(3_600)) }),
        error_of(|| async { drop(std::thread::Builder::new().spawn(|| ())) }),
        error_of(|| async { drop(tokio::fs::write("/tmp/racetrack-escaped", "out").await) }),
        error_of(|| async { drop(tokio::signal::ctrl_c().await) }),
        error_of(|| async { drop(tokio::net::lookup_host("shop:80").await) }),
        error_of(|| async { drop(tokio::net::TcpStream::connect("shop:80").await) }),
        error_of(|| async { drop(tokio::net::TcpStream::connect("127.0.0.1:80").await) }),
        error_of(|| async { drop(std::process::Command::new("/bin/true").status()) }),
        error_of(|| async { drop(std::process::Command::new("/bin/true").output()) }),
        error_of(|| async { drop(tokio::process::Command::new("/bin/true").output().await) }),
        error_of(|| async { drop(tokio::io::stdin().read(&mut [0]).await) }),
        error_of(|| async { drop(tokio::runtime::Runtime::new()) }),
    ];
    for (told, remedy) in told.iter().zip([
        "serve the listener",
        "keep what changes in memory",
        "use tokio::time",
        "use tokio::spawn",
        "files are read in a simulation, and not changed",
        "pass in what ends the service",
        "connect by the host's name",
        "connect by the host's name",
        "serve the listener",
        "pass in what starts processes",
        "pass in what starts processes",
        "pass in what starts processes",
        "pass in what is read",
        "use the runtime that runs the service",
    ]) {
        assert!(told.starts_with("simulated code reached past its seed: "), "{remedy}: {told}");
        assert!(told.contains("tests/escapes.rs:") && told.contains(remedy), "{remedy}: {told}");
        assert_eq!(told.lines().count(), 1, "{told}");
    }
    listener.set_nonblocking(true).expect("it is a socket");
    assert!(listener.accept().is_err(), "no connection came out of the simulation");
    assert!(!std::path::Path::new("/tmp/racetrack-escaped").exists());
}

fn blocking_shop(sim: &mut Sim<String>) {
    sim.host("shop", |listener| {
        let handle = || async {
            let drawn = tokio::task::spawn_blocking(rand::random::<u64>).await;
            let system = tokio::fs::read_to_string("/proc/sys/kernel/ostype").await;
            format!("{drawn:?} {system:?}")
        };
        axum::serve(listener, axum::Router::new().route("/", get(handle)))
    });
    sim.client("ann", |ann| async move {
        for _ in 0..3 {
            // The shop is down in between.
            if let Ok(mut stream) = ann.connect("shop").await {
                stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await?;
                let mut answer = String::new();
                drop(stream.read_to_string(&mut answer).await);
                ann.record(answer);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    });
}

#[test]
fn handler_that_spawns_blocking_work_gives_one_trace_a_seed() {
    let run = |seed| {
        let crash = FaultKind::Crash.on("shop").for_ms(20);
        let report = scenario(blocking_shop).seed(seed).at_ms(70, crash).run();
        let report = report.expect("blocking work is served");
        let answers: Vec<_> = report.history().iter().map(|event| event.what.clone()).collect();
        (answers, report.trace.hash)
    };
    let beside: Vec<_> = (0..8).map(|n| std::thread::spawn(move || run(n / 2))).collect();
    let runs: Vec<_> = beside.into_iter().map(|run| run.join().expect("joins")).collect();
    for pair in runs.chunks(2) {
        assert_eq!(pair[0], pair[1]);
        assert!(pair[0].0[0].contains(r#"Ok("Linux\n")"#), "{:?}", pair[0]);
    }
    assert_ne!(runs[0].1, runs[2].1);
}
