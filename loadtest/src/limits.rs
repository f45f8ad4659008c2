//! The limits of a server that a run starts, raised where the run would hit the defaults.

use crate::options::Options;

/// Takes the limits of an address away: everybody comes from one, which nobody does in production.
pub(crate) const ONE_ADDRESS: [&str; 6] = [
    "--connections-per-address-max",
    "0",
    "--sessions-per-address-max",
    "0",
    "--opens-per-address-per-s-max",
    "0",
];

/// The flag by which our server ends with the program that started it.
pub(crate) const UNTIL_INPUT_ENDS: &str = "--until-input-ends";

/// The limits that the run would hit with the server's defaults, raised. Limits that it does not
/// come near stay as in production.
pub(crate) fn server_limits(options: &Options) -> Vec<String> {
    const SESSIONS_DEFAULT: u64 = 100_000;
    const CONNECTIONS_DEFAULT: u64 = 110_000;
    const MESSAGES_PER_S_DEFAULT: f64 = 20.0;
    const NEXTS_PER_S_DEFAULT: f64 = 2.0;
    const MAILBOX_EVENTS_DEFAULT: f64 = 256.0;
    let users = options.users;
    let sessions = u64::from(users) + departed(options);
    let per_user = options.rate_per_s() / f64::from(users);
    // Random gaps bunch: ten times the mean rate is out of reach of any bunch.
    let bunched = per_user * 10.0;
    let skips = options.skip_every.map_or(0.0, |every| 10.0 / every.0.as_secs_f64());
    // A mailbox holds one's own messages and the partner's for as long as nobody asks.
    let unread = bunched * 2.0 * options.poll_interval_max().as_secs_f64().max(1.0);
    let mut limits = vec![UNTIL_INPUT_ENDS.to_owned()];
    limits.extend(ONE_ADDRESS.map(str::to_owned));
    let mut raise = |flag: &str, value: u64| limits.extend([flag.to_owned(), value.to_string()]);
    if sessions > SESSIONS_DEFAULT {
        raise("--sessions-max", sessions);
    }
    if sessions * 2 > CONNECTIONS_DEFAULT {
        raise("--connections-max", sessions * 2 + 1_000);
    }
    if bunched > MESSAGES_PER_S_DEFAULT {
        raise("--messages-per-s-max", bunched.ceil() as u64);
        raise("--messages-burst-max", (bunched * 2.0).ceil() as u64);
    }
    if skips > NEXTS_PER_S_DEFAULT {
        raise("--nexts-per-s-max", skips.ceil() as u64);
        raise("--nexts-burst-max", (skips * 2.0).ceil() as u64);
    }
    if unread > MAILBOX_EVENTS_DEFAULT {
        raise("--mailbox-events-max", unread.ceil() as u64);
    }
    limits
}

/// Sessions that have ended and are not yet forgotten, at the most.
fn departed(options: &Options) -> u64 {
    // The server's own resume window, and some more for chance.
    const REMEMBERED_S: f64 = 12.0;
    let stay_s = options.stay.map_or(f64::INFINITY, |stay| stay.0.as_secs_f64());
    (f64::from(options.users) * REMEMBERED_S / stay_s).ceil() as u64
}

/// The limits of our server as these flags set them.
#[cfg(test)]
pub(crate) fn told_to_server(
    flags: impl IntoIterator<Item = std::ffi::OsString>,
) -> server::config::Config {
    use clap::Parser;

    #[derive(Parser)]
    struct Server {
        #[command(flatten)]
        serve: server::Serve,
    }

    let words = std::iter::once("server".into()).chain(flags);
    let server = Server::try_parse_from(words).expect("the server knows these limits");
    server.serve.config().expect("and can keep them")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use server::config::Config;

    use super::*;
    use reports::Span;

    /// The server's limits as a run with `options` sets them.
    fn limits(options: &Options) -> Config {
        told_to_server(server_limits(options).into_iter().map(Into::into))
    }

    #[test]
    fn an_ordinary_run_loads_the_server_with_its_production_limits_but_for_one_address() {
        let always: Vec<_> = [UNTIL_INPUT_ENDS].into_iter().chain(ONE_ADDRESS).collect();
        assert_eq!(server_limits(&Options::default()), always);
    }

    #[test]
    fn a_run_beyond_the_production_limits_raises_those_that_it_would_hit() {
        let options = Options { users: 200_000, rate: Some(1e6), ..Options::default() };
        let limits = limits(&options);
        assert!(limits.sessions_max >= 200_000);
        assert!(limits.connections_max >= 400_000);
        assert!(limits.messages_per_s_max >= 50);
        assert_eq!(limits.mailbox_events_max, Config::default().mailbox_events_max);
    }

    #[test]
    fn sessions_of_people_who_left_are_still_sessions_for_a_while() {
        let stay = Some(Span(Duration::from_secs(1)));
        let options = Options { users: 10_000, stay, ..Options::default() };
        assert!(limits(&options).sessions_max >= 120_000);
    }

    #[test]
    fn people_who_skip_often_may() {
        let skipping = |ms| Options {
            skip_every: Some(Span(Duration::from_millis(ms))),
            ..Options::default()
        };
        assert_eq!(limits(&skipping(10_000)).nexts_per_s_max, Config::default().nexts_per_s_max);
        assert_eq!(limits(&skipping(500)).nexts_per_s_max, 20);
        assert_eq!(limits(&skipping(500)).nexts_burst_max, 40);
    }

    #[test]
    fn rare_polls_need_a_larger_mailbox() {
        let poll_intervals = vec![Span(Duration::from_secs(30))];
        let options = Options { poll_intervals, ..Options::default() };
        assert!(limits(&options).mailbox_events_max >= 300);
    }
}
