//! What a run uses, second by second of its window: processors, memory, connections.
//!
//! It reads once a second and decides nothing. The seconds are those of the schedule's clock, as
//! those of the latencies are.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use reports::run::Used;

use crate::process::{self, Usage};
use crate::scenario::Stage;

/// Reads until the stage is stopped; one entry a second, from the opening of the window on.
pub(crate) async fn watch(stage: Arc<Stage>, warm_up: Duration, server: Option<u32>) -> Vec<Used> {
    let mut seconds = Vec::new();
    tokio::select! {
        () = stage.stopped() => {}
        () = read_on(&stage, warm_up, server, &mut seconds) => {}
    }
    seconds
}

async fn read_on(stage: &Stage, warm_up: Duration, server: Option<u32>, seconds: &mut Vec<Used>) {
    let mut at_us = warm_up.as_micros() as u64;
    stage.until(Some(at_us)).await;
    let mut before = Reading::take(server);
    loop {
        at_us += 1_000_000;
        stage.until(Some(at_us)).await;
        let now = Reading::take(server);
        seconds.push(now.since(&before, stage.connected.load(Ordering::Relaxed)));
        before = now;
    }
}

/// Both processes at one moment.
struct Reading {
    generator: Usage,
    server: Option<Usage>,
}

impl Reading {
    fn take(server: Option<u32>) -> Self {
        Self {
            generator: process::usage_of_self().unwrap_or_default(),
            server: server.and_then(|pid| process::usage_of(pid).ok()),
        }
    }

    fn since(&self, before: &Self, connected: u64) -> Used {
        let servers = self.server.zip(before.server);
        Used {
            connected,
            generator_cpu_us: self.generator.cpu_us - before.generator.cpu_us,
            generator_rss_bytes: self.generator.rss_bytes,
            server_cpu_us: servers.map(|(now, before)| now.cpu_us - before.cpu_us),
            server_rss_bytes: self.server.map(|now| now.rss_bytes),
        }
    }
}
