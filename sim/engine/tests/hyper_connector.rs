//! What a pooled HTTP client of hyper-util sees of the simulated network, in a client and in a server that dials another one.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use axum::serve::ListenerExt;
use http_body_util::BodyExt;
use hyper::Request;
use hyper_util::client::legacy::{Client as HttpClient, Error as HttpError};
use hyper_util::rt::TokioExecutor;
use racetrack_sim::{Client, Error, FaultKind, HyperConnector, Sim, SimListener, prove, scenario};
use tokio::time::sleep;

type Http = HttpClient<HyperConnector, String>;

/// What the shop takes to answer.
const WORK: Duration = Duration::from_millis(20);

fn pooled(connector: HyperConnector) -> Http {
    HttpClient::builder(TokioExecutor::new()).build(connector)
}

async fn fetch(http: &Http, uri: &str) -> Result<String, HttpError> {
    let request = Request::get(uri).body(String::new()).expect("the URI is valid");
    let body = http.request(request).await?.into_body().collect().await;
    Ok(body.map_or_else(|error| error.to_string(), |body| text(&body.to_bytes())))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Answers with the number of connections that it has accepted so far.
async fn shop(listener: SimListener) -> io::Result<()> {
    let accepted = Arc::new(AtomicUsize::new(0));
    let answered = Arc::clone(&accepted);
    let answer = async move || {
        sleep(WORK).await;
        answered.load(Ordering::Relaxed).to_string()
    };
    let listener = listener.tap_io(move |_| {
        accepted.fetch_add(1, Ordering::Relaxed);
    });
    axum::serve(listener, Router::new().route("/", get(answer))).await
}

/// The deepest cause of an error, with its kind if it is one of the network.
fn cause(error: &HttpError) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    match cause.downcast_ref::<io::Error>() {
        Some(error) => format!("{:?}: {error}", error.kind()),
        None => cause.to_string(),
    }
}

/// Fetches at these times of a run, in milliseconds, over one pool.
fn fetches(sim: &mut Sim<String>, uri: &'static str, at_ms: &'static [u64]) {
    sim.client("ann", move |ann: Client<String>| async move {
        let http = pooled(ann.hyper_connector());
        for at_ms in at_ms {
            sleep(Duration::from_millis(*at_ms).saturating_sub(ann.now())).await;
            ann.record(fetch(&http, uri).await.unwrap_or_else(|error| cause(&error)));
        }
        Ok(())
    });
}

fn shopping(sim: &mut Sim<String>) {
    sim.host("shop", shop);
    fetches(sim, "http://shop/", &[10, 200, 400]);
}

fn seen(history: &racetrack_sim::History<String>) -> Vec<&str> {
    history.iter().map(|event| event.what.as_str()).collect()
}

#[test]
fn requests_of_one_client_share_a_connection() -> Result<(), Error> {
    assert_eq!(seen(&scenario(shopping).run()?.history()), ["1", "1", "1"]);
    Ok(())
}

#[test]
fn pooled_connection_that_is_reset_while_idle_is_replaced() -> Result<(), Error> {
    let report = scenario(shopping).at_ms(150, FaultKind::CutReset.on("ann")).run()?;
    assert_eq!(report.effect(0), 1, "the idle connection is a connection of ann");
    assert_eq!(seen(&report.history()), ["1", "2", "2"]);
    Ok(())
}

#[test]
fn reset_while_an_answer_is_pending_is_an_error() -> Result<(), Error> {
    let report = scenario(shopping).at_ms(215, FaultKind::CutReset.on("ann")).run()?;
    let history = report.history();
    let seen = seen(&history);
    assert_eq!((seen[0], seen[2]), ("1", "2"));
    assert!(seen[1].starts_with("ConnectionReset"), "{}", seen[1]);
    Ok(())
}

#[test]
fn host_that_is_down_refuses_and_one_that_is_back_is_found() -> Result<(), Error> {
    let crash = FaultKind::Crash.on("shop").for_ms(100);
    let report = scenario(shopping).at_ms(150, crash).run()?;
    // The server that is back counts from zero.
    let expected = ["1", "ConnectionRefused: shop refuses connections", "1"];
    assert_eq!(seen(&report.history()), expected);
    Ok(())
}

#[test]
fn unknown_host_and_other_port_are_errors_that_name_what_exists() -> Result<(), Error> {
    for (uri, expected) in [
        ("http://shopp/", r#"NotFound: no server is named "shopp"; there is only "shop""#),
        ("http://shop:8080/", "InvalidInput: shop listens on port 80, not on 8080"),
        ("http://shop:80/", "1"),
    ] {
        let dialing = move |sim: &mut Sim<String>| {
            sim.host("shop", shop);
            fetches(sim, uri, &[10]);
        };
        assert_eq!(seen(&scenario(dialing).run()?.history()), [expected]);
    }
    Ok(())
}

/// A front that asks the shop over one pool for all of its requests.
fn fronted(sim: &mut Sim<String>) {
    sim.host("shop", shop);
    sim.server("front", |life| async move {
        let http = pooled(life.dialer.hyper_connector());
        let ask = async move || {
            let asked = fetch(&http, "http://shop/").await;
            asked.unwrap_or_else(|error| cause(&error))
        };
        axum::serve(life.listener, Router::new().route("/", get(ask))).await
    });
    fetches(sim, "http://front/", &[10, 200, 400]);
}

#[test]
fn server_dials_another_by_name_over_one_pool() -> Result<(), Error> {
    assert_eq!(seen(&scenario(fronted).run()?.history()), ["1", "1", "1"]);
    let crash = FaultKind::Crash.on("shop").for_ms(100);
    let history = scenario(fronted).at_ms(150, crash).run()?.history();
    assert_eq!(seen(&history), ["1", "ConnectionRefused: shop refuses connections", "1"]);
    Ok(())
}

#[test]
fn pools_run_alike_twice() {
    assert_eq!(prove(shopping).seeds(0..8).run(), prove(shopping).seeds(0..8).run());
    assert_eq!(prove(fronted).seeds(0..8).run(), prove(fronted).seeds(0..8).run());
}
