//! What a simulated thread asks of the kernel or of the processor: system calls that leave the
//! simulation (`calls`), and the time stamp counter, which is also what the kernel's own clock
//! functions in user space (vDSO) read.
//!
//! A filter of system calls (`filter`) and a flag of the thread (`PR_SET_TSC`) turn each into a
//! signal on that thread and on no other. The handler notes it and gives the caller what `calls`
//! says: entropy and the time as asked, because by then the run has failed, and an error for what
//! would reach outside. Threads and processes are refused without a signal, which the C library
//! blocks while it starts them: they would inherit the filter, and run beside the simulation.
//!
//! A filter lasts as long as its thread, and a simulated thread lives for one run. What the
//! thread's destructors ask for after the run is let through by the same handler without a note.
//!
//! On processors other than x86-64, and where a system forbids filters, nothing is armed, and only
//! `tripwire` is left. Random numbers of the processor (`rdrand`) cannot be seen.

#![allow(unsafe_code, reason = "signals, filters and registers are unsafe")]

use std::cell::Cell;
use std::ffi::{c_int, c_long, c_void};
use std::mem;
use std::ptr;
use std::sync::OnceLock;

use libc::{SIGSEGV, SIGSYS, sigaction, siginfo_t, sock_fprog, ucontext_t};

use super::calls::{self, Answer, Group, When};
use super::filter;
use super::outside::Outside;
use super::state;

/// `rdtsc` and `rdtscp`.
const READ_COUNTER: [&[u8]; 2] = [&[0x0f, 0x31], &[0x0f, 0x01, 0xf9]];
/// `SI_KERNEL`: the processor refused an instruction.
const REFUSED: c_int = 128;

thread_local! {
    static IS_FILTERED: Cell<bool> = const { Cell::new(false) };
}

/// Who handled these signals before.
static BEFORE: OnceLock<[Before; 2]> = OnceLock::new();

struct Before(sigaction);

/// Sets the traps of the calling thread, which must be a simulated one; says whether all of them
/// are set.
pub(super) fn arm() -> bool {
    BEFORE.get_or_init(|| [(SIGSYS, on_call as Handler), (SIGSEGV, on_counter)].map(handle));
    let filtered = filter_calls();
    IS_FILTERED.set(filtered);
    filtered && show_counter(false)
}

/// Takes away the trap that can be taken away.
pub(super) fn disarm() {
    show_counter(true);
}

fn show_counter(is_shown: bool) -> bool {
    let mode = if is_shown { libc::PR_TSC_ENABLE } else { libc::PR_TSC_SIGSEGV };
    // SAFETY: prctl(2) takes an integer here and touches no memory.
    unsafe { libc::prctl(libc::PR_SET_TSC, mode) == 0 }
}

fn filter_calls() -> bool {
    let mut filter = filter::program(after_own_call());
    let Ok(len) = filter.len().try_into() else { return false };
    let program = sock_fprog { len, filter: filter.as_mut_ptr() };
    // SAFETY: prctl(2) takes integers here; seccomp(2) reads the program, which lives until after
    // the call, and copies it.
    unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::syscall(
                libc::SYS_seccomp,
                libc::SECCOMP_SET_MODE_FILTER,
                // Without it, older kernels slow the thread down for fear of its neighbours.
                libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW,
                &raw const program,
            ) == 0
    }
}

type Handler = extern "C" fn(c_int, *mut siginfo_t, *mut c_void);

/// Handles a signal. A system call is stopped between two instructions of ordinary code, so its
/// handler may take what is left of the thread's own stack, which walking the stack needs; a stack
/// that is full raises the other signal.
fn handle((signal, handler): (c_int, Handler)) -> Before {
    // SAFETY: all zeroes is a valid `sigaction`: the default action, no flags, an empty mask.
    let (mut ours, mut before) = unsafe { mem::zeroed::<(sigaction, sigaction)>() };
    ours.sa_sigaction = handler as *const c_void as usize;
    ours.sa_flags =
        if signal == SIGSYS { libc::SA_SIGINFO } else { libc::SA_SIGINFO | libc::SA_ONSTACK };
    // SAFETY: both point to a `sigaction`; the handler has the type that SA_SIGINFO asks for.
    unsafe { sigaction(signal, &raw const ours, &raw mut before) };
    Before(before)
}

/// A signal that is not about a simulated thread: whoever handled it before is asked when it comes
/// again, which it does at once.
fn give_back(signal: c_int) {
    let before = BEFORE.get().map(|[call, counter]| if signal == SIGSYS { call } else { counter });
    let before = before.map_or(ptr::null(), |before| &raw const before.0);
    // SAFETY: null, or a `sigaction` that lives as long as the program.
    unsafe { sigaction(signal, before, ptr::null_mut()) };
}

/// SIGSYS: the filter stopped a system call.
extern "C" fn on_call(signal: c_int, _: *mut siginfo_t, context: *mut c_void) {
    if !IS_FILTERED.get() {
        give_back(signal);
        return;
    }
    // SAFETY: the kernel passes the registers of the thread that was interrupted, which nobody
    // else looks at while the handler runs; the C library's `errno` of this thread is always there.
    let (registers, errno) = unsafe {
        (&mut (*context.cast::<ucontext_t>()).uc_mcontext.gregs, libc::__errno_location())
    };
    // SAFETY: as above.
    let before = unsafe { *errno };
    let number = registers[libc::REG_RAX as usize];
    let arguments = ARGUMENTS.map(|register| registers[register as usize]);
    let answer = leave(number, &arguments).unwrap_or_else(|| {
        let [one, two, three, four, five, six] = arguments;
        // SAFETY: the arguments are those that the call's maker made it with.
        unsafe { racetrack_call(number, one, two, three, four, five, six) }
    });
    registers[libc::REG_RAX as usize] = answer;
    // SAFETY: as above.
    unsafe { *errno = before };
}

/// Notes a call that leaves the simulation, and says what its caller gets instead; nothing if the
/// call is to be made.
fn leave(number: c_long, arguments: &[i64; 6]) -> Option<i64> {
    let (Group { outside, when, answer, .. }, name) = calls::find(number)?;
    // SAFETY: the caller's promise to the kernel: the third argument of `openat2` points to a
    // structure that begins with the flags.
    let only_reads = matches!(when, When::OpensForWriting)
        && unsafe { ptr::read_unaligned(arguments[2] as *const u64) }
            & u64::from(calls::OPENS_FOR_WRITING)
            == 0;
    if only_reads {
        return None;
    }
    let is_simulated = match outside {
        // An allocator may ask for these, so nothing is allocated.
        Outside::Entropy => state::trap("a system call for entropy", Outside::Entropy),
        Outside::Clock => state::trap("a system call for the time", Outside::Clock),
        _ => state::trip(name, *outside),
    };
    match answer {
        Answer::Instead(result) if is_simulated => Some(*result),
        _ => None,
    }
}

/// The arguments of a system call, in order.
const ARGUMENTS: [c_int; 6] =
    [libc::REG_RDI, libc::REG_RSI, libc::REG_RDX, libc::REG_R10, libc::REG_R8, libc::REG_R9];

unsafe extern "C" {
    /// Makes a system call with the one instruction that the filter lets through.
    fn racetrack_call(
        number: i64,
        one: i64,
        two: i64,
        three: i64,
        four: i64,
        five: i64,
        six: i64,
    ) -> i64;
    /// What stands behind that instruction.
    fn racetrack_after_call();
}

std::arch::global_asm!(
    ".hidden racetrack_call",
    ".globl racetrack_call",
    ".hidden racetrack_after_call",
    ".globl racetrack_after_call",
    ".type racetrack_call, @function",
    "racetrack_call:",
    "mov rax, rdi",
    "mov rdi, rsi",
    "mov rsi, rdx",
    "mov rdx, rcx",
    "mov r10, r8",
    "mov r8, r9",
    "mov r9, [rsp + 8]",
    "syscall",
    "racetrack_after_call:",
    "ret",
    ".size racetrack_call, . - racetrack_call",
);

/// Where the kernel says that a call comes from which [`racetrack_call`] makes.
fn after_own_call() -> usize {
    racetrack_after_call as unsafe extern "C" fn() as usize
}

/// SIGSEGV: perhaps the time stamp counter was read. Allocates nothing and takes no lock.
extern "C" fn on_counter(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel passes what the signal is about, and the registers of the thread that was
    // interrupted.
    let (code, registers) =
        unsafe { ((*info).si_code, &mut (*context.cast::<ucontext_t>()).uc_mcontext.gregs) };
    let at = registers[libc::REG_RIP as usize];
    let is_ours = code == REFUSED && IS_FILTERED.get();
    // SAFETY: the processor has just read an instruction here, of three bytes if it begins as
    // `rdtscp` does.
    let is_instruction = |bytes: &&&[u8]| unsafe {
        let mut place = at as *const u8;
        bytes.iter().all(|byte| {
            let is_equal = *place == *byte;
            place = place.add(1);
            is_equal
        })
    };
    match READ_COUNTER.iter().filter(|_| is_ours).find(is_instruction) {
        Some(instruction) => {
            let _is_simulated = state::trap("the processor's time stamp counter", Outside::Clock);
            registers[libc::REG_RAX as usize] = 0;
            registers[libc::REG_RDX as usize] = 0;
            registers[libc::REG_RIP as usize] += instruction.len() as i64;
        }
        None => give_back(signal),
    }
}
