//! Which of libp2p's protocols a node speaks, and how they are set up. No protocol is written here.
//!
//! Everything that carries the registry is wrapped in [`Direct`]: it never travels through a relay.

use std::time::Duration;

use libp2p::{
    Swarm, allow_block_list, connection_limits, gossipsub, identify,
    kad::{self, store::MemoryStore},
    ping, relay, rendezvous,
    swarm::NetworkBehaviour,
};
use sha2::{Digest, Sha256};

use crate::net::direct::Direct;
use crate::net::kademlia::guard::{Guarded, MayDial};
use crate::net::mesh::connection_manager::DIRECT_MAX;
use crate::net::mesh::run::parse;
use crate::net::mesh::scoring;
use crate::net::mesh::{MeshError, MeshOptions};
use crate::net::streams::Streams;
use crate::net::transport::{self, Reachability, TransportStack, Upgrade};
use crate::net::{AGENT, IDENTIFY_PROTOCOL, kademlia};
use gen_registry_core::sync::wire::GOSSIP_MAX_BYTES;

/// Connections besides the direct ones: relays and their circuits.
pub const CONNECTIONS_BESIDES: u32 = 8;
pub const CONNECTIONS_PENDING_MAX: u32 = 8;
/// One direct, one relayed while it is being replaced, one more when both dial at once.
pub const CONNECTIONS_PER_PEER: u32 = 4;
/// Streams that are being agreed on; a flood of them is refused.
const STREAMS_NEGOTIATING: usize = 16;
const PING_EVERY: Duration = Duration::from_secs(15);
/// The framing of a gossip message.
const GOSSIP_FRAME_BYTES: usize = 2 * 1024;
const GOSSIP_HEARTBEAT: Duration = Duration::from_secs(1);
/// A peer that follows more topics than a network has is not one of it.
const GOSSIP_TOPICS_MAX: usize = 64;

pub(super) type Gossip = gossipsub::Behaviour<
    gossipsub::IdentityTransform,
    gossipsub::MaxCountSubscriptionFilter<gossipsub::AllowAllSubscriptionFilter>,
>;

#[derive(NetworkBehaviour)]
pub(super) struct Behaviour {
    pub(super) limits: connection_limits::Behaviour,
    pub(super) banned: allow_block_list::Behaviour<allow_block_list::BlockedPeers>,
    pub(super) relay: relay::client::Behaviour,
    pub(super) upgrade: Upgrade,
    pub(super) rendezvous: rendezvous::client::Behaviour,
    pub(super) identify: identify::Behaviour,
    pub(super) ping: ping::Behaviour,
    /// Outside of what is direct: relays answer, too.
    pub(super) kademlia: Guarded<kad::Behaviour<MemoryStore>>,
    pub(super) registry: Direct<Registry>,
}

/// What the registry itself speaks.
#[derive(NetworkBehaviour)]
pub(super) struct Registry {
    pub(super) gossip: Gossip,
    pub(super) streams: Streams,
}

pub(super) fn swarm(
    options: &MeshOptions,
    carrier: TransportStack,
) -> Result<(Swarm<Behaviour>, Reachability), MeshError> {
    let key = options.key.clone().into_keypair();
    let me = key.public().to_peer_id();
    let kademlia = match &options.validator {
        Some(_) => kademlia::server(me),
        None => kademlia::client(me),
    };
    let direct = options.listening.as_ref().map_or(DIRECT_MAX, |listening| listening.direct_max);
    let direct = u32::try_from(direct).unwrap_or(u32::MAX);
    let limits = connection_limits::ConnectionLimits::default()
        .with_max_established(Some(direct.saturating_add(CONNECTIONS_BESIDES)))
        .with_max_established_per_peer(Some(CONNECTIONS_PER_PEER))
        .with_max_pending_incoming(Some(CONNECTIONS_PENDING_MAX))
        .with_max_pending_outgoing(Some(CONNECTIONS_PENDING_MAX));
    let identify =
        identify::Config::new(IDENTIFY_PROTOCOL.to_owned(), key.public()).with_agent_version(AGENT.to_owned());
    let behaviour = Behaviour {
        limits: connection_limits::Behaviour::new(limits),
        banned: allow_block_list::Behaviour::default(),
        relay: carrier.relay,
        upgrade: carrier.upgrade,
        rendezvous: rendezvous::client::Behaviour::new(key.clone()),
        identify: identify::Behaviour::new(identify),
        ping: ping::Behaviour::new(ping::Config::new().with_interval(PING_EVERY)),
        kademlia: Guarded::new(kademlia, may_ask(options, &carrier.reach)?),
        registry: Direct::new(Registry { gossip: gossip()?, streams: Streams::default() }),
    };
    let config = transport::swarm_config().with_max_negotiating_inbound_streams(STREAMS_NEGOTIATING);
    Ok((Swarm::new(carrier.transport, behaviour, me, config), carrier.reach))
}

/// Open nodes of the network; what else a node of its kind may dial, unless strangers must not choose that for it.
fn may_ask(options: &MeshOptions, reach: &Reachability) -> Result<MayDial, MeshError> {
    let open = parse(&options.public_nodes)?;
    let (may_ask, is_server) = (reach.may_ask, options.listening.is_some());
    Ok(Box::new(move |address, peer| {
        let named = peer.and_then(|peer| address.clone().with_p2p(peer).ok());
        named.is_some_and(|named| open.contains(&named)) || !is_server && may_ask(address)
    }))
}

/// Messages carry no author: what is in them is signed by its owner. The host judges each before it is passed on.
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
