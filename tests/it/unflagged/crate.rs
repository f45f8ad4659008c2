//! The simulation in a crate that is built without `--cfg tokio_unstable`: `tests/it/unflagged/mod.rs` copies this
//! file into a crate outside of the workspace.

use std::future::Future;
use std::time::Duration;

use racetrack_sim::determinism::{self, TraceReport, clock, trace, uncontrolled};
use tokio::time::sleep;

/// Simulated seconds that a run takes, at most.
const RUN_S: u64 = 60;

/// Runs a host on a simulated network until it ends, as the testbed does. Returns the simulated time that
/// it took.
fn run<F>(seed: u64, host: impl FnOnce() -> F + Send + 'static) -> (Duration, TraceReport)
where
    F: Future<Output = turmoil::Result> + 'static,
{
    let (outcome, report) = determinism::simulated(seed, 0, false, move || {
        let run_max = Duration::from_secs(2 * RUN_S);
        let mut sim = turmoil::Builder::new().rng_seed(seed).simulation_duration(run_max).build();
        sim.client("shop", async { host().await });
        loop {
            clock::set_now(sim.elapsed());
            let is_over = sim.step();
            if !matches!(is_over, Ok(false)) || determinism::has_failed() {
                return sim.elapsed();
            }
        }
    });
    (outcome.expect("no panic leaves its task"), report)
}

/// Fails unless a panic with this text ends the run of a host that does this and then goes on.
#[track_caller]
fn ends_the_run<F: Future<Output = ()> + 'static>(task: impl FnOnce() -> F + Send + 'static) {
    let (took, report) = run(1, || async {
        task().await;
        sleep(Duration::from_secs(RUN_S)).await;
        Ok(())
    });
    assert!(took < Duration::from_secs(RUN_S), "the run went on to its end");
    let [panic] = report.panics.as_slice() else { panic!("{report:?}") };
    assert!(panic.starts_with("sold twice (at ") && panic.contains("unflagged.rs:"), "{panic}");
}

#[test]
fn panic_in_a_spawned_task_ends_the_run() {
    ends_the_run(|| async {
        tokio::spawn(async {
            sleep(Duration::from_secs(2)).await;
            panic!("sold twice");
        });
    });
}

#[test]
fn panic_in_a_local_task_ends_the_run() {
    ends_the_run(|| async {
        tokio::task::spawn_local(async { panic!("sold twice") });
    });
}

#[test]
fn panic_whose_join_error_is_handled_ends_the_run() {
    ends_the_run(|| async {
        let task = tokio::spawn(async { panic!("sold twice") });
        assert!(task.await.is_err_and(|error| error.is_panic()));
    });
}

#[test]
fn panic_that_the_service_catches_ends_the_run() {
    ends_the_run(|| async {
        assert!(std::panic::catch_unwind(|| panic!("sold twice")).is_err());
    });
}

#[test]
fn panic_of_the_host_itself_ends_the_run() {
    ends_the_run(|| async { panic!("sold twice") });
}

/// The trace of a run that takes down which of two ready branches each `select!` took.
fn choices(is_biased: bool) -> TraceReport {
    run(7, move || async move {
        let mut choices = Vec::new();
        for _ in 0..64 {
            sleep(Duration::from_millis(1)).await;
            choices.push(if is_biased {
                tokio::select! { biased; () = async {} => 1, () = async {} => 2 }
            } else {
                tokio::select! { () = async {} => 1, () = async {} => 2 }
            });
        }
        trace::history(0, &choices);
        Ok(())
    })
    .1
}

#[test]
fn runs_of_a_seed_have_equal_traces_unless_a_select_is_unbiased() {
    assert_eq!(choices(true), choices(true));
    assert_ne!(choices(false).hash, choices(false).hash);
    let what = uncontrolled().expect("this crate is built without the flag");
    assert!(what.contains("`select!`") && what.contains("tokio_unstable"), "{what}");
}
