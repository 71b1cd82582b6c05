//! The keys of a person's private lists, and how they reach the person's devices.
//!
//! What only its owner may read is sealed with a *list key*. It follows from the identity key and a number
//! ([`SecretKey::list_key`]), so a device that has the identity key has every list key. A device without it is handed the
//! key, sealed to its own: by its [`DeviceAdd`](crate::statement::DeviceAdd), and by a [`ListKeys`] each time the number
//! is raised. The number is how many devices ended: a revoked device has the keys of before and none of after.
//!
//! ```text
//!   phone added       number 0    DeviceAdd {phone, key 0 sealed to the phone}
//!   tablet added      number 0    DeviceAdd {tablet, key 0 sealed to the tablet}
//!   phone revoked     number 1    DeviceRevoke {phone}, then ListKeys {1, key 1 sealed to the tablet}
//! ```
//!
//! Two devices may each revoke another device at the same time, and each hands key 1 to the device that the other one
//! revoked. When both revocations are known, the number is 2. A device with the identity key then hands out key 2.
//!
//! Sealing is HPKE (RFC 9180), base mode: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305. What proves whose
//! key it is is the signature of the statement that carries it.

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use zeroize::Zeroizing;

use crate::canonical::{DecodeError, Decoder, Encoder};
use crate::identity::Topic;
use crate::keys::{Did, PublicKey, SecretKey};
use crate::statement::DEVICES_MAX;

/// The bytes of a sealed list key: the encapsulated key, the list key, the tag.
pub const SEALED_KEY_BYTES: usize = 32 + 32 + 16;

type SealingKey = <X25519HkdfSha256 as Kem>::PublicKey;
type OpeningKey = <X25519HkdfSha256 as Kem>::PrivateKey;
type EncappedKey = <X25519HkdfSha256 as Kem>::EncappedKey;

/// A list key sealed to one device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealedListKey {
    /// How many devices of the identity had ended.
    pub number: u32,
    pub sealed: [u8; SEALED_KEY_BYTES],
}

/// "This is the key of my lists from now on", for each device that acts for the identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListKeys {
    pub number: u32,
    keys: Vec<(PublicKey, [u8; SEALED_KEY_BYTES])>,
}

/// The device to which a list key is sealed, and whose lists they are. Authenticated with the key.
#[derive(Clone, Copy, Debug)]
pub struct Recipient {
    pub topic: Topic,
    pub did: Did,
    pub device: PublicKey,
}

/// A list key does not open: it is sealed to another device, for another identity or network, or was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the list key is not sealed to this device")]
pub struct NotForThisDevice;

impl Recipient {
    /// Seals a list key to the device's X25519 key; `random` is drawn for this seal only. Returns `None` if that key is a
    /// weak one, which no honest device has.
    pub fn seal(
        &self,
        sealing_key: &[u8; 32],
        number: u32,
        list_key: &[u8; 32],
        random: Zeroizing<[u8; 32]>,
    ) -> Option<SealedListKey> {
        let to = SealingKey::from_bytes(sealing_key).ok()?;
        let mut rng = ChaCha20Rng::from_seed(*random);
        let (encapped, sealed) = hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeS::Base,
            &to,
            &self.info(number),
            list_key,
            &[],
            &mut rng,
        )
        .ok()?;
        let bytes = [encapped.to_bytes().as_slice(), &sealed].concat();
        Some(SealedListKey { number, sealed: bytes.try_into().ok()? })
    }

    /// Opens a list key with the secret of the device.
    pub fn open(&self, secret: &SecretKey, key: &SealedListKey) -> Result<Zeroizing<[u8; 32]>, NotForThisDevice> {
        let (encapped, sealed) = key.sealed.split_at(32);
        let encapped = EncappedKey::from_bytes(encapped).map_err(|_| NotForThisDevice)?;
        let secret = OpeningKey::from_bytes(secret.opening_key().as_slice()).map_err(|_| NotForThisDevice)?;
        let opened = hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            &secret,
            &encapped,
            &self.info(key.number),
            sealed,
            &[],
        );
        let opened = Zeroizing::new(opened.map_err(|_| NotForThisDevice)?);
        opened.as_slice().try_into().map(Zeroizing::new).map_err(|_| NotForThisDevice)
    }

    fn info(&self, number: u32) -> Vec<u8> {
        Encoder::new()
            .text("gen-registry/list-key/v2")
            .fixed(self.topic.as_bytes())
            .fixed(self.did.as_bytes())
            .fixed(self.device.as_bytes())
            .integer(number.into())
            .finish()
    }
}

impl SealedListKey {
    pub(crate) fn encode(&self, encoder: Encoder) -> Encoder {
        encoder.integer(self.number.into()).fixed(&self.sealed)
    }

    pub(crate) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(Self { number: decode_number(decoder)?, sealed: decoder.array()? })
    }
}

impl ListKeys {
    /// The statement that hands out one list key, once for each device.
    pub fn new(number: u32, keys: impl IntoIterator<Item = (PublicKey, SealedListKey)>) -> Self {
        let mut keys: Vec<_> = keys.into_iter().map(|(device, key)| (device, key.sealed)).collect();
        keys.sort_by_key(|(device, _)| *device);
        keys.dedup_by_key(|(device, _)| *device);
        Self { number, keys }
    }

    /// The key for a device, if it is handed one.
    pub fn key_for(&self, device: &PublicKey) -> Option<SealedListKey> {
        let (_, sealed) = self.keys.iter().find(|(to, _)| to == device)?;
        Some(SealedListKey { number: self.number, sealed: *sealed })
    }

    pub(crate) fn encode(&self, encoder: Encoder) -> Encoder {
        let encoder = encoder.integer(self.number.into()).byte(self.keys.len() as u8);
        self.keys.iter().fold(encoder, |encoder, (device, sealed)| encoder.fixed(device.as_bytes()).fixed(sealed))
    }

    pub(crate) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let (number, count) = (decode_number(decoder)?, decoder.byte()?);
        if count > DEVICES_MAX {
            return Err(DecodeError::OutOfRange);
        }
        let key = |decoder: &mut Decoder<'_>| Ok((PublicKey::decode(decoder)?, decoder.array()?));
        let keys: Vec<_> = (0..count).map(|_| key(decoder)).collect::<Result<_, DecodeError>>()?;
        let ascend = keys.windows(2).all(|pair| pair[0].0 < pair[1].0);
        if ascend { Ok(Self { number, keys }) } else { Err(DecodeError::OutOfRange) }
    }
}

fn decode_number(decoder: &mut Decoder<'_>) -> Result<u32, DecodeError> {
    u32::try_from(decoder.integer()?).map_err(|_| DecodeError::OutOfRange)
}

#[cfg(test)]
mod tests;
