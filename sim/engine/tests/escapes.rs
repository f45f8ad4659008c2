//! A service that reaches past the simulation fails its run with its own line and the remedy, which its author
//! reads.

#![allow(clippy::disallowed_methods, reason = "what a service must not do is the subject")]

use std::net::TcpListener;
use std::time::Duration;

use axum::routing::get;
use racetrack_sim::{Sim, scenario};
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
        error_of(|| async { drop(tokio::task::spawn_blocking(|| ()).await) }),
        error_of(|| async { drop(tokio::fs::read("/etc/hostname").await) }),
        error_of(|| async { drop(tokio::signal::ctrl_c().await) }),
        error_of(|| async { drop(tokio::net::lookup_host("shop:80").await) }),
        error_of(|| async { drop(tokio::net::TcpStream::connect("shop:80").await) }),
        error_of(|| async { drop(tokio::net::TcpStream::connect("127.0.0.1:80").await) }),
        error_of(|| async { drop(std::process::Command::new("/bin/true").status()) }),
        error_of(|| async { drop(std::process::Command::new("/bin/true").output()) }),
        error_of(|| async { drop(tokio::process::Command::new("/bin/true").output().await) }),
        error_of(|| async { drop(tokio::io::stdout().write_all(b"out").await) }),
        error_of(|| async { drop(tokio::runtime::Runtime::new()) }),
    ];
    for (told, remedy) in told.iter().zip([
        "serve the listener",
        "keep what changes in memory",
        "use tokio::time",
        "do the work in the task itself",
        "read files with std::fs",
        "pass in what ends the service",
        "connect by the host's name",
        "connect by the host's name",
        "serve the listener",
        "pass in what starts processes",
        "pass in what starts processes",
        "pass in what starts processes",
        "use std's println!",
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
