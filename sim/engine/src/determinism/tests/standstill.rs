//! A run that lets no simulated time pass is given up with a line that names the user's code; one that
//! moves on, however slowly, is not.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use super::super::{Patience, clock, run, set_host};

/// Given up almost at once.
pub(super) const IMPATIENT: Patience =
    Patience { computing: Duration::from_millis(600), blocked: Duration::from_millis(600) };

/// Set at the end of a test, so that its thread ends.
struct Over(AtomicBool);

impl Over {
    const fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    fn is_so(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The line of a run on host `shop` that stands still.
#[track_caller]
fn standstill(over: &'static Over, task: impl AsyncFnOnce() + Send + 'static) -> String {
    let (outcome, report) = run(0, 0, false, IMPATIENT, move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        runtime.expect("it is plain").block_on(async {
            set_host("shop");
            task().await;
        });
    });
    over.0.store(true, Ordering::Relaxed);
    assert!(report.stands_still, "{outcome:?}");
    let told = outcome.expect_err("it stands still");
    assert_eq!(told.lines().count(), 1, "{told}");
    told
}

/// Where the place of a call can be found.
const IS_ASKED: bool = cfg!(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"));

#[track_caller]
fn names(told: &str, parts: &[&str]) {
    for part in parts.iter().filter(|_| IS_ASKED) {
        assert!(told.contains(part), "{part:?} is missing: {told}");
    }
}

#[inline(never)]
fn counts_seats(over: &Over) {
    let mut seats = 0_u64;
    while !over.is_so() {
        seats = black_box(seats.wrapping_mul(31) + 1);
    }
}

#[test]
fn task_that_computes_for_ever_is_named_with_its_line_and_host() {
    static OVER: Over = Over::new();
    let told = standstill(&OVER, async || counts_seats(&OVER));
    names(&told, &["tests/standstill.rs:", r#"on host "shop""#, "await a timer"]);
}

#[test]
fn loop_of_yield_now_is_named_with_its_line_and_host() {
    static OVER: Over = Over::new();
    let told = standstill(&OVER, async || {
        tokio::spawn(async {
            while !OVER.is_so() {
                tokio::task::yield_now().await;
            }
        })
        .await
        .expect("it does not panic");
    });
    names(&told, &["tests/standstill.rs:", r#"on host "shop""#, "yield_now"]);
}

#[test]
fn deadlock_of_a_std_mutex_is_named_with_its_line_and_host() {
    static OVER: Over = Over::new();
    static LOCK: Mutex<()> = Mutex::new(());
    let held = LOCK.lock().expect("nobody panicked");
    let told = standstill(&OVER, async || drop(LOCK.lock()));
    drop(held);
    names(&told, &["blocks its thread", "tests/standstill.rs:", r#"on host "shop""#]);
    names(&told, &["hold no lock of std"]);
}

#[test]
fn run_whose_steps_take_long_is_not_given_up() {
    // Far more than each step takes, even where the machine does something else.
    let patience = Patience { computing: Duration::from_secs(2), blocked: Duration::from_secs(2) };
    let (beat, beats) = mpsc::channel();
    thread::spawn(move || {
        while beat.send(()).is_ok() {
            thread::sleep(Duration::from_millis(400));
        }
    });
    let moves_on = move || {
        for step in 0..7 {
            beats.recv().expect("it goes on for as long as somebody listens");
            let begun = cpu_time();
            while cpu_time() - begun < Duration::from_millis(300) {}
            clock::set_now(Duration::from_millis(step));
        }
        cpu_time()
    };
    let begun = Instant::now();
    let (computed, report) = run(0, 0, false, patience, moves_on);
    assert!(!report.stands_still, "{computed:?}");
    // Longer than each limit allows for one step.
    assert!(computed.expect("nothing goes wrong") > patience.computing);
    assert!(begun.elapsed() > patience.blocked);
}

/// The CPU time of the calling thread, which no simulation hides.
fn cpu_time() -> Duration {
    let clock = nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID;
    Duration::from(nix::time::clock_gettime(clock).expect("every thread has one"))
}
