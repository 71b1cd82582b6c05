//! Content hashes (SHA-256), their text form (hexadecimal), and block addresses: CIDs of version 1 with the raw codec,
//! as IPFS has them.

use std::fmt;
use std::str::FromStr;

use cid::Cid;
use multihash::Multihash;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Multicodec of raw bytes: a block has no inner format.
const RAW_CODEC: u64 = 0x55;
/// Multihash code of SHA2-256.
const SHA2_256_CODE: u64 = 0x12;

/// A SHA-256 hash; written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

/// Why a text is not a digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// Another number of characters, which it holds.
    #[error("a digest has 64 hex digits, not {0} characters")]
    Length(usize),
    #[error("a digest has hex digits only")]
    NotHex,
}

impl Digest {
    /// The SHA-256 hash of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The SHA-256 hash of the parts one after the other, without joining them in memory.
    pub fn of_joined(parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        parts.iter().for_each(|part| hash.update(part));
        Self(hash.finalize().into())
    }

    /// A digest from its 32 bytes; nothing is hashed.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes of the hash.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        bytes_from_hex(text).map(Self)
    }
}

impl TryFrom<String> for Digest {
    type Error = DigestError;

    fn try_from(text: String) -> Result<Self, DigestError> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

/// Bytes as lower-case hexadecimal digits. Store keys are made of them, so it does not format byte by byte.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    let mut text = String::with_capacity(2 * bytes.len());
    text.extend(digits.map(|digit| char::from(DIGITS[usize::from(digit)])));
    text
}

/// Reads 32 bytes from exactly 64 hexadecimal digits of either case.
pub fn bytes_from_hex(text: &str) -> Result<[u8; 32], DigestError> {
    if text.len() != 64 {
        return Err(DigestError::Length(text.chars().count()));
    }
    let bytes = unhex(text).ok_or(DigestError::NotHex)?;
    Ok(bytes.try_into().expect("64 digits are 32 bytes"))
}

/// Reads bytes from hexadecimal digits of either case; `None` for anything else, and for half a byte at the end.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = |pair: &[u8; 2]| Some((digit(pair[0])? * 16 + digit(pair[1])?) as u8);
    if rest.is_empty() { pairs.iter().map(byte).collect() } else { None }
}

/// The CID of a block's bytes.
pub fn block_cid(bytes: &[u8]) -> Cid {
    cid_of(&Digest::of(bytes))
}

/// The CID of the block with this hash.
pub fn cid_of(block: &Digest) -> Cid {
    let hash = Multihash::wrap(SHA2_256_CODE, block.as_bytes()).expect("32 bytes fit into a multihash");
    Cid::new_v1(RAW_CODEC, hash)
}

/// The hash in a block's CID, or `None` for a CID of another version, codec or hash function.
pub fn hash_in(cid: &Cid) -> Option<Digest> {
    let hash: [u8; 32] = cid.hash().digest().try_into().ok()?;
    let block = Digest::from_bytes(hash);
    (cid_of(&block) == *cid).then_some(block)
}

/// Returns whether `cid` is the CID of `bytes`. CIDs of other codecs and hash functions never are.
pub fn verify_block(cid: &Cid, bytes: &[u8]) -> bool {
    *cid == block_cid(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_known_texts() {
        // FIPS 180-4 example
        assert_eq!(Digest::of(b"abc").to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(Digest::of(b"abc").to_string().parse(), Ok(Digest::of(b"abc")));
        assert_eq!(Digest::of_joined(&[b"a", b"", b"bc"]), Digest::of(b"abc"));
    }

    #[test]
    fn rejects_bad_digests_with_a_reason() {
        assert_eq!("ab".parse::<Digest>(), Err(DigestError::Length(2)));
        assert_eq!("zz".repeat(32).parse::<Digest>(), Err(DigestError::NotHex));
    }

    #[test]
    fn verifies_a_block_against_its_cid() {
        let cid = block_cid(b"hello");
        assert_eq!(cid.to_string(), "bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq");
        assert!(verify_block(&cid, b"hello"));
        assert!(!verify_block(&cid, b"hellp"));
        assert_eq!(hash_in(&cid), Some(Digest::of(b"hello")));
        let other_codec = Cid::new_v1(0x70, *cid.hash());
        assert_eq!(hash_in(&other_codec), None);
    }
}
