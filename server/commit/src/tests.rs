//! What is named, in checkouts made for the test. They never touch the one that they are built in.

use std::fs;

use tempfile::TempDir;

use super::*;

/// Runs git there as somebody, at a known time.
fn run(dir: &Path, arguments: &[&str]) {
    let mut git = Command::new("git");
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
        git.env_remove(name);
    }
    git.args(["-c", "user.name=ann", "-c", "user.email=ann@example.org"]).args(arguments);
    git.env("GIT_COMMITTER_DATE", "2026-11-23T12:00:00Z").current_dir(dir);
    let said = git.output().expect("git is there");
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
}

/// A checkout of one commit with a package in it.
fn checkout() -> TempDir {
    let dir = tempfile::tempdir().expect("a directory for the test");
    fs::write(dir.path().join("Cargo.toml"), "[package]").expect("a file");
    run(dir.path(), &["init", "--quiet"]);
    run(dir.path(), &["add", "Cargo.toml"]);
    run(dir.path(), &["commit", "--quiet", "--message=The first"]);
    dir
}

fn head(dir: &Path) -> String {
    git(dir, &["rev-parse", "HEAD"]).expect("there is a commit")
}

#[test]
fn a_commit_is_named_with_its_date() {
    let dir = checkout();
    let commit = Commit::of(dir.path()).expect("it is a checkout");
    assert_eq!(commit.name, format!("{} 2026-11-23", &head(dir.path())[..7]));
}

#[test]
fn what_was_changed_since_is_said() {
    let dir = checkout();
    fs::write(dir.path().join("untracked"), "").expect("a file");
    assert!(!Commit::of(dir.path()).expect("it is a checkout").name.contains("dirty"));
    fs::write(dir.path().join("Cargo.toml"), "[package] ").expect("a file");
    let commit = Commit::of(dir.path()).expect("it is a checkout");
    assert_eq!(commit.name, format!("{}-dirty 2026-11-23", &head(dir.path())[..7]));
}

#[test]
fn a_package_inside_of_a_strange_checkout_has_no_commit() {
    let dir = checkout();
    let unpacked = dir.path().join("target/package");
    fs::create_dir_all(&unpacked).expect("a directory");
    fs::write(unpacked.join("Cargo.toml"), "[package]").expect("a file");
    assert_eq!(Commit::of(&unpacked), None);
    let elsewhere = tempfile::tempdir().expect("a directory for the test");
    assert_eq!(Commit::of(elsewhere.path()), None);
    assert_eq!(Commit::of(&elsewhere.path().join("nothing")), None);
}

#[test]
fn a_worktree_names_its_own_commit_and_what_is_watched_changes_with_every_commit() {
    let dir = checkout();
    let other = tempfile::tempdir().expect("a directory for the test");
    let other = other.path().join("worktree");
    let path = other.to_str().expect("a path in UTF-8");
    run(dir.path(), &["worktree", "add", "--quiet", "-b", "other", path]);
    let watched = || {
        let watched = Commit::of(&other).expect("it is a checkout").watched;
        watched.iter().map(|path| fs::read(path).expect("it is a file")).collect::<Vec<_>>()
    };
    let (before, name) = (watched(), Commit::of(&other).expect("it is a checkout").name);
    run(&other, &["commit", "--quiet", "--allow-empty", "--message=The second"]);
    assert_ne!(watched(), before);
    assert_ne!(Commit::of(&other).expect("it is a checkout").name, name);
    let first = Commit::of(dir.path()).expect("it is a checkout");
    assert_eq!(first.name, name, "the other checkout stands where it stood");
}
