//! A node of the network that says what it likes: a real mesh, and no registry behind it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use gen_registry_core::actors::Device;
use gen_registry_core::identity::Topic;
use gen_registry_core::keys::SecretKey;
use gen_registry_core::node_limits::NodeLimits;
use gen_registry_core::presence::{Attendance, Heartbeat, NodeId, SignedHeartbeat};
use gen_registry_core::signed::Signed;
use gen_registry_core::sync::chat::ChatFrame;
use gen_registry_node::Network;
use gen_registry_node::net::key::{NetPeerId, NodeKey};
use gen_registry_node::net::mesh::{GossipTopic, Link, Mesh, MeshEvent, MeshHandle, MeshOptions, MessageAcceptance};
use gen_registry_node::platform::Environment;
use tokio::task::spawn_local;

use crate::support::clock::ShiftedClock;
use crate::support::wait::eventually;

#[derive(Default)]
struct Heard {
    peers: usize,
    links: Vec<Link>,
    heartbeats: BTreeMap<[u8; 32], SignedHeartbeat>,
}

pub struct Stranger {
    key: SecretKey,
    topic: Topic,
    clock: ShiftedClock,
    mesh: MeshHandle,
    heard: Rc<RefCell<Heard>>,
}

impl Stranger {
    pub fn join(clock: &ShiftedClock, network: &Network) -> Self {
        let key = NodeKey::fresh();
        let options = MeshOptions {
            key: key.clone(),
            topic: network.topic.into(),
            relays: network.relays.clone(),
            ice_servers: vec![],
            limits: NodeLimits::default(),
            public_nodes: vec![],
            remembered_peers: vec![],
            listening: None,
            validator: None,
            known_records: None,
        };
        let (mesh, handle, mut events) = Mesh::open(options, Rc::new(clock.clone())).unwrap();
        spawn_local(mesh.run());
        let heard: Rc<RefCell<Heard>> = Rc::default();
        let (ears, says, topic) = (heard.clone(), handle.clone(), network.topic);
        spawn_local(async move {
            while let Some(event) = events.next().await {
                match event {
                    MeshEvent::Linked(link) => ears.borrow_mut().links.push(link),
                    MeshEvent::Changed(view) => ears.borrow_mut().peers = view.peers.len(),
                    MeshEvent::Gossip { ticket, bytes } => {
                        if ticket.topic == GossipTopic::Presence {
                            let heartbeat = SignedHeartbeat::verify(&bytes, &topic).unwrap();
                            ears.borrow_mut().heartbeats.insert(*heartbeat.signer().as_bytes(), heartbeat);
                        }
                        says.validate(ticket, MessageAcceptance::Accept);
                    }
                    MeshEvent::BlocksRequested(_)
                    | MeshEvent::ChatOpened(_)
                    | MeshEvent::QuestionAsked { .. }
                    | MeshEvent::Graylisted(_)
                    | MeshEvent::RedundantConnectionClosed(_)
                    | MeshEvent::Closing => {}
                }
            }
        });
        let key = SecretKey::from_seed(&key.seed());
        Self { key, topic: network.topic, clock: clock.clone(), mesh: handle, heard }
    }

    pub fn name(&self) -> NetPeerId {
        self.mesh.local_peer_id()
    }

    pub fn peers(&self) -> usize {
        self.heard.borrow().peers
    }

    pub fn publish(&self, bytes: Vec<u8>) {
        let frame = ChatFrame::Heartbeat(bytes.clone()).encode();
        self.mesh.publish_chat(GossipTopic::Presence, bytes, frame);
    }

    /// What a node said last, once it has said something.
    pub async fn last_heartbeat_of(&self, node: NetPeerId) -> SignedHeartbeat {
        let key = node.public_key().unwrap();
        eventually("a heartbeat", async || {
            let there = self.heard.borrow().heartbeats.contains_key(&key);
            if !there {
                self.clock.step().await;
            }
            there
        })
        .await;
        self.heard.borrow().heartbeats[&key].clone()
    }

    /// A goodbye in the name of another node, under its own signature over something else.
    pub fn goodbye_for(&self, heard: &SignedHeartbeat) -> Vec<u8> {
        let mut said = heard.statement().clone();
        (said.leaving, said.number) = (true, said.number + 1);
        let mut bytes = Signed::sign(&self.key, &self.topic, said).encode();
        bytes[..32].copy_from_slice(heard.signer().as_bytes());
        bytes
    }

    /// A join for somebody else's person, on the stranger's node.
    pub fn join_for(&self, heard: &SignedHeartbeat, channel: &str) -> Vec<u8> {
        let mut said = heard.statement().clone();
        (said.channels, said.number) = (vec![channel.parse().unwrap()], said.number + 1);
        Signed::sign(&self.key, &self.topic, said).encode()
    }

    /// The same once more, to one peer, as to one that does not listen to gossip yet.
    pub async fn tell(&self, peer: NetPeerId, heard: &SignedHeartbeat) {
        let mut stream = self.mesh.open_chat(peer).await.expect("a stream");
        stream.outgoing.send(ChatFrame::Heartbeat(heard.encode()).encode()).await.unwrap();
    }

    /// Words of the stranger's own, each newer than the one before.
    pub fn joins_and_leaves(&self, channel: &str, count: usize) -> Vec<Vec<u8>> {
        let now = self.clock.now();
        let node = NodeId::from(self.key.public());
        let until = now.plus(Duration::from_secs(3_600));
        let attendance = Device::of(self.topic, "mallory").author(Attendance { node, until }).encode();
        let word = |number: usize| Heartbeat {
            attendance: attendance.clone(),
            session: now,
            number: number as u64,
            at: now,
            valid_for: Duration::from_secs(60),
            leaving: false,
            channels: if number.is_multiple_of(2) { vec![channel.parse().unwrap()] } else { vec![] },
        };
        (1..=count).map(|number| Signed::sign(&self.key, &self.topic, word(number)).encode()).collect()
    }
}
