//! The program that the kernel runs before each system call of a simulated thread (BPF, see
//! seccomp(2)): it decides by the call's number and arguments whether the call is made.
//!
//! ```text
//!   another architecture                   -> allow
//!   clone, fork, ...                       -> refuse
//!   a call of `calls` that counts          -> allow if our own instruction makes it, else trap
//!   anything else                          -> allow
//! ```
//!
//! Whose call it is comes last, because the kernel remembers the calls that are allowed by their
//! number alone, and does not run the program for them again.

use std::ffi::c_long;
use std::mem;

use libc::sock_filter;

use super::calls::{GROUPS, STARTING, When};

/// `AUDIT_ARCH_X86_64`: the filter leaves the calls of other processors' programs alone.
const X86_64: u32 = 0xc000_003e;
/// Clocks from this one on belong to processes.
const CLOCKS: u32 = 12;
/// The part of a futex's operation that is no flag.
const OPERATION: u32 = 0x7f;
const WAITS: [u32; 4] = [
    libc::FUTEX_WAIT as u32,
    libc::FUTEX_WAIT_BITSET as u32,
    libc::FUTEX_LOCK_PI as u32,
    13, // FUTEX_LOCK_PI2
];

const JUMP: u16 = (libc::BPF_JMP | libc::BPF_JA) as u16;
/// Where a jump goes to the end of the program, before it is known how far that is.
const TO_END: u32 = u32::MAX;

/// The program. Calls that the instruction before `own` makes are allowed.
pub(super) fn program(own: usize) -> Vec<sock_filter> {
    let mut program = vec![
        load(mem::offset_of!(libc::seccomp_data, arch)),
        equal(X86_64, 1, 0),
        answer(libc::SECCOMP_RET_ALLOW),
        load(mem::offset_of!(libc::seccomp_data, nr)),
    ];
    for call in STARTING {
        let refuse = answer(libc::SECCOMP_RET_ERRNO | libc::EAGAIN as u32);
        program.extend(on(call, vec![refuse]));
    }
    for group in GROUPS {
        for (call, _) in group.calls {
            program.extend(on(*call, condition(group.when)));
        }
    }
    program.push(answer(libc::SECCOMP_RET_ALLOW));
    let end = program.len();
    for (index, step) in program.iter_mut().enumerate() {
        if step.code == JUMP && step.k == TO_END {
            step.k = (end - index - 1) as u32;
        }
    }
    program.extend(whose_call(own));
    program
}

/// The steps for one call.
fn on(call: c_long, steps: Vec<sock_filter>) -> Vec<sock_filter> {
    let length = u8::try_from(steps.len()).expect("a condition takes a few steps");
    let mut all = vec![equal(call as u32, 0, length)];
    all.extend(steps);
    all
}

/// Goes to the end of the program where the call counts, and allows it where it does not.
fn condition(when: When) -> Vec<sock_filter> {
    let (count, allow) = (|| step(JUMP, 0, 0, TO_END), || answer(libc::SECCOMP_RET_ALLOW));
    match when {
        When::Always | When::OpensForWriting => vec![count()],
        When::AtLeast(place, value) => {
            vec![load(argument(place)), at_least(value, 1, 0), allow(), count()]
        }
        When::AnyBit(place, bits) => {
            vec![load(argument(place)), any_bit(bits, 1, 0), allow(), count()]
        }
        When::OneOf(place, values) => {
            let mut steps = vec![load(argument(place))];
            steps.extend(one_of(values));
            steps.extend([allow(), count()]);
            steps
        }
        When::RealClock => vec![
            load(argument(0)),
            equal(libc::CLOCK_PROCESS_CPUTIME_ID as u32, 2, 0),
            equal(libc::CLOCK_THREAD_CPUTIME_ID as u32, 1, 0),
            at_least(CLOCKS, 0, 1),
            allow(),
            count(),
        ],
        When::TimedWait => {
            let mut steps = vec![load(argument(1)), and(OPERATION)];
            steps.extend(one_of(&WAITS));
            steps.extend([
                allow(),
                load(argument(3)),
                any_bit(u32::MAX, 3, 0),
                load(argument(3) + size_of::<u32>()),
                any_bit(u32::MAX, 1, 0),
                allow(),
                count(),
            ]);
            steps
        }
    }
}

/// Skips one step where the value is one of these.
fn one_of(values: &[u32]) -> impl Iterator<Item = sock_filter> {
    let distance = |index: usize| (values.len() - index) as u8;
    values.iter().enumerate().map(move |(index, value)| equal(*value, distance(index), 0))
}

/// The end: our own instruction may make every call.
fn whose_call(own: usize) -> [sock_filter; 6] {
    let at = mem::offset_of!(libc::seccomp_data, instruction_pointer);
    let (low, high) = (own as u32, (own as u64 >> u32::BITS) as u32);
    [
        load(at),
        equal(low, 0, 3),
        load(at + size_of::<u32>()),
        equal(high, 0, 1),
        answer(libc::SECCOMP_RET_ALLOW),
        answer(libc::SECCOMP_RET_TRAP),
    ]
}

fn load(offset: usize) -> sock_filter {
    step((libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16, 0, 0, offset as u32)
}

fn answer(action: u32) -> sock_filter {
    step((libc::BPF_RET | libc::BPF_K) as u16, 0, 0, action)
}

fn and(mask: u32) -> sock_filter {
    step((libc::BPF_ALU | libc::BPF_AND | libc::BPF_K) as u16, 0, 0, mask)
}

fn equal(value: u32, yes: u8, no: u8) -> sock_filter {
    step((libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16, yes, no, value)
}

fn at_least(value: u32, yes: u8, no: u8) -> sock_filter {
    step((libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16, yes, no, value)
}

fn any_bit(bits: u32, yes: u8, no: u8) -> sock_filter {
    step((libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K) as u16, yes, no, bits)
}

fn step(code: u16, yes: u8, no: u8, value: u32) -> sock_filter {
    sock_filter { code, jt: yes, jf: no, k: value }
}

/// Where the lower half of an argument stands in what a filter may look at.
fn argument(place: usize) -> usize {
    mem::offset_of!(libc::seccomp_data, args) + place * size_of::<u64>()
}
