//! The system calls that leave the simulation: what each would do, when it counts, and what its
//! caller gets instead.
//!
//! A call is listed by what it does to the run: it reads a real clock or real entropy, reaches
//! another program, changes a file, waits in real time, or starts a process. Reading a file and
//! writing to standard output and standard error are not listed: fixtures and logs need both.
//! `filter` turns the list into a filter of the thread, `trap` answers the calls that it stops.

use std::ffi::c_long;

use super::outside::Outside;

/// Calls of one kind that count under the same condition.
pub(super) struct Group {
    pub(super) outside: Outside,
    pub(super) when: When,
    pub(super) answer: Answer,
    pub(super) calls: &'static [(c_long, &'static str)],
}

/// When a call counts, by what the kernel shows a filter: the lower halves of its arguments, and
/// nothing that a pointer points to.
#[derive(Clone, Copy)]
pub(super) enum When {
    Always,
    /// The argument at this place is at least this.
    AtLeast(usize, u32),
    /// The argument at this place has one of these bits.
    AnyBit(usize, u32),
    /// The argument at this place is one of these.
    OneOf(usize, &'static [u32]),
    /// The clock is none of processor time.
    RealClock,
    /// A futex is waited for, and not for ever.
    TimedWait,
    /// As [`When::AnyBit`], of the flags in the structure that `openat2` points to. The filter stops
    /// every such call.
    OpensForWriting,
}

/// What the caller gets.
#[derive(Clone, Copy)]
pub(super) enum Answer {
    /// What it asked for: the run has failed, and goes on to its end.
    AsAsked,
    /// This result, and nothing is done.
    Instead(i64),
}

/// A file is opened to be changed, or made.
pub(super) const OPENS_FOR_WRITING: u32 =
    (libc::O_WRONLY | libc::O_RDWR | libc::O_CREAT | libc::O_TRUNC | libc::O_APPEND) as u32;
/// The first descriptor that is none of standard input, output and error.
const OWN_DESCRIPTOR: u32 = 3;
/// `fcntl` commands that lock a part of a file.
const LOCKS: &[u32] = &[
    libc::F_SETLK as u32,
    libc::F_SETLKW as u32,
    libc::F_OFD_SETLK as u32,
    libc::F_OFD_SETLKW as u32,
];

const REFUSED: Answer = Answer::Instead(-(libc::EPERM as i64));
const OVER_AT_ONCE: Answer = Answer::Instead(0);

macro_rules! group {
    ($kind:ident, $when:expr, $answer:expr, [$($call:ident)*]) => {
        Group {
            outside: Outside::$kind,
            when: $when,
            answer: $answer,
            calls: &[$((libc::$call, stringify!($call).split_at("SYS_".len()).1)),*],
        }
    };
}

/// Every call that leaves the simulation, the most frequent first, because the filter is run
/// before each system call of the thread.
pub(super) const GROUPS: &[Group] = &[
    group!(Wait, When::TimedWait, Answer::Instead(-(libc::ETIMEDOUT as i64)), [SYS_futex]),
    group!(Entropy, When::Always, Answer::AsAsked, [SYS_getrandom]),
    group!(Clock, When::RealClock, Answer::AsAsked, [SYS_clock_gettime]),
    group!(Clock, When::Always, Answer::AsAsked, [SYS_gettimeofday SYS_time]),
    group!(Input, When::OneOf(0, &[0]), REFUSED, [SYS_read SYS_readv]),
    group!(File, When::AtLeast(0, OWN_DESCRIPTOR), REFUSED, [
        SYS_write SYS_writev SYS_pwrite64 SYS_pwritev SYS_pwritev2 SYS_sendfile SYS_vmsplice
    ]),
    group!(File, When::AtLeast(1, OWN_DESCRIPTOR), REFUSED, [SYS_tee]),
    group!(File, When::AtLeast(2, OWN_DESCRIPTOR), REFUSED, [SYS_splice SYS_copy_file_range]),
    group!(File, When::AnyBit(1, OPENS_FOR_WRITING), REFUSED, [SYS_open]),
    group!(File, When::AnyBit(2, OPENS_FOR_WRITING), REFUSED, [SYS_openat]),
    group!(File, When::OpensForWriting, REFUSED, [SYS_openat2]),
    group!(File, When::OneOf(1, LOCKS), REFUSED, [SYS_fcntl]),
    group!(File, When::Always, REFUSED, [
        SYS_creat SYS_truncate SYS_ftruncate SYS_fallocate SYS_flock SYS_memfd_create
        SYS_rename SYS_renameat SYS_renameat2 SYS_link SYS_linkat SYS_symlink SYS_symlinkat
        SYS_unlink SYS_unlinkat SYS_mkdir SYS_mkdirat SYS_rmdir SYS_mknod SYS_mknodat
        SYS_chmod SYS_fchmod SYS_fchmodat SYS_fchmodat2 SYS_chown SYS_fchown SYS_lchown SYS_fchownat
        SYS_utime SYS_utimes SYS_futimesat SYS_utimensat
        SYS_setxattr SYS_lsetxattr SYS_fsetxattr SYS_removexattr SYS_lremovexattr SYS_fremovexattr
    ]),
    group!(Socket, When::Always, REFUSED, [
        SYS_socket SYS_socketpair SYS_connect SYS_bind SYS_listen SYS_accept SYS_accept4
        SYS_sendto SYS_sendmsg SYS_sendmmsg SYS_recvfrom SYS_recvmsg SYS_recvmmsg
    ]),
    group!(Descriptor, When::Always, REFUSED, [
        SYS_pipe SYS_pipe2 SYS_eventfd SYS_eventfd2 SYS_epoll_create SYS_epoll_create1
        SYS_inotify_init SYS_inotify_init1 SYS_fanotify_init SYS_io_uring_setup SYS_mq_open
        SYS_shmget SYS_msgget SYS_semget SYS_signalfd SYS_signalfd4
    ]),
    group!(Wait, When::Always, OVER_AT_ONCE, [
        SYS_nanosleep SYS_clock_nanosleep SYS_poll SYS_ppoll SYS_select SYS_pselect6
        SYS_epoll_wait SYS_epoll_pwait SYS_epoll_pwait2
    ]),
    group!(Wait, When::Always, REFUSED, [
        SYS_pause SYS_rt_sigsuspend SYS_rt_sigtimedwait
        SYS_alarm SYS_setitimer SYS_timer_create SYS_timerfd_create
    ]),
    group!(Process, When::Always, REFUSED, [
        SYS_execve SYS_execveat SYS_wait4 SYS_waitid SYS_kill SYS_tkill SYS_rt_sigqueueinfo
        SYS_rt_tgsigqueueinfo SYS_pidfd_open SYS_pidfd_send_signal SYS_ptrace
    ]),
];

/// Calls that start a thread or a process. The C library blocks all signals while it makes one, so
/// these are refused without a signal; `tripwire` notes the function that the C library was asked for.
pub(super) const STARTING: [c_long; 4] =
    [libc::SYS_clone, libc::SYS_clone3, libc::SYS_fork, libc::SYS_vfork];

/// The group of a call, and its name.
pub(super) fn find(number: c_long) -> Option<(&'static Group, &'static str)> {
    GROUPS.iter().find_map(|group| {
        let (_, name) = group.calls.iter().find(|(call, _)| *call == number)?;
        Some((group, *name))
    })
}
