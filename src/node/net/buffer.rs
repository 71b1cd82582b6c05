//! The buffer of received and unread bytes of a WebSocket. Pure.
//!
//! A WebSocket can't slow the sender down, so the buffer refuses more than a limit.

use std::collections::VecDeque;

/// Unread bytes of one WebSocket. A relay's share of a page's traffic is small; this much waits only while the page's
/// thread is busy.
pub const UNREAD_MAX_BYTES: usize = 4 * 1024 * 1024;

/// A message would exceed [`UNREAD_MAX_BYTES`]. The buffer is unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more unread data than a WebSocket may hold")]
pub struct TooMuchUnread;

/// Messages, read as one sequence of bytes.
#[derive(Debug, Default)]
pub struct Unread {
    /// Received messages, none of them empty.
    messages: VecDeque<Vec<u8>>,
    /// Read bytes of the first message.
    offset: usize,
    /// Unread bytes of all messages together.
    length: usize,
}

impl Unread {
    /// Whether there is nothing to read.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Checks whether there is room for a message of this length, before it is copied.
    pub fn check(&self, length: usize) -> Result<(), TooMuchUnread> {
        // An empty message takes memory, too.
        let all = self.length.saturating_add(length.max(1)).saturating_add(self.messages.len());
        if all > UNREAD_MAX_BYTES { Err(TooMuchUnread) } else { Ok(()) }
    }

    /// Appends a message. An empty one is dropped: it is nothing in a sequence of bytes.
    pub fn push(&mut self, message: Vec<u8>) -> Result<(), TooMuchUnread> {
        self.check(message.len())?;
        if !message.is_empty() {
            self.length += message.len();
            self.messages.push_back(message);
        }
        Ok(())
    }

    /// Reads as many bytes as there are and fit, and returns how many. A message may be read in several parts.
    pub fn read(&mut self, into: &mut [u8]) -> usize {
        let mut read = 0;
        while let Some(message) = self.messages.front() {
            let part = (message.len() - self.offset).min(into.len() - read);
            into[read..read + part].copy_from_slice(&message[self.offset..self.offset + part]);
            read += part;
            self.offset += part;
            if self.offset < message.len() {
                break;
            }
            self.messages.pop_front();
            self.offset = 0;
        }
        self.length -= read;
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_as_one_sequence() {
        let mut unread = Unread::default();
        for message in [&b"abc"[..], b"", b"d", b"efgh"] {
            unread.push(message.to_vec()).expect("room");
        }
        let mut read = Vec::new();
        for length in [2, 0, 3, 100, 1] {
            let mut into = vec![0; length];
            let got = unread.read(&mut into);
            read.push(String::from_utf8(into[..got].to_vec()).expect("text"));
        }
        assert_eq!(read, ["ab", "", "cde", "fgh", ""]);
        assert!(unread.is_empty());
    }

    #[test]
    fn more_than_the_limit_is_refused_until_some_is_read() {
        let mut unread = Unread::default();
        unread.push(vec![0; UNREAD_MAX_BYTES - 2]).expect("room");
        assert_eq!(unread.push(vec![0; 2]), Err(TooMuchUnread));
        unread.push(vec![0; 1]).expect("room");
        assert_eq!(unread.check(1), Err(TooMuchUnread));
        unread.read(&mut vec![0; UNREAD_MAX_BYTES]);
        unread.push(vec![0; UNREAD_MAX_BYTES]).expect("room");
    }
}
