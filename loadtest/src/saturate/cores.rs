//! One core for the server, one for the generator, so that neither takes time from the other.
//!
//! A child runs where its parent ran when it was started, so the server is pinned by moving there,
//! starting it and moving away. Other programs may still use both cores; how much they did is
//! measured, not prevented.

use std::io;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use super::SaturateError;

/// The two cores of a measurement, by the kernel's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cores {
    /// The server's.
    pub server: usize,
    /// The generator's.
    pub generator: usize,
}

impl Cores {
    /// The first two cores that this thread may use.
    ///
    /// # Errors
    ///
    /// It may use only one.
    pub fn choose() -> Result<Self, SaturateError> {
        let allowed = sched_getaffinity(calling_thread()).map_err(io::Error::from)?;
        let is_allowed = |core: &usize| allowed.is_set(*core).unwrap_or(false);
        let mut cores = (0..CpuSet::count()).filter(is_allowed);
        match (cores.next(), cores.next()) {
            (Some(server), Some(generator)) => Ok(Self { server, generator }),
            _ => Err(SaturateError::OneCore),
        }
    }
}

/// Moves the calling thread to `core`, and with it all that it starts from then on.
pub(super) fn move_to(core: usize) -> io::Result<()> {
    let mut only = CpuSet::new();
    only.set(core)?;
    Ok(sched_setaffinity(calling_thread(), &only)?)
}

fn calling_thread() -> Pid {
    Pid::from_raw(0)
}
