//! Rate limits of announcements: one for all clients together, and one for each address.
//!
//! An announcement wakes every parked request, so one rate limits all of them. One address may use up
//! a quarter of it, which leaves the rest to the others. Both limits are a GCRA (ITU-T I.371) and keep
//! the theoretical arrival time (TAT). An address whose TAT has passed is forgotten.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use crate::addresses::subscriber;
use crate::config::Config;

/// One address may use up one in so many of the announcements.
const SHARE: u32 = 4;

/// The TAT of all announcements together and of each address.
pub(super) struct AnnounceRate {
    /// Time between two announcements at the full rate.
    emission_interval: Duration,
    /// Announcements that may come at once.
    burst_max: u32,
    all: Instant,
    by_address: BTreeMap<Option<IpAddr>, Instant>,
}

/// Time to wait before the next attempt.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooFast(pub(super) Duration);

impl AnnounceRate {
    /// The limits of messages of one session.
    pub(super) fn new(config: &Config) -> Self {
        Self {
            emission_interval: Duration::from_secs(1) / config.messages_per_s_max,
            burst_max: config.messages_burst_max,
            all: Instant::now(),
            by_address: BTreeMap::new(),
        }
    }

    /// Counts one announcement of this address, or refuses it.
    pub(super) fn take(&mut self, now: Instant, address: Option<IpAddr>) -> Result<(), TooFast> {
        let address = address.map(subscriber);
        let all = next_tat(self.all, now, self.emission_interval, self.burst_max)?;
        let one = self.by_address.get(&address).copied().unwrap_or(now);
        let one =
            next_tat(one, now, self.emission_interval * SHARE, self.burst_max.div_ceil(SHARE))?;
        self.all = all;
        self.by_address.retain(|_, tat| *tat > now);
        self.by_address.insert(address, one);
        Ok(())
    }
}

/// The TAT after one announcement more.
fn next_tat(
    tat: Instant,
    now: Instant,
    emission_interval: Duration,
    burst: u32,
) -> Result<Instant, TooFast> {
    let ahead = tat.max(now) + emission_interval - now;
    let ahead_max = emission_interval * burst;
    if ahead > ahead_max { Err(TooFast(ahead - ahead_max)) } else { Ok(now + ahead) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().expect("an address"))
    }

    fn rate(per_s: u32, burst: u32) -> (AnnounceRate, Instant) {
        let (messages_per_s_max, messages_burst_max) = (per_s, burst);
        let config = Config { messages_per_s_max, messages_burst_max, ..Config::default() };
        let rate = AnnounceRate::new(&config);
        let now = rate.all;
        (rate, now)
    }

    /// How many of these attempts succeed.
    fn count(rate: &mut AnnounceRate, now: Instant, address: &str, attempts: u32) -> usize {
        (0..attempts).filter(|_| rate.take(now, ip(address)).is_ok()).count()
    }

    #[tokio::test]
    async fn one_address_that_never_stops_leaves_most_of_the_rate_to_the_others() {
        let (mut rate, mut now) = rate(20, 40);
        let mut announced = [0, 0, 0];
        for _ in 0..20 {
            announced[0] += count(&mut rate, now, "192.0.2.1", 1_000);
            announced[1] += count(&mut rate, now, "192.0.2.2", 2);
            announced[2] += count(&mut rate, now, "2001:db8::1", 3);
            now += SECOND;
        }
        assert_eq!(announced, [10 + 19 * 5, 40, 60]);
    }

    #[tokio::test]
    async fn all_addresses_together_keep_to_the_rate_and_are_forgotten() {
        let (mut rate, now) = rate(20, 40);
        let addresses: Vec<_> = (1..=50).map(|nth| format!("192.0.2.{nth}")).collect();
        let all: usize = addresses.iter().map(|address| count(&mut rate, now, address, 2)).sum();
        assert_eq!(all, 40);
        assert_eq!(rate.by_address.len(), 20);
        assert_eq!(count(&mut rate, now + SECOND, "192.0.2.1", 1), 1);
        assert_eq!(rate.by_address.len(), 1);
    }

    #[tokio::test]
    async fn network_of_a_subscriber_is_one_address_and_a_small_burst_still_one_announcement() {
        let (mut rate, now) = rate(1, 2);
        assert_eq!(rate.take(now, ip("2001:db8::1")), Ok(()));
        assert_eq!(rate.take(now, ip("2001:db8::2")), Err(TooFast(4 * SECOND)));
        assert_eq!(rate.take(now, ip("192.0.2.1")), Ok(()));
        assert_eq!(rate.take(now, ip("::ffff:192.0.2.2")), Err(TooFast(SECOND)));
    }
}
