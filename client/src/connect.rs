//! Where the byte streams come from.
//!
//! It opens connections and never speaks on them.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};

/// A way to open a connection to one server.
pub trait Connect: Clone + Send + Sync + 'static {
    /// The connection; dropping it closes it.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Opens one more connection.
    fn connect(&self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

/// Connections over the operating system's TCP, without Nagle's delay.
#[derive(Clone, Debug)]
pub struct TcpConnector {
    /// The server.
    pub target: SocketAddr,
    /// The local address to connect from; each one adds a range of ports of its own.
    pub source: Option<IpAddr>,
}

impl Connect for TcpConnector {
    type Stream = TcpStream;

    async fn connect(&self) -> io::Result<TcpStream> {
        let socket = match self.target {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        if let Some(source) = self.source {
            choose_port_at_connect(&socket)?;
            socket.bind(SocketAddr::new(source, 0))?;
        }
        let stream = socket.connect(self.target).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

/// Without this, `bind` would take a port away from every other destination of the same source
/// address, and search ever longer for a free one.
#[cfg(target_os = "linux")]
fn choose_port_at_connect(socket: &TcpSocket) -> io::Result<()> {
    use nix::sys::socket::{setsockopt, sockopt::IpBindAddressNoPort};
    Ok(setsockopt(socket, IpBindAddressNoPort, &true)?)
}

#[cfg(not(target_os = "linux"))]
fn choose_port_at_connect(_socket: &TcpSocket) -> io::Result<()> {
    Ok(())
}
