//! The crowd: goose drives the people, one goose user a person.
//!
//! Goose starts the people, runs each as a task, counts, and ends them. It has no open loop, so
//! the schedule, the clock and the histograms are racetrack's; and it never interrupts a
//! transaction, so a person's life is one transaction that ends by itself when the stage is
//! stopped. Its own HTTP client is never used: the people speak with racetrack's clients, each
//! over connections of its own.

mod conductor;
mod person;
mod stage;

use std::sync::Arc;

use client::TransportKind;
use goose::client::GooseClientBuilder;
use goose::config::GooseConfiguration;
use goose::goose::{Scenario, Transaction, TransactionFunction};
use goose::metrics::{GooseCoordinatedOmissionMitigation, GooseMetrics};
use goose::{GooseAttack, GooseError};

pub(crate) use conductor::{Conductor, Halt, Observed, Reading, drain_max};
pub(crate) use stage::{Route, Stage};

/// People that are started a second.
pub(crate) const STARTS_PER_S: u32 = 500;

/// The attack that fills `stage` with `users` people. It ends some time after
/// [`goose::trigger_killswitch`], because that is the only way to end an attack of unknown length
/// that prints nothing on standard output.
pub(crate) fn attack(stage: &Arc<Stage>, users: u32) -> Result<GooseAttack, GooseError> {
    let stage = Arc::clone(stage);
    let url = format!("http://{}", stage.route.host);
    let name = stage.route.kind.name();
    let life: TransactionFunction = Arc::new(move |user| {
        let stage = Arc::clone(&stage);
        Box::pin(async move {
            person::live(&stage, user).await;
            Ok(())
        })
    });
    let chat = Scenario::new(name).register_transaction(Transaction::new(life).set_name("chat"));
    // One client for all, since none uses it: a client for each would be 4 ms of processor time
    // and 120 KB a person for nothing.
    let client = GooseClientBuilder::new().without_cookies();
    Ok(GooseAttack::initialize_with_config(configuration(url, users))?
        .set_client_builder_without_cookies(client)?
        .register_scenario(chat))
}

/// Quiet, without controllers, reports or corrections of its own.
fn configuration(url: String, users: u32) -> GooseConfiguration {
    let mut configuration = GooseConfiguration::default();
    configuration.host = Some(url);
    configuration.users = Some(users as usize);
    configuration.increase_rate = Some(STARTS_PER_S.to_string());
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
pub(crate) fn counted_by_goose(metrics: &GooseMetrics, kind: TransportKind) -> u64 {
    let key = format!("{} {}", person::GOOSE_METHOD, kind.name());
    metrics.requests.get(&key).map_or(0, |request| request.raw_data.counter as u64)
}
