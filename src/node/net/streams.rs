//! Streams of named protocols over existing connections: [`Control`] opens them, [`Streams::accept`] returns those that
//! peers open.
//!
//! Dials no peer, and drops its state of a connection when the connection ends. (`libp2p-stream` stores a channel for
//! every connection there ever was, so the memory of a long-running node would only grow.)
//!
//! For example, to open a sync stream, [`Control::open_stream`] puts a request into a queue; [`Streams`] passes it to
//! the handler of the first open connection to that peer; libp2p negotiates the protocol's name (multistream-select);
//! then the stream returns to the caller through a `oneshot` channel. A stream that a peer opens takes the other way:
//! the handler reports it, and [`Streams`] puts it into the queue of its protocol, or drops it if 32
//! others wait.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io;
use std::task::{Context, Poll};

use futures::channel::{mpsc, oneshot};
use futures::{SinkExt, StreamExt};
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::core::upgrade::{InboundUpgrade, OutboundUpgrade, UpgradeInfo};
use libp2p::swarm::handler::{ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound};
use libp2p::swarm::{
    ConnectionClosed, ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm,
    NetworkBehaviour, NotifyHandler, StreamUpgradeError, SubstreamProtocol, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId, Stream, StreamProtocol};

/// Streams of one protocol that peers opened and that were not accepted yet; further ones are dropped.
const INCOMING_WAITING: usize = 32;
/// Requests for a stream that the swarm has not taken yet; further callers wait.
const REQUESTS_WAITING: usize = 32;

/// Streams that peers opened, each with the peer.
pub type Incoming = mpsc::Receiver<(PeerId, Stream)>;

/// Why a stream could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenStreamError {
    #[error("there is no connection to this peer")]
    NotConnected,
    #[error("the node has ended")]
    Ended,
    #[error("the other side does not speak {0}")]
    Unsupported(StreamProtocol),
    #[error("the stream broke during negotiation")]
    Broken(#[from] io::Error),
}

/// Where a stream, or the reason why there is none, is sent.
type Reply = oneshot::Sender<Result<Stream, OpenStreamError>>;

/// A request for a stream.
#[derive(Debug)]
pub struct OpenRequest {
    protocol: StreamProtocol,
    reply: Reply,
}

/// Opens streams, from any task.
#[derive(Clone)]
pub struct Control(mpsc::Sender<(PeerId, OpenRequest)>);

impl Control {
    /// Opens a stream on a connection to this peer. Fails if there is none, if the peer does not speak the protocol, if
    /// the connection breaks, or if the node has ended.
    pub async fn open_stream(&mut self, peer: PeerId, protocol: StreamProtocol) -> Result<Stream, OpenStreamError> {
        let (reply, opened) = oneshot::channel();
        let sent = self.0.send((peer, OpenRequest { protocol, reply })).await;
        sent.map_err(|_| OpenStreamError::Ended)?;
        // The connection may end meanwhile, and drop the request.
        opened.await.unwrap_or(Err(OpenStreamError::NotConnected))
    }
}

/// The behaviour of the swarm: accepted protocols, open connections, and requests for streams.
pub struct Streams {
    /// The protocols that peers may open.
    accepted: Vec<StreamProtocol>,
    /// Where streams that peers opened are sent, by protocol.
    acceptors: HashMap<StreamProtocol, mpsc::Sender<(PeerId, Stream)>>,
    /// The open connections to each peer, the oldest first.
    connections: HashMap<PeerId, Vec<ConnectionId>>,
    control: Control,
    /// Requests of all controls.
    requests: mpsc::Receiver<(PeerId, OpenRequest)>,
}

impl Default for Streams {
    fn default() -> Self {
        let (sender, requests) = mpsc::channel(REQUESTS_WAITING);
        let control = Control(sender);
        Self { accepted: Vec::new(), acceptors: HashMap::new(), connections: HashMap::new(), control, requests }
    }
}

impl Streams {
    /// Returns a handle by which any task opens streams.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// Returns the streams of this protocol on connections from now on. An earlier receiver gets no more.
    pub fn accept(&mut self, protocol: StreamProtocol) -> Incoming {
        let (acceptor, incoming) = mpsc::channel(INCOMING_WAITING);
        if self.acceptors.insert(protocol.clone(), acceptor).is_none() {
            self.accepted.push(protocol);
        }
        incoming
    }

    /// Returns the handler of a new connection. It accepts the protocols that are accepted at this moment.
    fn handler(&self) -> StreamHandler {
        StreamHandler { accepted: self.accepted.clone(), requests: VecDeque::new(), opened: VecDeque::new() }
    }
}

impl NetworkBehaviour for Streams {
    type ConnectionHandler = StreamHandler;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler())
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler())
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(established) => {
                self.connections.entry(established.peer_id).or_default().push(established.connection_id);
            }
            FromSwarm::ConnectionClosed(ConnectionClosed { peer_id, connection_id, .. }) => {
                if let Some(open) = self.connections.get_mut(&peer_id) {
                    open.retain(|id| *id != connection_id);
                    if open.is_empty() {
                        self.connections.remove(&peer_id);
                    }
                }
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        let Opened { protocol, stream } = event;
        let Some(acceptor) = self.acceptors.get_mut(&protocol) else { return };
        if let Err(error) = acceptor.try_send((peer, stream)) {
            tracing::debug!(%peer, %protocol, %error, "incoming stream dropped");
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        // Never ends: this holds a sender itself.
        while let Poll::Ready(Some((peer_id, request))) = self.requests.poll_next_unpin(cx) {
            match self.connections.get(&peer_id).and_then(|open| open.first()) {
                Some(id) => {
                    return Poll::Ready(ToSwarm::NotifyHandler {
                        peer_id,
                        handler: NotifyHandler::One(*id),
                        event: request,
                    });
                }
                // The caller may have been dropped.
                None => drop(request.reply.send(Err(OpenStreamError::NotConnected))),
            }
        }
        Poll::Pending
    }
}

/// The handler of one connection.
pub struct StreamHandler {
    /// The protocols that the peer may open on this connection.
    accepted: Vec<StreamProtocol>,
    /// Streams that are to be negotiated.
    requests: VecDeque<OpenRequest>,
    /// Streams that the peer opened, to be reported.
    opened: VecDeque<Opened>,
}

/// A peer opened a stream.
#[derive(Debug)]
pub struct Opened {
    protocol: StreamProtocol,
    stream: Stream,
}

impl ConnectionHandler for StreamHandler {
    type FromBehaviour = OpenRequest;
    type ToBehaviour = Opened;
    type InboundProtocol = AnyOf;
    type OutboundProtocol = AnyOf;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = OpenRequest;

    fn listen_protocol(&self) -> SubstreamProtocol<AnyOf, ()> {
        SubstreamProtocol::new(AnyOf(self.accepted.clone()), ())
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ConnectionHandlerEvent<AnyOf, OpenRequest, Opened>> {
        if let Some(opened) = self.opened.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(opened));
        }
        match self.requests.pop_front() {
            Some(request) => Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest {
                protocol: SubstreamProtocol::new(AnyOf(vec![request.protocol.clone()]), request),
            }),
            None => Poll::Pending,
        }
    }

    fn on_behaviour_event(&mut self, request: OpenRequest) {
        self.requests.push_back(request);
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<'_, AnyOf, AnyOf, (), OpenRequest>) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: (stream, protocol), ..
            }) => self.opened.push_back(Opened { protocol, stream }),
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: (stream, _),
                info: OpenRequest { reply, .. },
            }) => drop(reply.send(Ok(stream))),
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info: OpenRequest { protocol, reply }, error }) => {
                let error = match error {
                    StreamUpgradeError::Timeout => OpenStreamError::Broken(io::ErrorKind::TimedOut.into()),
                    StreamUpgradeError::NegotiationFailed => OpenStreamError::Unsupported(protocol),
                    StreamUpgradeError::Io(error) => OpenStreamError::Broken(error),
                    StreamUpgradeError::Apply(never) => match never {},
                };
                drop(reply.send(Err(error)));
            }
            _ => {}
        }
    }
}

/// Negotiates one of these protocols, and returns which.
pub struct AnyOf(Vec<StreamProtocol>);

impl UpgradeInfo for AnyOf {
    type Info = StreamProtocol;
    type InfoIter = std::vec::IntoIter<StreamProtocol>;

    fn protocol_info(&self) -> Self::InfoIter {
        self.0.clone().into_iter()
    }
}

impl InboundUpgrade<Stream> for AnyOf {
    type Output = (Stream, StreamProtocol);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_inbound(self, stream: Stream, protocol: StreamProtocol) -> Self::Future {
        ready(Ok((stream, protocol)))
    }
}

impl OutboundUpgrade<Stream> for AnyOf {
    type Output = (Stream, StreamProtocol);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_outbound(self, stream: Stream, protocol: StreamProtocol) -> Self::Future {
        ready(Ok((stream, protocol)))
    }
}

#[cfg(test)]
mod tests {
    use libp2p::core::ConnectedPoint;
    use libp2p::swarm::behaviour::ConnectionEstablished;

    use super::*;

    #[test]
    fn state_of_a_connection_ends_with_it() {
        let mut streams = Streams::default();
        let peer = PeerId::random();
        let address = Multiaddr::empty();
        let endpoint = ConnectedPoint::Listener { local_addr: address.clone(), send_back_addr: address };
        let [first, second] = [1, 2].map(ConnectionId::new_unchecked);
        for connection_id in [first, second] {
            streams.on_swarm_event(FromSwarm::ConnectionEstablished(ConnectionEstablished {
                peer_id: peer,
                connection_id,
                endpoint: &endpoint,
                failed_addresses: &[],
                other_established: 0,
            }));
        }
        assert_eq!(streams.connections[&peer], [first, second]);
        for (connection_id, remaining) in [(first, Some(vec![second])), (second, None)] {
            streams.on_swarm_event(FromSwarm::ConnectionClosed(ConnectionClosed {
                peer_id: peer,
                connection_id,
                endpoint: &endpoint,
                cause: None,
                remaining_established: 0,
            }));
            assert_eq!(streams.connections.get(&peer), remaining.as_ref());
        }
        assert!(streams.connections.is_empty());
    }
}
