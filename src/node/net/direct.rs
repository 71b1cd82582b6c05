//! Restricts a behaviour to direct connections.
//!
//! A relayed connection only serves to negotiate a direct one. Without this wrapper, protocols would use whichever
//! connection was opened first: gossipsub sends its subscriptions once per peer, so not on the direct connection. The
//! wrapper changes nothing else of the behaviour. It passes on failed dials of all kinds, since a pending dial must
//! end.
//!
//! The inner behaviour sees a network without relayed connections: they get a handler that does nothing, their events
//! are withheld, and the numbers of other connections in the remaining events count direct ones only. For example:
//!
//! ```text
//!   swarm                              inner behaviour (gossipsub, streams)
//!   relayed connection to Bob          –
//!   direct connection to Bob           ConnectionEstablished, other_established: 0    ► sends its subscriptions on it
//!   relayed connection closed          –
//!   direct connection closed           ConnectionClosed, remaining_established: 0
//! ```

use std::collections::{HashMap, HashSet};
use std::task::{Context, Poll};

use libp2p::core::transport::PortUse;
use libp2p::core::{ConnectedPoint, Endpoint};
use libp2p::swarm::behaviour::ConnectionEstablished;
use libp2p::swarm::derive_prelude::Either;
use libp2p::swarm::{
    ConnectionClosed, ConnectionDenied, ConnectionId, DialFailure, FromSwarm, ListenFailure, NetworkBehaviour,
    NotifyHandler, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm, behaviour::AddressChange, dummy,
};
use libp2p::{Multiaddr, PeerId};

use crate::net::address::is_relayed;

/// A behaviour that only uses direct connections.
pub struct Direct<B> {
    inner: B,
    /// Relayed connections, which the inner behaviour does not see.
    hidden: HashSet<ConnectionId>,
    /// The direct connections to each peer, the oldest first.
    direct: HashMap<PeerId, Vec<ConnectionId>>,
}

impl<B> Direct<B> {
    /// Wraps a behaviour.
    pub fn new(inner: B) -> Self {
        Self { inner, hidden: HashSet::new(), direct: HashMap::new() }
    }

    /// Returns the wrapped behaviour.
    pub fn inner(&self) -> &B {
        &self.inner
    }

    /// Returns the wrapped behaviour, to be changed.
    pub fn inner_mut(&mut self) -> &mut B {
        &mut self.inner
    }

    /// Whether there is a direct connection to this peer.
    pub fn is_connected(&self, peer: &PeerId) -> bool {
        self.direct.contains_key(peer)
    }

    /// Returns the peers with a direct connection.
    pub fn peers(&self) -> impl Iterator<Item = &PeerId> {
        self.direct.keys()
    }
}

impl<B: NetworkBehaviour> Direct<B> {
    /// Returns the connection that an event for a handler is for, or `None` if it has ended.
    fn addressee(&self, peer: &PeerId, handler: NotifyHandler) -> Option<ConnectionId> {
        match handler {
            NotifyHandler::One(id) => (!self.hidden.contains(&id)).then_some(id),
            NotifyHandler::Any => self.direct.get(peer).and_then(|connections| connections.first().copied()),
        }
    }

    /// Passes on the end of a direct connection, with the number of remaining direct ones.
    fn on_closed(&mut self, mut closed: ConnectionClosed<'_>) {
        if self.hidden.remove(&closed.connection_id) {
            return;
        }
        if let Some(connections) = self.direct.get_mut(&closed.peer_id) {
            connections.retain(|id| *id != closed.connection_id);
            closed.remaining_established = connections.len();
            if connections.is_empty() {
                self.direct.remove(&closed.peer_id);
            }
        }
        self.inner.on_swarm_event(FromSwarm::ConnectionClosed(closed));
    }
}

impl<B: NetworkBehaviour> NetworkBehaviour for Direct<B> {
    type ConnectionHandler = Either<THandler<B>, dummy::ConnectionHandler>;
    type ToSwarm = B::ToSwarm;

    fn handle_pending_inbound_connection(
        &mut self,
        id: ConnectionId,
        local_addr: &Multiaddr,
        remote_addr: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        if is_relayed(local_addr) {
            return Ok(());
        }
        self.inner.handle_pending_inbound_connection(id, local_addr, remote_addr)
    }

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        local_addr: &Multiaddr,
        remote_addr: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        if is_relayed(local_addr) {
            self.hidden.insert(id);
            return Ok(Either::Right(dummy::ConnectionHandler));
        }
        self.inner.handle_established_inbound_connection(id, peer, local_addr, remote_addr).map(Either::Left)
    }

    fn handle_pending_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: Option<PeerId>,
        addresses: &[Multiaddr],
        role: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        self.inner.handle_pending_outbound_connection(id, peer, addresses, role)
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port_use: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        if is_relayed(address) {
            self.hidden.insert(id);
            return Ok(Either::Right(dummy::ConnectionHandler));
        }
        self.inner.handle_established_outbound_connection(id, peer, address, role, port_use).map(Either::Left)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(mut established) => {
                let ConnectionEstablished { peer_id, connection_id, endpoint, .. } = established;
                if is_relayed(address_of(endpoint)) {
                    self.hidden.insert(connection_id);
                    return;
                }
                let connections = self.direct.entry(peer_id).or_default();
                established.other_established = connections.len();
                connections.push(connection_id);
                self.inner.on_swarm_event(FromSwarm::ConnectionEstablished(established));
            }
            FromSwarm::ConnectionClosed(closed) => self.on_closed(closed),
            FromSwarm::AddressChange(AddressChange { connection_id, .. }) if self.hidden.contains(&connection_id) => {}
            FromSwarm::DialFailure(DialFailure { connection_id, .. })
            | FromSwarm::ListenFailure(ListenFailure { connection_id, .. }) => {
                // Another behaviour may have denied it.
                self.hidden.remove(&connection_id);
                self.inner.on_swarm_event(event);
            }
            _ => self.inner.on_swarm_event(event),
        }
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, id: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {
            Either::Left(event) => self.inner.on_connection_handler_event(peer, id, event),
            Either::Right(never) => match never {},
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        while let Poll::Ready(action) = self.inner.poll(cx) {
            let ToSwarm::NotifyHandler { peer_id, handler, event } = action else {
                return Poll::Ready(action.map_in(Either::Left));
            };
            if let Some(id) = self.addressee(&peer_id, handler) {
                let (handler, event) = (NotifyHandler::One(id), Either::Left(event));
                return Poll::Ready(ToSwarm::NotifyHandler { peer_id, handler, event });
            }
        }
        Poll::Pending
    }
}

/// Returns the address that shows whether a connection is relayed: for an accepted one, the address it came in on.
fn address_of(endpoint: &ConnectedPoint) -> &Multiaddr {
    match endpoint {
        ConnectedPoint::Dialer { address, .. } => address,
        ConnectedPoint::Listener { local_addr, .. } => local_addr,
    }
}
