//! The name of a message on the wire: whose it is, and, where several generators share a crowd,
//! what its reader must know of its sending.
//!
//! ```text
//! RUN-SENDER-NUMBER             one generator: the books have the rest
//! RUN-SENDER-NUMBER-PAIR-LAG    several: the reader may be another generator's
//! ```
//!
//! The run, the pair and the lag are hexadecimal. The longest has 59 characters, and 64 are allowed.

/// The name of a message, without its run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) sender: u32,
    pub(crate) number: u32,
    /// Where several generators share a crowd.
    pub(crate) sent: Option<Sent>,
}

/// How a message was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sent {
    /// The conversation that it is meant for.
    pub(crate) pair: u64,
    /// How much later it was sent than the schedule wanted, in microseconds.
    pub(crate) lag_us: u64,
}

impl Name {
    pub(crate) fn write(&self, run: u64) -> String {
        let Self { sender, number, sent } = self;
        match sent {
            None => format!("{run:x}-{sender}-{number}"),
            Some(Sent { pair, lag_us }) => {
                format!("{run:x}-{sender}-{number}-{pair:x}-{lag_us:x}")
            }
        }
    }

    /// The name in `id`, if it is one of this run.
    pub(crate) fn read(run: u64, id: &str) -> Option<Self> {
        let hexadecimal = |part| u64::from_str_radix(part, 16).ok();
        let mut parts = id.split('-');
        let named = hexadecimal(parts.next()?)?;
        let sender = parts.next()?.parse().ok()?;
        let number = parts.next()?.parse().ok()?;
        let sent = match parts.next() {
            None => None,
            Some(pair) => {
                let lag_us = hexadecimal(parts.next()?)?;
                Some(Sent { pair: hexadecimal(pair)?, lag_us })
            }
        };
        (named == run && parts.next().is_none()).then_some(Self { sender, number, sent })
    }

    /// A hash of the whole name. Sums of it tell sets of messages apart, so each bit of it must
    /// depend on all that is hashed.
    pub(crate) fn fingerprint(&self, run: u64) -> u64 {
        let sent = self.sent.map_or([0, 0], |sent| [sent.pair, sent.lag_us]);
        let whose = u64::from(self.sender) << 32 | u64::from(self.number);
        [run, whose].into_iter().chain(sent).fold(0, |hash, part| mix(hash ^ part))
    }
}

/// A step of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators",
/// 2014): a permutation of all 64-bit numbers that scatters those that are alike.
pub(crate) fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn shared(pair: u64, lag_us: u64) -> Name {
        Name { sender: 1, number: 2, sent: Some(Sent { pair, lag_us }) }
    }

    #[test]
    fn a_name_is_read_as_it_was_written_and_only_in_its_run() {
        for name in [Name { sent: None, ..shared(0, 0) }, shared(0xfeed, 310)] {
            let id = name.write(0xabc);
            assert_eq!(Name::read(0xabc, &id), Some(name), "{id}");
            assert_eq!(Name::read(0xabd, &id), None, "{id}");
        }
        assert_eq!(shared(0xfeed, 31).write(0xabc), "abc-1-2-feed-1f");
        for id in ["abc", "abc-1", "abc-1-2-3", "abc-1-2-3-4-5", "abc-1-2-x-0", "hello"] {
            assert_eq!(Name::read(0xabc, id), None, "{id}");
        }
    }

    #[test]
    fn the_longest_name_is_short_enough_for_the_wire() {
        let longest = Name {
            sender: 1_000_000,
            number: 50_000_000,
            sent: Some(Sent { pair: u64::MAX, lag_us: 3_600_000_000 }),
        };
        let bytes = longest.write(u64::MAX).len();
        assert!(bytes <= protocol::MESSAGE_ID_CHARS_MAX, "{bytes}");
    }

    #[test]
    fn names_that_differ_in_anything_have_fingerprints_that_differ() {
        let senders = (0..100).flat_map(|sender| (0..100).map(move |number| (sender, number)));
        let names = senders.map(|(sender, number)| Name { sender, number, ..shared(7, 7) });
        let others = [shared(7, 8), shared(8, 7), Name { sent: None, ..shared(7, 7) }];
        let prints: BTreeSet<u64> = names.chain(others).map(|it| it.fingerprint(1)).collect();
        assert_eq!(prints.len(), 100 * 100 + 3);
        assert_ne!(shared(7, 7).fingerprint(1), shared(7, 7).fingerprint(2));
    }
}
