//! What a message costs between the transports: said, woken for, read by both, acknowledged.
//!
//! Everybody has a reader that is parked, as behind a socket; everything runs on one thread. What
//! is missing to a server is the framing and the network.
//!
//! ```sh
//! cargo bench -p racetrack-server --bench hub
//! ```

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::cell::Cell;
use std::hint::black_box;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant as Clock};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use protocol::{Batch, ClientEvent, Say, Seq, ServerEvent, SessionId};
use server::config::Config;
use server::hub::{Hub, Reader, Transport};
use tokio::runtime::{Builder, Runtime};
use tokio::task::LocalSet;

/// Messages that are on their way at a time.
const BURST: u64 = 64;
/// Events that a person lets pass before acknowledging them, as sockets do.
const ACKNOWLEDGED_EVERY: u64 = 16;
const TEXT: &str = "Half the pleasure of talking to a stranger is not knowing who it";

/// A server's worth of people who are told everything at once.
struct Crowd {
    runtime: Runtime,
    local: LocalSet,
    hub: Arc<Hub>,
    sessions: Vec<SessionId>,
    /// Messages that have arrived, at both ends.
    heard: Rc<Cell<u64>>,
    said: u64,
}

impl Crowd {
    fn new(population: usize, puts_into_words: bool) -> Self {
        let limits = Config {
            sessions_max: population,
            messages_per_s_max: 1_000_000,
            messages_burst_max: 1_000_000,
            notice_interval_ms: 1 << 36,
            ..Config::default()
        };
        let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
        let hub = Hub::new(limits).expect("there is entropy");
        let local = LocalSet::new();
        let heard = Rc::new(Cell::new(0));
        let sessions = local.block_on(&runtime, async {
            let mut sessions = Vec::with_capacity(population);
            for _ in 0..population {
                let opened = hub.open(None).await.expect("there is room");
                let reader = hub
                    .attach(opened.session, Transport::WebSocket)
                    .await
                    .expect("it was just opened");
                tokio::task::spawn_local(listen(reader, Rc::clone(&heard), puts_into_words));
                sessions.push(opened.session);
            }
            sessions
        });
        Self { runtime, local, hub, sessions, heard, said: 0 }
    }

    /// So many messages, each said by somebody else and heard by two.
    fn relay(&mut self, messages: u64) -> Duration {
        let start = Clock::now();
        let mut left = messages;
        while left > 0 {
            let burst = left.min(BURST);
            left -= burst;
            let Self { runtime, local, hub, sessions, heard, said } = self;
            local.block_on(runtime, async {
                let all_heard = heard.get() + 2 * burst;
                for _ in 0..burst {
                    *said += 1;
                    let id = format!("{said:x}").parse().expect("a number is a short id");
                    let say = Say { id, text: TEXT.into(), pair: None };
                    // Coprime to every population here, so that everybody has a turn.
                    let from = sessions[(*said * 7_919) as usize % sessions.len()];
                    hub.send(from, ClientEvent::Say(say)).await.expect("they have a partner");
                }
                while heard.get() < all_heard {
                    tokio::task::yield_now().await;
                }
            });
        }
        start.elapsed()
    }
}

async fn listen(mut reader: Reader, heard: Rc<Cell<u64>>, puts_into_words: bool) {
    let mut acknowledged = 0;
    let mut cursor = Seq(0);
    while let Ok(Batch { events, next }) = reader.receive(cursor, None).await {
        cursor = next;
        if puts_into_words {
            events.iter().for_each(|event| drop(black_box(serde_json::to_string(event))));
        }
        let messages =
            events.iter().filter(|event| matches!(event.body, ServerEvent::Message { .. }));
        heard.set(heard.get() + messages.count() as u64);
        if cursor.0 >= acknowledged + ACKNOWLEDGED_EVERY {
            reader.acknowledge(cursor).await.expect("it was just read");
            acknowledged = cursor.0;
        }
    }
}

fn hub(criterion: &mut Criterion) {
    for population in [1_000, 100_000] {
        let mut group = criterion.benchmark_group(format!("{population} people"));
        group.throughput(Throughput::Elements(1));
        for (name, puts_into_words) in [("relay", false), ("relay as JSON", true)] {
            let mut crowd = Crowd::new(population, puts_into_words);
            crowd.relay(10 * population as u64);
            group.bench_function(name, |bencher| {
                bencher.iter_custom(|messages| crowd.relay(messages));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, hub);
criterion_main!(benches);
