//! The libp2p behaviours of a node and their configuration. Implements no protocol.
//!
//! The behaviours that carry the registry's data are wrapped in [`Direct`]: they never use relayed connections.
//!
//! Three rules are configured here and implemented elsewhere:
//!
//! - Gossip messages are anonymous (`ValidationMode::Anonymous`): the signed content names its author, and a second
//!   signature by the node's key would link identities to nodes. A message's id is the SHA-256 of its content, so the
//!   same content published by two nodes is one message.
//! - A received message is not forwarded before the host has validated it (`validate_messages`).
//! - A Kademlia query dials only permitted addresses ([`Guarded`]).

use std::time::Duration;

use gen_registry_core::node_limits::HANDSHAKES_PER_RELAY;
use gen_registry_core::sync::chat::GOSSIP_MAX_BYTES;
use libp2p::{
    Multiaddr, Swarm, allow_block_list, connection_limits, gossipsub, identify, kad, ping, relay, rendezvous,
    swarm::NetworkBehaviour,
};
use sha2::{Digest, Sha256};

use crate::net::address::parse_all;
use crate::net::direct::Direct;
use crate::net::kademlia::guard::{Guarded, Permitted};
use crate::net::kademlia::held_records::HeldRecords;
use crate::net::mesh::connection_manager::relay_pool::RELAYS_ELSEWHERE_MAX;
use crate::net::mesh::connection_manager::{DIALLING_MAX, DIRECT_MAX, GUESTS_MAX};
use crate::net::mesh::scoring;
use crate::net::mesh::types::{MeshError, MeshOptions};
use crate::net::streams::Streams;
use crate::net::transport::{self, Reachability, TransportStack, Upgrade};
use crate::net::{AGENT, IDENTIFY_PROTOCOL, RELAYS_MAX, kademlia};

/// Connections besides the direct ones that are kept: guests, those to relays, and relayed ones, over which a handshake
/// that others began or this side is under way.
pub const CONNECTIONS_BESIDES: u32 =
    (GUESTS_MAX + RELAYS_MAX + RELAYS_ELSEWHERE_MAX + DIALLING_MAX + RELAYS_MAX * HANDSHAKES_PER_RELAY) as u32;
/// Incoming connections being made.
pub const CONNECTIONS_PENDING_IN_MAX: u32 = 8;
/// Outgoing connections being made. Of [`DIALLING_MAX`](super::connection_manager::DIALLING_MAX) dials each one may need
/// a relayed connection first, and that one its relay; the node's own relays and two that it visits come on top.
pub const CONNECTIONS_PENDING_OUT_MAX: u32 = 16;
/// One direct, one relayed while it is being replaced, and one more of each if both sides dial at once.
pub const CONNECTIONS_PER_PEER: u32 = 4;
/// Streams of one connection whose protocol is being negotiated; further ones are refused.
const STREAMS_NEGOTIATING: usize = 16;
/// How often each connection is pinged. A failed ping closes it: a laptop that went to sleep is gone after about 35 s.
const PING_EVERY: Duration = Duration::from_secs(15);
/// The framing of a gossip message.
const GOSSIP_FRAME_BYTES: usize = 2 * 1024;
/// How often gossipsub repairs its mesh and advertises messages; its default.
const GOSSIP_HEARTBEAT: Duration = Duration::from_secs(1);
/// Topics of one peer; one that subscribes to more is misbehaving.
const GOSSIP_TOPICS_MAX: usize = 64;

/// Gossipsub without compression, and with a bound on subscriptions.
pub(super) type Gossip = gossipsub::Behaviour<
    gossipsub::IdentityTransform,
    gossipsub::MaxCountSubscriptionFilter<gossipsub::AllowAllSubscriptionFilter>,
>;

/// All behaviours of a node. The limits come first: a refused connection gets no handler of the others.
#[derive(NetworkBehaviour)]
pub(super) struct Behaviour {
    /// Connections in total, of one peer, and being made.
    pub(super) limits: connection_limits::Behaviour,
    /// Refuses connections of banned peers.
    pub(super) banned: allow_block_list::Behaviour<allow_block_list::BlockedPeers>,
    /// The client of circuit relay v2.
    pub(super) relay: relay::client::Behaviour,
    /// Negotiates direct connections over relayed ones; does nothing on a native node.
    pub(super) upgrade: Upgrade,
    /// Registers this node at relays, and discovers others.
    pub(super) rendezvous: rendezvous::client::Behaviour,
    /// Exchanges protocols and addresses, and the observed address.
    pub(super) identify: identify::Behaviour,
    /// Measures round trips, and finds dead connections.
    pub(super) ping: ping::Behaviour,
    /// Not wrapped in [`Direct`]: relays are servers, too.
    pub(super) kademlia: Guarded<kad::Behaviour<HeldRecords>>,
    /// Gossip and streams: what carries the registry's data.
    pub(super) data: Direct<DirectProtocols>,
}

/// The behaviours that carry the registry's data.
#[derive(NetworkBehaviour)]
pub(super) struct DirectProtocols {
    pub(super) gossip: Gossip,
    pub(super) streams: Streams,
}

impl Behaviour {
    /// Returns gossipsub.
    pub(super) fn gossip(&mut self) -> &mut Gossip {
        &mut self.data.inner_mut().gossip
    }

    /// Returns the behaviour of the streams that are not libp2p's.
    pub(super) fn streams(&mut self) -> &mut Streams {
        &mut self.data.inner_mut().streams
    }

    /// Returns Kademlia.
    pub(super) fn kademlia(&mut self) -> &mut kad::Behaviour<HeldRecords> {
        self.kademlia.inner_mut()
    }
}

/// Builds the swarm: a Kademlia server if there is a validator, else a client. Fails if an address or the gossip
/// configuration is invalid.
pub(super) fn swarm(
    options: &MeshOptions,
    stack: TransportStack,
) -> Result<(Swarm<Behaviour>, Reachability), MeshError> {
    let key = options.key.clone().into_keypair();
    let local_peer_id = key.public().to_peer_id();
    let records = HeldRecords::new(local_peer_id, options.known_records.clone());
    let kademlia = match &options.validator {
        Some(_) => kademlia::server(local_peer_id, records),
        None => kademlia::client(local_peer_id, records),
    };
    let direct = options.listening.as_ref().map_or(DIRECT_MAX, |listening| listening.direct_max);
    let direct = u32::try_from(direct).unwrap_or(u32::MAX);
    let limits = connection_limits::ConnectionLimits::default()
        .with_max_established(Some(direct.saturating_add(CONNECTIONS_BESIDES)))
        .with_max_established_per_peer(Some(CONNECTIONS_PER_PEER))
        .with_max_pending_incoming(Some(CONNECTIONS_PENDING_IN_MAX))
        .with_max_pending_outgoing(Some(CONNECTIONS_PENDING_OUT_MAX));
    let identify =
        identify::Config::new(IDENTIFY_PROTOCOL.to_owned(), key.public()).with_agent_version(AGENT.to_owned());
    let behaviour = Behaviour {
        limits: connection_limits::Behaviour::new(limits),
        banned: allow_block_list::Behaviour::default(),
        relay: stack.relay,
        upgrade: stack.upgrade,
        rendezvous: rendezvous::client::Behaviour::new(key),
        identify: identify::Behaviour::new(identify),
        ping: ping::Behaviour::new(ping::Config::new().with_interval(PING_EVERY)),
        kademlia: Guarded::new(kademlia, permitted_for_queries(options, &stack.reachability)?),
        data: Direct::new(DirectProtocols { gossip: gossip()?, streams: Streams::default() }),
    };
    let config = transport::swarm_config().with_max_negotiating_inbound_streams(STREAMS_NEGOTIATING);
    Ok((Swarm::new(stack.transport, behaviour, local_peer_id, config), stack.reachability))
}

/// Returns which addresses a Kademlia query may dial: relays and public nodes of the network and, except on a server, whatever the
/// platform allows. (Strangers must not choose which hosts a server connects to.)
fn permitted_for_queries(options: &MeshOptions, reachability: &Reachability) -> Result<Permitted, MeshError> {
    let mut addresses = parse_all(&options.public_nodes)?;
    addresses.extend(parse_all(&options.relays)?);
    let others = if options.listening.is_some() { |_: &Multiaddr| false } else { reachability.may_query };
    Ok(Permitted::Network { addresses, others })
}

/// Builds gossipsub. Messages carry no author: their content is signed by its owner. The host validates each before it
/// is forwarded.
fn gossip() -> Result<Gossip, MeshError> {
    let config = gossipsub::ConfigBuilder::default()
        .validation_mode(gossipsub::ValidationMode::Anonymous)
        .validate_messages()
        .message_id_fn(|message| Sha256::digest(&message.data).to_vec().into())
        .max_transmit_size(GOSSIP_MAX_BYTES + GOSSIP_FRAME_BYTES)
        .heartbeat_interval(GOSSIP_HEARTBEAT)
        .build()
        .map_err(|_| MeshError::Gossip("the configuration contradicts itself"))?;
    let filter = gossipsub::MaxCountSubscriptionFilter {
        filter: gossipsub::AllowAllSubscriptionFilter {},
        max_subscribed_topics: GOSSIP_TOPICS_MAX,
        max_subscriptions_per_request: GOSSIP_TOPICS_MAX,
    };
    let mut gossip =
        gossipsub::Behaviour::new_with_subscription_filter(gossipsub::MessageAuthenticity::Anonymous, config, filter)
            .map_err(MeshError::Gossip)?;
    gossip
        .with_peer_score(scoring::params(), scoring::thresholds())
        .map_err(|_| MeshError::Gossip("the scoring contradicts itself"))?;
    Ok(gossip)
}
