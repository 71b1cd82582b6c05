//! What a new record of a person says that the old one did not.

use std::collections::BTreeSet;

use gen_registry_core::digest::Digest;
use gen_registry_core::fact::{ClaimedName, Fact, SignedFact};
use gen_registry_core::identity::Identity;
use gen_registry_core::name::ModuleName;
use gen_registry_core::read_model::PersonRecord;

use gen_registry_core::document::ModuleAnnotations;
use gen_registry_core::fact::NameClaim;

/// What a person's new record contains that the old one did not.
pub(crate) struct RecordDiff {
    /// Whose record it is.
    pub(crate) person: Identity,
    /// New facts, of this person only: receipts are others'.
    pub(crate) facts: Vec<SignedFact>,
    /// Modules that are newly deprecated, and why.
    pub(crate) advised: Vec<(ModuleName, String)>,
}

impl RecordDiff {
    /// Compares two records. Returns `None` if nothing changed that a follower may want to see.
    pub(crate) fn between(before: Option<&PersonRecord>, after: &PersonRecord) -> Option<Self> {
        let known: BTreeSet<Digest> =
            before.map(|b| b.facts.iter().map(SignedFact::hash).collect()).unwrap_or_default();
        let fresh = after.facts.iter().filter(|fact| fact.author() == after.identity && !known.contains(&fact.hash()));
        let facts: Vec<SignedFact> = fresh.cloned().collect();
        let advice =
            |record: &PersonRecord, name: &ModuleName| record.shelf.modules.get(name)?.description.deprecated.clone();
        let named = after.shelf.modules.keys().filter_map(|name| Some((name.clone(), advice(after, name)?)));
        let advised: Vec<(ModuleName, String)> =
            named.filter(|(name, why)| before.and_then(|before| advice(before, name)).as_ref() != Some(why)).collect();
        (!facts.is_empty() || !advised.is_empty()).then_some(Self { person: after.identity, facts, advised })
    }
}

/// Returns the modules that may be shown otherwise now that a person's record is another one.
pub(crate) fn modules_touched(before: Option<&PersonRecord>, now: &PersonRecord) -> BTreeSet<ModuleName> {
    let nothing = ModuleAnnotations::default();
    let (known, shelf) = before.map_or((0, &nothing), |before| (before.facts.len(), &before.shelf));
    let mut touched = BTreeSet::new();
    for fact in now.facts.get(known..).unwrap_or_default() {
        match fact.statement() {
            Fact::Release(release) => drop(touched.insert(release.module.clone())),
            Fact::NameClaim(NameClaim { name: ClaimedName::Module(name), .. }) => drop(touched.insert(name.clone())),
            // Withdrawals, ends of claims and receipts name no module; whose they are does.
            _ => touched.extend(now.facts.iter().filter_map(module_of)),
        }
    }
    if *shelf != now.shelf {
        let names = |shelf: &ModuleAnnotations| -> BTreeSet<ModuleName> {
            let ModuleAnnotations { modules, ratings, installs } = shelf;
            modules.keys().chain(ratings.keys()).chain(installs.keys()).cloned().collect()
        };
        touched.extend(names(shelf));
        touched.extend(names(&now.shelf));
    }
    touched
}

/// Returns the module that a fact is a release of.
fn module_of(fact: &SignedFact) -> Option<ModuleName> {
    match fact.statement() {
        Fact::Release(release) => Some(release.module.clone()),
        _ => None,
    }
}
