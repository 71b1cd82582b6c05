//! The keys of a profile as a session has them, and as they are stored.
//!
//! A profile has a device key, and with it the identity's key: until the person has shown to have the recovery words, the
//! words themselves are here, since the page must be able to show them; afterwards only the present identity key, from
//! which no other key follows. A device that was added with fewer capabilities has no identity key.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::errors;
use crate::platform::Environment;
use crate::store::records::put;
use crate::store::{Table, Write};
use gen_registry_api::*;
use gen_registry_core::identity::Topic;
use gen_registry_core::keys::{Did, Inception, Master, SecretKey};
use gen_registry_core::log::{Capabilities, LogId, Opening};
use gen_registry_core::sealing::{Cost, NONCE_BYTES, SALT_BYTES};
use gen_registry_core::statement::{DeviceAdd, SignedStatement, Statement};

/// The key of [`Table::Keys`] under which the keys are stored.
pub(crate) const RECORD: &str = "identity";

/// The keys as this session has them.
pub(crate) enum KeyState {
    /// There are none.
    Empty,
    /// They can sign; `sealed` is their stored form under a passphrase, if it has one.
    Open { keys: Box<Keys>, sealed: Option<SealedKeys> },
    /// Only their sealed form is known.
    Locked { opening: Box<Opening>, sealed: SealedKeys },
}

/// What a profile signs with.
#[derive(Clone)]
pub(crate) struct Keys {
    pub(crate) device: SecretKey,
    /// Whose device it is, and what it may.
    pub(crate) opening: Opening,
    pub(crate) identity: IdentitySecret,
}

/// What a profile has of the identity's keys.
#[derive(Clone)]
pub(crate) enum IdentitySecret {
    /// The 32 bytes behind the words: they were not checked yet.
    Words(Zeroizing<[u8; 32]>),
    /// The identity key of this number.
    Key { number: u32, key: SecretKey },
    /// Nothing: the device acts within its capabilities only.
    None,
}

/// The stored form of the keys.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct KeyRecord {
    #[serde(with = "serde_bytes")]
    opening: Vec<u8>,
    secrets: StoredSecrets,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum StoredSecrets {
    Plain(Secrets),
    Sealed(SealedKeys),
}

/// What is secret, as it is stored or sealed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Secrets {
    device: Zeroizing<[u8; 32]>,
    identity: StoredIdentity,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum StoredIdentity {
    Words(Zeroizing<[u8; 32]>),
    Key { number: u32, seed: Zeroizing<[u8; 32]> },
    None,
}

/// Keys sealed under a passphrase, with what is needed to derive the sealing key again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SealedKeys {
    pub(crate) cost: Cost,
    pub(crate) salt: [u8; SALT_BYTES],
    pub(crate) nonce: [u8; NONCE_BYTES],
    #[serde(with = "serde_bytes")]
    pub(crate) sealed: Vec<u8>,
}

/// Why a stored record gives no keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeyRecordError {
    #[error("the opening is none of this network")]
    Opening,
    #[error("the secret is not that of the opening's device")]
    OtherDevice,
}

impl Keys {
    /// Makes a new identity with this device as its only one.
    pub(crate) fn make(environment: &dyn Environment, topic: &Topic) -> Self {
        let mut entropy = Zeroizing::new([0; 32]);
        environment.random(entropy.as_mut_slice());
        Self::add_device(environment, topic, &Master::from_entropy(*entropy), 0)
    }

    /// Makes a device of the identity of these words. `number` is one that no other device of it has.
    pub(crate) fn add_device(environment: &dyn Environment, topic: &Topic, master: &Master, number: u8) -> Self {
        let identity = IdentitySecret::Words(master.entropy());
        Self::join(environment, topic, (master.inception(), Vec::new()), master.identity_key(0), identity, number)
    }

    /// Makes another device of the identity whose device wrote an opening, or `None` if `identity` has no key of it.
    pub(crate) fn beside(
        environment: &dyn Environment,
        topic: &Topic,
        opening: &Opening,
        identity: IdentitySecret,
        number: u8,
    ) -> Option<Self> {
        let keys = Self { device: SecretKey::from_seed(&[0; 32]), opening: opening.clone(), identity };
        let key = keys.identity_key().filter(|key| key.public() == opening.link(topic).key)?;
        let line = (*opening.inception(), opening.links().to_vec());
        Some(Self::join(environment, topic, line, key, keys.identity, number))
    }

    /// Adds a new device key to the identity of this inception and these links, signed with its key.
    fn join(
        environment: &dyn Environment,
        topic: &Topic,
        (inception, links): (Inception, Vec<SignedStatement>),
        key: SecretKey,
        identity: IdentitySecret,
        number: u8,
    ) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        environment.random(seed.as_mut_slice());
        let device = SecretKey::from_seed(&seed);
        let addition = DeviceAdd {
            number,
            device: device.public(),
            sealing_key: device.sealing_key(),
            capabilities: Capabilities::full(),
            sealed_list_key: Vec::new(),
        };
        let addition = SignedStatement::sign(topic, inception.did(topic), &key, Statement::DeviceAdd(addition));
        let opening = Opening::new(topic, inception, links, addition).expect("it is put together by the rules");
        Self { device, opening, identity }
    }

    pub(crate) fn did(&self) -> Did {
        self.opening.did()
    }

    /// The log of facts that this profile writes.
    pub(crate) fn facts_log(&self) -> LogId {
        self.opening.log()
    }

    /// The identity key, if it is here.
    pub(crate) fn identity_key(&self) -> Option<SecretKey> {
        match &self.identity {
            IdentitySecret::Words(entropy) => Some(Master::from_entropy(**entropy).identity_key(self.key_number())),
            IdentitySecret::Key { key, .. } => Some(key.clone()),
            IdentitySecret::None => None,
        }
    }

    /// The number of the identity key under which the device was added.
    fn key_number(&self) -> u32 {
        let rotations = self.opening.links().iter().filter(|link| matches!(link.statement, Statement::Rotate(_)));
        rotations.count() as u32
    }

    /// The recovery words, as long as they are here.
    pub(crate) fn words(&self) -> Option<Zeroizing<String>> {
        match &self.identity {
            IdentitySecret::Words(entropy) => Some(Master::from_entropy(**entropy).words()),
            IdentitySecret::Key { .. } | IdentitySecret::None => None,
        }
    }

    /// The same without the words: the present identity key stays.
    pub(crate) fn without_words(&self) -> Self {
        let identity = match (&self.identity, self.identity_key()) {
            (IdentitySecret::Words(_), Some(key)) => IdentitySecret::Key { number: self.key_number(), key },
            (other, _) => other.clone(),
        };
        Self { identity, ..self.clone() }
    }

    /// The secrets as they are stored or sealed.
    pub(crate) fn secrets(&self) -> Secrets {
        let identity = match &self.identity {
            IdentitySecret::Words(entropy) => StoredIdentity::Words(entropy.clone()),
            IdentitySecret::Key { number, key } => StoredIdentity::Key { number: *number, seed: key.seed() },
            IdentitySecret::None => StoredIdentity::None,
        };
        Secrets { device: self.device.seed(), identity }
    }

    /// The secrets for a backup, which has no device key.
    pub(crate) fn secrets_without_device(&self) -> Secrets {
        Secrets { device: Zeroizing::new([0; 32]), ..self.secrets() }
    }

    /// The keys of an opening and its secrets. Fails if they do not belong together.
    pub(crate) fn from_secrets(opening: Opening, secrets: Secrets) -> Result<Self, KeyRecordError> {
        let device = SecretKey::from_seed(&secrets.device);
        if device.public() != opening.device() {
            return Err(KeyRecordError::OtherDevice);
        }
        Ok(Self { device, opening, identity: secrets.into_identity() })
    }
}

impl Secrets {
    /// What there is of the identity's keys.
    pub(crate) fn into_identity(self) -> IdentitySecret {
        match self.identity {
            StoredIdentity::Words(entropy) => IdentitySecret::Words(entropy),
            StoredIdentity::Key { number, seed } => IdentitySecret::Key { number, key: SecretKey::from_seed(&seed) },
            StoredIdentity::None => IdentitySecret::None,
        }
    }
}

impl KeyState {
    /// Returns the state after a start. Fails if the record is of another network or its parts do not belong together.
    pub(crate) fn from_record(record: KeyRecord, topic: &Topic) -> Result<Self, KeyRecordError> {
        let opening = Opening::decode(topic, &record.opening).map_err(|_| KeyRecordError::Opening)?;
        Ok(match record.secrets {
            StoredSecrets::Plain(secrets) => {
                Self::Open { keys: Box::new(Keys::from_secrets(opening, secrets)?), sealed: None }
            }
            StoredSecrets::Sealed(sealed) => Self::Locked { opening: Box::new(opening), sealed },
        })
    }

    /// Returns the opening of the profile's device.
    pub(crate) fn opening(&self) -> Option<&Opening> {
        match self {
            Self::Empty => None,
            Self::Open { keys, .. } => Some(&keys.opening),
            Self::Locked { opening, .. } => Some(opening),
        }
    }

    /// Returns the identity that the keys belong to.
    pub(crate) fn identity(&self) -> Option<Did> {
        self.opening().map(Opening::did)
    }

    /// Returns how the keys are protected.
    pub(crate) fn protection(&self) -> Protection {
        match self {
            Self::Empty | Self::Open { sealed: None, .. } => Protection::None,
            Self::Open { sealed: Some(_), .. } => Protection::Unlocked,
            Self::Locked { .. } => Protection::Locked,
        }
    }

    /// Returns the open keys; fails if there are none or they are locked.
    pub(crate) fn keys(&self) -> Result<Keys, Failure> {
        match self {
            Self::Empty => Err(errors::no_identity()),
            Self::Open { keys, .. } => Ok((**keys).clone()),
            Self::Locked { .. } => Err(errors::locked()),
        }
    }
}

/// Returns the write that stores keys.
pub(crate) fn keys_write(keys: &Keys, sealed: Option<&SealedKeys>) -> Write {
    let secrets = match sealed {
        Some(sealed) => StoredSecrets::Sealed(sealed.clone()),
        None => StoredSecrets::Plain(keys.secrets()),
    };
    put(Table::Keys, RECORD, &KeyRecord { opening: keys.opening.encode(), secrets })
}
