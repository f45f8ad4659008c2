//! What a process has cost so far: processor time and resident memory, as the kernel has them.
//!
//! It reads and parses; it never signals a process and never samples in the background.

use std::io;

use nix::sys::time::TimeValLike;
use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::{Pid, SysconfVar, sysconf};

/// A reading of one process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// User and system time of all its threads since the process began, in microseconds.
    pub cpu_us: u64,
    /// Resident memory, in bytes.
    pub rss_bytes: u64,
}

/// What process `pid` has used so far.
///
/// # Errors
///
/// The process is gone, or this system has no `/proc`.
pub fn usage_of(pid: u32) -> io::Result<Usage> {
    let statm = std::fs::read_to_string(format!("/proc/{pid}/statm"))?;
    let unreadable = || io::Error::other(format!("/proc/{pid} is not in the expected form"));
    let pages = resident_pages(&statm).ok_or_else(unreadable)?;
    Ok(Usage { cpu_us: cpu_us(pid)?, rss_bytes: pages * system(SysconfVar::PAGE_SIZE)? })
}

/// By the clock of the process: the ticks of `/proc/PID/stat`, of usually 10 ms, are zero for a server
/// that has little to do.
fn cpu_us(pid: u32) -> io::Result<u64> {
    let pid = i32::try_from(pid).map_err(io::Error::other)?;
    let spent = clock_gettime(clock_getcpuclockid(Pid::from_raw(pid))?)?;
    u64::try_from(spent.num_microseconds()).map_err(io::Error::other)
}

/// What this process has used so far.
///
/// # Errors
///
/// This system has no `/proc`.
pub fn usage_of_self() -> io::Result<Usage> {
    usage_of(std::process::id())
}

/// Processor time that all programs of this machine have used since it started, in microseconds.
///
/// # Errors
///
/// This system has no `/proc`.
pub fn usage_of_machine_us() -> io::Result<u64> {
    busy_us("cpu")
}

/// The same of one core, counted from 0.
///
/// # Errors
///
/// As [`usage_of_machine_us`], or there is no such core.
pub fn usage_of_core_us(core: usize) -> io::Result<u64> {
    busy_us(&format!("cpu{core}"))
}

fn busy_us(name: &str) -> io::Result<u64> {
    let stat = std::fs::read_to_string("/proc/stat")?;
    let ticks = busy_ticks(&stat, name).ok_or(io::ErrorKind::InvalidData)?;
    Ok(ticks * 1_000_000 / system(SysconfVar::CLK_TCK)?)
}

/// user, nice, system, idle, iowait, irq, softirq of `name`, without the two that are idleness.
fn busy_ticks(stat: &str, name: &str) -> Option<u64> {
    let mut lines = stat.lines().map(str::split_whitespace);
    let fields = lines.find_map(|mut fields| (fields.next() == Some(name)).then_some(fields))?;
    let ticks: Vec<u64> = fields.map_while(|field| field.parse().ok()).take(7).collect();
    let &[user, nice, system, _idle, _iowait, irq, softirq] = ticks.as_slice() else {
        return None;
    };
    Some(user + nice + system + irq + softirq)
}

/// A constant of this system: clock ticks a second, bytes a page.
fn system(constant: SysconfVar) -> io::Result<u64> {
    let value = sysconf(constant)?.and_then(|value| u64::try_from(value).ok());
    value.filter(|value| *value > 0).ok_or_else(|| io::ErrorKind::Unsupported.into())
}

fn resident_pages(statm: &str) -> Option<u64> {
    statm.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_for_a_disk_is_idleness_and_serving_interrupts_is_not() {
        assert_eq!(busy_ticks("cpu  1 2 4 800 900 8 16 32 0 0\ncpu0 1", "cpu"), Some(31));
        assert_eq!(busy_ticks("cpu0 1 2 4 800 900 8 16", "cpu"), None);
    }

    #[test]
    fn a_core_is_not_taken_for_another_or_for_all_of_them() {
        let stat = "cpu  9 0 0 0 0 0 0\ncpu1 1 0 0 0 0 0 0\ncpu10 2 0 0 0 0 0 0\nintr 3";
        assert_eq!(busy_ticks(stat, "cpu10"), Some(2));
        assert_eq!(busy_ticks(stat, "cpu1"), Some(1));
        assert_eq!(busy_ticks(stat, "cpu2"), None);
    }

    #[test]
    fn a_cut_off_line_is_unreadable_and_not_zero() {
        assert_eq!(resident_pages("100"), None);
    }

    #[test]
    fn this_very_process_uses_memory_and_less_than_a_tick_of_time_is_seen() {
        let used = || usage_of_self().expect("Linux has /proc");
        assert!(used().rss_bytes > 100_000);
        let before_us = used().cpu_us;
        assert!((0..100_000).any(|_| !(used().cpu_us - before_us).is_multiple_of(10_000)));
    }

    #[test]
    fn who_is_gone_has_used_nothing_that_could_be_told() {
        assert!(usage_of(u32::MAX).is_err());
        assert!(usage_of(i32::MAX as u32).is_err());
    }
}
