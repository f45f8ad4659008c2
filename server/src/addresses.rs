//! How many connections each address has open; an address over its cap has to wait.
//!
//! Connections of a trusted proxy are not counted; the clients behind it are, by request and by
//! socket.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::error::HttpError;

/// Open connections by address.
#[derive(Debug)]
pub(crate) struct Addresses {
    /// Most open connections of one address; 0 is no limit.
    each_max: usize,
    open: Mutex<HashMap<IpAddr, usize>>,
}

/// Permit for one connection of an address; dropping it returns it.
#[derive(Debug)]
pub(crate) struct AddressPermit {
    addresses: Arc<Addresses>,
    address: IpAddr,
}

impl Addresses {
    pub(crate) fn new(each_max: usize) -> Arc<Self> {
        Arc::new(Self { each_max, open: Mutex::default() })
    }

    /// Takes a permit for one more connection of this address; `None` when the address is at its limit.
    pub(crate) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<AddressPermit> {
        let address = subscriber(address);
        if self.each_max > 0 {
            let mut open = self.lock();
            let count = open.entry(address).or_default();
            if *count >= self.each_max {
                return None;
            }
            *count += 1;
        }
        Some(AddressPermit { addresses: Arc::clone(self), address })
    }

    /// The error for a client whose address is at its limit.
    pub(crate) fn refusal(&self, retry_after_ms: u64) -> HttpError {
        HttpError::TooManyConnections { each_max: self.each_max, retry_after_ms }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.open.lock().expect("nothing panics under this lock")
    }
}

impl Drop for AddressPermit {
    fn drop(&mut self) {
        if self.addresses.each_max == 0 {
            return;
        }
        let mut open = self.addresses.lock();
        let count = open.get_mut(&self.address).expect("an address with a permit is counted");
        *count -= 1;
        if *count == 0 {
            open.remove(&self.address);
        }
    }
}

/// What one subscriber has: an IPv4 address, or the /64 of an IPv6 address (RFC 6177).
pub(crate) fn subscriber(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = address.to_bits() & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_place_that_is_given_back_is_free_again_and_forgotten() {
        let addresses = Addresses::new(2);
        let first = addresses.enter(ip("192.0.2.1")).expect("the first");
        let second = addresses.enter(ip("::ffff:192.0.2.1")).expect("the second, in other words");
        assert!(addresses.enter(ip("192.0.2.1")).is_none());
        assert!(addresses.enter(ip("192.0.2.2")).is_some(), "somebody else");
        drop(first);
        let third = addresses.enter(ip("192.0.2.1")).expect("there is room again");
        drop((second, third));
        assert_eq!(addresses.lock().len(), 0);
    }

    #[test]
    fn all_addresses_of_one_ipv6_subscriber_are_one() {
        let addresses = Addresses::new(1);
        let _permit = addresses.enter(ip("2001:db8:0:1::1")).expect("the first");
        assert!(addresses.enter(ip("2001:db8:0:1:ffff::9")).is_none());
        assert!(addresses.enter(ip("2001:db8:0:2::1")).is_some());
    }

    #[test]
    fn without_a_cap_nobody_is_counted() {
        let addresses = Addresses::new(0);
        let permits: Vec<_> = (0..10).map(|_| addresses.enter(ip("192.0.2.1"))).collect();
        assert!(permits.iter().all(Option::is_some));
        assert_eq!(addresses.lock().len(), 0);
    }
}
