//! The kinds of what a run must not do, and what to do instead.

/// What simulated code reached for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outside {
    /// A clock of the machine.
    Clock,
    /// Entropy of the machine.
    Entropy,
    /// Another thread.
    Thread,
    /// Another process.
    Process,
    /// A socket of the machine.
    Socket,
    /// A pipe, an event queue or shared memory.
    Descriptor,
    /// The address of a name.
    Lookup,
    /// A change of a file.
    File,
    /// Standard input.
    Input,
    /// Real time that passes.
    Wait,
    /// tokio's driver for sockets and signals, which simulated hosts do not have.
    Driver,
}

/// Functions whose remedy is another one than that of what they reached for, by a part of their
/// path.
const FUNCTIONS: [(&str, &str); 10] = [
    ("::spawn_blocking", "do the work in the task itself: no thread may be started here"),
    ("tokio::fs", "keep what changes in memory: files are read in a simulation, and not changed"),
    ("lookup_host", LOOKUP),
    ("ToSocketAddrs", LOOKUP),
    ("tokio::signal", "pass in what ends the service, as a channel: no signal arrives here"),
    (STANDARD_STREAM, PRINT),
    // They make pipes first.
    ("std::process::Command", PROCESS),
    ("tokio::process", PROCESS),
    ("runtime::runtime::Runtime::new", RUNTIME),
    ("runtime::builder::Builder::build", RUNTIME),
];

const STANDARD_STREAM: &str = "tokio::io::std";
/// What moves the bytes of standard streams, and of files, to threads.
const BLOCKING: &str = "tokio::io::blocking";
const PRINT: &str = "use std's println! or eprintln!: tokio's standard streams start threads";
const PROCESS: &str = "pass in what starts processes, and give the simulation a stand-in";
const RUNTIME: &str = "use the runtime that runs the service, by tokio::spawn";

const LOOKUP: &str = "connect by the host's name with the connector that the simulation gives to clients: \
                      its names are known to no resolver";

/// What to do instead, in words that follow a semicolon. `functions` are the paths of the functions of
/// std or tokio on the way out, as far as they are known.
pub(super) fn remedy(outside: Outside, functions: &[String]) -> &'static str {
    let is_of = |part: &str| functions.last().is_some_and(|path| path.contains(part));
    if let Some((_, remedy)) = FUNCTIONS.iter().find(|(part, _)| is_of(part)) {
        return remedy;
    }
    // What was called is a function of a trait then, that any stream has.
    let moves = |path: &String| path.contains(STANDARD_STREAM) || path.contains(BLOCKING);
    if outside != Outside::Input && functions.iter().any(moves) {
        return PRINT;
    }
    match outside {
        Outside::Clock => "use std::time or tokio::time, whose clocks are simulated",
        Outside::Entropy => "use the crates rand or getrandom, which follow the seed",
        // It looks names up on threads.
        Outside::Thread if is_of("tokio::net") => LOOKUP,
        Outside::Thread => "use tokio::spawn: a simulation has one thread",
        Outside::Process => PROCESS,
        Outside::Socket | Outside::Driver => {
            "serve the listener that the simulation passes in, and connect with its connector"
        }
        Outside::Descriptor => "use tokio::sync, or tokio::io::duplex",
        Outside::Lookup => LOOKUP,
        Outside::File => "keep what changes in memory, or pass in what stores it",
        Outside::Input => "pass in what is read",
        Outside::Wait => "use tokio::time and tokio::sync, whose waits end in simulated time",
    }
}
