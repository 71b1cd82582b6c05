//! A module's bytes as a release names them: one hash over all, and one for each block. It holds no bytes.

use std::ops::Range;

use crate::canonical::{DecodeError, Decoder, Encoder};
use crate::digest::Digest;
use crate::limits::{BLOCK_MAX_BYTES, MODULE_MAX_BYTES};

/// What a file of a release is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// Of all bytes.
    pub sha256: Digest,
    /// In bytes; at least one, at most [`MODULE_MAX_BYTES`].
    pub size: u64,
    /// Of each block in order. All have [`BLOCK_MAX_BYTES`] but the last one, which has the rest.
    pub blocks: Vec<Digest>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArtifactError {
    #[error("a module has at least one byte and at most {MODULE_MAX_BYTES}; this has {0}")]
    Size(u64),
    #[error("{found} blocks can't hold {size} bytes in pieces of {BLOCK_MAX_BYTES}")]
    Blocks { size: u64, found: usize },
}

impl Artifact {
    pub fn of(bytes: &[u8]) -> Self {
        let blocks = bytes.chunks(BLOCK_MAX_BYTES).map(Digest::of).collect();
        Self { sha256: Digest::of(bytes), size: bytes.len() as u64, blocks }
    }

    /// Size and number of blocks are within the bounds and fit together.
    pub fn check(&self) -> Result<(), ArtifactError> {
        if self.size == 0 || self.size > MODULE_MAX_BYTES as u64 {
            return Err(ArtifactError::Size(self.size));
        }
        if self.blocks.len() as u64 != self.size.div_ceil(BLOCK_MAX_BYTES as u64) {
            return Err(ArtifactError::Blocks { size: self.size, found: self.blocks.len() });
        }
        Ok(())
    }

    /// Which bytes the block at `nth` holds.
    pub fn block_range(&self, nth: usize) -> Range<usize> {
        let size = self.size as usize;
        (nth * BLOCK_MAX_BYTES).min(size)..((nth + 1) * BLOCK_MAX_BYTES).min(size)
    }

    /// True when `bytes` are the ones that are named.
    pub fn is_of(&self, bytes: &[u8]) -> bool {
        bytes.len() as u64 == self.size && Digest::of(bytes) == self.sha256
    }

    pub(super) fn encode(&self, encoder: Encoder) -> Encoder {
        let encoder = encoder.fixed(self.sha256.as_bytes()).integer(self.size);
        self.blocks.iter().fold(encoder, |encoder, block| encoder.fixed(block.as_bytes()))
    }

    /// The number of blocks follows from the size.
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
    fn a_file_is_cut_into_blocks_of_one_length_but_the_last() {
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
    fn size_and_blocks_must_fit_together() {
        let mut artifact = Artifact::of(&[1; 10]);
        assert_eq!(Artifact::of(&[]).check(), Err(ArtifactError::Size(0)));
        artifact.size = BLOCK_MAX_BYTES as u64 + 1;
        assert_eq!(artifact.check(), Err(ArtifactError::Blocks { size: artifact.size, found: 1 }));
        artifact.size = MODULE_MAX_BYTES as u64 + 1;
        assert_eq!(artifact.check(), Err(ArtifactError::Size(artifact.size)));
    }
}
