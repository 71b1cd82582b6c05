//! Those who lie: one trick each, played again and again through links that look honest.

use futures::executor::block_on;
use gen_registry_core::digest::Digest;
use gen_registry_core::document::SignedChange;
use gen_registry_core::identity::SigningIdentity;
use gen_registry_core::ownership::{Position, Tenure};
use gen_registry_core::sync::simulator::NodeId;
use gen_registry_core::sync::version_vector::DocumentVector;
use gen_registry_core::sync::wire::Message;
use gen_registry_core::time::Timestamp;

use super::Swarm;
use crate::support::lies;
use crate::support::people::{TOPIC, at, person};

const REPLAYED_MAX: usize = 16;
/// What a backdated claim says of itself.
pub const LONG_AGO: Timestamp = Timestamp::from_millis(1_000);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trick {
    /// An honest node.
    None,
    /// Honest people's changes with a signature of its own.
    Forge,
    /// Messages that were in place once.
    Replay,
    Oversize,
    /// Says it has documents and sends nothing.
    Withhold,
    /// Two changes for one place, each shown to some.
    Equivocate,
    /// Claims of names that others hold, dated long ago.
    Backdate,
    Garbage,
    /// More announcements than anybody should hear.
    Flood,
}

pub const TRICKS: [Trick; 8] = [
    Trick::Forge,
    Trick::Replay,
    Trick::Oversize,
    Trick::Withhold,
    Trick::Equivocate,
    Trick::Backdate,
    Trick::Garbage,
    Trick::Flood,
];

pub struct Liar {
    trick: Trick,
    key: SigningIdentity,
    heard: Vec<Vec<u8>>,
    /// Both halves of an equivocation, or the backdated claim.
    made: Vec<SignedChange>,
}

impl Liar {
    pub fn new(number: usize, id: NodeId) -> Self {
        let key = person(&format!("liar {id}"));
        Self { trick: TRICKS[number % TRICKS.len()], key, heard: Vec::new(), made: Vec::new() }
    }

    pub fn trick(&self) -> Trick {
        self.trick
    }

    pub fn withholds(&self) -> bool {
        self.trick == Trick::Withhold
    }

    /// Keeps what may be replayed: later messages of a session, not its greeting.
    pub fn remember(&mut self, bytes: &[u8]) {
        if self.trick == Trick::Replay && self.heard.len() < REPLAYED_MAX {
            self.heard.push(bytes.to_vec());
        }
    }

    fn claims(&self, name: &str, claimed_at: u64) -> SignedChange {
        lies::first_claim(&self.key, &TOPIC, name, at(claimed_at))
    }
}

impl Swarm {
    /// Every equivocator's identity.
    pub fn equivocators(&self) -> impl Iterator<Item = gen_registry_core::identity::Identity> + '_ {
        let liars = self.members.iter().filter_map(|member| member.liar.as_ref());
        liars.filter(|liar| liar.trick == Trick::Equivocate && !liar.made.is_empty()).map(|liar| liar.key.identity())
    }

    pub(super) fn lie(&mut self, id: NodeId) {
        let peers = self.network.peers(id);
        let Some(liar) = &self.members[id].liar else { return };
        let trick = liar.trick;
        if matches!(trick, Trick::Equivocate | Trick::Backdate) && liar.made.is_empty() {
            self.make(id, trick);
        }
        for peer in peers {
            let Some(liar) = &self.members[id].liar else { return };
            match trick {
                Trick::None | Trick::Withhold => self.boast(id, peer),
                Trick::Forge => {
                    let forged = self.forgery(id);
                    self.network.gossip(id, peer, &Message::Announce(forged).encode());
                }
                Trick::Replay => {
                    if let Some(bytes) = self.random.pick(&liar.heard).cloned() {
                        self.network.send(id, peer, bytes);
                    }
                }
                Trick::Oversize => self.network.send(id, peer, lies::oversized()),
                Trick::Equivocate => {
                    let half = liar.made[peer % 2].clone();
                    self.network.gossip(id, peer, &Message::Announce(vec![half]).encode());
                }
                Trick::Backdate => {
                    let made = liar.made.clone();
                    self.network.gossip(id, peer, &Message::Announce(made).encode());
                }
                Trick::Garbage => {
                    let length = 1 + self.random.below(200);
                    let bytes = (0..length).map(|_| self.random.number() as u8).collect();
                    self.network.send(id, peer, bytes);
                }
                Trick::Flood => {
                    let owner = person("liar").identity();
                    for _ in 0..60 {
                        let message = lies::unheard_of(owner, self.random.number());
                        self.network.gossip(id, peer, &message.encode());
                    }
                }
            }
        }
    }

    /// What an equivocator or a backdater signs, once.
    fn make(&mut self, id: NodeId, trick: Trick) {
        let held = |name: &&String| {
            let state = name.parse().ok().and_then(|name| self.members[id].node.replication().name_state(&name));
            let confirmed = |tenure: &Tenure| matches!(tenure.position, Position::Confirmed(_));
            state.is_some_and(|state| state.holder().is_some_and(confirmed))
        };
        let held: Vec<String> = self.names.iter().filter(held).cloned().collect();
        if trick == Trick::Backdate && held.is_empty() {
            return;
        }
        let stolen = self.random.pick(&held).cloned();
        let names = [self.random.pick(&self.names).cloned(), self.random.pick(&self.names).cloned()];
        let [Some(one), Some(other)] = names else { return };
        let Some(liar) = &mut self.members[id].liar else { return };
        liar.made = match trick {
            Trick::Equivocate => vec![liar.claims(&one, 1_800_000_000_000), liar.claims(&other, 1_800_000_000_001)],
            _ => vec![liar.claims(&stolen.unwrap_or(one), LONG_AGO.as_millis())],
        };
        self.genuine.extend(liar.made.iter().map(|change| Digest::of(&change.bytes)));
    }

    /// Changes of people it knows, altered and signed by nobody.
    fn forgery(&mut self, id: NodeId) -> Vec<SignedChange> {
        let node = &self.members[id].node;
        let summaries = block_on(node.replication().document_summaries()).expect("summaries");
        let Some(summary) = self.random.pick(&summaries) else { return Vec::new() };
        let vector = DocumentVector::nothing(summary.owner);
        let (mut changes, _) = block_on(node.replication().changes_beyond(&[vector], 8 * 1024)).expect("changes");
        changes.truncate(1);
        changes.into_iter().map(|change| lies::forged(change, self.random.below(64) as usize)).collect()
    }

    /// Says, where it answers, that it has what it will not send. As the dialler it may say so in a round.
    fn boast(&mut self, id: NodeId, peer: NodeId) {
        let owner = person(&format!("nobody {id}")).identity();
        self.network.send(id, peer, lies::boast(owner).encode());
    }
}
