//! Restricts a Kademlia behaviour to dialling permitted addresses.
//!
//! Answers contain addresses at which a query continues: without a restriction, an answering peer could choose which
//! hosts a node connects to. A query continues without the others.
//!
//! libp2p asks every behaviour for addresses of a peer that is dialled, and Kademlia answers with those that other
//! servers reported. This wrapper filters that answer, and nothing else: addresses that come from another behaviour,
//! e.g. those of the connection manager, are not its concern.

use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};

/// Whether an address may be dialled for a query.
pub type MayDial = Box<dyn Fn(&Multiaddr, Option<PeerId>) -> bool + Send>;

/// A Kademlia behaviour and the rule for its addresses.
pub struct Guarded<B> {
    inner: B,
    /// Which of the addresses that Kademlia offers may be dialled.
    may_dial: MayDial,
}

impl<B> Guarded<B> {
    /// Wraps a behaviour.
    pub fn new(inner: B, may_dial: MayDial) -> Self {
        Self { inner, may_dial }
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
        more.retain(|address| (self.may_dial)(address, peer));
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
