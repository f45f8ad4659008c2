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

use crate::clock::Clock;
use crate::counted::{Bytes, Counted};
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
    pub(crate) kind: TransportKind,
    pub(crate) addr: std::net::SocketAddr,
    pub(crate) host: String,
    pub(crate) poll_interval: Duration,
    pub(crate) keeping: Keeping,
    pub(crate) sources: Sources,
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
    clock: OnceLock<Clock>,
    bells: Vec<mpsc::UnboundedSender<u32>>,
    seats: Mutex<Vec<Seat>>,
    errors: Mutex<BTreeMap<String, u64>>,
    failure: Mutex<Option<String>>,
    stopped: watch::Sender<bool>,
}

/// The place of one person: a number, and the bell that rings when a message is due.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) person: u32,
    /// The numbers of the messages that are due; at most as many as the schedule has.
    pub(crate) bell: mpsc::UnboundedReceiver<u32>,
}

impl Stage {
    /// With the seats of the people that `shard` plays.
    pub(crate) fn new(run: u64, route: Route, schedule: &Schedule, shard: Shard) -> Self {
        let (bells, seats) = (0..schedule.people)
            .filter(|person| shard.owns(*person))
            .map(|person| {
                let (ring, bell) = mpsc::unbounded_channel();
                (ring, Seat { person, bell })
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
            clock: OnceLock::new(),
            bells,
            seats: Mutex::new(seats),
            errors: Mutex::default(),
            failure: Mutex::default(),
            stopped: watch::Sender::new(false),
        }
    }

    /// The next free seat; none when goose starts more people than the schedule has.
    pub(crate) fn take_seat(&self) -> Option<Seat> {
        self.seats.lock().expect("nothing panics under this lock").pop()
    }

    pub(crate) fn connector(&self, person: u32) -> Counted<TcpConnector> {
        let connector =
            TcpConnector { target: self.route.addr, source: self.route.sources.of(person) };
        Counted::new(connector, Arc::clone(&self.bytes))
    }

    /// Rings for the message that is due. A person who is gone hears nothing any more, and the
    /// books show the message as unsent.
    pub(crate) fn ring(&self, due: Due) {
        let place = self.ledger.shard.place(due.person);
        let _ = self.bells[place].send(due.number);
    }

    /// Starts the clock of the run, once.
    pub(crate) fn start_clock(&self, origin: Instant) -> Clock {
        *self.clock.get_or_init(|| Clock::starting_at(origin))
    }

    /// The clock of the run, once it has been started.
    pub(crate) fn clock(&self) -> Option<Clock> {
        self.clock.get().copied()
    }

    /// Microseconds on the clock of the run; 0 before it was started.
    pub(crate) fn now_us(&self) -> u64 {
        self.clock.get().map_or(0, Clock::now_us)
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
