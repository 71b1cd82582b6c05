//! Signed statements outside of logs: what a key says for a while (heartbeats, messages), and the proof in whose name a
//! device says it.
//!
//! [`Signed`] is a statement with the signature of one key. [`Authored`] is one by a device key, with the [`Opening`]
//! that shows whose device it is, so that a receiver who has never met the identity can tell who speaks. Whether the
//! device was revoked since is for the registry to say.

use std::fmt;

use crate::canonical::{DecodeError, Decoder, Encoder};
use crate::digest::Digest;
use crate::identity::Topic;
use crate::keys::{Did, KeyError, PublicKey, SIGNATURE_BYTES, SecretKey, Signature, signing_bytes};
use crate::log::{Capability, Opening, OpeningError};

/// The most bytes of an opening that travels with what a device says: some fifteen rotations.
pub const SHOWN_OPENING_MAX_BYTES: usize = 4 * 1024;

/// A type whose values can be signed. `decode(encode(x))` is `x`, and no other bytes decode to it.
pub trait Signable: Sized {
    /// `gen-registry/<type>/v2`; different for each type, so that no signature serves for two.
    fn domain(&self) -> &'static str;
    /// The canonical bytes.
    fn encode(&self) -> Vec<u8>;
    /// Decodes canonical bytes and checks their limits.
    fn decode(bytes: &[u8]) -> Result<Self, DecodeError>;
    /// What a device must be allowed to say it in its identity's name; nothing for what every device may say.
    fn takes() -> Option<Capability> {
        None
    }
}

/// A statement and the valid signature of a key. Only signing and verifying make one.
#[derive(Clone, PartialEq, Eq)]
pub struct Signed<T> {
    signer: PublicKey,
    statement: T,
    signature: Signature,
    hash: Digest,
}

/// A statement of a device, and the opening that shows in whose name it speaks.
#[derive(Clone, PartialEq, Eq)]
pub struct Authored<T> {
    opening: Opening,
    signed: Signed<T>,
}

/// Why signed bytes are refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    #[error("the signed bytes can't be read")]
    Unreadable(#[from] DecodeError),
    #[error("the signer's key can't be used")]
    Key(#[from] KeyError),
    #[error("the statement is not in its one canonical form")]
    NotCanonical,
    #[error("the signature is not the signer's, or not over this, or not for this network")]
    Forged,
    #[error("the signer's opening is none: {0}")]
    Opening(#[from] OpeningError),
    #[error("the device may not say this")]
    NotAllowed,
}

impl<T: Signable> Signed<T> {
    /// Signs a statement for one network.
    pub fn sign(signer: &SecretKey, topic: &Topic, statement: T) -> Self {
        let (bytes, domain, key) = (statement.encode(), statement.domain(), signer.public());
        let signature = signer.sign(topic, domain, &bytes);
        let hash = Digest::of(&signing_bytes(topic, domain, &key, &bytes));
        Self { signer: key, statement, signature, hash }
    }

    /// Reads what [`Signed::encode`] wrote and verifies the signature.
    pub fn verify(bytes: &[u8], topic: &Topic) -> Result<Self, SignatureError> {
        let signed = Self::decode_by(bytes, topic, |key| PublicKey::from_bytes(&key).map_err(SignatureError::from))?;
        let encoded = signed.statement.encode();
        if !signed.signer.verify(topic, signed.statement.domain(), &encoded, &signed.signature) {
            return Err(SignatureError::Forged);
        }
        Ok(signed)
    }

    /// Reads a statement that this node verified before it wrote it down.
    pub fn decode_unverified(bytes: &[u8], topic: &Topic) -> Result<Self, SignatureError> {
        Self::decode_by(bytes, topic, |key| Ok(PublicKey::from_trusted(key)))
    }

    fn decode_by(
        bytes: &[u8],
        topic: &Topic,
        key: impl Fn([u8; 32]) -> Result<PublicKey, SignatureError>,
    ) -> Result<Self, SignatureError> {
        let mut decoder = Decoder::new(bytes);
        let signer = key(decoder.array()?)?;
        let body = decoder.bytes()?;
        let signature: [u8; SIGNATURE_BYTES] = decoder.array()?;
        decoder.end()?;
        let statement = T::decode(body)?;
        if statement.encode() != body {
            return Err(SignatureError::NotCanonical);
        }
        let hash = Digest::of(&signing_bytes(topic, statement.domain(), &signer, body));
        Ok(Self { signer, statement, signature: Signature::from_bytes(signature), hash })
    }

    /// The signed statement as bytes: signer, statement behind its length, signature.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Encoder::new().fixed(self.signer.as_bytes()).bytes(&self.statement.encode()).finish();
        bytes.extend_from_slice(self.signature.as_bytes());
        bytes
    }
}

impl<T> Signed<T> {
    pub fn signer(&self) -> PublicKey {
        self.signer
    }

    pub fn statement(&self) -> &T {
        &self.statement
    }

    /// Names the statement: the hash of all that is signed (not of the signature).
    pub fn hash(&self) -> Digest {
        self.hash
    }
}

impl<T: Signable> Authored<T> {
    /// Signs a statement with the device key that `opening` is of.
    pub fn sign(device: &SecretKey, topic: &Topic, opening: &Opening, statement: T) -> Self {
        debug_assert_eq!(device.public(), opening.device(), "the opening is the device's");
        Self { opening: opening.clone(), signed: Signed::sign(device, topic, statement) }
    }

    /// Reads what [`Authored::encode`] wrote, and verifies the signature, the opening, and that it allows this.
    pub fn verify(bytes: &[u8], topic: &Topic) -> Result<Self, SignatureError> {
        let (opening, signed) = Self::split(bytes)?;
        let signed = Signed::verify(signed, topic)?;
        let opening = Opening::decode_for(topic, &signed.signer(), opening)?;
        if !T::takes().is_none_or(|capability| opening.capabilities().allow(capability)) {
            return Err(SignatureError::NotAllowed);
        }
        Ok(Self { opening, signed })
    }

    /// As [`Authored::verify`], also for what [`Authored::encode_naming`] wrote. `opening_of` returns the verified opening
    /// with a digest. Returns `None` where that is not known.
    pub fn verify_naming(
        bytes: &[u8],
        topic: &Topic,
        opening_of: impl FnOnce(&Digest) -> Option<Opening>,
    ) -> Result<Option<Self>, SignatureError> {
        let Some((named, signed)) = Self::named(bytes)? else { return Self::verify(bytes, topic).map(Some) };
        let Some(opening) = opening_of(&named) else { return Ok(None) };
        let signed = Signed::verify(signed, topic)?;
        if opening.device() != signed.signer() {
            return Err(OpeningError::OtherDevice.into());
        }
        if !T::takes().is_none_or(|capability| opening.capabilities().allow(capability)) {
            return Err(SignatureError::NotAllowed);
        }
        Ok(Some(Self { opening, signed }))
    }

    /// Reads a statement that this node verified before it wrote it down.
    pub fn decode_unverified(bytes: &[u8], topic: &Topic) -> Result<Self, SignatureError> {
        let (opening, signed) = Self::split(bytes)?;
        let signed = Signed::decode_unverified(signed, topic)?;
        let opening = Opening::decode_unverified(topic, opening)?;
        Ok(Self { opening, signed })
    }

    /// The digest of the opening and the signed statement, where the opening is named by its digest.
    fn named(bytes: &[u8]) -> Result<Option<(Digest, &[u8])>, SignatureError> {
        let (opening, signed) = Self::split(bytes)?;
        Ok(opening.try_into().ok().map(|digest: [u8; 32]| (Digest::from_bytes(digest), signed)))
    }

    fn split(bytes: &[u8]) -> Result<(&[u8], &[u8]), SignatureError> {
        let mut decoder = Decoder::new(bytes);
        let (opening, signed) = (decoder.bytes()?, decoder.bytes()?);
        decoder.end()?;
        if opening.len() > SHOWN_OPENING_MAX_BYTES {
            return Err(DecodeError::OutOfRange.into());
        }
        Ok((opening, signed))
    }

    /// The bytes that are passed on: opening and signed statement, each behind its length.
    pub fn encode(&self) -> Vec<u8> {
        Encoder::new().bytes(&self.opening.encode()).bytes(&self.signed.encode()).finish()
    }

    /// As [`Authored::encode`] with the digest in place of the opening, for where there is no room for it. Only those who
    /// have the opening can read it. No opening is as short as a digest.
    pub fn encode_naming(&self) -> Vec<u8> {
        let digest = Digest::of(&self.opening.encode());
        Encoder::new().bytes(digest.as_bytes()).bytes(&self.signed.encode()).finish()
    }
}

impl<T> Authored<T> {
    /// The identity in whose name the device speaks.
    pub fn author(&self) -> Did {
        self.opening.did()
    }

    pub fn device(&self) -> PublicKey {
        self.signed.signer
    }

    pub fn opening(&self) -> &Opening {
        &self.opening
    }

    pub fn statement(&self) -> &T {
        &self.signed.statement
    }

    /// Names the statement: the hash of all that the device signed.
    pub fn hash(&self) -> Digest {
        self.signed.hash
    }
}

impl<T: fmt::Debug> fmt::Debug for Signed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signed").field("signer", &self.signer).field("statement", &self.statement).finish()
    }
}

impl<T: fmt::Debug> fmt::Debug for Authored<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authored").field("author", &self.author()).field("statement", self.statement()).finish()
    }
}

#[cfg(test)]
mod tests;
