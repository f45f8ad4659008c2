//! The sources, for the few commands that take more than this program.

use std::path::PathBuf;

use anyhow::{Context, bail};

/// The root of the sources that the current directory belongs to: where this folder of theirs is.
/// `what` takes the sources, and is said where there are none.
pub(crate) fn root(folder: &str, what: &str) -> anyhow::Result<PathBuf> {
    let here = std::env::current_dir().context("there is no current directory")?;
    let root = here.ancestors().find(|root| root.join(folder).is_dir());
    let Some(root) = root else {
        bail!("{} is not in a checkout of racetrack: {what} takes the sources", here.display());
    };
    Ok(root.to_owned())
}
