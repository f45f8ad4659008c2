//! What goes wrong in a plan, beside broken upgrades and floods, which have files of their own.

use rand::{Rng, RngExt};

use super::upgrades::UPGRADE_FAULTS;
use super::{DRAINS_MS, pick};
use crate::fault::{self, ChatFaultKind, FaultOfChat};
use crate::model::SERVER;
use crate::options::Options;
use crate::plan::{Fault, FaultKind, Person, Settings};

pub(super) fn faults(
    rng: &mut impl Rng,
    options: &Options,
    settings: &Settings,
    people: &[Person],
) -> Vec<Fault> {
    // The others have streams of their own.
    let is_drawn_here =
        |kind: &ChatFaultKind| !UPGRADE_FAULTS.contains(kind) && kind.flood().is_none();
    let kinds = kinds(options).into_iter().filter(is_drawn_here);
    let kinds: Vec<_> = kinds.filter(|_| rng.random()).collect();
    if kinds.is_empty() {
        return Vec::new();
    }
    let per_second = rng.random_range(0.3..2.0);
    let count = (settings.disturb_ms as f64 / 1_000.0 * per_second).ceil() as usize;
    let names: Vec<_> = people.iter().map(|person| person.name.as_str()).collect();
    let mut faults: Vec<_> = (0..count).map(|_| fault(rng, &kinds, settings, &names)).collect();
    faults.sort_by_key(|fault| fault.at_ms);
    faults
}

/// In one run of three at most one thing goes wrong: what a fault does by itself, and what people do
/// to each other without one, is hidden where something else goes wrong meanwhile.
pub(super) fn calm(rng: &mut impl Rng, mut faults: Vec<Fault>) -> Vec<Fault> {
    if !faults.is_empty() && rng.random_ratio(1, 3) {
        let only = faults.swap_remove(rng.random_range(0..faults.len()));
        faults.clear();
        faults.extend(rng.random::<bool>().then_some(only));
    }
    faults
}

/// Where only one thing goes wrong, it is a drain now and then: what a server that closes owes to its
/// people can be asked of it only while nothing else is in their way.
pub(super) fn drains(rng: &mut impl Rng, options: &Options, mut faults: Vec<Fault>) -> Vec<Fault> {
    let is_drain =
        |kind: &ChatFaultKind| *kind == FaultKind::Drain || *kind == FaultKind::RollingDrain;
    let kinds: Vec<_> = kinds(options).into_iter().filter(is_drain).collect();
    if let ([only], false) = (faults.as_mut_slice(), kinds.is_empty())
        && rng.random_ratio(1, 3)
    {
        only.kind = pick(rng, &kinds);
        only.for_ms = DRAINS_MS;
        only.target = SERVER.to_owned();
    }
    faults
}

/// The kinds of faults that may be drawn, in the order of [`fault::all`].
pub(super) fn kinds(options: &Options) -> Vec<ChatFaultKind> {
    fault::all().into_iter().filter(|kind| options.faults.contains(kind)).collect()
}

fn fault(
    rng: &mut impl Rng,
    kinds: &[ChatFaultKind],
    settings: &Settings,
    names: &[&str],
) -> Fault {
    let (at_ms, kind) = (rng.random_range(200..settings.disturb_ms), pick(rng, kinds));
    let target = fault::target(kind, rng.random_range(0..64), names, settings.client_hosts);
    Fault {
        at_ms,
        kind,
        target: target.expect("a plan has users"),
        // The last of them is longer than heartbeats are.
        for_ms: pick(rng, &[20, 200, 700, 1_500, 2_200]),
        count: None,
    }
}
