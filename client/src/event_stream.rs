//! The text of an event stream, taken apart as it comes in (HTML standard, 9.2.6).
//!
//! Bytes go in as the network cuts them, events come out. It never waits, and it holds one event
//! that is not complete at most.

use std::collections::VecDeque;

use crate::{ANSWER_BYTES_MAX, ClientError};

/// One event of the stream; `event` is empty where the field was left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct StreamEvent {
    pub(crate) event: String,
    pub(crate) data: String,
}

/// Lines so far, and the events that they made.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    line: Vec<u8>,
    /// The line before ended with a carriage return, of which a line feed may be the second half.
    after_return: bool,
    event: StreamEvent,
    has_data: bool,
    complete: VecDeque<StreamEvent>,
}

impl Parser {
    /// The next event that is complete.
    pub(crate) fn pop(&mut self) -> Option<StreamEvent> {
        self.complete.pop_front()
    }

    /// Takes in what the network has brought.
    ///
    /// # Errors
    ///
    /// One event is larger than [`ANSWER_BYTES_MAX`], or is not UTF-8.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), ClientError> {
        for byte in bytes {
            match byte {
                b'\n' if self.after_return => self.after_return = false,
                b'\n' | b'\r' => {
                    self.after_return = *byte == b'\r';
                    let line = std::mem::take(&mut self.line);
                    let line = String::from_utf8(line)
                        .map_err(|_| ClientError::Protocol("a line that is not UTF-8".into()))?;
                    self.take(&line);
                }
                _ => {
                    self.after_return = false;
                    self.line.push(*byte);
                }
            }
        }
        if self.line.len() + self.event.data.len() > ANSWER_BYTES_MAX {
            return Err(ClientError::Protocol(format!(
                "an event of more than {ANSWER_BYTES_MAX} bytes"
            )));
        }
        Ok(())
    }

    fn take(&mut self, line: &str) {
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            if std::mem::take(&mut self.has_data) {
                self.complete.push_back(event);
            }
            return;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event.event),
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            // `id` is in the data too; when to come back is the application's decision; a line
            // without a field name is a comment.
            _ => {}
        }
    }
}
