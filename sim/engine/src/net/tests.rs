//! What server, clients and nemesis may expect of the simulated network, and
//! that a run over it is a function of its seed.

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::{pending, ready};
use std::io::ErrorKind;
use std::process::Command;
use std::rc::Rc;
use std::time::{Duration, UNIX_EPOCH};

use axum::extract::Json;
use axum::routing::post;
use http_body_util::BodyExt;
use hyper::Request;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::sleep;
use turmoil::Sim;

use super::{Cut, Limits, Network, SimConnector, SimListener, SimStream};
use crate::determinism::{TraceReport, clock, simulated, trace};

const EPOCH_MS: u64 = 1_800_000_000_000;
const PORT: u16 = 3000;
const LATENCY_MS: u64 = 20;

/// Runs `body` with an empty world of fixed latency.
fn in_world<T: Send + 'static>(
    seed: u64,
    limits: Limits,
    body: impl FnOnce(&mut Sim<'static>, Network) -> T + Send + 'static,
) -> (T, TraceReport) {
    let (outcome, report) = simulated(seed, EPOCH_MS, true, move || {
        let mut sim = turmoil::Builder::new()
            .rng_seed(seed)
            .epoch(UNIX_EPOCH + Duration::from_millis(EPOCH_MS))
            .enable_random_order()
            .min_message_latency(Duration::from_millis(LATENCY_MS))
            .max_message_latency(Duration::from_millis(LATENCY_MS))
            .build();
        body(&mut sim, Network::new(limits))
    });
    (outcome.unwrap_or_else(|text| panic!("{text}")), report)
}

/// Steps the world until `ms` milliseconds of its time have passed.
fn run_until(sim: &mut Sim<'_>, ms: u64) {
    while sim.elapsed() < Duration::from_millis(ms) {
        sim.step().expect("no host fails");
        clock::set_now(sim.elapsed());
    }
}

/// Serves every connection on a host of its own with `serve`.
fn serve<F>(
    sim: &mut Sim<'static>,
    network: &Network,
    serve: impl Fn(SimStream) -> F + Clone + 'static,
) where
    F: Future<Output = ()> + 'static,
{
    let network = network.clone();
    sim.host("server", move || {
        let (network, serve) = (network.clone(), serve.clone());
        async move {
            let listener = SimListener::bind(network, PORT).await?;
            loop {
                tokio::task::spawn_local(serve(listener.accept().await?.0));
            }
        }
    });
}

/// Opens one connection of `owner`, from a host of that name, and uses it.
fn connect<F>(
    sim: &mut Sim<'static>,
    network: &Network,
    owner: &str,
    using: impl FnOnce(SimStream) -> F + 'static,
) where
    F: Future<Output = ()> + 'static,
{
    let connector = SimConnector::new(network.clone(), ("server".to_owned(), PORT), owner);
    sim.client(owner, async move {
        using(connector.connect().await?).await;
        Ok(())
    });
}

/// A list that several hosts append to.
type Seen<T> = Rc<RefCell<Vec<T>>>;

fn now_ms() -> u128 {
    turmoil::sim_elapsed().expect("within a host").as_millis()
}

async fn echo(mut stream: SimStream) {
    let mut buffer = [0; 64];
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        if stream.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

#[test]
fn a_reset_fails_both_ends_at_once_and_loses_what_is_in_flight() {
    let (seen, _) = in_world(1, Limits::default(), |sim, network| {
        let seen: Seen<(&str, u128, Result<usize, ErrorKind>)> = Rc::default();
        let (at_server, at_client) = (seen.clone(), seen.clone());
        serve(sim, &network, move |mut stream| {
            let seen = at_server.clone();
            async move {
                let read = stream.read(&mut [0; 16]).await.map_err(|error| error.kind());
                seen.borrow_mut().push(("server", now_ms(), read));
            }
        });
        connect(sim, &network, "ann", |mut stream| async move {
            sleep(Duration::from_millis(100) - Duration::from_millis(now_ms() as u64)).await;
            stream.write_all(b"never read").await.expect("the network takes it");
            let read = stream.read(&mut [0; 16]).await.map_err(|error| error.kind());
            at_client.borrow_mut().push(("client", now_ms(), read));
            let written = stream.write(b"more").await.map_err(|error| error.kind());
            at_client.borrow_mut().push(("client", now_ms(), written));
        });
        run_until(sim, 110);
        assert_eq!(network.cut("ann", Cut::Reset), 1);
        run_until(sim, 200);
        assert_eq!(network.open(), 0);
        Rc::try_unwrap(seen).map(RefCell::into_inner).unwrap_or_else(|seen| seen.borrow().clone())
    });
    let broken = Err(ErrorKind::ConnectionReset);
    let mut seen = seen;
    seen.sort_by_key(|(who, ..)| *who);
    assert_eq!(seen, [("client", 110, broken), ("client", 110, broken), ("server", 110, broken)]);
}

#[test]
fn a_cut_spares_the_connections_of_others() {
    in_world(2, Limits::default(), |sim, network| {
        serve(sim, &network, echo);
        let answered: Seen<&str> = Rc::default();
        for owner in ["ann", "bob"] {
            let answered = answered.clone();
            connect(sim, &network, owner, move |mut stream| async move {
                sleep(Duration::from_millis(200)).await;
                let _ = stream.write_all(b"still there?").await;
                if stream.read_exact(&mut [0; 12]).await.is_ok() {
                    answered.borrow_mut().push(owner);
                }
            });
        }
        run_until(sim, 100);
        assert_eq!((network.live("ann"), network.live("bob")), (1, 1));
        assert_eq!(network.cut("ann", Cut::Reset), 1);
        assert_eq!((network.live("ann"), network.live("bob")), (0, 1));
        assert_eq!(network.cut("ann", Cut::Reset), 0, "there is nothing left to cut");
        assert_eq!(network.census().into_iter().collect::<Vec<_>>(), [("bob".to_owned(), 1)]);
        run_until(sim, 400);
        assert_eq!(*answered.borrow(), ["bob"]);
        assert_eq!(network.census().len(), 0);
        assert_eq!(network.open(), 0);
    });
}

#[test]
fn a_fin_lets_both_ends_read_to_the_end() {
    let (seen, _) = in_world(3, Limits::default(), |sim, network| {
        let seen: Seen<String> = Rc::default();
        let (at_server, at_client) = (seen.clone(), seen.clone());
        serve(sim, &network, move |mut stream| {
            let seen = at_server.clone();
            async move {
                let mut text = String::new();
                stream.read_to_string(&mut text).await.expect("an orderly end");
                stream.write_all(b"last words").await.expect("the client still reads");
                seen.borrow_mut().push(format!("server read {text:?}"));
            }
        });
        connect(sim, &network, "ann", |mut stream| async move {
            sleep(Duration::from_millis(100) - Duration::from_millis(now_ms() as u64)).await;
            stream.write_all(b"in flight").await.expect("the network takes it");
            let mut text = String::new();
            stream.read_to_string(&mut text).await.expect("an orderly end");
            let written = stream.write(b"too late").await.map_err(|error| error.kind());
            at_client.borrow_mut().push(format!("client read {text:?}, then {written:?}"));
        });
        run_until(sim, 110);
        assert_eq!(network.cut("ann", Cut::Finish), 1);
        assert_eq!(network.live("ann"), 0);
        run_until(sim, 300);
        seen.borrow().clone()
    });
    let expected =
        ["server read \"in flight\"", "client read \"last words\", then Err(BrokenPipe)"];
    assert_eq!(seen, expected);
}

/// A server that sends 4000 bytes to a client that reads none for a second.
fn slow_reader(limits: Limits, cut: bool) -> (usize, Vec<u8>, Vec<ErrorKind>) {
    let (outcome, _) = in_world(4, limits, move |sim, network| {
        let (sent, errors): (Seen<usize>, Seen<ErrorKind>) = Default::default();
        let received: Seen<u8> = Rc::default();
        let (sent_to, errors_to, received_to) = (sent.clone(), errors.clone(), received.clone());
        serve(sim, &network, move |mut stream| {
            let (sent, errors) = (sent_to.clone(), errors_to.clone());
            async move {
                let bytes: Vec<u8> = (0..4000_u32).map(|n| n as u8).collect();
                let mut rest = &bytes[..];
                while !rest.is_empty() {
                    match stream.write(rest).await {
                        Ok(count) => rest = &rest[count..],
                        Err(error) => return errors.borrow_mut().push(error.kind()),
                    }
                    sent.borrow_mut().push(bytes.len() - rest.len());
                }
                stream.shutdown().await.expect("open");
                stream.shutdown().await.expect("shutting down twice is no error");
            }
        });
        connect(sim, &network, "ann", |mut stream| async move {
            sleep(Duration::from_secs(1)).await;
            let mut bytes = Vec::new();
            let _ = stream.read_to_end(&mut bytes).await;
            *received_to.borrow_mut() = bytes;
        });
        run_until(sim, 900);
        let unread = sent.borrow().last().copied().unwrap_or_default();
        if cut {
            network.cut("ann", Cut::Reset);
        }
        run_until(sim, 20_000);
        (unread, received.borrow().clone(), errors.borrow().clone())
    });
    outcome
}

#[test]
fn a_writer_waits_for_a_slow_reader_and_nothing_is_lost() {
    let expected: Vec<u8> = (0..4000_u32).map(|n| n as u8).collect();
    let small = Limits {
        segment_bytes_max: 7,
        window_bytes: 100,
        window_segments: 48,
        ..Limits::default()
    };
    assert_eq!(slow_reader(small, false), (100, expected.clone(), vec![]));
    let few = Limits {
        segment_bytes_max: 10,
        window_bytes: 1 << 20,
        window_segments: 5,
        ..Limits::default()
    };
    assert_eq!(slow_reader(few, false), (50, expected.clone(), vec![]));
    // As many segments as turmoil queues, and a FIN behind them.
    let all = Limits {
        segment_bytes_max: 84,
        window_bytes: 1 << 20,
        window_segments: 63,
        ..Limits::default()
    };
    assert_eq!(slow_reader(all, false), (4000, expected, vec![]));
}

#[test]
fn a_reset_wakes_a_writer_that_waits_for_its_reader() {
    let small = Limits {
        segment_bytes_max: 7,
        window_bytes: 100,
        window_segments: 48,
        ..Limits::default()
    };
    assert_eq!(slow_reader(small, true), (100, vec![], vec![ErrorKind::ConnectionReset]));
}

#[test]
fn a_writer_learns_from_its_reader_that_the_other_end_is_gone() {
    in_world(5, Limits::default(), |sim, network| {
        let failed: Seen<&str> = Rc::default();
        let sink = failed.clone();
        serve(sim, &network, move |stream| {
            let (failed, also_failed) = (sink.clone(), sink.clone());
            async move {
                let (mut reader, mut writer) = tokio::io::split(stream);
                tokio::task::spawn_local(async move {
                    while writer.write_all(&[0; 999]).await.is_ok() {}
                    failed.borrow_mut().push("writer");
                });
                if reader.read(&mut [0]).await.is_err() {
                    also_failed.borrow_mut().push("reader");
                }
            }
        });
        connect(sim, &network, "ann", |mut stream| async move {
            // Unread bytes at the drop make the network send a reset.
            stream.read_exact(&mut [0]).await.expect("the server writes");
        });
        run_until(sim, 500);
        assert_eq!(*failed.borrow(), ["reader", "writer"]);
        assert_eq!(network.open(), 0);
    });
}

#[test]
fn a_crash_of_either_host_closes_its_ends() {
    in_world(6, Limits::default(), |sim, network| {
        serve(sim, &network, echo);
        let ended: Seen<usize> = Rc::default();
        let sink = ended.clone();
        connect(sim, &network, "ann", |mut stream| async move {
            let count = stream.read(&mut [0]).await.expect("an orderly end");
            sink.borrow_mut().push(count);
        });
        run_until(sim, 100);
        sim.crash("server");
        run_until(sim, 200);
        assert_eq!(*ended.borrow(), [0]);
        assert_eq!(network.open(), 0);
    });
}

#[test]
fn a_connection_to_nobody_is_refused() {
    in_world(7, Limits::default(), |sim, network| {
        sim.host("server", pending);
        let connector = SimConnector::new(network.clone(), ("server".to_owned(), PORT), "ann");
        sim.client("ann", async move {
            let refused = connector.connect().await.map(|_| ()).map_err(|error| error.kind());
            assert_eq!(refused, Err(ErrorKind::ConnectionRefused));
            Ok(())
        });
        run_until(sim, 100);
        assert_eq!(network.open(), 0);
    });
}

/// Two people on two hosts ask a JSON service whose answers hold random
/// numbers in the order of a hash map; one of them is cut on the way.
fn json_run(seed: u64) -> TraceReport {
    let limits = Limits { segment_bytes_max: 100, ..Limits::default() };
    let (answers, report) = in_world(seed, limits, |sim, network| {
        let service = network.clone();
        sim.host("server", move || {
            let listener = SimListener::bind(service.clone(), PORT);
            async move {
                let router = axum::Router::new().route("/", post(shuffle));
                axum::serve(listener.await?, router).await?;
                Ok(())
            }
        });
        let answers: Seen<String> = Rc::default();
        for owner in ["ann", "bob"] {
            let answers = answers.clone();
            connect(sim, &network, owner, move |stream| ask(stream, answers));
        }
        run_until(sim, 150);
        network.cut("ann", Cut::Reset);
        run_until(sim, 1_000);
        answers.borrow().len()
    });
    assert!(answers > 5, "bob was answered {answers} times");
    // Two draws: the keys of the thread's hash maps, the seed of its generator.
    assert!(report.counts.packet > 40 && report.counts.entropy == 2 && report.counts.clock > 10);
    report
}

async fn shuffle(Json(count): Json<u32>) -> Json<HashMap<u32, u64>> {
    Json((0..count).map(|key| (key, rand::random())).collect())
}

async fn ask(stream: SimStream, answers: Seen<String>) {
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.expect("HTTP/1 needs no handshake");
    tokio::spawn(connection);
    for _ in 0..6 {
        let request = Request::post("/")
            .header("host", "server")
            .header("content-type", "application/json")
            .body((rand::random::<u32>() % 20).to_string())
            .expect("a valid request");
        let Ok(response) = sender.send_request(request).await else { return };
        let Ok(body) = response.into_body().collect().await else { return };
        answers.borrow_mut().push(format!("{:?}", body.to_bytes()));
        let coin = tokio::select! { () = ready(()) => b"head", () = ready(()) => b"tail" };
        trace::history(0, coin);
        sleep(Duration::from_millis(rand::random::<u64>() % 50)).await;
    }
}

#[test]
fn the_same_seed_gives_the_same_run_over_http() {
    let first: Vec<TraceReport> = (0..10).map(json_run).collect();
    for (seed, report) in first.iter().enumerate() {
        let again = json_run(seed as u64);
        assert_eq!(report.first_divergence(&again), None, "seed {seed}");
        assert_eq!(*report, again, "seed {seed}");
    }
    let hashes: std::collections::BTreeSet<u64> = first.iter().map(|run| run.hash).collect();
    assert_eq!(hashes.len(), 10, "every seed is a run of its own");
}

/// With this variable set, the test below is the other process and prints.
const PRINT: &str = "RACETRACK_TEST_PRINTS_HASHES";

#[test]
#[allow(clippy::print_stdout, reason = "the other process answers on its standard output")]
fn the_same_seed_gives_the_same_run_in_another_process() {
    let line = |seed: u64| format!("seed {seed} hash {:016x}", json_run(seed).hash);
    if std::env::var_os(PRINT).is_some() {
        // Another order: what ran before in a process must not matter either.
        return (0..10).rev().for_each(|seed| println!("\n{}", line(seed)));
    }
    let output = Command::new(std::env::current_exe().expect("this test runs"))
        .args(["--exact", "--nocapture"])
        .arg("net::tests::the_same_seed_gives_the_same_run_in_another_process")
        .env(PRINT, "1")
        .output()
        .expect("this test can be run once more");
    let printed = String::from_utf8(output.stdout).expect("it prints text");
    for seed in 0..10 {
        let line = line(seed);
        assert!(printed.contains(&line), "{line} is not in\n{printed}");
    }
}
