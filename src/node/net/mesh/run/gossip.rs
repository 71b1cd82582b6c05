//! Publishes and receives gossip, and sends it otherwise where gossip does not reach yet.

use std::collections::{BTreeSet, HashMap};

use libp2p::PeerId;
use libp2p::gossipsub::{self, IdentTopic, TopicHash};

use crate::net::mesh::behaviour::Gossip;
use crate::net::mesh::run::EventLoop;
use crate::net::mesh::scoring;
use crate::net::mesh::{GossipTicket, GossipTopic, MeshError, MeshEvent};

/// What this node listens to.
pub(super) struct Topics {
    network: String,
    known: HashMap<TopicHash, GossipTopic>,
}

impl Topics {
    pub(super) fn new(network: String, gossip: &mut Gossip) -> Result<Self, MeshError> {
        let mut topics = Self { network, known: HashMap::new() };
        for topic in [GossipTopic::Changes, GossipTopic::Presence] {
            let name = topics.name(topic);
            gossip.set_topic_params(name.clone(), scoring::topic()).map_err(MeshError::Gossip)?;
            gossip.subscribe(&name).map_err(|_| MeshError::Gossip("its own topic is refused"))?;
            topics.known.insert(name.hash(), topic);
        }
        Ok(topics)
    }

    fn name(&self, topic: GossipTopic) -> IdentTopic {
        let network = &self.network;
        IdentTopic::new(match topic {
            GossipTopic::Changes => format!("/gen/{network}/changes/1"),
            GossipTopic::Presence => format!("/gen/{network}/presence/1"),
            GossipTopic::Channel(digest) => {
                let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
                format!("/gen/{network}/channel/{digits}/1")
            }
        })
    }
}

impl EventLoop {
    fn gossip_mut(&mut self) -> &mut Gossip {
        &mut self.swarm.behaviour_mut().registry.inner_mut().gossip
    }

    pub(super) fn listen(&mut self, topic: GossipTopic, on: bool) {
        let name = self.gossip.name(topic);
        if on {
            let gossip = self.gossip_mut();
            let scored = gossip.set_topic_params(name.clone(), scoring::topic());
            if let Err(error) = scored {
                tracing::warn!(error, "a channel is not rated");
            }
            if let Err(error) = gossip.subscribe(&name) {
                tracing::warn!(%error, "a channel can't be listened to");
                return;
            }
            self.gossip.known.insert(name.hash(), topic);
        } else {
            self.gossip_mut().unsubscribe(&name);
            self.gossip.known.remove(&name.hash());
        }
    }

    /// Gossip, and beside it a word to those with a link who did not say yet that they listen.
    pub(super) fn publish(&mut self, topic: GossipTopic, bytes: Vec<u8>, frame: Option<Vec<u8>>) {
        let name = self.gossip.name(topic).hash();
        // Every node subscribes to changes and presence before anything else. Where gossipsub does not know of that, the
        // first message of the peer was lost, with one of two connections for example, and it is not sent again; a peer
        // whose first message came, but that is not in a channel, does not want the channel's messages.
        let first = match topic {
            GossipTopic::Changes => name.clone(),
            GossipTopic::Presence | GossipTopic::Channel(_) => self.gossip.name(GossipTopic::Presence).hash(),
        };
        let gossip = self.gossip_mut();
        let hears = |topics: &[&TopicHash]| topics.contains(&&first);
        let hearing: BTreeSet<PeerId> =
            gossip.all_peers().filter(|(_, topics)| hears(topics)).map(|(peer, _)| *peer).collect();
        if let Err(error) = gossip.publish(name, bytes.clone()) {
            tracing::debug!(%error, "gossip reaches nobody yet");
        }
        let deaf = self.peers.iter().filter(|(peer, state)| state.link.is_some() && !hearing.contains(peer));
        match frame {
            None => {
                for (_, state) in deaf {
                    // A full link is a busy one: the next comparison brings what is missing.
                    if let Some((_, link)) = state.link.as_ref().filter(|(_, link)| !link.is_full()) {
                        link.send(bytes.clone());
                    }
                }
            }
            Some(frame) => {
                let deaf: Vec<PeerId> = deaf.map(|(peer, _)| *peer).collect();
                deaf.into_iter().for_each(|peer| self.tell_frame(peer, frame.clone()));
            }
        }
    }

    pub(super) fn hear_gossip(&mut self, from: PeerId, message: gossipsub::MessageId, heard: gossipsub::Message) {
        match self.gossip.known.get(&heard.topic) {
            Some(topic) => {
                let ticket = GossipTicket { from: from.into(), topic: *topic, message };
                self.tell(MeshEvent::Gossip { ticket, bytes: heard.data });
            }
            // It was left a moment ago.
            None => {
                let ignore = gossipsub::MessageAcceptance::Ignore;
                self.gossip_mut().report_message_validation_result(&message, &from, ignore);
            }
        }
    }
}
