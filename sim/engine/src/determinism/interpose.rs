//! The three functions of the C library that stand in for the real ones.
//!
//! An executable's own definition of `getrandom`, `getentropy` or
//! `clock_gettime` comes before the C library's, for std (linked statically)
//! as for crates that look the name up at run time. On a simulated thread
//! each answers from that thread's state; on any other, and when it is
//! re-entered, it jumps to the real function, found once and kept. Nothing
//! here panics, locks or keeps a pointer that it was given.

#![allow(unsafe_code, reason = "defining and calling the C library's functions is unsafe")]

use std::ffi::{CStr, c_int, c_long, c_uint, c_void};
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use libc::{clockid_t, size_t, ssize_t, timespec};

use super::{budget, state};

/// What Linux allows in one call of `getentropy`.
const GETENTROPY_BYTES_MAX: usize = 256;

type GetRandom = unsafe extern "C" fn(*mut c_void, size_t, c_uint) -> ssize_t;
type GetEntropy = unsafe extern "C" fn(*mut c_void, size_t) -> c_int;
type ClockGetTime = unsafe extern "C" fn(clockid_t, *mut timespec) -> c_int;

static REAL_GETRANDOM: Real = Real::named(c"getrandom");
static REAL_GETENTROPY: Real = Real::named(c"getentropy");
static REAL_CLOCK_GETTIME: Real = Real::named(c"clock_gettime");

/// Whether a look-up by name at run time finds the functions of this file.
pub(super) fn is_exported() -> bool {
    let ours: [(&CStr, *const c_void); 3] = [
        (c"getrandom", getrandom as GetRandom as *const c_void),
        (c"getentropy", getentropy as GetEntropy as *const c_void),
        (c"clock_gettime", clock_gettime as ClockGetTime as *const c_void),
    ];
    ours.into_iter().all(|(name, address)| {
        // SAFETY: `dlsym` only reads the name, which ends in a zero byte.
        let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
        ptr::eq(found, address)
    })
}

/// getrandom(2): on a simulated thread all flags mean the same.
///
/// # Safety
///
/// As the C library's: `buffer` points to `length` writable bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn getrandom(buffer: *mut c_void, length: size_t, flags: c_uint) -> ssize_t {
    // SAFETY: the caller's promise about `buffer` and `length` is passed on.
    if unsafe { draw(buffer, length) } {
        return ssize_t::try_from(length).unwrap_or(ssize_t::MAX);
    }
    let Some(address) = REAL_GETRANDOM.address() else {
        // SAFETY: the system call takes the same arguments.
        return unsafe { libc::syscall(libc::SYS_getrandom, buffer, length, flags) as ssize_t };
    };
    // SAFETY: `address` is the C library's `getrandom`, which has this type.
    let real = unsafe { mem::transmute::<*mut c_void, GetRandom>(address) };
    // SAFETY: the caller's promise is passed on.
    unsafe { real(buffer, length, flags) }
}

/// getentropy(3).
///
/// # Safety
///
/// As the C library's: `buffer` points to `length` writable bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn getentropy(buffer: *mut c_void, length: size_t) -> c_int {
    // SAFETY: the caller's promise about `buffer` and `length` is passed on.
    if length <= GETENTROPY_BYTES_MAX && unsafe { draw(buffer, length) } {
        return 0;
    }
    let Some(address) = REAL_GETENTROPY.address() else {
        return fail(libc::ENOSYS);
    };
    // SAFETY: `address` is the C library's `getentropy`, which has this type.
    let real = unsafe { mem::transmute::<*mut c_void, GetEntropy>(address) };
    // SAFETY: the caller's promise is passed on.
    unsafe { real(buffer, length) }
}

/// clock_gettime(2): on a simulated thread, clocks of processor time are real.
///
/// # Safety
///
/// As the C library's: `time` is null or points to a writable `timespec`.
#[unsafe(no_mangle)]
unsafe extern "C" fn clock_gettime(clock: clockid_t, time: *mut timespec) -> c_int {
    let shown =
        |state: &mut state::State| Some((state.read_clock(clock)?, state.has_task_budget()));
    if let Some(((seconds, nanoseconds), has_task_budget)) = state::with(shown).flatten() {
        if time.is_null() {
            return fail(libc::EFAULT);
        }
        // SAFETY: not null, hence writable by the caller's promise.
        unsafe { time.write(timespec { tv_sec: seconds, tv_nsec: nanoseconds as c_long }) };
        if has_task_budget {
            budget::shorten_turn();
        }
        return 0;
    }
    let Some(address) = REAL_CLOCK_GETTIME.address() else {
        // SAFETY: the system call takes the same arguments.
        return unsafe { libc::syscall(libc::SYS_clock_gettime, clock, time) as c_int };
    };
    // SAFETY: `address` is the C library's `clock_gettime`, which has this type.
    let real = unsafe { mem::transmute::<*mut c_void, ClockGetTime>(address) };
    // SAFETY: the caller's promise is passed on.
    unsafe { real(clock, time) }
}

/// Serves a draw from this thread's seed; false if the thread has none.
///
/// # Safety
///
/// `buffer` points to `length` writable bytes; with no length it may dangle.
unsafe fn draw(buffer: *mut c_void, length: size_t) -> bool {
    let drawn = state::with(|state| {
        if length == 0 {
            return state.draw(&mut []);
        }
        // SAFETY: writable by the caller's promise, and initialised here, so
        // that a slice of bytes may be made of it. Nobody else holds it: the
        // caller lent it for this call.
        let bytes = unsafe {
            ptr::write_bytes(buffer.cast::<u8>(), 0, length);
            std::slice::from_raw_parts_mut(buffer.cast::<u8>(), length)
        };
        state.draw(bytes);
    });
    if drawn.is_some() {
        budget::shorten_turn();
    }
    drawn.is_some()
}

fn fail(errno: c_int) -> c_int {
    // SAFETY: the C library's `errno` of this thread is always writable.
    unsafe { *libc::__errno_location() = errno };
    -1
}

/// A function of the C library behind ours, looked up on first use.
pub(super) struct Real {
    name: &'static CStr,
    address: AtomicPtr<c_void>,
}

impl Real {
    pub(super) const fn named(name: &'static CStr) -> Self {
        Self { name, address: AtomicPtr::new(ptr::null_mut()) }
    }

    /// Where the next definition after ours stands, of a function that the C library has: or else
    /// nobody could have been linked to it.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    pub(super) fn address_or_abort(&self) -> *mut c_void {
        self.address().unwrap_or_else(|| std::process::abort())
    }

    /// Where the next definition after ours stands; `None` if there is none,
    /// as in a statically linked executable.
    fn address(&self) -> Option<*mut c_void> {
        // Relaxed is enough: the code behind the pointer was there before
        // the program started, and every thread that looks finds the same.
        let known = self.address.load(Ordering::Relaxed);
        if !known.is_null() {
            return Some(known);
        }
        // SAFETY: `dlsym` only reads the name, which ends in a zero byte.
        let found = unsafe { libc::dlsym(libc::RTLD_NEXT, self.name.as_ptr()) };
        self.address.store(found, Ordering::Relaxed);
        (!found.is_null()).then_some(found)
    }
}
