//! The pages that the server carries: how they are served, and what they may not contain.
//!
//! What they do is seen in a browser only; here is what can be said of them as text.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use client::TransportKind;
use server::config::Config;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::http::ask;
use crate::served::serve;

/// Where a file of the folder is asked for.
fn address(name: &str) -> String {
    match name {
        "index.html" => "/".to_owned(),
        "longpolling.html" => "/longpolling.html".to_owned(),
        _ => match name.strip_suffix(".html") {
            Some(page) => format!("/{page}"),
            None => format!("/pages/{name}"),
        },
    }
}

fn content_type(name: &str) -> &'static str {
    match Path::new(name).extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => panic!("{name} is of no kind that pages are made of"),
    }
}

/// Every file of the pages, by its name.
fn files() -> BTreeMap<String, String> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("server/src/pages");
    let entries = fs::read_dir(folder).expect("the pages can be listed");
    let files = entries.map(|entry| {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a file has a name").to_string_lossy().into_owned();
        (name, fs::read_to_string(&path).expect("a page is text"))
    });
    files.collect()
}

/// The lines of a file that are not comments.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.trim_start().starts_with("//"))
}

/// What stands between `before` and the next `after`, wherever it does.
fn all_between<'a>(text: &'a str, before: &str, after: char) -> Vec<&'a str> {
    let ends = text.match_indices(before).map(|(start, _)| &text[start + before.len()..]);
    ends.filter_map(|end| end.split(after).next()).collect()
}

#[test]
fn the_chat_offers_every_transport() {
    let offered = files();
    let offered = all_between(&offered["chat.html"], "<option value=\"", '"');
    assert_eq!(offered, TransportKind::ALL.map(TransportKind::name));
}

#[tokio::test]
async fn every_file_is_served_as_what_it_is_under_a_policy() {
    let served = serve(Config::default()).await;
    for (name, text) in files() {
        let answer = ask(&format!("GET {}", address(&name))).of(served.addr).await;
        assert_eq!(answer.status, 200, "{name}");
        assert_eq!(answer.header("content-type"), Some(content_type(&name)), "{name}");
        assert_eq!(answer.header("cache-control"), Some("no-cache"), "{name}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{name}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{name}");
        let policy = answer.header("content-security-policy").expect("a policy");
        assert!(policy.starts_with("default-src 'self'; "), "{name}: {policy}");
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{name}: {policy}");
        assert_eq!(answer.body, text, "{name}: the binary is older than the file");
    }
}

#[tokio::test]
async fn a_page_that_the_browser_has_is_not_sent_again() {
    let served = serve(Config::default()).await;
    for path in ["/", "/chat", "/pages/style.css"] {
        let get = || ask(&format!("GET {path}"));
        let first = get().of(served.addr).await;
        let tag = first.header("etag").expect("a tag").to_owned();
        let strong = tag.trim_start_matches("W/");
        for known in [tag.as_str(), strong, "*", &format!("\"other\", {tag}")] {
            let again = get().header("if-none-match", known).of(served.addr).await;
            assert_eq!((again.status, again.body.as_str()), (304, ""), "{path} {known}");
            assert_eq!(again.header("etag"), Some(tag.as_str()), "{path}");
        }
        let other = get().header("if-none-match", "W/\"0\"").of(served.addr).await;
        assert_eq!((other.status, other.body), (200, first.body), "{path}");
    }
}

#[tokio::test]
async fn pages_are_compressed_for_those_who_ask_and_answers_are_not() {
    let served = serve(Config::default()).await;
    let head = async |path: &str, coding: &str| {
        let mut stream = TcpStream::connect(served.addr).await.expect("the server is there");
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\naccept-encoding: {coding}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.expect("the server takes it");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("the server answers");
        let length = answer.len();
        (String::from_utf8_lossy(&answer).to_lowercase(), length)
    };
    for coding in ["gzip", "br, GZIP;q=0.5", "deflate, *", "x-gzip"] {
        let (page, length) = head("/chat", coding).await;
        assert!(page.contains("content-encoding: gzip"), "{coding}: {page}");
        assert!(page.contains("vary: accept-encoding"), "{coding}: {page}");
        assert!(length < files()["chat.html"].len(), "{coding}: {length}");
    }
    for coding in ["", "br", "gzip;q=0, *", "*;q=0", "identity"] {
        let (page, length) = head("/chat", coding).await;
        assert!(!page.contains("content-encoding"), "{coding}: {page}");
        assert!(page.contains("vary: accept-encoding"), "{coding}: {page}");
        assert!(length > files()["chat.html"].len(), "{coding}: {length}");
    }
    let (answer, _) = head("/metrics", "gzip").await;
    assert!(!answer.contains("content-encoding"), "{answer}");
}

#[tokio::test]
async fn what_is_no_page_is_not_found() {
    let served = serve(Config::default()).await;
    for path in ["/pages/", "/pages/pages.rs", "/pages/..%2fpages.rs", "/chat/", "/index.html"] {
        let answer = ask(&format!("GET {path}")).of(served.addr).await;
        assert_eq!(answer.status, 404, "{path}");
    }
}

#[tokio::test]
async fn the_front_page_is_told_how_many_are_here() {
    let served = serve(Config::default()).await;
    let online = async || ask("GET /pages/online").of(served.addr).await;
    assert_eq!(online().await.body, r#"{"online":0}"#);
    served.couple().await;
    let answer = online().await;
    assert_eq!(answer.body, r#"{"online":2}"#);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[test]
fn nothing_comes_from_another_host() {
    for (name, text) in files() {
        let text = text.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
        for line in code(&text) {
            for elsewhere in ["://", "\"//", "'//", "`//", "url(", "@import"] {
                assert!(!line.contains(elsewhere), "{name}: {line}");
            }
        }
    }
}

#[test]
fn nothing_is_written_into_a_page_but_text() {
    let inline = ["<style", " style=\"", "<script>", " onclick", " onload", "javascript:"];
    let markup = ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("];
    for (name, text) in files() {
        let unwanted: &[&str] = if name.ends_with(".html") { &inline } else { &markup };
        for unwanted in unwanted {
            assert!(!text.contains(unwanted), "{name}: {unwanted}");
        }
    }
}

#[tokio::test]
async fn whatever_a_page_names_is_there_and_whatever_is_there_is_named() {
    let served = serve(Config::default()).await;
    let files = files();
    let mut named = BTreeSet::new();
    for (name, text) in &files {
        let assets = all_between(text, "\"/pages/", '"');
        named.extend(assets.into_iter().map(|asset| format!("/pages/{asset}")));
        if name.ends_with(".html") {
            named.extend(all_between(text, "href=\"/", '"').iter().map(|link| format!("/{link}")));
        }
    }
    for path in &named {
        let answer = ask(&format!("GET {path}")).of(served.addr).await;
        assert_eq!(answer.status, 200, "{path}");
    }
    let orphans: Vec<_> = files.keys().filter(|name| !named.contains(&address(name))).collect();
    assert_eq!(orphans, [""; 0], "nobody leads there");
}

/// What Chromium accepts when it navigates.
const NAVIGATION: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

#[tokio::test]
async fn a_navigation_that_fails_is_answered_with_a_page_in_both_languages() {
    let served = serve(Config::default()).await;
    let refused = [
        ("GET /nothing", 404, "not-found"),
        ("GET /chat/", 404, "not-found"),
        ("GET /announce", 405, "method-not-allowed"),
        ("GET /api/session", 405, "method-not-allowed"),
        ("GET /api/events", 401, "no-session"),
        ("GET /api/ws", 426, "not-websocket"),
        ("GET /api/events?after=%3Cb%3E", 401, "no-session"),
    ];
    for (request, status, problem) in refused {
        let program = ask(request).header("accept", "*/*").of(served.addr).await;
        assert_eq!(program.status, status, "{request}");
        assert_eq!(program.header("content-type"), Some("application/problem+json"), "{request}");
        assert_eq!(program.json()["type"], format!("/problems/{problem}"), "{request}");
        let page = ask(request).header("accept", NAVIGATION).of(served.addr).await;
        assert_eq!(page.status, status, "{request}");
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"), "{request}");
        assert_eq!(page.header("x-content-type-options"), Some("nosniff"), "{request}");
        let policy = page.header("content-security-policy").expect("a policy");
        assert!(policy.starts_with("default-src 'self'; "), "{request}: {policy}");
        for name in ["allow", "retry-after"] {
            assert_eq!(page.header(name), program.header(name), "{request}: {name}");
        }
        for answer in [&program, &page] {
            assert_eq!(answer.header("vary"), Some("accept"), "{request}");
        }
        for expected in
            [&format!("<h1>{status} "), "href=\"/\"", "lang=\"ko\"", "href=\"/chat?lang=ko\""]
        {
            assert!(page.body.contains(expected), "{request}: no {expected} in {}", page.body);
        }
        for unwanted in ["<script", "<b>", "{status}", "{title}", "{english}", "{korean}", "://"] {
            assert!(!page.body.contains(unwanted), "{request}: {unwanted} in {}", page.body);
        }
    }
}

#[tokio::test]
async fn a_refusal_before_the_router_is_a_page_for_a_navigation_too() {
    let served = serve(Config::default()).await;
    let refused = || ask("POST /api/session").header("origin", "https://elsewhere.example");
    let page = refused().header("accept", NAVIGATION).of(served.addr).await;
    assert_eq!((page.status, page.header("content-type")), (403, Some("text/html; charset=utf-8")));
    let program = refused().of(served.addr).await;
    assert_eq!(program.header("content-type"), Some("application/problem+json"));
    let head = ask("HEAD /nothing").header("accept", NAVIGATION).of(served.addr).await;
    assert_eq!((head.status, head.body.as_str()), (404, ""));
    assert_eq!(head.header("content-type"), Some("text/html; charset=utf-8"));
}

/// The words of one language, as `words.js` has them: a line a word.
fn words(language: &str) -> BTreeMap<String, String> {
    let files = files();
    let (_, rest) =
        files["words.js"].split_once(&format!("\n  {language}: {{\n")).expect("the language");
    let (words, _) = rest.split_once("\n  },").expect("the end of the language");
    let lines = words.lines().filter(|line| !line.is_empty());
    let words = lines.map(|line| {
        let (key, value) = line.trim().split_once(": \"").unwrap_or_else(|| panic!("{line}"));
        let value = value.strip_suffix("\",").unwrap_or_else(|| panic!("{line}"));
        (key.to_owned(), value.to_owned())
    });
    words.collect()
}

#[test]
fn both_languages_have_every_word_and_every_value_in_it() {
    let (english, korean) = (words("en"), words("ko"));
    assert!(english.len() > 100, "{}", english.len());
    assert_eq!(english.keys().collect::<Vec<_>>(), korean.keys().collect::<Vec<_>>());
    let values = |text: &str| -> BTreeSet<String> {
        all_between(text, "{", '}').into_iter().map(str::to_owned).collect()
    };
    for (key, text) in &english {
        assert_eq!(values(text), values(&korean[key]), "{key}");
    }
}

#[test]
fn every_word_is_said_somewhere_and_nothing_else_is() {
    let english = words("en");
    let mut files = files();
    files.remove("words.js").expect("the words");
    let all: String = files.values().map(String::as_str).collect();
    // Some are put together from a beginning and what happened.
    let beginnings: Vec<_> =
        all_between(&all, "`", '$').into_iter().filter(|start| start.ends_with('_')).collect();
    for key in english.keys() {
        let is_composed = beginnings.iter().any(|start| key.starts_with(start));
        assert!(is_composed || all.contains(&format!("\"{key}\"")), "nobody says {key}");
    }
    // The conversation names lines, which are words with a beginning of their own.
    files.remove("conversation.js").expect("the conversation");
    for (name, text) in files.iter().filter(|(name, _)| name.ends_with(".js")) {
        for key in
            all_between(text, "word(\"", '"').into_iter().chain(all_between(text, "\"), \"", '"'))
        {
            assert!(english.contains_key(key), "{name}: {key}");
        }
    }
}

#[test]
fn every_page_says_without_its_script_what_its_script_says_in_english() {
    let english = words("en");
    let mut count = 0;
    for (name, text) in files().into_iter().filter(|(name, _)| name.ends_with(".html")) {
        for (start, _) in text.match_indices(" data-word=\"") {
            let element = &text[start + " data-word=\"".len()..];
            let (key, rest) = element.split_once('"').expect("an attribute ends");
            let (_, rest) = rest.split_once('>').expect("a tag ends");
            let shown = rest.split('<').next().expect("there is a first part");
            assert_eq!(Some(shown), english.get(key).map(String::as_str), "{name}: {key}");
            count += 1;
        }
        for attribute in ["label", "placeholder", "title"] {
            for key in all_between(&text, &format!(" data-word-{attribute}=\""), '"') {
                assert!(english.contains_key(key), "{name}: {key}");
            }
        }
    }
    assert!(count > 50, "{count}");
}

#[test]
fn a_message_is_too_long_for_the_page_when_it_is_for_the_server() {
    let limit = Config::default().message_bytes_max.to_string();
    let composer = &files()["composer.js"];
    let told = all_between(composer, "const BYTES_MAX = ", ';');
    assert_eq!(told.iter().map(|told| told.replace('_', "")).collect::<Vec<_>>(), [limit]);
}
