//! Closures of `spawn_blocking` follow from the seed as tasks do, and what they reach past it is refused.

use std::collections::HashMap;
use std::fs;
use std::future::Future;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use tokio::task::{spawn_blocking, yield_now};
use tokio::time::sleep;

use super::super::trace::TraceReport;
use super::super::{run, trace};
use super::EPOCH_MS;
use super::standstill::IMPATIENT;

/// Runs a task on a runtime as a simulated host has one.
fn simulated<F: Future>(
    seed: u64,
    task: impl FnOnce() -> F + Send + 'static,
) -> (Result<F::Output, String>, TraceReport)
where
    F::Output: Send + 'static,
{
    run(seed, EPOCH_MS, true, IMPATIENT, || {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.expect("it is plain").block_on(task())
    })
}

type Log = Arc<Mutex<Vec<String>>>;

fn note(log: &Log, text: impl Into<String>) {
    let text = text.into();
    trace::history(0, text.as_bytes());
    log.lock().expect("nobody panicked").push(text);
}

/// Everything that could tell two runs apart: entropy, map order, clocks, the order of closures and tasks.
async fn busy() -> Vec<String> {
    let log = Log::default();
    let begun = Instant::now();
    let tasks: Vec<_> = (0..4)
        .map(|task| {
            let log = Arc::clone(&log);
            tokio::spawn(async move {
                for round in 0..3 {
                    sleep(Duration::from_millis(rand::random_range(0..3))).await;
                    let inside = Arc::clone(&log);
                    let drawn = spawn_blocking(move || {
                        let map: HashMap<u32, ()> = (0..8).map(|key| (key, ())).collect();
                        let passed = begun.elapsed();
                        let order: Vec<_> = map.into_keys().collect();
                        note(&inside, format!("closure {task}.{round} {order:?} {passed:?}"));
                        rand::random::<u64>()
                    });
                    note(&log, format!("task {task}.{round}"));
                    yield_now().await;
                    let drawn = drawn.await.expect("it does not panic");
                    note(&log, format!("task {task}.{round} {drawn}"));
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("it does not panic");
    }
    std::mem::take(&mut *log.lock().expect("nobody panicked"))
}

#[test]
fn closures_of_one_seed_are_equal_whatever_runs_beside() {
    let (alone, report) = simulated(7, busy);
    let alone = alone.expect("nothing goes wrong");
    assert_eq!((alone.len(), report.escape.clone()), (36, None));
    let beside: Vec<_> =
        (0..6).map(|n| thread::spawn(move || simulated(if n < 4 { 7 } else { n }, busy))).collect();
    for (n, thread) in beside.into_iter().enumerate() {
        let (log, again) = thread.join().expect("joins");
        let log = log.expect("nothing goes wrong");
        assert_eq!(n < 4, (&log, again.hash) == (&alone, report.hash), "{log:#?}");
    }
}

#[test]
fn closures_of_one_seed_are_equal_in_every_process() {
    const CHILD: &str = "RACETRACK_TEST_PRINTS_ITS_TRACE";
    let (_, report) = simulated(9, busy);
    if std::env::var_os(CHILD).is_some() {
        panic!("trace {}", report.hash);
    }
    let program = std::env::current_exe().expect("a test has a path");
    let name = "determinism::tests::turns::closures_of_one_seed_are_equal_in_every_process";
    for _ in 0..2 {
        let mut child = std::process::Command::new(&program);
        let output = child.args(["--exact", name]).env(CHILD, "1").output().expect("it runs again");
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(told.contains(&format!("trace {}\n", report.hash)), "{told}");
    }
}

#[test]
fn closures_run_when_no_task_is_ready_and_take_no_simulated_time() {
    let (log, _) = simulated(0, || async {
        let (log, inside) = (Log::default(), Log::default());
        let both = [Arc::clone(&log), inside];
        let begun = tokio::time::Instant::now();
        let closure = spawn_blocking({
            let log = Arc::clone(&both[0]);
            move || note(&log, "closure")
        });
        for _ in 0..3 {
            yield_now().await;
            note(&log, "task");
        }
        closure.await.expect("it does not panic");
        assert_eq!(begun.elapsed(), Duration::ZERO);
        log.lock().expect("nobody panicked").clone()
    });
    assert_eq!(log.expect("nothing goes wrong"), ["task", "task", "task", "closure"]);
}

#[test]
fn closure_that_starts_another_and_one_that_panics_are_run() {
    let (outcome, report) = simulated(0, || async {
        let inner = spawn_blocking(|| tokio::runtime::Handle::current().spawn_blocking(|| 7));
        let inner = inner.await.expect("it does not panic").await;
        let panics = spawn_blocking(|| panic!("sold twice")).await;
        (inner.ok(), panics.is_err())
    });
    assert_eq!(outcome, Ok((Some(7), true)));
    assert!(report.panics[0].starts_with("sold twice (at "), "{report:?}");
}

/// The line of a run that fails.
fn line<F: Future>(task: impl FnOnce() -> F + Send + 'static) -> String
where
    F::Output: Send + 'static,
{
    let (outcome, report) = simulated(0, task);
    let told = report.escape.or_else(|| outcome.err()).expect("the run fails");
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(told.contains("tests/turns.rs:"), "{told}");
    told
}

#[test]
fn closure_that_waits_for_a_task_ends_the_run_with_its_line() {
    let told = line(|| async {
        let (send, mut receive) = tokio::sync::mpsc::channel::<u32>(1);
        let closure = spawn_blocking(move || receive.blocking_recv());
        sleep(Duration::from_millis(1)).await;
        let _sent = send.send(7).await;
        closure.await.ok()
    });
    assert!(told.contains("a closure of spawn_blocking waits for a task"), "{told}");
    assert!(told.contains("blocking_recv") && told.contains("let a task wait"), "{told}");
}

#[test]
fn closure_that_waits_in_real_time_or_starts_a_thread_is_refused() {
    let told =
        line(|| async { spawn_blocking(|| thread::sleep(Duration::from_secs(3_600))).await.ok() });
    assert!(told.contains("sleep") && told.contains("use tokio::time"), "{told}");
    let told = line(|| async {
        let closure = spawn_blocking(|| {
            let (_keep, receiver) = mpsc::channel::<()>();
            receiver.recv_timeout(Duration::from_secs(10)).is_err()
        });
        closure.await.ok()
    });
    assert!(told.contains("recv_timeout") && told.contains("use tokio::time"), "{told}");
    let told = line(|| async {
        spawn_blocking(|| thread::Builder::new().spawn(|| ()).is_err()).await.ok()
    });
    assert!(told.contains("pthread_create") && told.contains("use tokio::spawn"), "{told}");
}

#[test]
fn tokio_fs_reads_files_and_changes_none() {
    let path = std::env::temp_dir().join(format!("racetrack-{}-turns", std::process::id()));
    fs::write(&path, "as it was").expect("there is room for a file");
    let there = path.clone();
    let (read, report) = simulated(0, || async move {
        (tokio::fs::read(&there).await.ok(), tokio::fs::try_exists(&there).await.ok())
    });
    assert_eq!(read, Ok((Some(b"as it was".to_vec()), Some(true))));
    assert_eq!(report.escape, None);
    let there = path.clone();
    let told = line(|| async move { tokio::fs::write(&there, "changed").await.is_err() });
    assert!(told.contains("tokio::fs::write") && told.contains("not changed"), "{told}");
    assert_eq!(fs::read(&path).expect("it is there"), b"as it was");
    fs::remove_file(path).expect("it is this test's own");
}
