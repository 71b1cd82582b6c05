//! Keys and identities of the second format: ed25519 keys that sign, the 24 words they come from, and the `did:gen` that
//! outlives every one of them.
//!
//! # From words to an identity
//! The 24 words (BIP 39) are 32 bytes, the [`Master`]. Identity key *i* is derived from it, so that the words alone give
//! every key there will ever be:
//!
//! ```text
//! 24 words ── master ── HKDF("identity", 0) ── key 0 ┐
//!                    └─ HKDF("identity", 1) ── key 1 ┴─ inception {key 0, digest of key 1} ── digest ── did:gen:z…
//! ```
//!
//! An [`Inception`] has no field that anybody could choose, so words and network give the same identity on any machine.
//! It commits to key 1 before key 0 is used (*pre-rotation*, as in KERI: S. Smith, "Key Event Receipt Infrastructure",
//! 2019): who steals key 0 can't rotate to a key of their own, since only the owner of the words can show the key behind
//! that digest.
//!
//! An identity key signs only what is rare ([`statement`](crate::statement)). Everything else is signed by a device key,
//! one for each profile, which no words give back.

mod points;

use std::fmt;
use std::str::FromStr;

use bip39::{Language, Mnemonic};
use ed25519_dalek::{Signer, SigningKey};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::canonical::{DecodeError, Decoder, Encoder};
use crate::digest::Digest;
use crate::identity::{PhraseError, Topic, words_to_entropy};

/// The bytes of a signature.
pub const SIGNATURE_BYTES: usize = 64;

const DID_PREFIX: &str = "did:gen:";
/// The longest did has 53 characters; more is not decoded.
const DID_MAX_BYTES: usize = 64;
/// Words two people compare; 11 bits each.
const SAFETY_WORDS: usize = 8;
const SAFETY_WORDS_DOMAIN: &str = "gen-registry/safety-words/v2";
/// Words by which a device is told from others.
const KEY_WORDS: usize = 4;
const KEY_WORDS_DOMAIN: &str = "gen-registry/key-words/v2";
const INCEPTION_DOMAIN: &str = "gen-registry/inception/v2";
const KEY_DOMAIN: &str = "gen-registry/key/v2";
const IDENTITY_KEY_INFO: &[u8] = b"gen-registry/identity/v2";
const LIST_KEY_INFO: &[u8] = b"gen-registry/lists/v2";

/// A public key that can be signed for: a point of the curve and not weak, by construction.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; 32]);

/// A secret key. Wiped from memory when dropped; has no `Debug`.
#[derive(Clone)]
pub struct SecretKey(SigningKey);

/// An ed25519 signature (RFC 8032) that was not verified yet.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signature([u8; SIGNATURE_BYTES]);

/// The 32 bytes behind the 24 words, from which every identity key is derived.
pub struct Master(Zeroizing<[u8; 32]>);

/// The name of an identity: the digest of its inception.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Did(Digest);

/// The first statement of an identity, from which its name follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inception {
    pub key: PublicKey,
    /// The digest of the key of the first rotation.
    pub next: Digest,
}

/// Why bytes are no key that anybody may sign with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("these bytes are no point of the curve")]
    NotAPoint,
    #[error("this key is weak: anyone could sign for it")]
    Weak,
}

/// Why a text is no `did:gen`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an identity is named did:gen:z and 43 or 44 letters and digits")]
pub struct DidError;

impl PublicKey {
    /// A key from its bytes. Fails for bytes that are no point of the curve, and for weak keys, for which anyone could
    /// sign.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        points::read(bytes).map(|_| Self(*bytes))
    }

    /// For bytes that were a key when this node wrote them down. [`PublicKey::verify`] refuses a bad key in any case.
    pub const fn from_trusted(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The digest by which a rotation, or a change of the witness set, commits to this key before it is shown.
    pub fn digest(&self) -> Digest {
        Digest::of(&Encoder::new().text(KEY_DOMAIN).fixed(&self.0).finish())
    }

    /// Words by which a person tells this key from others: 44 bits of its hash, enough where both screens are in sight.
    pub fn words(&self) -> Vec<&'static str> {
        words_of(KEY_WORDS_DOMAIN, &self.0, KEY_WORDS)
    }

    /// True when `signature` is this key's over `bytes` in `domain` on `topic`.
    pub fn verify(&self, topic: &Topic, domain: &str, bytes: &[u8], signature: &Signature) -> bool {
        let message = signing_bytes(topic, domain, self, bytes);
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        points::read(&self.0).is_ok_and(|key| key.verify_strict(&message, &signature).is_ok())
    }

    /// Reads a key that must be one.
    pub(crate) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Self::from_bytes(&decoder.array()?).map_err(|_| DecodeError::OutOfRange)
    }
}

impl SecretKey {
    /// A key from 32 secret bytes.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The 32 secret bytes, wiped from memory when dropped.
    pub fn seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The public key.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    /// The X25519 key (RFC 7748) to which secrets for the holder of this key are sealed.
    pub fn sealing_key(&self) -> [u8; 32] {
        self.0.verifying_key().to_montgomery().to_bytes()
    }

    /// The secret of [`SecretKey::sealing_key`] (RFC 8032, section 5.1.5; RFC 7748).
    pub(crate) fn opening_key(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_scalar_bytes())
    }

    /// Signs `bytes` in `domain` on `topic`; deterministic (RFC 8032).
    pub fn sign(&self, topic: &Topic, domain: &str, bytes: &[u8]) -> Signature {
        Signature(self.0.sign(&signing_bytes(topic, domain, &self.public(), bytes)).to_bytes())
    }

    /// The key that seals what only this identity's devices may read, for identity key *i* (`self`) and the number of
    /// devices that were revoked under it.
    pub fn list_key(&self, number: u32) -> Zeroizing<[u8; 32]> {
        derive(self.0.as_bytes(), LIST_KEY_INFO, &number.to_be_bytes())
    }
}

impl Signature {
    pub const fn from_bytes(bytes: [u8; SIGNATURE_BYTES]) -> Self {
        Self(bytes)
    }

    pub const fn as_bytes(&self) -> &[u8; SIGNATURE_BYTES] {
        &self.0
    }
}

impl Master {
    /// The master of 32 random bytes.
    pub fn from_entropy(entropy: [u8; 32]) -> Self {
        Self(Zeroizing::new(entropy))
    }

    /// The master of 24 words as people write them down. Fails as [`PhraseError`] says.
    pub fn from_words(words: &str) -> Result<Self, PhraseError> {
        words_to_entropy(words).map(Self)
    }

    /// The 32 bytes, wiped from memory when dropped.
    pub fn entropy(&self) -> Zeroizing<[u8; 32]> {
        self.0.clone()
    }

    /// The 24 words, wiped from memory when dropped.
    pub fn words(&self) -> Zeroizing<String> {
        let mnemonic = Mnemonic::from_entropy_in(Language::English, self.0.as_slice()).expect("32 bytes are 24 words");
        Zeroizing::new(mnemonic.to_string())
    }

    /// Identity key `number`: 0 is the first one, each rotation uses the next.
    pub fn identity_key(&self, number: u32) -> SecretKey {
        SecretKey::from_seed(&derive(self.0.as_slice(), IDENTITY_KEY_INFO, &number.to_be_bytes()))
    }

    /// The inception of this master's identity.
    pub fn inception(&self) -> Inception {
        Inception { key: self.identity_key(0).public(), next: self.identity_key(1).public().digest() }
    }
}

impl Inception {
    /// The name of the identity on one network.
    pub fn did(&self, topic: &Topic) -> Did {
        let bytes = Encoder::new().text(INCEPTION_DOMAIN).fixed(topic.as_bytes());
        Did(Digest::of(&self.encode(bytes).finish()))
    }

    pub(crate) fn encode(&self, encoder: Encoder) -> Encoder {
        encoder.fixed(self.key.as_bytes()).fixed(self.next.as_bytes())
    }

    pub(crate) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(Self { key: PublicKey::decode(decoder)?, next: Digest::from_bytes(decoder.array()?) })
    }
}

impl Did {
    /// An identity's name from its digest.
    pub const fn from_digest(digest: Digest) -> Self {
        Self(digest)
    }

    /// The digest of the inception.
    pub const fn digest(&self) -> &Digest {
        &self.0
    }

    pub const fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// Words that two people can compare aloud to be sure they mean the same identity: 88 bits of its hash.
    pub fn safety_words(&self) -> Vec<&'static str> {
        words_of(SAFETY_WORDS_DOMAIN, self.as_bytes(), SAFETY_WORDS)
    }
}

/// Words for comparing by eye or aloud: 11 bits of a hash each.
fn words_of(domain: &str, bytes: &[u8; 32], count: usize) -> Vec<&'static str> {
    let hash = Digest::of(&Encoder::new().text(domain).fixed(bytes).finish());
    let bit = |at: usize| usize::from(hash.as_bytes()[at / 8] >> (7 - at % 8) & 1);
    let word = |nth: usize| (0..11).fold(0, |index, at| index << 1 | bit(nth * 11 + at));
    (0..count).map(|nth| Language::English.word_list()[word(nth)]).collect()
}

/// The bytes that are signed and hashed: domain, topic, signer and content, so that a signature serves once.
pub(crate) fn signing_bytes(topic: &Topic, domain: &str, signer: &PublicKey, bytes: &[u8]) -> Vec<u8> {
    Encoder::new().text(domain).fixed(topic.as_bytes()).fixed(signer.as_bytes()).bytes(bytes).finish()
}

/// HKDF-SHA-256 (RFC 5869) without a salt; the parts of `info` have fixed lengths, so they can be joined.
fn derive(secret: &[u8], purpose: &[u8], number: &[u8; 4]) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    let hkdf = Hkdf::<Sha256>::new(None, secret);
    hkdf.expand_multi_info(&[purpose, number], key.as_mut_slice()).expect("32 bytes are one block of HKDF");
    key
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Digest::from_bytes(self.0))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "signature {}", crate::digest::hex(&self.0[..4]))
    }
}

impl fmt::Display for Did {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{DID_PREFIX}{}", multibase::encode(multibase::Base::Base58Btc, self.as_bytes()))
    }
}

impl fmt::Debug for Did {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The one text of each did; others, such as one in another base, are refused.
impl FromStr for Did {
    type Err = DidError;

    fn from_str(text: &str) -> Result<Self, DidError> {
        let encoded = text.strip_prefix(DID_PREFIX).filter(|rest| rest.starts_with('z') && text.len() <= DID_MAX_BYTES);
        let (_, bytes) = multibase::decode(encoded.ok_or(DidError)?).map_err(|_| DidError)?;
        let digest: [u8; 32] = bytes.as_slice().try_into().map_err(|_| DidError)?;
        Ok(Self(Digest::from_bytes(digest)))
    }
}

impl serde::Serialize for Did {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Did {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <String as serde::Deserialize>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
