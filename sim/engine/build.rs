//! Refuses systems on which nothing can be simulated, in one line and before anything is compiled.

use std::env::var;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let about = |name: &str| var(name).unwrap_or_default();
    if (about("CARGO_CFG_TARGET_OS"), about("CARGO_CFG_TARGET_ENV"))
        != ("linux".into(), "gnu".into())
    {
        println!(
            "cargo::error=the simulation replaces the clocks and the entropy of the GNU C library on Linux, which {} has not: build and \
             test in a container, for instance of Debian",
            about("TARGET")
        );
    }
}
