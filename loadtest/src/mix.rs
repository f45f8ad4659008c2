//! Who of the people uses which transport: all the same one, or a weighted mix in one crowd.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use client::TransportKind;
use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::preflight::Keeping;
use crate::schedule::stream;

/// What a crowd of several transports is called on the command line and in reports.
pub const NAME: &str = "mix";
/// The streams of the seed from which transports are drawn lie beyond those of the habits.
const DRAWS: u64 = 3 << 32;

/// A transport that a run is made over, or all of them at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Transport {
    /// Everybody uses this one.
    One(TransportKind),
    /// Each person uses one that is drawn from the [`Mix`].
    Mix,
}

/// Transports and how many people use each, in relation to one another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mix(Vec<(TransportKind, u32)>);

impl Transport {
    /// As it is called on the command line and in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::One(kind) => kind.name(),
            Self::Mix => NAME,
        }
    }
}

impl From<TransportKind> for Transport {
    fn from(kind: TransportKind) -> Self {
        Self::One(kind)
    }
}

impl Transport {
    /// Reads a name on the command line, which can suggest the one that was meant, and complete it.
    pub(crate) fn parser() -> impl TypedValueParser<Value = Self> {
        let names = TransportKind::ALL.map(TransportKind::name).into_iter().chain([NAME]);
        PossibleValuesParser::new(names).try_map(|name| name.parse())
    }
}

impl FromStr for Transport {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            NAME => Ok(Self::Mix),
            text => text.parse().map(Self::One).map_err(|error| format!("{error}, {NAME}")),
        }
    }
}

impl Mix {
    /// Everybody uses the same.
    #[must_use]
    pub fn of(kind: TransportKind) -> Self {
        Self(vec![(kind, 1)])
    }

    /// As many people on each of all transports.
    #[must_use]
    pub fn equal() -> Self {
        Self(TransportKind::ALL.map(|kind| (kind, 1)).to_vec())
    }

    /// The transports in it.
    pub fn kinds(&self) -> impl Iterator<Item = TransportKind> {
        self.0.iter().map(|(kind, _)| *kind)
    }

    /// The one that takes the most connections a person.
    #[must_use]
    pub fn heaviest(&self) -> TransportKind {
        let heaviest = self.kinds().max_by_key(|kind| Keeping::All.connections_per_user(*kind));
        heaviest.expect("a mix has a transport")
    }

    /// What each of so many people uses, drawn from the seed: a larger crowd repeats the smaller
    /// one and adds to it.
    #[must_use]
    pub fn draw(&self, people: u32, seed: u64) -> Arc<[TransportKind]> {
        if let [(kind, _)] = self.0[..] {
            return vec![kind; people as usize].into();
        }
        let mut random = stream(seed, DRAWS);
        let all: u32 = self.0.iter().map(|(_, weight)| weight).sum();
        (0..people).map(|_| self.at(random.random_range(0..all))).collect()
    }

    fn at(&self, mut place: u32) -> TransportKind {
        for &(kind, weight) in &self.0 {
            match place.checked_sub(weight) {
                Some(rest) => place = rest,
                None => return kind,
            }
        }
        unreachable!("a place lies below the sum of the weights")
    }
}

impl FromStr for Mix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut mix: Vec<(TransportKind, u32)> = Vec::new();
        for part in text.split(',') {
            let (name, weight) = part.trim().split_once('=').ok_or_else(|| {
                format!("`{part}` has no weight; write for example websocket=6,long-poll=3")
            })?;
            let kind: TransportKind = name.trim().parse()?;
            let weight: u32 = weight.trim().parse().unwrap_or(0);
            if !(1..=1_000).contains(&weight) {
                return Err(format!("`{part}`: a weight is a whole number from 1 to 1000"));
            }
            if mix.iter().any(|(other, _)| *other == kind) {
                return Err(format!("{kind} has two weights"));
            }
            mix.push((kind, weight));
        }
        Ok(Self(mix))
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<_> =
            self.0.iter().map(|(kind, weight)| format!("{kind}={weight}")).collect();
        f.write_str(&parts.join(","))
    }
}

macro_rules! as_text {
    ($($name:ident),*) => {$(
        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }
    )*};
}
as_text!(Transport, Mix);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_dealt_out_by_weight_and_a_larger_crowd_repeats_a_smaller_one() {
        let mix: Mix = "websocket=6,long-poll=3,sse=1".parse().expect("a mix");
        let drawn = mix.draw(10_000, 1);
        for (kind, weight) in &mix.0 {
            let count = drawn.iter().filter(|it| *it == kind).count() as f64;
            assert!((count / 1_000.0 - f64::from(*weight)).abs() < 0.2, "{count} use {kind}");
        }
        assert_eq!(mix.draw(100, 1)[..], drawn[..100]);
        assert_ne!(mix.draw(100, 2)[..], drawn[..100]);
    }

    #[test]
    fn a_crowd_of_one_transport_draws_nothing() {
        let kinds = Mix::of(TransportKind::Sse).draw(3, 1);
        assert_eq!(kinds[..], [TransportKind::Sse; 3]);
    }

    #[test]
    fn a_mix_is_written_as_it_was_read() {
        for text in ["websocket=6,long-poll=3", "sse=1"] {
            assert_eq!(text.parse::<Mix>().expect("a mix").to_string(), text);
        }
        assert_eq!(Mix::equal().kinds().collect::<Vec<_>>(), TransportKind::ALL);
        assert_eq!("mix".parse(), Ok(Transport::Mix));
    }

    #[test]
    fn what_is_no_mix_is_refused_with_an_example_or_the_names() {
        for (text, expected) in [
            ("websocket", "write for example websocket=6,long-poll=3"),
            ("pigeon=1", "no transport is named \"pigeon\""),
            ("sse=0", "a weight is a whole number from 1 to 1000"),
            ("sse=many", "a weight is a whole number"),
            ("sse=1,sse=2", "sse has two weights"),
        ] {
            let error = text.parse::<Mix>().expect_err(text);
            assert!(error.contains(expected), "{text}: {error}");
        }
        let error = "pigeon".parse::<Transport>().expect_err("there is no such transport");
        assert!(error.ends_with("socketio-polling, mix"), "{error}");
    }
}
