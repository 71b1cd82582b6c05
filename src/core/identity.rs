//! Identities: ed25519 keys that belong to people, their text form, their recovery words, and what they sign.
//!
//! The only owner of `ed25519-dalek`. Only `verify_strict` is used and weak keys never become an [`Identity`], so all
//! peers agree on every signature. It refuses to sign raw bytes: a signature is always over a domain, the network's
//! topic and the author as well.

use std::fmt;
use std::str::FromStr;

use bip39::{Language, Mnemonic};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::canonical::{DecodeError, Decoder, Encoder};
use crate::digest::{Digest, bytes_from_hex};

/// Multicodec prefix of an ed25519 public key, as an unsigned varint (did:key method, section 3.1).
const ED25519_MULTICODEC: [u8; 2] = [0xed, 0x01];
const DID_KEY_PREFIX: &str = "did:key:";
const SIGNATURE_BYTES: usize = 64;
/// Words in a recovery phrase: 256 bits of entropy and 8 of checksum (BIP 39).
pub const RECOVERY_WORDS: usize = 24;
/// Words two people compare; 11 bits each.
const SAFETY_WORDS: usize = 8;

/// The 32 bytes that name one network (its "topic").
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Topic([u8; 32]);

/// A person's public key. A valid point and not weak, by construction.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity([u8; 32]);

/// A person's secret key. Wiped from memory when dropped; has no `Debug`.
#[derive(Clone)]
pub struct SigningIdentity(SigningKey);

/// Why some bytes or text are no identity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    #[error("a did of this network starts with did:key:z6Mk")]
    NotDidKey,
    #[error("the key in this did is not an ed25519 public key")]
    NotEd25519,
    #[error("these bytes are no point of the curve")]
    NotAPoint,
    #[error("this key is weak: anyone could sign for it")]
    Weak,
}

/// Why some words are no recovery phrase. Positions count from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PhraseError {
    #[error("a recovery phrase has {RECOVERY_WORDS} words; this has {0}")]
    WordCount(usize),
    #[error("word {0} is not in the word list")]
    UnknownWord(usize),
    #[error("the words don't belong together: one is wrong or two have changed places")]
    Checksum,
}

/// The words of a phrase in lower case: every run of letters that is no ordinal's ending (`1st`). Characters that are
/// drawn as nothing do not end a word.
fn read_words(phrase: &str) -> Vec<String> {
    let is_nothing =
        |c: &char| matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}' | '\u{feff}');
    let visible: Zeroizing<String> = Zeroizing::new(phrase.chars().filter(|c| !is_nothing(c)).collect());
    let mut words = Vec::new();
    for token in visible.split(|c: char| !c.is_alphanumeric()) {
        let word = token.trim_start_matches(|c: char| c.is_numeric());
        let is_ordinal = word.len() < token.len() && ["st", "nd", "rd", "th"].contains(&word);
        if !word.is_empty() && !is_ordinal {
            words.push(word.to_lowercase());
        }
    }
    words
}

/// Returns the 32 bytes that 24 words stand for (BIP 39).
pub(crate) fn words_to_entropy(phrase: &str) -> Result<Zeroizing<[u8; 32]>, PhraseError> {
    let words = Zeroizing::new(read_words(phrase));
    if words.len() != RECOVERY_WORDS {
        return Err(PhraseError::WordCount(words.len()));
    }
    if let Some(at) = words.iter().position(|word| Language::English.find_word(word).is_none()) {
        return Err(PhraseError::UnknownWord(at + 1));
    }
    let mnemonic =
        Mnemonic::parse_in_normalized(Language::English, &words.join(" ")).map_err(|_| PhraseError::Checksum)?;
    let (bytes, _) = mnemonic.to_entropy_array();
    let bytes = Zeroizing::new(bytes);
    let mut entropy = Zeroizing::new([0; 32]);
    entropy.copy_from_slice(&bytes[..32]);
    Ok(entropy)
}

/// A type whose values can be signed. `decode(encode(x))` is `x`, and no other bytes decode to it.
pub trait Statement: Sized {
    /// `gen-registry/<type>/v1`; different for each type, so that no signature serves for two.
    fn domain(&self) -> &'static str;
    /// The canonical bytes.
    fn encode(&self) -> Vec<u8>;
    /// Decodes canonical bytes and checks their limits.
    fn decode(bytes: &[u8]) -> Result<Self, DecodeError>;
}

/// A statement and the valid signature of its author. Only signing and verifying make one.
#[derive(Clone, PartialEq, Eq)]
pub struct Signed<T> {
    author: Identity,
    statement: T,
    signature: [u8; SIGNATURE_BYTES],
    hash: Digest,
}

/// Why signed bytes are refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    #[error("the signed bytes can't be read")]
    Unreadable(#[from] DecodeError),
    #[error("the author's key can't be used")]
    Author(#[from] IdentityError),
    #[error("the statement is not in its one canonical form")]
    NotCanonical,
    #[error("the signature is not the author's, or not over this, or not for this network")]
    Forged,
}

impl Topic {
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl Identity {
    /// An identity from a public key. Fails for bytes that are no point of the curve, and for weak keys, for which
    /// anyone could sign.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, IdentityError> {
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| IdentityError::NotAPoint)?;
        if key.is_weak() {
            return Err(IdentityError::Weak);
        }
        Ok(Self(*bytes))
    }

    /// For bytes that were an identity when this node wrote them down: checking the curve again would be most of the
    /// time of a start with many people. [`Identity::verify`] refuses a bad key in any case.
    pub fn from_trusted(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The public key as 64 hex digits.
    pub fn to_hex(&self) -> String {
        Digest::from_bytes(*self.as_bytes()).to_string()
    }

    /// Words that two people can compare aloud to be sure they mean the same key: 88 bits of its hash.
    pub fn safety_words(&self) -> Vec<&'static str> {
        let hash = Digest::of(&Encoder::new().text("gen-registry/safety-words/v1").fixed(self.as_bytes()).finish());
        let bit = |at: usize| usize::from(hash.as_bytes()[at / 8] >> (7 - at % 8) & 1);
        let word = |nth: usize| (0..11).fold(0, |index, at| index << 1 | bit(nth * 11 + at));
        (0..SAFETY_WORDS).map(|nth| Language::English.word_list()[word(nth)]).collect()
    }

    /// True when `signature` is this identity's over `bytes` in `domain` on `topic`.
    pub fn verify(&self, topic: &Topic, domain: &str, bytes: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> bool {
        let message = signing_bytes(topic, domain, self, bytes);
        let signature = Signature::from_bytes(signature);
        VerifyingKey::from_bytes(&self.0).is_ok_and(|key| key.verify_strict(&message, &signature).is_ok())
    }
}

impl SigningIdentity {
    /// A key from 32 bytes of entropy; the recovery phrase is these bytes in words.
    pub fn from_entropy(entropy: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(entropy))
    }

    /// The key of 24 BIP 39 words as people write them down: numbered, on lines, with commas, capitals or quotation
    /// marks. Every word is of the letters a to z, so nothing else can be part of one; the checksum guards against a
    /// wrong reading.
    pub fn from_recovery_phrase(phrase: &str) -> Result<Self, PhraseError> {
        words_to_entropy(phrase).map(|entropy| Self::from_entropy(&entropy))
    }

    /// The key as 24 BIP 39 words, wiped from memory when dropped.
    pub fn recovery_phrase(&self) -> Zeroizing<String> {
        let mnemonic = Mnemonic::from_entropy(self.0.as_bytes()).expect("32 bytes are 24 words");
        Zeroizing::new(mnemonic.to_string())
    }

    /// The 32 secret bytes, wiped from memory when dropped.
    pub fn entropy(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The public key.
    pub fn identity(&self) -> Identity {
        Identity(self.0.verifying_key().to_bytes())
    }

    /// Signs `bytes` in `domain` on `topic`; deterministic (RFC 8032).
    pub fn sign(&self, topic: &Topic, domain: &str, bytes: &[u8]) -> [u8; SIGNATURE_BYTES] {
        self.0.sign(&signing_bytes(topic, domain, &self.identity(), bytes)).to_bytes()
    }
}

/// The bytes that are signed and hashed: domain, topic, author and statement, so that a signature serves once.
pub(crate) fn signing_bytes(topic: &Topic, domain: &str, author: &Identity, bytes: &[u8]) -> Vec<u8> {
    Encoder::new().text(domain).fixed(topic.as_bytes()).fixed(author.as_bytes()).bytes(bytes).finish()
}

impl<T: Statement> Signed<T> {
    /// Signs a statement for one network.
    pub fn sign(author: &SigningIdentity, topic: &Topic, statement: T) -> Self {
        let (bytes, domain) = (statement.encode(), statement.domain());
        let signature = author.sign(topic, domain, &bytes);
        let author = author.identity();
        let hash = Digest::of(&signing_bytes(topic, domain, &author, &bytes));
        Self { author, statement, signature, hash }
    }

    /// Reads what [`Signed::encode`] wrote and verifies the signature.
    pub fn verify(bytes: &[u8], topic: &Topic) -> Result<Self, SignatureError> {
        let signed = Self::decode(bytes, topic)?;
        let encoded = signed.statement.encode();
        if !signed.author.verify(topic, signed.statement.domain(), &encoded, &signed.signature) {
            return Err(SignatureError::Forged);
        }
        Ok(signed)
    }

    /// As [`Signed::verify`] for a statement that is in a change which `owner` signed: the change's signature
    /// vouches for the owner's own statements, all others are verified here.
    pub fn verify_within_change_of(owner: &Identity, bytes: &[u8], topic: &Topic) -> Result<Self, SignatureError> {
        // The owner's key was checked with the change; checking it again for each fact would cost more than the rest.
        if bytes.starts_with(&owner.0) {
            Self::decode_by(bytes, topic, |_| Ok(*owner))
        } else {
            Self::verify(bytes, topic)
        }
    }

    /// Reads a statement that this node verified before it wrote it down.
    pub fn decode_unverified(bytes: &[u8], topic: &Topic) -> Result<Self, SignatureError> {
        Self::decode_by(bytes, topic, |author| Ok(Identity::from_trusted(author)))
    }

    fn decode(bytes: &[u8], topic: &Topic) -> Result<Self, SignatureError> {
        Self::decode_by(bytes, topic, |author| Identity::from_bytes(&author))
    }

    fn decode_by(
        bytes: &[u8],
        topic: &Topic,
        identity: impl Fn([u8; 32]) -> Result<Identity, IdentityError>,
    ) -> Result<Self, SignatureError> {
        let mut decoder = Decoder::new(bytes);
        let author = identity(decoder.array()?)?;
        let body = decoder.bytes()?;
        let signature = decoder.array()?;
        decoder.end()?;
        let statement = T::decode(body)?;
        if statement.encode() != body {
            return Err(SignatureError::NotCanonical);
        }
        let hash = Digest::of(&signing_bytes(topic, statement.domain(), &author, body));
        Ok(Self { author, statement, signature, hash })
    }

    /// The signed statement as bytes: author, statement behind its length, signature.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Encoder::new().fixed(self.author.as_bytes()).bytes(&self.statement.encode()).finish();
        bytes.extend_from_slice(&self.signature);
        bytes
    }
}

impl<T> Signed<T> {
    pub fn author(&self) -> Identity {
        self.author
    }

    pub fn statement(&self) -> &T {
        &self.statement
    }

    /// Names the statement: the hash of all that is signed (not of the signature).
    pub fn hash(&self) -> Digest {
        self.hash
    }
}

impl<T: fmt::Debug> fmt::Debug for Signed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signed").field("author", &self.author).field("statement", &self.statement).finish()
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes: Vec<u8> = ED25519_MULTICODEC.iter().chain(self.as_bytes()).copied().collect();
        write!(f, "{DID_KEY_PREFIX}{}", multibase::encode(multibase::Base::Base58Btc, bytes))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The longest did this network writes is 56 characters; more is not decoded.
const DID_MAX_BYTES: usize = 64;

impl FromStr for Identity {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, IdentityError> {
        let encoded = text.strip_prefix(DID_KEY_PREFIX).ok_or(IdentityError::NotDidKey)?;
        if !encoded.starts_with('z') || encoded.len() > DID_MAX_BYTES {
            return Err(IdentityError::NotDidKey);
        }
        let (_, bytes) = multibase::decode(encoded).map_err(|_| IdentityError::NotDidKey)?;
        let key = bytes.strip_prefix(&ED25519_MULTICODEC).ok_or(IdentityError::NotEd25519)?;
        Self::from_bytes(key.try_into().map_err(|_| IdentityError::NotEd25519)?)
    }
}

impl Serialize for Identity {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Identity {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Digest::from_bytes(self.0))
    }
}

impl TryFrom<String> for Topic {
    type Error = crate::digest::DigestError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        bytes_from_hex(&text).map(Self)
    }
}

impl From<Topic> for String {
    fn from(topic: Topic) -> Self {
        Digest::from_bytes(topic.0).to_string()
    }
}

#[cfg(test)]
mod tests;
