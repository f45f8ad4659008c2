//! The measurement beside other servers, in small and with ours alone: four people, a moment each.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use loadtest::saturate::{self, Contender, Job, SaturateError, Series, Start};

const SERVER: &str = env!("CARGO_BIN_EXE_racetrack");

fn small() -> Job {
    Job {
        people: 4,
        in_flight: 2,
        letters: 5,
        rate_per_s: 200.0,
        warm_up: Duration::from_millis(100),
        window: Duration::from_millis(400),
        naps: true,
        cores: None,
    }
}

fn start(contender: Contender) -> Start {
    let ours = [SERVER, "serve"].map(OsString::from);
    contender.start(&ours, Path::new("peers")).expect("our server is built")
}

async fn check(contender: Contender) {
    let start = start(contender);
    let sample = saturate::measure(&start, &small()).await.expect("every message arrives");
    assert!(sample.saturated.messages_per_s > 200.0, "{sample:?}");
    assert!((20.0..=400.0).contains(&sample.steady.messages_per_s), "{sample:?}");
    assert!(sample.saturated.server_cpu_us_per_message > 0.0, "{sample:?}");
    assert!(sample.memory.at_start > 1_000_000, "{sample:?}");
    let table = saturate::table(&[Series { wire: start.wire, samples: vec![sample] }]);
    assert!(table.contains(contender.name()), "{table}");
}

#[tokio::test]
async fn four_people_load_our_websocket() {
    check(Contender::RacetrackWebsocket).await;
}

#[tokio::test]
async fn four_people_load_our_socket_io() {
    check(Contender::RacetrackSocketio).await;
}

#[tokio::test]
async fn a_server_that_refuses_a_message_ends_the_measurement() {
    let mut start = start(Contender::RacetrackWebsocket);
    start.command.extend(["--message-bytes-max", "4"].map(OsString::from));
    let error = saturate::measure(&start, &small()).await.expect_err("five letters are too many");
    let SaturateError::Broken { why, .. } = &error else { panic!("{error}") };
    assert!(why.starts_with("nobody expected {\"type\":\"refused\""), "{why}");
}

#[tokio::test]
async fn an_odd_number_of_people_starts_nothing() {
    let job = Job { people: 3, ..small() };
    let start = start(Contender::RacetrackWebsocket);
    let error = saturate::measure(&start, &job).await.expect_err("one of them is alone");
    assert!(matches!(error, SaturateError::Job(_)), "{error}");
}
