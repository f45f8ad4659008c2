//! Plan files: refused in a line, or run without harm.

use chat_sim::Chat;
use chat_sim::plan::Plan;
use chat_sim::transcript::transcript;
use racetrack_sim::summary::summary;

/// Longer runs are only read and written; they would take longer than they can teach.
const RUN_MS_MAX: u64 = 12_000;
/// The same for crowds.
const PEOPLE_MAX: usize = 6;
/// The same for what they do and what goes wrong.
const STEPS_MAX: usize = 60;

/// Reads a plan; runs it where it is small.
pub fn plan(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let plan = match chat_sim::plan::read(text) {
        Ok(plan) => plan,
        Err(why) => return crate::assert_says_something(&why.to_string()),
    };
    let again = chat_sim::plan::read(&plan.to_json());
    assert_eq!(again.ok().as_ref(), Some(&plan), "it is written as it was read");
    assert!(!summary(&Chat, &plan).is_empty());
    if is_small(&plan) {
        carry_out(&plan);
    }
}

fn is_small(plan: &Plan) -> bool {
    let steps = plan.steps.len() + plan.faults.len();
    plan.settings.ended_ms() <= RUN_MS_MAX && plan.clients.len() <= PEOPLE_MAX && steps <= STEPS_MAX
}

/// A checker may find something, because a plan may forbid the server to keep its promises; a panic
/// may not be found.
fn carry_out(plan: &Plan) {
    let report = chat_sim::run(plan, false);
    let broken = report.violations.iter().map(ToString::to_string);
    let broken =
        broken.filter(|found| ["panic", "determinism"].iter().any(|it| found.starts_with(it)));
    assert_eq!(broken.collect::<Vec<_>>(), [""; 0]);
    assert!(!transcript(&report).is_empty());
    let page = reports::sequence::page(&chat_sim::sequence::sequence(&report));
    assert!(page.ends_with("</html>"));
}
