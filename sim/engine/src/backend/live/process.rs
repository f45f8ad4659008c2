//! What a live run does to a server's process, and learns of it.

use std::net::SocketAddr;

/// What a process can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// SIGTERM: it is to end in good order.
    Terminate,
    /// SIGKILL.
    Kill,
    /// SIGSTOP: it stands still, while its kernel accepts connections and bytes.
    Stop,
    /// SIGCONT.
    Continue,
}

/// A process of a server: a thread of this program, or a child of it.
pub(crate) trait Process {
    /// Where it listens, once it does.
    fn address(&self) -> Option<SocketAddr>;

    /// Sends a signal; a process that has ended takes no notice.
    fn signal(&mut self, signal: Signal);

    /// Whether it has ended.
    fn has_ended(&mut self) -> bool;

    /// Whether everything that it wrote has been read.
    fn is_logged(&self) -> bool {
        true
    }

    /// The last lines that it wrote.
    fn log(&self) -> String {
        String::new()
    }

    /// What it did that it must not, after its end; `is_told` says whether its end was asked for.
    fn complaints(&mut self, is_told: bool) -> Vec<String>;
}
