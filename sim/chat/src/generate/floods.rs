//! An attacker who floods the server, now and then, and a server that is soon full.
//!
//! Its limits for an address are such that the attacker's address and those of the people fit into it
//! together: nobody needs to be refused for want of room because of the attacker.

use std::num::NonZeroU64;

use rand::{Rng, RngExt};
use server::config::Config;

use super::{CONNECTIONS_A_PERSON, CONNECTIONS_MIN, kinds, pick};
use crate::fault::FaultOfChat;
use crate::model::SERVER;
use crate::options::Options;
use crate::plan::{Fault, Plan};

/// How seldom somebody attacks.
const ONE_IN: u32 = 4;
/// Requests, connections or commands of a flood: few enough to be allowed, or far more than that.
const COUNTS: [u64; 3] = [60, 200, 400];
/// How long a flood goes on, in milliseconds.
const FLOODS_MS: [u64; 3] = [700, 1_500, 2_200];
/// When it begins at the latest, in every other run: while people come in, in milliseconds.
const EARLY_MS: u64 = 1_000;
/// Sessions of an address, and those of each person at it where there are many.
const SESSIONS: usize = 20;
const SESSIONS_A_PERSON: usize = 2;
/// Sessions that an address may open at once, and in a second, with the same for each person.
const OPENS: [u32; 2] = [40, 10];
const OPENS_A_PERSON: [u32; 2] = [10, 2];
/// Addresses beside those of the people: the attacker's, and those of operators.
const OTHER_ADDRESSES: usize = 2;

/// Adds a flood, alone or to what else goes wrong.
pub(super) fn floods(rng: &mut impl Rng, options: &Options, mut plan: Plan) -> Plan {
    let (kinds, others): (Vec<_>, Vec<_>) =
        kinds(options).into_iter().partition(|kind| kind.flood().is_some());
    let is_chosen = rng.random_ratio(1, ONE_IN) || others.is_empty();
    if kinds.is_empty() || !is_chosen {
        return plan;
    }
    let latest_ms = if rng.random() { EARLY_MS } else { plan.settings.disturb_ms };
    let at_ms = rng.random_range(200..latest_ms.min(plan.settings.disturb_ms));
    let kind = pick(rng, &kinds);
    let (for_ms, count) = (pick(rng, &FLOODS_MS), NonZeroU64::new(pick(rng, &COUNTS)));
    // What a flood does by itself is hidden where something else goes wrong meanwhile.
    if rng.random() {
        plan.faults.clear();
    }
    plan.faults.push(Fault { at_ms, kind, target: SERVER.to_owned(), for_ms, count });
    plan.faults.sort_by_key(|fault| fault.at_ms);
    plan.config.server = crowded(plan.config.server, options.clients, plan.settings.client_hosts);
    plan
}

/// A server that a few addresses fill, with so many people who may all live at one.
fn crowded(usual: Config, people: usize, hosts: usize) -> Config {
    let sessions = SESSIONS.max(SESSIONS_A_PERSON * people);
    let connections = CONNECTIONS_MIN.max(CONNECTIONS_A_PERSON * people as u64) as usize;
    let people = u32::try_from(people).unwrap_or(u32::MAX);
    let [burst, per_s] =
        [0, 1].map(|place| OPENS[place].max(OPENS_A_PERSON[place].saturating_mul(people)));
    Config {
        sessions_per_address_max: usual.sessions_per_address_max.min(sessions),
        sessions_max: usual.sessions_max.min(sessions * (hosts + 1)),
        connections_per_address_max: usual.connections_per_address_max.min(connections),
        connections_max: usual.connections_max.min(connections * (hosts + OTHER_ADDRESSES)),
        opens_per_address_burst_max: usual.opens_per_address_burst_max.min(burst),
        opens_per_address_per_s_max: usual.opens_per_address_per_s_max.min(per_s),
        ..usual
    }
}
