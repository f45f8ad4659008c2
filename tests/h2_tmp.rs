//! temporary
#[path = "it/matrix/cells.rs"] mod cells;
#[path = "it/matrix/person.rs"] mod person;
use client::TransportKind;
use server::config::Config;
fn server() -> Config { Config { messages_burst_max: 1_000, session_lease_ms: 3_000, resume_window_ms: 3_000, ..Config::default() } }
#[test]
fn tmp() {
    tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).with_ansi(false).with_writer(std::io::stderr).init();
    let r = sim::guest::guest(0, server(), async move |connector| { cells::Place { connector, host: sim::guest::address() }.cell(TransportKind::ShortPoll, TransportKind::SocketioPolling).await; });
    eprintln!("{:?}", r.0.err().map(|e| e.to_string()));
}
