//! Opinions of modules as this device counts them: ratings and installs, by what the registry and the person's own
//! decisions say of their authors. The rule is in `core::modules::ratings`.

use crate::decisions::Decisions;
use gen_registry_core::keys::Did;
use gen_registry_core::modules::ratings::{OpinionClass, RatingTotals};
use gen_registry_core::name::FoldedName;
use gen_registry_core::read_model::ReadModel;
use gen_registry_core::time::Timestamp;

/// The state that classifies opinions.
#[derive(Clone, Copy)]
pub(crate) struct Opinions<'a> {
    pub(crate) read_model: &'a ReadModel,
    pub(crate) decisions: &'a Decisions,
    pub(crate) now: Timestamp,
}

impl Opinions<'_> {
    /// Returns what is done with a person's opinions.
    pub(crate) fn class_of(&self, who: &Did) -> OpinionClass {
        if self.decisions.blocks_person(who) {
            return OpinionClass::Blocked;
        }
        self.read_model.opinion_class(who, self.now)
    }

    /// Returns a module's ratings and installs, added up; zeros if it has none.
    pub(crate) fn totals(&self, module: &FoldedName) -> RatingTotals {
        self.read_model.ratings(module).map(|state| state.totals(|who| self.class_of(who))).unwrap_or_default()
    }
}
