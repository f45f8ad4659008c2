//! The line-up: which servers there are, and how each is started.
//!
//! The peers are programs of their own under `loadtest/peers`, which `npm ci` makes ready.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::wire::Wire;
use crate::limits::{ONE_ADDRESS, UNTIL_INPUT_ENDS};
use crate::peer::{Missing, installation, node_server, present};

/// A server that can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Contender {
    /// Ours, over `/api/ws`.
    RacetrackWebsocket,
    /// Bun's own WebSocket server.
    WsBun,
    /// Node.js with `ws`.
    WsNode,
    /// Ours, over Socket.IO.
    RacetrackSocketio,
    /// Node.js with Socket.IO.
    SocketioNode,
}

/// How a server is started; `--addr 127.0.0.1:0` is added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// What to call it.
    pub name: String,
    /// What it speaks.
    pub wire: Wire,
    /// Program and arguments.
    pub command: Vec<OsString>,
}

impl Contender {
    /// Ours before its peers, wire by wire.
    pub const ALL: [Self; 5] = [
        Self::RacetrackWebsocket,
        Self::WsBun,
        Self::WsNode,
        Self::RacetrackSocketio,
        Self::SocketioNode,
    ];

    /// As it is called on the command line, in figures and on disk.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::RacetrackWebsocket => "racetrack-websocket",
            Self::WsBun => "ws-bun",
            Self::WsNode => "ws-node",
            Self::RacetrackSocketio => "racetrack-socketio",
            Self::SocketioNode => "socketio-node",
        }
    }

    /// What it speaks.
    #[must_use]
    pub fn wire(self) -> Wire {
        match self {
            Self::RacetrackWebsocket | Self::WsBun | Self::WsNode => Wire::Websocket,
            Self::RacetrackSocketio | Self::SocketioNode => Wire::Socketio,
        }
    }

    /// How to start it: `racetrack` is our server with its own arguments, `peers` the folder of the
    /// others.
    ///
    /// # Errors
    ///
    /// Its program or its packages are not there; the error says which command brings them.
    pub fn start(self, racetrack: &[OsString], peers: &Path) -> Result<Start, Missing> {
        let folder = peers.join(self.name());
        let command = match self {
            Self::RacetrackWebsocket | Self::RacetrackSocketio => {
                let program = racetrack.first().map(PathBuf::from).unwrap_or_default();
                present(&program, "cargo build --profile dist -p racetrack-server")?;
                racetrack.iter().cloned().chain(unlimited()).collect()
            }
            Self::WsBun => {
                let bun = folder.join("node_modules/.bin/bun");
                present(&bun, &installation(&folder))?;
                vec![bun.into_os_string(), folder.join("server.mjs").into_os_string()]
            }
            Self::WsNode | Self::SocketioNode => node_server(&folder)?,
        };
        Ok(Start { name: self.name().to_owned(), wire: self.wire(), command })
    }
}

/// The peers limit nobody's rate.
fn unlimited() -> impl Iterator<Item = OsString> {
    const UNREACHABLE: &str = "1000000";
    let rates = [
        "--messages-per-s-max",
        "--messages-burst-max",
        "--commands-per-s-max",
        "--commands-burst-max",
    ];
    let rates = rates.into_iter().flat_map(|flag| [flag, UNREACHABLE]);
    [UNTIL_INPUT_ENDS].into_iter().chain(rates).chain(ONE_ADDRESS).map(OsString::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::told_to_server;

    #[test]
    fn our_server_knows_the_limits_that_are_raised() {
        let config = told_to_server(unlimited());
        assert_eq!((config.messages_per_s_max, config.messages_burst_max), (1_000_000, 1_000_000));
        assert_eq!((config.commands_per_s_max, config.commands_burst_max), (1_000_000, 1_000_000));
        assert_eq!((config.connections_per_address_max, config.sessions_per_address_max), (0, 0));
        assert_eq!(config.opens_per_address_per_s_max, 0);
    }

    #[test]
    fn a_server_that_is_not_there_says_which_command_brings_it() {
        let nowhere = Path::new("/no/such/folder");
        for (contender, expected) in [
            (Contender::WsNode, "npm ci --prefix /no/such/folder/ws-node"),
            (Contender::WsBun, "npm ci --prefix /no/such/folder/ws-bun"),
            (Contender::RacetrackSocketio, "cargo build --profile dist -p racetrack-server"),
        ] {
            let start = contender.start(&["/no/such/server".into()], nowhere);
            let error = start.expect_err("nothing is there").to_string();
            assert!(error.ends_with(&format!("; run `{expected}`")), "{error}");
        }
    }

    #[test]
    fn every_peer_has_a_server_in_the_folder_of_its_name() {
        let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
        for contender in [Contender::WsBun, Contender::WsNode, Contender::SocketioNode] {
            for file in ["server.mjs", "package.json", "package-lock.json"] {
                assert!(peers.join(contender.name()).join(file).exists(), "{contender:?}: {file}");
            }
        }
    }
}
