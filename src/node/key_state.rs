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
use gen_registry_core::device_request::DeviceRequest;
use gen_registry_core::identity::Topic;
use gen_registry_core::keys::{Did, Inception, Master, PublicKey, SecretKey};
use gen_registry_core::list_keys::SealedListKey;
use gen_registry_core::log::{Capabilities, LogId, Opening};
use gen_registry_core::sealing::{self, Cost, NONCE_BYTES, SALT_BYTES, SealError, StretchedKey};
use gen_registry_core::statement::{DeviceAdd, SignedStatement, Statement};

/// The key of [`Table::Keys`] under which the keys are stored.
pub(crate) const RECORD: &str = "identity";

/// The keys as this session has them.
pub(crate) enum KeyState {
    /// There are none.
    Empty,
    /// They can sign; `lock` is what they are stored under, if they have a passphrase.
    Open { keys: Box<Keys>, lock: Option<PassphraseLock> },
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
#[derive(Clone, Default)]
pub(crate) struct IdentitySecret {
    /// Identity keys by number: the present one, and the next one while a rotation to it is not confirmed. None on a device
    /// that acts within its capabilities only.
    pub(crate) keys: Vec<(u32, SecretKey)>,
    /// The 32 bytes behind the words, until the person has shown to have them.
    pub(crate) words: Option<Zeroizing<[u8; 32]>>,
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
struct StoredIdentity {
    keys: Vec<(u32, Zeroizing<[u8; 32]>)>,
    words: Option<Zeroizing<[u8; 32]>>,
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

/// A passphrase as a session has it: what it was stretched to, and how.
#[derive(Clone)]
pub(crate) struct PassphraseLock {
    pub(crate) cost: Cost,
    pub(crate) salt: [u8; SALT_BYTES],
    pub(crate) key: StretchedKey,
}

/// Authenticated with every sealed key, so that no other sealed secret can be put in its place.
const SEAL_CONTEXT: &[u8] = b"gen-registry/stored-keys/v2";

/// Why a stored record gives no keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeyRecordError {
    #[error("the opening is none of this network")]
    Opening,
    #[error("the secret is not that of the opening's device")]
    OtherDevice,
}

/// The keys of an identity up to the present one, as an opening shows them.
pub(crate) struct KeyLine {
    pub(crate) inception: Inception,
    pub(crate) links: Vec<SignedStatement>,
}

impl Keys {
    /// Makes a new identity with this device as its only one.
    pub(crate) fn make(environment: &dyn Environment, topic: &Topic) -> Self {
        let mut entropy = Zeroizing::new([0; 32]);
        environment.random(entropy.as_mut_slice());
        let master = Master::from_entropy(*entropy);
        let line = KeyLine { inception: master.inception(), links: Vec::new() };
        let identity = IdentitySecret { keys: vec![(0, master.identity_key(0))], words: Some(master.entropy()) };
        Self::join(environment, topic, &line, identity, 0).expect("the inception is to this key")
    }

    /// Adds a new device key to an identity, signed by the identity key at the end of a line. `number` is one that no other
    /// device of it has. Returns `None` if that key is not among the secrets.
    pub(crate) fn join(
        environment: &dyn Environment,
        topic: &Topic,
        line: &KeyLine,
        identity: IdentitySecret,
        number: u8,
    ) -> Option<Self> {
        let device = new_device(environment);
        let request = DeviceRequest { device: device.public(), sealing_key: device.sealing_key() };
        let key = identity.keys.iter().map(|(_, key)| key);
        let opening =
            key.rev().find_map(|key| add_device(topic, line, key, &request, Capabilities::full(), number, None))?;
        Some(Self { device, opening, identity })
    }

    pub(crate) fn did(&self) -> Did {
        self.opening.did()
    }

    /// The log of facts that this profile writes.
    pub(crate) fn facts_log(&self) -> LogId {
        self.opening.log()
    }

    /// The secret of an identity key, if it is here.
    pub(crate) fn secret_of(&self, key: &PublicKey) -> Option<&SecretKey> {
        self.identity.keys.iter().map(|(_, secret)| secret).find(|secret| secret.public() == *key)
    }

    /// The recovery words, as long as they are here.
    pub(crate) fn words(&self) -> Option<Zeroizing<String>> {
        self.identity.words.as_ref().map(|entropy| Master::from_entropy(**entropy).words())
    }

    /// The same without the words: the identity keys stay.
    pub(crate) fn without_words(&self) -> Self {
        let identity = IdentitySecret { words: None, ..self.identity.clone() };
        Self { identity, ..self.clone() }
    }

    /// The secrets as they are stored or sealed.
    pub(crate) fn secrets(&self) -> Secrets {
        let keys = self.identity.keys.iter().map(|(number, key)| (*number, key.seed())).collect();
        let identity = StoredIdentity { keys, words: self.identity.words.clone() };
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

/// Draws a new device key.
pub(crate) fn new_device(environment: &dyn Environment) -> SecretKey {
    let mut seed = Zeroizing::new([0; 32]);
    environment.random(seed.as_mut_slice());
    SecretKey::from_seed(&seed)
}

impl KeyLine {
    /// Returns the opening that ends with an addition under the last key of the line, or `None` if it is by another key.
    pub(crate) fn opening_of(&self, topic: &Topic, addition: SignedStatement) -> Option<Opening> {
        // New words at the end change no key, and an addition has one opening.
        let last = self.links.iter().rposition(|link| matches!(link.statement, Statement::Rotate(_)));
        let links = self.links[..last.map_or(0, |last| last + 1)].to_vec();
        Opening::new(topic, self.inception, links, addition).ok()
    }
}

/// Returns the opening of a device that an identity key adds, or `None` if that key is not at the end of the line.
pub(crate) fn add_device(
    topic: &Topic,
    line: &KeyLine,
    key: &SecretKey,
    request: &DeviceRequest,
    capabilities: Capabilities,
    number: u8,
    list_key: Option<SealedListKey>,
) -> Option<Opening> {
    let addition =
        DeviceAdd { number, device: request.device, sealing_key: request.sealing_key, capabilities, list_key };
    let did = line.inception.did(topic);
    line.opening_of(topic, SignedStatement::sign(topic, did, key, Statement::DeviceAdd(addition)))
}

impl Secrets {
    /// What there is of the identity's keys.
    pub(crate) fn into_identity(self) -> IdentitySecret {
        let keys = self.identity.keys.iter().map(|(number, seed)| (*number, SecretKey::from_seed(seed))).collect();
        IdentitySecret { keys, words: self.identity.words }
    }
}

impl KeyState {
    /// Returns the state after a start. Fails if the record is of another network or its parts do not belong together.
    pub(crate) fn from_record(record: KeyRecord, topic: &Topic) -> Result<Self, KeyRecordError> {
        let opening = Opening::decode(topic, &record.opening).map_err(|_| KeyRecordError::Opening)?;
        Ok(match record.secrets {
            StoredSecrets::Plain(secrets) => {
                Self::Open { keys: Box::new(Keys::from_secrets(opening, secrets)?), lock: None }
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
            Self::Empty | Self::Open { lock: None, .. } => Protection::None,
            Self::Open { lock: Some(_), .. } => Protection::Unlocked,
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

impl PassphraseLock {
    /// The stored form of secrets under this passphrase.
    pub(crate) fn seal(&self, environment: &dyn Environment, secrets: &Secrets) -> SealedKeys {
        let mut nonce = [0; NONCE_BYTES];
        environment.random(&mut nonce);
        let plain = cbor4ii::serde::to_vec(Vec::new(), secrets).expect("plain data can be written");
        let sealed = sealing::seal(&self.key, &nonce, SEAL_CONTEXT, &Zeroizing::new(plain));
        SealedKeys { cost: self.cost, salt: self.salt, nonce, sealed }
    }

    /// Opens the stored form. Fails if the passphrase is another one.
    pub(crate) fn open(&self, sealed: &SealedKeys) -> Result<Zeroizing<Vec<u8>>, SealError> {
        sealing::open(&self.key, &sealed.nonce, SEAL_CONTEXT, &sealed.sealed)
    }
}

/// Returns the write that stores keys, sealed if there is a passphrase.
pub(crate) fn keys_write(environment: &dyn Environment, keys: &Keys, lock: Option<&PassphraseLock>) -> Write {
    let secrets = match lock {
        Some(lock) => StoredSecrets::Sealed(lock.seal(environment, &keys.secrets())),
        None => StoredSecrets::Plain(keys.secrets()),
    };
    put(Table::Keys, RECORD, &KeyRecord { opening: keys.opening.encode(), secrets })
}
