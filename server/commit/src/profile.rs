//! Describes a profile by the arguments that Cargo gives to the compiler. Never asks the environment.

/// Returns the profile's name and what it decides of speed: `release (opt-level 3, no LTO)`.
///
/// The name is that of the folder that Cargo writes into (`target/NAME/deps`), and `unknown` where the compiler
/// was not started by Cargo.
pub(crate) fn describe(arguments: &[String]) -> String {
    let name = value(arguments, "--out-dir").and_then(folder).unwrap_or("unknown");
    let opt_level = codegen(arguments, "opt-level").unwrap_or("0");
    let lto = match codegen(arguments, "lto") {
        None | Some("off" | "no" | "n" | "false") => "no LTO",
        Some("thin") => "thin LTO",
        Some(_) => "fat LTO",
    };
    format!("{name} (opt-level {opt_level}, {lto})")
}

/// The last part but one of `target/NAME/deps`.
fn folder(out_dir: &str) -> Option<&str> {
    let mut parts = out_dir.rsplit(['/', '\\']);
    parts.next().filter(|last| matches!(*last, "deps" | "examples"))?;
    parts.next()
}

/// The value of `-C name=value`, the last one of several; `-C name` alone is `Some("")`.
fn codegen<'a>(arguments: &'a [String], name: &str) -> Option<&'a str> {
    let options = arguments.iter().zip(arguments.iter().skip(1)).filter_map(|(flag, option)| {
        let joined = flag.strip_prefix("-C").filter(|joined| !joined.is_empty());
        joined.or_else(|| matches!(flag.as_str(), "-C" | "--codegen").then_some(option.as_str()))
    });
    let mut values = options.filter_map(|option| match option.split_once('=') {
        Some((found, value)) => (found == name).then_some(value),
        None => (option == name).then_some(""),
    });
    values.next_back()
}

fn value<'a>(arguments: &'a [String], flag: &str) -> Option<&'a str> {
    let place = arguments.iter().position(|argument| argument == flag)?;
    arguments.get(place + 1).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(command: &str, expected: &str) {
        let arguments: Vec<_> = command.split(' ').map(str::to_owned).collect();
        assert_eq!(describe(&arguments), expected, "{command}");
    }

    #[test]
    fn profile_is_named_by_its_folder_and_its_options() {
        check("rustc --out-dir /a/target/debug/deps", "debug (opt-level 0, no LTO)");
        check(
            "rustc -C opt-level=3 --out-dir /a/target/release/deps x.rs",
            "release (opt-level 3, no LTO)",
        );
        check(
            "rustc -C opt-level=3 -C lto --out-dir /a/target/dist/deps",
            "dist (opt-level 3, fat LTO)",
        );
        check(
            "rustc -C lto=thin -Copt-level=s --out-dir t/x/examples -C y",
            "x (opt-level s, thin LTO)",
        );
    }

    #[test]
    fn option_given_twice_counts_as_the_compiler_counts_it() {
        check(
            "rustc -C lto=fat -C lto=off -C opt-level=1 -C opt-level=2 x",
            "unknown (opt-level 2, no LTO)",
        );
    }

    #[test]
    fn compiler_started_by_hand_has_no_profile_name() {
        check("rustc --out-dir /tmp x.rs", "unknown (opt-level 0, no LTO)");
        check("rustc", "unknown (opt-level 0, no LTO)");
    }
}
