//! Words of the command line and of the wire: what is read is written as it was read, and what is
//! not is refused in words.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use chat_sim::plan::FaultKind;
use clap::{Args, Command, FromArgMatches};
use client::TransportKind;
use loadtest::mix::{Mix, Transport};
use loadtest::{Options, Span};
use protocol::{Ack, Batch, ClientEvent, Event, Opened, Problem, Refusal, Say, ServerFrame};
use reports::slo::Slo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use server::config::{AllowedOrigin, ListenAddress, Network};

/// Schedules of larger crowds take longer than they can teach.
const PEOPLE_MAX: u32 = 100;
/// The same of more messages a second.
const RATE_MAX: f64 = 10.0;

/// Reads the input as everything that is one word or one line.
pub fn options(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    word::<Span>(text);
    word::<Transport>(text);
    word::<TransportKind>(text);
    word::<Mix>(text);
    word::<Slo>(text);
    word::<FaultKind>(text);
    word::<AllowedOrigin>(text);
    word::<ListenAddress>(text);
    word::<Network>(text);
    frame::<ClientEvent>(text);
    frame::<Say>(text);
    frame::<Ack>(text);
    frame::<Event>(text);
    frame::<Batch>(text);
    frame::<Opened>(text);
    frame::<Problem>(text);
    frame::<Refusal>(text);
    frame::<ServerFrame>(text);
    load(text);
}

/// A word that is read means what it is written as.
fn word<T>(text: &str)
where
    T: FromStr<Err: ToString> + Display,
{
    match text.parse::<T>() {
        Ok(word) => {
            let written = word.to_string();
            let again = written.parse::<T>();
            let again = again.unwrap_or_else(|why| panic!("{written:?}: {}", why.to_string()));
            assert_eq!(again.to_string(), written);
        }
        Err(why) => crate::assert_says_something(&why.to_string()),
    }
}

fn frame<T: DeserializeOwned + Serialize + PartialEq + Debug>(text: &str) {
    let Ok(frame) = serde_json::from_str::<T>(text) else { return };
    let written = serde_json::to_string(&frame).expect("the wire is plain data");
    let again: T = serde_json::from_str(&written).expect("what was written");
    assert_eq!(again, frame);
}

/// The arguments of `load`, and what follows from them before anything is started.
fn load(text: &str) {
    let command = Options::augment_args(Command::new("load").no_binary_name(true));
    let Ok(matches) = command.try_get_matches_from(text.split_whitespace()) else { return };
    let options = Options::from_arg_matches(&matches).expect("clap has read all of them");
    match options.validate() {
        Ok(()) => {
            assert!(!options.trials().is_empty());
            assert!(options.rate_per_s() > 0.0);
            if options.users <= PEOPLE_MAX && options.rate_per_s() <= RATE_MAX {
                let schedule = options.schedule().by_person();
                assert!(schedule.iter().all(|times| times.is_sorted()));
            }
        }
        Err(why) => crate::assert_says_something(&why.to_string()),
    }
}
