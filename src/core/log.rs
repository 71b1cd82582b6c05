//! Logs: the append-only, hash-linked, signed sequence of entries of one device key (a *sigchain*).
//!
//! Each device key writes a *facts* log (number 0), which is never pruned, and *changes* logs (number 1 and up), which are
//! pruned before a checkpoint. The shape is that of p2panda's operations: an [`EntryHeader`] with the log, the sequence
//! number, the id of the entry before, and kind, digest and size of the body, all signed; the body travels beside it.
//!
//! A log is named by its opening as well as by its device key, so that an entry says by itself on whose authority it was
//! written. A thief who has copied a device key, and adds it to an identity of their own, opens another log with it, and
//! nothing that the owner ever signed can be shown as part of that one.
//!
//! ```text
//! facts log of Alice's laptop
//!   seq 0  opening   whose key this is and what it may        ← proven by itself
//!   seq 1  claim     "rose"            previous: id of seq 0
//!   seq 2  release   crc32 1.0.0       previous: id of seq 1
//! ```
//!
//! # What admission looks at
//! Form, signature, link, the bounds of the log, and the opening; nothing in another log, and never what a body means. A
//! body that is wrong, unknown or not allowed makes an entry *without effect*: it stops nothing, and no
//! carrier is marked for it. So every replica comes to one verdict, in whatever order and in whatever pieces things arrive.

pub mod body;
pub mod chain;
pub mod opening;

use std::fmt;

use crate::canonical::{DecodeError, Decoder, Encoder};
use crate::digest::Digest;
use crate::identity::Topic;
use crate::keys::{PublicKey, SecretKey, Signature};

pub use body::{Body, BodyError, Kind};
pub use chain::{Admitted, Chain, ChainRejection, End, ForkProof};
pub use opening::{Link, Opening, OpeningError};

/// The number of a device's facts log.
pub const FACTS: u32 = 0;
/// The most bytes of an entry's body.
pub const BODY_MAX_BYTES: usize = 40 * 1024;
/// The most entries of a facts log. The program changes the device key before.
pub const FACTS_MAX: u64 = 10_000;
/// The most bytes of all entries of a facts log.
pub const FACTS_MAX_BYTES: u64 = 4 * 1024 * 1024;
/// The bytes of a header with its signature.
pub const HEADER_BYTES: usize = 32 + 32 + 8 + 8 + 32 + 1 + 32 + 8 + 64;
/// Characters of the pattern of modules that a device may publish.
pub const PATTERN_MAX_CHARS: usize = 64;

const DOMAIN: &str = "gen-registry/entry/v2";

/// One log: on whose authority it is written, by which device key, and its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogId {
    /// The digest of the [`Opening`], for changes logs as well.
    pub opening: Digest,
    pub device: PublicKey,
    pub number: u32,
}

/// The name of an entry: the digest of all that its header's signature is over.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct EntryId(Digest);

/// What is signed of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryHeader {
    pub log: LogId,
    /// 0 for the first entry.
    pub seq: u64,
    /// The entry before; nothing before the first.
    pub previous: Option<EntryId>,
    /// What the body is; see [`Kind`]. Kinds that this version does not know are kept and have no effect.
    pub kind: u8,
    pub body: Digest,
    pub body_bytes: u64,
}

/// A header with the valid signature of its device key. Only signing and verifying make one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SignedHeader {
    header: EntryHeader,
    signature: Signature,
    id: EntryId,
}

/// A signed header with the body that it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    header: SignedHeader,
    body: Vec<u8>,
}

/// Why bytes are no entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    #[error("these bytes are no entry of a log")]
    Unreadable(#[from] DecodeError),
    #[error("the signature is not the device's, or not over this, or not for this network")]
    Forged,
    #[error("the body is not the one that the header names")]
    OtherBody,
    #[error("a body has at most {BODY_MAX_BYTES} bytes; this has {0}")]
    TooLarge(u64),
}

/// What a device key may write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    bits: u8,
    /// Which modules it may publish: a name, or the beginning of names with `*` behind it. Empty: none.
    publish: String,
}

/// One capability.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Capability {
    Profile = 1,
    Claim = 2,
    Publish = 4,
    Yank = 8,
    Rate = 16,
    Chat = 32,
    Grant = 64,
}

const ALL: u8 = 127;

impl Capabilities {
    /// Every capability, for every module.
    pub fn full() -> Self {
        Self { bits: ALL, publish: "*".to_owned() }
    }

    /// These capabilities; `publish` is the pattern of modules, for [`Capability::Publish`].
    pub fn of(capabilities: impl IntoIterator<Item = Capability>, publish: &str) -> Self {
        let bits = capabilities.into_iter().fold(0, |bits, one| bits | one as u8);
        let publish = if bits & Capability::Publish as u8 == 0 { "" } else { publish };
        Self { bits, publish: publish.chars().take(PATTERN_MAX_CHARS).collect() }
    }

    pub fn allow(&self, capability: Capability) -> bool {
        self.bits & capability as u8 != 0
    }

    /// Returns whether everything is allowed: what a veto and the change of devices take.
    pub fn are_full(&self) -> bool {
        *self == Self::full()
    }

    /// Returns whether releases of this module are allowed.
    pub fn allow_publishing(&self, module: &str) -> bool {
        self.allow(Capability::Publish)
            && match self.publish.strip_suffix('*') {
                Some(beginning) => module.starts_with(beginning),
                None => module == self.publish,
            }
    }

    pub(crate) fn encode(&self, encoder: Encoder) -> Encoder {
        encoder.byte(self.bits).text(&self.publish)
    }

    pub(crate) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let (bits, publish) = (decoder.byte()?, decoder.text()?.to_owned());
        let publishes = bits & Capability::Publish as u8 != 0;
        if bits > ALL || publishes == publish.is_empty() || publish.chars().count() > PATTERN_MAX_CHARS {
            return Err(DecodeError::OutOfRange);
        }
        Ok(Self { bits, publish })
    }
}

impl LogId {
    /// The facts log that an opening begins.
    pub const fn facts(opening: Digest, device: PublicKey) -> Self {
        Self { opening, device, number: FACTS }
    }

    /// The log with another number, of the same device on the same authority.
    pub const fn numbered(&self, number: u32) -> Self {
        Self { number, ..*self }
    }

    pub const fn are_facts(&self) -> bool {
        self.number == FACTS
    }
}

impl EntryId {
    pub const fn from_digest(digest: Digest) -> Self {
        Self(digest)
    }

    pub const fn digest(&self) -> &Digest {
        &self.0
    }

    pub const fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    pub(crate) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        decoder.array().map(|bytes| Self(Digest::from_bytes(bytes)))
    }
}

impl EntryHeader {
    fn encode(&self) -> Vec<u8> {
        let previous = self.previous.map_or([0; 32], |id| *id.as_bytes());
        Encoder::new()
            .fixed(self.log.opening.as_bytes())
            .fixed(self.log.device.as_bytes())
            .integer(self.log.number.into())
            .integer(self.seq)
            .fixed(&previous)
            .byte(self.kind)
            .fixed(self.body.as_bytes())
            .integer(self.body_bytes)
            .finish()
    }

    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let (opening, device) = (Digest::from_bytes(decoder.array()?), PublicKey::decode(decoder)?);
        let number = u32::try_from(decoder.integer()?).map_err(|_| DecodeError::OutOfRange)?;
        let (seq, previous) = (decoder.integer()?, EntryId::decode(decoder)?);
        let (kind, body, body_bytes) = (decoder.byte()?, Digest::from_bytes(decoder.array()?), decoder.integer()?);
        // Exactly the first entry has nothing before it.
        if (seq == 0) != (previous.as_bytes() == &[0; 32]) {
            return Err(DecodeError::OutOfRange);
        }
        let (previous, log) = ((seq > 0).then_some(previous), LogId { opening, device, number });
        // A facts log begins with the opening that names it.
        if log.are_facts() && seq == 0 && body != opening {
            return Err(DecodeError::OutOfRange);
        }
        Ok(Self { log, seq, previous, kind, body, body_bytes })
    }
}

impl SignedHeader {
    fn sign(topic: &Topic, device: &SecretKey, header: EntryHeader) -> Self {
        let bytes = header.encode();
        Self { header, signature: device.sign(topic, DOMAIN, &bytes), id: id_of(topic, &header.log.device, &bytes) }
    }

    pub fn header(&self) -> &EntryHeader {
        &self.header
    }

    pub fn id(&self) -> EntryId {
        self.id
    }

    /// The [`HEADER_BYTES`] that are passed on.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.header.encode();
        bytes.extend_from_slice(self.signature.as_bytes());
        bytes
    }

    /// Reads what [`SignedHeader::encode`] wrote and verifies the signature.
    pub fn decode(topic: &Topic, bytes: &[u8]) -> Result<Self, EntryError> {
        let mut decoder = Decoder::new(bytes);
        let signed = Self::decode_from(topic, &mut decoder)?;
        decoder.end()?;
        Ok(signed)
    }

    /// Reads a header that this node verified before it wrote it down.
    pub fn decode_unverified(topic: &Topic, bytes: &[u8]) -> Result<Self, EntryError> {
        let mut decoder = Decoder::new(bytes);
        let signed = Self::read(topic, &mut decoder)?;
        decoder.end()?;
        Ok(signed)
    }

    /// Decodes header and id of an encoded header without verifying its signature.
    pub fn peek(topic: &Topic, bytes: &[u8]) -> Result<(EntryHeader, EntryId), DecodeError> {
        Self::peek_from(topic, &mut Decoder::new(bytes))
    }

    fn peek_from(topic: &Topic, decoder: &mut Decoder<'_>) -> Result<(EntryHeader, EntryId), DecodeError> {
        let header = EntryHeader::decode(decoder)?;
        decoder.array::<{ crate::keys::SIGNATURE_BYTES }>()?;
        Ok((header, id_of(topic, &header.log.device, &header.encode())))
    }

    /// The same as [`SignedHeader::decode`] where more follows.
    pub(crate) fn decode_from(topic: &Topic, decoder: &mut Decoder<'_>) -> Result<Self, EntryError> {
        let signed = Self::read(topic, decoder)?;
        let header = &signed.header;
        if header.body_bytes > BODY_MAX_BYTES as u64 {
            return Err(EntryError::TooLarge(header.body_bytes));
        }
        if !header.log.device.verify(topic, DOMAIN, &header.encode(), &signed.signature) {
            return Err(EntryError::Forged);
        }
        Ok(signed)
    }

    fn read(topic: &Topic, decoder: &mut Decoder<'_>) -> Result<Self, EntryError> {
        let header = EntryHeader::decode(decoder)?;
        let signature = Signature::from_bytes(decoder.array()?);
        Ok(Self { header, signature, id: id_of(topic, &header.log.device, &header.encode()) })
    }
}

impl Entry {
    /// Signs entry 0 of a facts log, whose body is an [`Opening`].
    pub fn open(topic: &Topic, device: &SecretKey, opening: Vec<u8>) -> Self {
        let log = LogId::facts(Digest::of(&opening), device.public());
        Self::sign(topic, device, log, None, Kind::Opening as u8, opening)
    }

    /// Signs the entry after `previous`.
    pub fn after(topic: &Topic, device: &SecretKey, previous: &SignedHeader, kind: u8, body: Vec<u8>) -> Self {
        Self::sign(topic, device, previous.header.log, Some(previous), kind, body)
    }

    /// Signs entry 0 of a changes log.
    pub fn begin(topic: &Topic, device: &SecretKey, log: LogId, kind: u8, body: Vec<u8>) -> Self {
        Self::sign(topic, device, log, None, kind, body)
    }

    fn sign(
        topic: &Topic,
        device: &SecretKey,
        log: LogId,
        previous: Option<&SignedHeader>,
        kind: u8,
        body: Vec<u8>,
    ) -> Self {
        let header = EntryHeader {
            log,
            seq: previous.map_or(0, |before| before.header.seq + 1),
            previous: previous.map(SignedHeader::id),
            kind,
            body: Digest::of(&body),
            body_bytes: body.len() as u64,
        };
        Self { header: SignedHeader::sign(topic, device, header), body }
    }

    /// Joins a verified header and its body.
    pub fn new(header: SignedHeader, body: Vec<u8>) -> Result<Self, EntryError> {
        let named = header.header();
        if named.body_bytes != body.len() as u64 || named.body != Digest::of(&body) {
            return Err(EntryError::OtherBody);
        }
        Ok(Self { header, body })
    }

    pub fn signed_header(&self) -> &SignedHeader {
        &self.header
    }

    pub fn header(&self) -> &EntryHeader {
        &self.header.header
    }

    pub fn id(&self) -> EntryId {
        self.header.id
    }

    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The bytes that are passed on: the header, and the body behind its length.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.header.encode();
        bytes.extend_from_slice(&Encoder::new().bytes(&self.body).finish());
        bytes
    }

    /// Decodes header, id and body of an encoded entry without verifying it, so that known entries can be skipped.
    pub fn peek<'a>(topic: &Topic, bytes: &'a [u8]) -> Result<(EntryHeader, EntryId, &'a [u8]), DecodeError> {
        let mut decoder = Decoder::new(bytes);
        let (header, id) = SignedHeader::peek_from(topic, &mut decoder)?;
        Ok((header, id, decoder.bytes()?))
    }

    /// Reads what [`Entry::encode`] wrote and verifies it.
    pub fn decode(topic: &Topic, bytes: &[u8]) -> Result<Self, EntryError> {
        let mut decoder = Decoder::new(bytes);
        let entry = Self::decode_from(topic, &mut decoder)?;
        decoder.end()?;
        Ok(entry)
    }

    /// Reads an entry that this node verified before it wrote it down.
    pub fn decode_unverified(topic: &Topic, bytes: &[u8]) -> Result<Self, EntryError> {
        let mut decoder = Decoder::new(bytes);
        let header = SignedHeader::read(topic, &mut decoder)?;
        let body = decoder.bytes()?.to_vec();
        decoder.end()?;
        Self::new(header, body)
    }

    /// The same as [`Entry::decode`] where more follows.
    pub(crate) fn decode_from(topic: &Topic, decoder: &mut Decoder<'_>) -> Result<Self, EntryError> {
        let header = SignedHeader::decode_from(topic, decoder)?;
        Self::new(header, decoder.bytes()?.to_vec())
    }
}

fn id_of(topic: &Topic, device: &PublicKey, header: &[u8]) -> EntryId {
    EntryId(Digest::of(&crate::keys::signing_bytes(topic, DOMAIN, device, header)))
}

impl fmt::Debug for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Debug for SignedHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedHeader").field("id", &self.id).field("header", &self.header).finish()
    }
}

#[cfg(test)]
mod tests;
