//! What two devices show each other when one adds the other to its identity: texts, to be copied or scanned as QR codes.
//!
//! ```text
//!   new device                                       device with the identity key
//!   makes a device key
//!   gen-device:… (network, key, proof of holding it)  ──►  shows whose request it is, signs the addition
//!                     its own opening  ◄──  gen-added:… (network, the opening of the new device's log)
//!   shows whose device it becomes; keeps the opening
//! ```
//!
//! Neither text is secret: a request is good for nothing without its key, and an opening is public in any case. The request
//! is signed by its key, so that nobody adds a key that somebody else holds. Who can put another request in the place of
//! the right one gets their own device added: so both sides show the same words of the key for comparison
//! ([`PublicKey::words`]).

use crate::canonical::{DecodeError, Decoder, Encoder};
use crate::digest::Digest;
use crate::identity::Topic;
use crate::keys::{PublicKey, SecretKey, Signature};
use crate::log::{Opening, OpeningError};

/// The longest text that is read.
pub const TEXT_MAX_BYTES: usize = 64 * 1024;

const REQUEST_PREFIX: &str = "gen-device:";
const GRANT_PREFIX: &str = "gen-added:";
const REQUEST_DOMAIN: &str = "gen-registry/device-request/v2";

/// "This key wants to act for somebody": what a new device shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceRequest {
    pub device: PublicKey,
    /// The X25519 key to which list keys are sealed.
    pub sealing_key: [u8; 32],
}

/// Why a text is no request, or no answer to one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceTextError {
    #[error("a text for adding a device begins with {0}")]
    OtherText(&'static str),
    #[error("some of the text is missing or was changed")]
    Damaged,
    #[error("it is for another network")]
    OtherNetwork,
    #[error("its signature is not that of its device key")]
    Forged,
    #[error("what it shows is refused: {0}")]
    Opening(#[from] OpeningError),
}

impl From<DecodeError> for DeviceTextError {
    fn from(_: DecodeError) -> Self {
        Self::Damaged
    }
}

impl DeviceRequest {
    /// The request of a device key, as a text signed by it.
    pub fn sign(topic: &Topic, device: &SecretKey) -> String {
        let request = Self { device: device.public(), sealing_key: device.sealing_key() };
        let content = request.encode();
        let signature = device.sign(topic, REQUEST_DOMAIN, &content);
        let bytes = Encoder::new().fixed(topic.as_bytes()).bytes(signature.as_bytes()).bytes(&content).finish();
        to_text(REQUEST_PREFIX, &bytes)
    }

    /// Reads and verifies a request.
    pub fn verify(topic: &Topic, text: &str) -> Result<Self, DeviceTextError> {
        let bytes = from_text(REQUEST_PREFIX, text)?;
        let mut decoder = Decoder::new(&bytes);
        let of: [u8; 32] = decoder.array()?;
        let signature = decoder.bytes()?.try_into().map_err(|_| DeviceTextError::Damaged)?;
        let signature = Signature::from_bytes(signature);
        let content = decoder.bytes()?;
        decoder.end()?;
        if of != *topic.as_bytes() {
            return Err(DeviceTextError::OtherNetwork);
        }
        let mut decoder = Decoder::new(content);
        let request = Self { device: PublicKey::decode(&mut decoder)?, sealing_key: decoder.array()? };
        decoder.end()?;
        let is_signed = request.device.verify(topic, REQUEST_DOMAIN, content, &signature);
        if is_signed { Ok(request) } else { Err(DeviceTextError::Forged) }
    }

    fn encode(&self) -> Vec<u8> {
        Encoder::new().fixed(self.device.as_bytes()).fixed(&self.sealing_key).finish()
    }
}

/// The answer to a request: the opening of the new device's log, as a text.
pub fn grant_text(topic: &Topic, opening: &Opening) -> String {
    to_text(GRANT_PREFIX, &Encoder::new().fixed(topic.as_bytes()).bytes(&opening.encode()).finish())
}

/// Reads and verifies the answer to a request.
pub fn read_grant(topic: &Topic, text: &str) -> Result<Opening, DeviceTextError> {
    let bytes = from_text(GRANT_PREFIX, text)?;
    let mut decoder = Decoder::new(&bytes);
    let of: [u8; 32] = decoder.array()?;
    let opening = decoder.bytes()?;
    decoder.end()?;
    if of != *topic.as_bytes() {
        return Err(DeviceTextError::OtherNetwork);
    }
    Ok(Opening::decode(topic, opening)?)
}

/// The bytes with four of their digest behind them, so that a text that was cut short is known as such.
fn to_text(prefix: &'static str, bytes: &[u8]) -> String {
    let digest = Digest::of(bytes);
    let with_sum: Vec<u8> = bytes.iter().chain(&digest.as_bytes()[..4]).copied().collect();
    format!("{prefix}{}", multibase::Base::Base64Url.encode(with_sum))
}

/// Blanks and line breaks, which pasting brings in, say nothing.
fn from_text(prefix: &'static str, text: &str) -> Result<Vec<u8>, DeviceTextError> {
    if text.len() > TEXT_MAX_BYTES {
        return Err(DeviceTextError::Damaged);
    }
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let encoded = text.strip_prefix(prefix).ok_or(DeviceTextError::OtherText(prefix))?;
    let with_sum = multibase::Base::Base64Url.decode(encoded).map_err(|_| DeviceTextError::Damaged)?;
    let (bytes, sum) = with_sum.split_last_chunk::<4>().ok_or(DeviceTextError::Damaged)?;
    if Digest::of(bytes).as_bytes()[..4] != sum[..] {
        return Err(DeviceTextError::Damaged);
    }
    Ok(bytes.to_vec())
}

#[cfg(test)]
mod tests;
