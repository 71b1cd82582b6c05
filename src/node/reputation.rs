//! What peers and people have earned with this profile: noted act by act, kept across starts, and acted on.
//!
//! The rule itself is [`Score`]'s. A peer that falls too low is sent away, unless the person trusts it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::rc::Rc;
use std::str::FromStr;

use crate::block_list::Decisions;
use crate::context::Context;
use crate::net::key::NetPeerId;
use crate::net::mesh::MeshHandle;
use crate::peering::PeerTable;
use crate::presence::PresenceService;
use crate::store::records::{Damaged, Records, put};
use crate::store::{Batch, Durability, StoreError, Table, Write};
use gen_registry_api::{Reputation, ReputationKind, ReputationReason};
use gen_registry_core::block_list::{BlockDecision, Subject};
use gen_registry_core::identity::Identity;
use gen_registry_core::sync::rejection::Rejection;
use gen_registry_core::sync::reputation::{ASK_FROM, EvidenceKind, KEEP_FROM, ReputationEvent, Score, WARN_BELOW};
use gen_registry_core::time::Timestamp;

/// Peers and people that are remembered; of those who did least so far one is forgotten for a new one.
const REMEMBERED_MAX: usize = 1_024;

/// Whose acts are noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Actor {
    Peer(NetPeerId),
    Person(Identity),
}

#[derive(Default)]
pub(crate) struct Scores {
    all: BTreeMap<Actor, Score>,
    /// Not stored yet as they are.
    unsaved: BTreeSet<Actor>,
}

impl fmt::Display for Actor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peer(name) => write!(formatter, "peer:{name}"),
            Self::Person(identity) => write!(formatter, "person:{identity}"),
        }
    }
}

/// It is neither a person nor a peer.
pub(crate) struct NoActor;

impl FromStr for Actor {
    type Err = NoActor;

    fn from_str(text: &str) -> Result<Self, NoActor> {
        match text.split_once(':') {
            Some(("peer", name)) => name.parse().map(Self::Peer).map_err(|_| NoActor),
            Some(("person", did)) => did.parse().map(Self::Person).map_err(|_| NoActor),
            _ => Err(NoActor),
        }
    }
}

impl Actor {
    pub(crate) fn subject(&self) -> Option<Subject> {
        match self {
            Self::Peer(name) => name.to_string().parse().ok().map(Subject::Peer),
            Self::Person(identity) => Some(Subject::Person(*identity)),
        }
    }
}

impl Scores {
    /// Reads what was stored. A record that can't be used is left out, and its peer starts over.
    pub(crate) async fn read(records: &Records) -> Result<(Self, Vec<Damaged>), StoreError> {
        let (found, damaged) = records.all::<Score>(Table::Peers, "").await?;
        let sound = found.into_iter().filter(|(_, score_state)| score_state.is_sound());
        let all = sound
            .filter_map(|(key, score_state)| Some((key.parse().ok()?, score_state)))
            .take(REMEMBERED_MAX)
            .collect();
        Ok((Self { all, unsaved: BTreeSet::new() }, damaged))
    }

    fn note(&mut self, actor: Actor, event: ReputationEvent, now: Timestamp) -> f64 {
        if !self.all.contains_key(&actor) && self.all.len() >= REMEMBERED_MAX {
            self.forget_one(now);
        }
        let score_state = self.all.entry(actor).or_default();
        score_state.note(event, now);
        self.unsaved.insert(actor);
        score_state.score(now)
    }

    fn forget_one(&mut self, now: Timestamp) {
        let least = self.all.iter().min_by(|(_, one), (_, other)| one.evidence(now).total_cmp(&other.evidence(now)));
        if let Some(least) = least.map(|(actor, _)| *actor) {
            self.all.remove(&least);
            self.unsaved.insert(least);
        }
    }

    fn score(&self, actor: Actor, now: Timestamp) -> f64 {
        self.all.get(&actor).cloned().unwrap_or_default().score(now)
    }

    fn report(&self, actor: Actor, now: Timestamp) -> Reputation {
        let score_state = self.all.get(&actor).cloned().unwrap_or_default();
        let reasons = score_state.reasons().map(|(reason, tally)| ReputationReason {
            kind: kind(reason),
            times: tally.times,
            last_at: tally.last_at.as_millis(),
        });
        let score = score_state.score(now);
        Reputation { score, low: score < WARN_BELOW, reasons: reasons.collect() }
    }

    /// What is to be stored.
    fn take_unsaved(&mut self) -> Batch {
        let unsaved = std::mem::take(&mut self.unsaved).into_iter();
        let write = |actor: Actor| match self.all.get(&actor) {
            Some(score_state) => put(Table::Peers, &actor.to_string(), score_state),
            None => Write::Delete { table: Table::Peers, key: actor.to_string() },
        };
        unsaved.map(write).collect()
    }
}

fn kind(reason: EvidenceKind) -> ReputationKind {
    match reason {
        EvidenceKind::Brought => ReputationKind::Brought,
        EvidenceKind::Served => ReputationKind::Served,
        EvidenceKind::Late => ReputationKind::Late,
        EvidenceKind::Unruly => ReputationKind::Unruly,
        EvidenceKind::Abusive => ReputationKind::Abusive,
        EvidenceKind::False => ReputationKind::False,
    }
}

/// The service that keeps scores and acts on them.
pub(crate) struct ReputationTracker {
    context: Rc<Context>,
    peers: Rc<PeerTable>,
    decisions: Rc<Decisions>,
    presence: Rc<PresenceService>,
    scores: RefCell<Scores>,
}

impl ReputationTracker {
    pub(crate) fn new(
        context: Rc<Context>,
        peers: Rc<PeerTable>,
        decisions: Rc<Decisions>,
        presence: Rc<PresenceService>,
        scores: Scores,
    ) -> Self {
        Self { context, peers, decisions, presence, scores: RefCell::new(scores) }
    }

    /// A peer broke a rule. It is counted, and its number falls.
    pub(crate) fn note_rejection(&self, peer: NetPeerId, why: Rejection) {
        tracing::debug!(%peer, %why, "a rule was broken");
        self.peers.note_rejection(peer, why);
        self.record_event(Actor::Peer(peer), ReputationEvent::Broke(why));
    }

    pub(crate) fn record_event(&self, actor: Actor, event: ReputationEvent) {
        let score = self.scores.borrow_mut().note(actor, event, self.context.now());
        if let Actor::Peer(peer) = actor {
            let Some(mesh) = self.peers.mesh() else { return };
            if score < KEEP_FROM && !self.is_trusted(&actor) {
                tracing::info!(%peer, score, "a peer is sent away for what it did so far");
                self.ban(&mesh, peer);
            } else {
                mesh.rate(peer, score);
            }
        }
    }

    /// Bans a peer, unless the person trusts it.
    pub(crate) fn ban(&self, mesh: &MeshHandle, peer: NetPeerId) {
        if !self.is_trusted(&Actor::Peer(peer)) {
            mesh.ban(peer);
        }
    }

    /// Returns the reputation of a peer or person; a trusted one is never marked as low.
    pub(crate) fn report(&self, actor: Actor) -> Reputation {
        let earned = self.scores.borrow().report(actor, self.context.now());
        Reputation { low: earned.low && !self.is_trusted(&actor), ..earned }
    }

    /// Whether anything is to be had of a peer at all, or to be given to it.
    pub(crate) fn is_welcome(&self, peer: NetPeerId) -> bool {
        let actor = Actor::Peer(peer);
        match self.verdict_on(&actor) {
            BlockDecision::Block => false,
            BlockDecision::Allow => true,
            BlockDecision::Neither => {
                self.scores.borrow().score(actor, self.context.now()) >= KEEP_FROM || self.is_trusted(&actor)
            }
        }
    }

    pub(crate) fn score(&self, peer: NetPeerId) -> f64 {
        self.scores.borrow().score(Actor::Peer(peer), self.context.now())
    }

    /// Connected peers that may be asked for content, the best first.
    pub(crate) fn helpful_peers(&self) -> Vec<NetPeerId> {
        let connected = self.peers.connected();
        let (reputations, now) = (self.scores.borrow(), self.context.now());
        let score = |peer: &NetPeerId| reputations.score(Actor::Peer(*peer), now);
        let trusted = |peer: &NetPeerId| self.is_trusted(&Actor::Peer(*peer));
        let mut peers: Vec<(f64, NetPeerId)> = connected
            .iter()
            .map(|peer| (score(peer), *peer))
            .filter(|(s, peer)| *s >= ASK_FROM || trusted(peer))
            .collect();
        peers.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        peers.into_iter().map(|(_, peer)| peer).collect()
    }

    /// Stores what changed since the last time. What is lost is not missed for long.
    pub(crate) async fn save(&self) {
        let batch = self.scores.borrow_mut().take_unsaved();
        if batch.is_empty() {
            return;
        }
        if let Err(error) = self.context.records.commit(batch, Durability::Relaxed).await {
            tracing::warn!(%error, "what peers earned is forgotten at the next start");
        }
    }

    /// A peer is trusted by itself, or with the person whose node it is.
    pub(crate) fn is_trusted(&self, actor: &Actor) -> bool {
        match (self.verdict_on(actor), actor) {
            (BlockDecision::Allow, _) => true,
            (BlockDecision::Neither, Actor::Peer(peer)) => self
                .presence
                .person_at(*peer)
                .is_some_and(|person| self.decisions.verdict(&Subject::Person(person)) == BlockDecision::Allow),
            _ => false,
        }
    }

    fn verdict_on(&self, actor: &Actor) -> BlockDecision {
        actor.subject().map_or(BlockDecision::Neither, |subject| self.decisions.verdict(&subject))
    }
}
