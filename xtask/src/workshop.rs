//! The workshop: a copy of the sources with a target directory of its own, in which changed servers are
//! built and simulated.
//!
//! ```text
//!   target/workshop/sources/   the copy; made equal to the sources again before each change
//!   target/workshop/target/    cargo's target directory; dependencies are taken over from the target
//!                              directory of the sources where there is one, or built once
//!   OUT/NAME/                  the failing plan of a bug, the smallest one and its picture
//! ```
//!
//! Both folders are kept, so that the next command builds only the server and what depends on it, and an
//! interrupted command leaves nothing that the next one does not repair. The profile is `dev`: our crates
//! are optimised enough there to run seeds about as fast as they are built, and overflow checks and
//! `debug_assert!` find bugs too. The sources themselves are only read.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use anyhow::{Context, bail};
use serde_json::Value;
use tokio::process::Command;

use reports::Seeds;

/// Folders that are not part of the sources; and cargo's configuration, which the copy inherits because it lies below
/// the root. With two of them, each flag of rustc is given twice, and no dependency that was built before fits.
const NOT_COPIED: [&str; 3] = ["target", ".git", ".cargo"];
/// Lines of a compiler error that are shown.
const COMPLAINT_LINES_MAX: usize = 12;
/// Limit of processor time of a simulation, in seconds, and the runs that add a second to it: ten times
/// what a healthy run takes. A seeded bug may make a run endless. Only processor time tells that: a program
/// that was stopped for a while takes as much real time.
const CPU_S_MAX: u64 = 60;
const RUNS_A_CPU_SECOND_MIN: u64 = 3;
/// Runs the rest of its arguments with the first as their limit of processor time, in seconds.
const LIMITED: &str = r#"ulimit -S -t "$0" && exec "$@""#;
/// The signal for a process that exceeds its limit of processor time.
const SIGXCPU: i32 = 24;
/// The signal of `abort`, as of a panic while panicking.
const SIGABRT: i32 = 6;
/// Files at least as large as this, in bytes, are written once by cargo and never changed.
const LARGE_BYTES_MIN: u64 = 64 << 10;
/// The parts of a target directory that dependencies are taken over from.
const TAKEN_OVER: [&str; 3] = [".fingerprint", "build", "deps"];

/// Changed files by their path from the root of the sources.
pub(crate) type Changes = BTreeMap<PathBuf, String>;

pub(crate) struct Workshop {
    sources: PathBuf,
    target: PathBuf,
    plans: PathBuf,
    jobs: Option<u64>,
    /// Held while the workshop is used, so that two commands do not change one copy.
    _lock: File,
}

/// How a simulation of a changed server ended.
pub(crate) enum End {
    /// By itself, with this JSON.
    Report(Value),
    /// It exceeded its limit of processor time.
    Endless,
    /// It aborted, for example by a panic while panicking.
    Aborted,
}

impl Workshop {
    /// Opens the workshop of the sources. Plans go into folders of `plans`; `jobs` is the number of threads
    /// that simulate, by default one for each core.
    pub(crate) fn open(plans: PathBuf, jobs: Option<u64>) -> anyhow::Result<Self> {
        let built = xtask::root().join("target");
        let place = built.join("workshop");
        let cannot_write = || format!("cannot write to {}", place.display());
        let is_first = !place.join("target").exists();
        fs::create_dir_all(&place).with_context(cannot_write)?;
        let lock = File::create(place.join("lock")).with_context(cannot_write)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                bail!("another command uses {} at this moment; wait for its end", place.display())
            }
            Err(TryLockError::Error(error)) => return Err(error).with_context(cannot_write),
        }
        let (sources, target) = (place.join("sources"), place.join("target"));
        if is_first {
            // Cargo looks at what it finds there, and builds what is missing or does not fit.
            let _what_fits = take_over(&built.join("debug"), &target.join("debug"));
        }
        Ok(Self { sources, target, plans, jobs, _lock: lock })
    }

    /// The folder of the copy.
    pub(crate) fn sources(&self) -> &Path {
        &self.sources
    }

    /// Cargo in the copy, with the target directory of the workshop; it ends with this process.
    pub(crate) fn cargo(&self) -> Command {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(&self.sources).env("CARGO_TARGET_DIR", &self.target);
        cargo.stdin(Stdio::null()).kill_on_drop(true);
        cargo
    }

    /// Makes the copy equal to the sources except for the changed files.
    pub(crate) fn prepare(&self, changed: &Changes) -> anyhow::Result<()> {
        mirror(xtask::root(), &self.sources, Path::new(""), changed)
            .with_context(|| format!("cannot copy the sources to {}", self.sources.display()))
    }

    /// Builds `racetrack` from the copy.
    pub(crate) async fn build(&self) -> anyhow::Result<()> {
        // Without `--package`, so that dependencies have the features that `cargo build` gives them.
        let mut cargo = self.cargo();
        cargo.args(["build", "--quiet", "--bin", "racetrack"]);
        let built = output_of(&mut cargo).await.context("cannot start cargo")?;
        if !built.status.success() {
            let complaint = String::from_utf8_lossy(&built.stderr);
            let lines: Vec<_> = complaint.lines().take(COMPLAINT_LINES_MAX).collect();
            bail!(
                "the changed sources do not compile. If the sources do, the patch no longer fits them: look \
                 at {} and change the patch\n{}",
                self.sources.display(),
                lines.join("\n")
            );
        }
        Ok(())
    }

    /// Sweeps the seeds with the built program, up to the first that fails; `arguments` are further
    /// arguments of `racetrack sim`.
    pub(crate) async fn sweep(
        &self,
        name: &str,
        seeds: &Seeds,
        arguments: &[String],
    ) -> anyhow::Result<End> {
        let mut command = self.simulate(name, seeds.count());
        command.args(["--first", "--shrink-runs", "0", "--seeds", &seeds.to_string()]);
        self.add_jobs(&mut command);
        report(command.args(arguments)).await
    }

    /// Shrinks the plan that a sweep wrote for a failing seed.
    pub(crate) async fn shrink(&self, name: &str, seed: u64, runs: u64) -> anyhow::Result<End> {
        let plan = self.plans.join(name).join(format!("seed-{seed}.json"));
        let mut command = self.simulate(name, runs);
        command.arg("shrink").arg(plan).args(["--runs", &runs.to_string()]);
        self.add_jobs(&mut command);
        report(&mut command).await
    }

    /// Runs the plan in a file once more.
    pub(crate) async fn replay(&self, name: &str, plan: &Path) -> anyhow::Result<End> {
        let mut command = self.simulate(name, 1);
        report(command.arg("replay").arg(plan)).await
    }

    /// `racetrack sim` of the build, with a limit of processor time for so many runs.
    fn simulate(&self, name: &str, runs: u64) -> Command {
        let mut command = limited(CPU_S_MAX + runs / RUNS_A_CPU_SECOND_MIN);
        command.arg(self.target.join("debug").join("racetrack"));
        command.args(["--format", "json", "--out"]).arg(self.plans.join(name)).arg("sim");
        command.current_dir(&self.sources);
        command
    }

    fn add_jobs(&self, command: &mut Command) {
        if let Some(jobs) = self.jobs {
            command.args(["--jobs", &jobs.to_string()]);
        }
    }
}

/// A command with a limit of processor time, in seconds; the program and its arguments are added to it.
pub(crate) fn limited(cpu_s_max: u64) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", LIMITED, &cpu_s_max.to_string()]);
    command
}

/// Runs a command to its end; it ends with this process.
async fn output_of(command: &mut Command) -> io::Result<Output> {
    command.stdin(Stdio::null()).kill_on_drop(true).output().await
}

/// Runs `racetrack sim` to its end and reads its JSON. Its exit code tells whether it found something (1) or
/// not (0).
async fn report(command: &mut Command) -> anyhow::Result<End> {
    let output = output_of(command).await.context("cannot start the changed build")?;
    match output.status.signal() {
        Some(SIGXCPU) => return Ok(End::Endless),
        Some(SIGABRT) => return Ok(End::Aborted),
        _ => {}
    }
    let Some(0 | 1) = output.status.code() else {
        let complaint = String::from_utf8_lossy(&output.stderr);
        bail!("the changed build ended with {}: {}", output.status, complaint.trim());
    };
    let json = serde_json::from_slice(&output.stdout);
    json.map(End::Report).context("the changed build printed no JSON")
}

/// Fills a new target directory from another one, so that cargo does not build the dependencies again.
/// Large files are hard links, which costs no space: cargo replaces such a file and never changes it. Small
/// files are copied, because cargo writes them in place.
fn take_over(from: &Path, to: &Path) -> io::Result<()> {
    let mut folders: Vec<_> = TAKEN_OVER.map(PathBuf::from).into();
    while let Some(folder) = folders.pop() {
        fs::create_dir_all(to.join(&folder))?;
        for entry in fs::read_dir(from.join(&folder))? {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            let metadata = entry.metadata()?;
            if metadata.is_dir() {
                folders.push(path);
            } else if metadata.len() >= LARGE_BYTES_MIN {
                fs::hard_link(entry.path(), to.join(path))?;
            } else {
                fs::copy(entry.path(), to.join(&path))?;
                let file = File::options().append(true).open(to.join(path))?;
                // Cargo compares times.
                file.set_modified(metadata.modified()?)?;
            }
        }
    }
    Ok(())
}

/// Makes `copy` equal to `original`, file by file, below `folder`, except for the `changed` files. A file
/// that is equal already is not written, because cargo compares times.
fn mirror(original: &Path, copy: &Path, folder: &Path, changed: &Changes) -> io::Result<()> {
    fs::create_dir_all(copy.join(folder))?;
    for entry in fs::read_dir(original.join(folder))? {
        let entry = entry?;
        let path = folder.join(entry.file_name());
        if NOT_COPIED.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            mirror(original, copy, &path, changed)?;
            continue;
        }
        let wanted = match changed.get(&path) {
            Some(text) => text.clone().into_bytes(),
            None => fs::read(original.join(&path))?,
        };
        let target = copy.join(&path);
        if fs::read(&target).ok().as_ref() != Some(&wanted) {
            fs::write(&target, wanted)?;
        }
    }
    for entry in fs::read_dir(copy.join(folder))? {
        let (name, path) = entry.map(|entry| (entry.file_name(), entry.path()))?;
        if !original.join(folder).join(name).exists() {
            if path.is_dir() { fs::remove_dir_all(path)? } else { fs::remove_file(path)? }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_copy_equals_the_sources_except_for_the_changes_of_the_last_call() {
        let place = tempfile::tempdir().expect("a temporary directory");
        let (original, copy) = (place.path().join("original"), place.path().join("copy"));
        for (path, text) in [("a/b.rs", "b"), ("a/c.rs", "c"), ("target/d", "d")] {
            let path = original.join(path);
            fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("it is made");
            fs::write(path, text).expect("it is written");
        }
        let held = |path: &str| fs::read_to_string(copy.join(path)).ok();
        let bug = Changes::from([("a/b.rs".into(), "bug".to_owned())]);
        mirror(&original, &copy, Path::new(""), &bug).expect("it is copied");
        assert_eq!(held("a/b.rs").as_deref(), Some("bug"));
        assert_eq!((held("a/c.rs").as_deref(), held("target/d")), (Some("c"), None));

        fs::remove_file(original.join("a/c.rs")).expect("it was there");
        mirror(&original, &copy, Path::new(""), &Changes::new()).expect("it is copied");
        assert_eq!((held("a/b.rs").as_deref(), held("a/c.rs")), (Some("b"), None));
    }
}
