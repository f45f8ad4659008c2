//! A length-prefixed protocol over a raw TCP stream under the simulation: a key-value store, two clients, and a checker.
//!
//! ```sh
//! cargo run -p racetrack-sim --example raw_tcp -- --first                  # finds the seed at which a torn frame is stored
//! FRAMING=careful cargo run -p racetrack-sim --example raw_tcp             # every client reads what it wrote
//! cargo run -p racetrack-sim --example raw_tcp -- --help                   # the other commands
//! ```

mod service;

use std::collections::BTreeMap;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

use racetrack_sim::{Client, FaultKind, History, Sim, SimListener, Violation, cli};
use serde::{Deserialize, Serialize};
use service::{Framing, Store, read_frame, write_frame};

/// How long a client waits for the answers on one connection.
const ANSWER: Duration = Duration::from_secs(1);
/// How long a client waits before it connects again.
const AGAIN: Duration = Duration::from_millis(20);

/// What a client records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Event {
    Wrote { value: String },
    Read { value: String },
    Retried,
}

type Error = Box<dyn std::error::Error>;

fn hasty(sim: &mut Sim<Event>) {
    store(sim, Framing::Hasty);
}

fn careful(sim: &mut Sim<Event>) {
    store(sim, Framing::Careful);
}

fn store(sim: &mut Sim<Event>, framing: Framing) {
    sim.host("store", move |listener| serve(listener, framing));
    for name in ["ann", "bob"] {
        sim.client(name, write_and_read);
    }
    // Every kind but those that end the process: the store keeps its values in memory.
    let ends = [FaultKind::Crash, FaultKind::CrashBlackHole];
    sim.faults(FaultKind::ALL.into_iter().filter(|kind| !ends.contains(kind)));
    sim.checker("read-your-writes", read_your_writes);
    sim.sometimes("an answer was lost", |history| {
        history.any(|event| event.what == Event::Retried)
    });
}

/// Serves every connection with one store.
async fn serve(listener: SimListener, framing: Framing) -> io::Result<()> {
    let store = Store::default();
    loop {
        let (stream, _) = listener.accept().await?;
        let store = store.clone();
        tokio::spawn(async move {
            // An error is the end of this connection alone.
            let _ended = store.serve(stream, framing).await;
        });
    }
}

/// Writes a value under a key of its own and reads it; does both again on a new connection if an answer is lost.
async fn write_and_read(client: Client<Event>) -> Result<(), Error> {
    while !matches!(tokio::time::timeout(ANSWER, once(&client)).await, Ok(Ok(()))) {
        client.record(Event::Retried);
        tokio::time::sleep(AGAIN).await;
    }
    Ok(())
}

async fn once(client: &Client<Event>) -> Result<(), Error> {
    let mut stream = client.connect("store").await?;
    let (key, value) = (client.name(), format!("the words of {}", client.name()));
    for request in [format!("set {key} {value}"), format!("get {key}")] {
        write_frame(&mut stream, &request).await?;
        let answer = read_frame(&mut stream).await?.ok_or("the store closed the connection")?;
        client.record(match request.starts_with("set") {
            true => Event::Wrote { value: value.clone() },
            false => Event::Read { value: answer },
        });
    }
    Ok(())
}

/// A client reads what it wrote.
fn read_your_writes(history: &History<Event>) -> Vec<Violation> {
    let mut wrote = BTreeMap::new();
    let mut violations = Vec::new();
    for event in history {
        match &event.what {
            Event::Wrote { value } => drop(wrote.insert(&event.client, (value, event.index))),
            Event::Read { value: read } => {
                let Some((value, index)) = wrote.get(&event.client) else { continue };
                if read != *value {
                    let what = format!("{} wrote {value:?} and read {read:?}", event.client);
                    violations.push(Violation::because(what, &[*index, event.index]));
                }
            }
            Event::Retried => {}
        }
    }
    violations
}

fn main() -> ExitCode {
    match std::env::var("FRAMING").is_ok_and(|framing| framing == "careful") {
        true => cli::main(careful),
        false => cli::main(hasty),
    }
}

#[cfg(test)]
mod tests {
    use racetrack_sim::{explore, prove};

    use super::*;

    #[test]
    fn hasty_framing_stores_a_torn_frame_within_twenty_seeds() {
        let explored = explore(hasty).seeds(0..20).try_run();
        let text = explored.map(|explored| explored.replayed).expect_err("it fails").to_string();
        assert!(text.contains(" failed: read-your-writes: "), "{text}");
        assert!(text.contains("segments of 16 bytes"), "{text}");
    }

    #[test]
    fn careful_framing_reads_what_was_written() {
        let explored = explore(careful).seeds(0..150).require_states().run();
        assert_eq!(explored.sweep.seeds, 150);
    }

    #[test]
    fn both_framings_run_alike_twice() {
        assert_eq!(prove(hasty).seeds(0..4).run(), prove(hasty).seeds(0..4).run());
        assert_eq!(prove(careful).seeds(0..4).run(), prove(careful).seeds(0..4).run());
    }
}
