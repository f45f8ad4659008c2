//! The people: two thousand sockets in one thread, and as little work a message as possible.
//!
//! ```text
//!   closed   everybody keeps so many messages in flight; each one that is both echoed and relayed
//!            makes room for the next: the server never waits for the crowd
//!   open     one message falls due at fixed intervals, whether or not the server keeps up;
//!            latency counts from the time that was due
//! ```
//!
//! The sockets are level-triggered and read once a turn: one system call brings what the kernel
//! has. A frame that the kernel does not take at once waits in the person's own buffer.
//!
//! While somebody speaks the crowd never sleeps, unless it is told to. To wake another core costs a
//! server on the same machine several microseconds, in a virtual machine above all, so a crowd that
//! naps charges each server for its own naps: the slower the server, the more of them.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use hdrhistogram::Histogram;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use reports::run::latency_histogram;

use super::account::Account;
use super::frame::{self, Opcode};
use super::wire::{Heard, Wire};
use super::{Job, SaturateError};
use crate::clock::Clock;

/// What one read may bring.
const READ_BYTES: usize = 64 * 1024;
/// Sockets that one turn of the loop serves at most.
const READY_MAX: usize = 1_024;
/// How often a crowd that speaks looks whether there is something to hear; network cards bundle
/// their interrupts for about as long.
const LOOK_EVERY_US: u64 = 20;
/// How often a silent crowd looks at the clock.
const IDLE_MS: u16 = 10;
/// How long a step may take that every server does at once: to join, to settle.
const STEP_WAIT_MAX: Duration = Duration::from_secs(10);

/// When people say something.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Pace {
    /// Nobody says anything.
    Silent,
    /// Everybody has so many messages in flight.
    Closed { in_flight: usize },
    /// Together they say one message every so many microseconds.
    Open { interval_us: f64 },
}

/// What happened since the tally was taken last.
#[derive(Debug)]
pub(super) struct Tally {
    /// Messages that reached the partner.
    pub(super) relayed: u64,
    /// From the time a message was due until it reached the partner, in microseconds.
    pub(super) latency: Histogram<u64>,
    /// How long the crowd had nothing to do, in microseconds.
    pub(super) idle_us: u64,
}

impl Tally {
    fn new() -> Self {
        Self { relayed: 0, latency: latency_histogram(), idle_us: 0 }
    }
}

/// Everybody.
pub(super) struct Crowd {
    wire: Wire,
    /// It sleeps when it has nothing to do, also while somebody speaks.
    naps: bool,
    epoll: Epoll,
    people: Vec<Person>,
    account: Account,
    clock: Clock,
    pace: Pace,
    tally: Tally,
    /// When the next message is due, in the open loop, and whose it is.
    next_due_us: f64,
    next_person: u32,
    /// Since when there is nothing to do.
    idle_since_us: u64,
    words: String,
    /// Scratch: the bytes of one read and the text of one frame.
    bytes: Vec<u8>,
    text: String,
}

struct Person {
    stream: TcpStream,
    stage: Stage,
    /// The beginning of a frame whose end has not come yet.
    inbound: Vec<u8>,
    /// What the kernel has not taken yet, and whether it will say when it takes more.
    outbound: Vec<u8>,
    is_blocked: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Upgrading,
    Joining,
    Paired(u64),
}

impl Crowd {
    /// Nobody yet, of those who will do `job`.
    pub(super) fn new(wire: Wire, job: &Job) -> Result<Self, SaturateError> {
        Ok(Self {
            wire,
            naps: job.naps,
            epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(io::Error::from)?,
            people: Vec::new(),
            account: Account::new(job.people),
            clock: Clock::starting_in(Duration::ZERO),
            pace: Pace::Silent,
            tally: Tally::new(),
            next_due_us: 0.0,
            next_person: 0,
            idle_since_us: 0,
            words: "x".repeat(job.letters),
            bytes: vec![0; READ_BYTES],
            text: String::new(),
        })
    }

    /// Connects one after the other, in pairs, until everybody has a partner.
    pub(super) fn join(&mut self, addr: SocketAddr, people: u32) -> Result<(), SaturateError> {
        for _ in 0..people / 2 {
            self.connect(addr)?;
            self.connect(addr)?;
            let newcomers = self.people.len() - 2;
            self.pump_until("find a partner", |crowd| {
                crowd.people[newcomers..].iter().all(|p| matches!(p.stage, Stage::Paired(_)))
            })?;
        }
        Ok(())
    }

    /// Changes the pace at once.
    pub(super) fn set_pace(&mut self, pace: Pace) -> Result<(), SaturateError> {
        self.pace = pace;
        match pace {
            Pace::Silent => {}
            Pace::Closed { .. } => {
                for person in 0..self.people.len() as u32 {
                    self.fill(person)?;
                }
            }
            Pace::Open { .. } => self.next_due_us = self.clock.now_us() as f64,
        }
        Ok(())
    }

    /// Lets `duration` pass at the pace that was set, and says how much time it really was.
    pub(super) fn pass(&mut self, duration: Duration) -> Result<Duration, SaturateError> {
        let start_us = self.clock.now_us();
        loop {
            let elapsed = Duration::from_micros(self.clock.now_us() - start_us);
            if elapsed >= duration {
                return Ok(elapsed);
            }
            self.turn()?;
        }
    }

    /// Falls silent and waits until every message is accounted for.
    pub(super) fn settle(&mut self) -> Result<(), SaturateError> {
        self.set_pace(Pace::Silent)?;
        self.pump_until("hear every message", |crowd| crowd.account.open() == 0)
    }

    /// What happened since the last call.
    pub(super) fn take_tally(&mut self) -> Tally {
        let now_us = self.clock.now_us();
        self.tally.idle_us += now_us - std::mem::replace(&mut self.idle_since_us, now_us);
        std::mem::replace(&mut self.tally, Tally::new())
    }

    fn connect(&mut self, addr: SocketAddr) -> Result<(), SaturateError> {
        let mut stream = TcpStream::connect(addr)?;
        stream.set_nodelay(true)?;
        stream.write_all(frame::upgrade_request(&addr.to_string(), self.wire.path()).as_bytes())?;
        stream.set_nonblocking(true)?;
        let event = EpollEvent::new(EpollFlags::EPOLLIN, self.people.len() as u64);
        self.epoll.add(&stream, event).map_err(io::Error::from)?;
        self.people.push(Person {
            stream,
            stage: Stage::Upgrading,
            inbound: Vec::new(),
            outbound: Vec::new(),
            is_blocked: false,
        });
        Ok(())
    }

    fn pump_until(
        &mut self,
        what: &'static str,
        done: impl Fn(&Self) -> bool,
    ) -> Result<(), SaturateError> {
        let end_us = self.clock.now_us() + STEP_WAIT_MAX.as_micros() as u64;
        while !done(self) {
            if self.clock.now_us() > end_us {
                let open = self.account.open();
                return Err(SaturateError::Stuck { what, wait: STEP_WAIT_MAX, open });
            }
            self.turn()?;
        }
        Ok(())
    }

    /// Says what is due and serves the sockets that have something.
    fn turn(&mut self) -> Result<(), SaturateError> {
        let wait = match self.pace {
            Pace::Silent => EpollTimeout::from(IDLE_MS),
            Pace::Closed { .. } if self.naps => EpollTimeout::from(IDLE_MS),
            Pace::Closed { .. } | Pace::Open { .. } => EpollTimeout::ZERO,
        };
        let mut ready = [EpollEvent::empty(); READY_MAX];
        let count = match self.epoll.wait(&mut ready, wait) {
            Err(nix::Error::EINTR) => 0,
            waited => waited.map_err(io::Error::from)?,
        };
        let now_us = self.clock.now_us();
        let is_due = matches!(self.pace, Pace::Open { .. }) && self.next_due_us <= now_us as f64;
        if count == 0 && !is_due {
            if wait == EpollTimeout::ZERO {
                self.look_away(now_us);
            }
            return Ok(());
        }
        self.tally.idle_us += now_us.saturating_sub(self.idle_since_us);
        if let Pace::Open { interval_us } = self.pace {
            self.say_due(interval_us)?;
        }
        for event in &ready[..count] {
            let person = event.data() as u32;
            if event.events().contains(EpollFlags::EPOLLOUT) {
                self.flush(person)?;
            }
            if event.events().intersects(EpollFlags::EPOLLIN | EpollFlags::EPOLLHUP) {
                self.hear(person)?;
            }
        }
        self.idle_since_us = self.clock.now_us();
        Ok(())
    }

    /// Lets a moment pass on the clock alone: to ask the kernel without end would hold up the server,
    /// which shares its locks.
    fn look_away(&self, now_us: u64) {
        while self.clock.now_us() < now_us + LOOK_EVERY_US {
            std::hint::spin_loop();
        }
    }

    fn say_due(&mut self, interval_us: f64) -> Result<(), SaturateError> {
        let now_us = self.clock.now_us() as f64;
        while self.next_due_us <= now_us {
            let person = self.next_person;
            self.say(person, self.next_due_us as u64)?;
            self.next_person = (person + 1) % self.people.len() as u32;
            self.next_due_us += interval_us;
        }
        Ok(())
    }

    /// In the closed loop, says what `person` has room for.
    fn fill(&mut self, person: u32) -> Result<(), SaturateError> {
        if let Pace::Closed { in_flight } = self.pace {
            while self.account.in_flight(person) < in_flight {
                self.say(person, self.clock.now_us())?;
            }
        }
        Ok(())
    }

    fn say(&mut self, person: u32, due_us: u64) -> Result<(), SaturateError> {
        let Stage::Paired(pair) = self.people[person as usize].stage else {
            let why = "has nobody to talk to".to_owned();
            return Err(SaturateError::Broken { person, why });
        };
        let id = self.account.say(person, due_us);
        let mut text = std::mem::take(&mut self.text);
        self.wire.say(&mut text, id, pair, &self.words);
        let written = self.write(person, Opcode::Text, text.as_bytes());
        self.text = text;
        written
    }

    fn write(&mut self, person: u32, opcode: Opcode, payload: &[u8]) -> Result<(), SaturateError> {
        frame::write(&mut self.people[person as usize].outbound, opcode, payload);
        self.flush(person)
    }

    /// Writes what waits, and asks to be called again where the kernel does not take all of it.
    fn flush(&mut self, number: u32) -> Result<(), SaturateError> {
        let person = &mut self.people[number as usize];
        let written = match person.stream.write(&person.outbound) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            written => written?,
        };
        person.outbound.drain(..written);
        let is_blocked = !person.outbound.is_empty();
        if std::mem::replace(&mut person.is_blocked, is_blocked) != is_blocked {
            let mut flags = EpollFlags::EPOLLIN;
            flags.set(EpollFlags::EPOLLOUT, is_blocked);
            let mut event = EpollEvent::new(flags, u64::from(number));
            self.epoll.modify(&person.stream, &mut event).map_err(io::Error::from)?;
        }
        Ok(())
    }

    /// Reads once and acts on every whole frame.
    fn hear(&mut self, number: u32) -> Result<(), SaturateError> {
        let mut bytes = std::mem::take(&mut self.bytes);
        let person = &mut self.people[number as usize];
        let kept = person.inbound.len();
        bytes[..kept].copy_from_slice(&person.inbound);
        person.inbound.clear();
        let end = match person.stream.read(&mut bytes[kept..]) {
            Ok(0) => return Err(broken(number)("the server closed the connection".to_owned())),
            Err(error) if error.kind() == ErrorKind::WouldBlock => kept,
            read => kept + read?,
        };
        let heard = self.take_frames(number, &bytes[..end]);
        self.bytes = bytes;
        let taken = heard?;
        if end - taken == READ_BYTES {
            return Err(broken(number)(format!("a frame of more than {READ_BYTES} bytes")));
        }
        self.people[number as usize].inbound.extend_from_slice(&self.bytes[taken..end]);
        Ok(())
    }

    /// Acts on the whole frames in `bytes`; how many bytes they are.
    fn take_frames(&mut self, number: u32, bytes: &[u8]) -> Result<usize, SaturateError> {
        let mut taken = 0;
        if self.people[number as usize].stage == Stage::Upgrading {
            match frame::upgraded(bytes).map_err(broken(number))? {
                None => return Ok(0),
                Some(head) => taken = head,
            }
            self.people[number as usize].stage = Stage::Joining;
        }
        while let Some(frame) = frame::read(&bytes[taken..]).map_err(broken(number))? {
            taken += frame.length;
            match frame.opcode {
                Opcode::Text => {
                    let text =
                        std::str::from_utf8(frame.payload).map_err(|error| error.to_string());
                    let heard = text.and_then(|text| self.wire.hear(text));
                    self.obey(number, heard.map_err(broken(number))?)?;
                }
                Opcode::Ping => self.write(number, Opcode::Pong, frame.payload)?,
                Opcode::Pong => {}
                Opcode::Close => {
                    return Err(broken(number)("the server closed the connection".to_owned()));
                }
            }
        }
        Ok(taken)
    }

    fn obey(&mut self, number: u32, heard: Heard) -> Result<(), SaturateError> {
        match heard {
            Heard::Asked(answer) => self.write(number, Opcode::Text, answer.as_bytes()),
            Heard::Paired(pair) => {
                self.people[number as usize].stage = Stage::Paired(pair);
                Ok(())
            }
            Heard::Echo(id) => {
                self.account.echo(number, id).map_err(broken(number))?;
                self.fill(number)
            }
            Heard::Relay(id) => {
                let due_us = self.account.relay(number, id).map_err(broken(number))?;
                self.tally.relayed += 1;
                let latency_us = self.clock.now_us().saturating_sub(due_us);
                self.tally.latency.saturating_record(latency_us);
                self.fill(id.person)
            }
            Heard::Other => Ok(()),
        }
    }
}

fn broken(person: u32) -> impl Fn(String) -> SaturateError {
    move |why| SaturateError::Broken { person, why }
}
