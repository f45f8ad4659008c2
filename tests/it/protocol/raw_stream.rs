//! An event stream as it stands on the wire, chunk heads and all.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::served::Served;

/// Whatever is awaited in these tests comes sooner.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) struct RawStream {
    stream: TcpStream,
    /// Everything that has come so far, in the order in which it came.
    pub(super) text: String,
}

/// `GET /api/stream`; `headers` are whole lines.
pub(super) async fn stream(
    served: &Served,
    token: &str,
    query: &str,
    headers: &[&str],
) -> RawStream {
    let bearer = format!("authorization: Bearer {token}");
    begin(served, query, &[&[&bearer[..]], headers].concat()).await
}

/// The same, without a token.
pub(super) async fn begin(served: &Served, query: &str, headers: &[&str]) -> RawStream {
    let mut stream = TcpStream::connect(served.addr).await.expect("the server is there");
    let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    let request =
        format!("GET /api/stream{query} HTTP/1.1\r\nhost: {}\r\n{lines}\r\n", served.addr);
    stream.write_all(request.as_bytes()).await.expect("the server listens");
    let mut stream = RawStream { stream, text: String::new() };
    stream.until("retry: ").await;
    stream
}

impl RawStream {
    /// Reads until this has come; gives everything that has come.
    pub(super) async fn until(&mut self, words: &str) -> &str {
        while !self.text.contains(words) {
            assert!(self.read().await > 0, "{words:?} did not come:\n{}", self.text);
        }
        &self.text
    }

    /// Reads to the end of the answer, behind which the connection stays open.
    pub(super) async fn ended(mut self) -> String {
        self.until("\r\n0\r\n\r\n").await;
        self.text
    }

    async fn read(&mut self) -> usize {
        let mut bytes = [0; 4_096];
        let read = tokio::time::timeout(PATIENCE, self.stream.read(&mut bytes)).await;
        let count = read.expect("it comes in time").expect("the connection holds");
        self.text += std::str::from_utf8(&bytes[..count]).expect("these tests speak ASCII");
        count
    }
}
