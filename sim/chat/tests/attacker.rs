//! An attacker, who floods each way in and each command, pipelined and from one address. Others, at
//! addresses of their own, get in, are not closed, and hear what they say within a bound.

use std::sync::Arc;
use std::time::Duration;

use chat_sim::SimulatedConnector;
use chat_sim::flood::{Attack, Flood, Rate};
use chat_sim::plan::quick_server;
use client::{Options, TransportKind};
use protocol::{ClientEvent, Say, ServerEvent, Speaker};
use racetrack_sim::model::ClientResult;
use racetrack_sim::{Client, Sim, scenario};
use server::config::Config;
use tokio::time::{sleep, timeout};

const SERVER: &str = "server";
/// When the attack begins. Requests are on their way at once, commands when somebody else is there.
const ATTACK: Duration = Duration::from_millis(300);
/// When others come, while the attack goes on.
const ARRIVAL: Duration = Duration::from_millis(600);
/// How long others take to get in at most.
const OPENING_MAX: Duration = Duration::from_secs(1);
/// How long others take at most to hear what they said.
const ECHO_MAX: Duration = Duration::from_secs(1);
/// How long others stay.
const STAY: Duration = Duration::from_secs(4);
/// What the attacker asks for: of commands, on each of a few connections more than a mailbox holds.
const COUNT: usize = 1_600;

/// A server that is full soon, with limits for an address of the same proportion as usual.
fn small() -> Config {
    Config {
        sessions_max: 200,
        sessions_per_address_max: 20,
        opens_per_address_burst_max: 20,
        opens_per_address_per_s_max: 1,
        ..quick_server()
    }
}

/// The same server without these limits, as it once was.
fn unguarded() -> Config {
    Config {
        sessions_per_address_max: 0,
        opens_per_address_per_s_max: 0,
        nexts_per_s_max: 10_000,
        nexts_burst_max: 10_000,
        commands_per_s_max: 10_000,
        commands_burst_max: 10_000,
        ..small()
    }
}

async fn attack(attacker: Client<String>, attack: Attack) -> ClientResult {
    sleep(ATTACK).await;
    attack.carry_out(SimulatedConnector(attacker.connector(SERVER)), Arc::default()).await;
    Ok(())
}

/// Somebody who wants to talk; notes what must not happen, and how often everything went well.
async fn talk(other: Client<String>, kind: TransportKind) -> ClientResult {
    sleep(ARRIVAL).await;
    let options = Options { poll_interval: Duration::from_millis(50), ..Options::new(SERVER) };
    let opening = timeout(
        OPENING_MAX,
        client::open(kind, SimulatedConnector(other.connector(SERVER)), options),
    )
    .await;
    let (mut sender, mut receiver) = match opening {
        Ok(Ok(halves)) => halves,
        Ok(Err(error)) => {
            other.record(format!("does not get in: {error}"));
            return Ok(());
        }
        Err(_) => {
            other.record(format!("is not in after {OPENING_MAX:?}"));
            return Ok(());
        }
    };
    let now = || other.now();
    let mut said = Vec::new();
    let staying = async {
        loop {
            let events = match receiver.receive().await {
                Ok(received) => received.events,
                Err(error) => return other.record(format!("is cut off: {error}")),
            };
            for event in events {
                match event.body {
                    ServerEvent::Paired { .. } => {
                        let text = format!("{}-{}", other.name(), said.len());
                        let id = text.parse().expect("the text is short enough to be an id");
                        let say = Say { id, text: text.into(), pair: None };
                        said.push(now());
                        if let Err(error) = sender.send(ClientEvent::Say(say)).await {
                            other.record(format!("cannot speak: {error}"));
                        }
                    }
                    ServerEvent::Message { from: Speaker::Me, id, .. } => {
                        let number = id.as_str().rsplit('-').next().and_then(|it| it.parse().ok());
                        let number: usize = number.expect("ids end with a number");
                        let took = now() - said[number];
                        let is_late = took > ECHO_MAX;
                        other.record(if is_late {
                            format!("hears after {took:?}")
                        } else {
                            "ok".to_owned()
                        });
                    }
                    ServerEvent::Closing { reason, .. } => {
                        return other.record(format!("is closed: {reason:?}"));
                    }
                    _ => {}
                }
            }
        }
    };
    let _over = timeout(STAY, staying).await;
    Ok(())
}

/// What `ann` and `bob` complain of during that flood, or that they never heard themselves.
fn complaints(config: fn() -> Config, flood: Flood, kind: TransportKind, seed: u64) -> Vec<String> {
    let rate = Rate::of(flood, &config());
    let flooding = Attack { flood, number: 0, count: COUNT, lasts: STAY, rate };
    let crowd = move |sim: &mut Sim<String>| {
        sim.host(SERVER, move |listener| server::serve(listener, config(), std::future::pending()));
        sim.client("mallory", move |mallory| attack(mallory, flooding));
        for name in ["ann", "bob"] {
            sim.client(name, move |client| talk(client, kind));
        }
    };
    let history = match scenario(crowd).seed(seed).run() {
        Ok(report) => report.history(),
        Err(error) => return vec![error.to_string()],
    };
    let is_unheard = |name: &&str| !history.any(|it| it.client == *name);
    let unheard = ["ann", "bob"].into_iter().filter(is_unheard);
    let unheard = unheard.map(|name| format!("{name} is never heard"));
    let bad = history.iter().filter(|it| it.what != "ok");
    bad.map(|it| format!("{} {} at {} us", it.client, it.what, it.at_us)).chain(unheard).collect()
}

/// What is found during each flood, for each transport of the others.
fn found(config: fn() -> Config) -> Vec<(Flood, String)> {
    let mut found = Vec::new();
    for flood in Flood::ALL {
        for (seed, kind) in TransportKind::ALL.into_iter().enumerate() {
            let complaints = complaints(config, flood, kind, seed as u64);
            found.extend(complaints.iter().map(|it| (flood, format!("{flood}, {kind}: {it}"))));
        }
    }
    found
}

fn lines(found: &[(Flood, String)]) -> String {
    found.iter().map(|(_, line)| format!("{line}\n")).collect()
}

#[test]
fn floods_from_one_address_leave_the_others_alone() {
    let found = found(small);
    assert!(found.is_empty(), "{}", lines(&found));
}

#[test]
fn a_flood_of_sessions_is_found_where_an_address_has_no_limits() {
    let found = found(unguarded);
    assert!(found.iter().any(|(flood, _)| *flood == Flood::Sessions), "{}", lines(&found));
}
