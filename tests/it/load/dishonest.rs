//! A relay that keeps a message to itself now and then: every twentieth that a partner should read.
//!
//! It knows just enough of WebSocket for that: frames of a server are whole and not masked.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

const DROP_EVERY: u64 = 20;

pub(super) struct Dishonest {
    pub(super) addr: SocketAddr,
    seen: Arc<AtomicU64>,
    _relaying: JoinSet<()>,
}

impl Dishonest {
    /// Stands between everybody and this server, until it is dropped.
    pub(super) async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let addr = listener.local_addr().expect("it is bound");
        let seen = Arc::new(AtomicU64::new(0));
        let mut relaying = JoinSet::new();
        let count = Arc::clone(&seen);
        relaying.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let count = Arc::clone(&count);
                connections.spawn(async move {
                    // A connection that breaks is the clients' to notice.
                    let _ = relay(client, server, &count).await;
                });
            }
        });
        Self { addr, seen, _relaying: relaying }
    }

    /// How many messages it has kept so far.
    pub(super) fn dropped(&self) -> u64 {
        self.seen.load(Ordering::Relaxed) / DROP_EVERY
    }
}

async fn relay(client: TcpStream, server: SocketAddr, seen: &AtomicU64) -> std::io::Result<()> {
    let server = TcpStream::connect(server).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let up = async {
        copy(&mut from_client, &mut to_server).await?;
        to_server.shutdown().await
    };
    let down = async {
        to_client.write_all(&head(&mut from_server).await?).await?;
        while let Ok(frame) = frame(&mut from_server).await {
            let is_partners = frame.windows(16).any(|part| part == br#""from":"partner""#);
            let is_kept = is_partners
                && (seen.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(DROP_EVERY);
            if !is_kept {
                to_client.write_all(&frame).await?;
            }
        }
        to_client.shutdown().await
    };
    // Each way goes on to its own end, so that nothing is lost but what is kept.
    let (up, down): (std::io::Result<()>, std::io::Result<()>) = tokio::join!(up, down);
    up.and(down)
}

/// The answer to the upgrade.
async fn head(server: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(server.read_u8().await?);
    }
    Ok(head)
}

async fn frame(server: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Vec<u8>> {
    let mut frame = vec![server.read_u8().await?, server.read_u8().await?];
    let length = match frame[1] {
        126 => {
            let length = server.read_u16().await?;
            frame.extend(length.to_be_bytes());
            u64::from(length)
        }
        127 => {
            let length = server.read_u64().await?;
            frame.extend(length.to_be_bytes());
            length
        }
        length => u64::from(length),
    };
    let header = frame.len();
    frame.resize(header + usize::try_from(length).expect("it fits into memory"), 0);
    server.read_exact(&mut frame[header..]).await?;
    Ok(frame)
}
