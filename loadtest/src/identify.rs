//! What kind of server answers at an address that cannot be loaded, as far as a few requests tell.
//!
//! The requests are made one after the other, before the first client connects, and none of them
//! changes anything on a server. One that answers the first like racetrack is asked no other.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a server may take until the first byte of an answer.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(5);
/// How long the rest of an answer may pause.
const REST_WAIT_MAX: Duration = Duration::from_millis(300);
/// Bytes of an answer that are read.
const ANSWER_BYTES_MAX: usize = 16_384;
/// Bytes of an answer that is not HTTP that are shown.
const EXCERPT_BYTES_MAX: usize = 40;
/// Without a session there are no events, says racetrack in its own words.
const PROOF: &str = "/api/events";
const CLOSE: &str = "Connection: close";
/// Where servers usually accept WebSockets.
const WEBSOCKET_PATHS: [&str; 2] = ["/", "/ws"];
/// The first message of TLS 1.2, with two cipher suites and no extension: whatever answers in TLS
/// to it, be it a refusal, speaks TLS.
const CLIENT_HELLO: [u8; 52] = {
    let mut hello = [0x5a; 52];
    let start = [0x16, 3, 1, 0, 47, 1, 0, 0, 43, 3, 3];
    let end = [0, 0, 4, 0xc0, 0x2f, 0, 0x2f, 1, 0];
    let mut nth = 0;
    while nth < start.len() {
        hello[nth] = start[nth];
        nth += 1;
    }
    nth = 0;
    while nth < end.len() {
        hello[start.len() + 32 + nth] = end[nth];
        nth += 1;
    }
    hello
};

/// What comes back on a request that racetrack answers in a way of its own.
#[derive(Debug)]
pub(crate) enum Answered {
    /// The answer is racetrack's, whatever it says.
    Racetrack,
    /// The status of somebody else.
    Other(u16),
    /// The connection was accepted, and closed without an answer.
    Nothing,
    /// No connection was accepted.
    Refused(io::Error),
    /// There was no answer in time.
    Late,
}

/// Asks the server at `addr`, which is called `host`, once. Nothing is changed by it.
pub(crate) async fn ask(addr: SocketAddr, host: &str, wait_max: Duration) -> Answered {
    let mut stream = match timeout(wait_max, TcpStream::connect(addr)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Answered::Refused(error),
        Err(_) => return Answered::Refused(io::ErrorKind::TimedOut.into()),
    };
    let request = request(host, PROOF, CLOSE);
    match timeout(wait_max, answer(&mut stream, request.as_bytes())).await {
        Err(_) => Answered::Late,
        Ok(Err(error)) if error.kind() == io::ErrorKind::TimedOut => Answered::Late,
        Ok(bytes) => match Answer::parse(&bytes.unwrap_or_default()) {
            None => Answered::Nothing,
            Some(answer) if answer.is_of_racetrack() => Answered::Racetrack,
            Some(answer) => Answered::Other(answer.status),
        },
    }
}

/// What the server at `addr`, which is called `host`, looks like; none of a racetrack server.
pub(crate) async fn looks_like(addr: SocketAddr, host: &str) -> Option<String> {
    let get = |path| get(addr, host, path, CLOSE);
    let bytes = match get(PROOF).await {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::TimedOut => {
            let wait_s = ANSWER_WAIT_MAX.as_secs();
            return Some(format!("it accepts connections and answers nothing within {wait_s} s"));
        }
        Err(_) => Vec::new(),
    };
    let Some(answer) = Answer::parse(&bytes) else {
        return Some(match name_without_http(&bytes) {
            Some(name) => name,
            None if speaks_tls(addr).await => TLS.to_owned(),
            None => "it does not speak HTTP, and closes connections without an answer".to_owned(),
        });
    };
    if answer.is_of_racetrack() {
        return None;
    }
    if answer.status == 400 && answer.body.contains("HTTPS") {
        return Some(TLS.to_owned());
    }
    let polled = get("/socket.io/?EIO=4&transport=polling").await.unwrap_or_default();
    let kind = match Answer::parse(&polled) {
        Some(polled) if polled.is_of_engine_io() => "Socket.IO",
        _ if answer.status == 426 || accepts_websockets(addr, host).await => "plain WebSocket",
        _ => "plain HTTP",
    };
    Some(format!("it looks like a {kind} server{}", answer.software()))
}

const TLS: &str = "it wants TLS, and racetrack connects without";

async fn accepts_websockets(addr: SocketAddr, host: &str) -> bool {
    const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                           Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    for path in WEBSOCKET_PATHS {
        let bytes = get(addr, host, path, UPGRADE).await.unwrap_or_default();
        if Answer::parse(&bytes).is_some_and(|answer| matches!(answer.status, 101 | 426)) {
            return true;
        }
    }
    false
}

async fn speaks_tls(addr: SocketAddr) -> bool {
    let bytes = exchange(addr, &CLIENT_HELLO).await.unwrap_or_default();
    is_tls(&bytes)
}

/// A record of a handshake or an alert.
fn is_tls(bytes: &[u8]) -> bool {
    matches!(bytes, [0x15 | 0x16, 3, ..])
}

/// What a server is that answers HTTP with something else; none where it answers nothing.
fn name_without_http(bytes: &[u8]) -> Option<String> {
    let name = match bytes {
        [] => return None,
        _ if is_tls(bytes) => return Some(TLS.to_owned()),
        [b'-', b'E', b'R', b'R', ..] => "it looks like a Redis server".to_owned(),
        [b'S', b'S', b'H', b'-', ..] => "it looks like an SSH server".to_owned(),
        _ => {
            let excerpt = bytes[..bytes.len().min(EXCERPT_BYTES_MAX)].escape_ascii();
            format!("it does not speak HTTP: it answered \"{excerpt}\"")
        }
    };
    Some(name)
}

async fn get(addr: SocketAddr, host: &str, path: &str, fields: &str) -> io::Result<Vec<u8>> {
    exchange(addr, request(host, path, fields).as_bytes()).await
}

fn request(host: &str, path: &str, fields: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\n{fields}\r\n\r\n")
}

/// What is answered to `request` on a connection of its own.
async fn exchange(addr: SocketAddr, request: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = timeout(ANSWER_WAIT_MAX, TcpStream::connect(addr)).await??;
    answer(&mut stream, request).await
}

async fn answer(stream: &mut TcpStream, request: &[u8]) -> io::Result<Vec<u8>> {
    stream.write_all(request).await?;
    let mut answer = Vec::new();
    timeout(ANSWER_WAIT_MAX, stream.read_buf(&mut answer)).await??;
    while answer.len() < ANSWER_BYTES_MAX && !answer.starts_with(b"HTTP/1.1 101") {
        match timeout(REST_WAIT_MAX, stream.read_buf(&mut answer)).await {
            Ok(Ok(1..)) => {}
            // It said what it has to say.
            Ok(Ok(0) | Err(_)) | Err(_) => break,
        }
    }
    Ok(answer)
}

/// An answer of HTTP/1.
struct Answer {
    status: u16,
    /// Fields with their names in lower case.
    fields: Vec<(String, String)>,
    body: String,
}

impl Answer {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let mut lines = head.split("\r\n");
        let status = lines.next()?.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
        let fields = lines.filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_ascii_lowercase(), value.trim().to_owned()))
        });
        Some(Self { status, fields: fields.collect(), body: body.to_owned() })
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Problem details of the kinds that racetrack has: without a session there are no events.
    fn is_of_racetrack(&self) -> bool {
        let is_problem = |value: &str| value.starts_with("application/problem+json");
        self.field("content-type").is_some_and(is_problem) && self.body.contains("\"/problems/")
    }

    /// The opening of a connection, or an error with a number.
    fn is_of_engine_io(&self) -> bool {
        let is_error = self.body.starts_with("{\"code\":") && self.body.contains("\"message\":");
        self.body.contains("0{\"sid\":") || is_error
    }

    /// What it says of itself, in parentheses.
    fn software(&self) -> String {
        let named = [("server", "Server"), ("x-powered-by", "X-Powered-By")];
        let told = named.iter().find_map(|(name, shown)| Some((shown, self.field(name)?)));
        told.map_or(String::new(), |(name, value)| format!(" ({name}: {})", value.escape_default()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// What a server answers to a request that begins like that.
    type Answering = fn(&str) -> &'static [u8];

    /// What a server looks like that answers every request like that.
    async fn looks(answer: Answering) -> Option<String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let addr = listener.local_addr().expect("it is bound");
        let serving = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = Vec::with_capacity(4_096);
                if stream.read_buf(&mut request).await.is_ok() {
                    let _is_gone =
                        stream.write_all(answer(&String::from_utf8_lossy(&request))).await;
                }
            }
        });
        let looks = looks_like(addr, "127.0.0.1").await;
        serving.abort();
        looks
    }

    #[tokio::test]
    async fn problem_details_of_our_kinds_are_those_of_racetrack() {
        let ours = looks(|_| {
            b"HTTP/1.1 401 Unauthorized\r\nContent-Type: application/problem+json\r\n\r\n\
              {\"type\":\"/problems/no-session\"}"
        });
        assert_eq!(ours.await, None);
        let problem = looks(|_| {
            b"HTTP/1.1 404 Not Found\r\nContent-Type: application/problem+json\r\n\r\n\
              {\"type\":\"about:blank\"}"
        });
        assert_eq!(problem.await.as_deref(), Some("it looks like a plain HTTP server"));
    }

    #[tokio::test]
    async fn servers_of_other_kinds_are_told_apart() {
        let cases: [(Answering, &str); 8] = [
            (
                |_| b"HTTP/1.1 404 Not Found\r\nserver: nginx/1.26.0\r\n\r\n",
                "it looks like a plain HTTP server (Server: nginx/1.26.0)",
            ),
            (
                |request| match request.contains("GET /ws ") {
                    true => b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
                    false => b"HTTP/1.1 404 Not Found\r\n\r\n",
                },
                "it looks like a plain WebSocket server",
            ),
            (
                |_| b"HTTP/1.1 426 Upgrade Required\r\n\r\nUpgrade Required",
                "it looks like a plain WebSocket server",
            ),
            (
                |request| match request.starts_with("GET /socket.io/") {
                    true => b"HTTP/1.1 200 OK\r\n\r\n0{\"sid\":\"a\"}",
                    false => b"HTTP/1.1 404 Not Found\r\nX-Powered-By: Express\r\n\r\n",
                },
                "it looks like a Socket.IO server (X-Powered-By: Express)",
            ),
            (|_| b"\x15\x03\x01\x00\x02\x02\x46", TLS),
            (
                |request| match request.starts_with('\x16') {
                    true => b"\x16\x03\x03\x00\x00",
                    false => b"",
                },
                TLS,
            ),
            (|_| b"-ERR unknown command\r\n", "it looks like a Redis server"),
            (|_| b"hello\n", "it does not speak HTTP: it answered \"hello\\n\""),
        ];
        for (answer, expected) in cases {
            assert_eq!(looks(answer).await.as_deref(), Some(expected));
        }
    }
}
