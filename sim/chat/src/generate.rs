//! From a seed to a plan.
//!
//! Each subsystem draws from a stream of its own, so that switching faults off leaves the people
//! as they were. Which features a run has is drawn too (swarm testing): a feature that is always
//! on hides the bugs that need it to be off.

mod extremes;
mod faults;
mod floods;
mod openings;
mod upgrades;

use std::num::NonZeroU64;

use client::TransportKind;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use server::config::Config;

use self::extremes::{extremes, rates};
use self::faults::{calm, drains, faults, kinds};
use self::floods::floods;
use self::openings::openings;
use self::upgrades::{UPGRADE_EVENTS_MAX, upgrade_faults, upgrades};
use crate::options::Options;
use crate::plan::{self, Action, ChatConfig, Person, Plan, Settings, Step};

/// How long somebody who idles does nothing, in milliseconds: longer than a heartbeat.
const IDLE_MS: std::ops::Range<u64> = 1_500..2_500;
/// More people than these say less each.
const PARTY: u64 = 4;
/// One action in so many is followed by that.
const IDLE_ONE_IN: u32 = 12;
/// The grain of time, and how often it is drawn. A step costs the same however long it is, and most of
/// them are idle; a fine grain is for what happens within a few milliseconds of something else.
const TICKS_MS: [(u64, u32); 5] = [(1, 1), (2, 2), (5, 6), (10, 25), (20, 30)];
/// Hosts that people share, as often as they are drawn: each of them slows every step.
const CLIENT_HOSTS: [usize; 6] = [1, 1, 1, 2, 2, 3];
/// The longest segment, as often as it is drawn: each is a packet, and a request of four costs as
/// much as four.
const SEGMENT_BYTES_MAX: [usize; 8] =
    [64, 1_460, 1_460, 16 << 10, 16 << 10, 16 << 10, 16 << 10, 16 << 10];
/// Places for connections from one address, where there are few: not enough for a storm.
const CONNECTIONS_MIN: u64 = 40;
/// Connections that one person opens at the same time, at most: to read, to send, twice over, and
/// for a second tab.
const CONNECTIONS_A_PERSON: u64 = 5;

/// What somebody may say at once where that is a lot: more packets than Socket.IO keeps for a
/// connection that is full.
const BURST_MESSAGES: u32 = 160;

/// Longer than a drain may take.
const DRAINS_MS: u64 = 1_500;

/// Between two heartbeats or two comments of a stream, where there are many.
const OFTEN_MS: u64 = 100;

/// Places of a mailbox, where there are few.
const MAILBOX_EVENTS: std::ops::RangeInclusive<usize> = 8..=10;

/// The longest message, where messages are short, in bytes.
const MESSAGE_BYTES: usize = 300;
/// What people do instead of saying something, where bodies are short.
const WORDY: [(Action, u32); 3] = [(Action::Say, 10), (Action::SayMuch, 10), (Action::Flood, 1)];
/// The longest body, where bodies are short: of a few messages, in bytes.
const BODY_BYTES: usize = 2_000;

/// Longer than a run, where nobody asks for a long one.
const HARDLY_EVER_MS: u64 = 60_000;

/// The streams of a seed; a new one goes to the end, so that old seeds keep their runs.
#[derive(Clone, Copy)]
enum Stream {
    Settings = 1,
    People = 2,
    Faults = 3,
    Upgrades = 4,
    Limits = 5,
    Answers = 6,
    PowerCuts = 7,
    Bursts = 8,
    Calm = 9,
    Hangs = 10,
    Heartbeats = 11,
    Notices = 12,
    Drains = 13,
    Mailboxes = 14,
    Bodies = 15,
    Acknowledgements = 16,
    Extremes = 17,
    Rates = 18,
    UpgradeFaults = 19,
    Openings = 20,
    Floods = 21,
}

/// The plan of a seed.
#[must_use]
pub fn plan(seed: u64, options: &Options) -> Plan {
    let mut rng = stream(seed, Stream::Settings);
    let (settings, config) = settings(&mut rng, options);
    let server = limits(&mut stream(seed, Stream::Limits), options);
    let server = bursts(&mut stream(seed, Stream::Bursts), server);
    let server = heartbeats(&mut stream(seed, Stream::Heartbeats), server);
    let server = notices(&mut stream(seed, Stream::Notices), server);
    let world = World { settings, server };
    let (people, steps) = people(&mut stream(seed, Stream::People), options, &world);
    let steps = power_cuts(&mut stream(seed, Stream::PowerCuts), steps);
    let steps = hangs(&mut stream(seed, Stream::Hangs), &people, steps);
    let steps = acknowledgements(&mut stream(seed, Stream::Acknowledgements), steps);
    let faults = faults(&mut stream(seed, Stream::Faults), options, &world.settings, &people);
    let faults = calm(&mut stream(seed, Stream::Calm), faults);
    let faults = drains(&mut stream(seed, Stream::Drains), options, faults);
    let people = upgrades(&mut stream(seed, Stream::Upgrades), people);
    let people = answers(&mut stream(seed, Stream::Answers), people);
    let World { settings, server } = world;
    let config = ChatConfig { server, ..config };
    let plan = Plan { settings, config, clients: people, steps, faults, ..plan::empty(seed) };
    let plan = mailboxes(&mut stream(seed, Stream::Mailboxes), plan);
    let mut plan = bodies(&mut stream(seed, Stream::Bodies), plan);
    let server = extremes(&mut stream(seed, Stream::Extremes), options, plan.config.server);
    let server = rates(&mut stream(seed, Stream::Rates), server);
    plan.config.server = openings(&mut stream(seed, Stream::Openings), options, server);
    let plan = upgrade_faults(&mut stream(seed, Stream::UpgradeFaults), options, plan);
    floods(&mut stream(seed, Stream::Floods), options, plan)
}

/// What people live in.
struct World {
    settings: Settings,
    server: Config,
}

fn stream(seed: u64, stream: Stream) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream as u64);
    rng
}

/// The network, and how users poll.
fn settings(rng: &mut impl Rng, options: &Options) -> (Settings, ChatConfig) {
    let defaults = Settings::default();
    let rest = defaults.settle_ms + defaults.forget_ms;
    let settings = Settings {
        tick_ms: pick_weighted(rng, &TICKS_MS),
        latency_ms_min: pick(rng, &[0, 1, 5]),
        latency_ms_max: pick(rng, &[5, 10, 30, 100]),
        client_hosts: pick(rng, &CLIENT_HOSTS),
        disturb_ms: options.simulated_ms.saturating_sub(rest).max(1_000),
        ..defaults
    };
    let config = ChatConfig {
        poll_interval_ms: pick(rng, &[100, 300, 500]),
        poll_wait_ms: pick(rng, &[300, 1_200, 1_200]),
        ..ChatConfig::default()
    };
    let settings = Settings {
        segment_bytes_max: pick(rng, &SEGMENT_BYTES_MAX),
        window_bytes: pick(rng, &[4 << 10, 64 << 10]),
        ..settings
    };
    (settings, config)
}

/// Limits of the server that are worth being small: each is left alone in most runs.
fn limits(rng: &mut impl Rng, options: &Options) -> Config {
    let usual = plan::quick_server();
    // Everybody may live at one address, and must get in when no storm blows.
    let per_address = CONNECTIONS_MIN.max(CONNECTIONS_A_PERSON * options.clients as u64);
    let mut seldom = |small: u64, usual: u64| if rng.random_ratio(1, 3) { small } else { usual };
    Config {
        mailbox_events_max: seldom(24, usual.mailbox_events_max as u64) as usize,
        mailbox_bytes_max: seldom(2_000, usual.mailbox_bytes_max as u64) as usize,
        message_ids_max: seldom(4, usual.message_ids_max as u64) as usize,
        messages_burst_max: seldom(5, usual.messages_burst_max.into()) as u32,
        session_lease_ms: seldom(700, usual.session_lease_ms),
        resume_window_ms: seldom(200, usual.resume_window_ms),
        notice_interval_ms: seldom(100, usual.notice_interval_ms),
        connections_per_address_max: seldom(per_address, usual.connections_per_address_max as u64)
            as usize,
        drain_ms_max: seldom(100, usual.drain_ms_max),
        write_ms_max: seldom(300, usual.write_ms_max),
        message_bytes_max: seldom(MESSAGE_BYTES as u64, usual.message_bytes_max as u64) as usize,
        ..usual
    }
}

fn people(rng: &mut impl Rng, options: &Options, world: &World) -> (Vec<Person>, Vec<Step>) {
    let transports: Vec<_> = TransportKind::ALL.into_iter().filter(|_| rng.random()).collect();
    let transports = if transports.is_empty() { TransportKind::ALL.to_vec() } else { transports };
    let habits = Habits::draw(rng, options);
    let mut people = Vec::new();
    let mut steps = Vec::new();
    // As many as asked for in every other run; fewer get into each other's way otherwise.
    let count = if rng.random() { options.clients } else { rng.random_range(2..=options.clients) };
    for number in 0..count {
        let person = Person {
            name: name(number),
            profile: pick(rng, &transports).into(),
            host: rng.random_range(0..world.settings.client_hosts),
        };
        habits.act(rng, &person.name, world, &mut steps);
        people.push(person);
    }
    // Who acts first in the same instant is the seed's choice, not the alphabet's.
    people.shuffle(rng);
    steps.sort_by_key(|step| step.at_ms);
    (people, steps)
}

/// A server that lets people say more at once than a connection takes, now and then.
fn bursts(rng: &mut impl Rng, server: Config) -> Config {
    let is_usual = server.messages_burst_max == plan::quick_server().messages_burst_max;
    if !is_usual || !rng.random_ratio(1, 4) {
        return server;
    }
    Config { messages_burst_max: BURST_MESSAGES, ..server }
}

/// Half of those who vanish do so without a sign of it.
fn power_cuts(rng: &mut impl Rng, mut steps: Vec<Step>) -> Vec<Step> {
    for step in steps.iter_mut().filter(|step| step.action == Action::Vanish) {
        if rng.random() {
            step.action = Action::PowerCut;
        }
    }
    steps
}

/// A third of all of these hang instead, of those of whom the server can tell.
fn hangs(rng: &mut impl Rng, people: &[Person], mut steps: Vec<Step>) -> Vec<Step> {
    let says_nothing = |who: &str| {
        people
            .iter()
            .any(|person| person.name == who && !speaks_by_itself(person.profile.transport))
    };
    for step in &mut steps {
        let is_gone = matches!(step.action, Action::Vanish | Action::PowerCut);
        if is_gone && !says_nothing(&step.client) && rng.random_ratio(1, 3) {
            step.action = Action::Hang;
        }
    }
    steps
}

/// Whether somebody who listens is heard now and then, so that the server can tell a program that
/// hangs: who reads a stream says nothing by itself.
fn speaks_by_itself(transport: TransportKind) -> bool {
    match transport {
        TransportKind::Sse => false,
        TransportKind::ShortPoll
        | TransportKind::LongPoll
        | TransportKind::Websocket
        | TransportKind::SocketioWebsocket
        | TransportKind::SocketioPolling => true,
    }
}

/// A server that asks whether its people are there so often that what it tells them meanwhile is
/// still on its way when they answer, now and then.
fn heartbeats(rng: &mut impl Rng, server: Config) -> Config {
    if !rng.random_ratio(1, 8) {
        return server;
    }
    Config { heartbeat_interval_ms: OFTEN_MS, ..server }
}

/// A server that hardly ever tells how many people there are, now and then: whatever is forgotten is
/// soon looked at again where something is always due.
fn notices(rng: &mut impl Rng, server: Config) -> Config {
    if !rng.random_ratio(1, 4) {
        return server;
    }
    Config { notice_interval_ms: HARDLY_EVER_MS, ..server }
}

/// A server whose mailboxes hold so little that two who talk fill both between two polls, now and
/// then, and people of whom half ask for them from time to time only.
fn mailboxes(rng: &mut impl Rng, mut plan: Plan) -> Plan {
    if !rng.random_ratio(1, 8) {
        return plan;
    }
    plan.config.server.mailbox_events_max = rng.random_range(MAILBOX_EVENTS);
    for person in &mut plan.clients {
        if rng.random() {
            person.profile = TransportKind::ShortPoll.into();
        }
    }
    plan
}

/// A server whose answers hold less than a few people say at once, now and then, and people who fill
/// them: half of them poll Socket.IO, and change to a WebSocket in the middle of it.
fn bodies(rng: &mut impl Rng, mut plan: Plan) -> Plan {
    if !rng.random_ratio(1, 10) {
        return plan;
    }
    plan.config.server.body_bytes_max = BODY_BYTES;
    plan.config.server.message_bytes_max = MESSAGE_BYTES;
    for step in plan.steps.iter_mut().filter(|step| step.action == Action::Say) {
        step.action = pick_weighted(rng, &WORDY);
    }
    for person in &mut plan.clients {
        if rng.random() {
            person.profile.transport = TransportKind::SocketioPolling;
            person.profile.upgrade_after_events = Some(rng.random_range(0..UPGRADE_EVENTS_MAX));
        }
    }
    plan
}

/// Half of those who acknowledge something once more acknowledge what they were never told.
fn acknowledgements(rng: &mut impl Rng, mut steps: Vec<Step>) -> Vec<Step> {
    for step in steps.iter_mut().filter(|step| step.action == Action::AcknowledgeAgain) {
        if rng.random() {
            step.action = Action::AcknowledgeTooFar;
        }
    }
    steps
}

/// Some of those who speak Socket.IO want an answer now and then, which makes a command wait for
/// its turn: the next one must not overtake it.
fn answers(rng: &mut impl Rng, mut people: Vec<Person>) -> Vec<Person> {
    for person in &mut people {
        let every = pick(rng, &[0, 0, 1, 2, 3]);
        let speaks_it = matches!(
            person.profile.transport,
            TransportKind::SocketioWebsocket | TransportKind::SocketioPolling
        );
        if speaks_it {
            person.profile.answer_every = NonZeroU64::new(every);
        }
    }
    people
}

/// What the people of one run are like.
struct Habits {
    /// Mean time between two actions, in milliseconds.
    pause_ms: u64,
    /// Everybody comes in the same instant.
    rush: bool,
    /// People do nothing now and then, for longer than a heartbeat takes.
    idles: bool,
    /// Everybody acts at whole multiples of this, in milliseconds: the longer, the more happens in
    /// the same instant.
    beat_ms: u64,
    /// Actions and how often they are chosen.
    weights: Vec<(Action, u32)>,
}

impl Habits {
    fn draw(rng: &mut impl Rng, options: &Options) -> Self {
        let optional = [
            (Action::Repeat, 10),
            (Action::DoublePost, 8),
            (Action::Flood, 4),
            (Action::Next, 15),
            (Action::Abort, 10),
            (Action::AbortAnswer, 8),
            (Action::SecondPoll, 10),
            (Action::SecondTab, 6),
            (Action::ReadSlowly, 4),
            (Action::GoAway, 6),
            (Action::Leave, 6),
            (Action::Vanish, 6),
            (Action::RepeatEarlier, 8),
            (Action::SayMuch, 4),
            (Action::SayTooMuch, 3),
            (Action::AcknowledgeAgain, 6),
            (Action::FreshTab, 4),
            (Action::Guess, 2),
        ];
        let mut weights = vec![(Action::Say, 60)];
        weights.extend(optional.into_iter().filter(|_| rng.random()));
        let idles = rng.random();
        let beat_ms = pick(rng, &[1, 1, 50]);
        // What is said a second is the same in a crowd: each of many says less.
        let crowd = (options.clients as u64 / PARTY).max(1);
        Self {
            pause_ms: crowd * pick(rng, &[40, 150, 600]),
            rush: rng.random(),
            idles,
            beat_ms,
            weights,
        }
    }

    fn act(&self, rng: &mut impl Rng, who: &str, world: &World, steps: &mut Vec<Step>) {
        let (end_ms, resume_window_ms) = (world.settings.disturb_ms, world.server.resume_window_ms);
        let mut at_ms = if self.rush { 100 } else { rng.random_range(0..1_000) };
        let mut push = |at_ms, action| steps.push(Step { at_ms, client: who.to_owned(), action });
        push(at_ms, Action::Join);
        loop {
            at_ms += rng.random_range(0..=2 * self.pause_ms);
            if self.idles && rng.random_ratio(1, IDLE_ONE_IN) {
                at_ms += rng.random_range(IDLE_MS);
            }
            at_ms = at_ms.next_multiple_of(self.beat_ms);
            if at_ms >= end_ms {
                return;
            }
            let action = pick_weighted(rng, &self.weights);
            push(at_ms, action);
            if matches!(action, Action::Leave | Action::Vanish) {
                at_ms += rng.random_range(0..1_000);
                push(at_ms, Action::Join);
            }
            if action == Action::GoAway {
                at_ms += rng.random_range(0..=2 * resume_window_ms);
                push(at_ms, Action::ComeBack);
            }
        }
    }
}

fn pick<T: Copy>(rng: &mut impl Rng, from: &[T]) -> T {
    *from.choose(rng).expect("there is something to choose from")
}

fn pick_weighted<T: Copy>(rng: &mut impl Rng, from: &[(T, u32)]) -> T {
    let (picked, _) =
        from.choose_weighted(rng, |(_, weight)| *weight).expect("some weigh something");
    *picked
}

/// Names that are easy to tell apart in a transcript.
fn name(number: usize) -> String {
    const NAMES: [&str; 16] = [
        "ann", "bob", "cyd", "dan", "eve", "fay", "gus", "hal", "ivy", "jon", "kim", "leo", "mia",
        "ned", "oda", "pia",
    ];
    match number / NAMES.len() {
        0 => NAMES[number].to_owned(),
        round => format!("{}{}", NAMES[number % NAMES.len()], round + 1),
    }
}
