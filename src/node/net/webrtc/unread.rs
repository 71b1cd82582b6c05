//! Counts the received bytes that wait to be read on all streams of one connection together. Pure.
//!
//! A data channel has no flow control, and each stream's own bound says nothing of how many streams there are. So the
//! streams of a connection share one [`UnreadTotal`], each by an [`UnreadPart`], and a connection whose streams exceed
//! [`UNREAD_OF_CONNECTION_MAX_BYTES`] together ends.

use std::cell::Cell;
use std::rc::Rc;

use gen_registry_core::limits::UNREAD_OF_CONNECTION_MAX_BYTES;

/// The streams of one connection would hold more than [`UNREAD_OF_CONNECTION_MAX_BYTES`] together. The connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more unread data than all streams of a connection may hold together")]
pub struct TooMuchUnread;

/// The counter of one connection. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct UnreadTotal(Rc<Cell<usize>>);

impl UnreadTotal {
    /// Returns the part of a new stream, with nothing counted.
    pub fn part(&self) -> UnreadPart {
        UnreadPart { total: self.clone(), bytes: 0 }
    }

    /// Returns what is counted for all streams together.
    pub fn bytes(&self) -> usize {
        self.0.get()
    }
}

/// What is counted for one stream; dropping it gives that back.
#[derive(Debug)]
pub struct UnreadPart {
    total: UnreadTotal,
    bytes: usize,
}

impl UnreadPart {
    /// Counts this many bytes for the stream, in place of what was counted before. Over the limit nothing changes.
    pub fn set(&mut self, bytes: usize) -> Result<(), TooMuchUnread> {
        let all = (self.total.bytes() - self.bytes).saturating_add(bytes);
        if bytes > self.bytes && all > UNREAD_OF_CONNECTION_MAX_BYTES {
            return Err(TooMuchUnread);
        }
        self.total.0.set(all);
        self.bytes = bytes;
        Ok(())
    }
}

impl Drop for UnreadPart {
    fn drop(&mut self) {
        self.total.0.set(self.total.bytes() - self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_share_one_limit_and_give_back_what_they_counted() {
        let total = UnreadTotal::default();
        let (mut one, mut other) = (total.part(), total.part());
        assert_eq!(one.set(UNREAD_OF_CONNECTION_MAX_BYTES - 1), Ok(()));
        assert_eq!(other.set(1), Ok(()), "the limit is inclusive");
        assert_eq!(other.set(2), Err(TooMuchUnread));
        assert_eq!(total.bytes(), UNREAD_OF_CONNECTION_MAX_BYTES, "a refused count changes nothing");
        one.set(10).expect("fewer are always allowed");
        assert_eq!((other.set(20), total.bytes()), (Ok(()), 30));
        drop(other);
        assert_eq!(total.bytes(), 10);
        drop(one);
        assert_eq!(total.bytes(), 0);
        assert_eq!(total.part().set(usize::MAX), Err(TooMuchUnread));
    }
}
