//! Servers that others would build, to be run beside ours: where they are, and what they need.
//!
//! They are programs of their own under `loadtest/peers`, which `npm ci` makes ready. Nothing is
//! installed from here: whatever is missing is named with the command that brings it.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use client::TransportKind;
use serde::{Deserialize, Serialize};

/// Where the peers lie in a checkout of the sources.
pub const FOLDER: &str = "loadtest/peers";

/// A server that the load suite can put beside ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Peer {
    /// Random chat on Node.js with Socket.IO 4
    Node,
}

/// Something that a server needs is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} is not there; run `{command}`", path.display())]
pub struct Missing {
    path: PathBuf,
    command: String,
}

impl Peer {
    /// As it is called on the command line, and in front of a transport in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
        }
    }

    /// The transports that it speaks.
    #[must_use]
    pub fn transports(self) -> &'static [TransportKind] {
        match self {
            Self::Node => &[TransportKind::SocketioWebsocket, TransportKind::SocketioPolling],
        }
    }

    /// The program and first arguments that start it; `peers` is [`FOLDER`] of a checkout.
    ///
    /// # Errors
    ///
    /// Node.js or its packages are not there; the error says which command brings them.
    pub fn command(self, peers: &Path) -> Result<Vec<OsString>, Missing> {
        match self {
            Self::Node => {
                in_path("node", "apt-get install nodejs npm")?;
                node_server(&peers.join("socketio-node"))
            }
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The command that starts the `server.mjs` of a folder with Node.js.
pub(crate) fn node_server(folder: &Path) -> Result<Vec<OsString>, Missing> {
    present(&folder.join("node_modules"), &installation(folder))?;
    Ok(vec!["node".into(), folder.join("server.mjs").into_os_string()])
}

/// What brings the packages of a peer.
pub(crate) fn installation(folder: &Path) -> String {
    format!("npm ci --prefix {}", folder.display())
}

/// Checks that something is there, which `command` brings.
pub(crate) fn present(path: &Path, command: &str) -> Result<(), Missing> {
    if path.exists() {
        return Ok(());
    }
    Err(Missing { path: path.to_owned(), command: command.to_owned() })
}

/// Checks that a program is found by its name.
fn in_path(program: &str, command: &str) -> Result<(), Missing> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if std::env::split_paths(&path).any(|folder| folder.join(program).is_file()) {
        return Ok(());
    }
    Err(Missing { path: program.into(), command: command.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_that_are_not_there_are_named_with_the_command_that_brings_them() {
        let error = node_server(Path::new("/no/such/peer")).expect_err("nothing is there");
        assert_eq!(
            error.to_string(),
            "/no/such/peer/node_modules is not there; run `npm ci --prefix /no/such/peer`"
        );
    }

    #[test]
    fn a_program_that_is_not_there_is_named_with_the_command_that_brings_it() {
        let error = in_path("no-such-program", "apt-get install it").expect_err("nobody has it");
        assert_eq!(error.to_string(), "no-such-program is not there; run `apt-get install it`");
        in_path("sh", "").expect("every system that we run on has a shell");
    }

    #[test]
    fn the_peers_lie_where_they_are_looked_for() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("it lies in a workspace");
        for file in ["server.mjs", "package.json", "package-lock.json"] {
            assert!(root.join(FOLDER).join("socketio-node").join(file).exists(), "{file}");
        }
    }
}
