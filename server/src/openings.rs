//! What each address has opened that outlives the connection it was opened over: how many it may have at
//! once, and how fast it may open them.
//!
//! A session, or an Engine.IO connection by long-polling, costs one request and stays when the socket of
//! that request is closed; a connection sends thousands of them in one write. So `addresses`, which counts
//! sockets, does not bound them. An address with too many, or which opens them too fast, has to wait.
//!
//! The rate is a generic cell rate algorithm (GCRA, ITU-T I.371). An address is forgotten when it has
//! nothing open and its rate is back where it began, by and by with what others open.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

use crate::addresses::subscriber;
use crate::config::Config;

/// Addresses without anything open that are looked at with each opening.
const IDLE_LOOKS: usize = 2;

/// Everything of one kind that addresses have opened.
#[derive(Debug)]
pub(crate) struct Openings {
    /// How many each may have open; 0 is no limit.
    each_max: usize,
    /// None where there is no limit.
    rate: Option<Rate>,
    book: Mutex<Book>,
}

#[derive(Debug, Clone, Copy)]
struct Rate {
    /// Time between two openings.
    interval: Duration,
    /// By how much openings may come before their time.
    tolerance: Duration,
}

#[derive(Debug, Default)]
struct Book {
    accounts: HashMap<IpAddr, Account>,
    /// Addresses that had nothing open when they were put here, and could not be forgotten yet.
    idle: VecDeque<IpAddr>,
}

#[derive(Debug)]
struct Account {
    open: usize,
    /// When the openings so far would have been due, had they come one by one.
    due: Instant,
    /// The address stands among the idle ones.
    is_idle: bool,
}

/// One of what an address has open, until it is dropped.
#[derive(Debug)]
pub(crate) struct Opening {
    /// None where nothing is limited.
    counted: Option<(Arc<Openings>, IpAddr)>,
}

/// Why an address may not open one more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    TooMany { each_max: usize },
    TooFast { retry_after_ms: u64 },
}

impl Openings {
    /// `each_max` of an address at once, as fast as the configuration says.
    pub(crate) fn new(each_max: usize, config: &Config) -> Arc<Self> {
        let per_s_max = config.opens_per_address_per_s_max;
        let interval = Duration::from_secs(1).checked_div(per_s_max);
        let rate = interval.map(|interval| Rate {
            interval,
            tolerance: interval * config.opens_per_address_burst_max.saturating_sub(1),
        });
        Arc::new(Self { each_max, rate, book: Mutex::default() })
    }

    /// Counts one more opening of this address.
    pub(crate) fn enter(self: &Arc<Self>, address: IpAddr) -> Result<Opening, Refused> {
        self.enter_at(address, Instant::now())
    }

    fn enter_at(self: &Arc<Self>, address: IpAddr, now: Instant) -> Result<Opening, Refused> {
        if self.each_max == 0 && self.rate.is_none() {
            return Ok(Opening { counted: None });
        }
        let address = subscriber(address);
        let mut book = self.lock();
        book.forget_idle(now);
        let known = book.accounts.get(&address);
        let (open, due) = known.map_or((0, now), |account| (account.open, account.due));
        if self.each_max > 0 && open >= self.each_max {
            return Err(Refused::TooMany { each_max: self.each_max });
        }
        let due = match self.rate {
            Some(rate) => rate.next(due, now)?,
            None => now,
        };
        let account =
            book.accounts.entry(address).or_insert(Account { open: 0, due, is_idle: false });
        account.open += 1;
        account.due = due;
        Ok(Opening { counted: Some((Arc::clone(self), address)) })
    }

    fn leave(&self, address: IpAddr, now: Instant) {
        let mut book = self.lock();
        let account = book.accounts.get_mut(&address).expect("an address with an opening is known");
        account.open -= 1;
        if account.open > 0 || account.is_idle {
            return;
        }
        if account.due <= now {
            book.accounts.remove(&address);
        } else {
            account.is_idle = true;
            book.idle.push_back(address);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().expect("nothing panics under this lock")
    }
}

impl Rate {
    /// When the opening after one at `now` is due, where those before are paid for until `due`.
    fn next(self, due: Instant, now: Instant) -> Result<Instant, Refused> {
        let due = due.max(now);
        let early = due - now;
        match early.checked_sub(self.tolerance) {
            Some(wait) if !wait.is_zero() => {
                Err(Refused::TooFast { retry_after_ms: wait.as_millis() as u64 + 1 })
            }
            _ => Ok(due + self.interval),
        }
    }
}

impl Book {
    /// Looks at a few of the idle addresses, and forgets those that may open as if they were new.
    fn forget_idle(&mut self, now: Instant) {
        for _ in 0..IDLE_LOOKS {
            let Some(address) = self.idle.pop_front() else { return };
            let account = self.accounts.get_mut(&address).expect("an idle address is known");
            if account.open > 0 {
                account.is_idle = false;
            } else if account.due <= now {
                self.accounts.remove(&address);
            } else {
                self.idle.push_back(address);
            }
        }
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        if let Some((openings, address)) = &self.counted {
            openings.leave(*address, Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn openings(each_max: usize, per_s_max: u32, burst_max: u32) -> Arc<Openings> {
        let config = Config {
            opens_per_address_per_s_max: per_s_max,
            opens_per_address_burst_max: burst_max,
            ..Config::default()
        };
        Openings::new(each_max, &config)
    }

    #[test]
    fn address_with_too_many_open_waits_until_one_is_closed() {
        let openings = openings(2, 0, 1);
        let first = openings.enter(ip("192.0.2.1")).expect("the first");
        let second = openings.enter(ip("::ffff:192.0.2.1")).expect("the second, in other words");
        let refused = openings.enter(ip("192.0.2.1")).expect_err("a third");
        assert_eq!(refused, Refused::TooMany { each_max: 2 });
        drop(openings.enter(ip("192.0.2.2")).expect("another address"));
        drop(first);
        drop((second, openings.enter(ip("192.0.2.1")).expect("there is room again")));
        assert_eq!(openings.lock().accounts.len(), 0);
    }

    #[test]
    fn addresses_of_one_ipv6_network_share_both_limits() {
        let address = |number: u64| ip(&format!("2001:db8:0:1::{number:x}"));
        let count = openings(3, 0, 1);
        let kept: Vec<_> = (0..9).filter_map(|number| count.enter(address(number)).ok()).collect();
        assert_eq!(kept.len(), 3);
        assert!(count.enter(ip("2001:db8:0:2::1")).is_ok(), "the next network");
        let rate = openings(0, 1, 3);
        let now = Instant::now();
        let opened = (0..9).filter(|number| rate.enter_at(address(*number), now).is_ok());
        assert_eq!(opened.count(), 3);
        assert!(rate.enter_at(ip("2001:db8:0:2::1"), now).is_ok(), "the next network");
    }

    #[test]
    fn opening_over_the_rate_is_refused_until_the_time_that_is_named() {
        let openings = openings(0, 10, 3);
        let now = Instant::now();
        for _ in 0..3 {
            drop(openings.enter_at(ip("192.0.2.1"), now).expect("one of the burst"));
        }
        let refused = openings.enter_at(ip("192.0.2.1"), now).expect_err("over the burst");
        assert_eq!(refused, Refused::TooFast { retry_after_ms: 101 });
        drop(openings.enter_at(ip("192.0.2.2"), now).expect("another address"));
        let later = now + Duration::from_millis(101);
        drop(openings.enter_at(ip("192.0.2.1"), later).expect("at that time"));
        assert!(openings.enter_at(ip("192.0.2.1"), later).is_err(), "and only one");
    }

    #[test]
    fn addresses_are_forgotten_by_and_by_once_their_rate_has_recovered() {
        let openings = openings(5, 1, 5);
        let now = Instant::now();
        let address = |number: u32| IpAddr::from(number.to_be_bytes());
        for number in 0..1_000 {
            drop(openings.enter_at(address(number), now).expect("the first of its address"));
        }
        assert_eq!(openings.lock().accounts.len(), 1_000);
        let later = now + Duration::from_secs(60);
        for _ in 0..1_000 {
            drop(openings.enter_at(ip("192.0.2.1"), later));
        }
        let book = openings.lock();
        assert!(book.accounts.len() <= 1 && book.idle.len() <= 1, "{book:?}");
    }

    #[test]
    fn address_that_opens_again_while_idle_keeps_its_account() {
        let openings = openings(1, 1, 5);
        drop(openings.enter(ip("192.0.2.1")).expect("the first"));
        let kept = openings.enter(ip("192.0.2.1")).expect("the second");
        for number in 0..10 {
            drop(openings.enter(IpAddr::from([198, 51, 100, number])).expect("another address"));
        }
        assert!(openings.enter(ip("192.0.2.1")).is_err(), "it is still counted");
        drop(kept);
        assert!(openings.enter(ip("192.0.2.1")).is_ok());
    }

    #[test]
    fn without_limits_no_address_is_counted() {
        let openings = openings(0, 0, 1);
        let kept: Vec<_> = (0..10).map(|_| openings.enter(ip("192.0.2.1"))).collect();
        assert!(kept.iter().all(Result::is_ok));
        assert_eq!(openings.lock().accounts.len(), 0);
    }
}
