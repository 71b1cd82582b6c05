//! What is new in what a node knows of people, for those who follow them.

use std::collections::BTreeSet;

use gen_registry_core::document::ModuleAnnotations;
use gen_registry_core::keys::Did;
use gen_registry_core::log::EntryId;
use gen_registry_core::name::ModuleName;
use gen_registry_core::read_model::PersonRecord;

/// What is new of one person.
pub(crate) struct RecordDiff {
    /// Whose it is.
    pub(crate) person: Did,
    /// Facts that count since now.
    pub(crate) facts: Vec<EntryId>,
    /// Modules that are newly deprecated, and why.
    pub(crate) advised: Vec<(ModuleName, String)>,
}

/// Returns modules that are deprecated in a new record and were not, or for another reason.
pub(crate) fn newly_advised(before: Option<&PersonRecord>, after: &PersonRecord) -> Vec<(ModuleName, String)> {
    let advice =
        |record: &PersonRecord, name: &ModuleName| record.annotations.modules.get(name)?.description.deprecated.clone();
    let named = after.annotations.modules.keys().filter_map(|name| Some((name.clone(), advice(after, name)?)));
    named.filter(|(name, why)| before.and_then(|before| advice(before, name)).as_ref() != Some(why)).collect()
}

/// Returns the modules that may be shown otherwise now that a person's record is another one.
pub(crate) fn modules_touched(before: Option<&PersonRecord>, now: &PersonRecord) -> BTreeSet<ModuleName> {
    let nothing = ModuleAnnotations::default();
    let known = before.map_or(&nothing, |before| &before.annotations);
    if *known == now.annotations {
        return BTreeSet::new();
    }
    let names = |annotations: &ModuleAnnotations| -> BTreeSet<ModuleName> {
        let ModuleAnnotations { modules, ratings, installs } = annotations;
        modules.keys().chain(ratings.keys()).chain(installs.keys()).cloned().collect()
    };
    names(known).into_iter().chain(names(&now.annotations)).collect()
}
