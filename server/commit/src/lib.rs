//! The commit and the profile that a program was built from, found while it is compiled.
//!
//! A build script could find as much, but everything in its package would be built again with every
//! commit, the server's library and all that stands on it. A macro is expanded where it stands, in
//! a program's own few lines, and only they are. It never fails a build: where there is no commit to
//! name, or no git to ask, it names none.

mod profile;

use std::path::{Path, PathBuf};
use std::process::Command;

use proc_macro::TokenStream;

/// Letters of a commit's name: the same in every clone, however many commits that has.
const NAME_LENGTH: usize = 7;

/// The version of the package that is being compiled, a `&'static str`: `0.1.0 (c003a39 2026-11-23)`
/// in a checkout, `0.1.0 (c003a39-dirty 2026-11-23)` where files that git knows are not as they were
/// committed, and `0.1.0` elsewhere. The date is the commit's, so that one commit is one version.
#[proc_macro]
pub fn version(_nothing: TokenStream) -> TokenStream {
    let variable = |name| std::env::var(name).unwrap_or_default();
    let version = variable("CARGO_PKG_VERSION");
    let (version, watched) = match Commit::of(Path::new(&variable("CARGO_MANIFEST_DIR"))) {
        Some(commit) => (format!("{version} ({})", commit.name), commit.watched),
        None => (version, Vec::new()),
    };
    // What is included is watched by cargo, and left out of the program, as nobody uses it.
    let watched = watched.iter().map(|path| format!("const _: &[u8] = include_bytes!({path:?});"));
    let block = format!("{{ {} {version:?} }}", watched.collect::<String>());
    block.parse().expect("constants and a literal are Rust")
}

/// The profile of the compilation and what it decides of speed, a `&'static str`: `release (opt-level 3, no LTO)`,
/// `dist (opt-level 3, fat LTO)`, `debug (opt-level 1, no LTO)`.
///
/// Reads the arguments of the running compiler, because Cargo tells a package neither the name of a profile nor
/// its `lto`.
#[proc_macro]
pub fn profile(_nothing: TokenStream) -> TokenStream {
    let arguments: Vec<_> = std::env::args().collect();
    format!("{:?}", profile::describe(&arguments)).parse().expect("a literal is Rust")
}

/// The commit of a checkout.
#[derive(Debug, PartialEq, Eq)]
struct Commit {
    /// Its name and its date.
    name: String,
    /// The files that change when another commit is checked out or made.
    watched: Vec<PathBuf>,
}

impl Commit {
    /// The commit of the checkout that this package belongs to. A package that was unpacked inside
    /// of somebody's checkout does not belong to it.
    fn of(package: &Path) -> Option<Self> {
        git(package, &["ls-files", "--error-unmatch", "Cargo.toml"])?;
        let head = git(package, &["log", "-1", "--format=%H %cs"])?;
        let (name, date) = head.split_once(' ')?;
        let changed = git(package, &["status", "--porcelain", "--untracked-files=no"])?;
        let dirty = if changed.is_empty() { "" } else { "-dirty" };
        Some(Self {
            name: format!("{}{dirty} {date}", name.get(..NAME_LENGTH)?),
            watched: watched(package),
        })
    }
}

/// `HEAD` names a branch, which names the commit; the log of `HEAD` grows with either, and is there
/// where the branch has no file of its own.
fn watched(package: &Path) -> Vec<PathBuf> {
    let branch = git(package, &["symbolic-ref", "--quiet", "HEAD"]);
    let names = ["HEAD", "logs/HEAD"].into_iter().chain(branch.as_deref());
    let paths = names.filter_map(|name| git(package, &["rev-parse", "--git-path", name]));
    paths.map(|path| package.join(path)).filter(|path| path.is_file()).collect()
}

/// What git says there, where it is there and has something to say.
fn git(package: &Path, arguments: &[&str]) -> Option<String> {
    let mut git = Command::new("git");
    // A hook of git's that builds would otherwise ask of its own repository.
    git.env_remove("GIT_DIR").env_remove("GIT_WORK_TREE").env_remove("GIT_INDEX_FILE");
    git.arg("--no-optional-locks").args(arguments).current_dir(package);
    let said = git.output().ok().filter(|said| said.status.success())?;
    Some(String::from_utf8(said.stdout).ok()?.trim_end().to_owned())
}

#[cfg(test)]
mod tests;
