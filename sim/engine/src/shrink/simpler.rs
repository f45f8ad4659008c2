//! The same, but plainer: a network without surprises, one client host, the usual configuration, simpler clients.
//!
//! Whatever a plan says by other fields than those named here is set to its default, or left out where it may be: through
//! the plan's JSON, so that a field which a model adds is simplified too.

use serde_json::Value;

use super::trials::Trials;
use crate::model::Model;
use crate::plan::{Plan, Settings, client_host};

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
/// Latencies that are easy to calculate with, in milliseconds.
const LATENCIES_MS: [u64; 2] = [0, 10];

/// A plainer network and configuration.
pub(super) fn network<M: Model>(
    model: &M,
    mut plan: Plan<M>,
    trials: &mut Trials<'_, M>,
) -> Plan<M> {
    if let Some((_, found)) = trials.first(usual_config(model, &plan)) {
        plan = found;
    }
    for field in
        unusual_fields("config", &plan, &Plan { config: model.usual_config(), ..plan.clone() })
    {
        plan = with_field(plan, "config", field, trials);
    }
    if let Some((_, found)) = trials.first(rest(model, &plan)) {
        plan = found;
    }
    for simpler in [order, latency, hosts] {
        if let Some((_, found)) = trials.first(simpler(&plan)) {
            plan = found;
        }
    }
    let usual = Plan { settings: Settings::default(), ..plan.clone() };
    let fields = unusual_fields("settings", &plan, &usual);
    for field in fields.into_iter().filter(|(name, _)| !SPECIAL.contains(&name.as_str())) {
        plan = with_field(plan, "settings", field, trials);
    }
    plan
}

/// Plainer clients: simpler profiles, and nothing that may be left out.
pub(super) fn clients<M: Model>(
    model: &M,
    mut plan: Plan<M>,
    trials: &mut Trials<'_, M>,
) -> Plan<M> {
    for place in 0..plan.clients.len() {
        let profiles = model.simpler_profiles(&plan.clients[place].profile);
        let candidates = profiles.into_iter().map(|profile| {
            let mut simpler = plan.clone();
            simpler.clients[place].profile = profile;
            simpler
        });
        if let Some((_, found)) = trials.first(candidates.collect()) {
            plan = found;
        }
    }
    for list in ["clients", "steps", "faults"] {
        plan = without_optional_fields(plan, list, trials);
    }
    plan
}

/// A clock with the granularity of the plan's times, so that each is exact.
pub(super) fn clock<M: Model>(plan: Plan<M>, trials: &mut Trials<'_, M>) -> Plan<M> {
    let finer = Settings { tick_ms: 1, ..plan.settings };
    let candidate = changed(&plan, finer).into_iter().collect();
    trials.first(candidate).map_or(plan, |(_, found)| found)
}

fn usual_config<M: Model>(model: &M, plan: &Plan<M>) -> Vec<Plan<M>> {
    let usual = Plan { config: model.usual_config(), ..plan.clone() };
    Some(usual).filter(|usual| usual != plan).into_iter().collect()
}

/// The usual time to come to rest, which is enough for the usual configuration alone.
fn rest<M: Model>(model: &M, plan: &Plan<M>) -> Vec<Plan<M>> {
    if plan.config != model.usual_config() {
        return Vec::new();
    }
    let usual = Settings::default();
    let settle_ms = plan.settings.settle_ms.min(usual.settle_ms);
    let forget_ms = plan.settings.forget_ms.min(usual.forget_ms);
    changed(plan, Settings { settle_ms, forget_ms, ..plan.settings }).into_iter().collect()
}

/// Tasks run in tokio's order, or in one that is drawn in fewer ways.
fn order<M: Model>(plan: &Plan<M>) -> Vec<Plan<M>> {
    let Settings { yield_percent, task_budget, .. } = plan.settings;
    let simpler = [(0, 0), (yield_percent, 0), (0, task_budget)];
    let mut simpler: Vec<_> = simpler
        .into_iter()
        .filter_map(|(yield_percent, task_budget)| {
            changed(plan, Settings { yield_percent, task_budget, ..plan.settings })
        })
        .collect();
    simpler.dedup();
    simpler
}

/// Every packet takes equally long: nothing, a round figure, or what it took before.
fn latency<M: Model>(plan: &Plan<M>) -> Vec<Plan<M>> {
    let (min, max) = (plan.settings.latency_ms_min, plan.settings.latency_ms_max);
    let round = LATENCIES_MS.into_iter().filter(|ms| *ms < max);
    let before = [min, max].into_iter().filter(|_| min < max);
    let all = round.chain(before).filter_map(|ms| {
        changed(plan, Settings { latency_ms_min: ms, latency_ms_max: ms, ..plan.settings })
    });
    all.collect()
}

/// One host for all clients, or at least none without a client.
fn hosts<M: Model>(plan: &Plan<M>) -> Vec<Plan<M>> {
    let before = plan.settings.client_hosts;
    let mut used: Vec<_> = plan.clients.iter().map(|client| client.host).collect();
    used.sort_unstable();
    used.dedup();
    let on = |hosts: usize, host_of: &dyn Fn(usize) -> usize| {
        let mut moved = plan.clone();
        moved.settings.client_hosts = hosts;
        for client in &mut moved.clients {
            client.host = host_of(client.host);
        }
        for fault in &mut moved.faults {
            let named = (0..before).find(|host| client_host(*host) == fault.target);
            if let Some(host) = named {
                fault.target = client_host(host_of(host));
            }
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

/// The fields of a part of a plan that are not as usual, with their usual values.
fn unusual_fields<M: Model>(part: &str, plan: &Plan<M>, usual: &Plan<M>) -> Vec<(String, Value)> {
    let fields = |plan: &Plan<M>| {
        let json = serde_json::to_value(plan).expect("a plan is plain data");
        json[part].as_object().cloned().unwrap_or_default()
    };
    let ours = fields(plan);
    fields(usual).into_iter().filter(|(name, value)| ours.get(name) != Some(value)).collect()
}

/// The plan with a field of a part set to this value, if it still fails so.
fn with_field<M: Model>(
    plan: Plan<M>,
    part: &str,
    (name, value): (String, Value),
    trials: &mut Trials<'_, M>,
) -> Plan<M> {
    let changed = edited(&plan, |plan| plan[part][&name] = value);
    trials.first(changed.into_iter().collect()).map_or(plan, |(_, found)| found)
}

/// Leaves out each field of each entry of a list that a plan need not have. Without its count a fault would be larger than it
/// may have become.
fn without_optional_fields<M: Model>(
    mut plan: Plan<M>,
    list: &str,
    trials: &mut Trials<'_, M>,
) -> Plan<M> {
    let json = serde_json::to_value(&plan).expect("a plan is plain data");
    let Some(entries) = json[list].as_array() else { return plan };
    for (place, entry) in entries.iter().enumerate() {
        let own = entry.as_object().into_iter().flatten();
        let own = own.filter(|(key, _)| *key != "count" && *key != "profile");
        let own = own.map(|(key, _)| (None, key.clone()));
        let profile = entry["profile"].as_object().into_iter().flatten();
        let profile = profile.map(|(key, _)| (Some("profile"), key.clone()));
        for (inner, key) in own.chain(profile) {
            let shorter = edited(&plan, |plan| {
                let entry = &mut plan[list][place];
                let entry = match inner {
                    Some(inner) => &mut entry[inner],
                    None => entry,
                };
                entry.as_object_mut().and_then(|entry| entry.remove(&key));
            });
            if let Some((_, found)) = trials.first(shorter.into_iter().collect()) {
                plan = found;
            }
        }
    }
    plan
}

/// The plan with other settings, if they are others.
fn changed<M: Model>(plan: &Plan<M>, settings: Settings) -> Option<Plan<M>> {
    (settings != plan.settings).then(|| Plan { settings, ..plan.clone() })
}

/// The plan with its JSON changed, if that is still a plan, and another.
fn edited<M: Model>(plan: &Plan<M>, edit: impl FnOnce(&mut Value)) -> Option<Plan<M>> {
    let mut json = serde_json::to_value(plan).expect("a plan is plain data");
    edit(&mut json);
    serde_json::from_value(json).ok().filter(|edited| edited != plan)
}
