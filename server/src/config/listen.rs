//! Where to listen: an IP address or a name, and a port.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, ToSocketAddrs};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An address to listen on; a name is looked up when it is needed, and not before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ListenAddress {
    /// Needs no look-up.
    Ip(SocketAddr),
    /// A host name and a port.
    Name(String, u16),
}

impl ListenAddress {
    /// The address of a name: the first IPv4 address that it has, or else its first.
    ///
    /// # Errors
    ///
    /// The system does not know the name.
    pub fn resolve(&self) -> io::Result<SocketAddr> {
        let (name, port) = match self {
            Self::Ip(addr) => return Ok(*addr),
            Self::Name(name, port) => (name.as_str(), *port),
        };
        let found: Vec<_> = (name, port).to_socket_addrs()?.collect();
        let addr = found.iter().find(|addr| addr.is_ipv4()).or_else(|| found.first());
        addr.copied().ok_or_else(|| io::Error::new(ErrorKind::NotFound, "the name has no address"))
    }
}

impl FromStr for ListenAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(addr) = text.parse() {
            return Ok(Self::Ip(addr));
        }
        let (name, port) = text.rsplit_once(':').unwrap_or_default();
        match port.parse() {
            Ok(port) if is_name(name) => Ok(Self::Name(name.to_owned(), port)),
            _ => Err(format!(
                "`{text}` is no HOST:PORT; write one as 127.0.0.1:3000, [::1]:3000 or localhost:3000"
            )),
        }
    }
}

/// True for a host name. What ends with a number is an IPv4 address, or wrong.
fn is_name(name: &str) -> bool {
    let is_label = |label: &str| {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        !label.is_empty() && label.bytes().all(is_part)
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    let last = name.rsplit('.').next().unwrap_or_default();
    name.split('.').all(is_label) && !last.bytes().all(|byte| byte.is_ascii_digit())
}

impl TryFrom<String> for ListenAddress {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<ListenAddress> for String {
    fn from(address: ListenAddress) -> Self {
        address.to_string()
    }
}

impl From<SocketAddr> for ListenAddress {
    fn from(addr: SocketAddr) -> Self {
        Self::Ip(addr)
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(addr) => addr.fmt(f),
            Self::Name(name, port) => write!(f, "{name}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_names_are_read_as_they_are_written() {
        for text in ["127.0.0.1:3000", "[::1]:0", "localhost:3000", "chat.example.org.:80", "a_b:1"]
        {
            let address = text.parse::<ListenAddress>();
            assert_eq!(address.map(|address| address.to_string()).as_deref(), Ok(text));
        }
    }

    #[test]
    fn what_cannot_be_listened_on_is_refused() {
        for text in [
            "",
            "localhost",
            "3000",
            ":3000",
            "*:3000",
            "::1:3000",
            "[::1]",
            "[localhost]:3000",
            "localhost:",
            "localhost:65536",
            "localhost:-1",
            "127.0.0.1",
            "127.0.0.300:3000",
            "127.1:3000",
            "http://localhost:3000",
            "local host:3000",
            "a..b:3000",
        ] {
            let error = text.parse::<ListenAddress>().expect_err(text);
            assert!(error.contains("localhost:3000"), "{error}");
        }
    }

    #[test]
    fn name_of_this_machine_is_found() {
        let local: ListenAddress = "localhost:3000".parse().expect("a name");
        let addr = local.resolve().expect("every machine knows it");
        assert!(addr.ip().is_loopback() && addr.port() == 3000, "{addr}");
        let nowhere: ListenAddress = "nowhere.invalid:3000".parse().expect("a name");
        nowhere.resolve().expect_err("RFC 6761 says that there is none");
    }
}
