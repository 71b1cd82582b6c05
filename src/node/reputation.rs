//! Reputation of peers and people with this profile: records events, stores scores, and acts on them.
//!
//! A [`Score`] lies between 0 and 1; 0.5 is neutral, and evidence loses half of its weight in three days
//! (`core::sync::reputation`). What a peer's score leads to:
//!
//! ```text
//!   1.0  ── asked first for blocks and names, beside one of the others
//!   0.5  ── a stranger
//!   0.3  ── ASK_FROM: below, not asked for content any more; gossipsub exchanges no gossip with it
//!   0.15 ── KEEP_FROM: below, banned for ten minutes, and again whenever it returns, until its evidence has decayed
//!   0.0
//! ```
//!
//! The person's own decision comes first: a trusted peer, or a node of a trusted person, is never banned; a blocked one
//! is never welcome. A person's score only leads to a warning on the page.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::rc::Rc;
use std::str::FromStr;

use crate::context::Context;
use crate::decisions::Decisions;
use crate::net::address::peer_named_in;
use crate::net::key::NetPeerId;
use crate::net::mesh::MeshHandle;
use crate::peers::PeerTable;
use crate::presence::PresenceService;
use crate::store::records::{Damaged, Records, put};
use crate::store::{Batch, Durability, StoreError, Table, Write};
use gen_registry_api::{Reputation, ReputationKind, ReputationReason};
use gen_registry_core::block_list::{BlockDecision, Subject};
use gen_registry_core::keys::Did;
use gen_registry_core::sync::rejection::Rejection;
use gen_registry_core::sync::reputation::{
    ASK_FROM, EvidenceKind, KEEP_FROM, ReputationEvent, Score, WARN_BELOW, best_and_one_other,
};
use gen_registry_core::time::Timestamp;

/// Public nodes that are asked before other peers, half of those that are asked: a server names them.
const PUBLIC_FIRST_MAX: usize = 4;
/// Stored scores of peers and people. For a new one, the one with least evidence is removed.
const REMEMBERED_MAX: usize = 1_024;

/// A peer or person whose acts are recorded. Its text is the key of [`Table::Peers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Actor {
    /// A node, by its peer id.
    Peer(NetPeerId),
    /// A person, by the identity.
    Person(Did),
}

/// The scores of peers and people.
#[derive(Default)]
pub(crate) struct Scores {
    all: BTreeMap<Actor, Score>,
    /// Those whose stored form is not the present one.
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

/// The text is neither a person nor a peer.
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
    /// Returns what the person may have decided about.
    pub(crate) fn subject(&self) -> Option<Subject> {
        match self {
            Self::Peer(name) => name.to_string().parse().ok().map(Subject::Peer),
            Self::Person(identity) => Some(Subject::Person(*identity)),
        }
    }
}

impl Scores {
    /// Reads the stored scores. A record that can't be used is left out, and its peer starts as a stranger.
    pub(crate) async fn read(records: &Records) -> Result<(Self, Vec<Damaged>), StoreError> {
        let (found, damaged) = records.all::<Score>(Table::Peers, "").await?;
        let sound = found.into_iter().filter(|(_, score_state)| score_state.is_sound());
        let all = sound
            .filter_map(|(key, score_state)| Some((key.parse().ok()?, score_state)))
            .take(REMEMBERED_MAX)
            .collect();
        Ok((Self { all, unsaved: BTreeSet::new() }, damaged))
    }

    /// Records an event and returns the new score.
    fn note(&mut self, actor: Actor, event: ReputationEvent, now: Timestamp) -> f64 {
        if !self.all.contains_key(&actor) && self.all.len() >= REMEMBERED_MAX {
            self.forget_one(now);
        }
        let score_state = self.all.entry(actor).or_default();
        score_state.note(event, now);
        self.unsaved.insert(actor);
        score_state.score(now)
    }

    /// Removes the score with least evidence.
    fn forget_one(&mut self, now: Timestamp) {
        let least = self.all.iter().min_by(|(_, one), (_, other)| one.evidence(now).total_cmp(&other.evidence(now)));
        if let Some(least) = least.map(|(actor, _)| *actor) {
            self.all.remove(&least);
            self.unsaved.insert(least);
        }
    }

    /// Returns an actor's score; 0.5 for one without a record.
    fn score(&self, actor: Actor, now: Timestamp) -> f64 {
        self.all.get(&actor).cloned().unwrap_or_default().score(now)
    }

    /// Returns an actor's score with its reasons, for the page.
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

    /// Returns the writes that store what changed. They are returned once.
    fn take_unsaved(&mut self) -> (BTreeSet<Actor>, Batch) {
        let unsaved = std::mem::take(&mut self.unsaved);
        let write = |actor: &Actor| match self.all.get(actor) {
            Some(score_state) => put(Table::Peers, &actor.to_string(), score_state),
            None => Write::Delete { table: Table::Peers, key: actor.to_string() },
        };
        let batch = unsaved.iter().map(write).collect();
        (unsaved, batch)
    }
}

/// Converts a reason for the page.
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

/// The service that records events and acts on scores.
pub(crate) struct ReputationTracker {
    context: Rc<Context>,
    peers: Rc<PeerTable>,
    decisions: Rc<Decisions>,
    presence: Rc<PresenceService>,
    scores: RefCell<Scores>,
    /// Public nodes of the network.
    public_nodes: BTreeSet<NetPeerId>,
}

impl ReputationTracker {
    /// Creates the service with the stored scores.
    pub(crate) fn new(
        context: Rc<Context>,
        peers: Rc<PeerTable>,
        decisions: Rc<Decisions>,
        presence: Rc<PresenceService>,
        scores: Scores,
    ) -> Self {
        let public_nodes = context.network.public_nodes.iter().filter_map(|address| peer_named_in(address)).collect();
        Self { context, peers, decisions, presence, scores: RefCell::new(scores), public_nodes }
    }

    /// Records that a peer broke a rule, in its statistics and in its score.
    pub(crate) fn note_rejection(&self, peer: NetPeerId, why: Rejection) {
        tracing::debug!(%peer, %why, "a rule was broken");
        self.peers.note_rejection(peer, why);
        self.record_event(Actor::Peer(peer), ReputationEvent::Broke(why));
    }

    /// Records an event. A peer whose score falls below [`KEEP_FROM`] is banned; any other score goes to gossipsub.
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

    /// Whether a connection with the peer is wanted at all.
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

    /// Returns a peer's score.
    pub(crate) fn score(&self, peer: NetPeerId) -> f64 {
        self.scores.borrow().score(Actor::Peer(peer), self.context.now())
    }

    /// Returns the connected peers that may be asked for content, those with the best score first.
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

    /// Returns which connected peers to ask for something: public nodes of the network, which know most, the best of the
    /// others, and one more.
    pub(crate) fn peers_to_ask(&self, most: usize) -> Vec<NetPeerId> {
        let peers = put_first(self.helpful_peers(), &self.public_nodes);
        best_and_one_other(&peers, most, |others| self.context.random_below(others))
    }

    /// Stores what changed since the last time. What the store does not take is tried again the next time.
    pub(crate) async fn save(&self) {
        let (actors, batch) = self.scores.borrow_mut().take_unsaved();
        if batch.is_empty() {
            return;
        }
        if let Err(error) = self.context.records.commit(batch, Durability::Relaxed).await {
            tracing::warn!(%error, "what peers earned is not stored yet");
            self.scores.borrow_mut().unsaved.extend(actors);
        }
    }

    /// Whether the person trusts this actor; a peer is trusted with the person whose node it is, too.
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

    /// Returns what the person decided about this actor itself.
    fn verdict_on(&self, actor: &Actor) -> BlockDecision {
        actor.subject().map_or(BlockDecision::Neither, |subject| self.decisions.verdict(&subject))
    }
}

/// Returns the same peers in the same order, but up to [`PUBLIC_FIRST_MAX`] of these before all others.
fn put_first(mut peers: Vec<NetPeerId>, first: &BTreeSet<NetPeerId>) -> Vec<NetPeerId> {
    let first: Vec<NetPeerId> =
        peers.iter().filter(|peer| first.contains(peer)).take(PUBLIC_FIRST_MAX).copied().collect();
    peers.sort_by_key(|peer| !first.contains(peer));
    peers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::key::NodeKey;

    #[test]
    fn public_nodes_are_asked_whoever_else_is_connected() {
        let peers: Vec<NetPeerId> = (0..30).map(|_| NodeKey::fresh().peer_id().into()).collect();
        let public = [peers[7], peers[29]].into();
        for draw in 0..10 {
            let asked = best_and_one_other(&put_first(peers.clone(), &public), 8, |others| draw % others);
            assert_eq!(asked[..3], [peers[7], peers[29], peers[0]]);
            assert_eq!(asked.len(), 8);
        }
        let all: BTreeSet<NetPeerId> = peers[10..].iter().copied().collect();
        let order = put_first(peers.clone(), &all);
        assert_eq!(order[..PUBLIC_FIRST_MAX], peers[10..10 + PUBLIC_FIRST_MAX]);
        assert_eq!(order[PUBLIC_FIRST_MAX..][..10], peers[..10], "a server that names many has no more");
    }
}
