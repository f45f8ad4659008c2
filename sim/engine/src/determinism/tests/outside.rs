//! Nothing on a simulated thread reaches a real socket, file, process or second: each attempt is
//! refused and fails the run with a line that names the function, its caller and the remedy.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use super::super::{run, simulated, watches_system_calls};
use super::escapes::escape;
use super::standstill::IMPATIENT;

/// Fails unless the run of `attempt` ends with a line that names all of `parts` and this file;
/// `attempt` says whether it was refused.
#[track_caller]
fn is_refused(parts: &[&str], attempt: impl FnOnce() -> bool + Send + 'static) {
    let _first_run = escape(|| ());
    if !watches_system_calls() {
        return;
    }
    let (refused, report) = simulated(0, 0, false, attempt);
    let told = report.escape.unwrap_or_else(|| panic!("{parts:?} passed: {refused:?}"));
    assert_eq!(refused, Ok(true), "{told}");
    assert!(told.starts_with("simulated code reached past its seed: "), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
    for part in parts.iter().chain(&["called by", "tests/outside.rs:"]) {
        assert!(told.contains(part), "{part:?} is missing: {told}");
    }
}

fn dir(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("racetrack-{}-{name}", std::process::id()));
    fs::create_dir_all(&dir).expect("there is room for a directory");
    dir
}

#[test]
fn std_sockets_each_constructor_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it listens");
    listener.set_nonblocking(true).expect("it is a socket");
    let remedy = "serve the listener that the simulation passes in";
    is_refused(&["seed: socket, for std::net::tcp::", "connect", remedy], move || {
        TcpStream::connect(address).is_err()
    });
    is_refused(&["std::net::tcp::", "connect_timeout", remedy], move || {
        TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_err()
    });
    is_refused(&["std::net::tcp::", "bind", remedy], || TcpListener::bind("127.0.0.1:0").is_err());
    is_refused(&["std::net::udp::", "bind", remedy], || UdpSocket::bind("127.0.0.1:0").is_err());
    is_refused(&["std::os::unix::net::stream::", "connect", remedy], || {
        UnixStream::connect("/nowhere").is_err()
    });
    is_refused(&["socketpair", "std::os::unix::net::stream::", "pair", remedy], || {
        UnixStream::pair().is_err()
    });
    let path = dir("unix").join("socket");
    is_refused(&["std::os::unix::net::listener::", "bind", remedy], move || {
        UnixListener::bind(path).is_err()
    });
    assert!(listener.accept().is_err(), "no connection came out of the simulations");
}

#[test]
fn sockets_opened_before_the_run_are_refused_too() {
    let socket = || {
        let one = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
        one.connect(one.local_addr().expect("it is bound")).expect("it is its own peer");
        one
    };
    let (one, two, three) = (socket(), socket(), socket());
    is_refused(&["sendto, for std::net::udp::"], move || one.send(b"out").is_err());
    is_refused(&["recvfrom, for std::net::udp::"], move || two.recv(&mut [0; 8]).is_err());
    is_refused(&["connect"], move || three.connect("127.0.0.1:9").is_err());
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    is_refused(&["accept4, for std::net::tcp::"], move || listener.accept().is_err());
    let (mut one, _other) = UnixStream::pair().expect("two sockets");
    is_refused(&["std::os::unix::net::stream::"], move || one.write(b"out").is_err());
}

#[test]
fn names_are_not_looked_up() {
    let remedy = "connect by the host's name with the connector";
    is_refused(&["seed: getaddrinfo, for ", remedy], || {
        ("localhost", 80).to_socket_addrs().is_err()
    });
    is_refused(&["getaddrinfo, for std::net::tcp::", remedy], || {
        TcpStream::connect("localhost:1").is_err()
    });
}

#[test]
fn files_are_read_and_not_changed() {
    let dir = dir("files");
    let (there, new) = (dir.join("there"), dir.join("new"));
    fs::write(&there, "as it was").expect("there is room for a file");
    let here = there.clone();
    assert_eq!(
        escape(move || assert_eq!(fs::read(here).expect("it is there"), b"as it was")),
        None
    );
    let remedy = "keep what changes in memory";
    type Attempt = fn(&Path, &Path) -> bool;
    let attempts: [(&str, Attempt); 16] = [
        ("std::fs::write", |_, new| fs::write(new, "out").is_err()),
        ("std::fs::", |_, new| File::create(new).is_err()),
        ("std::fs::", |there, _| OpenOptions::new().append(true).open(there).is_err()),
        ("std::fs::", |there, _| OpenOptions::new().read(true).write(true).open(there).is_err()),
        ("rename", |there, new| fs::rename(there, new).is_err()),
        ("for std::", |there, new| fs::copy(there, new).is_err()),
        ("unlink", |there, _| fs::remove_file(there).is_err()),
        ("mkdir", |_, new| fs::create_dir(new).is_err()),
        ("mkdir", |_, new| fs::create_dir_all(new.join("deep")).is_err()),
        ("rmdir", |there, _| fs::remove_dir(there.parent().expect("it is in one")).is_err()),
        ("for std::", |there, _| {
            fs::remove_dir_all(there.parent().expect("it is in one")).is_err()
        }),
        ("link", |there, new| fs::hard_link(there, new).is_err()),
        ("std::os::unix::fs::", |there, new| symlink(there, new).is_err()),
        ("chmod", |there, _| {
            fs::set_permissions(there, fs::Permissions::from_mode(0o600)).is_err()
        }),
        ("std::fs::", |there, _| {
            let file = File::open(there).expect("it may be read");
            file.set_modified(std::time::SystemTime::UNIX_EPOCH).is_err()
        }),
        ("flock", |there, _| File::open(there).expect("it may be read").try_lock().is_err()),
    ];
    for (function, attempt) in attempts {
        let (there, new) = (there.clone(), new.clone());
        is_refused(&[function, remedy], move || attempt(&there, &new));
    }
    assert_eq!(fs::read(&there).expect("it is still there"), b"as it was");
    assert!(!new.exists());
    fs::remove_dir_all(dir).expect("it is this test's own");
}

#[test]
fn files_opened_before_the_run_are_not_written() {
    let path = dir("open").join("file");
    let open = || OpenOptions::new().create(true).append(true).open(&path).expect("it is made");
    let (mut one, two) = (open(), open());
    is_refused(&["write", "keep what changes in memory"], move || one.write(b"out").is_err());
    is_refused(&["ftruncate, for std::fs::"], move || two.set_len(5).is_err());
    assert_eq!(fs::read(path).expect("it is there"), b"");
}

#[test]
fn standard_output_and_error_may_be_written() {
    assert_eq!(
        escape(|| {
            std::io::stderr().write_all(b"").expect("it is open");
            // SAFETY: no bytes are read from the null pointer.
            #[allow(unsafe_code, reason = "past what the test harness captures")]
            let written = unsafe { libc::write(1, std::ptr::null(), 0) };
            assert_eq!(written, 0);
        }),
        None
    );
}

#[test]
fn standard_input_is_not_read() {
    is_refused(&["seed: read", "pass in what is read"], || {
        std::io::stdin().read(&mut [0; 8]).is_err()
    });
}

#[test]
fn real_time_does_not_pass() {
    let hour = Duration::from_secs(3_600);
    let begun = Instant::now();
    let remedy = "use tokio::time and tokio::sync";
    is_refused(&["clock_nanosleep, for std::thread::", "sleep", remedy], move || {
        thread::sleep(hour);
        true
    });
    is_refused(&["futex", "park_timeout", remedy], move || {
        thread::park_timeout(hour);
        true
    });
    is_refused(&["futex", "recv_timeout", remedy], move || {
        let (_keep, receiver) = mpsc::channel::<()>();
        receiver.recv_timeout(hour).is_err()
    });
    is_refused(&["futex", remedy], move || {
        let (lock, condition) = (Mutex::new(()), Condvar::new());
        let guard = lock.lock().expect("nobody panicked");
        condition.wait_timeout(guard, hour).expect("nobody panicked").1.timed_out()
    });
    #[allow(unsafe_code, reason = "std has no function for these")]
    is_refused(&["poll", remedy], || {
        // SAFETY: no descriptors are read from the null pointer.
        unsafe { libc::poll(std::ptr::null_mut(), 0, 3_600_000) == 0 }
    });
    assert!(begun.elapsed() < hour);
}

#[test]
fn processes_are_neither_started_nor_replaced_nor_signalled() {
    let remedy = "pass in what starts processes";
    let mut child = Command::new("sleep").arg("600").spawn().expect("outside it may be started");
    let id = child.id();
    is_refused(&["posix_spawn", "std::process::", "status", remedy], || {
        Command::new("/bin/true").status().is_err()
    });
    is_refused(&["std::process::", "output", remedy], || {
        Command::new("/bin/true").output().is_err()
    });
    is_refused(&["execve, for std::process::Command::exec", remedy], || {
        use std::os::unix::process::CommandExt;
        Command::new("/bin/true").exec().kind() == std::io::ErrorKind::PermissionDenied
    });
    #[allow(unsafe_code, reason = "std signals its own children only")]
    is_refused(&["seed: kill", remedy], move || {
        // SAFETY: kill(2) takes two integers.
        unsafe { libc::kill(id.cast_signed(), libc::SIGKILL) == -1 }
    });
    assert_eq!(child.try_wait().expect("it is ours"), None, "it still runs");
    child.kill().and_then(|()| child.wait()).expect("it ends");
}

#[test]
fn pipes_and_event_queues_are_refused() {
    is_refused(&["pipe2", "std::io::pipe", "use tokio::sync"], || std::io::pipe().is_err());
    is_refused(&["epoll_create1, for tokio::runtime::", "build", "use the runtime that"], || {
        tokio::runtime::Builder::new_current_thread().enable_all().build().is_err()
    });
}

/// The line with which the run of a task ends.
fn of_task<F: Future>(task: impl FnOnce() -> F + Send + 'static) -> String {
    let (_, report) = simulated(0, 0, false, || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        runtime.expect("it is plain").block_on(async { drop(task().await) });
    });
    report.escape.expect("the run has left the simulation")
}

#[test]
fn tokio_functions_are_named_with_the_users_line_and_the_remedy() {
    let told = [
        of_task(|| tokio::fs::remove_file("/nowhere/at/all")),
        of_task(|| tokio::net::lookup_host(("localhost", 80))),
        of_task(|| async { tokio::signal::ctrl_c().await }),
        of_task(|| async { tokio::net::TcpStream::connect("127.0.0.1:1").await }),
        of_task(|| async { tokio::net::TcpListener::bind("127.0.0.1:0").await }),
        of_task(|| async { tokio::net::UnixStream::connect("/nowhere").await }),
        of_task(|| async { tokio::process::Command::new("/bin/true").status().await }),
        of_task(|| async { tokio::process::Command::new("/bin/true").output().await }),
        of_task(|| async {
            let mut stdin = tokio::io::stdin();
            tokio::io::AsyncReadExt::read(&mut stdin, &mut [0]).await
        }),
    ];
    let expected = [
        ("tokio::fs::remove_file", "not changed"),
        ("tokio::net::lookup_host", "connect by the host's name"),
        ("tokio::signal::", "pass in what ends the service"),
        ("tokio::net::tcp::stream", "serve the listener that the simulation passes in"),
        ("tokio::net::tcp::listener", "serve the listener that"),
        ("tokio::net::unix::stream", "serve the listener that"),
        ("tokio::process::", "pass in what starts processes"),
        ("tokio::process::", "pass in what starts processes"),
        ("tokio::io::", "pass in what is read"),
    ];
    for (told, (function, remedy)) in told.iter().zip(expected) {
        assert!(told.contains(function) && told.contains(remedy), "{function}: {told}");
        assert!(told.contains("tests/outside.rs:"), "{told}");
        assert!(!told.contains("enable_io"), "{told}");
    }
}

#[test]
fn tokio_sockets_made_of_open_ones_do_not_advise_to_enable_io() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.set_nonblocking(true).expect("it is a socket");
    let told = of_task(|| async { drop(tokio::net::TcpListener::from_std(listener)) });
    assert!(
        told.contains("tokio's I/O driver, for ") && told.contains("serve the listener"),
        "{told}"
    );
    assert!(told.contains("tests/outside.rs:") && !told.contains("enable_io"), "{told}");
}

#[test]
fn a_thread_that_ends_after_its_run_may_do_all_of_it() {
    struct WritesAtTheEnd(PathBuf);
    impl Drop for WritesAtTheEnd {
        fn drop(&mut self) {
            fs::write(&self.0, "out").expect("the run is over");
            let socket = UdpSocket::bind("127.0.0.1:0").expect("the run is over");
            let own = socket.local_addr().expect("it is bound");
            // Six arguments.
            assert_eq!(socket.send_to(b"out", own).expect("it is open"), 3);
            assert!(socket.as_raw_fd() > 2);
            thread::sleep(Duration::from_millis(1));
            fs::write(&self.0, "all").expect("the run is over");
        }
    }
    thread_local!(static LAST: std::cell::RefCell<Option<WritesAtTheEnd>> = const { std::cell::RefCell::new(None) });
    let path = dir("end").join("file");
    let last = WritesAtTheEnd(path.clone());
    let told = escape(|| LAST.with_borrow_mut(|slot| *slot = Some(last)));
    assert_eq!(told, None);
    assert_eq!(fs::read(path).expect("it was written"), b"all");
}

#[test]
fn code_that_tries_for_ever_is_given_up_with_the_reason() {
    static IS_TOLD: AtomicBool = AtomicBool::new(false);
    let (outcome, report) = run(0, 0, false, IMPATIENT, || {
        while !IS_TOLD.load(Ordering::Relaxed) {
            let _refused = File::create("/nowhere/at/all");
        }
    });
    IS_TOLD.store(true, Ordering::Relaxed);
    assert!(report.stands_still && outcome.is_err(), "{report:?}");
    let told = report.escape.expect("it has left the simulation");
    assert!(told.contains("openat, for std::fs::") && told.contains("tests/outside.rs:"), "{told}");
}
