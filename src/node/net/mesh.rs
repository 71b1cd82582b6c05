//! A node among others: it finds them, keeps a handful of direct connections, and carries what its host says.
//!
//! It knows no name, no identity and no document. What peers send is handed to the host as bytes within bounds; who
//! misbehaves is decided by the host.
//!
//! - libp2p's protocols and how they are set up: `behaviour`; what is done with their events: `run`
//! - which peers to dial, and when: [`connection_manager`]; one stream to one peer: `link`, and for content and chat
//!   [`blocks`]; asking witnesses
//!   and peers: `question`; querying Kademlia: [`dht_client`]; peer exchange: [`neighbours`]; how gossip rates
//!   them: `scoring`

mod behaviour;
pub mod blocks;
pub mod connection_manager;
pub mod dht_client;
mod link;
pub mod neighbours;
mod question;
mod run;
mod scoring;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures::channel::{mpsc, oneshot};
use libp2p::gossipsub::MessageId;

use crate::net::ice::IceServer;
use crate::net::kademlia::values::ValidateRecord;
use crate::net::key::{NodeKey, NodeName};
use crate::net::transport::{self, TransportOptions, TransportSetupError, TransportStack};
use crate::platform::Environment;
use blocks::BlockStream;
use dht_client::DhtCommand;
pub use dht_client::FoundValue;
use gen_registry_api::ConnectionPath;
pub use link::{Hold, LinkFault, Outgoing};
pub use question::{ANSWER_MAX_BYTES, AskError, FIND_PROTOCOL, REQUEST_MAX_BYTES};
use run::EventLoop;

#[derive(Debug, thiserror::Error)]
pub enum MeshError {
    #[error(transparent)]
    TransportStack(#[from] TransportSetupError),
    #[error("a network's name must fit into a namespace of libp2p's rendezvous")]
    Namespace,
    #[error("gossip can't be set up: {0}")]
    Gossip(&'static str),
    #[error("the address {0} can't be used")]
    Address(String),
    #[error("could not listen on {address}: {why}")]
    Listen { address: String, why: String },
}

pub struct MeshOptions {
    pub key: NodeKey,
    /// The network's topic in hex: the namespace at rendezvous, and the name of its gossip.
    pub topic: String,
    /// Multiaddresses of relays, each with its name at the end.
    pub relays: Vec<String>,
    pub ice_servers: Vec<IceServer>,
    /// Nodes that listen for everybody: where the network says a page may connect to besides its relays. They are
    /// dialled once they are found.
    pub public_nodes: Vec<String>,
    /// Remembered peers, from an earlier [`MeshView::known`].
    pub known: Vec<(String, Vec<String>)>,
    /// This node is itself one that listens for everybody.
    pub listening: Option<Listening>,
    /// Makes this node a Kademlia server that stores what the validator accepts.
    pub validator: Option<Arc<dyn ValidateRecord>>,
}

/// How a server is reached. It waits for connections and dials its relays only: strangers must not choose
/// which hosts a server connects to.
pub struct Listening {
    pub listen: String,
    /// How others reach it when that is not where it listens.
    pub public: Vec<String>,
    /// Direct connections it takes.
    pub direct_max: usize,
    /// Receives the server's addresses, each with its peer id at the end, whenever they change.
    pub told: mpsc::UnboundedSender<Vec<String>>,
}

/// Events for the host.
pub enum MeshEvent {
    /// A direct connection was made and its sync stream is open.
    Linked(Link),
    /// One of several direct connections to a peer ended. Gossip that was on its way over it is lost.
    Thinned(NodeName),
    /// Gossip of a peer, to be validated by [`MeshHandle::validate`].
    Gossip { ticket: GossipTicket, bytes: Vec<u8> },
    /// A peer misused gossip so much that its messages are ignored.
    Graylisted(NodeName),
    /// A peer opened a stream to ask who is here or what was said, or to say something.
    ChatOpened(BlockStream),
    /// This node is about to leave: what is published now still goes out. [`MeshHandle::leave`] says that that was all.
    Closing,
    /// A peer opened a stream to ask for blocks.
    BlocksAsked(BlockStream),
    /// A peer asks what is known of something ([`FIND_PROTOCOL`]). Dropping the reply is an answer, too.
    Asked { peer: NodeName, request: Vec<u8>, reply: oneshot::Sender<Vec<u8>> },
    /// Peers or relays came or went.
    Changed(MeshView),
}

/// A sync stream to one peer. It ends when the peer ends it, or when what holds it is dropped.
pub struct Link {
    pub peer: NodeName,
    /// Exactly one of the two sides is it.
    pub initiator: bool,
    pub incoming: mpsc::Receiver<Result<Vec<u8>, LinkFault>>,
    pub outgoing: Outgoing,
    pub hold: Hold,
}

/// One message of gossip, and who passed it on.
#[derive(Clone, Debug)]
pub struct GossipTicket {
    pub from: NodeName,
    pub topic: GossipTopic,
    message: MessageId,
}

/// A gossip topic. Subscribers receive its messages and forward them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GossipTopic {
    /// Listened to from the beginning.
    Changes,
    /// Likewise.
    Presence,
    /// A channel, by the digest of its name.
    Channel([u8; 32]),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageAcceptance {
    /// It is passed on.
    Accept,
    /// Nothing new; no peer is at fault.
    Ignore,
    /// It broke a rule, and so did who passed it on.
    Reject,
}

/// A relay of this network as seen from here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayView {
    pub address: String,
    pub connected: bool,
    /// Others can find this node through it.
    pub reserved: bool,
}

/// A peer with a direct connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerView {
    pub peer: NodeName,
    /// Milliseconds since 1970.
    pub since: u64,
    pub dialled: bool,
    pub agent: Option<String>,
    pub round_trip: Option<Duration>,
    /// Measured with the round trip; of a page's connections only.
    pub path: Option<ConnectionPath>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MeshView {
    pub relays: Vec<RelayView>,
    pub peers: Vec<PeerView>,
    /// Where peers that could be reached were reached: tried first at the next start.
    pub known: Vec<(String, Vec<String>)>,
}

enum Command {
    Publish {
        topic: GossipTopic,
        bytes: Vec<u8>,
        frame: Option<Vec<u8>>,
    },
    Listen(GossipTopic, bool),
    Validate(GossipTicket, MessageAcceptance),
    Ban(NodeName),
    Rate(NodeName, f64),
    ConnectTo(NodeName),
    Ask {
        protocol: &'static str,
        request: Vec<u8>,
        answers: oneshot::Sender<Vec<Result<Vec<u8>, AskError>>>,
    },
    AskPeer {
        peer: NodeName,
        protocol: &'static str,
        request: Vec<u8>,
        answer: oneshot::Sender<Result<Vec<u8>, AskError>>,
    },
    LookUp(DhtCommand),
    OpenBlocks(NodeName, oneshot::Sender<BlockStream>),
    OpenChat(NodeName, oneshot::Sender<BlockStream>),
    RetryConnections,
    Close,
    Leave,
}

/// Speaks to a mesh that runs.
#[derive(Clone)]
pub struct MeshHandle {
    name: NodeName,
    commands: mpsc::UnboundedSender<Command>,
}

impl MeshHandle {
    pub fn name(&self) -> NodeName {
        self.name
    }

    /// Changes, to everybody, as gossip.
    pub fn publish(&self, bytes: Vec<u8>) {
        self.send(Command::Publish { topic: GossipTopic::Changes, bytes, frame: None });
    }

    /// Publishes to every subscriber of `topic`; and sends `frame`, which has the same content, on a chat stream to
    /// peers whose subscriptions are not known yet.
    pub fn publish_chat(&self, topic: GossipTopic, bytes: Vec<u8>, frame: Vec<u8>) {
        self.send(Command::Publish { topic, bytes, frame: Some(frame) });
    }

    /// Begins or ends listening to a channel's gossip.
    pub fn listen(&self, topic: GossipTopic, on: bool) {
        self.send(Command::Listen(topic, on));
    }

    pub fn validate(&self, ticket: GossipTicket, verdict: MessageAcceptance) {
        self.send(Command::Validate(ticket, verdict));
    }

    /// Disconnects a peer and has nothing to do with it for [`connection_manager::BAN_TIME`].
    pub fn ban(&self, peer: NodeName) {
        self.send(Command::Ban(peer));
    }

    /// What the host thinks of a peer, between 0 and 1: gossip goes by it.
    pub fn rate(&self, peer: NodeName, score: f64) {
        self.send(Command::Rate(peer, score));
    }

    /// Dials this peer now, where it is known to be or else through every connected relay, for
    /// [`connection_manager::dial_targets::DIAL_TARGET_TIMEOUT`] and within the bounds of keeping connections. More
    /// than [`connection_manager::dial_targets::DIAL_TARGETS_MAX`] at once are not sought.
    pub fn connect_to(&self, peer: NodeName) {
        self.send(Command::ConnectTo(peer));
    }

    /// One request to every connected relay; what each answered.
    pub async fn ask_relays(&self, protocol: &'static str, request: Vec<u8>) -> Vec<Result<Vec<u8>, AskError>> {
        let (answers, answered) = oneshot::channel();
        self.send(Command::Ask { protocol, request, answers });
        answered.await.unwrap_or_default()
    }

    /// One request to a peer with a direct connection. None when there is none.
    pub async fn ask_peer(
        &self,
        peer: NodeName,
        protocol: &'static str,
        request: Vec<u8>,
    ) -> Option<Result<Vec<u8>, AskError>> {
        let (answer, answered) = oneshot::channel();
        self.send(Command::AskPeer { peer, protocol, request, answer });
        answered.await.ok()
    }

    /// Lets Kademlia's servers keep a value under a key, for
    /// [`VALUE_TIME`](crate::net::kademlia::VALUE_TIME).
    pub fn put_record(&self, key: [u8; 32], value: Vec<u8>) {
        self.send(Command::LookUp(DhtCommand::Put { key, value }));
    }

    /// What Kademlia's servers gave for a key within
    /// [`QUESTION_PATIENCE`](crate::net::kademlia::QUESTION_PATIENCE): at most [`dht_client::VALUES_FOUND_MAX`]
    /// different values, true or not.
    pub async fn get_record(&self, key: [u8; 32]) -> Vec<FoundValue> {
        let (found, finding) = oneshot::channel();
        self.send(Command::LookUp(DhtCommand::Get { key, found }));
        finding.await.unwrap_or_default()
    }

    /// Announces to Kademlia's servers that this node has what the key names, for
    /// [`PROVIDER_TIME`](crate::net::kademlia::PROVIDER_TIME).
    pub fn provide(&self, key: [u8; 32]) {
        self.send(Command::LookUp(DhtCommand::Provide { key }));
    }

    /// Who is said to have it: at most [`dht_client::PROVIDERS_FOUND_MAX`] peers.
    pub async fn providers(&self, key: [u8; 32]) -> Vec<NodeName> {
        let (found, finding) = oneshot::channel();
        self.send(Command::LookUp(DhtCommand::Providers { key, found }));
        finding.await.unwrap_or_default()
    }

    /// A stream on which `peer` can be asked for blocks. None when there is no direct connection to it, or it does not
    /// answer such questions.
    pub async fn open_blocks(&self, peer: NodeName) -> Option<BlockStream> {
        let (opened, opening) = oneshot::channel();
        self.send(Command::OpenBlocks(peer, opened));
        opening.await.ok()
    }

    /// A stream to ask `peer` on who is here or what was said. None as in [`MeshHandle::open_blocks`].
    pub async fn open_chat(&self, peer: NodeName) -> Option<BlockStream> {
        let (opened, opening) = oneshot::channel();
        self.send(Command::OpenChat(peer, opened));
        opening.await.ok()
    }

    /// Something changed outside (the device is online again): try now what would be tried later.
    pub fn retry_connections(&self) {
        self.send(Command::RetryConnections);
    }

    /// Emits [`MeshEvent::Closing`], upon which the host may say goodbye.
    pub fn close(&self) {
        self.send(Command::Close);
    }

    /// The host has said everything.
    pub fn leave(&self) {
        self.send(Command::Leave);
    }

    fn send(&self, command: Command) {
        // A mesh that ended wants no more commands.
        if self.commands.unbounded_send(command).is_err() {
            tracing::debug!("the mesh is closed");
        }
    }
}

/// A node that was set up; [`Mesh::run`] is its life.
pub struct Mesh(EventLoop);

impl Mesh {
    pub fn open(
        options: MeshOptions,
        environment: Rc<dyn Environment>,
    ) -> Result<(Self, MeshHandle, mpsc::UnboundedReceiver<MeshEvent>), MeshError> {
        let carrier = TransportOptions { ice_servers: options.ice_servers.clone() };
        let carrier = transport::open(&options.key.clone().into_keypair(), &carrier)?;
        Self::open_on(carrier, options, environment)
    }

    /// The same node on another carrier than its platform's.
    pub fn open_on(
        carrier: TransportStack,
        options: MeshOptions,
        environment: Rc<dyn Environment>,
    ) -> Result<(Self, MeshHandle, mpsc::UnboundedReceiver<MeshEvent>), MeshError> {
        let name = options.key.name();
        let (swarm, reach) = behaviour::swarm(&options, carrier)?;
        let (commands, orders) = mpsc::unbounded();
        let (events, heard) = mpsc::unbounded();
        let running = EventLoop::new(swarm, reach, options, environment, orders, events)?;
        Ok((Self(running), MeshHandle { name, commands }, heard))
    }

    /// Runs until it is closed, or its events are no longer received.
    pub async fn run(self) {
        self.0.run().await;
    }
}
