//! How often something may be announced: by everybody together, and by each address.
//!
//! An announcement wakes everybody who is parked, so there is one rate for all of them. An address may
//! use up a part of it alone: however often one asks, there is something left for the others. Both are
//! kept by GCRA (ITU-T I.371). An address is forgotten as soon as it has paid; there are no more of them
//! than announcements that are not paid for.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use crate::addresses::subscriber;
use crate::config::Config;

/// The part of the rate that one address may use up.
const SHARE: u32 = 4;

/// What may be announced, and what was.
pub(super) struct Allowance {
    /// Between two announcements, in the long run.
    interval: Duration,
    /// What may be owed: by one announcement less than may come at once.
    burst_max: u32,
    all: Instant,
    by_address: BTreeMap<Option<IpAddr>, Instant>,
}

/// When to come back.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooFast(pub(super) Duration);

impl Allowance {
    /// As much as one session may say.
    pub(super) fn new(config: &Config) -> Self {
        Self {
            interval: Duration::from_secs(1) / config.messages_per_s_max,
            burst_max: config.messages_burst_max,
            all: Instant::now(),
            by_address: BTreeMap::new(),
        }
    }

    /// Takes one announcement of this address, or nothing.
    pub(super) fn take(&mut self, now: Instant, address: Option<IpAddr>) -> Result<(), TooFast> {
        let address = address.map(subscriber);
        let all = paid(self.all, now, self.interval, self.burst_max)?;
        let one = self.by_address.get(&address).copied().unwrap_or(now);
        let one = paid(one, now, self.interval * SHARE, self.burst_max.div_ceil(SHARE))?;
        self.all = all;
        self.by_address.retain(|_, paid_until| *paid_until > now);
        self.by_address.insert(address, one);
        Ok(())
    }
}

/// Until when an account is paid, with one announcement more.
fn paid(until: Instant, now: Instant, price: Duration, burst: u32) -> Result<Instant, TooFast> {
    let owed = until.max(now) + price - now;
    let credit = price * burst;
    if owed > credit { Err(TooFast(owed - credit)) } else { Ok(now + owed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().expect("an address"))
    }

    fn allowance(per_s: u32, burst: u32) -> (Allowance, Instant) {
        let (messages_per_s_max, messages_burst_max) = (per_s, burst);
        let config = Config { messages_per_s_max, messages_burst_max, ..Config::default() };
        let allowance = Allowance::new(&config);
        let now = allowance.all;
        (allowance, now)
    }

    /// How many of these attempts succeed.
    fn count(allowance: &mut Allowance, now: Instant, address: &str, attempts: u32) -> usize {
        (0..attempts).filter(|_| allowance.take(now, ip(address)).is_ok()).count()
    }

    #[tokio::test]
    async fn one_address_that_never_stops_leaves_most_of_the_rate_to_the_others() {
        let (mut allowance, mut now) = allowance(20, 40);
        let mut announced = [0, 0, 0];
        for _ in 0..20 {
            announced[0] += count(&mut allowance, now, "192.0.2.1", 1_000);
            announced[1] += count(&mut allowance, now, "192.0.2.2", 2);
            announced[2] += count(&mut allowance, now, "2001:db8::1", 3);
            now += SECOND;
        }
        assert_eq!(announced, [10 + 19 * 5, 40, 60]);
    }

    #[tokio::test]
    async fn all_addresses_together_keep_to_the_rate_and_are_forgotten() {
        let (mut allowance, now) = allowance(20, 40);
        let addresses: Vec<_> = (1..=50).map(|nth| format!("192.0.2.{nth}")).collect();
        let all: usize =
            addresses.iter().map(|address| count(&mut allowance, now, address, 2)).sum();
        assert_eq!(all, 40);
        assert_eq!(allowance.by_address.len(), 20);
        assert_eq!(count(&mut allowance, now + SECOND, "192.0.2.1", 1), 1);
        assert_eq!(allowance.by_address.len(), 1);
    }

    #[tokio::test]
    async fn network_of_a_subscriber_is_one_address_and_a_small_burst_still_one_announcement() {
        let (mut allowance, now) = allowance(1, 2);
        assert_eq!(allowance.take(now, ip("2001:db8::1")), Ok(()));
        assert_eq!(allowance.take(now, ip("2001:db8::2")), Err(TooFast(4 * SECOND)));
        assert_eq!(allowance.take(now, ip("192.0.2.1")), Ok(()));
        assert_eq!(allowance.take(now, ip("::ffff:192.0.2.2")), Err(TooFast(SECOND)));
    }
}
