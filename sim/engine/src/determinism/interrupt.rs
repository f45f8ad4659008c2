//! Asks a thread of a run that stands still where it is: a signal interrupts it, and its handler takes
//! down the calls under way.
//!
//! The handler allocates, which the C library does not allow where it was interrupted itself. So it
//! does so only where the program's own code was interrupted, or a wait for another thread; elsewhere the
//! thread is asked again a moment later. If that goes wrong all the same, no answer comes, and the thread is
//! lost, as it was before.

#![allow(unsafe_code, reason = "signals and registers are unsafe")]

use std::time::Duration;

use tokio::runtime;

use super::callers::Callers;

/// Times that a thread is asked until it is found in the user's own code. One that goes round in a loop
/// of `yield_now` is found in tokio's most of the time.
const QUESTIONS_MAX: u32 = 60;
/// How long one answer may take.
const ANSWER_MAX: Duration = Duration::from_millis(500);

/// Where a thread is.
#[derive(Default)]
pub(super) struct At {
    pub(super) callers: Callers,
    /// The runtime that it polls tasks of.
    pub(super) runtime: Option<runtime::Id>,
}

/// The system's number of the calling thread; 0 where it has none.
#[cfg(target_os = "linux")]
pub(super) fn this_thread() -> i32 {
    // SAFETY: gettid(2) takes nothing and never fails.
    unsafe { libc::gettid() }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn this_thread() -> i32 {
    0
}

/// CPU time that a thread of this process has spent; `None` if it has ended or the system does not say.
#[cfg(target_os = "linux")]
pub(super) fn cpu_time(thread: i32) -> Option<Duration> {
    // MAKE_THREAD_CPUCLOCK of the kernel's <linux/posix-timers.h>, of the scheduler's clock.
    let clock = (!thread << 3) | 6;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a `timespec`; a clock of a thread that has ended is an error.
    let is_known = thread != 0 && unsafe { libc::clock_gettime(clock, &raw mut time) == 0 };
    is_known.then(|| Duration::new(time.tv_sec.cast_unsigned(), time.tv_nsec as u32))
}

#[cfg(not(target_os = "linux"))]
pub(super) fn cpu_time(_thread: i32) -> Option<Duration> {
    None
}

/// Asks a thread of this process until its answer names the user's code.
pub(super) fn find(thread: i32) -> At {
    let mut found = At::default();
    let mut unanswered = 0;
    for _ in 0..QUESTIONS_MAX {
        match signal::ask(thread) {
            signal::Answer::Calls(calls, runtime) => {
                let callers = Callers::of(&calls.to_string(), "");
                let is_final = callers.names_the_user();
                if is_final || found.callers.nearest().is_none() {
                    found = At { callers, runtime };
                }
                if is_final {
                    break;
                }
            }
            signal::Answer::NotHere => {}
            signal::Answer::Nothing => unanswered += 1,
        }
        if unanswered > 1 {
            break;
        }
    }
    found
}

#[cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
mod signal {
    use std::backtrace::Backtrace;
    use std::ffi::{c_int, c_void};
    use std::mem;
    use std::panic::catch_unwind;
    use std::ptr;
    use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicUsize, Ordering};
    use std::sync::{Mutex, PoisonError};

    use libc::{dl_phdr_info, sigaction, siginfo_t, size_t, ucontext_t};
    use tokio::runtime::{Handle, Id};

    use super::super::interpose::Real;
    use super::ANSWER_MAX;

    /// Of no meaning to programs, and ignored where nobody handles it.
    const SIGNAL: c_int = libc::SIGURG;
    /// Bytes of the C library's function `syscall`, by which std waits for other threads.
    const SYSCALL_BYTES: usize = 64;
    const PAUSE: std::time::Duration = std::time::Duration::from_millis(1);

    type Found = (Backtrace, Option<Id>);

    /// The thread that is asked; 0 while none is.
    static ASKED: AtomicI32 = AtomicI32::new(0);
    static FOUND: AtomicPtr<Found> = AtomicPtr::new(ptr::null_mut());
    static IS_ELSEWHERE: AtomicBool = AtomicBool::new(false);
    /// Where code stands that may be interrupted: the program's own, and the wait for other threads.
    static CODE: [AtomicUsize; 4] = [const { AtomicUsize::new(0) }; 4];

    pub(super) enum Answer {
        Calls(Backtrace, Option<Id>),
        /// It was where nothing can be said.
        NotHere,
        /// It did not answer.
        Nothing,
    }

    /// Asks a thread once.
    pub(super) fn ask(thread: c_int) -> Answer {
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        note_code();
        let before = handle();
        take();
        IS_ELSEWHERE.store(false, Ordering::Relaxed);
        ASKED.store(thread, Ordering::Release);
        // SAFETY: tgkill(2) takes integers; a thread that has ended is an error.
        let is_sent =
            unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, SIGNAL) == 0 };
        let answer = if is_sent { wait() } else { Answer::Nothing };
        ASKED.store(0, Ordering::Release);
        // SAFETY: a `sigaction` that the system gave.
        unsafe { sigaction(SIGNAL, &raw const before, ptr::null_mut()) };
        answer
    }

    fn wait() -> Answer {
        for _ in 0..ANSWER_MAX.as_millis() / PAUSE.as_millis() {
            if let Some(found) = take() {
                let (calls, runtime) = *found;
                return Answer::Calls(calls, runtime);
            }
            if IS_ELSEWHERE.load(Ordering::Acquire) {
                return Answer::NotHere;
            }
            #[allow(clippy::disallowed_methods, reason = "another thread than the simulated one")]
            std::thread::sleep(PAUSE);
        }
        Answer::Nothing
    }

    fn take() -> Option<Box<Found>> {
        let found = FOUND.swap(ptr::null_mut(), Ordering::AcqRel);
        // SAFETY: not null, hence from `Box::into_raw`, and taken out once.
        (!found.is_null()).then(|| unsafe { Box::from_raw(found) })
    }

    fn handle() -> sigaction {
        // SAFETY: all zeroes is a valid `sigaction`.
        let (mut ours, mut before) = unsafe { mem::zeroed::<(sigaction, sigaction)>() };
        ours.sa_sigaction = on_signal as extern "C" fn(c_int, *mut siginfo_t, *mut c_void)
            as *const c_void as usize;
        ours.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
        // SAFETY: both point to a `sigaction`; the handler has the type that SA_SIGINFO asks for.
        unsafe { sigaction(SIGNAL, &raw const ours, &raw mut before) };
        before
    }

    extern "C" fn on_signal(_: c_int, _: *mut siginfo_t, context: *mut c_void) {
        // SAFETY: gettid(2) touches no memory; the kernel passes the registers of the thread that was
        // interrupted.
        let (thread, at) =
            unsafe { (libc::gettid(), (*context.cast::<ucontext_t>()).uc_mcontext.gregs) };
        if ASKED.load(Ordering::Acquire) != thread {
            return;
        }
        let at = at[libc::REG_RIP as usize] as usize;
        let [own, own_end, wait, wait_end] =
            [0, 1, 2, 3].map(|i: usize| CODE[i].load(Ordering::Relaxed));
        if !(own..own_end).contains(&at) && !(wait..wait_end).contains(&at) {
            IS_ELSEWHERE.store(true, Ordering::Release);
            return;
        }
        // SAFETY: the C library's `errno` of this thread is always there.
        let errno = unsafe { *libc::__errno_location() };
        let runtime = catch_unwind(|| Some(Handle::try_current().ok()?.id())).ok().flatten();
        let found = Box::new((Backtrace::force_capture(), runtime));
        let unseen = FOUND.swap(Box::into_raw(found), Ordering::AcqRel);
        if !unseen.is_null() {
            // SAFETY: not null, hence from `Box::into_raw`, and taken out once.
            drop(unsafe { Box::from_raw(unseen) });
        }
        // SAFETY: as above.
        unsafe { *libc::__errno_location() = errno };
    }

    /// Finds the code that may be interrupted.
    fn note_code() {
        static WAIT: Real = Real::named(c"syscall");
        let wait = WAIT.address_or_abort() as usize;
        CODE[2].store(wait, Ordering::Relaxed);
        CODE[3].store(wait + SYSCALL_BYTES, Ordering::Relaxed);
        // SAFETY: the function looks at what it is passed during the call only.
        unsafe { libc::dl_iterate_phdr(Some(on_object), ptr::null_mut()) };
    }

    /// Notes the part of a loaded object that this function is in.
    unsafe extern "C" fn on_object(info: *mut dl_phdr_info, _: size_t, _: *mut c_void) -> c_int {
        let here = on_object
            as unsafe extern "C" fn(*mut dl_phdr_info, size_t, *mut c_void) -> c_int
            as *const c_void as usize;
        // SAFETY: the C library passes an object and as many headers as it says.
        let (base, headers) = unsafe {
            let info = &*info;
            (info.dlpi_addr, std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()))
        };
        for header in headers {
            let start = (base + header.p_vaddr) as usize;
            let part = start..start + header.p_memsz as usize;
            if header.p_type == libc::PT_LOAD && part.contains(&here) {
                CODE[0].store(part.start, Ordering::Relaxed);
                CODE[1].store(part.end, Ordering::Relaxed);
                return 1;
            }
        }
        0
    }
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu")))]
mod signal {
    use std::backtrace::Backtrace;

    use tokio::runtime::Id;

    #[allow(dead_code, reason = "no thread can be asked on this system")]
    pub(super) enum Answer {
        Calls(Backtrace, Option<Id>),
        NotHere,
        Nothing,
    }

    pub(super) fn ask(_thread: i32) -> Answer {
        Answer::Nothing
    }
}
