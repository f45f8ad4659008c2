//! The same, but plainer: a network without surprises, one host, an older transport.
//!
//! Whatever a plan says by other fields than those named here is set to its default, or left out
//! where it may be: through the plan's JSON, so that a field which is added to the plan later is
//! simplified without a word here.

use client::TransportKind;
use serde_json::Value;

use super::fewer::aimed;
use super::trials::Trials;
use crate::plan::{Plan, Settings, quick_server};

/// Settings that have rules of their own.
const SPECIAL: [&str; 7] = [
    "tick_ms",
    "latency_ms_min",
    "latency_ms_max",
    "client_hosts",
    "disturb_ms",
    "settle_ms",
    "forget_ms",
];
/// The latencies that one can reckon with in one's head, in milliseconds.
const LATENCIES_MS: [u64; 2] = [0, 10];

/// A plainer network and server.
pub(super) fn world(mut plan: Plan, trials: &mut Trials<'_>) -> Plan {
    for simpler in [server, rest, latency, hosts, targets] {
        if let Some((_, found)) = trials.first(simpler(&plan)) {
            plan = found;
        }
    }
    for candidate in other_settings(&plan) {
        // Each on its own, for they do not depend on each other.
        let (key, value) = candidate;
        let changed = edited(&plan, |plan| plan["settings"][&key] = value.clone());
        if let Some((_, found)) = trials.first(changed.into_iter().collect()) {
            plan = found;
        }
    }
    plan
}

/// Plainer people: older transports, and nothing that may be left out.
pub(super) fn people(mut plan: Plan, trials: &mut Trials<'_>) -> Plan {
    for place in 0..plan.people.len() {
        if let Some((_, found)) = trials.first(older_transports(&plan, place)) {
            plan = found;
        }
    }
    for list in ["people", "steps", "faults"] {
        plan = without_optional_fields(plan, list, trials);
    }
    plan
}

/// A clock with the grain of the plan's times, so that each is exact.
pub(super) fn clock(plan: Plan, trials: &mut Trials<'_>) -> Plan {
    let finer = Settings { tick_ms: 1, ..plan.settings };
    let candidate = changed(&plan, finer).into_iter().collect();
    trials.first(candidate).map_or(plan, |(_, found)| found)
}

fn server(plan: &Plan) -> Vec<Plan> {
    let usual = Plan { server: quick_server(), ..plan.clone() };
    Some(usual).filter(|usual| usual != plan).into_iter().collect()
}

/// The usual time to come to rest, which is enough for the usual server alone.
fn rest(plan: &Plan) -> Vec<Plan> {
    if plan.server != quick_server() {
        return Vec::new();
    }
    let usual = Settings::default();
    let settle_ms = plan.settings.settle_ms.min(usual.settle_ms);
    let forget_ms = plan.settings.forget_ms.min(usual.forget_ms);
    changed(plan, Settings { settle_ms, forget_ms, ..plan.settings }).into_iter().collect()
}

/// Every packet takes equally long: nothing, a round figure, or what it took before.
fn latency(plan: &Plan) -> Vec<Plan> {
    let (min, max) = (plan.settings.latency_ms_min, plan.settings.latency_ms_max);
    let round = LATENCIES_MS.into_iter().filter(|ms| *ms < max);
    let before = [min, max].into_iter().filter(|_| min < max);
    let all = round.chain(before).filter_map(|ms| {
        changed(plan, Settings { latency_ms_min: ms, latency_ms_max: ms, ..plan.settings })
    });
    all.collect()
}

/// One host for all, or at least none without anybody.
fn hosts(plan: &Plan) -> Vec<Plan> {
    let before = plan.settings.client_hosts;
    let mut used: Vec<_> = plan.people.iter().map(|person| person.host).collect();
    used.sort_unstable();
    used.dedup();
    let on = |hosts: usize, host_of: &dyn Fn(usize) -> usize| {
        let mut moved = plan.clone();
        moved.settings.client_hosts = hosts;
        for person in &mut moved.people {
            person.host = host_of(person.host);
        }
        let people = plan.people.len();
        for fault in &mut moved.faults {
            let host = host_of(fault.target % before.max(1));
            fault.target = aimed(people, Some(fault.target % people.max(1)), hosts, host);
        }
        moved
    };
    let place = |host| used.iter().position(|known| *known == host).unwrap_or(0);
    let mut all = Vec::new();
    if before > 1 {
        all.push(on(1, &|_| 0));
    }
    if (2..before).contains(&used.len()) {
        all.push(on(used.len(), &place));
    }
    all
}

/// The smallest numbers that mean the same.
fn targets(plan: &Plan) -> Vec<Plan> {
    let (people, hosts) = (plan.people.len(), plan.settings.client_hosts.max(1));
    let mut smaller = plan.clone();
    for fault in &mut smaller.faults {
        let person = fault.target % people.max(1);
        fault.target = aimed(people, Some(person), hosts, fault.target % hosts);
    }
    Some(smaller).filter(|smaller| smaller != plan).into_iter().collect()
}

/// Settings without a rule of their own that are not as usual, with what is usual.
fn other_settings(plan: &Plan) -> Vec<(String, Value)> {
    let usual = serde_json::to_value(Settings::default()).expect("settings are plain data");
    let set = serde_json::to_value(plan.settings).expect("settings are plain data");
    let (Value::Object(usual), Value::Object(set)) = (usual, set) else { return Vec::new() };
    let differs = |(key, value): &(String, Value)| {
        !SPECIAL.contains(&key.as_str()) && set.get(key) != Some(value)
    };
    usual.into_iter().filter(differs).collect()
}

fn older_transports(plan: &Plan, place: usize) -> Vec<Plan> {
    let is_newer = |kind: &TransportKind| *kind != plan.people[place].transport;
    let older = TransportKind::ALL.into_iter().take_while(is_newer);
    older
        .map(|transport| {
            let mut older = plan.clone();
            older.people[place].transport = transport;
            older
        })
        .collect()
}

/// Leaves out each field of each entry of a list that a plan need not have. Without its count a flood would be
/// larger than it may have become.
fn without_optional_fields(mut plan: Plan, list: &str, trials: &mut Trials<'_>) -> Plan {
    let json = serde_json::to_value(&plan).expect("a plan is plain data");
    let Some(entries) = json[list].as_array() else { return plan };
    for (place, entry) in entries.iter().enumerate() {
        let keys = entry.as_object().into_iter().flat_map(serde_json::Map::keys);
        for key in keys.filter(|key| *key != "count") {
            let shorter = edited(&plan, |plan| {
                plan[list][place].as_object_mut().and_then(|entry| entry.remove(key));
            });
            if let Some((_, found)) = trials.first(shorter.into_iter().collect()) {
                plan = found;
            }
        }
    }
    plan
}

/// The plan with other settings, if they are others.
fn changed(plan: &Plan, settings: Settings) -> Option<Plan> {
    (settings != plan.settings).then(|| Plan { settings, ..plan.clone() })
}

/// The plan with its JSON changed, if that is still a plan, and another.
fn edited(plan: &Plan, edit: impl FnOnce(&mut Value)) -> Option<Plan> {
    let mut json = serde_json::to_value(plan).expect("a plan is plain data");
    edit(&mut json);
    serde_json::from_value(json).ok().filter(|edited| edited != plan)
}
