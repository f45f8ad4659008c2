//! What a plan has drawn, in a few lines for people.

use std::collections::BTreeMap;
use std::fmt::Display;

use serde_json::Value;

use super::{Action, Plan, quick_server};

impl Plan {
    /// World, people, what they do, what goes wrong and which limits of the server are unusual, a
    /// line each.
    #[must_use]
    pub fn describe(&self) -> String {
        let settings = &self.settings;
        let world = format!(
            "tick {} ms, latency {} to {} ms, {} client hosts, pieces of {} bytes, windows of {} \
             bytes, short polls every {} ms, long polls of {} ms",
            settings.tick_ms,
            settings.latency_ms_min,
            settings.latency_ms_max,
            settings.client_hosts,
            settings.segment_bytes_max,
            settings.window_bytes,
            settings.poll_interval_ms,
            settings.poll_wait_ms,
        );
        let phases = format!(
            "{} ms of trouble, {} ms to settle, {} ms to forget",
            settings.disturb_ms, settings.settle_ms, settings.forget_ms
        );
        let people = self.people.iter().map(|person| match person.upgrade_after_events {
            None => format!("{} {}", person.name, person.transport),
            Some(events) => {
                format!("{} {} to WebSocket after {events}", person.name, person.transport)
            }
        });
        let people = people.collect::<Vec<_>>().join(", ");
        let actions = counted(self.steps.iter().map(|step| action(step.action)));
        let faults = counted(self.faults.iter().map(|fault| fault.kind));
        let lines = [
            ("seed", self.seed.to_string()),
            ("world", world),
            ("phases", phases),
            ("people", people),
            ("actions", actions),
            ("faults", faults),
            ("limits", self.unusual_limits()),
        ];
        lines.map(|(name, text)| format!("{name:<12}{text}")).join("\n")
    }

    /// Where the server is not as most simulated ones are.
    fn unusual_limits(&self) -> String {
        let values = |config| serde_json::to_value(config).expect("a config is plain data");
        let (ours, usual) = (values(&self.server), values(&quick_server()));
        let (Value::Object(ours), Value::Object(usual)) = (ours, usual) else {
            return String::new();
        };
        let unusual = ours.iter().filter(|(name, value)| usual.get(*name) != Some(value));
        let texts: Vec<_> = unusual.map(|(name, value)| format!("{name} {value}")).collect();
        if texts.is_empty() { "as usual".to_owned() } else { texts.join(", ") }
    }
}

/// As the file names it.
fn action(action: Action) -> String {
    match serde_json::to_value(action) {
        Ok(Value::String(name)) => name,
        _ => format!("{action:?}"),
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
