//! Each way past the seed fails the run with one line that names it; nobody else is disturbed.

#![allow(unsafe_code, reason = "the C library's functions are the subject")]

use std::ffi::CStr;
use std::fs::File;
use std::ptr;
use std::thread;

use super::super::{Patience, run, simulated, watches_system_calls};

/// How the run of `body` reached past its seed.
pub(super) fn escape(body: impl FnOnce() + Send + 'static) -> Option<String> {
    simulated(0, 0, false, body).1.escape
}

/// Fails unless that is told in one line, which begins like this.
#[track_caller]
fn escapes_by(way: &str, body: impl FnOnce() + Send + 'static) {
    let told = escape(body).expect("the run has left the simulation");
    let expected = format!("simulated code reached past its seed: {way}");
    assert!(told.starts_with(&expected), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
}

/// As [`escapes_by`], where system calls are watched.
#[track_caller]
fn is_trapped_as(way: &str, body: impl FnOnce() + Send + 'static) {
    let _first_run = escape(|| ());
    if watches_system_calls() {
        escapes_by(way, body);
    }
}

#[test]
fn functions_of_the_c_library_that_are_not_served_are_named() {
    // SAFETY: each is passed what it asks for: a null pointer where it allows that, or memory of
    // the right size.
    unsafe {
        escapes_by("time", || _ = libc::time(ptr::null_mut()));
        escapes_by("gettimeofday", || {
            let mut now = libc::timeval { tv_sec: 0, tv_usec: 0 };
            libc::gettimeofday(&raw mut now, ptr::null_mut());
            assert!(now.tv_sec > 1_700_000_000, "it does what it always did");
        });
        escapes_by("rand", || _ = libc::rand());
    }
}

#[test]
fn whoever_calls_them_is_named_too() {
    #[inline(never)]
    fn careless_dependency() -> libc::time_t {
        // SAFETY: `time` allows a null pointer.
        std::hint::black_box(unsafe { libc::time(ptr::null_mut()) })
    }
    let told = escape(|| _ = careless_dependency()).expect("it is noted");
    assert!(told.contains("careless_dependency"), "{told}");
}

#[test]
fn a_random_device_is_not_opened_unseen_and_other_files_may_be() {
    escapes_by("open of a random device", || drop(File::open("/dev/urandom")));
    escapes_by("open of a random device", || {
        let (path, mode): (&CStr, &CStr) = (c"/dev/random", c"r");
        // SAFETY: both end in a zero byte; what was opened is closed.
        unsafe { libc::fclose(libc::fopen(path.as_ptr(), mode.as_ptr())) };
    });
    assert_eq!(escape(|| drop(File::open("/dev/null").expect("it is there"))), None);
}

#[test]
fn no_thread_is_started_and_no_process() {
    escapes_by("pthread_create", || {
        assert!(thread::Builder::new().spawn(|| ()).is_err());
    });
    escapes_by("posix_spawn", || {
        let status = std::process::Command::new("/bin/true").status();
        assert!(status.is_err() || !watches_system_calls(), "{status:?}");
    });
}

#[test]
fn system_calls_without_the_c_library_are_trapped_and_made() {
    is_trapped_as("a system call for entropy", || {
        let mut bytes = [0_u8; 64];
        // SAFETY: the buffer has that many bytes.
        let count =
            unsafe { libc::syscall(libc::SYS_getrandom, bytes.as_mut_ptr(), bytes.len(), 0) };
        assert_eq!(count, 64);
        assert!(bytes.iter().any(|byte| *byte != 0));
    });
    is_trapped_as("a system call for the time", || {
        let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `now` is a `timespec`.
        let status =
            unsafe { libc::syscall(libc::SYS_clock_gettime, libc::CLOCK_REALTIME, &raw mut now) };
        assert_eq!(status, 0);
        assert!(now.tv_sec > 1_700_000_000);
    });
}

#[test]
fn a_system_call_that_fails_says_why() {
    is_trapped_as("a system call for entropy", || {
        let nowhere = ptr::null_mut::<u8>();
        // SAFETY: the kernel checks where it writes to.
        let status = unsafe { libc::syscall(libc::SYS_getrandom, nowhere, 8, 0) };
        let error = std::io::Error::last_os_error().raw_os_error();
        assert_eq!((status, error), (-1, Some(libc::EFAULT)));
    });
}

#[cfg(target_arch = "x86_64")]
#[test]
fn the_time_stamp_counter_is_trapped_and_shows_nothing() {
    use std::arch::x86_64::{__rdtscp, _rdtsc};
    is_trapped_as("the processor's time stamp counter", || {
        let mut processor = 0;
        // SAFETY: every processor of this kind has both.
        let counts = unsafe { [_rdtsc(), __rdtscp(&raw mut processor)] };
        assert_eq!(counts, [0, 0]);
    });
}

#[test]
fn clocks_of_processor_time_may_be_read() {
    let told = escape(|| {
        let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `now` is a `timespec`.
        unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut now) };
        assert!(now.tv_nsec > 0, "it is real");
    });
    assert_eq!(told, None);
}

#[test]
fn the_first_way_is_told_and_the_next_run_is_a_clean_one() {
    // SAFETY: `time` allows a null pointer; `rand` takes nothing.
    escapes_by("rand", || unsafe {
        let _first_and_second = (libc::rand(), libc::time(ptr::null_mut()));
    });
    assert_eq!(escape(|| ()), None);
}

#[test]
fn ordinary_threads_are_left_alone() {
    let _a_run_came_before = escape(|| ());
    let beside = thread::spawn(|| {
        // SAFETY: `time` allows a null pointer.
        let now = unsafe { libc::time(ptr::null_mut()) };
        (now, File::open("/dev/urandom").is_ok(), std::process::Command::new("/bin/true").status())
    });
    let (now, is_open, status) = beside.join().expect("threads may be started");
    assert!(now > 1_700_000_000 && is_open && status.expect("processes too").success());
}

#[test]
fn a_stack_that_is_full_is_still_told_as_that() {
    // The handler of SIGSEGV gives back what it has not caused; the program that dies of it is a
    // process of its own.
    const CHILD: &str = "RACETRACK_TEST_FILLS_ITS_STACK";
    if std::env::var_os(CHILD).is_some() {
        fn fill(depth: u64) -> u64 {
            let page = std::hint::black_box([depth; 512]);
            if depth == u64::MAX { 0 } else { fill(depth + 1) + page[0] }
        }
        let _dies = run(0, 0, false, Patience::default(), || fill(0));
    }
    let program = std::env::current_exe().expect("a test has a path");
    let mut child = std::process::Command::new(program);
    child.args([
        "--exact",
        "determinism::tests::escapes::a_stack_that_is_full_is_still_told_as_that",
    ]);
    let output = child.env(CHILD, "1").output().expect("the test runs again");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("has overflowed its stack"), "{said}");
}
