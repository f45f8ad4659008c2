//! Ctrl-C and SIGTERM while people are on the server.
//!
//! Goose listens for Ctrl-C too, and forgets what it has heard whenever an attack begins. It leaves a
//! handler alone that is there before its own: this one, which forgets nothing. SIGHUP stays what it
//! is, so that `nohup` works.

use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};

/// What a shell says of a program that ended by Ctrl-C.
const ENDED_BY_SIGINT: i32 = 130;

static CAME: AtomicBool = AtomicBool::new(false);

/// From now on the first SIGINT or SIGTERM is remembered, and the second ends the program at once.
/// Where the system refuses to say when they come, they end the program as they end any other.
///
/// Must be called inside of a tokio runtime.
pub(crate) fn listen() {
    static LISTENING: Once = Once::new();
    LISTENING.call_once(|| {
        let _refused = ctrlc::set_handler(hear);
        let Ok(mut terminate) = signal(SignalKind::terminate()) else { return };
        tokio::spawn(async move {
            while terminate.recv().await.is_some() {
                hear();
            }
        });
    });
}

fn hear() {
    if CAME.swap(true, Ordering::Relaxed) {
        std::process::exit(ENDED_BY_SIGINT);
    }
}

/// True when this program was asked to end.
pub(crate) fn came() -> bool {
    CAME.load(Ordering::Relaxed)
}
