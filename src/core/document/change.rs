//! One signed change: as it travels, as it is stored, and after it was checked.

use serde::{Deserialize, Serialize};

use super::chunk::{self, ChunkError};
use crate::identity::{Identity, SigningIdentity, Topic};
use crate::limits::CHANGE_MAX_BYTES;

const CHANGE_DOMAIN: &str = "gen-registry/change/v1";
/// The actor of the built-in first change; changes of others in its name are refused.
pub(super) const GENESIS_ACTOR: [u8; 16] = *b"gen-registry/v1\0";

/// One change as it travels and as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedChange {
    pub owner: Identity,
    #[serde(with = "serde_bytes")]
    pub bytes: Vec<u8>,
    #[serde(with = "serde_bytes")]
    pub signature: Vec<u8>,
}

/// A signed change as it lies in a store under a key that begins with its owner. The record's own mention of the owner
/// is not read: a point on the curve costs more to check than all the rest.
#[derive(Clone, Debug, Deserialize)]
pub struct StoredChange {
    #[serde(with = "serde_bytes")]
    bytes: Vec<u8>,
    #[serde(with = "serde_bytes")]
    signature: Vec<u8>,
}

/// A change whose signature and form were checked. Only [`SignedChange::verify`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedChange {
    pub(super) signed: SignedChange,
    pub(super) place: ChangeId,
}

/// A change's place in its document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChangeId {
    /// The writing session.
    pub actor: Vec<u8>,
    /// Counts the session's changes from 1.
    pub seq: u64,
}

/// Why a change is refused before Automerge sees it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    #[error("the signature is not the owner's over these bytes on this network")]
    Forged,
    #[error("the change has not the form that is admitted")]
    Form(#[from] ChunkError),
    #[error("the change is written as the built-in first one")]
    Genesis,
}

impl SignedChange {
    /// Signs what Automerge made.
    pub(super) fn sign(author: &SigningIdentity, topic: &Topic, bytes: Vec<u8>) -> Self {
        let signature = author.sign(topic, CHANGE_DOMAIN, &bytes).to_vec();
        Self { owner: author.identity(), bytes, signature }
    }

    /// Checks the signature over exactly these bytes, then their form.
    pub fn verify(self, topic: &Topic) -> Result<VerifiedChange, ChangeError> {
        if self.bytes.len() > CHANGE_MAX_BYTES {
            return Err(ChunkError::TooLarge(self.bytes.len()).into());
        }
        let signature = self.signature.as_slice().try_into().map_err(|_| ChangeError::Forged)?;
        if !self.owner.verify(topic, CHANGE_DOMAIN, &self.bytes, signature) {
            return Err(ChangeError::Forged);
        }
        self.decode_unverified()
    }

    /// The place that the change claims for itself. Nothing is verified.
    pub fn id(&self) -> Result<ChangeId, ChangeError> {
        let header = chunk::parse(&self.bytes)?;
        Ok(ChangeId { actor: header.actor, seq: header.seq })
    }

    /// For a change that this node verified before it wrote it down: the form only.
    pub fn decode_unverified(self) -> Result<VerifiedChange, ChangeError> {
        let header = chunk::parse(&self.bytes)?;
        if header.actor == GENESIS_ACTOR {
            return Err(ChangeError::Genesis);
        }
        Ok(VerifiedChange { place: ChangeId { actor: header.actor, seq: header.seq }, signed: self })
    }
}

impl StoredChange {
    /// The change; `owner` is whose key it was found under.
    pub fn of(self, owner: Identity) -> SignedChange {
        SignedChange { owner, bytes: self.bytes, signature: self.signature }
    }
}

impl VerifiedChange {
    pub fn signed(&self) -> &SignedChange {
        &self.signed
    }

    pub fn id(&self) -> &ChangeId {
        &self.place
    }

    pub fn owner(&self) -> Identity {
        self.signed.owner
    }
}
