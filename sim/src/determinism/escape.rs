//! What is left when simulated code has reached past its seed: the way that it took, and who took
//! it where that can be told.

use std::backtrace::Backtrace;

/// Code that is never the reason, by what its name begins with or its place contains: it carries
/// a call from its maker to the system, or takes it down.
const CARRIERS: [&str; 4] = ["std::", "<std::", "core::", "<core::"];
const PLACES_OF_CARRIERS: [&str; 4] = [
    "/rustc/",
    "src/determinism/escape.rs",
    "src/determinism/state.rs",
    "src/determinism/tripwire.rs",
];

/// The first call of a run that the simulation does not serve.
#[derive(Debug)]
pub(super) struct Escape {
    /// What was asked for.
    way: &'static str,
    /// The calls under way, if the C library was asked.
    calls: Option<Backtrace>,
}

impl Escape {
    /// Through a function of the C library. Takes down who calls; puts nothing into words yet,
    /// which needs files.
    pub(super) fn through(function: &'static str) -> Self {
        Self { way: function, calls: Some(Backtrace::force_capture()) }
    }

    /// Past the C library, where a handler of signals noted it.
    pub(super) fn past(way: &'static str) -> Self {
        Self { way, calls: None }
    }

    /// One line. To be called on an ordinary thread.
    pub(super) fn describe(&self) -> String {
        let way = self.way;
        let caller = self.calls.as_ref().and_then(|calls| caller(&calls.to_string(), way));
        let caller = caller.map(|caller| format!(", called by {caller}")).unwrap_or_default();
        format!("simulated code reached past its seed: {way}{caller}")
    }
}

/// The nearest call that is neither the function itself nor a carrier, from the text of a
/// backtrace: a number, a colon and a name a line, with the place on the line below where it is
/// known.
fn caller(calls: &str, function: &str) -> Option<String> {
    let mut lines = calls.lines().map(str::trim_start).peekable();
    while let Some(line) = lines.next() {
        let Some((_number, name)) = line.split_once(": ") else { continue };
        let place = lines.next_if(|line| line.starts_with("at ")).unwrap_or_default();
        let is_carrier = CARRIERS.iter().any(|carrier| name.starts_with(carrier))
            || PLACES_OF_CARRIERS.iter().any(|carrier| place.contains(carrier));
        if name != function && !is_carrier {
            return Some(format!("{name} {place}").trim_end().to_owned());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caller_is_the_nearest_code_that_is_not_a_carrier() {
        let calls = "   0: std::backtrace::Backtrace::create\n   1: trip\n             at \
                     ./sim/src/determinism/state.rs:9:1\n   2: gettimeofday\n             at ./x.rs:1:1\n   \
                     3: now\n             at /rustc/abc/library/std/src/time.rs:1:1\n   4: today\n             \
                     at ./clock.rs:7:5\n   5: main\n";
        assert_eq!(caller(calls, "gettimeofday").as_deref(), Some("today at ./clock.rs:7:5"));
        assert_eq!(caller("   0: <unknown>\n", "time").as_deref(), Some("<unknown>"));
        assert_eq!(caller("", "time"), None);
    }
}
