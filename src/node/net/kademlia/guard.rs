//! Restricts a Kademlia behaviour to dialling permitted addresses.
//!
//! Answers contain addresses at which a query continues: without a restriction, an answering peer could choose which
//! hosts a node connects to. A query continues without the others.
//!
//! libp2p asks every behaviour for addresses of a peer that is dialled, and Kademlia answers with those that other
//! servers reported. This wrapper filters that answer, and nothing else: addresses that come from another behaviour,
//! e.g. those of the connection manager, are not its concern.

use std::collections::BTreeSet;
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};

/// Which addresses may be dialled for a query.
#[derive(Clone, Debug)]
pub enum Permitted {
    /// All addresses of these peers.
    Peers(BTreeSet<PeerId>),
    /// Relays and public nodes of the network, each with its peer id at the end, and what else the platform allows.
    Network { addresses: Vec<Multiaddr>, others: fn(&Multiaddr) -> bool },
}

impl Permitted {
    /// Whether this address of a peer is one of them.
    fn allows(&self, address: &Multiaddr, peer: Option<PeerId>) -> bool {
        match self {
            Self::Peers(peers) => peer.is_some_and(|peer| peers.contains(&peer)),
            Self::Network { addresses, others } => {
                let named = peer.and_then(|peer| address.clone().with_p2p(peer).ok());
                named.is_some_and(|address| addresses.contains(&address)) || others(address)
            }
        }
    }
}

/// A Kademlia behaviour and the rule for its addresses.
pub struct Guarded<B> {
    inner: B,
    /// Which of the addresses that Kademlia offers may be dialled.
    permitted: Permitted,
}

impl<B> Guarded<B> {
    /// Wraps a behaviour.
    pub fn new(inner: B, permitted: Permitted) -> Self {
        Self { inner, permitted }
    }

    /// Sets the addresses of the network's relays and public nodes, in place of those before.
    pub fn set_network_addresses(&mut self, of_network: Vec<Multiaddr>) {
        if let Permitted::Network { addresses, .. } = &mut self.permitted {
            *addresses = of_network;
        }
    }

    /// Returns the wrapped behaviour, to be changed.
    pub fn inner_mut(&mut self) -> &mut B {
        &mut self.inner
    }
}

impl<B: NetworkBehaviour> NetworkBehaviour for Guarded<B> {
    type ConnectionHandler = B::ConnectionHandler;
    type ToSwarm = B::ToSwarm;

    fn handle_pending_inbound_connection(
        &mut self,
        id: ConnectionId,
        local_addr: &Multiaddr,
        remote_addr: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        self.inner.handle_pending_inbound_connection(id, local_addr, remote_addr)
    }

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        local_addr: &Multiaddr,
        remote_addr: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.inner.handle_established_inbound_connection(id, peer, local_addr, remote_addr)
    }

    fn handle_pending_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: Option<PeerId>,
        addresses: &[Multiaddr],
        role: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        let mut more = self.inner.handle_pending_outbound_connection(id, peer, addresses, role)?;
        more.retain(|address| self.permitted.allows(address, peer));
        Ok(more)
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port_use: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.inner.handle_established_outbound_connection(id, peer, address, role, port_use)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        self.inner.on_swarm_event(event);
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, id: ConnectionId, event: THandlerOutEvent<Self>) {
        self.inner.on_connection_handler_event(peer, id, event);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        self.inner.poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use libp2p::swarm::dummy;

    use super::*;

    #[test]
    fn addresses_of_the_network_are_dialled_and_those_that_it_left_are_not() {
        let (old, new) = (PeerId::random(), PeerId::random());
        let at = |port: u16| -> Multiaddr { format!("/ip4/192.0.2.1/tcp/{port}/ws").parse().unwrap() };
        let named = |port, peer| at(port).with_p2p(peer).unwrap();
        let permitted = Permitted::Network { addresses: vec![named(1, old)], others: |_| false };
        let mut guarded = Guarded::new(dummy::Behaviour, permitted);
        let allows = |guarded: &Guarded<dummy::Behaviour>, port, peer| guarded.permitted.allows(&at(port), peer);
        assert!(allows(&guarded, 1, Some(old)));
        assert!(!allows(&guarded, 1, Some(new)) && !allows(&guarded, 2, Some(old)) && !allows(&guarded, 1, None));
        guarded.set_network_addresses(vec![named(2, new)]);
        assert!(allows(&guarded, 2, Some(new)) && !allows(&guarded, 1, Some(old)));
    }
}
