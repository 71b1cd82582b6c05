//! Asks connected peers for modules, and verifies what they answer.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use futures::future::{Either, join, join_all, select};
use futures::pin_mut;
use futures_timer::Delay;

use crate::modules::input::parse_name;
use crate::modules::network_search::NetworkSearch;
use crate::modules::network_search::merge::{Merging, VerifiedModule};
use crate::net::key::NetPeerId;
use crate::net::mesh::{MeshHandle, QuestionKind, RequestError};
use crate::time_slice::TimeSlice;
use gen_registry_api::*;
use gen_registry_core::digest::Digest;
use gen_registry_core::keys::Did;
use gen_registry_core::name::{ClaimedName, NameKind};
use gen_registry_core::name_proof::{self, NameProof};
use gen_registry_core::sync::rejection::Rejection;
use gen_registry_core::sync::search::{self as wire, Found, Order, Question};

/// Connected peers that are asked one question: the best of them, and one of the others.
pub const PEERS_ASKED_MAX: usize = 8;
/// How long peers and the wider network may take to answer, all at the same time.
pub const PATIENCE: Duration = Duration::from_secs(4);
/// Questions that this node asks one peer in each minute: fewer than a peer answers, so that typing never counts
/// against a node.
pub(super) const ASKS_PER_PEER_RATE: u32 = 20;

/// What a peer answered, proofs verified.
type Verified = (NetPeerId, Vec<VerifiedModule>);

impl NetworkSearch {
    /// Searches here, at connected peers, and for a module of exactly this name in the wider network.
    pub(crate) async fn search(
        &self,
        query: &str,
        filter: &ModuleFilter,
        sort: ModuleSort,
        limit: u32,
    ) -> NetworkSearchResults {
        let here = self.search.search(query, filter, sort, limit, None).await;
        let mut merging = Merging::new(&self.catalog, &self.registry, &self.decisions, here);
        let question = question(query, filter, sort);
        let mesh = self.peers.mesh();
        if !self.registry.read_model().registry().has_witnesses() {
            return merging.finish(sort, Some(NotAsked::NothingIsProven));
        }
        let (Some(question), Some(mesh)) = (question, mesh) else {
            return merging.finish(sort, Some(NotAsked::NobodyConnected));
        };
        let now = self.context.now();
        let connected = self.reputation.peers_to_ask(PEERS_ASKED_MAX);
        let may_wait = !connected.is_empty();
        let peers: Vec<NetPeerId> = connected.into_iter().filter(|peer| self.asked.count(*peer, now)).collect();
        let asks_network = self.peers.has_relay();
        if peers.is_empty() && !asks_network {
            let why = if may_wait { NotAsked::TooOften } else { NotAsked::NobodyConnected };
            return merging.finish(sort, Some(why));
        }
        merging.results.peers_asked = peers.len() as u64;
        let (answers, by_name) =
            join(self.ask_peers(&mesh, peers, &question), self.ask_network(&mesh, query, filter)).await;
        for (_, found) in answers {
            merging.results.peers_answered += 1;
            merging.add_answer(found);
        }
        if let Some(asked) = by_name {
            merging.results.network_asked = true;
            asked.into_iter().for_each(|proof| merging.add_from_network(proof));
        }
        merging.finish(sort, None)
    }

    /// Asks peers at once, and verifies what they answer in time.
    async fn ask_peers(&self, mesh: &MeshHandle, peers: Vec<NetPeerId>, question: &Question) -> Vec<Verified> {
        let request = question.encode();
        let asking = join_all(peers.into_iter().map(|peer| {
            let asking = mesh.ask_peer(peer, QuestionKind::Search, request.clone());
            async move {
                pin_mut!(asking);
                match select(asking, Delay::new(PATIENCE)).await {
                    Either::Left((answer, _)) => Some((peer, answer?)),
                    Either::Right(_) => None,
                }
            }
        }));
        let mut verifier = Verifier { search: self, known: BTreeMap::new() };
        let mut verified = Vec::new();
        for (peer, answer) in asking.await.into_iter().flatten() {
            match verifier.read(answer, question).await {
                Ok(Some(found)) => verified.push((peer, found)),
                Ok(None) => {}
                Err(why) => self.reputation.note_rejection(peer, why),
            }
        }
        verified
    }

    /// Looks a module up in Kademlia where the text may be its name. Returns `None` if that was not asked.
    async fn ask_network(&self, mesh: &MeshHandle, query: &str, filter: &ModuleFilter) -> Option<Option<NameProof>> {
        let name = parse_name(query).ok().filter(|_| *filter == ModuleFilter::default() && self.peers.has_relay())?;
        let name = ClaimedName::Module(name);
        let asking = self.lookups.ask_network(mesh, &name);
        pin_mut!(asking);
        match select(asking, Delay::new(PATIENCE)).await {
            Either::Left((found, _)) => Some(found.map(|(proof, _)| proof)),
            Either::Right(_) => Some(None),
        }
    }
}

/// Verifies the proofs of answers. Several peers send the same bytes, which are verified once.
struct Verifier<'a> {
    search: &'a NetworkSearch,
    known: BTreeMap<Digest, Rc<NameProof>>,
}

impl Verifier<'_> {
    /// Returns what an answer names, or `None` if the peer gave none; an error is the peer's fault, and then nothing of its
    /// answer counts.
    async fn read(
        &mut self,
        answer: Result<Vec<u8>, RequestError>,
        question: &Question,
    ) -> Result<Option<Vec<VerifiedModule>>, Rejection> {
        let bytes = match answer {
            Ok(bytes) if bytes.is_empty() => return Ok(None),
            Ok(bytes) => bytes,
            Err(RequestError::Oversized) => return Err(Rejection::Oversized),
            Err(RequestError::Unsupported | RequestError::Broken(_) | RequestError::TimedOut) => return Ok(None),
        };
        let answer = wire::Answer::decode(&bytes)?;
        if answer.found().len() > usize::from(question.limit) {
            return Err(Rejection::Unasked);
        }
        let mut time_slice = TimeSlice::begin(&*self.search.context.environment);
        let mut verified = Vec::new();
        for found in answer.found() {
            let proof = self.verify(found)?;
            if !is_asked_for(question, found, &proof) {
                return Err(Rejection::Unasked);
            }
            verified.push(VerifiedModule { proof, text: found.text.clone() });
            time_slice.yield_if_spent().await;
        }
        Ok(Some(verified))
    }

    /// Verifies the proof of a module's name.
    fn verify(&mut self, found: &Found) -> Result<Rc<NameProof>, Rejection> {
        let name = (NameKind::Module, found.name.folded());
        let hash = Digest::of(&found.proof);
        if let Some(known) = self.known.get(&hash).filter(|known| known.name == name) {
            return Ok(known.clone());
        }
        let key = name_proof::key(&self.search.context.network.topic, &name);
        let read_model = self.search.registry.read_model();
        let proof = name_proof::verify(&key, &found.proof, read_model.registry().history()).map_err(|error| {
            tracing::debug!(%error, "a wrong proof in an answer to a search");
            Rejection::WrongRecord
        })?;
        let proof = Rc::new(proof);
        self.known.insert(hash, proof.clone());
        Ok(proof)
    }
}

/// Whether a module is one of those that were asked for, as far as its answer shows: it has a holder and a release, the holder
/// is the one who was named, and the tag is one of those it is said to have.
fn is_asked_for(question: &Question, found: &Found, proof: &NameProof) -> bool {
    let Some(held) = proof.holder().filter(|_| proof.release.is_some()) else { return false };
    question.owner.is_none_or(|owner| owner == held.holder)
        && question.tag.as_ref().is_none_or(|tag| found.text.tags.contains(tag))
}

/// Returns the question, or `None` if it has no answer: it names an owner that is no identity.
fn question(query: &str, filter: &ModuleFilter, sort: ModuleSort) -> Option<Question> {
    let ModuleFilter { tag, owner, imports_nothing, exports } = filter.clone();
    let owner = match owner {
        None => None,
        Some(text) => Some(text.parse::<Did>().ok()?),
    };
    let order = match sort {
        ModuleSort::Relevance => Order::Relevance,
        ModuleSort::Recent => Order::Recent,
        ModuleSort::Popular => Order::Popular,
        ModuleSort::Rated => Order::Rated,
        ModuleSort::Name => Order::Name,
    };
    let limit = wire::FOUND_MAX as u8;
    let text = query.trim().to_owned();
    Some(Question { text, tag, owner, function: exports, imports_nothing, order, limit }.cut())
}
