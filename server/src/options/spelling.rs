//! Names that look like a misspelt name of a limit: of a variable, or of a key in the file.
//!
//! A variable that nobody reads is not always a mistake. A cluster that runs a service named
//! `racetrack` injects variables of its own (`RACETRACK_SERVICE_HOST`, `RACETRACK_PORT_3000_TCP`), and
//! tests and the simulation have some too. So only what looks like a misspelt limit is refused.

use std::ffi::OsString;

/// Stands before each of our variables.
const PREFIX: &str = "RACETRACK_";
/// Variables of the simulation and of tests.
const OTHERS: [&str; 3] = ["RACETRACK_MUTANT", "RACETRACK_SEED", "RACETRACK_SEEDS"];
/// Begins the variables that only tests know.
const TESTS: &str = "RACETRACK_TEST_";

/// Variables that may be mistakes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Doubtful {
    /// With the variable that was probably meant.
    pub(super) misspelt: Vec<(String, String)>,
    /// Named like ours, and like none of them.
    pub(super) unknown: Vec<String>,
}

/// Looks for mistakes among the names of the environment, where `known` are those that are read.
pub(super) fn doubtful(names: impl Iterator<Item = OsString>, known: &[String]) -> Doubtful {
    let mut doubtful = Doubtful::default();
    let names = names.filter_map(|name| name.into_string().ok());
    let mut names: Vec<_> = names.filter(|name| !known.contains(name)).collect();
    names.sort();
    for name in names {
        let upper = name.to_ascii_uppercase();
        let own = upper.strip_prefix(PREFIX);
        if own.is_some_and(|own| is_injected(own) || is_ours(&upper)) {
            continue;
        }
        let meant = match own {
            Some(own) => nearest(own, known.iter().filter_map(|known| known.strip_prefix(PREFIX)))
                .map(|meant| format!("{PREFIX}{meant}")),
            // The prefix itself may be misspelt; no other program's variable is as near.
            None => known.iter().find(|known| strsim::osa_distance(known, &upper) <= 2).cloned(),
        };
        match meant {
            Some(meant) => doubtful.misspelt.push((name, meant)),
            None if own.is_some() => doubtful.unknown.push(name),
            None => {}
        }
    }
    doubtful
}

fn is_ours(name: &str) -> bool {
    OTHERS.contains(&name) || name.starts_with(TESTS)
}

/// True for what Kubernetes and Docker tell every container of a service that is named `racetrack`, or
/// `racetrack-` and something: where it is.
fn is_injected(own: &str) -> bool {
    let own = format!("_{own}");
    let is_end = |mark: &str, is_right: fn(&str) -> bool| {
        own.match_indices(mark).any(|(at, _)| is_right(&own[at + mark.len()..]))
    };
    let is_port_of_protocol = |rest: &str| {
        let mut parts = rest.split('_');
        let number = parts.next().unwrap_or_default();
        let protocol = parts.next().unwrap_or_default();
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let is_detail =
            matches!(parts.next(), None | Some("ADDR" | "PORT" | "PROTO" | "START" | "END"));
        is_number && matches!(protocol, "TCP" | "UDP" | "SCTP") && is_detail
    };
    is_end("_SERVICE_HOST", str::is_empty)
        || is_end("_SERVICE_PORT", |rest| rest.is_empty() || rest.starts_with('_'))
        || is_end("_PORT", str::is_empty)
        || is_end("_PORT_", is_port_of_protocol)
        || own == "_NAME"
        || own.starts_with("_ENV_")
}

/// The known name that was probably meant by one that is not known.
pub(super) fn nearest<'a>(
    name: &str,
    known: impl Iterator<Item = &'a str> + Clone,
) -> Option<&'a str> {
    let distance = |known: &&str| strsim::osa_distance(known, name);
    let close = known
        .clone()
        .min_by_key(distance)
        .filter(|known| distance(known) <= (known.len() / 5).max(1));
    close.or_else(|| known.clone().find(|known| has_same_words(known, name) || is_cut(known, name)))
}

/// True for `MAX_SESSIONS` and `SESSIONS_MAX`.
fn has_same_words(known: &str, name: &str) -> bool {
    let words = |name: &str| {
        let mut words: Vec<_> = name.split('_').map(str::to_owned).collect();
        words.sort();
        words
    };
    words(known) == words(name)
}

/// True for `SESSIONS` and `SESSIONS_MAX`, `ADDRESS` and `ADDR`.
fn is_cut(known: &str, name: &str) -> bool {
    let is_longer_word = |rest: &str| !rest.is_empty() && !rest.starts_with('_');
    let is_begin = name.len() >= 4 && known.starts_with(name);
    is_begin || name.strip_prefix(known).is_some_and(is_longer_word)
}

#[cfg(test)]
mod tests {
    use clap::{Args, Command};

    use super::*;
    use crate::Serve;

    fn check(names: &[&str]) -> Doubtful {
        let known = super::super::variables(&Serve::augment_args(Command::new("serve")));
        doubtful(names.iter().map(OsString::from), &known)
    }

    #[test]
    fn misspelt_variables_are_found_with_what_was_meant() {
        for (name, meant) in [
            ("RACETRACK_SESSION_MAX", "RACETRACK_SESSIONS_MAX"),
            ("RACETRACK_MAX_SESSIONS", "RACETRACK_SESSIONS_MAX"),
            ("RACETRACK_SESSIONS", "RACETRACK_SESSIONS_MAX"),
            ("RACETRACK_SESSIONS_MAXX", "RACETRACK_SESSIONS_MAX"),
            ("RACETRACK_ALLOWED_ORIGIN", "RACETRACK_ALLOWED_ORIGINS"),
            ("RACETRACK_TRUSTED_PROXY", "RACETRACK_TRUSTED_PROXIES"),
            ("RACETRACK_ADDRESS", "RACETRACK_ADDR"),
            ("RACETRACK_CONF", "RACETRACK_CONFIG"),
            ("RACETRACK_WORKER", "RACETRACK_WORKERS"),
            ("RACETRACK_KEEPALIVE_MS_MAX", "RACETRACK_KEEP_ALIVE_MS_MAX"),
            ("RACETRACK_HEARTBEAT_INTERVAL", "RACETRACK_HEARTBEAT_INTERVAL_MS"),
            ("racetrack_sessions_max", "RACETRACK_SESSIONS_MAX"),
            ("RACETRAC_SESSIONS_MAX", "RACETRACK_SESSIONS_MAX"),
            ("RACE_TRACK_ADDR", "RACETRACK_ADDR"),
        ] {
            let misspelt = vec![(name.to_owned(), meant.to_owned())];
            assert_eq!(check(&[name]), Doubtful { misspelt, unknown: Vec::new() });
        }
    }

    #[test]
    fn variables_of_clusters_of_tests_and_of_others_are_no_mistakes() {
        let names = [
            "RACETRACK_SERVICE_HOST",
            "RACETRACK_SERVICE_PORT",
            "RACETRACK_SERVICE_PORT_HTTP",
            "RACETRACK_PORT",
            "RACETRACK_PORT_3000_TCP",
            "RACETRACK_PORT_3000_TCP_ADDR",
            "RACETRACK_PORT_3000_TCP_PORT",
            "RACETRACK_PORT_3000_TCP_PROTO",
            "RACETRACK_PORT_3000_UDP",
            "RACETRACK_SERVER_SERVICE_HOST",
            "RACETRACK_SERVER_PORT",
            "RACETRACK_SERVER_PORT_80_TCP_ADDR",
            "RACETRACK_NAME",
            "RACETRACK_ENV_PATH",
            "RACETRACK_SEED",
            "RACETRACK_SEEDS",
            "RACETRACK_MUTANT",
            "RACETRACK_TEST_PRINTS_HASHES",
            "RACETRACK_SESSIONS_MAX",
            "RACETRACK_CONFIG",
            "RUST_LOG",
            "ADDR",
            "PATH",
        ];
        assert_eq!(check(&names), Doubtful::default());
    }

    #[test]
    fn unknown_variables_that_look_like_no_other_are_told() {
        let names = ["RACETRACK_COLOUR", "RACETRACK_CONFIG_MAP", "RACETRACK_"];
        let unknown = ["RACETRACK_", "RACETRACK_COLOUR", "RACETRACK_CONFIG_MAP"];
        let unknown = unknown.map(str::to_owned).to_vec();
        assert_eq!(check(&names), Doubtful { misspelt: Vec::new(), unknown });
    }
}
