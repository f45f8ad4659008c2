//! What happened in a run: a list of events in one order, as the clients saw it.
//!
//! The terms are Jepsen's: a process *invokes* an operation, which ends *ok*, *fails* for certain, or is
//! *info* when its outcome is unknown; what a process receives without asking is an *observation*. What is
//! recorded is a type of the model's, so that checkers decide by fields and never by sentences. Checkers are
//! functions of the plan and this list, and of nothing else.

use std::cell::RefCell;
use std::fmt::Debug;
use std::ops::Deref;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::determinism::{clock, trace};
use crate::fault::{AnyFault, FaultType};

/// One event of a run. It dereferences to what was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event<R> {
    /// The place in the history, from 0; evidence names events by it.
    pub index: usize,
    /// Time since the start, in microseconds: simulated, except in a live run.
    pub at_us: u64,
    /// The client's name, `nemesis` or `simulation`.
    pub process: String,
    /// The stage of the operation.
    pub kind: Kind,
    /// What was recorded.
    #[serde(flatten)]
    pub what: R,
}

/// The stage of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It begins.
    Invoke,
    /// It happened.
    Ok,
    /// It did not happen.
    Fail,
    /// It may have happened.
    Info,
    /// It was not asked for.
    Observe,
}

/// What the engine itself records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", bound = "")]
pub enum Mark<F: FaultType> {
    /// A fault begins ([`Kind::Invoke`]) or has ended ([`Kind::Ok`]).
    Fault {
        /// The place in the plan's list of faults.
        fault: usize,
        /// Which kind.
        kind: AnyFault<F>,
        /// What it touched; with [`Kind::Ok`] only.
        effect: usize,
    },
    /// A server's process has ended by itself.
    Exited,
    /// The run enters a phase.
    Phase {
        /// The phase.
        phase: Phase,
    },
}

/// The phases of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// All faults have ended.
    Healed,
    /// Everything has had the time to come to rest; clients are about to leave.
    Settled,
    /// Every client has left, and all time-outs have passed.
    Ended,
}

/// What may be recorded: a model's own type, which can hold the engine's marks too.
pub trait Record<F: FaultType>:
    Clone + Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// The record of a mark.
    fn of_mark(mark: Mark<F>) -> Self;

    /// The mark that this is the record of, if it is one.
    fn mark(&self) -> Option<Mark<F>>;
}

/// The record of a model whose clients note values of one type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", bound(deserialize = "E: DeserializeOwned"))]
pub enum Noted<E, F: FaultType> {
    /// A client noted this.
    Note(E),
    /// The engine noted this.
    Mark(Mark<F>),
}

impl<E, F> Record<F> for Noted<E, F>
where
    E: Clone + Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static,
    F: FaultType,
{
    fn of_mark(mark: Mark<F>) -> Self {
        Self::Mark(mark)
    }

    fn mark(&self) -> Option<Mark<F>> {
        match self {
            Self::Note(_) => None,
            Self::Mark(mark) => Some(*mark),
        }
    }
}

impl<R> Deref for Event<R> {
    type Target = R;

    fn deref(&self) -> &R {
        &self.what
    }
}

/// Records events in order; clones write into the same history.
#[derive(Debug)]
pub struct Recorder<R> {
    events: Rc<RefCell<Vec<Event<R>>>>,
    /// When the run began, where time is real.
    began: Option<Instant>,
}

impl<R> Clone for Recorder<R> {
    fn clone(&self) -> Self {
        Self { events: Rc::clone(&self.events), began: self.began }
    }
}

impl<R> Default for Recorder<R> {
    fn default() -> Self {
        Self { events: Rc::default(), began: None }
    }
}

impl<R: Serialize> Recorder<R> {
    /// A history in real time, if a live run began then.
    pub(crate) fn since(began: Option<Instant>) -> Self {
        Self { began, ..Self::default() }
    }

    /// Time since the start: of the simulated host that asks, or between steps of the simulation; where time
    /// is real, that.
    #[must_use]
    pub fn now(&self) -> Duration {
        match self.began {
            Some(began) => began.elapsed(),
            None => turmoil::sim_elapsed().unwrap_or_else(clock::elapsed),
        }
    }

    /// Returns when so many milliseconds have passed since the start.
    pub async fn until(&self, at_ms: u64) {
        tokio::time::sleep(Duration::from_millis(at_ms).saturating_sub(self.now())).await;
    }

    /// Records one event; its index and time are filled in here.
    ///
    /// # Panics
    ///
    /// If the record cannot be written as JSON, which is what enters the fingerprint of the run.
    pub fn record(&self, process: &str, kind: Kind, what: R) {
        let at_us = self.now().as_micros() as u64;
        let mut events = self.events.borrow_mut();
        let index = events.len();
        let bytes = serde_json::to_vec(&(index, at_us, process, kind, &what));
        trace::history(at_us, &bytes.expect("a record is plain data"));
        events.push(Event { index, at_us, process: process.to_owned(), kind, what });
    }

    /// Takes the history so far.
    #[must_use]
    pub fn take(&self) -> Vec<Event<R>> {
        self.events.take()
    }
}
