//! The integration tests of the whole, in one binary.
//!
//! In reading order: `races` reproduces what happens at once, inside the simulated network;
//! `determinism` proves that a seed is one run; `regressions` replays plans that once failed;
//! `protocol` pins the wire, over real sockets; `matrix` lets every transport meet every other, in both worlds; `load` runs the load suite in small, `saturate` the measurement beside other servers, `documents` every command, example and link in
//! the README and the book,
//! `memory` what users hold who do not read, `seeded_bugs` the patches of seeded bugs, `live` plans against real servers; `commands` is
//! the command line as its users see it; `unflagged` builds a crate without the flags of this workspace, `outsider` one from an empty folder; `tidy` holds the rules of the house. `http` asks and
//! `served` answers, for those who need sockets; `schema` reads what is printed for programs.

mod races;

mod determinism;
mod regressions;

mod http;
mod matrix;
mod protocol;
mod schema;
mod served;

mod documents;
mod live;
mod load;
#[cfg(target_os = "linux")]
mod memory;
#[cfg(target_os = "linux")]
mod saturate;
mod seeded_bugs;

mod commands;
mod tidy;

mod outsider;
mod unflagged;
