//! Ctrl-C while people are on the server.
//!
//! Goose listens for it too, and forgets what it has heard whenever an attack begins. It leaves a
//! handler alone that is there before its own: this one, which forgets nothing.

use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a shell says of a program that ended by Ctrl-C.
const ENDED_BY_SIGINT: i32 = 130;

static CAME: AtomicBool = AtomicBool::new(false);

/// From now on, and for as long as this program runs, the first SIGINT, SIGTERM or SIGHUP is
/// remembered, and the second ends the program at once.
pub(crate) fn listen() {
    static LISTENING: Once = Once::new();
    LISTENING.call_once(|| {
        let hear = || {
            if CAME.swap(true, Ordering::Relaxed) {
                std::process::exit(ENDED_BY_SIGINT);
            }
        };
        // Where the system refuses, the signal ends the program as it ends any other.
        let _refused = ctrlc::set_handler(hear);
    });
}

/// True when this program was asked to end.
pub(crate) fn came() -> bool {
    CAME.load(Ordering::Relaxed)
}
