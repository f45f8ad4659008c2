//! One core for the server, one for the generator, so that neither takes time from the other.
//!
//! A child runs where its parent ran when it was started, so a server is pinned by moving there,
//! starting it and moving back. Other programs may still use both cores; how much they did is
//! measured, not prevented. It needs Linux; elsewhere there is nothing to choose.

use std::io;

/// The two cores of a measurement, by the kernel's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cores {
    /// The server's.
    pub server: usize,
    /// The generator's.
    pub generator: usize,
}

/// There are no two cores to choose.
#[derive(Debug, thiserror::Error)]
pub enum CoresError {
    /// This process may use only one.
    #[error("server and generator need a core each, and this process may use one only")]
    One,
    /// The system refused to say which.
    #[error("cannot choose a core each for server and generator: {0}")]
    Io(#[from] io::Error),
}

impl Cores {
    /// The first two cores that the calling thread may use.
    ///
    /// # Errors
    ///
    /// It may use only one, or this system does not say which.
    pub fn choose() -> Result<Self, CoresError> {
        let mut cores = imp::allowed()?.into_iter();
        match (cores.next(), cores.next()) {
            (Some(server), Some(generator)) => Ok(Self { server, generator }),
            _ => Err(CoresError::One),
        }
    }

    /// Moves the calling thread to the generator's core, and with it all threads that it starts
    /// from then on. A runtime that is built afterwards has one core to count on.
    ///
    /// # Errors
    ///
    /// The system refused.
    pub fn enter_generator(self) -> io::Result<()> {
        imp::move_to(self.generator)
    }

    /// Calls `start` on the server's core, so that a process that it starts stays there; the
    /// calling thread is back where it may run at the return.
    ///
    /// # Errors
    ///
    /// The system refused, or `start` did.
    pub fn start_server<T>(self, start: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let before = imp::allowed()?;
        imp::move_to(self.server)?;
        let started = start();
        imp::allow(&before)?;
        started
    }
}

/// The cores that the calling thread may use; a nameless one where the system does not say which.
pub(crate) fn of_this_thread() -> Vec<Option<usize>> {
    let allowed = imp::allowed().unwrap_or_default();
    if allowed.is_empty() { vec![None] } else { allowed.into_iter().map(Some).collect() }
}

/// Keeps the calling thread on that core, unless the system refuses.
pub(crate) fn stay_on(core: usize) {
    let _ = imp::move_to(core);
}

#[cfg(target_os = "linux")]
mod imp {
    use std::io;

    use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
    use nix::unistd::Pid;

    /// The cores that the calling thread may use.
    pub(super) fn allowed() -> io::Result<Vec<usize>> {
        let allowed = sched_getaffinity(calling_thread())?;
        let is_allowed = |core: &usize| allowed.is_set(*core).unwrap_or(false);
        Ok((0..CpuSet::count()).filter(is_allowed).collect())
    }

    pub(super) fn allow(cores: &[usize]) -> io::Result<()> {
        let mut set = CpuSet::new();
        for &core in cores {
            set.set(core)?;
        }
        Ok(sched_setaffinity(calling_thread(), &set)?)
    }

    pub(super) fn move_to(core: usize) -> io::Result<()> {
        allow(&[core])
    }

    fn calling_thread() -> Pid {
        Pid::from_raw(0)
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    use std::io;

    pub(super) fn allowed() -> io::Result<Vec<usize>> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "only Linux can pin a thread to a core"))
    }

    pub(super) fn allow(_cores: &[usize]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn move_to(core: usize) -> io::Result<()> {
        allow(&[core])
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_is_started_on_the_servers_core_stays_there_and_the_caller_does_not() {
        let before = imp::allowed().expect("Linux says which");
        let [core, ..] = before[..] else { panic!("a thread may run somewhere") };
        let cores = Cores { server: core, generator: core };
        let seen = cores.start_server(|| {
            // A thread starts where its parent may run, as a process does.
            std::thread::spawn(imp::allowed).join().expect("it does not panic")
        });
        assert_eq!(seen.expect("a thread may narrow where it runs"), [core]);
        assert_eq!(imp::allowed().expect("as before"), before);
    }

    #[test]
    fn a_server_that_does_not_start_leaves_the_caller_where_it_was() {
        let before = imp::allowed().expect("Linux says which");
        let core = *before.first().expect("a thread may run somewhere");
        let cores = Cores { server: core, generator: core };
        let failed = cores.start_server(|| Err::<(), _>(io::ErrorKind::NotFound.into()));
        assert_eq!(failed.expect_err("it was not there").kind(), io::ErrorKind::NotFound);
        assert_eq!(imp::allowed().expect("as before"), before);
    }

    #[test]
    fn who_may_use_one_core_only_is_told_so() {
        let chosen = std::thread::spawn(|| {
            let core = *imp::allowed().expect("Linux says which").first().expect("at least one");
            imp::move_to(core).expect("it may run there already");
            Cores::choose()
        });
        let error = chosen.join().expect("it does not panic").expect_err("one is not two");
        assert!(matches!(error, CoresError::One), "{error}");
    }
}
