//! The host's handle to a running mesh, and the queue of its commands.
//!
//! The host may not wait in the middle of its own work, so sending a command never waits. The queue is bounded all the
//! same: once [`COMMANDS_WAITING_MAX`] commands wait, a further one whose loss is harmless is dropped and logged. Those
//! that must arrive (a ban, a subscription, closing) are queued beyond the bound; there are only as many as there are
//! connected peers and channels.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::StreamExt;
use futures::channel::{mpsc, oneshot};

use crate::net::key::NetPeerId;
use crate::net::mesh::blocks::BlockStream;
use crate::net::mesh::dht_client::{PROVIDERS_FOUND_MAX, VALUES_FOUND_MAX};
use crate::net::mesh::request::{QuestionKind, RequestError};
use crate::net::mesh::types::{FoundValue, GossipTicket, GossipTopic, MessageAcceptance};

/// Commands that wait for the event loop. It takes them without waiting for anything else, so more pile up only if the
/// host sends without ever yielding; its longest burst, publishing all that a profile holds, pauses between batches.
pub const COMMANDS_WAITING_MAX: usize = 1024;

/// A command of the host. Those with a `oneshot` sender are answered; dropping the sender means "no such peer".
pub(super) enum Command {
    /// Publish a gossip message.
    Publish {
        topic: GossipTopic,
        bytes: Vec<u8>,
        /// The same content for a chat stream, to peers whose subscriptions are not known yet.
        frame: Option<Vec<u8>>,
    },
    /// Subscribe to a topic, or leave it.
    SetSubscribed { topic: GossipTopic, subscribed: bool },
    /// The outcome of validating a received gossip message.
    Validate(GossipTicket, MessageAcceptance),
    /// Disconnect a peer and keep it away for a while.
    Ban(NetPeerId),
    /// The host's score of a peer, 0 to 1.
    Rate(NetPeerId, f64),
    /// Dial this peer now, whatever else is connected.
    ConnectTo(NetPeerId),
    /// Use these relays of the network from now on.
    SetRelays(Vec<String>),
    /// Send one request to a relay of the network.
    AskRelay {
        relay: NetPeerId,
        protocol: &'static str,
        request: Vec<u8>,
        answer: oneshot::Sender<Result<Vec<u8>, RequestError>>,
    },
    /// Send one request to one connected peer.
    AskPeer {
        peer: NetPeerId,
        kind: QuestionKind,
        request: Vec<u8>,
        answer: oneshot::Sender<Result<Vec<u8>, RequestError>>,
    },
    /// Start a Kademlia query.
    Dht(DhtCommand),
    /// Open a stream for blocks.
    OpenBlocks(NetPeerId, oneshot::Sender<BlockStream>),
    /// Open a stream for presence and channels.
    OpenChat(NetPeerId, oneshot::Sender<BlockStream>),
    /// End all backoffs.
    RetryConnections,
    /// Emit [`MeshEvent::Closing`](super::MeshEvent::Closing), and end soon.
    Close,
    /// End as soon as what was published is sent.
    Leave,
}

/// A Kademlia query.
pub(super) enum DhtCommand {
    /// Store a record on the servers closest to its key, and on the connected relays.
    Put { key: [u8; 32], value: Vec<u8> },
    /// Look up the records of a key.
    Get { key: [u8; 32], found: mpsc::Sender<FoundValue> },
    /// Announce this node as a provider of a key.
    Provide { key: [u8; 32] },
    /// Look up the providers of a key.
    Providers { key: [u8; 32], found: mpsc::Sender<NetPeerId> },
}

impl Command {
    /// Returns the name under which logs and spans show the command.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Publish { .. } => "publish",
            Self::SetSubscribed { .. } => "set_subscribed",
            Self::Validate(..) => "validate",
            Self::Ban(_) => "ban",
            Self::Rate(..) => "rate",
            Self::ConnectTo(_) => "connect_to",
            Self::SetRelays(_) => "set_relays",
            Self::AskRelay { .. } => "ask_relay",
            Self::AskPeer { .. } => "ask_peer",
            Self::Dht(DhtCommand::Put { .. }) => "put_record",
            Self::Dht(DhtCommand::Get { .. }) => "get_record",
            Self::Dht(DhtCommand::Provide { .. }) => "provide",
            Self::Dht(DhtCommand::Providers { .. }) => "providers",
            Self::OpenBlocks(..) => "open_blocks",
            Self::OpenChat(..) => "open_chat",
            Self::RetryConnections => "retry_connections",
            Self::Close => "close",
            Self::Leave => "leave",
        }
    }

    /// Whether the host notices no more than a lost message or an unanswered request if the command is dropped: the
    /// next comparison with a peer brings a lost change, the next heartbeat replaces a lost one.
    fn may_be_dropped(&self) -> bool {
        !matches!(self, Self::Ban(_) | Self::SetSubscribed { .. } | Self::SetRelays(_) | Self::Close | Self::Leave)
    }
}

/// Returns a handle and the commands that its copies send.
pub(super) fn channel(local_peer_id: NetPeerId) -> (MeshHandle, Commands) {
    // Bounded by `waiting`: a bounded channel of `futures` gives each clone of its sender a place of its own.
    let (commands, receiver) = mpsc::unbounded();
    let waiting = Arc::<AtomicUsize>::default();
    (MeshHandle { local_peer_id, commands, waiting: waiting.clone() }, Commands { receiver, waiting })
}

/// The receiving end of the queue.
pub(super) struct Commands {
    receiver: mpsc::UnboundedReceiver<Command>,
    waiting: Arc<AtomicUsize>,
}

impl Commands {
    /// Returns the next command, or `None` once all handles are dropped.
    pub(super) async fn next(&mut self) -> Option<Command> {
        let command = self.receiver.next().await?;
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        Some(command)
    }
}

/// Sends commands to a running mesh.
///
/// Requests to peers are answered as if there were no such peer if the queue of commands is full or the mesh has ended.
#[derive(Clone)]
pub struct MeshHandle {
    local_peer_id: NetPeerId,
    commands: mpsc::UnboundedSender<Command>,
    /// Commands in the queue, counted because the channel itself is unbounded.
    waiting: Arc<AtomicUsize>,
}

impl MeshHandle {
    /// Returns the peer id of this node.
    pub fn local_peer_id(&self) -> NetPeerId {
        self.local_peer_id
    }

    /// Publishes to all subscribers of `topic`, and sends `frame`, which has the same content, on a chat stream to
    /// peers whose subscriptions are not known yet.
    pub fn publish_chat(&self, topic: GossipTopic, bytes: Vec<u8>, frame: Vec<u8>) {
        self.send(Command::Publish { topic, bytes, frame: Some(frame) });
    }

    /// Subscribes to a topic: its messages arrive as [`MeshEvent::Gossip`](super::MeshEvent::Gossip) from now on.
    pub fn subscribe(&self, topic: GossipTopic) {
        self.send(Command::SetSubscribed { topic, subscribed: true });
    }

    /// Leaves a topic. Messages that wait in the event queue still arrive.
    pub fn unsubscribe(&self, topic: GossipTopic) {
        self.send(Command::SetSubscribed { topic, subscribed: false });
    }

    /// Reports the result of validating a gossip message; only accepted ones are forwarded.
    pub fn validate(&self, ticket: GossipTicket, acceptance: MessageAcceptance) {
        self.send(Command::Validate(ticket, acceptance));
    }

    /// Disconnects a peer and refuses connections with it for [`BAN_TIME`](super::connection_manager::BAN_TIME).
    pub fn ban(&self, peer: NetPeerId) {
        self.send(Command::Ban(peer));
    }

    /// Sets the host's score of a peer, between 0 and 1, which becomes part of its gossip score.
    pub fn rate(&self, peer: NetPeerId, score: f64) {
        self.send(Command::Rate(peer, score));
    }

    /// Dials this peer now, at its known addresses or else through every connected relay, while the others are asked for
    /// its addresses, for
    /// [`DIAL_TARGET_TIMEOUT`](super::connection_manager::dial_targets::DIAL_TARGET_TIMEOUT) and within the limits on
    /// connections. Ignored while
    /// [`DIAL_TARGETS_MAX`](super::connection_manager::dial_targets::DIAL_TARGETS_MAX) others are being dialled.
    pub fn connect_to(&self, peer: NetPeerId) {
        self.send(Command::ConnectTo(peer));
    }

    /// Sets the network's relays: multiaddresses, each with the peer id at its end. Connections to others stay. What can't
    /// be read is skipped.
    pub fn set_relays(&self, relays: Vec<String>) {
        self.send(Command::SetRelays(relays));
    }

    /// Sends one request to a relay of the network. One that this node does not use is connected for it. Returns `None`
    /// if it can't be reached.
    pub async fn ask_relay(
        &self,
        relay: NetPeerId,
        protocol: &'static str,
        request: Vec<u8>,
    ) -> Option<Result<Vec<u8>, RequestError>> {
        let (answer, answered) = oneshot::channel();
        self.send(Command::AskRelay { relay, protocol, request, answer });
        answered.await.ok()
    }

    /// Sends one request to a peer. Returns `None` if there is no direct connection to it.
    pub async fn ask_peer(
        &self,
        peer: NetPeerId,
        kind: QuestionKind,
        request: Vec<u8>,
    ) -> Option<Result<Vec<u8>, RequestError>> {
        let (answer, answered) = oneshot::channel();
        self.send(Command::AskPeer { peer, kind, request, answer });
        answered.await.ok()
    }

    /// Stores a value on Kademlia servers for [`VALUE_TIME`](crate::net::kademlia::VALUE_TIME).
    pub fn put_record(&self, key: [u8; 32], value: Vec<u8>) {
        self.send(Command::Dht(DhtCommand::Put { key, value }));
    }

    /// Returns what Kademlia servers find for a key within [`QUERY_TIMEOUT`](crate::net::kademlia::QUERY_TIMEOUT), each as
    /// it comes: at most [`VALUES_FOUND_MAX`](super::dht_client::VALUES_FOUND_MAX) different values, none of them validated.
    /// Dropping the receiver ends the query.
    pub fn find_values(&self, key: [u8; 32]) -> mpsc::Receiver<FoundValue> {
        // A channel has one place more for each of its senders.
        let (found, finding) = mpsc::channel(VALUES_FOUND_MAX - 1);
        self.send(Command::Dht(DhtCommand::Get { key, found }));
        finding
    }

    /// Stores a provider record of this node on Kademlia servers, for
    /// [`PROVIDER_TIME`](crate::net::kademlia::PROVIDER_TIME).
    pub fn provide(&self, key: [u8; 32]) {
        self.send(Command::Dht(DhtCommand::Provide { key }));
    }

    /// Returns the providers of a key, each as it is found: at most
    /// [`PROVIDERS_FOUND_MAX`](super::dht_client::PROVIDERS_FOUND_MAX) peers. Dropping the receiver ends the query.
    pub fn find_providers(&self, key: [u8; 32]) -> mpsc::Receiver<NetPeerId> {
        // A channel has one place more for each of its senders.
        let (found, finding) = mpsc::channel(PROVIDERS_FOUND_MAX - 1);
        self.send(Command::Dht(DhtCommand::Providers { key, found }));
        finding
    }

    /// Returns all that [`MeshHandle::find_providers`] comes to. One silent server makes that last until the timeout.
    pub async fn providers(&self, key: [u8; 32]) -> Vec<NetPeerId> {
        self.find_providers(key).collect().await
    }

    /// Opens a stream on which `peer` can be asked for blocks. Returns `None` if there is no direct connection to it,
    /// or it does not speak the protocol.
    pub async fn open_blocks(&self, peer: NetPeerId) -> Option<BlockStream> {
        let (opened, opening) = oneshot::channel();
        self.send(Command::OpenBlocks(peer, opened));
        opening.await.ok()
    }

    /// Opens a stream to ask `peer` about presence or history. Returns `None` as [`MeshHandle::open_blocks`] does.
    pub async fn open_chat(&self, peer: NetPeerId) -> Option<BlockStream> {
        let (opened, opening) = oneshot::channel();
        self.send(Command::OpenChat(peer, opened));
        opening.await.ok()
    }

    /// Resets all backoffs, e.g. when the device is online again.
    pub fn retry_connections(&self) {
        self.send(Command::RetryConnections);
    }

    /// Makes the mesh emit [`MeshEvent::Closing`](super::MeshEvent::Closing), upon which the host may publish its last
    /// messages.
    pub fn close(&self) {
        self.send(Command::Close);
    }

    /// Ends the mesh once what was published is sent.
    pub fn leave(&self) {
        self.send(Command::Leave);
    }

    /// Queues a command, or drops it as explained at the head of this file.
    fn send(&self, command: Command) {
        let waiting = self.waiting.fetch_add(1, Ordering::Relaxed);
        if waiting >= COMMANDS_WAITING_MAX && command.may_be_dropped() {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return tracing::warn!(command = command.name(), "command queue full, command dropped");
        }
        if self.commands.unbounded_send(command).is_err() {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            tracing::debug!("command after the mesh ended");
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;
    use crate::net::key::NodeKey;

    #[test]
    fn full_command_queue_drops_requests_and_keeps_bans_and_closing() {
        let peer = NodeKey::fresh().net_peer_id();
        let (handle, mut commands) = channel(peer);
        for _ in 0..COMMANDS_WAITING_MAX {
            handle.rate(peer, 0.5);
        }
        // Clones share the bound.
        let clone = handle.clone();
        clone.rate(peer, 0.5);
        let answer = handle.ask_peer(peer, QuestionKind::Name, Vec::new()).now_or_never().expect("dropped at once");
        assert!(answer.is_none());
        clone.ban(peer);
        handle.close();
        let mut next = || commands.next().now_or_never().flatten();
        let rated = std::iter::from_fn(&mut next).take(COMMANDS_WAITING_MAX);
        assert!(rated.collect::<Vec<_>>().iter().all(|command| matches!(command, Command::Rate(..))));
        assert!(matches!(next(), Some(Command::Ban(_))));
        assert!(matches!(next(), Some(Command::Close)));
        assert!(next().is_none());
        clone.rate(peer, 0.5);
        assert!(matches!(next(), Some(Command::Rate(..))), "there is room again");
    }
}
