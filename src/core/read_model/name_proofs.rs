//! The proof of a name, as this read model can give it.

use std::collections::BTreeSet;

use crate::keys::Did;
use crate::log::EntryId;
use crate::name::NameKind;
use crate::name_proof::{self, NameProof, Parts, RecordError, saying_entries};
use crate::outcome::NameKey;
use crate::read_model::ReadModel;
use crate::registry::Registry;

impl ReadModel {
    /// The proof of a name, or `None` if the name never had a holder, is contested, or its history does not fit. A
    /// module's newest release is included if there is room.
    pub fn name_proof(&self, name: &NameKey) -> Option<NameProof> {
        let registry = self.registry();
        let outcome = registry.name(name);
        if outcome.tenures.is_empty() || !outcome.contested.is_empty() || !registry.has_witnesses() {
            return None;
        }
        let module = (name.0 == NameKind::Module).then(|| self.module(&name.1));
        let newest = module.as_ref().and_then(|module| module.newest());
        for release in [newest, None] {
            let parts = gather(registry, &saying_entries(registry, &outcome, release))?;
            match name_proof::compose(name, &parts, registry.history()) {
                Ok(proof) => return Some(proof),
                Err(RecordError::TooLong) => {}
                Err(_) => return None,
            }
        }
        None
    }

    /// The names that an identity holds or gave up last: those whose records it publishes.
    pub fn names_published_by(&self, who: &Did) -> Vec<NameKey> {
        let facts = self.registry().facts().by_identity(who);
        let claimed = facts.filter_map(|fact| fact.claim().map(|claim| (claim.name.kind(), claim.name.folded())));
        let names: BTreeSet<NameKey> = claimed.collect();
        let is_last = |name: &NameKey| {
            let last = self.name_state(name).and_then(|state| state.tenures.last());
            last.is_some_and(|dated| dated.tenure.holder == *who)
        };
        names.into_iter().filter(is_last).collect()
    }
}

/// Entries with their openings and what confirms them; `None` if one is not here.
fn gather(registry: &Registry, entries: &BTreeSet<EntryId>) -> Option<Parts> {
    let mut parts = Parts::default();
    for id in entries {
        let entry = registry.entry(id)?;
        let opening = registry.entry(&registry.opening_entry(&entry.header().log.opening)?)?;
        parts.entries.extend([(opening.id(), opening), (*id, entry)]);
        let known = registry.confirmations();
        let threshold = usize::from(registry.history().set().threshold);
        parts.receipts.extend(known.present_receipts_of(registry.history(), id).take(threshold).cloned());
        parts.paths.extend(known.paths_of(id).take(1).map(|path| (*id, path.clone())));
    }
    Some(parts)
}
