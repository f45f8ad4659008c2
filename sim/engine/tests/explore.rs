//! What a test of an outsider's service gets: a race that is found, shrunk, drawn and kept; and one line for every mistake of the
//! test itself.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use racetrack_sim::{Client, FaultKind, History, Sim, Violation, explore, prove, scenario};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

type Error = Box<dyn std::error::Error>;

/// A counter of seats: it reads, waits for the bank, and writes, in one step or in two.
fn counter(is_careful: bool) -> Router {
    let sold = Arc::new(AtomicUsize::new(0));
    let sell = move || {
        let sold = Arc::clone(&sold);
        async move {
            if is_careful {
                return sold.fetch_add(1, Ordering::Relaxed).to_string();
            }
            let seat = sold.load(Ordering::Relaxed);
            tracing::info!(seat, "asking the bank");
            tokio::time::sleep(Duration::from_millis(5)).await;
            sold.store(seat + 1, Ordering::Relaxed);
            seat.to_string()
        }
    };
    Router::new().route("/seats", post(sell))
}

async fn buy(client: Client<String>) -> Result<(), Error> {
    let mut stream = client.connect("office").await?;
    stream.write_all(b"POST /seats HTTP/1.0\r\nhost: office\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    client.record(answer.lines().last().unwrap_or_default().to_owned());
    Ok(())
}

fn sold_once(history: &History<String>) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (place, event) in history.iter().enumerate() {
        if let Some(other) = history.iter().take(place).find(|other| other.what == event.what) {
            let what = format!("seat {} was sold twice", event.what);
            violations.push(Violation::because(what, &[other.index, event.index]));
        }
    }
    violations
}

fn office(sim: &mut Sim<String>, is_careful: bool) {
    sim.host("office", move |listener| axum::serve(listener, counter(is_careful)));
    for name in ["ann", "bob", "cyd"] {
        sim.client(name, buy);
    }
    sim.checker("seat-sold-once", sold_once);
    sim.sometimes("two seats were sold", |history| history.len() > 1);
}

fn hasty(sim: &mut Sim<String>) {
    office(sim, false);
}

fn careful(sim: &mut Sim<String>) {
    office(sim, true);
}

/// A service whose faults cannot end its clients with an error.
const GENTLE: [FaultKind; 2] = [FaultKind::Hold, FaultKind::LatencyStep];

#[test]
fn race_is_found_shrunk_drawn_and_kept_and_the_kept_plan_runs_first() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let explored = explore(hasty).seeds(0..200).faults(GENTLE).regressions(folder.path());
    let text = explored.try_run().expect_err("two buyers get one seat").to_string();
    for part in [
        " failed: seat-sold-once: seat 0 was sold twice",
        "shrunk in ",
        " 3 clients to 2",
        "\nlogged, the last 2 of 2 lines (RACETRACK_LOG says what is logged):\n",
        " INFO node{name=\"office\"}: explore: asking the bank seat=0\n",
        "kept as ",
        "which runs first from now on: cargo test race_is_found",
        "RACETRACK_SEED=",
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
    let kept = folder.path().join("seat_sold_once_seat_was_sold_twice.json");
    let plan = std::fs::read_to_string(&kept).expect("the plan was kept");
    let log = std::fs::read_to_string(kept.with_extension("log")).expect("the log lies beside it");
    assert_eq!(log.matches("asking the bank seat=0").count(), 2, "{log}");
    // The kept plan names its model, so another model's test leaves it alone.
    let careful_run = explore(careful).seeds(0..50).faults(GENTLE).regressions(folder.path());
    assert_eq!(careful_run.try_run().map(|explored| explored.replayed).ok(), Some(0));
    // As the service is after its correction.
    std::fs::write(&kept, plan.replace("\"hasty\"", "\"careful\"")).expect("it is written");
    let careful_run = explore(careful).seeds(0..50).faults(GENTLE).regressions(folder.path());
    assert_eq!(careful_run.require_states().run().replayed, 1);
    std::fs::write(&kept, plan).expect("it is written");
    let again = explore(hasty).seeds(0..1).faults(GENTLE).regressions(folder.path());
    let text = again.try_run().expect_err("it fails as before").to_string();
    assert!(text.contains("seat_sold_once_seat_was_sold_twice.json fails again"), "{text}");
}

/// The error of an exploration, which is one line.
#[track_caller]
fn refusal(declare: impl Fn(&mut Sim<String>)) -> String {
    let error = explore(declare).seeds(0..3).faults(GENTLE).try_run();
    let text = error.map(|explored| explored.replayed).expect_err("it is refused").to_string();
    assert_eq!(text.trim_end().lines().count(), 1, "{text}");
    text
}

#[test]
fn mistakes_of_a_declaration_are_refused_with_one_line() {
    let none = refusal(|sim| sim.host("office", |listener| axum::serve(listener, counter(true))));
    assert_eq!(none, "the model has no clients, so nothing happens: declare one");
    let twice = refusal(|sim| {
        careful(sim);
        sim.client("ann", buy);
    });
    assert!(
        twice.starts_with(r#"two hosts are named "ann"; there are "office", "ann", "#),
        "{twice}"
    );
    let address = refusal(|sim| sim.client("10.0.0.1", buy));
    assert_eq!(address, r#"a host cannot be named "10.0.0.1"; choose a plain name"#);
    let empty = explore(careful).seeds(3..3).try_run().map(|explored| explored.replayed);
    let empty = empty.expect_err("there are no seeds").to_string();
    assert_eq!(empty, "3..3 has no seeds: the end lies above the start");
}

#[test]
fn faults_of_a_scenario_that_name_nothing_are_refused_with_the_names_that_exist() {
    let unknown = scenario(careful).at_ms(3, FaultKind::CutReset.on("zoe")).run();
    let text = unknown.map(|report| report.passed()).expect_err("zoe does not exist").to_string();
    let expected = r#"fault 0 of the plan, cut-reset at 3 ms: no client is named "zoe"; there are "ann", "bob", "cyd""#;
    assert_eq!(text, expected);
    let client = scenario(careful).at_ms(3, FaultKind::Crash.on("ann").for_ms(9)).run();
    let text = client.map(|report| report.passed()).expect_err("ann is no server").to_string();
    assert!(text.ends_with(r#"no server is named "ann"; there is only "office""#), "{text}");
}

#[test]
fn scenario_reports_what_a_fault_touched_and_what_clients_recorded()
-> Result<(), racetrack_sim::Error> {
    let report = scenario(careful).at_ms(1, FaultKind::Hold.on("bob").for_ms(50)).run()?;
    assert!(report.effect(0) > 0, "packets were held");
    assert_eq!(report.history().len(), 3);
    let bob = report.history().iter().find(|event| event.client == "bob").map(|event| event.at_us);
    assert!(bob.is_some_and(|at_us| at_us > 50_000), "{bob:?}");
    Ok(())
}

#[test]
fn client_that_fails_or_never_returns_is_a_violation_with_its_name() {
    let failing = |sim: &mut Sim<String>| {
        sim.client(
            "ann",
            |ann| async move { ann.connect("shop").await.map(drop).map_err(Error::from) },
        )
    };
    let text =
        scenario(failing).run().map(|report| report.passed()).expect_err("no shop").to_string();
    assert!(text.contains("client: ann failed: "), "{text}");
    let stuck = |sim: &mut Sim<String>| {
        careful(sim);
        sim.client("eve", |_| std::future::pending());
    };
    let text =
        scenario(stuck).run().map(|report| report.passed()).expect_err("eve waits").to_string();
    assert!(
        text.contains("client: still running 63500 ms after all faults have ended: eve"),
        "{text}"
    );
}

#[test]
fn checker_that_panics_is_a_violation() {
    let wrong = |sim: &mut Sim<String>| {
        careful(sim);
        sim.checker("wrong", |history| panic!("{} events are too many", history.len()));
    };
    let text =
        scenario(wrong).run().map(|report| report.passed()).expect_err("it panics").to_string();
    assert!(text.contains("panic: a checker panicked: 3 events are too many"), "{text}");
}

#[test]
fn fault_that_touches_nothing_in_any_seed_fails_unless_it_is_allowed() {
    let idle = || explore(careful).seeds(0..40).faults([FaultKind::SlowReader]);
    let quiet = |sim: &mut Sim<String>| sim.client("ann", |_| async { Ok(()) });
    let text = explore(quiet).seeds(0..40).faults([FaultKind::CutReset]).try_run();
    let is_allowed = text.is_ok();
    assert!(is_allowed, "without a server nothing is drawn");
    match idle().try_run() {
        Ok(explored) => assert!(explored.sweep.faults.values().any(|count| count.effective > 0)),
        Err(error) => {
            let expected = "faults without effect in 40 seeds: slow-reader; ";
            assert!(error.to_string().starts_with(expected), "{error}");
            idle().may_be_idle([FaultKind::SlowReader]).run();
        }
    }
}

#[test]
fn regression_file_that_is_no_plan_is_named_with_the_remedy() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    std::fs::write(folder.path().join("odd.json"), "{").expect("it is written");
    let run = explore(careful).seeds(0..1).regressions(folder.path()).try_run();
    let text = run.map(|explored| explored.replayed).expect_err("it is no plan").to_string();
    let file = folder.path().join("odd.json");
    assert!(text.starts_with(&format!("{}: this is not a plan: ", file.display())), "{text}");
    assert!(
        text.ends_with("correct the file, or remove it if its failure cannot come back"),
        "{text}"
    );
    assert!(Path::new(&file).exists(), "nothing is lost");
}

#[test]
fn runs_are_functions_of_their_seeds_and_what_is_not_is_named() {
    assert_eq!(prove(careful).seeds(0..5).run(), prove(careful).seeds(0..5).run());
    static RUNS: AtomicU64 = AtomicU64::new(0);
    let shared = |sim: &mut Sim<u64>| {
        sim.client("ann", |ann| async move {
            ann.record(RUNS.fetch_add(1, Ordering::Relaxed));
            Ok(())
        });
    };
    let text = prove(shared).try_run().expect_err("a static differs from run to run").to_string();
    assert!(text.starts_with("seed 0 is not deterministic: two runs differ from entry "), "{text}");
}
