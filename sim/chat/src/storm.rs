//! A storm: connections by the dozen, opened at once, of which some send half of a request or nothing.

use std::time::Duration;

use client::Connect;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::flood::Sids;

/// Connections in one storm.
pub(crate) const CONNECTIONS: usize = 50;
/// What they say: nothing, half of a request, a whole one, the first of a connection that polls. An old client
/// of Socket.IO is not asked for a sign of life at once.
const WORDS: [&str; 4] = [
    "",
    "GET /api/events?after=",
    "GET /healthz HTTP/1.1\r\nhost: server\r\n\r\n",
    "GET /socket.io/?EIO=3&transport=polling HTTP/1.1\r\nhost: server\r\n\r\n",
];

/// One storm; returns how many connections it opens.
pub(crate) fn start(connector: &impl Connect, lasts: Duration) -> usize {
    for number in 0..CONNECTIONS {
        let words = WORDS[number % WORDS.len()];
        tokio::task::spawn_local(connection(connector.clone(), words, lasts));
    }
    CONNECTIONS
}

async fn connection(connector: impl Connect, words: &'static str, lasts: Duration) {
    let talking = async {
        let mut stream = connector.connect().await?;
        stream.write_all(words.as_bytes()).await?;
        let (mut answer, mut taken) = (Vec::new(), 0);
        let (mut sids, mut has_polled) = (Sids::default(), false);
        while stream.read_buf(&mut answer).await? > 0 {
            let opened = sids.take(&answer[taken..]).into_iter().next();
            taken = answer.len();
            // A connection that is opened is polled once.
            if let Some(sid) = opened.filter(|_| !has_polled) {
                has_polled = true;
                let target = format!("/socket.io/?EIO=3&transport=polling&sid={sid}");
                let poll = format!("GET {target} HTTP/1.1\r\nhost: server\r\n\r\n");
                stream.write_all(poll.as_bytes()).await?;
            }
        }
        std::io::Result::Ok(())
    };
    // Whatever comes of it: a refusal, an answer, the server's death.
    let _ignored = tokio::time::timeout(lasts, talking).await;
}
