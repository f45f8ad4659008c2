//! Each place of a mailbox is given out once, in order, and none is left out without a word.
//!
//! The application sees each event once because its client keeps a cursor; what the server sends
//! must not need that. Whoever says `after` is sent what lies behind it, over every transport, so an
//! event that comes over the wire again was sent to somebody who had said that it is there.
//!
//! A mailbox that overflows gives up head counts and says with `lagged` how many it gave up:
//!
//! ```text
//!   7 message   8 notice   9 notice   10 message   11 lagged, 2 missed
//!               \\______ given up _____/
//! ```
//!
//! A `lagged` that was never read is given up as well, and the next one speaks for it.

use protocol::{Seq, ServerEvent, SessionId};

use super::Violation;
use super::view::View;
use crate::history::{Event, Op};
use crate::plan::Plan;

const NAME: &str = "log";
/// Places of a mailbox that a session may leave unread before it is lost; more of them are not filled
/// by then.
const OVERFLOWING_EVENTS: usize = 64;

/// Checks what each session was given.
#[must_use]
pub fn check(plan: &Plan, view: &View<'_>) -> Vec<Violation> {
    let logs = view.sessions.iter();
    let reads = |(session, events): (&SessionId, &Vec<&Event>)| {
        let to_the_end = view.is_present_at_rest(*session) || is_over(events);
        let may_overflow = plan.config.server.mailbox_events_max <= OVERFLOWING_EVENTS;
        Log::read(*session, events, to_the_end || !may_overflow)
    };
    logs.flat_map(reads).collect()
}

/// One session's log, as far as it was read.
struct Log<'a> {
    session: SessionId,
    last: Option<(Seq, &'a Event)>,
    /// The places left out since the last `lagged`, and the events around the first of them.
    left_out: u64,
    gap: Option<[usize; 2]>,
    /// Head counts that were given, also in the words of a `lagged`: until they are acknowledged, a
    /// full mailbox gives them up once more.
    droppable: u64,
    violations: Vec<Violation>,
}

impl<'a> Log<'a> {
    fn read(session: SessionId, events: &[&'a Event], says_all: bool) -> Vec<Violation> {
        let violations = Vec::new();
        let mut log =
            Self { session, last: None, left_out: 0, gap: None, droppable: 0, violations };
        for event in events {
            match &event.op {
                Op::Told { event: told } => log.take(event, told.seq, &told.body),
                Op::Repeated { seq } => log.take_again(event, *seq),
                _ => {}
            }
        }
        // Whoever is gone before the end may have left the `lagged` unread.
        if let Some(around) = log.gap.filter(|_| says_all) {
            log.object("was never given what lies between two events", &around);
        }
        log.violations
    }

    fn take(&mut self, event: &'a Event, seq: Seq, body: &ServerEvent) {
        let (previous, before) =
            self.last.map_or((Seq(0), event.index), |(seq, before)| (seq, before.index));
        let around = [before, event.index];
        if seq <= previous {
            self.object(&format!("was given {seq} after {previous}"), &around);
        } else if seq > previous.next() {
            self.left_out += seq.0 - previous.next().0;
            self.gap.get_or_insert(around);
        }
        match body {
            ServerEvent::Notice { .. } => self.droppable += 1,
            ServerEvent::Lagged { missed } => self.settle(*missed, event),
            _ => {}
        }
        self.last = Some((seq, event));
    }

    /// `lagged` speaks for all that was left out so far.
    fn settle(&mut self, missed: u64, event: &Event) {
        // The first `lagged` stands for two head counts at least, each further one, which takes a
        // place of its own, for one more.
        let places_max = missed.max((2 * missed).saturating_sub(2));
        let left_out = std::mem::take(&mut self.left_out);
        let [before, _] = self.gap.take().unwrap_or([event.index; 2]);
        if left_out > places_max || missed > left_out + self.droppable {
            let what = format!("missed {left_out} places, and was told of {missed}");
            self.object(&what, &[before, event.index]);
        }
        self.droppable += missed;
    }

    fn take_again(&mut self, event: &Event, seq: Seq) {
        let before = self.last.map_or(event.index, |(_, before)| before.index);
        self.object(&format!("was sent {seq} again, which it had"), &[before, event.index]);
    }

    fn object(&mut self, what: &str, evidence: &[usize]) {
        let what = format!("{} {what}", self.session);
        self.violations.push(Violation::new(NAME, what, evidence));
    }
}

/// True where the last event of a session was read.
fn is_over(events: &[&Event]) -> bool {
    events.iter().any(|event| matches!(event.told(), Some(ServerEvent::Closing { .. })))
}
