//! Topics: subscribing, publishing, and what becomes of received messages.
//!
//! A message received from a peer waits in gossipsub until the host has validated it: `Accept` forwards it, `Reject`
//! also lowers the score of the peer that forwarded it, `Ignore` does neither. Each topic belongs to one network: its
//! name contains the network's own topic, e.g. `/gen/3f…/presence/1`.

use std::collections::{BTreeSet, HashMap};

use libp2p::PeerId;
use libp2p::gossipsub::{self, IdentTopic, TopicHash};

use crate::net::key::NetPeerId;
use crate::net::mesh::behaviour::Gossip;
use crate::net::mesh::scoring;
use crate::net::mesh::types::{GossipTicket, GossipTopic, MeshError, MessageAcceptance};

/// The topics that this node subscribes to, and the network whose name they contain.
pub(super) struct GossipTopics {
    /// The network's topic in hex, a part of each topic's name.
    network: String,
    /// The topics by the hash that gossipsub reports.
    subscribed: HashMap<TopicHash, GossipTopic>,
}

impl GossipTopics {
    /// Subscribes to presence, which every node has.
    pub(super) fn new(network: String, gossip: &mut Gossip) -> Result<Self, MeshError> {
        let mut topics = Self { network, subscribed: HashMap::new() };
        let name = topics.name(GossipTopic::Presence);
        gossip.set_topic_params(name.clone(), scoring::topic()).map_err(MeshError::Gossip)?;
        gossip.subscribe(&name).map_err(|_| MeshError::Gossip("its own topic is refused"))?;
        topics.subscribed.insert(name.hash(), GossipTopic::Presence);
        Ok(topics)
    }

    /// Returns a topic's name on the wire. A channel's name is not in it, only its digest.
    fn name(&self, topic: GossipTopic) -> IdentTopic {
        let network = &self.network;
        IdentTopic::new(match topic {
            GossipTopic::Presence => format!("/gen/{network}/presence/1"),
            GossipTopic::Channel(digest) => {
                let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
                format!("/gen/{network}/channel/{digits}/1")
            }
        })
    }

    /// Subscribes to a further topic. A failure is logged: the channel then works over streams only.
    pub(super) fn subscribe(&mut self, gossip: &mut Gossip, topic: GossipTopic) {
        let name = self.name(topic);
        if let Err(error) = gossip.set_topic_params(name.clone(), scoring::topic()) {
            tracing::warn!(error, "topic not scored");
        }
        match gossip.subscribe(&name) {
            Ok(_) => drop(self.subscribed.insert(name.hash(), topic)),
            Err(error) => tracing::warn!(%error, "subscription failed"),
        }
    }

    /// Leaves a topic.
    pub(super) fn unsubscribe(&mut self, gossip: &mut Gossip, topic: GossipTopic) {
        let name = self.name(topic);
        gossip.unsubscribe(&name);
        self.subscribed.remove(&name.hash());
    }

    /// Publishes a message. Returns the peers that gossip covers: those whose subscriptions were received. If they
    /// include the topic, gossipsub sends the message; if not, the peer is not in that channel.
    ///
    /// Every node subscribes to presence before anything else. So if gossipsub does not know of that, the
    /// peer's subscriptions have not arrived, or were lost together with one of two connections; they are not sent
    /// again.
    pub(super) fn publish(&self, gossip: &mut Gossip, topic: GossipTopic, bytes: Vec<u8>) -> BTreeSet<PeerId> {
        let name = self.name(topic).hash();
        let first = self.name(GossipTopic::Presence).hash();
        let is_covered = |topics: &[&TopicHash]| topics.contains(&&first);
        let covered = gossip.all_peers().filter(|(_, topics)| is_covered(topics)).map(|(peer, _)| *peer).collect();
        if let Err(error) = gossip.publish(name, bytes) {
            tracing::debug!(%error, "gossip not published");
        }
        covered
    }

    /// Returns a received message for the host, or `None` if its topic was unsubscribed a moment ago.
    pub(super) fn on_message(
        &self,
        gossip: &mut Gossip,
        from: PeerId,
        id: gossipsub::MessageId,
        message: gossipsub::Message,
    ) -> Option<(GossipTicket, Vec<u8>)> {
        match self.subscribed.get(&message.topic) {
            Some(topic) => {
                let ticket = GossipTicket { from: from.into(), topic: *topic, message: id };
                Some((ticket, message.data))
            }
            None => {
                gossip.report_message_validation_result(&id, &from, gossipsub::MessageAcceptance::Ignore);
                None
            }
        }
    }

    /// Reports to gossipsub what the host decided about a message.
    pub(super) fn validate(&self, gossip: &mut Gossip, ticket: &GossipTicket, acceptance: MessageAcceptance) {
        let acceptance = match acceptance {
            MessageAcceptance::Accept => gossipsub::MessageAcceptance::Accept,
            MessageAcceptance::Ignore => gossipsub::MessageAcceptance::Ignore,
            MessageAcceptance::Reject => gossipsub::MessageAcceptance::Reject,
        };
        gossip.report_message_validation_result(&ticket.message, &ticket.from.peer_id(), acceptance);
    }

    /// Sets the host's score of a peer. Ignored for a peer that is not connected: the host rates it when it connects.
    pub(super) fn rate(&self, gossip: &mut Gossip, peer: NetPeerId, score: f64) {
        gossip.set_application_score(&peer.peer_id(), scoring::of_host(score));
    }

    /// Returns those of the peers whose messages gossipsub ignores because of their score.
    pub(super) fn graylisted(&self, gossip: &Gossip, peers: impl Iterator<Item = PeerId>) -> Vec<PeerId> {
        let is_graylisted =
            |peer: &PeerId| gossip.peer_score(peer).is_some_and(|score| score < scoring::GRAYLIST_BELOW);
        peers.filter(is_graylisted).collect()
    }
}
