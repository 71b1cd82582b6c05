//! Artifacts: what a release says of its file, one hash over all bytes and one for each block. The bytes are elsewhere.
//!
//! A file of 600 KiB has three blocks, of 256, 256 and 88 KiB. A peer that fetches it verifies each block by itself, so
//! blocks can come from different peers and a wrong one is noticed at once; the hash over all bytes is what people
//! compare.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::canonical::{DecodeError, Decoder, Encoder};
use crate::digest::Digest;
use crate::limits::{BLOCK_MAX_BYTES, MODULE_MAX_BYTES};

/// The hashes and the size of a release's file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// The SHA-256 hash of all bytes.
    pub sha256: Digest,
    /// In bytes; at least one, at most [`MODULE_MAX_BYTES`].
    pub size: u64,
    /// The hash of each block in order. All have [`BLOCK_MAX_BYTES`] but the last one, which has the rest.
    pub blocks: Vec<Digest>,
}

/// Why a size and a list of blocks are not those of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArtifactError {
    #[error("a module has at least one byte and at most {MODULE_MAX_BYTES}; this has {0}")]
    Size(u64),
    #[error("{found} blocks can't hold {size} bytes in pieces of {BLOCK_MAX_BYTES}")]
    Blocks { size: u64, found: usize },
}

impl Artifact {
    /// The artifact of a file. [`Artifact::check`] refuses that of an empty or too large one.
    pub fn of(bytes: &[u8]) -> Self {
        let blocks = bytes.chunks(BLOCK_MAX_BYTES).map(Digest::of).collect();
        Self { sha256: Digest::of(bytes), size: bytes.len() as u64, blocks }
    }

    /// Checks that size and number of blocks are within the bounds and fit together.
    pub fn check(&self) -> Result<(), ArtifactError> {
        if self.size == 0 || self.size > MODULE_MAX_BYTES as u64 {
            return Err(ArtifactError::Size(self.size));
        }
        if self.blocks.len() as u64 != self.size.div_ceil(BLOCK_MAX_BYTES as u64) {
            return Err(ArtifactError::Blocks { size: self.size, found: self.blocks.len() });
        }
        Ok(())
    }

    /// The range of bytes that block `nth` holds; empty beyond the last one.
    pub fn block_range(&self, nth: usize) -> Range<usize> {
        let size = self.size as usize;
        (nth * BLOCK_MAX_BYTES).min(size)..((nth + 1) * BLOCK_MAX_BYTES).min(size)
    }

    /// Returns whether `bytes` are the file.
    pub fn is_of(&self, bytes: &[u8]) -> bool {
        bytes.len() as u64 == self.size && Digest::of(bytes) == self.sha256
    }

    /// Appends hash, size and block hashes. The number of blocks follows from the size and is not written.
    pub(super) fn encode(&self, encoder: Encoder) -> Encoder {
        let encoder = encoder.fixed(self.sha256.as_bytes()).integer(self.size);
        self.blocks.iter().fold(encoder, |encoder, block| encoder.fixed(block.as_bytes()))
    }

    /// Reads what [`Artifact::encode`] wrote; refuses a size out of bounds before it reads a block hash.
    pub(super) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let sha256 = Digest::from_bytes(decoder.array()?);
        let size = decoder.integer()?;
        if size == 0 || size > MODULE_MAX_BYTES as u64 {
            return Err(DecodeError::OutOfRange);
        }
        let count = size.div_ceil(BLOCK_MAX_BYTES as u64);
        let blocks = (0..count).map(|_| decoder.array().map(Digest::from_bytes)).collect::<Result<_, _>>()?;
        Ok(Self { sha256, size, blocks })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_a_file_into_equal_blocks_but_the_last() {
        let bytes: Vec<u8> = (0..BLOCK_MAX_BYTES + 10).map(|at| at as u8).collect();
        let artifact = Artifact::of(&bytes);
        assert_eq!(artifact.check(), Ok(()));
        assert_eq!((artifact.size, artifact.blocks.len()), (bytes.len() as u64, 2));
        for (nth, block) in artifact.blocks.iter().enumerate() {
            assert_eq!(Digest::of(&bytes[artifact.block_range(nth)]), *block);
        }
        assert!(artifact.is_of(&bytes) && !artifact.is_of(&bytes[1..]));
        assert_eq!(Artifact::of(&bytes[..BLOCK_MAX_BYTES]).blocks.len(), 1, "no empty block at the end");
    }

    #[test]
    fn rejects_sizes_and_blocks_that_do_not_fit() {
        let mut artifact = Artifact::of(&[1; 10]);
        assert_eq!(Artifact::of(&[]).check(), Err(ArtifactError::Size(0)));
        artifact.size = BLOCK_MAX_BYTES as u64 + 1;
        assert_eq!(artifact.check(), Err(ArtifactError::Blocks { size: artifact.size, found: 1 }));
        artifact.size = MODULE_MAX_BYTES as u64 + 1;
        assert_eq!(artifact.check(), Err(ArtifactError::Size(artifact.size)));
    }
}
