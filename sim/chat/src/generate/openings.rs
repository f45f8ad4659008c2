//! A server that takes few sessions of an address, or few in a row, now and then: so few that some people
//! must wait for others to be forgotten.
//!
//! Everybody may live at one address, and must get in in the end: each of them has a session, and one that
//! has ended and is remembered, or of which only the server knows.

use rand::{Rng, RngExt};
use server::config::Config;

use crate::options::Options;

/// How seldom each limit is small.
const ONE_IN: u32 = 6;
/// Sessions that an address may have for each person.
const SESSIONS_A_PERSON: usize = 2;
/// Openings a second for each person.
const OPENS_A_PERSON: usize = 2;

pub(super) fn openings(rng: &mut impl Rng, options: &Options, usual: Config) -> Config {
    let people = options.clients;
    let sessions = people * SESSIONS_A_PERSON;
    let burst = rng.random_range(1..=people);
    let is_strict = rng.random_ratio(1, ONE_IN);
    let is_slow = rng.random_ratio(1, ONE_IN);
    let mut server = usual;
    if is_strict {
        server.sessions_per_address_max = sessions;
    }
    if is_slow {
        server.opens_per_address_burst_max = u32::try_from(burst).unwrap_or(u32::MAX);
        server.opens_per_address_per_s_max =
            u32::try_from(people * OPENS_A_PERSON).unwrap_or(u32::MAX);
    }
    server
}
