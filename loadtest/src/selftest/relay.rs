//! The known delay: a relay between the clients and the server, which holds back what the server
//! says for a time that is known beforehand, and stands still when it is told to.
//!
//! It knows no protocol. What a client says goes on at once; order is kept both ways.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::timer::FineTimer;

/// The most that is read at once.
const CHUNK_BYTES: usize = 16 << 10;
/// How many chunks of one connection may be held back at a time.
const CHUNKS_MAX: usize = 1_024;
/// How long before its time a chunk's task gets up, which spares it the wake-up's own delay.
const EARLY: Duration = Duration::from_micros(200);

/// How long what the server says to the n-th connection, from 0, is held back.
pub(super) type DelayOf = fn(u64) -> Duration;

/// A relay that runs until it is dropped.
#[derive(Debug)]
pub(super) struct Relay {
    pub(super) addr: SocketAddr,
    /// Nothing goes either way before that time.
    frozen_until: Arc<watch::Sender<Instant>>,
    accepting: JoinHandle<()>,
}

impl Relay {
    /// Relays to `server` from a free port of the loopback, in tasks of the current runtime.
    pub(super) async fn start(server: SocketAddr, delay_of: DelayOf) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let addr = listener.local_addr()?;
        let frozen_until = Arc::new(watch::Sender::new(Instant::now()));
        let gate = Arc::clone(&frozen_until);
        let accepting = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            for nth in 0.. {
                let Ok((client, _)) = listener.accept().await else { return };
                let gate = gate.subscribe();
                connections.spawn(async move {
                    // A connection that breaks is the clients' to notice.
                    let _ = relay(client, server, delay_of(nth), gate).await;
                });
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Self { addr, frozen_until, accepting })
    }

    /// Stands still from now on, for so long; from when to when that is.
    pub(super) fn freeze(&self, time: Duration) -> (Instant, Instant) {
        let now = Instant::now();
        self.frozen_until.send_replace(now + time);
        (now, now + time)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn relay(
    client: TcpStream,
    server: SocketAddr,
    delay: Duration,
    gate: watch::Receiver<Instant>,
) -> io::Result<()> {
    let server = TcpStream::connect(server).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let ((from_client, to_client), (from_server, to_server)) =
        (client.into_split(), server.into_split());
    tokio::try_join!(
        pump(from_client, to_server, Duration::ZERO, gate.clone()),
        pump(from_server, to_client, delay, gate),
    )?;
    Ok(())
}

/// Writes what it reads, `delay` later, until the end of what there is to read.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    delay: Duration,
    gate: watch::Receiver<Instant>,
) -> io::Result<()> {
    let clock = Clock::starting_in(Duration::ZERO);
    let (hold, mut held) = mpsc::channel::<(u64, Vec<u8>)>(CHUNKS_MAX);
    let reading = async move {
        loop {
            let mut chunk = Vec::with_capacity(CHUNK_BYTES);
            let count = from.read_buf(&mut chunk).await?;
            let due_us = clock.now_us() + delay.as_micros() as u64;
            if count == 0 || hold.send((due_us, chunk)).await.is_err() {
                return Ok::<_, io::Error>(());
            }
        }
    };
    let writing = async move {
        let mut timer = (!delay.is_zero()).then(|| FineTimer::new(EARLY)).transpose()?;
        while let Some((due_us, chunk)) = held.recv().await {
            if let Some(timer) = &mut timer {
                timer.sleep_until(clock, due_us).await?;
            }
            thawed(&gate).await;
            to.write_all(&chunk).await?;
        }
        to.shutdown().await
    };
    tokio::try_join!(reading, writing)?;
    Ok(())
}

async fn thawed(gate: &watch::Receiver<Instant>) {
    loop {
        let until = *gate.borrow();
        if until <= Instant::now() {
            return;
        }
        tokio::time::sleep_until(until).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELAY: Duration = Duration::from_millis(20);

    /// A server that says what it hears, and a client that is connected to it through a relay.
    async fn echo() -> (Relay, TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let server = listener.local_addr().expect("it is bound");
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("the relay connects");
            let (mut from, mut to) = stream.split();
            tokio::io::copy(&mut from, &mut to).await.expect("the relay reads");
        });
        let relay = Relay::start(server, |_| DELAY).await.expect("a free port");
        let client = TcpStream::connect(relay.addr).await.expect("the relay listens");
        (relay, client)
    }

    #[tokio::test]
    async fn what_the_server_says_is_never_early_and_in_order() {
        let (_relay, mut client) = echo().await;
        let said: Vec<u8> = (0..200).collect();
        let started = Instant::now();
        for byte in &said {
            client.write_all(&[*byte]).await.expect("the relay reads");
        }
        client.shutdown().await.expect("it is open");
        let mut heard = Vec::new();
        client.read_to_end(&mut heard).await.expect("the relay ends it");
        assert!(started.elapsed() >= DELAY);
        assert_eq!(heard, said);
    }

    #[tokio::test]
    async fn nothing_passes_a_relay_that_stands_still_and_nothing_is_lost() {
        let (relay, mut client) = echo().await;
        let (_, thaw) = relay.freeze(Duration::from_millis(50));
        client.write_all(b"hello").await.expect("the relay's system takes it");
        let mut heard = [0; 5];
        client.read_exact(&mut heard).await.expect("the relay goes on");
        assert!(Instant::now() >= thaw);
        assert_eq!(&heard, b"hello");
    }
}
