//! Bytes of one connection: requests with their queries, cursors, headers and bodies, whole or torn,
//! one behind another, and whatever follows an upgrade.

use std::time::Duration;

use server::config::Config;

use crate::answer;
use crate::memory::with_server;
use crate::people::People;

/// Longer than a long poll, a heartbeat, and a header or body that never ends.
const PATIENCE: Duration = Duration::from_secs(50);

/// Says the input to a server on which two people talk.
pub fn http(input: &[u8]) {
    with_server(Config::default(), async |memory| {
        let people = People::meet(memory).await;
        let said = people.fill(memory, input).await;
        answer::check_all(&memory.converse(&said, PATIENCE).await);
        people.are_well(memory).await;
    });
}
