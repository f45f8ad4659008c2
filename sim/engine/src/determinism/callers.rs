//! Finds the user's own line among the calls that led out of the simulation.
//!
//! ```text
//!   socket                                 the way out, in the C library
//!   std::net::tcp::TcpStream::connect      the function that was called
//!   redis::client::Client::open            the library that called it
//!   shop::stock::count                     the user's own code
//!   axum::..., tokio::..., racetrack_sim   what runs it
//! ```
//!
//! Without debug information only the names are known, and what is inlined is missing.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;

/// Crates that stand between a function of std or tokio and the system: the outermost of their
/// functions is the one that was called.
const CALLED: [&str; 8] =
    ["std", "tokio", "mio", "socket2", "libc", "rustix", "nix", "signal_hook_registry"];
/// Crates of the language itself, of which nothing is said.
const SILENT: [&str; 3] = ["core", "alloc", "__rustc"];
/// Other crates that are known to be no user's own, where there is no debug information to say so.
const LIBRARIES: [&str; 26] = [
    "axum",
    "axum_core",
    "futures",
    "futures_core",
    "futures_executor",
    "futures_util",
    "h2",
    "http",
    "http_body",
    "http_body_util",
    "hyper",
    "hyper_util",
    "pin_project_lite",
    "reqwest",
    "rustls",
    "tokio_rustls",
    "tokio_stream",
    "tokio_util",
    "tonic",
    "tower",
    "tower_http",
    "tower_layer",
    "tower_service",
    "tracing",
    "tracing_subscriber",
    "turmoil",
];
/// Parts of the paths of sources that are no user's own.
const LIBRARY_SOURCES: [&str; 4] =
    ["/rustc/", "/rustlib/src/", "/.cargo/registry/", "/.cargo/git/"];
/// This crate, but for its tests.
const OUR_CRATE: &str = "racetrack_sim";
const OUR_SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/");

/// Who made a call.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Callers {
    /// The functions of std or tokio on the way out. The last one is the one that was called.
    pub(super) functions: Vec<String>,
    /// The library that called it, if it was not the user's own code.
    library: Option<String>,
    /// The nearest function of the user's own, with its place where that is known.
    user: Option<String>,
}

impl fmt::Display for Callers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(function) = self.functions.last() {
            write!(f, ", for {function}")?;
        }
        match (&self.user, &self.library) {
            (Some(user), Some(library)) => write!(f, ", called by {user}, through {library}"),
            (Some(caller), None) | (None, Some(caller)) => write!(f, ", called by {caller}"),
            (None, None) => Ok(()),
        }
    }
}

impl Callers {
    /// The nearest caller that is known: the user's own, or else a library's, or else what was called.
    pub(super) fn nearest(&self) -> Option<&str> {
        let function = self.functions.last();
        self.user.as_ref().or(self.library.as_ref()).or(function).map(String::as_str)
    }

    pub(super) fn names_the_user(&self) -> bool {
        self.user.is_some()
    }

    /// Reads the text of a backtrace: a number, a colon and a name a line, with the place on the
    /// line below where it is known. `way` is no caller.
    pub(super) fn of(calls: &str, way: &str) -> Self {
        let mut callers = Self::default();
        for frame in frames(calls).filter(|frame| !frame.is_the_way_out(way)) {
            if frame.is_ours() {
                if !callers.functions.is_empty() {
                    // What runs the user's code: there was none.
                    return callers;
                }
                continue;
            }
            if frame.is_users() {
                callers.user = Some(frame.described());
                return callers;
            }
            if callers.library.is_some() {
                continue;
            }
            match frame.krate() {
                Some(krate) if CALLED.contains(&krate) => callers.functions.push(frame.path()),
                Some(krate) if !SILENT.contains(&krate) => callers.library = Some(frame.path()),
                _ => {}
            }
        }
        callers
    }
}

/// One call under way.
struct Frame<'a> {
    name: &'a str,
    place: &'a str,
}

fn frames(calls: &str) -> impl Iterator<Item = Frame<'_>> {
    let mut lines = calls.lines().map(str::trim_start).peekable();
    std::iter::from_fn(move || {
        loop {
            let Some((_number, name)) = lines.next()?.split_once(": ") else { continue };
            let place = lines.next_if(|line| line.starts_with("at ")).unwrap_or_default();
            return Some(Frame { name, place });
        }
    })
}

impl<'a> Frame<'a> {
    /// The function that was asked for, or what took down the calls.
    fn is_the_way_out(&self, way: &str) -> bool {
        self.name == way || self.name.trim_start_matches('<').starts_with("std::backtrace::")
    }

    /// The crate that the function is of, by its name, or else by its source; none for a function
    /// of C, for what is the user's own by its source, and where nothing is known.
    fn krate(&self) -> Option<&'a str> {
        let by_source = || Some(self.library_source()?.0);
        self.qualified().or_else(by_source)
    }

    /// The crate, if the name says which. Debug information that holds nothing but lines gives
    /// names without their modules to what was compiled with it.
    fn qualified(&self) -> Option<&'a str> {
        let name = self.name.trim_start_matches(['<', '&', '*', '(', '[']);
        let name = ["mut ", "const ", "dyn "]
            .iter()
            .fold(name, |name, word| name.strip_prefix(word).unwrap_or(name));
        let (krate, _) = name.split_once("::")?;
        let is_a_name = krate.chars().all(|letter| letter.is_alphanumeric() || letter == '_');
        is_a_name.then_some(krate)
    }

    /// The crate and the file in it, if the source is a library's: `tokio` and `net/addr.rs` of
    /// `.../tokio-1.0.0/src/net/addr.rs:1:2`.
    fn library_source(&self) -> Option<(&'a str, &'a str)> {
        if !LIBRARY_SOURCES.iter().any(|part| self.place.contains(part)) {
            return None;
        }
        let (before, file) = self.place.rsplit_once("/src/")?;
        let (_, folder) = before.rsplit_once('/')?;
        let is_version =
            |(_, version): &(&str, &str)| version.starts_with(|c: char| c.is_ascii_digit());
        let krate = folder.rsplit_once('-').filter(is_version).map_or(folder, |(krate, _)| krate);
        Some((krate, file.split_once(".rs").map_or(file, |(file, _)| file)))
    }

    /// The function with its modules, without type arguments and the closures in it.
    fn path(&self) -> String {
        if self.qualified().is_some() {
            return without_arguments(self.name);
        }
        let name = without_arguments(self.name);
        match self.library_source() {
            Some((krate, file)) => {
                let module = file.trim_end_matches("/mod").replace('/', "::");
                let module = format!("{}::{module}", krate.replace('-', "_"));
                if name.is_empty() { module } else { format!("{module}::{name}") }
            }
            None => name,
        }
    }

    fn source(&self) -> Cow<'a, str> {
        let place = self.place.trim_start_matches("at ");
        match (place.strip_prefix("./"), std::env::current_dir()) {
            (Some(below), Ok(here)) => {
                Cow::Owned(here.join(Path::new(below)).display().to_string())
            }
            _ => Cow::Borrowed(place),
        }
    }

    fn is_ours(&self) -> bool {
        if self.place.contains(".rs:") {
            return self.source().starts_with(OUR_SOURCES) && !self.place.contains("/tests");
        }
        self.qualified() == Some(OUR_CRATE) && !self.name.contains("::tests::")
    }

    /// Written by the user: in a source that is not of a library, or, without debug information, in
    /// a crate that is not known to be one.
    fn is_users(&self) -> bool {
        if self.place.contains(".rs:") {
            return self.library_source().is_none();
        }
        self.qualified().is_some_and(|krate| {
            ![&CALLED[..], &SILENT, &LIBRARIES].iter().any(|known| known.contains(&krate))
        })
    }

    fn described(&self) -> String {
        format!("{} {}", self.path(), self.place.trim_start_matches("at ")).trim().to_owned()
    }
}

/// A name without `<...>` that stands for types, and without the parts in braces that stand for
/// closures: `<std::net::TcpStream>::connect::<&str>` is `std::net::TcpStream::connect`.
fn without_arguments(name: &str) -> String {
    let own = name.strip_prefix('<').and_then(|rest| rest.split_once(">::"));
    let name = own.map_or_else(
        || name.to_owned(),
        |(own, rest)| format!("{}::{rest}", own.split(" as ").next().unwrap_or(own)),
    );
    let (mut short, mut depth) = (String::new(), 0_usize);
    for letter in name.replace("->", "").chars() {
        match letter {
            '<' => depth += 1,
            '>' => depth = depth.saturating_sub(1),
            _ if depth == 0 => short.push(letter),
            _ => {}
        }
    }
    let parts = short.split("::").filter(|part| !part.is_empty() && !part.starts_with('{'));
    parts.collect::<Vec<_>>().join("::")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A backtrace of these frames: a name each, and a place behind a `@`.
    fn callers(frames: &[&str]) -> String {
        let lines = frames.iter().enumerate().map(|(number, frame)| match frame.split_once('@') {
            Some((name, place)) => format!("{number:4}: {name}\n             at {place}\n"),
            None => format!("{number:4}: {frame}\n"),
        });
        Callers::of(&lines.collect::<String>(), "socket").to_string()
    }

    const WAY_OUT: [&str; 6] = [
        "std::backtrace::Backtrace::create",
        concat!("on_call@", env!("CARGO_MANIFEST_DIR"), "/src/determinism/trap.rs:9:1"),
        "<unknown>",
        "socket",
        "__GI_socket@./socket/../sysdeps/unix/syscall-template.S:120:0",
        "<std::net::tcp::TcpStream>::connect::<&str>@/rustc/abc/library/std/src/net/tcp.rs:1:1",
    ];

    fn from(rest: &[&str]) -> String {
        callers(&[&WAY_OUT, rest].concat())
    }

    #[test]
    fn the_function_that_was_called_and_the_users_own_line_are_named() {
        let user = "shop::stock::count::{{closure}}@./shop/src/stock.rs:7:5";
        assert_eq!(
            from(&[user, "axum::serve"]),
            ", for std::net::tcp::TcpStream::connect, called by shop::stock::count ./shop/src/stock.rs:7:5"
        );
    }

    #[test]
    fn names_without_modules_get_them_from_their_sources() {
        let tokio = "/home/ann/.cargo/registry/src/x/tokio-1.54.1/src/fs/read.rs:90:31";
        let tokio = format!("{{async_fn#0}}<&str>@{tokio}");
        assert_eq!(
            from(&[&tokio, "{async_block#0}@/home/ann/shop/src/stock.rs:7:5"]),
            ", for tokio::fs::read, called by /home/ann/shop/src/stock.rs:7:5"
        );
    }

    #[test]
    fn a_library_between_them_is_named_too() {
        let library = "open@/home/ann/.cargo/registry/src/x/redis-1.0/src/client.rs:1:1";
        let once = "call_once<fn()>@/rustc/abc/library/core/src/ops/function.rs:1:1";
        let told = from(&[library, once, "shop::main@src/main.rs:2:3"]);
        let expected = ", called by shop::main src/main.rs:2:3, through redis::client::open";
        assert!(told.ends_with(expected), "{told}");
    }

    #[test]
    fn without_debug_information_the_names_must_do() {
        let told = from(&["tokio::net::poll", "reqwest::get", "<shop::Cart as shop::Sum>::sum"]);
        let expected = ", for tokio::net::poll, called by shop::Cart::sum, through reqwest::get";
        assert_eq!(told, expected);
        let told =
            from(&["sqlite3_open", "<tower::Or as tower::Service>::call", "__libc_start_main"]);
        assert!(told.ends_with(", called by tower::Or::call"), "{told}");
    }

    #[test]
    fn nothing_is_said_where_nothing_is_known() {
        assert_eq!(callers(&["<unknown>", "socket"]), "");
        assert_eq!(callers(&[]), "");
    }
}
