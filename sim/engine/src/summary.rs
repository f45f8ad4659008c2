//! Plans in a few words: a line for each entry, and a summary.

use std::collections::BTreeMap;
use std::fmt::Display;

use serde_json::Value;

use crate::model::Model;
use crate::plan::{Plan, Settings};

/// The clients of a plan, what they do and what goes wrong, a line each, in order of time.
///
/// The words are those of the plan file, so whatever can be planned can be described.
///
/// # Panics
///
/// If the model's data cannot be written as JSON.
#[must_use]
pub fn planned<M: Model>(plan: &Plan<M>) -> Vec<String> {
    let json = serde_json::to_value(plan).expect("a plan is plain data");
    let entries = |list: &str| json[list].as_array().cloned().unwrap_or_default();
    let clients =
        entries("clients").into_iter().map(|client| format!("{:>9} {}", "", words(&client)));
    let mut timed: Vec<_> = entries("steps").into_iter().chain(entries("faults")).collect();
    timed.sort_by_key(|entry| entry["at_ms"].as_u64());
    let timed = timed.into_iter().map(|entry| {
        let at_ms = entry["at_ms"].as_u64().unwrap_or_default();
        format!("{:>7.3} s {}", at_ms as f64 / 1e3, words(&entry))
    });
    clients.chain(timed).collect()
}

/// The fields of an entry of a plan: what names it, then the rest with their keys; an object's fields are its own.
fn words(entry: &Value) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let named = ["name", "client", "action", "kind", "transport"];
    let mut fields = BTreeMap::new();
    for (key, value) in entry.as_object().into_iter().flatten() {
        match value.as_object() {
            Some(inner) => fields.extend(inner.iter()),
            None => drop(fields.insert(key, value)),
        }
    }
    let first =
        named.iter().filter_map(|key| fields.get(&(*key).to_owned())).map(|value| text(value));
    let first: Vec<_> = first.collect();
    let rest = fields.iter().filter(|(key, value)| {
        !named.contains(&key.as_str()) && key.as_str() != "at_ms" && !value.is_null()
    });
    let rest = rest.map(|(key, value)| format!("{key}={}", text(value)));
    first.into_iter().chain(rest).collect::<Vec<_>>().join(" ")
}

/// The network, the phases, the clients, their actions, the faults, and where the configuration is not as usual, a line
/// each.
#[must_use]
pub fn summary<M: Model>(model: &M, plan: &Plan<M>) -> String {
    let settings = &plan.settings;
    let network = network(settings);
    let phases = format!(
        "{} ms of disturbance, {} ms to settle, {} ms to forget",
        settings.disturb_ms, settings.settle_ms, settings.forget_ms
    );
    let clients = plan.clients.iter().map(|client| {
        format!("{} {}", client.name, model.describe_client(&client.profile)).trim_end().to_owned()
    });
    let clients = clients.collect::<Vec<_>>().join(", ");
    let actions = counted(plan.steps.iter().map(|step| json_name(&step.action)));
    let faults = counted(plan.faults.iter().map(|fault| fault.kind));
    let lines = [
        ("seed", plan.seed.to_string()),
        ("network", network),
        ("phases", phases),
        ("clients", clients),
        ("actions", actions),
        ("faults", faults),
        ("config", unusual(model, plan)),
    ];
    lines.map(|(name, text)| format!("{name:<12}{text}")).join("\n")
}

/// The network of a plan and the order of its tasks, in one line.
pub(crate) fn network(settings: &Settings) -> String {
    format!(
        "tick {} ms, latency {} to {} ms, {} client hosts, segments of {} bytes, windows of {} bytes, {} % of \
         reads and writes yield{}",
        settings.tick_ms,
        settings.latency_ms_min,
        settings.latency_ms_max,
        settings.client_hosts,
        settings.segment_bytes_max,
        settings.window_bytes,
        settings.yield_percent,
        turns(settings.task_budget),
    )
}

fn turns(task_budget: u8) -> String {
    match task_budget {
        0 => String::new(),
        units => format!(", turns of 0 to {units} operations of tokio"),
    }
}

/// Where the configuration is not as usual.
fn unusual<M: Model>(model: &M, plan: &Plan<M>) -> String {
    let values = |config| {
        let mut fields = BTreeMap::new();
        let json = serde_json::to_value(config).expect("a configuration is plain data");
        flatten("", &json, &mut fields);
        fields
    };
    let (ours, usual) = (values(&plan.config), values(&model.usual_config()));
    let unusual = ours.iter().filter(|(name, value)| usual.get(*name) != Some(*value));
    let texts: Vec<_> = unusual.map(|(name, value)| format!("{name} {value}")).collect();
    if texts.is_empty() { "as usual".to_owned() } else { texts.join(", ") }
}

/// The fields of a value and of those in it, by name.
pub(crate) fn flatten(name: &str, value: &Value, fields: &mut BTreeMap<String, Value>) {
    match value.as_object() {
        Some(object) => {
            object.iter().for_each(|(name, value)| flatten(name, value, fields));
        }
        None => drop(fields.insert(name.to_owned(), value.clone())),
    }
}

/// As the plan file names it.
fn json_name<A: serde::Serialize>(action: &A) -> String {
    let json = serde_json::to_value(action).expect("an action is plain data");
    match json {
        Value::String(name) => name,
        Value::Object(fields) => fields.keys().next().cloned().unwrap_or_default(),
        other => other.to_string(),
    }
}

fn counted<T: Display>(things: impl Iterator<Item = T>) -> String {
    let mut counts = BTreeMap::<String, usize>::new();
    for thing in things {
        *counts.entry(thing.to_string()).or_default() += 1;
    }
    let counts: Vec<_> = counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
    if counts.is_empty() { "none".to_owned() } else { counts.join(", ") }
}
