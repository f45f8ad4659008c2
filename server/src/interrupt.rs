//! Ctrl-C and SIGTERM, for programs that have something to put away before they end.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// From now on the two signals no longer end this program; each of several hears all of them.
#[derive(Debug)]
pub struct Interrupt {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupt {
    /// Must be called inside of a tokio runtime.
    ///
    /// # Errors
    ///
    /// The operating system refused.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for either.
    pub async fn came(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
