//! Validates records for a Kademlia server: a value is a name proof of this network, stored under the key of its name.
//!
//! "Better" is [`NameProof::compare`]: a server that has Alice's proof of `alice` replaces it by Dan's, which shows how she
//! gave the name to him, and never the other way round. So it does not matter that anyone may send a record.

use std::sync::{Arc, RwLock};

use crate::net::kademlia::values::{RecordFault, ValidateRecord};
use gen_registry_core::digest::Digest;
use gen_registry_core::name_proof::{self, NameProof, RecordError};
use gen_registry_core::network::NetworkHistory;

/// Verifies records of one network.
#[derive(Clone)]
pub struct RecordValidator(Arc<RwLock<NetworkHistory>>);

impl RecordValidator {
    /// Creates a validator for a network, as it is followed so far.
    pub fn new(history: NetworkHistory) -> Self {
        Self(Arc::new(RwLock::new(history)))
    }

    /// Goes on with a history that has more changes of the witness set.
    pub fn follow(&self, history: NetworkHistory) {
        *self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner) = history;
    }

    /// Decodes and verifies a value.
    fn read(&self, key: &[u8], value: &[u8]) -> Result<NameProof, RecordError> {
        let key: [u8; 32] = key.try_into().map_err(|_| RecordError::OtherName)?;
        let history = self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        name_proof::verify(&Digest::from_bytes(key), value, &history)
    }
}

impl ValidateRecord for RecordValidator {
    fn verify(&self, key: &[u8], value: &[u8], there: Option<&[u8]>, _now: u64) -> Result<bool, RecordFault> {
        let record = self.read(key, value).map_err(|error| match error {
            RecordError::TooLong | RecordError::Unreadable(_) | RecordError::NotCanonical => RecordFault::Unreadable,
            RecordError::Entry(_) | RecordError::Receipt(_) => RecordFault::Forged,
            RecordError::OtherName => RecordFault::WrongKey,
            RecordError::Foreign | RecordError::Place(_) => RecordFault::Rule,
        })?;
        // A stored record that is no longer valid is replaced.
        let there = there.and_then(|there| self.read(key, there).ok());
        Ok(there.is_none_or(|there| record.compare(&there).is_gt()))
    }
}
