//! Changes of the witness set: signed by the succession of the set before, numbered, and each naming the one before.

use std::collections::BTreeSet;

use crate::canonical::{DecodeError, Decoder, Encoder};
use crate::digest::Digest;
use crate::identity::Topic;
use crate::keys::{PublicKey, Signature};
use crate::network::{Closing, GenesisError, WITNESSES_MAX, WitnessSet, small};

const DOMAIN: &str = "gen-registry/set-change/v2";

/// The statement "from now on these are the witnesses".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetChange {
    /// 1 for the first change of a network.
    pub number: u32,
    /// The change before; for the first one the topic.
    pub before: Digest,
    pub set: WitnessSet,
    /// The version of limits, folding tables and rules by which the new set judges.
    pub version: u32,
    /// What was confirmed until now.
    pub closing: Closing,
}

/// A change with the signatures of succession keys. Each is valid; whether they are enough depends on the set before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedSetChange {
    change: SetChange,
    /// In ascending order of the keys, each once.
    signatures: Vec<(PublicKey, Signature)>,
    digest: Digest,
}

/// Why a change of the set is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetChangeError {
    #[error("these bytes are no change of a witness set")]
    Unreadable(#[from] DecodeError),
    #[error("the new set is none: {0}")]
    Set(#[from] GenesisError),
    #[error("a change has 1 to {WITNESSES_MAX} signatures, in ascending order of the keys")]
    Signatures,
    #[error("a signature is not that key's, or not over this, or not for this network")]
    Forged,
    #[error("the signatures are over different changes. Compare the files that each signer had")]
    OtherChange,
}

impl SetChange {
    /// Names the change: the digest of all that is signed.
    pub fn digest(&self, topic: &Topic) -> Digest {
        Digest::of(&Encoder::new().text(DOMAIN).fixed(topic.as_bytes()).bytes(&self.encode()).finish())
    }

    /// The signature of one succession key.
    pub fn sign(&self, topic: &Topic, key: &crate::keys::SecretKey) -> (PublicKey, Signature) {
        (key.public(), key.sign(topic, DOMAIN, &self.encode()))
    }

    /// The bytes that are signed: the unsigned change, as it is passed to those who sign.
    pub fn encode(&self) -> Vec<u8> {
        let encoder = Encoder::new().integer(self.number.into()).fixed(self.before.as_bytes());
        let encoder = self.set.encode(encoder).integer(self.version.into());
        self.closing.encode(encoder).finish()
    }

    /// Reads what [`SetChange::encode`] wrote and checks the set.
    pub fn decode(bytes: &[u8]) -> Result<Self, SetChangeError> {
        let mut decoder = Decoder::new(bytes);
        let (number, before) = (small(&mut decoder)?, Digest::from_bytes(decoder.array()?));
        let set = WitnessSet::decode(&mut decoder)?;
        let version = small(&mut decoder)?;
        let closing = Closing::decode(&mut decoder)?;
        decoder.end()?;
        set.check()?;
        if number == 0 || set.is_empty() {
            return Err(DecodeError::OutOfRange.into());
        }
        Ok(Self { number, before, set, version, closing })
    }
}

impl SignedSetChange {
    /// Joins a change and the signatures that were made of it, and verifies them.
    pub fn new(
        topic: &Topic,
        change: SetChange,
        mut signatures: Vec<(PublicKey, Signature)>,
    ) -> Result<Self, SetChangeError> {
        signatures.sort_unstable();
        Self::verify(topic, change, signatures)
    }

    fn verify(
        topic: &Topic,
        change: SetChange,
        signatures: Vec<(PublicKey, Signature)>,
    ) -> Result<Self, SetChangeError> {
        let ascend = signatures.windows(2).all(|pair| pair[0].0 < pair[1].0);
        if signatures.is_empty() || signatures.len() > WITNESSES_MAX || !ascend {
            return Err(SetChangeError::Signatures);
        }
        let bytes = change.encode();
        if !signatures.iter().all(|(key, signature)| key.verify(topic, DOMAIN, &bytes, signature)) {
            return Err(SetChangeError::Forged);
        }
        let digest = change.digest(topic);
        Ok(Self { change, signatures, digest })
    }

    /// The change with one signature, as a signer passes it on.
    pub fn sign(topic: &Topic, change: SetChange, key: &crate::keys::SecretKey) -> Self {
        let signature = change.sign(topic, key);
        let digest = change.digest(topic);
        Self { change, signatures: vec![signature], digest }
    }

    /// Joins what several signers passed on. A key that signed in several of them counts once.
    ///
    /// # Errors
    /// If they are of different changes, or none is there.
    pub fn join(topic: &Topic, signed: impl IntoIterator<Item = Self>) -> Result<Self, SetChangeError> {
        let mut signed = signed.into_iter();
        let first = signed.next().ok_or(SetChangeError::Signatures)?;
        let mut signatures = first.signatures;
        for other in signed {
            if other.digest != first.digest {
                return Err(SetChangeError::OtherChange);
            }
            signatures.extend(other.signatures);
        }
        signatures.sort_unstable();
        signatures.dedup_by_key(|(key, _)| *key);
        Self::new(topic, first.change, signatures)
    }

    pub fn change(&self) -> &SetChange {
        &self.change
    }

    /// The digest of the change; the same whichever succession keys signed.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Returns whether this key has signed it.
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        self.signatures.iter().any(|(signer, _)| signer == key)
    }

    /// The number of signatures by keys to which the set before committed.
    pub fn signers_of(&self, before: &WitnessSet) -> usize {
        let digests: BTreeSet<Digest> = self.signatures.iter().map(|(key, _)| key.digest()).collect();
        before.succession.iter().filter(|digest| digests.contains(digest)).count()
    }

    /// The bytes that are passed on.
    pub fn encode(&self) -> Vec<u8> {
        let encoder = Encoder::new().bytes(&self.change.encode()).byte(self.signatures.len() as u8);
        let mut bytes = encoder.finish();
        for (key, signature) in &self.signatures {
            bytes.extend_from_slice(key.as_bytes());
            bytes.extend_from_slice(signature.as_bytes());
        }
        bytes
    }

    /// Reads what [`SignedSetChange::encode`] wrote and verifies every signature.
    pub fn decode(topic: &Topic, bytes: &[u8]) -> Result<Self, SetChangeError> {
        let mut decoder = Decoder::new(bytes);
        let change = SetChange::decode(decoder.bytes()?)?;
        let count = usize::from(decoder.byte()?);
        if count == 0 || count > WITNESSES_MAX {
            return Err(SetChangeError::Signatures);
        }
        let signature = |decoder: &mut Decoder<'_>| -> Result<_, DecodeError> {
            Ok((PublicKey::decode(decoder)?, Signature::from_bytes(decoder.array()?)))
        };
        let signatures = (0..count).map(|_| signature(&mut decoder)).collect::<Result<_, _>>()?;
        decoder.end()?;
        Self::verify(topic, change, signatures)
    }
}
