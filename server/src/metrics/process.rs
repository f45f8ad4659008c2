//! What the process uses, as the client libraries of Prometheus name it.
//!
//! It is read from the system, and so by the command alone: a server in a simulation has no process of
//! its own.

use std::fmt;

use procfs::ProcResult;
use procfs::process::{LimitValue, Process as ProcessFiles};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::registry::Unit;

/// Reads what this process uses.
pub(crate) type ReadProcess = fn() -> ProcResult<Process>;

/// What a process uses.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Process {
    cpu_s: f64,
    resident_bytes: u64,
    open_files: u64,
    /// None where there is no limit.
    open_files_max: Option<u64>,
    start_time_s: f64,
}

impl Process {
    /// What this process uses.
    ///
    /// # Errors
    ///
    /// The system does not say.
    pub(crate) fn read() -> ProcResult<Self> {
        let files = ProcessFiles::myself()?;
        let stat = files.stat()?;
        let ticks_per_s = procfs::ticks_per_second() as f64;
        Ok(Self {
            cpu_s: (stat.utime + stat.stime) as f64 / ticks_per_s,
            resident_bytes: stat.rss * procfs::page_size(),
            open_files: files.fd_count()? as u64,
            open_files_max: match files.limits()?.max_open_files.soft_limit {
                LimitValue::Value(files_max) => Some(files_max),
                LimitValue::Unlimited => None,
            },
            start_time_s: procfs::boot_time_secs()? as f64 + stat.starttime as f64 / ticks_per_s,
        })
    }
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let help = "User and system CPU time";
        let cpu = encoder.encode_descriptor(
            "process_cpu",
            help,
            Some(&Unit::Seconds),
            MetricType::Counter,
        )?;
        ConstCounter::new(self.cpu_s).encode(cpu)?;
        let gauge = MetricType::Gauge;
        let help = "Resident memory";
        encoder
            .encode_descriptor("process_resident_memory", help, Some(&Unit::Bytes), gauge)?
            .encode_gauge(&self.resident_bytes)?;
        encoder
            .encode_descriptor("process_open_fds", "Open file descriptors", None, gauge)?
            .encode_gauge(&self.open_files)?;
        if let Some(files_max) = self.open_files_max {
            let help = "File descriptors that may be open; each connection is one";
            encoder
                .encode_descriptor("process_max_fds", help, None, gauge)?
                .encode_gauge(&files_max)?;
        }
        let help = "Start of the process, since the Unix epoch";
        encoder
            .encode_descriptor("process_start_time", help, Some(&Unit::Seconds), gauge)?
            .encode_gauge(&self.start_time_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_read() {
        let process = Process::read().expect("the system says so");
        assert!(process.resident_bytes > 1 << 20, "{process:?}");
        assert!(process.open_files >= 3, "{process:?}");
        assert!(process.open_files_max.is_none_or(|files| files >= process.open_files));
        // 2020 to 2100.
        assert!((1_577_836_800.0..4_102_444_800.0).contains(&process.start_time_s), "{process:?}");
    }
}
