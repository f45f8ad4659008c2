//! What the people of one run share: the books, the clock, the counters, and the word to stop.
//!
//! The stage is passive. People write to it, the conductor reads it; nothing here waits for
//! anything or decides anything.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use client::{TcpConnector, TransportKind};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::seat::{Seat, Turn};
use crate::clock::Clock;
use crate::counted::{Bytes, Counted};
use crate::habits::Habits;
use crate::ledger::Ledger;
use crate::live::Live;
use crate::preflight::{Keeping, Sources};
use crate::schedule::{Due, Schedule};
use crate::shard::Shard;

/// Different texts of errors that are kept apart; more than these are a flood, not information.
const ERROR_TEXTS_MAX: usize = 50;

/// How the people reach the server.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    /// What the series is called.
    pub(crate) label: Arc<str>,
    /// What each person uses.
    pub(crate) kinds: Arc<[TransportKind]>,
    pub(crate) habits: Habits,
    /// People who arrive in a second.
    pub(crate) arrival_rate: f64,
    pub(crate) addr: std::net::SocketAddr,
    pub(crate) host: String,
    pub(crate) poll_interval: Duration,
    pub(crate) keeping: Keeping,
    pub(crate) sources: Sources,
}

impl Route {
    /// What this person uses.
    pub(crate) fn kind_of(&self, person: u32) -> TransportKind {
        self.kinds[person as usize]
    }
}

/// One run of one transport.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) route: Route,
    pub(crate) ledger: Ledger,
    /// For whoever watches.
    pub(crate) live: Live,
    pub(crate) bytes: Arc<Bytes>,
    /// Requests and socket messages that the people sent.
    pub(crate) requests: AtomicU64,
    /// People whose session is open.
    pub(crate) connected: AtomicU64,
    /// People who have a partner now.
    pub(crate) paired: AtomicU64,
    arrivals: Arrivals,
    pairings: Mutex<Vec<Pairing>>,
    clock: OnceLock<Clock>,
    started: watch::Sender<bool>,
    bells: Vec<mpsc::UnboundedSender<u32>>,
    seats: Mutex<Vec<Seat>>,
    errors: Mutex<BTreeMap<String, u64>>,
    failure: Mutex<Option<String>>,
    stopped: watch::Sender<bool>,
}

/// When the crowd came, before the clock of the run was started.
#[derive(Debug)]
struct Arrivals {
    origin: Instant,
    /// Microseconds from the origin to the first person's first step.
    first_us: AtomicU64,
    /// The same to the last person's open session.
    last_us: AtomicU64,
}

/// Somebody who was without a partner found one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pairing {
    /// When it was read, in microseconds on the clock of the run.
    pub(crate) at_us: u64,
    /// Since when there was none, in microseconds before that.
    pub(crate) waited_us: u64,
}

impl Stage {
    /// With the seats of the people that `shard` plays.
    pub(crate) fn new(run: u64, route: Route, schedule: &Schedule, shard: Shard) -> Self {
        let (bells, seats) = (0..schedule.people)
            .filter(|person| shard.owns(*person))
            .map(|person| {
                let (ring, bell) = mpsc::unbounded_channel();
                let (skips, departures) =
                    (route.habits.skips(person), route.habits.departures(person));
                (ring, Seat::new(person, Turn { bell, skips, departures }))
            })
            .unzip();
        Self {
            route,
            ledger: Ledger::new(run, schedule, shard),
            live: Live::default(),
            bytes: Arc::default(),
            requests: AtomicU64::new(0),
            connected: AtomicU64::new(0),
            paired: AtomicU64::new(0),
            arrivals: Arrivals::new(),
            pairings: Mutex::default(),
            clock: OnceLock::new(),
            started: watch::Sender::new(false),
            bells,
            seats: Mutex::new(seats),
            errors: Mutex::default(),
            failure: Mutex::default(),
            stopped: watch::Sender::new(false),
        }
    }

    /// The next free seat; none when goose starts more people than the schedule has.
    pub(crate) fn take_seat(&self) -> Option<Seat> {
        self.arrivals.begin();
        self.seats.lock().expect("nothing panics under this lock").pop()
    }

    pub(crate) fn connector(&self, person: u32) -> Counted<TcpConnector> {
        // A shard's own people have every so-many-th number; their addresses must not.
        let place = self.ledger.shard.place(person) as u32;
        let source = self.route.sources.of(place);
        let connector = TcpConnector { target: self.route.addr, source };
        Counted::new(connector, Arc::clone(&self.bytes))
    }

    /// Rings for the message that is due. A person who is gone hears nothing any more, and the
    /// books show the message as unsent.
    pub(crate) fn ring(&self, due: Due) {
        self.ledger.pass(due.at_us);
        let place = self.ledger.shard.place(due.person);
        let _ = self.bells[place].send(due.number);
    }

    /// Starts the clock of the run, once.
    pub(crate) fn start_clock(&self, origin: Instant) -> Clock {
        let clock = *self.clock.get_or_init(|| Clock::starting_at(origin));
        self.started.send_replace(true);
        clock
    }

    /// The clock of the run, once it has been started.
    pub(crate) fn clock(&self) -> Option<Clock> {
        self.clock.get().copied()
    }

    /// Microseconds on the clock of the run; 0 before it was started.
    pub(crate) fn now_us(&self) -> u64 {
        self.clock.get().map_or(0, Clock::now_us)
    }

    /// Returns when the clock of the run shows this, which is never where there is no such time.
    pub(crate) async fn until(&self, at_us: Option<u64>) {
        let Some(at_us) = at_us else { return std::future::pending().await };
        // The stage holds the sender, so that the only way out is the start itself.
        let _ = self.started.subscribe().wait_for(|started| *started).await;
        let clock = self.clock().expect("it was started");
        tokio::time::sleep(clock.until(at_us)).await;
    }

    /// Somebody's session is open.
    pub(crate) fn arrived(&self, is_of_the_crowd: bool) {
        self.connected.fetch_add(1, Ordering::Relaxed);
        if is_of_the_crowd {
            self.arrivals.end();
        }
    }

    /// From the first person's first step to the last one's open session.
    pub(crate) fn arrival_time(&self) -> Duration {
        self.arrivals.time()
    }

    /// Somebody who was without a partner for so long has read of one.
    pub(crate) fn add_pairing(&self, at_us: u64, waited_us: u64) {
        let mut pairings = self.pairings.lock().expect("nothing panics under this lock");
        pairings.push(Pairing { at_us, waited_us });
    }

    pub(crate) fn pairings(&self) -> Vec<Pairing> {
        self.pairings.lock().expect("nothing panics under this lock").clone()
    }

    pub(crate) fn add_requests(&self, count: u64) {
        self.requests.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn add_error(&self, text: String) {
        let mut errors = self.errors.lock().expect("nothing panics under this lock");
        let known = errors.len() < ERROR_TEXTS_MAX || errors.contains_key(&text);
        let text = if known { text } else { "further errors".to_owned() };
        *errors.entry(text).or_insert(0) += 1;
    }

    pub(crate) fn errors(&self) -> BTreeMap<String, u64> {
        self.errors.lock().expect("nothing panics under this lock").clone()
    }

    /// How many errors there were.
    pub(crate) fn errors_met(&self) -> u64 {
        self.errors.lock().expect("nothing panics under this lock").values().sum()
    }

    /// Says why the run cannot go on; the first reason stays.
    pub(crate) fn fail(&self, why: String) {
        let mut failure = self.failure.lock().expect("nothing panics under this lock");
        failure.get_or_insert(why);
    }

    pub(crate) fn failure(&self) -> Option<String> {
        self.failure.lock().expect("nothing panics under this lock").clone()
    }

    /// Tells everybody to leave, for good.
    pub(crate) fn stop(&self) {
        self.stopped.send_replace(true);
    }

    /// Returns when everybody has been told to leave.
    pub(crate) async fn stopped(&self) {
        // The stage holds the sender, so the only way out is the word itself.
        let _ = self.stopped.subscribe().wait_for(|stopped| *stopped).await;
    }
}

impl Arrivals {
    fn new() -> Self {
        let [first_us, last_us] = [AtomicU64::new(u64::MAX), AtomicU64::new(0)];
        Self { origin: Instant::now(), first_us, last_us }
    }

    fn now_us(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_micros()).expect("a run is at most an hour")
    }

    fn begin(&self) {
        self.first_us.fetch_min(self.now_us(), Ordering::Relaxed);
    }

    fn end(&self) {
        self.last_us.fetch_max(self.now_us(), Ordering::Relaxed);
    }

    fn time(&self) -> Duration {
        let [first_us, last_us] =
            [&self.first_us, &self.last_us].map(|time| time.load(Ordering::Relaxed));
        Duration::from_micros(last_us.saturating_sub(first_us))
    }
}
