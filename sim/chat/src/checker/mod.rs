//! What must be true of every history. Pure functions; a history that must fail has a test that
//! it does.
//!
//! | checker | promise |
//! |---|---|
//! | [`pairing`] | a conversation has two members, each has one partner at a time, and is told once |
//! | [`log`] | each place of a mailbox is given out once, in order, and none is left out unsaid |
//! | [`rematch`] | whoever asks for another partner is rid of this one, while anybody else waits |
//! | [`delivery`] | what was accepted arrives once, in order, and nothing else arrives |
//! | [`isolation`] | a message reaches the partner that it was meant for, or nobody |
//! | [`liveness`] | after the network has healed, everybody talks or one person waits |
//! | [`timeouts`] | a parked poll is answered within its wait, and not before it without events |
//! | [`push_latency`] | what goes into a mailbox is pushed at once, while nothing is in the way |
//! | [`bounds`] | a mailbox holds no more than it may |
//! | [`echo`] | whoever says something that is accepted reads it in the own mailbox |
//! | [`openings`] | no address has more sessions than it may, and whoever is refused one has had as many |
//! | [`slow`] | a session that reads is not closed as slow |
//! | [`admission`] | whoever floods the server from another address keeps nobody out, throws nobody out, and delays nobody |
//! | [`resume`] | whoever keeps a cursor can go on from it |
//! | [`rejections`] | whoever is refused is told why, and it is true |
//! | [`rate_limit`] | nobody says or skips more than is allowed, and who does less is heard |
//! | [`online_count`] | the head count lies within what it can be |
//! | [`drain`] | whoever reads when the server drains is told that it closes, and then it exits |
//! | [`failure_detection`] | whoever is gone for good is missed, and that soon |
//! | [`metrics`] | the figures of a server at rest are those of the people |
//! | [`leaks`] | after everybody has left, the server holds nothing |

pub mod admission;
pub mod bounds;
mod connections;
pub mod delivery;
pub mod drain;
pub mod echo;
pub mod failure_detection;
pub mod isolation;
pub mod leaks;
pub mod liveness;
pub mod log;
pub mod metrics;
pub mod online_count;
pub mod openings;
pub mod pairing;
pub mod push_latency;
pub mod rate_limit;
pub mod rejections;
pub mod rematch;
pub mod resume;
pub mod slow;
#[cfg(test)]
mod tests;
pub mod timeouts;
mod view;

pub use racetrack_sim::Violation;

use crate::history::Event;
use crate::plan::Plan;

/// Everything that is wrong with a history, by all checkers.
#[must_use]
pub fn check(plan: &Plan, history: &[Event]) -> Vec<Violation> {
    let view = view::View::new(history);
    let mut violations = Vec::new();
    violations.extend(pairing::check(&view));
    violations.extend(rematch::check(plan, &view));
    violations.extend(log::check(plan, &view));
    violations.extend(delivery::check(&view));
    violations.extend(isolation::check(&view));
    violations.extend(liveness::check(plan, &view));
    violations.extend(bounds::check(plan, &view));
    violations.extend(echo::check(&view));
    violations.extend(rejections::check(plan, &view));
    violations.extend(rate_limit::check(plan, &view));
    violations.extend(openings::check(plan, &view));
    violations.extend(slow::check(plan, &view));
    violations.extend(admission::check(plan, &view));
    violations.extend(resume::check(plan, history));
    violations.extend(online_count::check(plan, history));
    violations.extend(timeouts::check(plan, history));
    violations.extend(push_latency::check(plan, &view));
    violations.extend(drain::check(plan, history));
    violations.extend(failure_detection::check(plan, &view));
    violations.extend(metrics::check(plan, &view));
    violations.extend(leaks::check(history));
    violations
}
