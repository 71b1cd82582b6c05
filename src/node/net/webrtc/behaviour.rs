//! Upgrades relayed connections to direct ones: finds or dials the relayed connection for each dial of the transport,
//! upgrades relayed connections that were dialled for their own sake, and closes those that are superfluous afterwards.
//!
//! Negotiates only over relayed, authenticated connections, and leaves one direct connection to each peer.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::channel::mpsc::{Receiver, channel, unbounded};
use futures::future::LocalBoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use futures_timer::Delay;
use libp2p::core::transport::PortUse;
use libp2p::core::{ConnectedPoint, Endpoint};
use libp2p::swarm::behaviour::{ConnectionEstablished, ExternalAddrConfirmed};
use libp2p::swarm::derive_prelude::Either;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{
    CloseConnection, ConnectionClosed, ConnectionDenied, ConnectionId, DialFailure, ExternalAddrExpired, FromSwarm,
    NetworkBehaviour, NotifyHandler, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm, dummy,
};
use libp2p::{Multiaddr, PeerId};

use super::connection_table::{ConnectionTable, Dialler};
use super::handler::{Finished, Handler, HandlerCommand, Shared};
use super::slots::Slots;
use super::transport::{DialError, DialRequest, HandlerEvent, Transport};
use crate::net::address::{is_relayed, is_webrtc, relay_of, webrtc_of_relayed};
use crate::net::ice::IceServer;
use gen_registry_core::node_limits::NodeLimits;

/// How long the relayed connection stays after the direct one was made: the other side may not have seen it yet.
pub const RELAYED_LINGER: Duration = Duration::from_secs(2);
/// Two peers that dial each other at once are done within this time. An incoming connection besides an older one means
/// that the peer has lost the older one. If a dial takes longer, one good connection replaces another, without harm.
pub const SETTLED_AFTER: Duration = Duration::from_secs(10);
/// Dials that wait for the behaviour; further ones wait at the transport.
const REQUESTS_WAITING: usize = 16;

/// The configuration of direct connections.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// STUN and TURN servers. Without any, only peers of the same local network can connect.
    pub ice_servers: Vec<IceServer>,
    /// What the node bounds for itself.
    pub limits: NodeLimits,
}

/// Returns a transport and a behaviour for the same swarm: neither does anything without the other.
pub fn new(local: PeerId, config: Config) -> (Transport, Behaviour) {
    let (requests, received_requests) = channel(REQUESTS_WAITING);
    // Unbounded: connections are bounded by `slots`, changes of addresses by the reservations at relays.
    let (events, received_events) = unbounded();
    let Config { ice_servers, limits } = config;
    let slots = Slots::new(limits.handshakes_per_relay);
    let shared = Shared { ice_servers: ice_servers.into(), limits, slots, events };
    let behaviour = Behaviour {
        local,
        shared,
        requests: received_requests,
        dialling: HashMap::new(),
        table: ConnectionTable::new(local),
        later: FuturesUnordered::new(),
        actions: VecDeque::new(),
        waker: None,
    };
    (Transport::new(requests, received_events), behaviour)
}

/// Something to be done later.
enum Due {
    /// Close the relayed connections to a peer that a direct one has made superfluous.
    CloseSuperfluous(PeerId),
    /// Treat a direct connection as settled: see [`ConnectionTable`].
    Settle(PeerId, ConnectionId),
}

/// An action of the behaviour for the swarm.
type Action = ToSwarm<Infallible, Either<HandlerCommand, Infallible>>;

/// The behaviour: negotiates, and keeps the table of connections.
pub struct Behaviour {
    local: PeerId,
    shared: Shared,
    /// Dials of the transport.
    requests: Receiver<DialRequest>,
    /// Requests that wait for a relayed connection that is being dialled.
    dialling: HashMap<ConnectionId, DialRequest>,
    /// The connections, and which of them are superfluous.
    table: ConnectionTable,
    /// What is to be done after a delay.
    later: FuturesUnordered<LocalBoxFuture<'static, Due>>,
    /// What the swarm is to do, in order.
    actions: VecDeque<Action>,
    waker: Option<Waker>,
}

impl Behaviour {
    /// Queues an action for the swarm and wakes its task.
    fn push_action(&mut self, action: Action) {
        self.actions.push_back(action);
        self.wake();
    }

    /// Has the swarm poll the behaviour again.
    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Takes a dial of the transport: negotiates over an open relayed connection, or dials one first.
    fn request(&mut self, request: DialRequest) {
        if self.table.has_direct(&request.peer) {
            answer(request, DialError::AlreadyConnected);
        } else if let Some(id) = self.table.relayed(&request.peer) {
            self.negotiate(id, request);
        } else {
            let opts = DialOpts::peer_id(request.peer)
                .addresses(vec![request.relayed.clone()])
                // The dial that requests it is one to the same peer.
                .condition(PeerCondition::Always)
                .build();
            self.dialling.insert(opts.connection_id(), request);
            self.push_action(ToSwarm::Dial { opts });
        }
    }

    /// Has the handler of a relayed connection begin a handshake.
    fn negotiate(&mut self, id: ConnectionId, request: DialRequest) {
        self.notify_handler(request.peer, id, HandlerCommand::Negotiate(request.reply));
    }

    /// Sends a command to the handler of a relayed connection.
    fn notify_handler(&mut self, peer_id: PeerId, id: ConnectionId, command: HandlerCommand) {
        let (handler, event) = (NotifyHandler::One(id), Either::Left(command));
        self.push_action(ToSwarm::NotifyHandler { peer_id, handler, event });
    }

    /// Records a connection. A direct one may end others; a relayed one that this side dialled for its own sake is
    /// upgraded, by dialling the direct address.
    fn on_established(&mut self, peer: PeerId, id: ConnectionId, endpoint: &ConnectedPoint) {
        let dialler = if endpoint.is_dialer() { Dialler::Us } else { Dialler::Them };
        let address = address_of(endpoint);
        if is_webrtc(address) {
            for closed in self.table.add_direct(peer, id, dialler) {
                tracing::debug!(%peer, "duplicate direct connection closed");
                self.close(peer, closed);
            }
            self.after(RELAYED_LINGER, Due::CloseSuperfluous(peer));
            self.after(SETTLED_AFTER, Due::Settle(peer, id));
        } else if is_relayed(address) {
            self.table.add_relayed(peer, id, dialler);
            if let Some(request) = self.dialling.remove(&id) {
                self.negotiate(id, request);
            } else if self.table.has_direct(&peer) {
                self.after(RELAYED_LINGER, Due::CloseSuperfluous(peer));
            } else if let (Dialler::Us, Some(direct)) = (dialler, webrtc_of_relayed(address, peer)) {
                let opts = DialOpts::peer_id(peer).addresses(vec![direct]).condition(PeerCondition::Always).build();
                self.push_action(ToSwarm::Dial { opts });
            }
        }
    }

    /// Does something after a delay.
    fn after(&mut self, time: Duration, due: Due) {
        self.later.push(Delay::new(time).map(move |()| due).boxed_local());
        self.wake();
    }

    /// Does what was due after a delay.
    fn on_due(&mut self, due: Due) {
        match due {
            Due::CloseSuperfluous(peer) => {
                for superfluous in self.table.superfluous(&peer) {
                    self.notify_handler(peer, superfluous, HandlerCommand::Finish);
                }
            }
            Due::Settle(peer, id) => self.table.settle(peer, id),
        }
    }

    /// Closes one connection.
    fn close(&mut self, peer_id: PeerId, id: ConnectionId) {
        self.push_action(ToSwarm::CloseConnection { peer_id, connection: CloseConnection::One(id) });
    }

    /// Converts a relayed address of this node into the one for direct connections.
    fn own_webrtc_address(&self, address: &Multiaddr) -> Option<Multiaddr> {
        if is_relayed(address) { webrtc_of_relayed(address, self.local) } else { None }
    }

    /// Sends an event to the transport.
    fn emit(&self, event: HandlerEvent) {
        if self.shared.events.unbounded_send(event).is_err() {
            tracing::debug!("WebRTC transport dropped");
        }
    }

    /// Returns the handler of a connection: only relayed ones get one that negotiates.
    fn handler(&self, peer: PeerId, address: &Multiaddr) -> THandler<Self> {
        if !is_relayed(address) {
            return Either::Right(dummy::ConnectionHandler);
        }
        let (local, remote) = (webrtc_of_relayed(address, self.local), webrtc_of_relayed(address, peer));
        match (relay_of(address), local, remote) {
            (Some(relay), Some(local), Some(remote)) => {
                Either::Left(Handler::new(self.shared.clone(), peer, relay, local, remote))
            }
            _ => Either::Right(dummy::ConnectionHandler),
        }
    }
}

/// Returns the address that shows the kind of a connection: that of a listener's remote peer does not.
fn address_of(endpoint: &ConnectedPoint) -> &Multiaddr {
    match endpoint {
        ConnectedPoint::Dialer { address, .. } => address,
        ConnectedPoint::Listener { local_addr, .. } => local_addr,
    }
}

/// Ends a dial with an error.
fn answer(request: DialRequest, error: DialError) {
    if request.reply.send(Err(error)).is_err() {
        tracing::debug!("direct connection no longer requested");
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Either<Handler, dummy::ConnectionHandler>;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        local_addr: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(peer, local_addr))
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(peer, address))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(ConnectionEstablished { peer_id, connection_id, endpoint, .. }) => {
                self.on_established(peer_id, connection_id, endpoint);
            }
            FromSwarm::ConnectionClosed(ConnectionClosed { peer_id, connection_id, .. }) => {
                self.table.remove(peer_id, connection_id);
            }
            FromSwarm::DialFailure(DialFailure { connection_id, error, .. }) => {
                if let Some(request) = self.dialling.remove(&connection_id) {
                    answer(request, DialError::NotRelayed { why: error.to_string() });
                }
            }
            FromSwarm::ExternalAddrConfirmed(ExternalAddrConfirmed { addr }) => {
                if let Some(direct) = self.own_webrtc_address(addr) {
                    self.emit(HandlerEvent::Reachable(direct.clone()));
                    self.push_action(ToSwarm::ExternalAddrConfirmed(direct));
                }
            }
            FromSwarm::ExternalAddrExpired(ExternalAddrExpired { addr }) => {
                if let Some(direct) = self.own_webrtc_address(addr) {
                    self.emit(HandlerEvent::Unreachable(direct.clone()));
                    self.push_action(ToSwarm::ExternalAddrExpired(direct));
                }
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, id: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {
            Either::Left(Finished) => self.close(peer, id),
            Either::Right(never) => match never {},
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Infallible, THandlerInEvent<Self>>> {
        loop {
            if let Some(action) = self.actions.pop_front() {
                return Poll::Ready(action);
            }
            if let Poll::Ready(Some(request)) = self.requests.poll_next_unpin(cx) {
                self.request(request);
            } else if let Poll::Ready(Some(due)) = self.later.poll_next_unpin(cx) {
                self.on_due(due);
            } else {
                self.waker = Some(cx.waker().clone());
                return Poll::Pending;
            }
        }
    }
}
