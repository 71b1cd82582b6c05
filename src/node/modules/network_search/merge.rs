//! What this device and others found, as one list: by folded name, marked with where each module is from.
//!
//! What is known here comes first and is shown as it is known here, whatever others say. Of the rest those come first that
//! more peers name, and name earlier: the sum of `1 / (60 + place)` over their answers (reciprocal rank fusion). So one peer that
//! puts its own modules into every answer does not come before what several agree on.
//!
//! ```text
//!   peer 1: svg-renderer, svg-art      peer 2: svg-art      ─►  svg-art (1/62 + 1/61), svg-renderer (1/61)
//! ```

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::decisions::Decisions;
use crate::modules::answers::author;
use crate::modules::catalog::ModuleCatalog;
use crate::modules::input::parse_name;
use crate::registry::Registry;
use gen_registry_api::*;
use gen_registry_core::name::{ClaimedName, FoldedName};
use gen_registry_core::name_proof::NameProof;
use gen_registry_core::read_model::{ClaimStatus, NameState, ReadModel};
use gen_registry_core::sync::search::UnverifiedText;
use gen_registry_core::visible_text::visible;

/// By how much the first places of an answer are drawn together, as it is usual for this sum.
const RANK_OFFSET: f64 = 60.0;

/// A module that a peer named, with its verified proof.
pub(super) struct VerifiedModule {
    pub(super) proof: Rc<NameProof>,
    pub(super) text: UnverifiedText,
}

/// A module that is not among the results of this device.
struct FoundElsewhere {
    proof: Rc<NameProof>,
    /// The texts that peers sent, each with the number of peers, in the order of arrival.
    texts: Vec<(UnverifiedText, usize)>,
    score: f64,
    peers: u64,
    network: bool,
}

/// The lists that are put together.
pub(super) struct Merging<'a> {
    catalog: &'a ModuleCatalog,
    registry: &'a Registry,
    decisions: &'a Decisions,
    pub(super) results: NetworkSearchResults,
    /// The place in the results of each module of this device.
    here: BTreeMap<FoldedName, usize>,
    elsewhere: BTreeMap<FoldedName, FoundElsewhere>,
}

impl<'a> Merging<'a> {
    /// Begins with what this device found.
    pub(super) fn new(
        catalog: &'a ModuleCatalog,
        registry: &'a Registry,
        decisions: &'a Decisions,
        found: SearchResults,
    ) -> Self {
        let folded = |card: &ModuleCard| parse_name(&card.name).ok().map(|name| name.folded());
        let here = found.modules.iter().enumerate();
        let here = here.filter_map(|(place, card)| Some((folded(card)?, place))).collect();
        let modules = found.modules.into_iter();
        let modules = modules.map(|card| SearchedModule { card, on_device: true, peers: 0, network: false });
        let results = NetworkSearchResults {
            modules: modules.collect(),
            total_on_device: found.total,
            complete: found.complete,
            peers_asked: 0,
            peers_answered: 0,
            network_asked: false,
            not_asked: None,
        };
        Self { catalog, registry, decisions, results, here, elsewhere: BTreeMap::new() }
    }

    /// Adds what one peer answered, best first.
    pub(super) fn add_answer(&mut self, found: Vec<VerifiedModule>) {
        for (place, VerifiedModule { proof, text }) in found.into_iter().enumerate() {
            let name = proof.name.1.clone();
            if let Some(place) = self.here.get(&name) {
                self.results.modules[*place].peers += 1;
                continue;
            }
            let Some(known) = self.known(proof) else { continue };
            known.peers += 1;
            known.score += 1.0 / (RANK_OFFSET + 1.0 + place as f64);
            match known.texts.iter_mut().find(|(other, _)| *other == text) {
                Some((_, count)) => *count += 1,
                None => known.texts.push((text, 1)),
            }
        }
    }

    /// Adds the module of exactly the name that was searched for.
    pub(super) fn add_from_network(&mut self, proof: NameProof) {
        if proof.holder().is_none() || proof.release.is_none() {
            return;
        }
        if let Some(place) = self.here.get(&proof.name.1) {
            self.results.modules[*place].network = true;
        } else if let Some(known) = self.known(Rc::new(proof)) {
            known.network = true;
            // It has the very name.
            known.score += 1.0;
        }
    }

    /// Returns the entry of a module that is not among this device's results, with the better of the proofs, or `None` if
    /// it is left out.
    fn known(&mut self, proof: Rc<NameProof>) -> Option<&mut FoundElsewhere> {
        if self.is_left_out(&proof) {
            return None;
        }
        let fresh = || FoundElsewhere { proof: proof.clone(), texts: vec![], score: 0.0, peers: 0, network: false };
        let known = self.elsewhere.entry(proof.name.1.clone()).or_insert_with(fresh);
        if proof.compare(&known.proof).is_gt() {
            known.proof = proof;
        }
        Some(known)
    }

    /// Whether the person blocks a module or its holder, or this device knows that the proof is outdated, or that the name
    /// is contested.
    fn is_left_out(&self, proof: &NameProof) -> bool {
        let Some((ClaimedName::Module(name), held)) = proof.holder().map(|held| (&held.spelled, held)) else {
            return true;
        };
        let read_model = self.registry.read_model();
        self.decisions.blocks_module(name, Some(&held.holder))
            || read_model.module_name(&proof.name.1).is_some_and(|state| is_newer(state, proof))
    }

    /// Puts the list together.
    pub(super) fn finish(self, sort: ModuleSort, not_asked: Option<NotAsked>) -> NetworkSearchResults {
        let Self { catalog, registry, mut results, elsewhere, .. } = self;
        results.not_asked = not_asked;
        let read_model = registry.read_model();
        let mut others: Vec<(f64, SearchedModule)> = elsewhere
            .into_values()
            .filter_map(|found| Some((found.score, searched_module(catalog, &read_model, found)?)))
            .collect();
        match sort {
            ModuleSort::Name => others.sort_by(|(_, one), (_, other)| one.card.name.cmp(&other.card.name)),
            ModuleSort::Recent => others.sort_by_key(|(_, module)| Reverse(module.card.published_at)),
            ModuleSort::Popular | ModuleSort::Rated | ModuleSort::Relevance => {
                others.sort_by(|(one, _), (other, _)| other.total_cmp(one));
            }
        }
        results.modules.extend(others.into_iter().map(|(_, module)| module));
        results
    }
}

/// Whether what is known here of a name goes further than a proof, or shows that witnesses lied about it.
fn is_newer(state: &NameState, proof: &NameProof) -> bool {
    let here = (state.tenures.len(), state.holder().is_none());
    let there = (proof.outcome.tenures.len(), proof.holder().is_none());
    here > there || state.status() == Some(ClaimStatus::Contested)
}

/// Returns a module as it is shown: as this device knows it, or with what is proven and what peers say.
fn searched_module(catalog: &ModuleCatalog, read_model: &ReadModel, found: FoundElsewhere) -> Option<SearchedModule> {
    let FoundElsewhere { proof, texts, peers, network, .. } = found;
    let (held, release) = (proof.holder()?, proof.release.as_ref()?);
    let ClaimedName::Module(name) = &held.spelled else { return None };
    if let Some(card) = catalog.card_of(read_model, name) {
        return Some(SearchedModule { card, on_device: true, peers, network });
    }
    let text = most_frequent(texts);
    let shown = |text: &str| Some(visible(text).into_owned()).filter(|text| !text.trim().is_empty());
    let card = ModuleCard {
        name: name.to_string(),
        title: shown(&text.title),
        description: shown(&text.description),
        tags: text.tags.iter().filter_map(|tag| shown(tag)).collect(),
        version: release.release.version.to_string(),
        published_at: release.at.as_millis(),
        size: release.release.artifact.size,
        holder: author(read_model, &held.holder),
        opinion: RatingSummary::default(),
        imports_nothing: false,
        deprecated: false,
        installed: None,
    };
    Some(SearchedModule { card, on_device: false, peers, network })
}

/// Returns the text that most peers sent; of several the first, which is that of the peer with the best reputation.
fn most_frequent(texts: Vec<(UnverifiedText, usize)>) -> UnverifiedText {
    texts.into_iter().rev().max_by_key(|(_, count)| *count).map(|(text, _)| text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_most_say_is_shown_and_of_several_what_was_said_first() {
        let text = |title: &str| UnverifiedText { title: title.to_owned(), ..UnverifiedText::default() };
        let said = |counts: &[(&str, usize)]| {
            most_frequent(counts.iter().map(|(title, count)| (text(title), *count)).collect())
        };
        assert_eq!(said(&[("a lie", 1), ("the truth", 2), ("another lie", 1)]), text("the truth"));
        assert_eq!(said(&[("first", 1), ("second", 1)]), text("first"));
        assert_eq!(said(&[]), UnverifiedText::default());
    }
}
