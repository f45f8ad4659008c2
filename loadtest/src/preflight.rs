//! What the machine allows, checked before the first connection.
//!
//! A run that dies of a limit after a minute is a minute lost and a riddle; a refusal here says the
//! limit, the need, and the command that helps. This module raises the soft limit of open files
//! and changes nothing else.

use std::net::{IpAddr, Ipv4Addr};

use client::TransportKind;

/// Open files besides the people's connections: standard streams, the runtime, a margin for
/// connections that are being replaced.
const OPEN_FILES_SLACK: u64 = 128;

/// The machine does not allow the run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PreflightError {
    /// More connections than open files.
    #[error(
        "{users} users over {transport} need {need} open files a process and the limit is {limit}: \
         run `ulimit -n {need}` as root before{}",
        fewer_users(*users_max)
    )]
    OpenFiles {
        /// How many users there should be.
        users: u32,
        /// What they use.
        transport: String,
        /// The open files that they take.
        need: u64,
        /// The open files that are allowed.
        limit: u64,
        /// The most users that the limit allows.
        users_max: u64,
    },
    /// More connections to one address than an address has ports.
    #[error(
        "{users} users over {transport} need {need} connections to {target}, and this machine has \
         {ports} local ports for one address: widen net.ipv4.ip_local_port_range, share the users \
         among several machines (--shard){}",
        fewer_users(*users_max)
    )]
    Ports {
        /// How many users there should be.
        users: u32,
        /// What they use.
        transport: String,
        /// The connections that they take.
        need: u64,
        /// Where to.
        target: IpAddr,
        /// The local ports that there are.
        ports: u64,
        /// The most users that they allow.
        users_max: u64,
    },
}

impl PreflightError {
    /// The most users that the machine allows.
    #[must_use]
    pub fn users_max(&self) -> u64 {
        match self {
            Self::OpenFiles { users_max, .. } | Self::Ports { users_max, .. } => *users_max,
        }
    }
}

/// What of the people's connections stays open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeping {
    /// All of them, as clients do.
    All,
    /// Only what they listen on: a command takes a connection of its own, which is closed behind
    /// the answer. Thousands more people fit into the open files of a process.
    Listening,
}

impl Keeping {
    /// Connections that one person holds: a poller parks one request and sends over another, a
    /// stream takes one more for its acknowledgements, and Socket.IO's polling for its pongs.
    #[must_use]
    pub fn connections_per_user(self, kind: TransportKind) -> u32 {
        match (self, kind) {
            (Self::Listening, _)
            | (_, TransportKind::Websocket | TransportKind::SocketioWebsocket) => 1,
            (_, TransportKind::ShortPoll | TransportKind::LongPoll) => 2,
            (_, TransportKind::Sse | TransportKind::SocketioPolling) => 3,
        }
    }

    /// Open files that so many people take; the commands that are under way at one time among them.
    fn open_files(self, users: u64, kind: TransportKind) -> u64 {
        let connections = users * u64::from(self.connections_per_user(kind));
        let passing = match self {
            Self::All => 0,
            Self::Listening => connections.div_ceil(4),
        };
        connections + passing + OPEN_FILES_SLACK
    }

    fn users_max(self, kind: TransportKind, limit: u64) -> u64 {
        let quarters = match self {
            Self::All => 4 * u64::from(self.connections_per_user(kind)),
            Self::Listening => 5,
        };
        // People come in pairs, so the suggestion is even.
        limit.saturating_sub(OPEN_FILES_SLACK) * 4 / quarters / 2 * 2
    }
}

/// Raises the soft limit of open files to the hard one, which a spawned server inherits; the
/// limit that holds now.
#[must_use]
pub fn raise_open_files() -> u64 {
    // Where the limit cannot be read it cannot be checked either, and a run that hits it says so.
    rlimit::increase_nofile_limit(u64::MAX).unwrap_or(u64::MAX)
}

/// What can be kept open with `limit` open files in the generator and, as it serves the same
/// connections, in the server: all connections where that is possible.
///
/// # Errors
///
/// Nothing can; the error says what to do.
pub fn check_open_files(
    users: u32,
    kind: TransportKind,
    limit: u64,
) -> Result<Keeping, PreflightError> {
    let ways = ways(kind);
    let fits = |way: &&Keeping| way.open_files(u64::from(users), kind) <= limit;
    if let Some(way) = ways.iter().find(fits) {
        return Ok(*way);
    }
    let last = ways.last().expect("there is a way");
    let need = last.open_files(u64::from(users), kind);
    let users_max = users_max(kind, limit);
    let transport = kind.to_string();
    Err(PreflightError::OpenFiles { users, transport, need, limit, users_max })
}

/// Checks that so many users, of whom each holds `per_user` connections, find a local port for each
/// where one address has so many `ports`. The loopback of IPv4 has addresses enough.
///
/// # Errors
///
/// They do not; the error says what to do.
pub fn check_ports(
    users: u32,
    kind: TransportKind,
    per_user: u32,
    target: IpAddr,
    ports: u64,
) -> Result<(), PreflightError> {
    let need = u64::from(users) * u64::from(per_user);
    let has_addresses = matches!(target, IpAddr::V4(v4) if v4.is_loopback());
    if has_addresses || need <= ports {
        return Ok(());
    }
    let users_max = ports / u64::from(per_user) / 2 * 2;
    let transport = kind.to_string();
    Err(PreflightError::Ports { users, transport, need, target, ports, users_max })
}

/// The most people that fit into `limit` open files.
#[must_use]
pub fn users_max(kind: TransportKind, limit: u64) -> u64 {
    ways(kind).iter().map(|way| way.users_max(kind, limit)).max().unwrap_or(0)
}

/// The best first. A socket has nothing that could be closed.
fn ways(kind: TransportKind) -> &'static [Keeping] {
    match kind {
        TransportKind::Websocket | TransportKind::SocketioWebsocket => &[Keeping::All],
        TransportKind::ShortPoll
        | TransportKind::LongPoll
        | TransportKind::Sse
        | TransportKind::SocketioPolling => &[Keeping::All, Keeping::Listening],
    }
}

/// The local addresses that the people connect from.
///
/// One address has as many connections to one server as it has ephemeral ports. On loopback there
/// are more addresses for the asking, 127.0.0.1, 127.0.0.2 and so on; elsewhere the system chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sources {
    /// How many loopback addresses are used; 0 leaves the choice to the system.
    addresses: u32,
}

impl Sources {
    /// Enough addresses for `connections` to `target`, of which each can have `ports`.
    #[must_use]
    pub fn new(target: IpAddr, connections: u64, ports: u64) -> Self {
        // Linux looks for a free port among every other one first. Once these are taken it goes
        // through all of them for each connection, and a connection takes a millisecond instead of
        // twenty microseconds. A tenth of the half stays free for connections that are being
        // replaced and for other programs.
        let usable = (ports / 2 * 9 / 10).max(1);
        let addresses = match target {
            IpAddr::V4(v4) if v4.is_loopback() && connections > usable => {
                u32::try_from(connections.div_ceil(usable)).unwrap_or(u32::MAX)
            }
            _ => 0,
        };
        Self { addresses }
    }

    /// The address that `person` connects from; none leaves it to the system.
    #[must_use]
    pub fn of(self, person: u32) -> Option<IpAddr> {
        let nth = person.checked_rem(self.addresses)?;
        let first = u32::from(Ipv4Addr::LOCALHOST);
        Some(IpAddr::V4(Ipv4Addr::from(first + nth)))
    }
}

/// How many ephemeral ports this system gives to one address.
#[must_use]
pub fn ephemeral_ports() -> u64 {
    std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .and_then(|text| count_ports(&text))
        .unwrap_or(PORTS_OF_LINUX)
}

/// Linux' own default, 32768 to 60999, for a system that does not say.
const PORTS_OF_LINUX: u64 = 28_232;

fn count_ports(text: &str) -> Option<u64> {
    let mut bounds = text.split_whitespace().map(str::parse::<u64>);
    let (low, high) = (bounds.next()?.ok()?, bounds.next()?.ok()?);
    (high >= low).then(|| high - low + 1)
}

/// The other way out, where there is one: nobody talks alone.
fn fewer_users(users_max: u64) -> String {
    match users_max {
        0 | 1 => String::new(),
        users_max => format!(", or use --users {users_max}"),
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;

    const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn too_few_open_files_are_refused_with_the_need_and_two_ways_out() {
        let error = check_open_files(1_000, TransportKind::LongPoll, 1_024)
            .expect_err("1,378 files do not fit into 1,024");
        assert_eq!(
            error.to_string(),
            "1000 users over long-poll need 1378 open files a process and the limit is 1024: \
             run `ulimit -n 1378` as root before, or use --users 716"
        );
    }

    #[test]
    fn the_suggested_number_of_users_passes() {
        for kind in TransportKind::ALL {
            let error = check_open_files(50_000, kind, 20_000).expect_err("too many");
            let users_max = u32::try_from(error.users_max()).expect("fewer than were asked for");
            assert!(check_open_files(users_max, kind, 20_000).is_ok());
            assert!(check_open_files(users_max + 2, kind, 20_000).is_err());
        }
    }

    #[test]
    fn a_socket_needs_half_of_what_polling_needs() {
        for socket in [TransportKind::Websocket, TransportKind::SocketioWebsocket] {
            assert_eq!(check_open_files(896, socket, 1_024), Ok(Keeping::All));
        }
        assert_eq!(check_open_files(448, TransportKind::ShortPoll, 1_024), Ok(Keeping::All));
        assert_eq!(check_open_files(450, TransportKind::ShortPoll, 1_024), Ok(Keeping::Listening));
    }

    #[test]
    fn ten_thousand_people_fit_into_twenty_thousand_files_whatever_they_speak() {
        for kind in TransportKind::ALL {
            assert!(check_open_files(10_000, kind, 20_000).is_ok(), "{kind}");
        }
        assert_eq!(check_open_files(18_000, TransportKind::Websocket, 20_000), Ok(Keeping::All));
    }

    #[test]
    fn loopback_addresses_are_added_only_when_the_ports_of_one_do_not_suffice() {
        assert_eq!(Sources::new(LOOPBACK, 2_000, 28_232).of(5), None);
        let sources = Sources::new(LOOPBACK, 30_000, 28_232);
        let addresses: Vec<_> = (0..4).map(|person| sources.of(person)).collect();
        let address = |last| Some(IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)));
        assert_eq!(addresses, [address(1), address(2), address(3), address(1)]);
    }

    #[test]
    fn no_address_gives_more_than_half_of_its_ports() {
        assert_eq!(Sources::new(LOOPBACK, 12_000, 28_232).of(1), None);
        let two = Sources::new(LOOPBACK, 20_000, 28_232);
        assert_ne!(two.of(0), two.of(1));
        assert_eq!(two.of(0), two.of(2));
    }

    #[test]
    fn a_remote_target_leaves_the_address_to_the_system() {
        let remote = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
        assert_eq!(Sources::new(remote, 60_000, 28_232).of(0), None);
    }

    #[test]
    fn users_without_a_port_are_refused_unless_loopback_has_another_address() {
        let remote = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
        let check = |users, target| check_ports(users, TransportKind::Sse, 3, target, 30_000);
        assert_eq!(check(10_000, remote), Ok(()));
        assert_eq!(check(10_001, LOOPBACK), Ok(()));
        let error = check(10_001, remote).expect_err("there are 30,000").to_string();
        assert_eq!(
            error,
            "10001 users over sse need 30003 connections to 192.0.2.1, and this machine has 30000 \
             local ports for one address: widen net.ipv4.ip_local_port_range, share the users among \
             several machines (--shard), or use --users 10000"
        );
        assert!(check(10_001, Ipv6Addr::LOCALHOST.into()).is_err());
    }

    #[test]
    fn the_port_range_is_counted_with_both_ends() {
        assert_eq!(count_ports("32768\t60999\n"), Some(PORTS_OF_LINUX));
        assert_eq!(count_ports("60999 32768"), None);
        assert_eq!(count_ports("many"), None);
    }
}
