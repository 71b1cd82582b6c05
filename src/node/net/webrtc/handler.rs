//! The handler of one relayed connection, over which direct ones are negotiated: `/webrtc-signaling/0.0.1`.
//!
//! The relayed connection is authenticated from end to end, so the direct one has the same peer. Handshakes of other
//! peers beyond the limits of `slots` are refused, and those that send no offer in time give their slot back.
//!
//! The life of a handler: a page's dial sends [`HandlerCommand::Negotiate`], for which it opens a stream and begins a
//! handshake; a stream that the peer opens begins one in the other direction. Once there is a direct connection the
//! behaviour sends [`HandlerCommand::Finish`]. The handler reports [`Finished`] when no handshake is under way, e.g.
//! the last candidates of the peer's side, and only then the relayed connection is closed.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::channel::mpsc::UnboundedSender;
use futures::future::{Either, LocalBoxFuture, select};
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt, pin_mut};
use libp2p::core::upgrade::ReadyUpgrade;
use libp2p::swarm::handler::{
    ConnectionEvent, ConnectionHandler, ConnectionHandlerEvent, DialUpgradeError, FullyNegotiatedInbound,
    FullyNegotiatedOutbound, StreamUpgradeError,
};
use libp2p::swarm::{Stream, StreamProtocol, SubstreamProtocol};
use libp2p::{Multiaddr, PeerId};
use send_wrapper::SendWrapper;

use super::establish::establish;
use super::slots::Slots;
use super::transport::{DialError, HandlerEvent, IncomingConnection, Reply};
use crate::net::ice::IceServer;
use gen_registry_core::node_limits::NodeLimits;
use gen_registry_core::sync::signaling::{PROTOCOL, Role};

/// The signalling protocol's name.
const SIGNALLING: StreamProtocol = StreamProtocol::new(PROTOCOL);

/// A command of the behaviour.
pub enum HandlerCommand {
    /// Negotiate a direct connection.
    Negotiate(Reply),
    /// The connection is superfluous: emit [`Finished`] once no handshake uses it.
    Finish,
}

impl fmt::Debug for HandlerCommand {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Negotiate(_) => "Negotiate",
            Self::Finish => "Finish",
        })
    }
}

/// No handshake uses the connection any more, after [`HandlerCommand::Finish`].
#[derive(Clone, Copy, Debug)]
pub struct Finished;

/// What all handlers of a node share.
#[derive(Clone)]
pub(super) struct Shared {
    /// STUN and TURN servers for new connections.
    pub(super) ice_servers: Arc<[IceServer]>,
    /// What the node bounds for itself.
    pub(super) limits: NodeLimits,
    /// The limits on incoming handshakes.
    pub(super) slots: Slots,
    /// The queue to the transport.
    pub(super) events: UnboundedSender<HandlerEvent>,
}

/// The handler: begins handshakes for the behaviour and answers those of the peer. Either keeps the connection alive.
pub struct Handler {
    shared: Shared,
    /// The peer at the other end.
    peer: PeerId,
    /// This side's address of the direct connections that are made here.
    local_addr: Multiaddr,
    /// The other side's address of them.
    send_back_addr: Multiaddr,
    /// The relay through which the connection leads.
    relay: PeerId,
    /// Dials for which a stream is to be opened.
    requests: VecDeque<Reply>,
    /// Streams that are being opened.
    opening: usize,
    /// Whether [`Finished`] is to be reported once no handshake is under way.
    finishing: bool,
    /// Handshakes under way, in both directions.
    handshakes: SendWrapper<FuturesUnordered<LocalBoxFuture<'static, ()>>>,
}

impl Handler {
    /// Creates a handler. The addresses are those of the direct connections that are negotiated here, over a connection
    /// through `relay`.
    pub(super) fn new(
        shared: Shared,
        peer: PeerId,
        relay: PeerId,
        local_addr: Multiaddr,
        send_back_addr: Multiaddr,
    ) -> Self {
        let handshakes = SendWrapper::new(FuturesUnordered::new());
        let (requests, opening, finishing) = (VecDeque::new(), 0, false);
        Self { shared, peer, relay, local_addr, send_back_addr, requests, opening, finishing, handshakes }
    }

    /// Whether a handshake uses the connection, or is about to.
    fn is_busy(&self) -> bool {
        self.opening > 0 || !self.requests.is_empty() || !self.handshakes.is_empty()
    }

    /// Runs a handshake that this side asked for. It ends early if the dial is given up.
    fn offer(&self, stream: Stream, mut reply: Reply) {
        let Shared { ice_servers, limits, .. } = self.shared.clone();
        let handshake = async move {
            let outcome = {
                let established = establish(stream, Role::Offerer, &ice_servers, &limits);
                let cancelled = reply.cancellation();
                pin_mut!(established);
                match select(established, cancelled).await {
                    Either::Left((outcome, _)) => outcome,
                    Either::Right(_) => return,
                }
            };
            if reply.send(outcome.map_err(DialError::Establish)).is_err() {
                tracing::debug!("direct connection no longer requested");
            }
        };
        self.handshakes.push(handshake.boxed_local());
    }

    /// Runs a handshake that the peer asked for, if a slot is free.
    fn answer(&self, stream: Stream) {
        let peer = self.peer;
        let Some(slot) = self.shared.slots.take(peer, self.relay) else {
            tracing::debug!(%peer, "handshake over the limit refused");
            return;
        };
        let Shared { ice_servers, limits, events, .. } = self.shared.clone();
        let (local_addr, send_back_addr) = (self.local_addr.clone(), self.send_back_addr.clone());
        let handshake = async move {
            match establish(stream, Role::Answerer, &ice_servers, &limits).await {
                Ok(connection) => {
                    let incoming = IncomingConnection { peer, connection, local_addr, send_back_addr, _slot: slot };
                    if events.unbounded_send(HandlerEvent::Incoming(Box::new(incoming))).is_err() {
                        tracing::debug!("direct connection after the swarm ended");
                    }
                }
                Err(error) => tracing::debug!(%peer, %error, "handshake failed"),
            }
        };
        self.handshakes.push(handshake.boxed_local());
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = HandlerCommand;
    type ToBehaviour = Finished;
    type InboundProtocol = ReadyUpgrade<StreamProtocol>;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Reply;

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        SubstreamProtocol::new(ReadyUpgrade::new(SIGNALLING), ())
    }

    fn connection_keep_alive(&self) -> bool {
        self.is_busy()
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, Reply, Self::ToBehaviour>> {
        while let Some(reply) = self.requests.pop_front() {
            if reply.is_canceled() {
                continue;
            }
            self.opening += 1;
            let protocol = SubstreamProtocol::new(ReadyUpgrade::new(SIGNALLING), reply);
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
        }
        while let Poll::Ready(Some(())) = self.handshakes.poll_next_unpin(cx) {}
        if self.finishing && !self.is_busy() {
            self.finishing = false;
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(Finished));
        }
        Poll::Pending
    }

    fn on_behaviour_event(&mut self, command: HandlerCommand) {
        match command {
            HandlerCommand::Negotiate(reply) => self.requests.push_back(reply),
            HandlerCommand::Finish => self.finishing = true,
        }
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<Self::InboundProtocol, Self::OutboundProtocol, (), Reply>,
    ) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol, .. }) => self.answer(protocol),
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound { protocol, info }) => {
                self.opening -= 1;
                self.offer(protocol, info);
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info, error }) => {
                self.opening -= 1;
                let error = match error {
                    StreamUpgradeError::NegotiationFailed => DialError::Unsupported,
                    StreamUpgradeError::Apply(never) => match never {},
                    StreamUpgradeError::Timeout | StreamUpgradeError::Io(_) => DialError::RelayedConnectionLost,
                };
                if info.send(Err(error)).is_err() {
                    tracing::debug!("direct connection no longer requested");
                }
            }
            _ => {}
        }
    }
}
