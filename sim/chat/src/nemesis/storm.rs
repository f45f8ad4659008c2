//! Connections by the dozen, opened at once and of no use to anybody.
//!
//! The nemesis stands between the steps and can open nothing; a task on a client host does it.

use std::time::Duration;

use client::Connect;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

use crate::flood::Sids;
use crate::medium::MediumConnector;
use crate::net::Network;

/// Connections in one storm.
const CONNECTIONS: usize = 50;
/// What they say: nothing, half of a request, a whole one, the first of a connection that polls. An old client
/// of Socket.IO is not asked for a sign of life at once.
const WORDS: [&str; 4] = [
    "",
    "GET /api/events?after=",
    "GET /healthz HTTP/1.1\r\nhost: server\r\n\r\n",
    "GET /socket.io/?EIO=3&transport=polling HTTP/1.1\r\nhost: server\r\n\r\n",
];

/// Asks for storms.
pub(crate) struct Storm {
    storms: mpsc::UnboundedSender<Duration>,
}

/// Makes them.
pub(crate) struct Winds {
    network: Network,
    storms: mpsc::UnboundedReceiver<Duration>,
}

impl Storm {
    pub(crate) fn new(network: Network) -> (Self, Winds) {
        let (storms, asked) = mpsc::unbounded_channel();
        (Self { storms }, Winds { network, storms: asked })
    }

    /// Opens connections that last so long; returns how many.
    pub(crate) fn brew(&self, lasts: Duration) -> usize {
        if self.storms.send(lasts).is_ok() { CONNECTIONS } else { 0 }
    }
}

impl Winds {
    /// Makes the storms that are asked for, until it is dropped.
    pub(crate) async fn blow(mut self) {
        let connector = MediumConnector::simulated(&self.network, "storm");
        while let Some(lasts) = self.storms.recv().await {
            rage(&connector, lasts);
        }
    }
}

/// One storm; returns how many connections it opens.
pub(crate) fn rage(connector: &impl Connect, lasts: Duration) -> usize {
    for number in 0..CONNECTIONS {
        let words = WORDS[number % WORDS.len()];
        tokio::task::spawn_local(gust(connector.clone(), words, lasts));
    }
    CONNECTIONS
}

async fn gust(connector: impl Connect, words: &'static str, lasts: Duration) {
    let connection = async {
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
    let _nobody_cares = tokio::time::timeout(lasts, connection).await;
}
