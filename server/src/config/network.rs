//! A network of addresses, as a limit of the server has it.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net};
use serde::{Deserialize, Serialize};

/// A network, or one address, which is a network of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network(IpNet);

impl Network {
    pub(crate) fn contains(&self, address: &IpAddr) -> bool {
        self.0.contains(address)
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        network.map(|network| Self(canonical(network))).map_err(|_| {
            format!("`{text}` is no network; write one as 10.0.0.0/8, 192.0.2.7 or fd00::/8")
        })
    }
}

/// IPv4 addresses that are written as IPv6 are compared as IPv4.
fn canonical(network: IpNet) -> IpNet {
    let mapped = match network {
        IpNet::V6(network) => {
            network.addr().to_ipv4_mapped().zip(network.prefix_len().checked_sub(96))
        }
        IpNet::V4(_) => None,
    };
    let version_4 = mapped.and_then(|(address, length)| Ipv4Net::new(address, length).ok());
    version_4.map_or(network, IpNet::V4)
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_and_single_addresses_are_read() {
        let check = |text: &str| text.parse::<Network>().map(|network| network.to_string());
        assert_eq!(check("10.0.0.0/8").as_deref(), Ok("10.0.0.0/8"));
        assert_eq!(check("192.0.2.7").as_deref(), Ok("192.0.2.7/32"));
        assert_eq!(check("::1").as_deref(), Ok("::1/128"));
        assert_eq!(check("::ffff:10.0.0.0/104").as_deref(), Ok("10.0.0.0/8"));
        for text in ["", "somebody", "10.0.0.0/33", "10.0.0", "localhost", "10.0.0.1:80"] {
            let error = text.parse::<Network>().expect_err(text);
            assert!(error.contains("10.0.0.0/8"), "{error}");
        }
    }
}
