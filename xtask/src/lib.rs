//! What the developer tools and the integration tests share: where patches lie, and their format.
//!
//! The commands are in the program (`main`). Nothing here writes a file or starts a process.

pub mod patch;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use crate::patch::Patch;

/// The folder of the seeded bugs, from the root of the sources.
pub const SEEDED_BUGS: &str = "sim/chat/seeded-bugs";
/// The folder of the regression plans, from the root of the sources.
pub const REGRESSIONS: &str = "tests/it/regressions";
/// The folder of the patches that make regression plans fail, each with the name of its plan.
pub const REGRESSION_PATCHES: &str = "tests/it/regressions/patches";

/// The root of the sources that this crate was built from.
#[must_use]
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this crate lies in a folder of the root")
}

/// A patch with the name of its file.
#[derive(Debug, Clone)]
pub struct NamedPatch {
    /// The name of the file, without `.patch`.
    pub name: String,
    /// What the file holds.
    pub patch: Patch,
}

/// Reads every patch of a folder of the sources, in the order of their names.
///
/// # Errors
///
/// The folder or a file cannot be read, or a file is no patch.
pub fn patches(folder: &str) -> anyhow::Result<Vec<NamedPatch>> {
    let folder = root().join(folder);
    let cannot_read = || format!("cannot read {}", folder.display());
    let mut patches = Vec::new();
    for entry in fs::read_dir(&folder).with_context(cannot_read)? {
        let path = entry.with_context(cannot_read)?.path();
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        let name = file.strip_suffix(".patch").with_context(|| format!("{file} is no patch"))?;
        let text = fs::read_to_string(&path).with_context(cannot_read)?;
        let patch = Patch::parse(&text).map_err(anyhow::Error::msg);
        let patch = patch.with_context(|| path.display().to_string())?;
        patches.push(NamedPatch { name: name.to_owned(), patch });
    }
    patches.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    Ok(patches)
}

/// Applies each patch to the sources in memory; returns the changed files of each.
///
/// # Errors
///
/// One line for each patch that does not apply.
pub fn apply(patches: &[NamedPatch]) -> anyhow::Result<Vec<Vec<(PathBuf, String)>>> {
    let (mut applied, mut refused) = (Vec::new(), Vec::new());
    for NamedPatch { name, patch } in patches {
        match patch.apply(read_source) {
            Ok(changed) => applied.push(changed),
            Err(why) => refused.push(format!("{name}.patch no longer applies: {why}")),
        }
    }
    ensure!(refused.is_empty(), "{}", refused.join("\n"));
    Ok(applied)
}

/// Reads a file of the sources, by its path from their root.
///
/// # Errors
///
/// The file cannot be read.
pub fn read_source(path: &Path) -> io::Result<String> {
    fs::read_to_string(root().join(path))
}
