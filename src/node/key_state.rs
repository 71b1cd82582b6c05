//! The identity's key as a session has it, and as it is stored.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::errors;
use crate::platform::Environment;
use crate::store::records::put;
use crate::store::{Table, Write};
use gen_registry_api::*;
use gen_registry_core::identity::{Identity, SigningIdentity};
use gen_registry_core::sealing::{Cost, NONCE_BYTES, SALT_BYTES};

/// The key of [`Table::Keys`] under which the identity is stored.
pub(crate) const RECORD: &str = "identity";

/// The key as this session has it.
pub(crate) enum KeyState {
    /// There is none.
    Empty,
    /// It can sign; `sealed` is its stored form under a passphrase, if it has one.
    Open { signer: SigningIdentity, sealed: Option<SealedKey> },
    /// Only its sealed form is known.
    Locked { identity: Identity, sealed: SealedKey },
}

/// The stored form of the key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct KeyRecord {
    public: [u8; 32],
    secret: StoredSecret,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum StoredSecret {
    Plain(Zeroizing<[u8; 32]>),
    Sealed(SealedKey),
}

/// A key sealed under a passphrase, with what is needed to derive the sealing key again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SealedKey {
    pub(crate) cost: Cost,
    pub(crate) salt: [u8; SALT_BYTES],
    pub(crate) nonce: [u8; NONCE_BYTES],
    #[serde(with = "serde_bytes")]
    pub(crate) sealed: Vec<u8>,
}

impl KeyState {
    /// Returns the state after a start.
    pub(crate) fn from_record(record: KeyRecord) -> Self {
        match record.secret {
            StoredSecret::Plain(entropy) => {
                Self::Open { signer: SigningIdentity::from_entropy(&entropy), sealed: None }
            }
            StoredSecret::Sealed(sealed) => Self::Locked { identity: Identity::from_trusted(record.public), sealed },
        }
    }

    /// Returns the identity that the key belongs to.
    pub(crate) fn identity(&self) -> Option<Identity> {
        match self {
            Self::Empty => None,
            Self::Open { signer, .. } => Some(signer.identity()),
            Self::Locked { identity, .. } => Some(*identity),
        }
    }

    /// Returns how the key is protected.
    pub(crate) fn protection(&self) -> Protection {
        match self {
            Self::Empty | Self::Open { sealed: None, .. } => Protection::None,
            Self::Open { sealed: Some(_), .. } => Protection::Unlocked,
            Self::Locked { .. } => Protection::Locked,
        }
    }

    /// Returns the open key; fails if there is none or it is locked.
    pub(crate) fn signer(&self) -> Result<SigningIdentity, Failure> {
        match self {
            Self::Empty => Err(errors::no_identity()),
            Self::Open { signer, .. } => Ok(signer.clone()),
            Self::Locked { .. } => Err(errors::locked()),
        }
    }
}

/// Returns the write that stores a key.
pub(crate) fn key_write(signer: &SigningIdentity, sealed: Option<&SealedKey>) -> Write {
    let secret = match sealed {
        Some(sealed) => StoredSecret::Sealed(sealed.clone()),
        None => StoredSecret::Plain(signer.entropy()),
    };
    put(Table::Keys, RECORD, &KeyRecord { public: *signer.identity().as_bytes(), secret })
}

/// Generates a key; stores nothing.
pub(crate) fn make(environment: &dyn Environment) -> SigningIdentity {
    let mut entropy = Zeroizing::new([0; 32]);
    environment.random(entropy.as_mut_slice());
    SigningIdentity::from_entropy(&entropy)
}
