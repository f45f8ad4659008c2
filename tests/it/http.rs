//! One HTTP request over one connection, written and read by hand: what is pinned is what stands
//! on the wire, not what a library makes of it.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// No answer of these tests takes as long.
const PATIENCE: Duration = Duration::from_secs(20);

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(known, _)| known == name);
        found.next().map(|(_, value)| value.as_str())
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }
}

/// A request under construction.
pub(super) struct Ask {
    head: String,
    body: Vec<u8>,
}

/// `ask("GET /healthz")`
pub(super) fn ask(method_and_target: &str) -> Ask {
    let head = format!("{method_and_target} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n");
    Ask { head, body: Vec::new() }
}

impl Ask {
    pub(super) fn header(mut self, name: &str, value: &str) -> Self {
        self.head += &format!("{name}: {value}\r\n");
        self
    }

    pub(super) fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub(super) fn bytes(mut self, body: &[u8]) -> Self {
        self.body = body.to_vec();
        self
    }

    pub(super) fn json(self, body: impl ToString) -> Self {
        self.bytes(body.to_string().as_bytes()).header("content-type", "application/json")
    }

    pub(super) fn text(self, body: &str) -> Self {
        self.bytes(body.as_bytes()).header("content-type", "text/plain; charset=utf-8")
    }

    pub(super) async fn of(self, server: SocketAddr) -> Answer {
        let talk = async {
            let mut stream = TcpStream::connect(server).await?;
            let length = self.body.len();
            let head = format!("{}content-length: {length}\r\n\r\n", self.head);
            stream.write_all(&[head.as_bytes(), &self.body].concat()).await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            Ok::<_, std::io::Error>(answer)
        };
        let answer = tokio::time::timeout(PATIENCE, talk).await.expect("the server answers");
        parse(&answer.expect("the server is there"))
    }
}

fn parse(answer: &str) -> Answer {
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    let status = status.and_then(|status| status.parse().ok()).expect("a status line");
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
    Answer { status, headers, body: body.to_owned() }
}
