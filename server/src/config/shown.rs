//! A configuration as it is shown: as a file that the server reads again, or what differs from the
//! defaults.

use super::Config;

impl Config {
    /// The text of a file for `--config` that says all of it.
    #[must_use]
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a config is numbers, words and lists of words")
    }

    /// Limits that are not the default, a line `name=value` each.
    pub(crate) fn changed(&self) -> String {
        let (ours, usual) = (self.to_toml(), Self::default().to_toml());
        let usual: Vec<_> = usual.lines().collect();
        let changed = ours.lines().filter(|line| !usual.contains(line));
        changed.map(|line| line.replacen(" = ", "=", 1)).collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        Config {
            sessions_max: 7,
            allowed_origins: vec!["https://*.example.org".parse().expect("an origin")],
            ..Config::default()
        }
    }

    #[test]
    fn shown_config_is_read_again_as_it_was() {
        assert_eq!(toml::from_str(&config().to_toml()), Ok(config()));
        assert_eq!(toml::from_str(&Config::default().to_toml()), Ok(Config::default()));
    }

    #[test]
    fn changed_limits_are_those_that_differ() {
        assert_eq!(Config::default().changed(), "");
        let changed = "sessions_max=7\nallowed_origins=[\"https://*.example.org\"]";
        assert_eq!(config().changed(), changed);
    }
}
