//! How often a session may do something: so many times at once, and then so many a second.
//!
//! A generic cell rate algorithm (GCRA, ITU-T I.371), of which one moment is kept: the one up to which
//! everything so far is paid for. Eight bytes each, because every session has three.

use super::{Instant, Rejected};
use crate::config::Config;

const NS_A_SECOND: u64 = 1_000_000_000;

/// What is limited by a rate, in the words of the refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rated {
    /// Messages that were not said before.
    Messages,
    /// Requests for another partner.
    Nexts,
    /// Every other command that may come again and again.
    Commands,
}

impl std::fmt::Display for Rated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Messages => "messages",
            Self::Nexts => "requests for another partner",
            Self::Commands => "commands",
        })
    }
}

impl Rated {
    /// How many a second, and how many at once.
    fn limit(self, config: &Config) -> (u32, u32) {
        match self {
            Self::Messages => (config.messages_per_s_max, config.messages_burst_max),
            Self::Nexts => (config.nexts_per_s_max, config.nexts_burst_max),
            Self::Commands => (config.commands_per_s_max, config.commands_burst_max),
        }
    }
}

/// The moments up to which everything is paid for, in nanoseconds since the core was made.
#[derive(Debug, Default)]
pub(super) struct Rates {
    messages_ns: u64,
    nexts_ns: u64,
    commands_ns: u64,
}

impl Rates {
    /// Takes one out of the session's allowance.
    pub(super) fn pay(
        &mut self,
        now: Instant,
        what: Rated,
        config: &Config,
    ) -> Result<(), Rejected> {
        let (per_s_max, burst_max) = what.limit(config);
        let price_ns = NS_A_SECOND / u64::from(per_s_max.max(1));
        let credit_ns = price_ns * u64::from(burst_max.max(1));
        let now_ns = now.0.as_nanos() as u64;
        let paid_ns = match what {
            Rated::Messages => &mut self.messages_ns,
            Rated::Nexts => &mut self.nexts_ns,
            Rated::Commands => &mut self.commands_ns,
        };
        let after_ns = (*paid_ns).max(now_ns) + price_ns;
        let owed_ns = after_ns - now_ns;
        if owed_ns > credit_ns {
            let retry_after_ms = (owed_ns - credit_ns) / 1_000_000 + 1;
            return Err(Rejected::TooFast { what, retry_after_ms });
        }
        *paid_ns = after_ns;
        Ok(())
    }
}
