//! Answers connected peers that search: with modules of which this node can prove whose they are.
//!
//! One question is answered at a time. Where the index is in memory it is asked; a stranger's question never starts it, and never
//! has it fed: then at most [`SCANNED_MAX`] modules are compared with the text, in time slices.
//!
//! Only modules of identities are named that this node keeps as every node of its range does, and its own. Whom the person
//! follows and which modules are installed do not show in an answer.

use std::time::Duration;

use crate::modules::input::parse_name;
use crate::modules::network_search::NetworkSearch;
use crate::net::key::NetPeerId;
use crate::time_slice::TimeSlice;
use gen_registry_api::{ModuleCard, ModuleFilter, ModuleSort};
use gen_registry_core::keys::Did;
use gen_registry_core::name::NameKind;
use gen_registry_core::ring::place_of;
use gen_registry_core::sync::rejection::Rejection;
use gen_registry_core::sync::search::{Answer, Found, Order, Question, UnverifiedText};

/// The length of the fixed window in which the answers to all peers are counted.
const BUDGET_TIME: Duration = Duration::from_secs(60);
/// Modules that are compared with one question without an index: some 20 ms of work.
pub(super) const SCANNED_MAX: usize = 10_000;
/// Candidates that are looked at for one answer. Some of them may not be named.
pub(super) const CANDIDATES_MAX: u32 = 200;

impl NetworkSearch {
    /// Returns the answer to a peer's question, or `None` if none is due: the peer asks too often or sent something malformed,
    /// or peers ask too much together.
    pub(crate) async fn answer(&self, peer: NetPeerId, request: &[u8]) -> Option<Vec<u8>> {
        if !self.answered.count(peer, self.context.now()) {
            self.reputation.note_rejection(peer, Rejection::TooManyRequests);
            return None;
        }
        let question = match Question::decode(request) {
            Ok(question) => question,
            Err(error) => {
                self.reputation.note_rejection(peer, Rejection::Malformed(error));
                return None;
            }
        };
        let mut answers = self.answering.lock().await;
        if !answers.count(self.context.limits.answered_searches_per_minute, BUDGET_TIME, self.context.now()) {
            return None;
        }
        Some(self.answer_to(&question).await.encode())
    }

    /// Returns as many modules as were asked for and fit into an answer.
    async fn answer_to(&self, question: &Question) -> Answer {
        let mut answer = Answer::default();
        // Without witnesses nothing proves itself.
        if !self.registry.read_model().registry().has_witnesses() {
            return answer;
        }
        let (filter, sort) = (filter_of(question), sort_of(question.order));
        let candidates = self.search.candidates(&question.text, &filter, sort, CANDIDATES_MAX, SCANNED_MAX).await;
        let mut time_slice = TimeSlice::begin(&*self.context.environment);
        for card in candidates {
            if answer.found().len() >= usize::from(question.limit) {
                break;
            }
            if let Some(found) = self.found(question, card) {
                // A shorter one may still fit.
                answer.push(found);
            }
            time_slice.yield_if_spent().await;
        }
        answer
    }

    /// Returns a module as an answer names it, or `None` if it may not be named, or has no proof that shows a release.
    fn found(&self, question: &Question, card: ModuleCard) -> Option<Found> {
        let name = parse_name(&card.name).ok()?;
        // The index may be older than the read model.
        if question.tag.as_ref().is_some_and(|tag| !card.tags.contains(tag)) {
            return None;
        }
        let read_model = self.registry.read_model();
        let proof =
            read_model.name_proof(&(NameKind::Module, name.folded())).filter(|proof| proof.release.is_some())?;
        let is_named = proof
            .holder()
            .is_some_and(|held| question.owner.is_none_or(|owner| owner == held.holder) && self.may_name(&held.holder));
        is_named.then(|| Found { name, proof: proof.bytes().to_vec(), text: text_of(card) })
    }

    /// Returns whether answers may name an identity's modules.
    fn may_name(&self, did: &Did) -> bool {
        let is_own = self.keys.identity().as_ref() == Some(did);
        is_own || self.registry.read_model().registry().retention().range().contains(place_of(did))
    }
}

/// Returns the text of a module beside its proof.
fn text_of(card: ModuleCard) -> UnverifiedText {
    UnverifiedText {
        title: card.title.unwrap_or_default(),
        description: card.description.unwrap_or_default(),
        tags: card.tags.into_iter().collect(),
    }
}

fn filter_of(question: &Question) -> ModuleFilter {
    ModuleFilter {
        tag: question.tag.clone(),
        owner: question.owner.map(|owner| owner.to_string()),
        imports_nothing: question.imports_nothing,
        exports: question.function.clone(),
    }
}

fn sort_of(order: Order) -> ModuleSort {
    match order {
        Order::Relevance => ModuleSort::Relevance,
        Order::Recent => ModuleSort::Recent,
        Order::Popular => ModuleSort::Popular,
        Order::Rated => ModuleSort::Rated,
        Order::Name => ModuleSort::Name,
    }
}
