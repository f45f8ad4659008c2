//! Rate limits of a session: a burst, and then a number per second.
//!
//! A generic cell rate algorithm (GCRA, ITU-T I.371): each limit keeps its theoretical arrival time (TAT),
//! eight bytes, because every session has three limits. The emission interval is the time between two
//! events at the full rate. An event is refused where it would put the TAT ahead of now by more than the
//! burst, which is the tolerance tau and one emission interval.

use protocol::Rated;

use super::{Instant, Rejected};
use crate::config::Config;

const NS_A_SECOND: u64 = 1_000_000_000;

/// The rate per second and the burst.
fn limit(what: Rated, config: &Config) -> (u32, u32) {
    match what {
        Rated::Messages => (config.messages_per_s_max, config.messages_burst_max),
        Rated::Nexts => (config.nexts_per_s_max, config.nexts_burst_max),
        Rated::Commands => (config.commands_per_s_max, config.commands_burst_max),
    }
}

/// The theoretical arrival times, in nanoseconds since the core was made.
#[derive(Debug, Default)]
pub(super) struct Rates {
    messages_ns: u64,
    nexts_ns: u64,
    commands_ns: u64,
}

impl Rates {
    /// Counts one event, or refuses it and says when to retry.
    pub(super) fn take(
        &mut self,
        now: Instant,
        what: Rated,
        config: &Config,
    ) -> Result<(), Rejected> {
        let (per_s_max, burst_max) = limit(what, config);
        let emission_interval_ns = NS_A_SECOND / u64::from(per_s_max.max(1));
        let ahead_max_ns = emission_interval_ns * u64::from(burst_max.max(1));
        let now_ns = now.0.as_nanos() as u64;
        let tat_ns = match what {
            Rated::Messages => &mut self.messages_ns,
            Rated::Nexts => &mut self.nexts_ns,
            Rated::Commands => &mut self.commands_ns,
        };
        let next_tat_ns = (*tat_ns).max(now_ns) + emission_interval_ns;
        let ahead_ns = next_tat_ns - now_ns;
        if ahead_ns > ahead_max_ns {
            let retry_after_ms = (ahead_ns - ahead_max_ns) / 1_000_000 + 1;
            return Err(Rejected::TooFast { what, retry_after_ms });
        }
        *tat_ns = next_tat_ns;
        Ok(())
    }
}
