//! `racetrack load --prometheus`: what a run is at, while it goes on.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use super::{RACETRACK, empty_dir, racetrack};
use crate::http::ask;

/// The value of the first sample whose name and labels begin so.
fn value(text: &str, sample: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.starts_with(sample))?;
    line.rsplit_once(' ').and_then(|(_, value)| value.parse().ok())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_can_be_watched_until_it_ends() {
    let dir = empty_dir();
    let line = "load --transport websocket --users 10 --rate 100 --duration 5s --out run \
                --prometheus 127.0.0.1:0";
    let mut command = Command::new(RACETRACK);
    command.args(line.split_whitespace()).current_dir(dir.path()).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program can be started");
    let mut told = BufReader::new(child.stderr.take().expect("it was just piped")).lines();
    let first = told.next_line().await.expect("a readable line").expect("a line");
    let addr = first.strip_prefix("metrics: http://").and_then(|it| it.strip_suffix("/metrics"));
    let addr: SocketAddr = addr.expect(&first).parse().expect("an address");

    let text = loop {
        let answer = ask("GET /metrics").of(addr).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
        let measuring = "racetrack_load_phase{transport=\"websocket\",phase=\"measuring\"}";
        let is_measuring = value(&answer.body, measuring) == Some(1.0);
        if is_measuring && value(&answer.body, "racetrack_load_latency_p99_seconds") > Some(0.0) {
            break answer.body;
        }
    };
    let at =
        |name: &str| value(&text, &format!("racetrack_load_{name}{{transport=\"websocket\"}}"));
    assert_eq!((at("people_connected"), at("people_paired")), (Some(10.0), Some(10.0)), "{text}");
    assert!(at("messages_sent_total") >= at("messages_received_total"), "{text}");
    assert!(at("messages_received_total") > Some(0.0), "{text}");
    assert_eq!(at("errors_total"), Some(0.0), "{text}");
    assert!(at("latency_p50_seconds") <= at("latency_p99_seconds"), "{text}");
    for line in text.lines().filter(|line| !line.starts_with("# ")) {
        assert!(value(line, "racetrack_load_").is_some(), "{line}");
    }
    assert_eq!(ask("GET /").of(addr).await.status, 404);

    while told.next_line().await.expect("a readable line").is_some() {}
    let code = child.wait().await.expect("it ends").code();
    assert!(matches!(code, Some(0 | 3)), "{code:?}");
    assert!(TcpStream::connect(addr).is_err(), "nobody listens any more");
}

#[test]
fn a_busy_port_is_refused_before_anything_starts() {
    let holder = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = holder.local_addr().expect("it is bound");
    let dir = empty_dir();
    let line = format!("load --users 2 --duration 1h --out run --prometheus {addr}");
    let refused = racetrack(dir.path(), &line);
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""));
    let expected = format!(
        "racetrack: cannot listen on {addr}; choose another address with --prometheus: Address \
         already in use (os error 98)\n"
    );
    assert_eq!(refused.stderr, expected);
    assert!(!dir.path().join("run").exists());
}
