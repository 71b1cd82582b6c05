//! Secrets sealed under a passphrase: Argon2id (RFC 9106) derives a key from it, XChaCha20-Poly1305 encrypts and
//! authenticates.
//!
//! Pure: salt and nonce are arguments. [`stretch`] is slow on purpose, so each guess of a thief costs as much; callers
//! run it off the main thread.

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// Random bytes that make two stretched keys of one passphrase differ.
pub const SALT_BYTES: usize = 16;
/// Random bytes of a seal; long enough to be drawn at random for every seal with one key.
pub const NONCE_BYTES: usize = 24;
/// The shortest passphrase that may be set, in characters.
pub const PASSPHRASE_MIN_CHARS: usize = 8;
/// The longest passphrase that is stretched.
pub const PASSPHRASE_MAX_BYTES: usize = 1024;

/// The cost of one guess: memory, passes and lanes of Argon2id. It is stored beside what it protects, so that it can be
/// raised later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    pub memory_kib: u32,
    pub passes: u32,
    pub lanes: u32,
}

/// RFC 9106, section 4: the second recommended option (64 MiB, 3 passes, 4 lanes).
pub const COST: Cost = Cost { memory_kib: 64 * 1024, passes: 3, lanes: 4 };
/// The highest cost that is accepted. A file that asks for more would only keep the device busy.
pub const COST_MAX: Cost = Cost { memory_kib: 256 * 1024, passes: 10, lanes: 8 };

/// A 256-bit key, wiped from memory when dropped.
pub type StretchedKey = Zeroizing<[u8; 32]>;

/// Why stretching or opening fails.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum SealError {
    #[error("the cost of the seal is out of bounds")]
    Cost,
    #[error("the passphrase is longer than {PASSPHRASE_MAX_BYTES} bytes")]
    TooLong,
    /// The key is another one, or the sealed bytes or their context were changed; these can't be distinguished.
    #[error("the key does not open the seal")]
    WrongKey,
}

/// The arguments of [`stretch`], as they go to a worker.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StretchJob {
    pub passphrase: Zeroizing<String>,
    pub salt: [u8; SALT_BYTES],
    pub cost: Cost,
}

/// Derives a key from a passphrase with Argon2id.
pub fn stretch(job: &StretchJob) -> Result<StretchedKey, SealError> {
    let Cost { memory_kib, passes, lanes } = job.cost;
    if memory_kib > COST_MAX.memory_kib || passes > COST_MAX.passes || lanes > COST_MAX.lanes {
        return Err(SealError::Cost);
    }
    if job.passphrase.len() > PASSPHRASE_MAX_BYTES {
        return Err(SealError::TooLong);
    }
    let params = Params::new(memory_kib, passes, lanes, Some(32)).map_err(|_| SealError::Cost)?;
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(job.passphrase.as_bytes(), &job.salt, key.as_mut_slice())
        .map_err(|_| SealError::Cost)?;
    Ok(key)
}

/// Encrypts `plain` and authenticates it together with `context`, which is not stored in the result. `nonce` must not
/// be used twice with one key. The result is 16 bytes longer than `plain`.
pub fn seal(key: &StretchedKey, nonce: &[u8; NONCE_BYTES], context: &[u8], plain: &[u8]) -> Vec<u8> {
    let payload = Payload { msg: plain, aad: context };
    let cipher = XChaCha20Poly1305::new(key.as_slice().into());
    cipher.encrypt(XNonce::from_slice(nonce), payload).expect("what is sealed is far below 256 GiB")
}

/// Decrypts what [`seal`] returned. `context` must be the same; the plain text is wiped from memory when dropped.
pub fn open(
    key: &StretchedKey,
    nonce: &[u8; NONCE_BYTES],
    context: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let payload = Payload { msg: sealed, aad: context };
    let cipher = XChaCha20Poly1305::new(key.as_slice().into());
    cipher.decrypt(XNonce::from_slice(nonce), payload).map(Zeroizing::new).map_err(|_| SealError::WrongKey)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_and_keys_round_trip() {
        let job = StretchJob { passphrase: "correct horse".to_owned().into(), salt: [7; SALT_BYTES], cost: COST };
        let bytes = cbor4ii::serde::to_vec(Vec::new(), &job).unwrap();
        let again: StretchJob = cbor4ii::serde::from_slice(&bytes).unwrap();
        assert_eq!((again.passphrase, again.salt, again.cost), (job.passphrase, job.salt, job.cost));
        #[derive(Serialize, Deserialize)]
        enum StretchOutcome {
            Stretched(StretchedKey),
        }
        let bytes = cbor4ii::serde::to_vec(Vec::new(), &StretchOutcome::Stretched(Zeroizing::new([9; 32]))).unwrap();
        let StretchOutcome::Stretched(key) = cbor4ii::serde::from_slice(&bytes).unwrap();
        assert_eq!(*key, [9; 32]);
    }
}
