//! The lists of what closed sets confirmed, which a witness gives to whoever asks. With a list and the root that the change
//! of the set names, everybody finds the path of each fact; a list that is not the whole one has another root.

use super::state::State;
use gen_registry_core::digest::Digest;
use gen_registry_core::log::EntryId;
use gen_registry_core::network::{Closing, FactList};
use gen_registry_core::sync::asking::wire::{ClosingPage, FACTS_PAGE_MAX};

impl State {
    /// A page of the list of a closed set. Nothing of a set that is not closed, or of which not everything is known here.
    pub(super) fn page_of(&mut self, page: &ClosingPage) -> Vec<Digest> {
        let Some(change) = self.registry.history().closing_of(page.set) else { return Vec::new() };
        let closing = change.change().closing;
        let confirmations = self.registry.confirmations();
        let list = self.closings.entry(page.set).or_insert_with(|| {
            let list = FactList::new(confirmations.entries_under(page.set).map(EntryId::digest).copied());
            if Closing::of(&list) == closing {
                return list.facts().collect();
            }
            tracing::error!(set = page.set, "not everything that a closed set confirmed is known here");
            Vec::new()
        });
        let from = usize::try_from(page.from).unwrap_or(usize::MAX).min(list.len());
        list[from..].iter().take(FACTS_PAGE_MAX).copied().collect()
    }
}
