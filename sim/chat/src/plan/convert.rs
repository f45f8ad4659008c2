//! Reads plan files of version 1, in which users were people, faults named them by number, and the limits of the server stood
//! beside the settings.

use serde_json::{Map, Value, json};

use crate::fault::{self, ChatFaultKind};

/// Converts a plan of an older version.
pub(crate) fn convert(version: u32, plan: Value) -> Option<Result<Value, String>> {
    (version == 1).then(|| from_version_1(plan))
}

fn from_version_1(plan: Value) -> Result<Value, String> {
    let Value::Object(mut plan) = plan else { return Err("a plan is an object".to_owned()) };
    let mut settings = object(&mut plan, "settings")?;
    let mut config = json!({ "server": plan.remove("server") });
    for name in ["poll_interval_ms", "poll_wait_ms"] {
        config[name] = settings.remove(name).unwrap_or_default();
    }
    let people = list(&mut plan, "people")?;
    let steps = list(&mut plan, "steps")?;
    let faults = list(&mut plan, "faults")?;
    let names: Vec<_> = people.iter().filter_map(|person| person["name"].as_str()).collect();
    let hosts = settings.get("client_hosts").and_then(Value::as_u64).unwrap_or(1) as usize;
    let faults: Result<Vec<_>, _> =
        faults.into_iter().map(|fault| with_target(fault, &names, hosts)).collect();
    let clients: Vec<_> = people.iter().map(|person| client(person.clone())).collect();
    let steps: Vec<_> = steps.into_iter().map(|step| renamed(step, "who", "client")).collect();
    for (name, usual) in [("segment_bytes_max", 16 << 10), ("window_bytes", 64 << 10)] {
        settings.entry(name).or_insert_with(|| json!(usual));
    }
    plan.insert("version".to_owned(), racetrack_sim::plan::VERSION.into());
    plan.insert("model".to_owned(), "chat".into());
    plan.insert("settings".to_owned(), settings.into());
    plan.insert("config".to_owned(), config);
    plan.insert("clients".to_owned(), clients.into());
    plan.insert("steps".to_owned(), steps.into());
    plan.insert("faults".to_owned(), faults?.into());
    Ok(plan.into())
}

fn object(plan: &mut Map<String, Value>, name: &str) -> Result<Map<String, Value>, String> {
    match plan.remove(name) {
        Some(Value::Object(fields)) => Ok(fields),
        _ => Err(format!("this is not a plan: it has no object {name:?}")),
    }
}

fn list(plan: &mut Map<String, Value>, name: &str) -> Result<Vec<Value>, String> {
    match plan.remove(name) {
        Some(Value::Array(entries)) => Ok(entries),
        _ => Err(format!("this is not a plan: it has no list {name:?}")),
    }
}

/// A person is a client; what is said beside name and host is its profile.
fn client(person: Value) -> Value {
    let Value::Object(mut profile) = person else { return person };
    let (name, host) = (profile.remove("name"), profile.remove("host"));
    json!({ "name": name, "host": host, "profile": profile })
}

fn renamed(entry: Value, old: &str, new: &str) -> Value {
    let Value::Object(mut fields) = entry else { return entry };
    if let Some(value) = fields.remove(old) {
        fields.insert(new.to_owned(), value);
    }
    fields.into()
}

/// A number meant a person or a client host, as the kind said, modulo how many there were.
fn with_target(mut entry: Value, names: &[&str], hosts: usize) -> Result<Value, String> {
    let kind: ChatFaultKind = entry["kind"].as_str().unwrap_or_default().parse()?;
    let number = entry["target"].as_u64().ok_or("this is not a plan: a fault has no target")?;
    let target = fault::target(kind, number as usize, names, hosts);
    entry["target"] =
        target.ok_or_else(|| format!("{kind} hits a client, and the plan has none"))?.into();
    Ok(entry)
}
