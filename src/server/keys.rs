//! The keys that make a network, each in a file that only its owner may read: the witness's key, which signs receipts on
//! this server, and the succession key, which is used once, to name the next witnesses, and belongs elsewhere.
//!
//! A damaged file is an error, not a reason to generate another key.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use gen_registry_core::canonical::{DecodeError, Decoder, Encoder};
use gen_registry_core::digest::{Digest, bytes_from_hex, hex};
use gen_registry_core::keys::{KeyError, PublicKey, SecretKey};
use gen_registry_node::net::relay::key::save_secret;
use gen_registry_node::platform::{Environment, native::Native};

/// A kind of key in a data folder.
#[derive(Clone, Copy, Debug)]
pub struct KeyFile {
    /// The file's name.
    pub name: &'static str,
    /// The beginning of the file, so that no other secret is taken for it.
    kind: &'static str,
}

/// The key that signs receipts.
pub const WITNESS_KEY: KeyFile = KeyFile { name: "witness.key", kind: "gen-registry/witness-key/v2" };
/// The key that signs the next change of the witnesses.
pub const SUCCESSION_KEY: KeyFile = KeyFile { name: "succession.key", kind: "gen-registry/succession-key/v2" };

/// Why a key can't be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    #[error("could not read the key in {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("could not write the key to {}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("the key in {} is damaged. Bring the file back from a copy", .0.display())]
    Damaged(PathBuf),
}

impl KeyFile {
    /// Returns where the key is in a folder.
    pub fn path(&self, folder: &Path) -> PathBuf {
        folder.join(self.name)
    }

    /// Reads the key, if the file is there.
    pub fn load(&self, folder: &Path) -> Result<Option<SecretKey>, KeyFileError> {
        let path = self.path(folder);
        match fs::read(&path).map(Zeroizing::new) {
            Ok(bytes) => self.decode(&bytes).map(Some).map_err(|_| KeyFileError::Damaged(path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(KeyFileError::Read { path, source }),
        }
    }

    /// Reads the key, or generates and stores one if there is none.
    pub fn load_or_create(&self, folder: &Path) -> Result<SecretKey, KeyFileError> {
        if let Some(key) = self.load(folder)? {
            return Ok(key);
        }
        let key = fresh_key();
        let save = save_secret(folder, self.name, &self.encode(&key));
        save.map_err(|source| KeyFileError::Write { path: self.path(folder), source })?;
        Ok(key)
    }

    /// Encodes the key: the kind, the seed, and the public key's hash, by which a damaged file is noticed.
    fn encode(&self, key: &SecretKey) -> Zeroizing<Vec<u8>> {
        let check = Digest::of(key.public().as_bytes());
        Zeroizing::new(Encoder::new().text(self.kind).fixed(&key.seed()).fixed(check.as_bytes()).finish())
    }

    /// Decodes and checks the key's file.
    fn decode(&self, bytes: &[u8]) -> Result<SecretKey, DecodeError> {
        let mut decoder = Decoder::new(bytes);
        if decoder.text()? != self.kind {
            return Err(DecodeError::OutOfRange);
        }
        let seed = Zeroizing::new(decoder.array()?);
        let check = Digest::from_bytes(decoder.array()?);
        decoder.end()?;
        let key = SecretKey::from_seed(&seed);
        if Digest::of(key.public().as_bytes()) == check { Ok(key) } else { Err(DecodeError::OutOfRange) }
    }
}

/// Generates a key that is not stored.
pub fn fresh_key() -> SecretKey {
    let mut seed = Zeroizing::new([0; 32]);
    Native.random(seed.as_mut_slice());
    SecretKey::from_seed(&seed)
}

/// Returns a public key as it is written: 64 hex digits.
pub fn witness_text(key: &PublicKey) -> String {
    hex(key.as_bytes())
}

/// Reads a public key from 64 hex digits.
///
/// # Errors
/// If it is none, or one that anybody could sign for.
pub fn parse_public_key(text: &str) -> Result<PublicKey, PublicKeyError> {
    let bytes = bytes_from_hex(text.trim()).map_err(|_| PublicKeyError::Digits)?;
    Ok(PublicKey::from_bytes(&bytes)?)
}

/// Why a text is no public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublicKeyError {
    #[error("a public key has 64 hex digits")]
    Digits,
    #[error(transparent)]
    Key(#[from] KeyError),
}
