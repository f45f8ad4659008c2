//! The rules of random chat, told as scripts; and a state machine against a tiny model.

mod absences;
mod drains;
mod leases;
mod limits;
mod mailboxes;
mod model;
mod readers;
mod scripts;

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Core, Detach, Handle, Input, Instant, Output, Portion, ReaderId, Rejected};
use crate::config::Config;
use protocol::{ClientEvent, PairId, Say, Seq, ServerEvent, SessionId};

/// A core and what everybody has read so far.
struct Room {
    core: Core,
    now: Instant,
    cursors: BTreeMap<SessionId, Seq>,
    readers: u64,
}

const ANN: SessionId = SessionId(1);
const BOB: SessionId = SessionId(2);

/// Nobody is told head counts, and nobody who says nothing at first is lost sooner than others.
fn quiet() -> Config {
    Config { notice_interval_ms: 1_000_000, first_lease_ms: 0, ..Config::default() }
}

/// Ann and Bob, who have met.
fn couple() -> Room {
    let mut room = Room::new(quiet());
    for session in [ANN, BOB] {
        room.open(session).expect("there is room");
    }
    room
}

impl Room {
    fn new(config: Config) -> Self {
        Self {
            core: Core::new(config, PairId(1)),
            now: Instant::default(),
            cursors: BTreeMap::new(),
            readers: 0,
        }
    }

    fn input(&mut self, input: Input) -> Result<(), Rejected> {
        let result = self.core.handle_input(self.now, input);
        while let Some(output) = self.core.poll_output() {
            if let Output::Removed(session) = output {
                self.cursors.remove(&session.session());
            }
        }
        result
    }

    fn handle(&self, session: SessionId) -> Handle {
        self.core.find(session).expect("it is known")
    }

    fn open(&mut self, session: SessionId) -> Result<(), Rejected> {
        self.input(Input::Open { session })?;
        self.cursors.insert(session, Seq(0));
        Ok(())
    }

    fn command(&mut self, session: SessionId, event: ClientEvent) -> Result<(), Rejected> {
        self.input(Input::Command { session: self.core.find(session)?, event, by: None })
    }

    fn attach(&mut self, session: SessionId) -> Result<ReaderId, Rejected> {
        self.readers += 1;
        let reader = ReaderId(self.readers);
        self.input(Input::Attach { session: self.core.find(session)?, reader })?;
        Ok(reader)
    }

    /// A poll that is cut off: somebody reads, then the connection is lost.
    fn detach(&mut self, session: SessionId, how: Detach) -> Result<(), Rejected> {
        let reader = self.attach(session)?;
        self.input(Input::Detach { session: self.core.find(session)?, reader, how })
    }

    /// Lets time pass, with every time-out in its moment.
    fn pass(&mut self, ms: u64) {
        let end = Instant(self.now.0 + Duration::from_millis(ms));
        while let Some(at) = self.core.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.input(Input::Timeout).expect("a time-out is never refused");
        }
        self.now = end;
    }

    /// What a session has not read yet, which is acknowledged at once.
    fn news(&mut self, session: SessionId) -> Vec<ServerEvent> {
        let after = self.cursors[&session];
        let handle = self.handle(session);
        let read = self.core.read(handle, after, Portion::ALL).expect("the cursor is good").entries;
        if let Some(last) = read.last() {
            self.cursors.insert(session, last.seq);
            self.core.acknowledge(handle, last.seq).expect("it was just read");
            if self.core.is_unsettled() {
                self.input(Input::Timeout).expect("a time-out is never refused");
            }
        }
        read.into_iter().map(|entry| entry.event).collect()
    }
}

fn say(id: &str, text: &str, pair: Option<PairId>) -> ClientEvent {
    let id = id.parse().expect("a test's message id is short");
    ClientEvent::Say(Say { id, text: text.into(), pair })
}
