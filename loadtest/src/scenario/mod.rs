//! The crowd: goose drives the people, one goose user a person.
//!
//! Goose starts the people, runs each as a task, counts, and ends them. It has no open loop, so
//! the schedule, the clock and the histograms are racetrack's; and it never interrupts a
//! transaction, so a person's life is one transaction that ends by itself when the stage is
//! stopped. Its own HTTP client is never used: the people speak with racetrack's clients, each
//! over connections of its own.

mod company;
mod conductor;
mod person;
mod seat;
mod stage;

use std::sync::Arc;

use goose::client::GooseClientBuilder;
use goose::config::GooseConfiguration;
use goose::goose::{Scenario, Transaction, TransactionFunction};
use goose::metrics::{GooseCoordinatedOmissionMitigation, GooseMetrics};
use goose::{GooseAttack, GooseError};

pub(crate) use conductor::{Conductor, Halt, Observed, Reading, drain_max};
pub(crate) use stage::{Route, Stage};

/// The attack that fills `stage` with `users` people. It ends some time after
/// [`goose::trigger_killswitch`], because that is the only way to end an attack of unknown length
/// that prints nothing on standard output.
pub(crate) fn attack(stage: &Arc<Stage>, users: u32) -> Result<GooseAttack, GooseError> {
    let stage = Arc::clone(stage);
    let url = format!("http://{}", stage.route.host);
    let name = Arc::clone(&stage.route.label);
    let starts_per_s = stage.route.arrival_rate;
    let life: TransactionFunction = Arc::new(move |user| {
        let stage = Arc::clone(&stage);
        Box::pin(async move {
            person::live(&stage, user).await;
            Ok(())
        })
    });
    let chat = Scenario::new(&name).register_transaction(Transaction::new(life).set_name("chat"));
    // One client for all, since none uses it: a client for each would be 4 ms of processor time
    // and 120 KB a person for nothing.
    let client = GooseClientBuilder::new().without_cookies();
    Ok(GooseAttack::initialize_with_config(configuration(url, users, starts_per_s))?
        .set_client_builder_without_cookies(client)?
        .register_scenario(chat))
}

/// Quiet, without controllers, reports or corrections of its own.
fn configuration(url: String, users: u32, starts_per_s: f64) -> GooseConfiguration {
    let mut configuration = GooseConfiguration::default();
    configuration.host = Some(url);
    configuration.users = Some(users as usize);
    configuration.increase_rate = Some(starts_per_s.to_string());
    configuration.quiet = 2;
    configuration.no_print_metrics = true;
    configuration.no_transaction_metrics = true;
    configuration.no_scenario_metrics = true;
    configuration.no_percentiles_over_time = true;
    configuration.no_status_codes = true;
    configuration.no_telnet = true;
    configuration.co_mitigation = Some(GooseCoordinatedOmissionMitigation::Disabled);
    configuration
}

/// How many messages goose's own metrics counted.
pub(crate) fn counted_by_goose(metrics: &GooseMetrics, label: &str) -> u64 {
    let key = format!("{} {label}", person::GOOSE_METHOD);
    metrics.requests.get(&key).map_or(0, |request| request.raw_data.counter as u64)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use client::TransportKind;
    use goose::goose::GooseUser;

    use super::*;
    use crate::options::Options;
    use crate::preflight::{Keeping, Sources};
    use crate::shard::Shard;

    /// What is rare must be boxed: ten thousand people would keep room for it all the time.
    #[test]
    fn a_person_who_waits_takes_less_than_four_kib_of_task() {
        let options = Options { users: 2, ..Options::default() };
        let addr: std::net::SocketAddr = "127.0.0.1:1".parse().expect("an address");
        let route = Route {
            label: "sse".into(),
            kinds: vec![TransportKind::Sse; 2].into(),
            habits: options.habits(),
            arrival_rate: options.arrival_rate,
            addr,
            host: addr.to_string(),
            poll_interval: Duration::from_secs(1),
            keeping: Keeping::All,
            sources: Sources::new(addr.ip(), 2, 2),
        };
        let stage = Stage::new(1, route, &options.schedule(), Shard::WHOLE);
        let base_url = format!("http://{addr}").parse().expect("a URL");
        let mut user = GooseUser::single(base_url, &GooseConfiguration::default()).expect("a user");
        let bytes = size_of_val(&person::live(&stage, &mut user));
        assert!(bytes < 4_096, "{bytes} bytes");
    }
}
