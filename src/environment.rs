//! The machine, as far as a figure depends on it.

use std::fs;

use reports::run::Environment;

/// What is known of this machine; what cannot be read stays empty.
pub(crate) fn environment() -> Environment {
    Environment {
        os: format!("Linux {}", first_line("/proc/sys/kernel/osrelease")),
        cpu: field("/proc/cpuinfo", "model name"),
        cores: racetrack_sim::sweep::cores(),
        memory_bytes: kibibytes(&field("/proc/meminfo", "MemTotal")) * 1_024,
        open_files_max: open_files_max(),
        racetrack: crate::VERSION.to_owned(),
        profile: crate::PROFILE.to_owned(),
    }
}

/// The command that makes this run again.
pub(crate) fn command_line() -> String {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    format!("racetrack {}", arguments.join(" ")).trim_end().to_owned()
}

fn first_line(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().lines().next().unwrap_or_default().to_owned()
}

fn field(path: &str, name: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_default().trim_start_matches([' ', '\t', ':']).to_owned()
}

fn kibibytes(text: &str) -> u64 {
    text.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or_default()
}

fn open_files_max() -> u64 {
    let limits = field("/proc/self/limits", "Max open files");
    limits.split_whitespace().next().and_then(|soft| soft.parse().ok()).unwrap_or_default()
}
