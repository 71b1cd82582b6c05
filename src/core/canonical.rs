//! Canonical bytes: one value, one spelling. Signatures and hashes stand on these, so there is no optional form, no
//! padding and no map order. Integers are 8 bytes big-endian, texts and byte strings carry a 4-byte length.

/// Writes canonical bytes.
#[derive(Clone, Debug, Default)]
pub struct Encoder(Vec<u8>);

impl Encoder {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn byte(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }

    pub fn integer(mut self, value: u64) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    pub fn fixed(mut self, value: &[u8; 32]) -> Self {
        self.0.extend_from_slice(value);
        self
    }

    /// A byte string behind its length. No value of ours comes near 4 GiB.
    pub fn bytes(mut self, value: &[u8]) -> Self {
        let length = u32::try_from(value.len()).expect("byte strings are bounded far below 4 GiB");
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(value);
        self
    }

    pub fn text(self, value: &str) -> Self {
        self.bytes(value.as_bytes())
    }

    pub fn finish(self) -> Vec<u8> {
        self.0
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum DecodeError {
    #[error("the bytes end too early")]
    TooShort,
    #[error("bytes are left over")]
    LeftOver,
    #[error("a text is not UTF-8")]
    NotUtf8,
    #[error("unknown kind {0}")]
    UnknownKind(u8),
    #[error("a value is out of its range")]
    OutOfRange,
}

/// Reads canonical bytes; accepts nothing that [`Encoder`] would not have written.
#[derive(Clone, Debug)]
pub struct Decoder<'a>(&'a [u8]);

impl<'a> Decoder<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(DecodeError::TooShort)?;
        self.0 = rest;
        Ok(taken)
    }

    pub fn byte(&mut self) -> Result<u8, DecodeError> {
        Ok(self.take(1)?[0])
    }

    pub fn integer(&mut self) -> Result<u64, DecodeError> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        self.take(N)?.try_into().map_err(|_| DecodeError::TooShort)
    }

    pub fn bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = u32::from_be_bytes(self.array()?);
        self.take(usize::try_from(length).map_err(|_| DecodeError::TooShort)?)
    }

    pub fn text(&mut self) -> Result<&'a str, DecodeError> {
        std::str::from_utf8(self.bytes()?).map_err(|_| DecodeError::NotUtf8)
    }

    pub fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    /// Everything must have been read.
    pub fn end(self) -> Result<(), DecodeError> {
        if self.0.is_empty() { Ok(()) } else { Err(DecodeError::LeftOver) }
    }
}
