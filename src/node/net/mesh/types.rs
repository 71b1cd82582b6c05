//! Plain data that the host and the parts of the mesh exchange: options, events, views and errors.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures::channel::{mpsc, oneshot};
use libp2p::gossipsub::MessageId;

use crate::net::address::InvalidAddress;
use crate::net::ice::IceServer;
use crate::net::kademlia::held_records::ProveRecords;
use crate::net::kademlia::values::ValidateRecord;
use crate::net::key::{NetPeerId, NodeKey};
use crate::net::mesh::blocks::BlockStream;
use crate::net::mesh::link::{LinkFault, LinkGuard, Outgoing};
use crate::net::mesh::request::QuestionKind;
use crate::net::transport::TransportSetupError;
use gen_registry_api::ConnectionPath;
use gen_registry_core::node_limits::NodeLimits;

/// Why a node can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum MeshError {
    #[error(transparent)]
    Transport(#[from] TransportSetupError),
    #[error("a network's name must fit into a namespace of libp2p's rendezvous")]
    Namespace,
    #[error("gossip can't be set up: {0}")]
    Gossip(&'static str),
    #[error(transparent)]
    Address(#[from] InvalidAddress),
    #[error("could not listen on {address}: {why}")]
    Listen { address: String, why: String },
}

/// The configuration of a node.
pub struct MeshOptions {
    /// The node's key, from which its peer id is derived.
    pub key: NodeKey,
    /// The network's topic in hex: the namespace at rendezvous, and part of the names of its gossip topics.
    pub topic: String,
    /// Multiaddresses of relays, each with its peer id at the end.
    pub relays: Vec<String>,
    /// STUN and TURN servers for direct connections of pages.
    pub ice_servers: Vec<IceServer>,
    /// Nodes that anyone may dial: besides its relays, the only ones that a page's network lets it connect to. They are
    /// dialled once they are discovered.
    pub public_nodes: Vec<String>,
    /// Peers of an earlier run, from [`MeshView::remembered_peers`].
    pub remembered_peers: Vec<(String, Vec<String>)>,
    /// Makes this node a public one.
    pub listening: Option<Listening>,
    /// Makes this node a Kademlia server that stores what the validator accepts.
    pub validator: Option<Arc<dyn ValidateRecord>>,
    /// What this node proves to those who ask it as a server, besides what others stored there.
    pub known_records: Option<Rc<dyn ProveRecords>>,
    /// What the node bounds for itself.
    pub limits: NodeLimits,
}

/// How a public node is reached. It waits for connections and dials its relays only: strangers must not choose
/// which hosts a server connects to.
pub struct Listening {
    /// The multiaddress to listen on.
    pub listen: String,
    /// How others reach it if that is not where it listens.
    pub public: Vec<String>,
    /// The most direct connections it accepts.
    pub direct_max: usize,
    /// Receives the node's addresses, each with its peer id at the end, whenever they change. Unbounded: one message
    /// for each address of this machine's interfaces.
    pub addresses: mpsc::UnboundedSender<Vec<String>>,
}

/// Events for the host.
pub enum MeshEvent {
    /// A direct connection was made and its sync stream is open.
    Linked(Link),
    /// One of several direct connections to a peer ended, as after both sides dialled at once. Gossip that was under
    /// way on it is lost.
    RedundantConnectionClosed(NetPeerId),
    /// A gossip message, to be validated by [`MeshHandle::validate`](super::MeshHandle::validate).
    Gossip { ticket: GossipTicket, bytes: Vec<u8> },
    /// A peer misused gossip so much that its messages are ignored.
    Graylisted(NetPeerId),
    /// A peer opened a chat stream: for a question about presence or history, or to deliver a message.
    ChatOpened(BlockStream),
    /// This node is about to leave: messages published now are still sent.
    /// [`MeshHandle::leave`](super::MeshHandle::leave) ends the mesh.
    Closing,
    /// A peer opened a stream to request blocks.
    BlocksRequested(BlockStream),
    /// A peer asks for something. Dropping `reply` closes its stream without an answer.
    QuestionAsked { kind: QuestionKind, peer: NetPeerId, request: Vec<u8>, reply: oneshot::Sender<Vec<u8>> },
    /// Peers or relays connected or disconnected.
    Changed(MeshView),
}

/// A sync stream to one peer. It ends when the peer ends it, or when `guard` is dropped.
pub struct Link {
    pub peer: NetPeerId,
    /// True on exactly one of the two sides: it begins the comparison.
    pub initiator: bool,
    /// Whole messages, and at last the peer's fault, if the link ends by one.
    pub incoming: mpsc::Receiver<Result<Vec<u8>, LinkFault>>,
    /// The queue of messages to the peer.
    pub outgoing: Outgoing,
    /// Dropping it ends the link.
    pub guard: LinkGuard,
}

/// Identifies one gossip message, and the peer that forwarded it.
#[derive(Clone, Debug)]
pub struct GossipTicket {
    /// The peer that forwarded it, which need not be its author.
    pub from: NetPeerId,
    /// The topic on which it arrived.
    pub topic: GossipTopic,
    pub(super) message: MessageId,
}

/// A gossip topic. Subscribers receive its messages and forward them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GossipTopic {
    /// Heartbeats. Subscribed to from the start.
    Presence,
    /// A channel, by the digest of its name.
    Channel([u8; 32]),
}

/// What the host decided about a gossip message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageAcceptance {
    /// Valid: forwarded to other subscribers.
    Accept,
    /// Not forwarded; no peer is penalized.
    Ignore,
    /// Invalid: not forwarded, and the forwarding peer is penalized.
    Reject,
}

/// A relay of this network, as this node sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayView {
    /// Its multiaddress, as configured.
    pub address: String,
    /// Whether it is one of those that this node uses, or tries to; others are connected for a moment only.
    pub kept: bool,
    /// Whether there is a connection to it.
    pub connected: bool,
    /// Whether this node has a reservation there, through which others can connect to it.
    pub reserved: bool,
}

/// A peer with a direct connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerView {
    pub peer: NetPeerId,
    /// Milliseconds since 1970.
    pub since: u64,
    /// Whether this side dialled it.
    pub dialled: bool,
    /// Its agent version, cut to 64 characters.
    pub agent: Option<String>,
    /// The last round trip that ping measured.
    pub round_trip: Option<Duration>,
    /// Measured together with the round trip, on a page's connections only.
    pub path: Option<ConnectionPath>,
}

/// What the host shows of its connections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MeshView {
    /// The network's relays.
    pub relays: Vec<RelayView>,
    /// Peers with a direct connection.
    pub peers: Vec<PeerView>,
    /// Peers that were reached, with their addresses: dialled first at the next start.
    pub remembered_peers: Vec<(String, Vec<String>)>,
}

/// A value that a Kademlia server returned for a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundValue {
    /// The value as it was returned, not validated.
    pub bytes: Vec<u8>,
    /// The server that returned it; `None` if it was stored on this node.
    pub from: Option<NetPeerId>,
    /// The peer that published it, according to the server: a hint.
    pub publisher: Option<NetPeerId>,
}
