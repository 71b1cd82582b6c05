//! Validates records for a Kademlia server: a value is a name proof of this network, stored under the key of its name.
//!
//! "Better" is [`NameProof::compare`]: a server that has Alice's claim of `alice` with one receipt replaces it by the
//! same with two, and never by one that ranks lower. So it does not matter that anyone may send a record.

use crate::net::kademlia::values::{RecordFault, ValidateRecord};
use gen_registry_core::digest::Digest;
use gen_registry_core::identity::Topic;
use gen_registry_core::name_proof::{self, NameProof, RecordError};
use gen_registry_core::ownership::Rules;
use gen_registry_core::time::Timestamp;

/// Verifies records of one network.
pub struct RecordValidator {
    /// The network whose records are valid.
    topic: Topic,
    /// The witnesses that count, and how many are needed.
    rules: Rules,
}

impl RecordValidator {
    /// Creates a validator. `rules` are the network's witnesses and how many receipts confirm a name.
    pub fn new(topic: Topic, rules: Rules) -> Self {
        Self { topic, rules }
    }

    /// Decodes and verifies a value.
    fn read(&self, key: &[u8], value: &[u8], now: u64) -> Result<NameProof, RecordError> {
        let key: [u8; 32] = key.try_into().map_err(|_| RecordError::WrongKey)?;
        name_proof::verify(&Digest::from_bytes(key), value, &self.topic, &self.rules, Timestamp::from_millis(now))
    }
}

impl ValidateRecord for RecordValidator {
    fn verify(&self, key: &[u8], value: &[u8], there: Option<&[u8]>, now: u64) -> Result<bool, RecordFault> {
        let record = self.read(key, value, now).map_err(|error| match error {
            RecordError::TooLong | RecordError::Unreadable(_) | RecordError::NotCanonical => RecordFault::Unreadable,
            RecordError::Fact(_) => RecordFault::Forged,
            RecordError::WrongKey => RecordFault::WrongKey,
            RecordError::Foreign | RecordError::Lost | RecordError::Early => RecordFault::Rule,
        })?;
        // A stored record that is no longer valid is replaced.
        let there = there.and_then(|there| self.read(key, there, now).ok());
        Ok(there.is_none_or(|there| record.compare(&there).is_gt()))
    }
}
