//! Functions of the C library that give a clock, entropy, a thread or an address and that the
//! simulation does not serve: code that calls one on a simulated thread has left it.
//!
//! Nothing that runs in the simulation calls them today. A dependency that begins to would make
//! runs differ from time to time without a reason to be seen; so each call is noted, and the run
//! fails with the name of the function and of its caller. What they do is left as it is, except
//! that no thread is started, which would run beside the simulation, and no name is looked up. What
//! does without the C library is caught by `trap`. Nothing here panics or keeps a pointer that it
//! was given.

#![allow(unsafe_code, reason = "defining and calling the C library's functions is unsafe")]

use std::ffi::{CStr, c_char, c_int, c_long, c_uint, c_void};
use std::mem;

use libc::{
    FILE, addrinfo, mode_t, pid_t, pthread_attr_t, pthread_t, size_t, time_t, timespec, timeval,
};

use super::interpose::Real;
use super::outside::Outside;
use super::state;
use super::turns;

/// Files that are nothing but entropy.
const ENTROPY_FILES: [&[u8]; 3] = [b"/dev/urandom", b"/dev/random", b"/dev/hwrng"];

/// Keeps the functions of this file in the executable, where the linker finds them before the C
/// library's; a number so that nobody can leave it out.
pub(super) fn count() -> usize {
    let refused = [pthread_create as *const c_void, getaddrinfo as *const c_void];
    let files = [
        open as *const c_void,
        open64 as *const c_void,
        openat as *const c_void,
        openat64 as *const c_void,
        fopen as *const c_void,
        fopen64 as *const c_void,
    ];
    let noted = noted();
    let all = refused.iter().chain(&files).chain(&noted);
    all.filter(|address| !std::hint::black_box(**address).is_null()).count()
}

/// Functions that do what they always did, and are noted.
macro_rules! noted {
    ($($outside:ident: fn $name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?;)*) => {
        fn noted() -> [*const c_void; [$(stringify!($name)),*].len()] {
            [$($name as *const c_void),*]
        }

        $(
            /// Notes the call and passes it on.
            ///
            /// # Safety
            ///
            /// As the C library's function of this name.
            #[unsafe(no_mangle)]
            unsafe extern "C" fn $name($($argument: $type),*) $(-> $result)? {
                static REAL: Real = Real::named(match CStr::from_bytes_with_nul(
                    concat!(stringify!($name), "\0").as_bytes(),
                ) {
                    Ok(name) => name,
                    Err(_) => panic!("a name that ends in a zero byte"),
                });
                let _is_simulated = state::trip(stringify!($name), Outside::$outside);
                // SAFETY: the C library's function of this name has this type.
                let real = unsafe {
                    mem::transmute::<*mut c_void, unsafe extern "C" fn($($type),*) $(-> $result)?>(
                        REAL.address_or_abort(),
                    )
                };
                // SAFETY: the caller's promise is passed on.
                unsafe { real($($argument),*) }
            }
        )*
    };
}

noted! {
    Clock: fn gettimeofday(now: *mut timeval, zone: *mut c_void) -> c_int;
    Clock: fn time(now: *mut time_t) -> time_t;
    Clock: fn timespec_get(now: *mut timespec, base: c_int) -> c_int;
    Entropy: fn rand() -> c_int;
    Entropy: fn random() -> c_long;
    Entropy: fn arc4random() -> c_uint;
    Entropy: fn arc4random_buf(buffer: *mut c_void, length: size_t);
    Entropy: fn arc4random_uniform(bound: c_uint) -> c_uint;
    Process: fn fork() -> pid_t;
    Process: fn posix_spawn(
        process: *mut pid_t, path: *const c_char, actions: *const c_void,
        attributes: *const c_void, arguments: *const *mut c_char, environment: *const *mut c_char
    ) -> c_int;
    Process: fn posix_spawnp(
        process: *mut pid_t, path: *const c_char, actions: *const c_void,
        attributes: *const c_void, arguments: *const *mut c_char, environment: *const *mut c_char
    ) -> c_int;
}

type PthreadCreate = unsafe extern "C" fn(
    *mut pthread_t,
    *const pthread_attr_t,
    extern "C" fn(*mut c_void) -> *mut c_void,
    *mut c_void,
) -> c_int;

/// pthread_create(3): on a simulated thread there are never enough resources for another one, unless
/// tokio's pool asks for it.
///
/// # Safety
///
/// As the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn pthread_create(
    thread: *mut pthread_t,
    attributes: *const pthread_attr_t,
    start: extern "C" fn(*mut c_void) -> *mut c_void,
    argument: *mut c_void,
) -> c_int {
    static REAL: Real = Real::named(c"pthread_create");
    if state::is_simulated() {
        // SAFETY: the caller's promise is passed on.
        if unsafe { turns::start(thread, attributes, start, argument) } {
            return 0;
        }
        let _is_simulated = state::trip("pthread_create", Outside::Thread);
        return libc::EAGAIN;
    }
    // SAFETY: the C library's function of this name has this type.
    let real = unsafe { mem::transmute::<*mut c_void, PthreadCreate>(REAL.address_or_abort()) };
    // SAFETY: the caller's promise is passed on.
    unsafe { real(thread, attributes, start, argument) }
}

type GetAddrInfo = unsafe extern "C" fn(
    *const c_char,
    *const c_char,
    *const addrinfo,
    *mut *mut addrinfo,
) -> c_int;

/// getaddrinfo(3): on a simulated thread no name is known.
///
/// # Safety
///
/// As the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn getaddrinfo(
    name: *const c_char,
    service: *const c_char,
    hints: *const addrinfo,
    found: *mut *mut addrinfo,
) -> c_int {
    static REAL: Real = Real::named(c"getaddrinfo");
    if state::trip("getaddrinfo", Outside::Lookup) {
        return libc::EAI_FAIL;
    }
    // SAFETY: the C library's function of this name has this type.
    let real = unsafe { mem::transmute::<*mut c_void, GetAddrInfo>(REAL.address_or_abort()) };
    // SAFETY: the caller's promise is passed on.
    unsafe { real(name, service, hints, found) }
}

type Open = unsafe extern "C" fn(*const c_char, c_int, ...) -> c_int;
type OpenAt = unsafe extern "C" fn(c_int, *const c_char, c_int, ...) -> c_int;
type OpenFile = unsafe extern "C" fn(*const c_char, *const c_char) -> *mut FILE;

/// Functions that open a file, and are noted when it is one of entropy. Where C says that a
/// function takes more arguments, on Linux they come in the same registers as if it did not.
macro_rules! opening {
    ($($name:ident($path:ident) as $real:ty: ($($argument:ident: $type:ty),*) -> $result:ty;)*) => {$(
        /// Opens a file.
        ///
        /// # Safety
        ///
        /// As the C library's function of this name: `path` ends in a zero byte.
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name($($argument: $type),*) -> $result {
            static REAL: Real = Real::named(match CStr::from_bytes_with_nul(
                concat!(stringify!($name), "\0").as_bytes(),
            ) {
                Ok(name) => name,
                Err(_) => panic!("a name that ends in a zero byte"),
            });
            // SAFETY: the caller's promise about `path` is passed on.
            unsafe { note_opening($path) };
            // SAFETY: the C library's function of this name has this type.
            let real = unsafe { mem::transmute::<*mut c_void, $real>(REAL.address_or_abort()) };
            // SAFETY: the caller's promise is passed on.
            unsafe { real($($argument),*) }
        }
    )*};
}

opening! {
    open(path) as Open: (path: *const c_char, flags: c_int, mode: mode_t) -> c_int;
    open64(path) as Open: (path: *const c_char, flags: c_int, mode: mode_t) -> c_int;
    openat(path) as OpenAt: (dir: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int;
    openat64(path) as OpenAt: (dir: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int;
    fopen(path) as OpenFile: (path: *const c_char, mode: *const c_char) -> *mut FILE;
    fopen64(path) as OpenFile: (path: *const c_char, mode: *const c_char) -> *mut FILE;
}

/// # Safety
///
/// `path` is null or ends in a zero byte.
unsafe fn note_opening(path: *const c_char) {
    if !state::is_simulated() || path.is_null() {
        return;
    }
    // SAFETY: not null, hence ended by a zero byte by the caller's promise.
    let path = unsafe { CStr::from_ptr(path) }.to_bytes();
    if ENTROPY_FILES.contains(&path) {
        let _is_simulated = state::trip("open of a random device", Outside::Entropy);
    }
}
