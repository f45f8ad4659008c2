//! Where bugs are planted: a copy of the sources, and a target directory of its own.
//!
//! ```text
//!   target/planted/checkout/   the sources; what a patch changed is put back before the next
//!   target/planted/target/     what cargo makes of them; dependencies are taken over from the
//!                              checkout's own target directory, or built once
//!   OUT/NAME/                  the failing plan of a bug, the smallest one and its picture
//! ```
//!
//! Both stay behind, so that the next time only the server and what depends on it is built, and an
//! interrupted run leaves nothing that the next one does not put right. The profile is `dev`: our
//! code is optimised enough there to run seeds about as fast as it is built, and overflow and
//! `debug_assert!` count as finds. The real sources are only read.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use ::sim::planted::Patch;
use anyhow::{Context, bail};
use indicatif::ProgressBar;
use serde_json::Value;
use tokio::process::Command;

use super::mutants::{Bench, Score, Shard};
use crate::seeds::Seeds;
use crate::world::World;

/// What is no source.
const NOT_COPIED: [&str; 2] = ["target", ".git"];
/// Lines of a compiler's complaint that are shown.
const COMPLAINT_LINES_MAX: usize = 12;
/// The processor time that a program may take, in seconds, and more for each run: ten times what a
/// run takes. A planted bug may make one go on for ever, which shows in nothing else: a program that
/// was stopped for a while takes no less real time.
const CPU_S_MAX: u64 = 60;
const RUNS_A_CPU_SECOND_MIN: u64 = 3;
/// Runs the rest of its arguments with the first as its limit of processor time, in seconds.
const LIMITED: &str = r#"ulimit -S -t "$0" && exec "$@""#;
/// What the system ends a program with that took more.
const SIGXCPU: i32 = 24;
/// What a program ends itself with.
const SIGABRT: i32 = 6;
/// Files as large as this, in bytes, are written once and never changed.
const LARGE_BYTES_MIN: u64 = 64 << 10;
/// What a target directory has of dependencies, beside what is remade for every build.
const TAKEN_OVER: [&str; 3] = [".fingerprint", "build", "deps"];

pub(super) struct Workshop {
    root: PathBuf,
    sources: PathBuf,
    target: PathBuf,
    plans: PathBuf,
    jobs: usize,
    /// Held as long as this is used, so that two do not plant into one copy.
    _lock: File,
}

impl Workshop {
    /// The workshop of a checkout; plans go into folders of `plans`.
    pub(super) fn open(root: PathBuf, plans: &Path, jobs: usize) -> anyhow::Result<Self> {
        let place = root.join("target").join("planted");
        let cannot_write = || format!("cannot write to {}", place.display());
        let is_first = !place.join("target").exists();
        fs::create_dir_all(&place).with_context(cannot_write)?;
        let lock = File::create(place.join("lock")).with_context(cannot_write)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                bail!("somebody else plants bugs in {} at this moment", place.display())
            }
            Err(TryLockError::Error(error)) => return Err(error).with_context(cannot_write),
        }
        let plans = std::path::absolute(plans).context("--out is no path")?;
        let (sources, target) = (place.join("checkout"), place.join("target"));
        if is_first {
            // Cargo looks at what it finds there, and builds what is missing or does not fit.
            let _what_fits = take_over(&root.join("target").join("debug"), &target.join("debug"));
        }
        Ok(Self { root, sources, target, plans, jobs, _lock: lock })
    }

    /// Makes the copy equal to the sources but for the patch.
    pub(super) fn plant(&self, patch: &Patch) -> anyhow::Result<()> {
        let cannot_copy = || format!("cannot copy the sources to {}", self.sources.display());
        let read = |path: &Path| fs::read_to_string(self.root.join(path));
        let changed = patch.apply(read).map_err(anyhow::Error::msg)?;
        let sources_of = |path: &Path| changed.iter().find(|(file, _)| file == path);
        let replace = |path: &Path| sources_of(path).map(|(_, text)| text.clone().into_bytes());
        mirror(&self.root, &self.sources, Path::new(""), &replace).with_context(cannot_copy)
    }

    /// Makes every change that cargo-mutants can think of, one at a time.
    pub(super) async fn mutate(
        &self,
        seeds: u64,
        shard: Option<Shard>,
        bar: &ProgressBar,
    ) -> anyhow::Result<Score> {
        let cannot_copy = || format!("cannot copy the sources to {}", self.sources.display());
        let restore = || {
            let as_it_is = mirror(&self.root, &self.sources, Path::new(""), &|_: &Path| None);
            as_it_is.with_context(cannot_copy)
        };
        let bench = Bench { sources: &self.sources, target: &self.target, seeds, shard };
        bench.run(restore, bar).await
    }

    pub(super) async fn build(&self) -> anyhow::Result<()> {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        // Without `--package`, so that dependencies have the features that `cargo build` gives them.
        cargo.args(["build", "--quiet", "--bin", "racetrack"]);
        cargo.current_dir(&self.sources).env("CARGO_TARGET_DIR", &self.target);
        let built = output_of(&mut cargo).await.context("cannot start cargo")?;
        if !built.status.success() {
            let complaint = String::from_utf8_lossy(&built.stderr);
            let lines: Vec<_> = complaint.lines().take(COMPLAINT_LINES_MAX).collect();
            bail!(
                "the sources with it do not compile. If they do without it, it no longer fits: look \
                 at {} and change the patch\n{}",
                self.sources.display(),
                lines.join("\n")
            );
        }
        Ok(())
    }

    /// What the build says of the seeds, up to the first that fails.
    pub(super) async fn sweep(
        &self,
        name: &str,
        seeds: &Seeds,
        world: &World,
    ) -> anyhow::Result<End> {
        let mut command = self.simulate(name, seeds.len());
        command.args(["--first", "--shrink-runs", "0", "--seeds", &seeds.to_string()]);
        command.args(["--jobs", &self.jobs.to_string()]).args(world.arguments());
        found(&mut command).await
    }

    /// What is left of the plan of a failing seed.
    pub(super) async fn shrink(&self, name: &str, seed: u64, runs: u64) -> anyhow::Result<End> {
        let plan = self.plans.join(name).join(crate::sim::plan_file(seed));
        let mut command = self.simulate(name, runs);
        command.arg("shrink").arg(plan).args(["--runs", &runs.to_string()]);
        command.args(["--jobs", &self.jobs.to_string()]);
        found(&mut command).await
    }

    /// The simulation of the build, for so many runs.
    fn simulate(&self, name: &str, runs: u64) -> Command {
        let cpu_s_max = CPU_S_MAX + runs / RUNS_A_CPU_SECOND_MIN;
        let mut command = limited(cpu_s_max);
        command.arg(self.target.join("debug").join("racetrack"));
        command.args(["--format", "json", "--out"]).arg(self.plans.join(name)).arg("sim");
        command.current_dir(&self.sources);
        command
    }
}

/// Something that may take so much processor time, in seconds; what it is comes as arguments.
pub(super) fn limited(cpu_s_max: u64) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", LIMITED, &cpu_s_max.to_string()]);
    command
}

/// How the simulation of a build came to its end.
pub(super) enum End {
    /// By itself, with what it has to say.
    Report(Value),
    /// A run did not: it was stopped.
    Endless,
    /// It panicked while it panicked, and took everything with it.
    Aborted,
}

/// Runs a command to its end; it ends with this program.
async fn output_of(command: &mut Command) -> io::Result<Output> {
    command.stdin(Stdio::null()).kill_on_drop(true).output().await
}

/// How a command of ours came to its end: it found something (1) or not (0), or did not end well.
async fn found(command: &mut Command) -> anyhow::Result<End> {
    let output = output_of(command).await.context("cannot start the build with the bug in it")?;
    match output.status.signal() {
        Some(SIGXCPU) => return Ok(End::Endless),
        Some(SIGABRT) => return Ok(End::Aborted),
        _ => {}
    }
    let Some(0 | 1) = output.status.code() else {
        let complaint = String::from_utf8_lossy(&output.stderr);
        bail!("the build with the bug in it ended with {}: {}", output.status, complaint.trim());
    };
    let json = serde_json::from_slice(&output.stdout);
    json.map(End::Report).context("the build with the bug in it gave no JSON")
}

/// Fills a new target directory with what another one has, so that dependencies need not be built
/// again. Large files are the same in both, which costs no space; cargo replaces such a file and
/// never changes it. The small ones it writes in place, so each has its own.
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

/// Makes `copy` equal to `original`, file by file, below `folder`; `replace` gives what stands
/// instead of a file. What is equal already is left alone, because cargo looks at the times.
fn mirror(
    original: &Path,
    copy: &Path,
    folder: &Path,
    replace: &impl Fn(&Path) -> Option<Vec<u8>>,
) -> io::Result<()> {
    fs::create_dir_all(copy.join(folder))?;
    for entry in fs::read_dir(original.join(folder))? {
        let entry = entry?;
        let path = folder.join(entry.file_name());
        if NOT_COPIED.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            mirror(original, copy, &path, replace)?;
            continue;
        }
        let wanted = match replace(&path) {
            Some(bytes) => bytes,
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
    fn the_copy_equals_the_sources_but_for_the_patch_and_is_put_right_again() {
        let place = tempfile::tempdir().expect("there is a place for temporary files");
        let (original, copy) = (place.path().join("original"), place.path().join("copy"));
        for (path, text) in [("a/b.rs", "b"), ("a/c.rs", "c"), ("target/d", "d")] {
            let path = original.join(path);
            fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("it is made");
            fs::write(path, text).expect("it is written");
        }
        let held = |path: &str| fs::read_to_string(copy.join(path)).ok();
        let planted = |path: &Path| (path == Path::new("a/b.rs")).then(|| b"bug".to_vec());
        mirror(&original, &copy, Path::new(""), &planted).expect("it is copied");
        assert_eq!(held("a/b.rs").as_deref(), Some("bug"));
        assert_eq!((held("a/c.rs").as_deref(), held("target/d")), (Some("c"), None));

        fs::remove_file(original.join("a/c.rs")).expect("it was there");
        mirror(&original, &copy, Path::new(""), &|_: &Path| None).expect("it is copied");
        assert_eq!((held("a/b.rs").as_deref(), held("a/c.rs")), (Some("b"), None));
    }
}
