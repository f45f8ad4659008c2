//! What a simulated thread asks of the kernel or of the processor without the C library: a system
//! call for entropy, the time or a thread, and the time stamp counter, which is also what the
//! kernel's own clock functions in user space (vDSO) read.
//!
//! A filter of system calls (seccomp) and a flag of the thread (`PR_SET_TSC`) turn each into a
//! signal on that thread and on no other. The handler notes it; then the call is made after all,
//! and the counter shows nothing, because by then the run has failed. Threads and processes are
//! refused without a signal, which the C library blocks while it starts them: they would inherit
//! the filter, and run beside the simulation.
//!
//! A filter lasts as long as its thread, and a simulated thread lives for one run. What the
//! thread's destructors ask for after the run is let through by the same handler without a note.
//!
//! On processors other than x86-64, and where a system forbids filters, nothing is armed, and only
//! `tripwire` is left. Random numbers of the processor (`rdrand`) cannot be seen.

#![allow(unsafe_code, reason = "signals, filters and registers are unsafe")]

use std::cell::Cell;
use std::ffi::{c_int, c_long, c_uint, c_void};
use std::mem;
use std::ptr;
use std::sync::OnceLock;

use libc::{SIGSEGV, SIGSYS, sigaction, siginfo_t, sock_filter, sock_fprog, ucontext_t};

use super::state;

/// The sixth argument of a system call that is none of the simulation's; no call that is filtered
/// has so many.
const LET_THROUGH: u32 = 0x7261_636b;
/// `AUDIT_ARCH_X86_64`: the filter leaves the calls of other processors' programs alone.
const X86_64: u32 = 0xc000_003e;
/// Calls that give entropy or the time.
const ASKING: [c_long; 3] = [libc::SYS_getrandom, libc::SYS_gettimeofday, libc::SYS_time];
/// Calls that start a thread or a process.
const STARTING: [c_long; 4] = [libc::SYS_clone, libc::SYS_clone3, libc::SYS_fork, libc::SYS_vfork];
/// Clocks from this one on belong to processes.
const CLOCKS: u32 = 12;

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
    let mut filter = filter();
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

/// The program that the kernel runs before each system call of the thread (BPF, see seccomp(2)).
///
/// ```text
///   another architecture            -> allow
///   clone, fork, ...                -> refuse
///   clock_gettime of a process      -> allow
///   clock_gettime, getrandom, ...   -> allow if the sixth argument is ours, else trap
///   anything else                   -> allow
/// ```
fn filter() -> Vec<sock_filter> {
    let load = |offset| step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, offset);
    let answer = |action| step(libc::BPF_RET | libc::BPF_K, 0, 0, action);
    let equal = |value, yes, no| step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, yes, no, value);
    let at_least =
        |value, yes, no| step(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, yes, no, value);
    let tail = [
        // clock_gettime: whose clock?
        load(argument(0)),
        equal(libc::CLOCK_PROCESS_CPUTIME_ID as u32, 4, 0),
        equal(libc::CLOCK_THREAD_CPUTIME_ID as u32, 3, 0),
        at_least(CLOCKS, 2, 0),
        // Whose call?
        load(argument(5)),
        equal(LET_THROUGH, 0, 1),
        answer(libc::SECCOMP_RET_ALLOW),
        answer(libc::SECCOMP_RET_TRAP),
        answer(libc::SECCOMP_RET_ERRNO | libc::EAGAIN as u32),
    ];
    let (whose_clock, whose_call, allow, refuse) = (0, 4, 6, 8);
    let mut jumps = vec![(libc::SYS_clock_gettime, whose_clock)];
    jumps.extend(ASKING.map(|call| (call, whose_call)));
    jumps.extend(STARTING.map(|call| (call, refuse)));
    let arch = mem::offset_of!(libc::seccomp_data, arch) as u32;
    let number = mem::offset_of!(libc::seccomp_data, nr) as u32;
    // Behind the jumps stands one more step, which allows what none of them took.
    let distance = |from_end: usize, target: usize| (from_end + 1 + target) as u8;
    let mut filter =
        vec![load(arch), equal(X86_64, 0, distance(jumps.len() + 1, allow)), load(number)];
    for (index, (call, target)) in jumps.iter().enumerate() {
        filter.push(equal(*call as u32, distance(jumps.len() - 1 - index, *target), 0));
    }
    filter.push(answer(libc::SECCOMP_RET_ALLOW));
    filter.extend(tail);
    filter
}

fn step(code: u32, yes: u8, no: u8, value: u32) -> sock_filter {
    // Every code of BPF fits: the largest is 0xb1.
    sock_filter { code: code as u16, jt: yes, jf: no, k: value }
}

/// Where the lower half of an argument stands in what a filter may look at.
fn argument(index: usize) -> u32 {
    (mem::offset_of!(libc::seccomp_data, args) + index * size_of::<u64>()) as u32
}

type Handler = extern "C" fn(c_int, *mut siginfo_t, *mut c_void);

fn handle((signal, handler): (c_int, Handler)) -> Before {
    // SAFETY: all zeroes is a valid `sigaction`: the default action, no flags, an empty mask.
    let (mut ours, mut before) = unsafe { mem::zeroed::<(sigaction, sigaction)>() };
    ours.sa_sigaction = handler as *const c_void as usize;
    ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
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

/// SIGSYS: the filter stopped a system call. Allocates nothing and takes no lock.
extern "C" fn on_call(signal: c_int, _: *mut siginfo_t, context: *mut c_void) {
    if !IS_FILTERED.get() {
        give_back(signal);
        return;
    }
    // SAFETY: the kernel passes the registers of the thread that was interrupted, which nobody
    // else looks at while the handler runs.
    let registers = unsafe { &mut (*context.cast::<ucontext_t>()).uc_mcontext.gregs };
    let call = registers[libc::REG_RAX as usize];
    let name = match call {
        libc::SYS_getrandom => "a system call for entropy",
        _ => "a system call for the time",
    };
    let _is_simulated = state::trap(name);
    let arguments = [libc::REG_RDI, libc::REG_RSI, libc::REG_RDX];
    let arguments = arguments.map(|register| registers[register as usize]);
    registers[libc::REG_RAX as usize] = let_through(call, arguments);
}

/// Makes the call in the name of the code that was interrupted.
fn let_through(call: c_long, [one, two, three]: [i64; 3]) -> i64 {
    let unused: c_long = 0;
    // SAFETY: the C library's `errno` of this thread is always there. The call is one of `ASKING`
    // or `clock_gettime`, and its arguments are those that its caller made it with.
    unsafe {
        let errno = libc::__errno_location();
        let before = *errno;
        let mut result = libc::syscall(
            call,
            one,
            two,
            three,
            unused,
            unused,
            c_long::from(LET_THROUGH as c_uint),
        );
        if result == -1 {
            result = -i64::from(*errno);
        }
        *errno = before;
        result
    }
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
            let _is_simulated = state::trap("the processor's time stamp counter");
            registers[libc::REG_RAX as usize] = 0;
            registers[libc::REG_RDX as usize] = 0;
            registers[libc::REG_RIP as usize] += instruction.len() as i64;
        }
        None => give_back(signal),
    }
}
