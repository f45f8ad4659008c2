//! A key-value store over TCP, without HTTP: an ordinary service that knows nothing of any simulation.
//!
//! A frame is its length in bytes (u32, big-endian) and as many bytes of UTF-8. Requests are `set KEY VALUE`,
//! answered with `ok`, and `get KEY`, answered with the value. Requests of one connection are answered in order.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The longest frame, in bytes.
const FRAME_BYTES_MAX: usize = 4 << 10;
/// The bytes of a frame's length.
const HEAD_BYTES: usize = size_of::<u32>();

/// How the server takes frames out of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Takes what one read returns for one frame.
    Hasty,
    /// Reads until the frame is complete, and no further.
    Careful,
}

/// The values by key. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Store(Arc<Mutex<BTreeMap<String, String>>>);

impl Store {
    /// Serves one connection until the client closes it.
    pub(crate) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
        self,
        mut stream: S,
        framing: Framing,
    ) -> io::Result<()> {
        loop {
            let request = match framing {
                Framing::Hasty => read_once(&mut stream).await?,
                Framing::Careful => read_frame(&mut stream).await?,
            };
            let Some(request) = request else { return Ok(()) };
            write_frame(&mut stream, &self.answer(&request)).await?;
        }
    }

    fn answer(&self, request: &str) -> String {
        let mut values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let words: Vec<_> = request.splitn(3, ' ').collect();
        match words[..] {
            ["set", key, value] => {
                values.insert(key.to_owned(), value.to_owned());
                "ok".to_owned()
            }
            ["get", key] => values.get(key).cloned().unwrap_or_default(),
            _ => "unknown request".to_owned(),
        }
    }
}

/// Reads a frame, as works on a developer's machine: there, a small frame arrives in one piece.
async fn read_once(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<String>> {
    let mut buffer = [0; HEAD_BYTES + FRAME_BYTES_MAX];
    match stream.read(&mut buffer).await? {
        0 => Ok(None),
        bytes => Ok(Some(text(&buffer[HEAD_BYTES.min(bytes)..bytes])?)),
    }
}

/// Reads a frame; none if the stream ends before it begins.
pub(crate) async fn read_frame(
    stream: &mut (impl AsyncRead + Unpin),
) -> io::Result<Option<String>> {
    let bytes = match stream.read_u32().await {
        Ok(bytes) => bytes as usize,
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    };
    if bytes > FRAME_BYTES_MAX {
        return Err(invalid(format!("a frame of {bytes} bytes; at most {FRAME_BYTES_MAX}")));
    }
    let mut frame = vec![0; bytes];
    stream.read_exact(&mut frame).await?;
    Ok(Some(text(&frame)?))
}

/// Writes a frame.
pub(crate) async fn write_frame(
    stream: &mut (impl AsyncWrite + Unpin),
    text: &str,
) -> io::Result<()> {
    let length = u32::try_from(text.len()).map_err(|error| invalid(error.to_string()))?;
    let frame = [&length.to_be_bytes()[..], text.as_bytes()].concat();
    stream.write_all(&frame).await
}

fn text(bytes: &[u8]) -> io::Result<String> {
    String::from_utf8(bytes.to_vec()).map_err(|error| invalid(error.to_string()))
}

fn invalid(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
