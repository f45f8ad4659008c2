//! Who changes from polls to a WebSocket, and what gets in the way of that.

use client::TransportKind;
use rand::{Rng, RngExt};

use super::{kinds, pick};
use crate::fault::{ChatFault, ChatFaultKind};
use crate::options::Options;
use crate::plan::{AnyFault, Fault, Person, Plan};

/// How many events somebody reads at most before changing to a WebSocket.
pub(super) const UPGRADE_EVENTS_MAX: u64 = 30;
/// Faults that strike upgrades alone. They are drawn for those who upgrade: others would not notice.
pub(super) const UPGRADE_FAULTS: [ChatFaultKind; 2] =
    [AnyFault::Model(ChatFault::UpgradeCut), AnyFault::Model(ChatFault::UpgradeSilence)];
/// How long they go on, in milliseconds: through one upgrade, or longer than any run.
const BREAKS_MS: [u64; 3] = [1_500, 60_000, 60_000];
/// When they begin at the latest, in milliseconds: before most have read what they want to read first.
const BREAKS_FROM_MS: u64 = 500;
/// How many events the one who is struck reads at most before that: as many as everybody is told who gets
/// in. Many never read more, and nobody can break an upgrade that is never begun.
const STRUCK_EVENTS_MAX: u64 = 2;

/// Half of those who can change to a WebSocket do so, before they are paired or while they talk.
pub(super) fn upgrades(rng: &mut impl Rng, mut people: Vec<Person>) -> Vec<Person> {
    for person in &mut people {
        let events = rng.random::<bool>().then(|| rng.random_range(0..UPGRADE_EVENTS_MAX));
        if person.profile.transport == TransportKind::SocketioPolling {
            person.profile.upgrade_after_events = events;
        }
    }
    people
}

/// Breaks the WebSockets of somebody who changes to one, now and then, and always where nothing else is to
/// go wrong.
pub(super) fn upgrade_faults(rng: &mut impl Rng, options: &Options, mut plan: Plan) -> Plan {
    let (kinds, others): (Vec<_>, Vec<_>) =
        kinds(options).into_iter().partition(|kind| UPGRADE_FAULTS.contains(kind));
    let upgrading = plan.clients.iter().enumerate();
    let upgrading = upgrading.filter(|(_, person)| person.profile.upgrade_after_events.is_some());
    let targets: Vec<_> = upgrading.map(|(target, _)| target).collect();
    let is_chosen = rng.random_ratio(1, 3) || others.is_empty();
    if kinds.is_empty() || targets.is_empty() || !is_chosen {
        return plan;
    }
    let (at_ms, kind, target) =
        (rng.random_range(0..BREAKS_FROM_MS), pick(rng, &kinds), pick(rng, &targets));
    let events =
        plan.clients[target].profile.upgrade_after_events.as_mut().expect("they all upgrade");
    *events = (*events).min(STRUCK_EVENTS_MAX);
    let target = plan.clients[target].name.clone();
    plan.faults.push(Fault { at_ms, kind, target, for_ms: pick(rng, &BREAKS_MS), count: None });
    plan.faults.sort_by_key(|fault| fault.at_ms);
    plan
}
