//! Direct connections as a libp2p transport: a dial becomes a request to the behaviour, incoming connections are
//! received from the handlers.
//!
//! Dials only `…/p2p-circuit/webrtc/p2p/X` and listens only on `/webrtc`. Without a listener it accepts none.
//!
//! Where this node is reached is not known to it alone: an address appears when a relay gives a reservation, and the
//! behaviour converts the confirmed external address `…/p2p-circuit` into `…/p2p-circuit/webrtc/p2p/ME`. That becomes a
//! listening address of this transport, which identify sends to peers and rendezvous registers.

use std::collections::VecDeque;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use futures::channel::mpsc::{Sender, UnboundedReceiver};
use futures::channel::oneshot;
use futures::{FutureExt, SinkExt, StreamExt, future::BoxFuture};
use libp2p::core::transport::{DialOpts, ListenerId, TransportError, TransportEvent};
use libp2p::multiaddr::Protocol;
use libp2p::swarm::derive_prelude::Endpoint;
use libp2p::{Multiaddr, PeerId};

use super::connection::Connection;
use super::establish::EstablishError;
use super::slots::Slot;
use crate::net::address::relayed_of_webrtc;

/// Why a dial failed.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    #[error("there is a direct connection to this peer already")]
    AlreadyConnected,
    #[error("there is no relayed connection over which to negotiate a direct one: {why}")]
    NotRelayed { why: String },
    #[error("the peer does not negotiate direct connections")]
    Unsupported,
    #[error("the relayed connection broke while the direct one was negotiated")]
    RelayedConnectionLost,
    #[error(transparent)]
    Establish(#[from] EstablishError),
    #[error("the swarm has ended")]
    Ended,
}

/// Where the outcome of a dial is sent.
pub(super) type Reply = oneshot::Sender<Result<Connection, DialError>>;

/// A request of the transport to the behaviour.
pub(super) struct DialRequest {
    /// The peer to connect to.
    pub(super) peer: PeerId,
    /// Its relayed address, over which the connection is negotiated.
    pub(super) relayed: Multiaddr,
    /// Where the outcome is sent.
    pub(super) reply: Reply,
}

/// A direct connection that another peer dialled.
pub(super) struct IncomingConnection {
    pub(super) peer: PeerId,
    pub(super) connection: Connection,
    pub(super) local_addr: Multiaddr,
    pub(super) send_back_addr: Multiaddr,
    /// Held until the transport receives the connection.
    pub(super) _slot: Slot,
}

/// Events of the behaviour and its handlers for the transport.
pub(super) enum HandlerEvent {
    /// This node can be dialled at this address.
    Reachable(Multiaddr),
    /// This node can no longer be dialled at this address.
    Unreachable(Multiaddr),
    /// A peer made a direct connection.
    Incoming(Box<IncomingConnection>),
}

/// The outcome of a dial.
type Outcome = Result<(PeerId, Connection), DialError>;
/// An event for the swarm.
type Event = TransportEvent<Ready<Outcome>, DialError>;

/// The transport: passes dials to the behaviour and receives its connections.
pub struct Transport {
    requests: Sender<DialRequest>,
    handler_events: UnboundedReceiver<HandlerEvent>,
    /// The listener, if incoming connections are accepted.
    listener: Option<ListenerId>,
    /// At which others reach this node.
    addresses: Vec<Multiaddr>,
    /// Events for the swarm, in order.
    events: VecDeque<Event>,
    waker: Option<Waker>,
}

impl Transport {
    /// Creates the transport with its queues to and from the behaviour.
    pub(super) fn new(requests: Sender<DialRequest>, handler_events: UnboundedReceiver<HandlerEvent>) -> Self {
        Self { requests, handler_events, listener: None, addresses: Vec::new(), events: VecDeque::new(), waker: None }
    }

    /// Queues an event for the swarm and wakes its task.
    fn emit(&mut self, event: Event) {
        self.events.push_back(event);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Passes an event of the behaviour on. Connections that arrive without a listener are dropped, which closes them.
    fn on_handler_event(&mut self, event: HandlerEvent) {
        match (event, self.listener) {
            (HandlerEvent::Reachable(address), listener) if !self.addresses.contains(&address) => {
                self.addresses.push(address.clone());
                if let Some(listener_id) = listener {
                    self.emit(TransportEvent::NewAddress { listener_id, listen_addr: address });
                }
            }
            (HandlerEvent::Unreachable(address), listener) if self.addresses.contains(&address) => {
                self.addresses.retain(|other| *other != address);
                if let Some(listener_id) = listener {
                    self.emit(TransportEvent::AddressExpired { listener_id, listen_addr: address });
                }
            }
            (HandlerEvent::Incoming(incoming), Some(listener_id)) => {
                let IncomingConnection { peer, connection, local_addr, send_back_addr, .. } = *incoming;
                let upgrade = ready(Ok((peer, connection)));
                self.emit(TransportEvent::Incoming { listener_id, upgrade, local_addr, send_back_addr });
            }
            (HandlerEvent::Incoming(_) | HandlerEvent::Reachable(_) | HandlerEvent::Unreachable(_), _) => {}
        }
    }
}

impl libp2p::Transport for Transport {
    type Output = (PeerId, Connection);
    type Error = DialError;
    type ListenerUpgrade = Ready<Outcome>;
    type Dial = BoxFuture<'static, Outcome>;

    fn listen_on(&mut self, id: ListenerId, address: Multiaddr) -> Result<(), TransportError<DialError>> {
        if self.listener.is_some() || !address.iter().eq([Protocol::WebRTC]) {
            return Err(TransportError::MultiaddrNotSupported(address));
        }
        self.listener = Some(id);
        for listen_addr in self.addresses.clone() {
            self.emit(TransportEvent::NewAddress { listener_id: id, listen_addr });
        }
        Ok(())
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        if self.listener != Some(id) {
            return false;
        }
        self.listener = None;
        self.emit(TransportEvent::ListenerClosed { listener_id: id, reason: Ok(()) });
        true
    }

    fn dial(&mut self, address: Multiaddr, opts: DialOpts) -> Result<Self::Dial, TransportError<DialError>> {
        let Some((relayed, peer)) = relayed_of_webrtc(&address) else {
            return Err(TransportError::MultiaddrNotSupported(address));
        };
        if opts.role == Endpoint::Listener {
            return Err(TransportError::MultiaddrNotSupported(address));
        }
        let mut requests = self.requests.clone();
        Ok(async move {
            let (reply, replied) = oneshot::channel();
            requests.send(DialRequest { peer, relayed, reply }).await.map_err(|_| DialError::Ended)?;
            let connection = replied.await.map_err(|_| DialError::RelayedConnectionLost)??;
            Ok((peer, connection))
        }
        .boxed())
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Event> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Poll::Ready(event);
            }
            match self.handler_events.poll_next_unpin(cx) {
                Poll::Ready(Some(event)) => self.on_handler_event(event),
                Poll::Ready(None) | Poll::Pending => break,
            }
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}
