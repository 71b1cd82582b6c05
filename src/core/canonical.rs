//! Canonical bytes: one value has one encoding, and one encoding is of one value. Signatures and hashes are over these
//! bytes, so there is no optional form, no padding and no map order.
//!
//! An integer is 8 bytes, big-endian; a text or byte string has its length as 4 bytes in front; fields follow each
//! other in a fixed order without names.
//!
//! ```
//! use gen_registry_core::canonical::{DecodeError, Decoder, Encoder};
//!
//! let bytes = Encoder::new().byte(1).text("rose").integer(258).finish();
//! assert_eq!(bytes, [1, 0, 0, 0, 4, b'r', b'o', b's', b'e', 0, 0, 0, 0, 0, 0, 1, 2]);
//!
//! let mut decoder = Decoder::new(&bytes);
//! assert_eq!((decoder.byte(), decoder.text(), decoder.integer()), (Ok(1), Ok("rose"), Ok(258)));
//! assert_eq!(decoder.end(), Ok(()));
//! assert_eq!(Decoder::new(&bytes).end(), Err(DecodeError::LeftOver));
//! ```

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// Writes canonical bytes, field by field.
#[derive(Clone, Debug, Default)]
pub struct Encoder(Vec<u8>);

impl Encoder {
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends one byte, such as a kind.
    pub fn byte(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }

    /// Appends 8 bytes, big-endian.
    pub fn integer(mut self, value: u64) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// Appends a hash or a key, without a length.
    pub fn fixed<const N: usize>(mut self, value: &[u8; N]) -> Self {
        self.0.extend_from_slice(value);
        self
    }

    /// Appends a byte string behind its length. Panics from 4 GiB on; all byte strings are bounded far below.
    pub fn bytes(mut self, value: &[u8]) -> Self {
        let length = u32::try_from(value.len()).expect("byte strings are bounded far below 4 GiB");
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(value);
        self
    }

    /// Appends a UTF-8 text behind its length in bytes.
    pub fn text(self, value: &str) -> Self {
        self.bytes(value.as_bytes())
    }

    /// The bytes written so far.
    pub fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Why bytes are not the encoding of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum DecodeError {
    /// A field needs more bytes than are left.
    #[error("the bytes end too early")]
    TooShort,
    /// The value ends before the bytes do.
    #[error("bytes are left over")]
    LeftOver,
    #[error("a text is not UTF-8")]
    NotUtf8,
    /// A kind that this version does not have.
    #[error("unknown kind {0}")]
    UnknownKind(u8),
    /// A value, a count or an order that no encoder of this type writes.
    #[error("a value is out of its range")]
    OutOfRange,
}

/// Reads canonical bytes, field by field. Nothing is allocated for a length that is only claimed.
#[derive(Clone, Debug)]
pub struct Decoder<'a>(&'a [u8]);

impl<'a> Decoder<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Takes the next `count` bytes off.
    fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(DecodeError::TooShort)?;
        self.0 = rest;
        Ok(taken)
    }

    /// Reads one byte.
    pub fn byte(&mut self) -> Result<u8, DecodeError> {
        Ok(self.take(1)?[0])
    }

    /// Reads 8 bytes, big-endian.
    pub fn integer(&mut self) -> Result<u64, DecodeError> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    /// Reads as many bytes as the type says, without a length: a hash, a key, a signature.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        self.take(N)?.try_into().map_err(|_| DecodeError::TooShort)
    }

    /// Reads a byte string behind its length.
    pub fn bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = u32::from_be_bytes(self.array()?);
        self.take(usize::try_from(length).map_err(|_| DecodeError::TooShort)?)
    }

    /// Reads a UTF-8 text behind its length.
    pub fn text(&mut self) -> Result<&'a str, DecodeError> {
        std::str::from_utf8(self.bytes()?).map_err(|_| DecodeError::NotUtf8)
    }

    /// Reads a date, which is at most [`Timestamp::LATEST`].
    pub fn timestamp(&mut self) -> Result<Timestamp, DecodeError> {
        Some(Timestamp::from_millis(self.integer()?))
            .filter(|date| *date <= Timestamp::LATEST)
            .ok_or(DecodeError::OutOfRange)
    }

    /// Returns whether all bytes were read; for fields that older encodings do not have.
    pub fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    /// Fails if bytes are left.
    pub fn end(self) -> Result<(), DecodeError> {
        if self.0.is_empty() { Ok(()) } else { Err(DecodeError::LeftOver) }
    }
}
