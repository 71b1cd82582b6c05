//! Answers Kademlia with proofs of the names that this node keeps, also where their holders are offline or published nothing.
//!
//! A key of Kademlia is a hash, from which no name can be read. So a node that answers for others has a table from the
//! keys to the names it knows: some 100 bytes for each.
//!
//! Each question composes a proof, whose signatures are verified. The asking peer is not known here, so the rate of all peers
//! together is limited, to `PROOFS_PER_SECOND`. Beyond it a question gets the record that others stored, if there is one.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use crate::lookup::Lookups;
use crate::net::kademlia::held_records::ProveRecords;
use gen_registry_core::digest::Digest;
use gen_registry_core::name_proof;
use gen_registry_core::outcome::NameKey;

/// Proofs that are composed for others in each second: with 0.4 ms for one of a single tenure, a tenth of a processor.
const PROOFS_PER_SECOND: u32 = 200;
const SECOND: Duration = Duration::from_secs(1);

impl Lookups {
    /// Returns what proves the names that are kept here, from now on.
    pub(crate) fn prove_records(self: &Rc<Self>) -> Rc<dyn ProveRecords> {
        *self.names_by_key.borrow_mut() = Some(BTreeMap::new());
        let names: BTreeSet<NameKey> = self.registry.read_model().registry().facts().names().cloned().collect();
        self.follow_names(&names);
        self.clone()
    }

    /// Updates the table for these names.
    pub(super) fn follow_names(&self, names: &BTreeSet<NameKey>) {
        let mut by_key = self.names_by_key.borrow_mut();
        let Some(by_key) = &mut *by_key else { return };
        let read_model = self.registry.read_model();
        for name in names {
            match read_model.name_state(name) {
                Some(_) => by_key.insert(self.record_key(name), name.clone()),
                None => by_key.remove(&self.record_key(name)),
            };
        }
    }

    fn record_key(&self, name: &NameKey) -> Digest {
        name_proof::key(&self.context.network.topic, name)
    }
}

impl ProveRecords for Lookups {
    fn prove(&self, key: &[u8], stored: Option<&[u8]>) -> Option<Vec<u8>> {
        let key = Digest::from_bytes(key.try_into().ok()?);
        let name = self.names_by_key.borrow().as_ref()?.get(&key)?.clone();
        if !self.proofs.borrow_mut().count(PROOFS_PER_SECOND, SECOND, self.context.now()) {
            return None;
        }
        let read_model = self.registry.read_model();
        let proof = read_model.name_proof(&name)?;
        let other = stored.filter(|stored| *stored != proof.bytes());
        let other = other.and_then(|other| name_proof::verify(&key, other, read_model.registry().history()).ok());
        let is_worse = other.is_some_and(|other| other.compare(&proof).is_gt());
        (!is_worse).then(|| proof.bytes().to_vec())
    }
}
