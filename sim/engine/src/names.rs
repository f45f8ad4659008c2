//! Unknown names, in one line that lists the known ones.

use std::net::IpAddr;

/// Names that are listed at most; a plan may have a thousand clients.
const LISTED_MAX: usize = 12;

/// `no server is named "bakc"; there are "front", "back"`.
pub fn unknown<'a>(what: &str, name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    format!("no {what} is named {name:?}; {}", listed(known))
}

/// `there are "ann", "bob"`.
pub fn listed<'a>(known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<_> = known.into_iter().collect();
    let listed: Vec<_> = known.iter().take(LISTED_MAX).map(|name| format!("{name:?}")).collect();
    match known.len().saturating_sub(LISTED_MAX) {
        _ if known.is_empty() => "there are none".to_owned(),
        0 if known.len() == 1 => format!("there is only {}", listed.join("")),
        0 => format!("there are {}", listed.join(", ")),
        more => format!("there are {} and {more} more", listed.join(", ")),
    }
}

/// Refuses names that no simulated host can have, and two hosts of one name.
///
/// # Errors
///
/// One line that names the host.
pub fn check_hosts<'a>(
    servers: impl Iterator<Item = &'a str>,
    clients: impl Iterator<Item = &'a str>,
) -> Result<(), String> {
    let hosts: Vec<_> = servers.chain(clients).collect();
    for (place, name) in hosts.iter().enumerate() {
        if name.is_empty() || *name == "localhost" || name.parse::<IpAddr>().is_ok() {
            return Err(format!("a host cannot be named {name:?}; choose a plain name"));
        }
        if hosts[..place].contains(name) {
            return Err(format!("two hosts are named {name:?}; {}", listed(hosts.iter().copied())));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_known_names_are_listed_on_one_line() {
        assert_eq!(unknown("person", "bobb", []), r#"no person is named "bobb"; there are none"#);
        let one = unknown("server", "a\nb", ["shop"]);
        assert_eq!(one, r#"no server is named "a\nb"; there is only "shop""#);
        let names: Vec<_> = (0..20).map(|number| format!("n{number}")).collect();
        let many = unknown("person", "x", names.iter().map(String::as_str));
        assert!(many.contains(r#"there are "n0", "n1", "#), "{many}");
        assert!(many.ends_with(r#""n11" and 8 more"#), "{many}");
    }
}
