//! A mailbox holds no more than it may.
//!
//! ```text
//!   put ── put ── put ──> asks ──────────────> told, told, told
//!   └───── all held at this moment ─────┘
//! ```
//!
//! What was put there before somebody asks for it, and is told only then, was held all at once.

use protocol::ServerEvent;

use super::Violation;
use super::view::View;
use crate::history::{Event, Kind, Op, PUT_GRAIN_US};
use crate::plan::{ChatPlan, Plan};

const NAME: &str = "bounds";
/// There is always room for the event that ends a session.
const LAST: usize = 1;

/// Checks what was in each mailbox whenever somebody asked for it.
#[must_use]
pub fn check(plan: &Plan, view: &View<'_>) -> Vec<Violation> {
    if plan.moves_the_clock() {
        // Nobody knows when the server put anything anywhere.
        return Vec::new();
    }
    let mut violations = Vec::new();
    for (session, events) in &view.sessions {
        let mut held: Option<Held> = None;
        for event in events {
            if asks(event) {
                held = Some(Held { asked: event, events: 0, bytes: 0 });
            }
            let Some(held) = held.as_mut() else { continue };
            if !held.takes(event) {
                continue;
            }
            if held.events == plan.config.server.mailbox_events_max + LAST + 1 {
                let what = format!("the mailbox of {session} held {} events at once", held.events);
                violations.push(Violation::new(NAME, what, &[held.asked.index, event.index]));
            }
            if held.bytes > plan.config.server.mailbox_bytes_max {
                let what = format!("the mailbox of {session} held {} bytes at once", held.bytes);
                violations.push(Violation::new(NAME, what, &[held.asked.index, event.index]));
                held.bytes = 0;
            }
        }
    }
    violations
}

/// What a mailbox held when somebody asked for it, as far as it was told since.
struct Held<'a> {
    asked: &'a Event,
    events: usize,
    /// The texts and ids of messages.
    bytes: usize,
}

impl Held<'_> {
    /// Counts an event that was there; says whether it was.
    fn takes(&mut self, event: &Event) -> bool {
        let was_there =
            event.put_us().is_some_and(|put_us| put_us + PUT_GRAIN_US <= self.asked.at_us);
        if was_there {
            self.events += 1;
            if let Some(ServerEvent::Message { id, text, .. }) = event.told() {
                self.bytes += id.as_str().len() + text.len();
            }
        }
        was_there
    }
}

/// Somebody begins to read where the last reading ended.
fn asks(event: &Event) -> bool {
    let reads = matches!(event.op, Op::Poll { .. } | Op::Open { resumes: Some(_), .. });
    reads && event.kind == Kind::Invoke
}
