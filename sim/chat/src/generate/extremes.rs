//! Limits of the server that are seldom what they usually are. It decides nothing of the people.

use rand::{Rng, RngExt};
use server::config::Config;

use super::{OFTEN_MS, pick};
use crate::options::Options;

/// How seldom a limit is at the end of what it can be.
const EXTREME_ONE_IN: u32 = 20;

/// Limits at the end of what they can be, each of them seldom.
pub(super) fn extremes(rng: &mut impl Rng, options: &Options, usual: Config) -> Config {
    // Drawn in any case, so that one limit more changes no other.
    let rate = pick(rng, &[2, 200]);
    let sessions = rng.random_range(1..=options.clients);
    let mut seldom = |extreme: u64, usual: u64| {
        if rng.random_ratio(1, EXTREME_ONE_IN) { extreme } else { usual }
    };
    Config {
        sessions_max: seldom(sessions as u64, usual.sessions_max as u64) as usize,
        messages_per_s_max: seldom(rate, usual.messages_per_s_max.into()) as u32,
        messages_burst_max: seldom(1, usual.messages_burst_max.into()) as u32,
        poll_wait_ms_max: seldom(200, usual.poll_wait_ms_max),
        poll_grace_ms: seldom(20, usual.poll_grace_ms),
        stream_comment_ms: seldom(OFTEN_MS, usual.stream_comment_ms),
        resume_window_ms: seldom(0, usual.resume_window_ms),
        drain_ms_max: seldom(0, usual.drain_ms_max),
        retry_after_ms: seldom(0, usual.retry_after_ms),
        ..usual
    }
}

/// A server that is soon asked for too many partners, in one run of three, or sent too many
/// acknowledgements, in one of four.
pub(super) fn rates(rng: &mut impl Rng, usual: Config) -> Config {
    let nexts_max = pick(rng, &[1, 1, 2]);
    let nexts = rng.random_ratio(1, 3).then_some(nexts_max);
    let commands = rng.random_ratio(1, 4).then_some(1);
    Config {
        nexts_per_s_max: nexts.unwrap_or(usual.nexts_per_s_max),
        nexts_burst_max: nexts.unwrap_or(usual.nexts_burst_max),
        commands_per_s_max: commands.unwrap_or(usual.commands_per_s_max),
        commands_burst_max: commands.unwrap_or(usual.commands_burst_max),
        ..usual
    }
}
