//! What a running witness knows: all of it is stored, and entered only after that.

use std::collections::{HashMap, VecDeque};

use super::presence::Reachable;
use super::records::Head;
use super::start::Loaded;
use gen_registry_core::book::{Book, Noticed};
use gen_registry_core::keys::PublicKey;
use gen_registry_core::log::EntryId;
use gen_registry_core::receipt::Receipt;
use gen_registry_core::registry::Registry;
use gen_registry_core::sync::asking::shown::Shown;
use gen_registry_core::sync::asking::wire::Learn;
use gen_registry_core::time::Timestamp;

pub(super) struct State {
    pub registry: Registry,
    pub book: Book,
    pub head: Head,
    /// The time of the newest receipt.
    pub latest: Timestamp,
    pub reachable: Reachable,
    /// The facts that each witness signed and that are not confirmed.
    pub unconfirmed: HashMap<PublicKey, u64>,
    pub outgoing: VecDeque<Learn>,
    /// A write was begun and nobody waited for its end: what is stored is known again after a start.
    pub is_unsure: bool,
}

impl State {
    pub(super) fn new(loaded: Loaded, reachable: Reachable) -> Self {
        let Loaded { registry, book, head, latest } = loaded;
        let (outgoing, unconfirmed) = (VecDeque::new(), HashMap::new());
        let is_unsure = false;
        let mut state = Self { registry, book, head, latest, reachable, unconfirmed, outgoing, is_unsure };
        let entries: Vec<EntryId> = state.registry.confirmations().entries().copied().collect();
        for entry in entries {
            state.count(&entry, true);
        }
        state
    }

    /// Enters a stored fact, and a stored receipt of this witness for it.
    pub(super) fn learn(&mut self, shown: &Shown, receipt: Option<&Receipt>, now: Timestamp) {
        let Shown { opening, entry, fact, receipts, paths } = shown;
        self.count(&fact.id, false);
        let receipts = receipts.iter().chain(receipt).cloned().collect();
        // What its log does not keep is known to the book alone.
        let _ = self.registry.admit_alone(opening, entry, receipts, paths.clone());
        self.count(&fact.id, true);
        let noticed = [Some(Noticed::Device(fact.device())), Noticed::of(fact)];
        noticed.into_iter().flatten().for_each(|what| self.book.memory_mut().notice(what, now));
        if let Some(receipt) = receipt {
            self.latest = self.latest.max(receipt.at);
            self.book.restore(fact.clone(), receipt.clone());
        }
    }

    /// Adds a fact to what each of its witnesses signed without its being confirmed, or takes it out.
    fn count(&mut self, entry: &EntryId, is_added: bool) {
        let (known, history) = (self.registry.confirmations(), self.registry.history());
        if known.is_confirmed(history, entry) {
            return;
        }
        for receipt in known.present_receipts_of(history, entry) {
            let count = self.unconfirmed.entry(receipt.witness).or_default();
            *count = if is_added { *count + 1 } else { count.saturating_sub(1) };
        }
    }

    /// Whether a fact is confirmed with what is shown of it.
    pub(super) fn would_confirm(&self, shown: &Shown) -> bool {
        let history = self.registry.history();
        let known = self.registry.confirmations().present_receipts_of(history, &shown.fact.id).count();
        known + shown.receipts.len() >= usize::from(history.set().threshold)
    }
}
