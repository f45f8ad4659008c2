//! What the core costs: a message, a visit, a poll, a head count, a crowd that waits.
//!
//! Sessions are visited in an order that no cache foresees, because that is how people talk. The
//! figures are of the core alone: no lock, no wake-up, no network.
//!
//! ```sh
//! cargo bench -p racetrack-server --bench core
//! ```

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::hint::black_box;
use std::time::{Duration, Instant as Clock};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use protocol::{ClientEvent, PairId, Say, Seq, SessionId};
use server::config::Config;
use server::core::{Core, Detach, Handle, Input, Instant, Output, Portion, ReaderId};

/// Messages between two looks at the clock.
const BATCH: usize = 1_024;
/// What is read at once.
const PORTION: Portion = Portion { events_max: 64, json_bytes_max: 16_384 };
/// Events that a person lets pass before acknowledging them, as sockets do.
const ACKNOWLEDGED_EVERY: u64 = 16;
/// Simulated time between two messages of one person.
const PAUSE: Duration = Duration::from_secs(1);
const TEXT: &str = "Half the pleasure of talking to a stranger is not knowing who it";

/// People who have all been paired up, and have read everything.
struct Room {
    core: Core,
    now: Instant,
    resume_window: Duration,
    population: u64,
    /// Everybody who is here for good, and last, whoever came and may go.
    handles: Vec<Handle>,
    /// What each person has read, and what each has acknowledged.
    cursors: Vec<(Seq, Seq)>,
    visited: u64,
    said: u64,
}

impl Room {
    fn new(population: usize, attached: bool) -> Self {
        Self::with_config(
            population,
            attached,
            Config { notice_interval_ms: 1 << 40, ..Config::default() },
        )
    }

    fn with_config(population: usize, attached: bool, config: Config) -> Self {
        let config = Config { sessions_max: usize::MAX, ..config };
        let mut room = Self {
            resume_window: config.resume_window(),
            core: Core::new(config, PairId(1)),
            now: Instant::default(),
            population: population as u64,
            handles: Vec::with_capacity(population + 2),
            cursors: vec![(Seq(0), Seq(0)); population + 1],
            visited: 0,
            said: 0,
        };
        for id in 1..=room.population {
            let session = room.open(SessionId(id));
            if attached {
                room.input(Input::Attach { session, reader: ReaderId(id) });
            }
        }
        room
    }

    /// Lets everybody talk until nothing that is kept of a session can grow any more.
    fn talked(mut self) -> Self {
        for _ in 0..Config::default().message_ids_max as u64 * self.population {
            let say = self.next_say();
            let woken = self.input(say);
            self.read_all(woken);
        }
        self
    }

    fn open(&mut self, session: SessionId) -> Handle {
        self.input(Input::Open { session });
        *self.handles.last().expect("somebody came")
    }

    /// Lets one thing happen and returns whose mailboxes have grown.
    fn input(&mut self, input: Input) -> [Option<Handle>; 2] {
        self.core.handle_input(self.now, input).expect("nothing here is refused");
        let mut woken = [None; 2];
        while let Some(output) = self.core.poll_output() {
            match output {
                Output::Opened(session) => self.handles.push(session),
                Output::Told { session, .. } => woken = [woken[1], Some(session)],
                Output::Removed(_) => {}
            }
        }
        woken
    }

    /// Somebody whom no cache foresees; everybody's turn comes equally often.
    fn next_person(&mut self) -> Handle {
        /// Coprime to every population here, and a large part of it.
        const STRIDE: u64 = 61_803_398_873;
        self.visited += 1;
        self.handles[(self.visited * STRIDE % self.population) as usize]
    }

    fn next_say(&mut self) -> Input {
        self.said += 1;
        self.now = Instant(self.now.0 + PAUSE / self.population as u32);
        let id = format!("{:x}", self.said).parse().expect("a number is a short id");
        let say = Say { id, text: TEXT.into(), pair: None };
        Input::Command { session: self.next_person(), event: ClientEvent::Say(say), by: None }
    }

    /// What a socket does when its mailbox has grown.
    fn read_all(&mut self, woken: [Option<Handle>; 2]) {
        for session in woken.into_iter().flatten() {
            let (read, acknowledged) = &mut self.cursors[session.session().0 as usize];
            let entries =
                self.core.read(session, *read, PORTION).expect("the cursor is good").entries;
            *read = black_box(&entries).last().map_or(*read, |last| last.seq);
            if read.0 >= acknowledged.0 + ACKNOWLEDGED_EVERY {
                self.core.acknowledge(session, *read).expect("it was just read");
                *acknowledged = *read;
            }
        }
    }
}

/// A message taken into two mailboxes, and with `read`, collected from both.
fn say(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, room: &mut Room, read: bool) {
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|iterations| {
            let mut took = Duration::ZERO;
            let mut left = iterations as usize;
            while left > 0 {
                let says: Vec<_> = (0..BATCH.min(left)).map(|_| room.next_say()).collect();
                left -= says.len();
                let mut woken = Vec::with_capacity(says.len());
                let start = Clock::now();
                for say in says {
                    let grown = room.input(say);
                    if read {
                        room.read_all(grown);
                    } else {
                        woken.push(grown);
                    }
                }
                took += start.elapsed();
                woken.into_iter().for_each(|grown| room.read_all(grown));
            }
            took
        });
    });
}

fn poll(group: &mut BenchmarkGroup<'_, WallTime>, mut room: Room) {
    let mut reader = ReaderId(0);
    group.bench_function("poll", |bencher| {
        bencher.iter(|| {
            reader.0 += 1;
            let session = room.next_person();
            let (after, _) = room.cursors[session.session().0 as usize];
            room.input(Input::Attach { session, reader });
            room.core.acknowledge(session, after).expect("it was read");
            black_box(room.core.read(session, after, PORTION).expect("the cursor is good"));
            room.input(Input::Detach { session, reader, how: Detach::Answered });
        });
    });
}

/// Two strangers from their opening to the moment when they are forgotten.
fn visit(group: &mut BenchmarkGroup<'_, WallTime>, mut room: Room) {
    let mut opened = room.population;
    group.bench_function("open, pair, close, forget two", |bencher| {
        bencher.iter(|| {
            opened += 2;
            let two = [opened - 1, opened].map(|id| room.open(SessionId(id)));
            room.handles.truncate(room.population as usize);
            for session in two {
                room.input(Input::Command { session, event: ClientEvent::Leave, by: None });
            }
            // A thousand visits are over and not yet forgotten.
            room.now = Instant(room.now.0 + room.resume_window / 1_000);
            room.input(Input::Timeout);
        });
    });
}

fn notice(group: &mut BenchmarkGroup<'_, WallTime>, mut room: Room) {
    group.bench_function("notice", |bencher| {
        bencher.iter_custom(|iterations| {
            let mut took = Duration::ZERO;
            let mut told = 0;
            while told < iterations {
                room.now = room.now.max(room.core.poll_timeout().expect("a notice is always due"));
                let start = Clock::now();
                room.core.handle_input(room.now, Input::Timeout).expect("never refused");
                let mut woken = Vec::new();
                while let Some(output) = room.core.poll_output() {
                    if let Output::Told { session, .. } = output {
                        woken.push(session);
                    }
                }
                took += start.elapsed();
                told += woken.len() as u64;
                woken.into_iter().for_each(|session| room.read_all([Some(session), None]));
            }
            took.mul_f64(iterations as f64 / told as f64)
        });
    });
}

/// Half of all people are lost at once; the others are left, and meet each other.
fn mass_loss(group: &mut BenchmarkGroup<'_, WallTime>, pairs: u64) {
    group.throughput(Throughput::Elements(pairs));
    group.bench_function(format!("{pairs} partners lost at once"), |bencher| {
        bencher.iter_batched_ref(
            || {
                let mut room = Room::new(2 * pairs as usize, true);
                for session in room.handles.clone().into_iter().step_by(2) {
                    let reader = ReaderId(session.session().0);
                    room.input(Input::Detach { session, reader, how: Detach::Dropped });
                }
                room.now = Instant(room.now.0 + room.resume_window);
                room
            },
            |room| {
                while room.core.poll_timeout().is_some_and(|at| at <= room.now) {
                    room.input(Input::Timeout);
                }
            },
            criterion::BatchSize::PerIteration,
        );
    });
}

fn core(criterion: &mut Criterion) {
    for population in [1_000, 100_000] {
        let mut group = criterion.benchmark_group(format!("{population} sessions"));
        group.throughput(Throughput::Elements(1));
        let mut sockets = Room::new(population, true).talked();
        say(&mut group, "say, sockets", &mut sockets, false);
        say(&mut group, "say, read, acknowledge", &mut sockets, true);
        drop(sockets);
        say(&mut group, "say, polls", &mut Room::new(population, false).talked(), false);
        poll(&mut group, Room::new(population, false));
        visit(&mut group, Room::new(population, true));
        notice(&mut group, Room::with_config(population, true, Config::default()));
        group.finish();
    }
    let mut group = criterion.benchmark_group("crowd");
    group.sample_size(10);
    mass_loss(&mut group, 1_000);
    mass_loss(&mut group, 10_000);
    group.finish();
}

criterion_group!(benches, core);
criterion_main!(benches);
