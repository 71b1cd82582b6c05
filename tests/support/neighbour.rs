//! A neighbour that replicates with one node as every node does, over the real carrier, and keeps what it has in memory.
//!
//! It never begins a comparison, and nobody begins one with it: all that it has came with the word that something changed.
//! A story looks at each page before the neighbour admits it, and may pass pieces of its own on.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::rc::Rc;

use gen_registry_core::document::count_operations;
use gen_registry_core::keys::Did;
use gen_registry_core::log::{Entry, EntryId, Kind, Opening};
use gen_registry_core::registry::Registry;
use gen_registry_core::sync::exchange::wire::Piece;
use gen_registry_core::sync::exchange::{Exchange, Input, Outcome, Output, admit, load_answer, plan_answer};
use gen_registry_node::Network;
use gen_registry_node::platform::Environment;
use gen_registry_node::platform::native::Native;
use libp2p::PeerId;
use tokio::task::{JoinHandle, spawn_local};

use crate::hostile::peer::{Conversation, Mallory, Side, Victim};
use crate::support::node::TestNode;

/// What a neighbour knows; several may share it.
pub type SharedRegistry = Rc<RefCell<Registry>>;

/// A neighbour of one node, until it is dropped.
pub struct Neighbour {
    pub peer: Mallory,
    lives: Vec<JoinHandle<()>>,
}

/// The conversation and what it needs.
struct Replication<P> {
    talk: Conversation,
    exchange: Exchange,
    registry: SharedRegistry,
    entries: HashMap<EntryId, Vec<u8>>,
    on_page: P,
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        self.lives.iter().for_each(JoinHandle::abort);
    }
}

impl Neighbour {
    /// Connects directly with a node, follows its gossip, and greets it. `on_page` is given every page, and returns what the
    /// neighbour says to the node of its own.
    pub async fn of(
        node: &TestNode,
        network: &Network,
        registry: SharedRegistry,
        on_page: impl AsyncFnMut(&[Piece]) -> Vec<Piece> + 'static,
    ) -> Self {
        let peer: PeerId = node.mesh.local_peer_id().to_string().parse().unwrap();
        let relays = network.relays.iter().map(|address| address.parse().unwrap()).collect();
        let victim = Victim { peer, topic: network.topic, relays };
        // The side that opens the stream is the one that begins comparisons.
        let (mut peer, life) = Mallory::new(victim, Side::Initiator);
        let mut lives = vec![spawn_local(life)];
        peer.approach().await;
        peer.join_gossip().await;
        let (talk, entries) = (peer.silent().await, HashMap::new());
        let mut replication =
            Replication { talk, exchange: Exchange::new(true, Rc::default()), registry, entries, on_page };
        assert!(replication.feed(Input::Opened).await);
        while !replication.exchange.has_greeted() {
            assert!(replication.hear().await, "the node greets");
        }
        lives.push(spawn_local(async move { while replication.hear().await {} }));
        Self { peer, lives }
    }
}

impl<P: AsyncFnMut(&[Piece]) -> Vec<Piece>> Replication<P> {
    /// Takes the next message; false when the node has ended the conversation.
    async fn hear(&mut self) -> bool {
        match self.talk.hear().await {
            Some(message) => self.feed(Input::Message(message.encode())).await,
            None => false,
        }
    }

    async fn feed(&mut self, input: Input) -> bool {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let outputs = self.exchange.handle(input, &self.registry.borrow(), Native.now());
            for output in outputs {
                match output {
                    Output::Send(message) => {
                        if !self.talk.say(&message).await {
                            return false;
                        }
                    }
                    Output::Load { ticket, asks } => {
                        let parts = plan_answer(&self.registry.borrow(), &asks);
                        let pieces = load_answer(parts, |entry| self.entries.get(entry).cloned());
                        inputs.push_back(Input::Loaded { ticket, pieces });
                    }
                    Output::Admit(pieces) => {
                        let own = (self.on_page)(&pieces).await;
                        inputs.push_back(Input::Admitted(self.admit(&pieces)));
                        let outcome = self.admit(&own);
                        let dids: BTreeSet<_> = outcome.kept.iter().map(|entry| self.owner_of(entry)).collect();
                        if !dids.is_empty() {
                            inputs.push_back(Input::Changed(dids.into_iter().flatten().collect()));
                        }
                    }
                    Output::Rejected(why) => panic!("an honest node breaks no rule: {why}"),
                    Output::Follow(_) | Output::Synced => {}
                    Output::Ended => return false,
                }
            }
        }
        true
    }

    fn admit(&mut self, pieces: &[Piece]) -> Outcome {
        let operations = |entry: &Entry| {
            if entry.header().kind == Kind::Change as u8 { count_operations(entry.body()).ok() } else { Some(0) }
        };
        let outcome = admit(&mut self.registry.borrow_mut(), pieces, operations);
        self.entries.extend(outcome.kept.iter().map(|entry| (entry.id(), entry.encode())));
        outcome
    }

    fn owner_of(&self, entry: &Entry) -> Option<Did> {
        let registry = self.registry.borrow();
        registry.opening(&entry.header().log).map(Opening::did)
    }
}
