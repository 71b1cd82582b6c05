//! What protocols inside `Direct` see of relayed and of direct connections, over a real relay and real TCP.

use std::{
    convert::Infallible,
    future::Future,
    task::{Context, Poll},
    time::Duration,
};

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use gen_registry_node::net::{IDENTIFY_PROTOCOL, direct::Direct, relay::limits::RelayLimits};
use libp2p::{
    Multiaddr, PeerId, Swarm,
    core::{Endpoint, transport::PortUse},
    gossipsub::{self, IdentTopic, MessageAuthenticity, ValidationMode},
    identify,
    multiaddr::Protocol,
    relay,
    swarm::{
        ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, StreamProtocol, SwarmEvent, THandler,
        THandlerInEvent, THandlerOutEvent, ToSwarm, dial_opts::DialOpts, dummy,
    },
};

use crate::support::relay::relay_with;
use crate::support::relay_client::swarm;

/// How long a condition may take before the test gives up on it. Never a measurement.
const PATIENCE: Duration = Duration::from_secs(30);
const BARE: StreamProtocol = StreamProtocol::new("/test/bare/1");
const WRAPPED: StreamProtocol = StreamProtocol::new("/test/wrapped/1");

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// And how many others there were.
    Established(ConnectionId, usize),
    /// And how many are left.
    Closed(ConnectionId, usize),
}

/// Writes down what a wrapped behaviour is told.
#[derive(Default)]
struct Probe {
    told: Vec<Told>,
    handlers: usize,
}

impl NetworkBehaviour for Probe {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.handlers += 1;
        Ok(dummy::ConnectionHandler)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.handlers += 1;
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(event) => {
                self.told.push(Told::Established(event.connection_id, event.other_established));
            }
            FromSwarm::ConnectionClosed(event) => {
                self.told.push(Told::Closed(event.connection_id, event.remaining_established));
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Infallible, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}

#[derive(NetworkBehaviour)]
struct Behaviour {
    relay: relay::client::Behaviour,
    identify: identify::Behaviour,
    gossip: Direct<gossipsub::Behaviour>,
    streams: Direct<libp2p_stream::Behaviour>,
    probe: Direct<Probe>,
    /// What the wrapped ones would be without.
    bare: libp2p_stream::Behaviour,
}

struct Node {
    swarm: Swarm<Behaviour>,
    identified: Vec<(ConnectionId, Vec<StreamProtocol>)>,
    subscribed: Vec<PeerId>,
    messages: Vec<Vec<u8>>,
    /// Peer, connection, whether relayed.
    connections: Vec<(PeerId, ConnectionId, bool)>,
    listening: Vec<Multiaddr>,
}

impl Node {
    fn new() -> Self {
        let mut swarm = swarm(|key, relay| Behaviour {
            relay,
            identify: identify::Behaviour::new(identify::Config::new(IDENTIFY_PROTOCOL.to_owned(), key.public())),
            gossip: Direct::new(gossip()),
            streams: Direct::new(libp2p_stream::Behaviour::new()),
            probe: Direct::new(Probe::default()),
            bare: libp2p_stream::Behaviour::new(),
        });
        swarm.listen_on("/ip4/127.0.0.1/tcp/0".parse().unwrap()).unwrap();
        swarm.behaviour_mut().gossip.inner_mut().subscribe(&topic()).unwrap();
        Self { swarm, identified: vec![], subscribed: vec![], messages: vec![], connections: vec![], listening: vec![] }
    }

    fn id(&self) -> PeerId {
        *self.swarm.local_peer_id()
    }

    fn behaviour(&mut self) -> &mut Behaviour {
        self.swarm.behaviour_mut()
    }

    async fn step(&mut self) {
        match self.swarm.select_next_some().await {
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                self.connections.push((peer_id, connection_id, endpoint.is_relayed()));
            }
            SwarmEvent::ConnectionClosed { connection_id, .. } => {
                self.connections.retain(|(_, id, _)| *id != connection_id);
            }
            SwarmEvent::NewListenAddr { address, .. } => self.listening.push(address),
            SwarmEvent::OutgoingConnectionError { error, .. } => panic!("could not dial: {error}"),
            SwarmEvent::Behaviour(BehaviourEvent::Identify(identify::Event::Received {
                connection_id, info, ..
            })) => self.identified.push((connection_id, info.protocols)),
            SwarmEvent::Behaviour(BehaviourEvent::Gossip(gossipsub::Event::Subscribed { peer_id, .. })) => {
                self.subscribed.push(peer_id);
            }
            SwarmEvent::Behaviour(BehaviourEvent::Gossip(gossipsub::Event::Message { message, .. })) => {
                self.messages.push(message.data);
            }
            _ => {}
        }
    }

    fn connections_to(&self, peer: PeerId, relayed: bool) -> Vec<ConnectionId> {
        let of = self.connections.iter().filter(|(its, _, is_relayed)| *its == peer && *is_relayed == relayed);
        of.map(|(_, id, _)| *id).collect()
    }

    /// What the other says it speaks on this connection.
    fn spoken_on(&self, id: ConnectionId) -> Option<&[StreamProtocol]> {
        self.identified.iter().rev().find(|(on, _)| *on == id).map(|(_, protocols)| protocols.as_slice())
    }
}

fn gossip() -> gossipsub::Behaviour {
    let config = gossipsub::ConfigBuilder::default().validation_mode(ValidationMode::None).build().unwrap();
    gossipsub::Behaviour::new(MessageAuthenticity::Anonymous, config).unwrap()
}

fn topic() -> IdentTopic {
    IdentTopic::new("test")
}

async fn patient<T>(what: &str, waiting: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("never happened: {what}"))
}

/// Runs both until the condition holds.
async fn until(what: &str, alice: &mut Node, bob: &mut Node, mut holds: impl FnMut(&Node, &Node) -> bool) {
    patient(what, async {
        while !holds(alice, bob) {
            tokio::select! {
                () = alice.step() => {}
                () = bob.step() => {}
            }
        }
    })
    .await;
}

/// Alice and Bob with a relayed connection, over which both said what they speak.
async fn connected_over_a_relay(relay: &Multiaddr) -> (Node, Node) {
    let (mut alice, mut bob) = (Node::new(), Node::new());
    // Somebody must answer a protocol, or it is not told.
    for node in [&mut alice, &mut bob] {
        let bare = node.behaviour().bare.new_control().accept(BARE).unwrap();
        let wrapped = node.behaviour().streams.inner().new_control().accept(WRAPPED).unwrap();
        tokio::spawn(echo(bare));
        tokio::spawn(echo(wrapped));
    }
    let circuit = relay.clone().with(Protocol::P2pCircuit);
    bob.swarm.listen_on(circuit.clone()).unwrap();
    until("bob's place", &mut alice, &mut bob, |alice, bob| {
        !alice.listening.is_empty()
            && bob.listening.iter().any(|one| one.iter().any(|part| part == Protocol::P2pCircuit))
    })
    .await;
    alice.swarm.dial(circuit.with(Protocol::P2p(bob.id()))).unwrap();
    let (alices, bobs) = (alice.id(), bob.id());
    until("both said what they speak", &mut alice, &mut bob, |alice, bob| {
        let said = |node: &Node, peer| node.connections_to(peer, true).iter().any(|id| node.spoken_on(*id).is_some());
        said(alice, bobs) && said(bob, alices)
    })
    .await;
    (alice, bob)
}

async fn echo(mut incoming: libp2p_stream::IncomingStreams) {
    while let Some((_, stream)) = incoming.next().await {
        let (mut reader, mut writer) = stream.split();
        futures::io::copy(&mut reader, &mut writer).await.unwrap();
        writer.close().await.unwrap();
    }
}

#[tokio::test]
async fn wrapped_protocols_use_direct_connections_only() {
    let (_relay, _view, relay) = relay_with(RelayLimits::default()).await;
    let (mut alice, mut bob) = connected_over_a_relay(&relay).await;
    let (alices, bobs) = (alice.id(), bob.id());
    for (node, other) in [(&mut alice, bobs), (&mut bob, alices)] {
        let relayed = node.connections_to(other, true)[0];
        let spoken = node.spoken_on(relayed).unwrap();
        assert!(spoken.contains(&BARE), "{spoken:?}");
        assert!(!spoken.contains(&WRAPPED), "{spoken:?}");
        assert!(!spoken.iter().any(|protocol| protocol.as_ref().contains("meshsub")), "{spoken:?}");
        assert!(!node.behaviour().streams.is_connected(&other));
        assert!(node.behaviour().gossip.inner().all_peers().all(|(peer, _)| *peer != other));
        assert!(node.subscribed.is_empty());
    }

    let direct = bob.listening[0].clone().with(Protocol::P2p(bobs));
    alice.swarm.dial(DialOpts::from(direct)).unwrap();
    until("both heard the other's topics", &mut alice, &mut bob, |alice, bob| {
        alice.subscribed.contains(&bobs) && bob.subscribed.contains(&alices)
    })
    .await;
    assert_eq!(alice.connections_to(bobs, true).len(), 1, "the relayed one stands as well");
    let direct = alice.connections_to(bobs, false)[0];
    until("bob said what he speaks there", &mut alice, &mut bob, |alice, _| alice.spoken_on(direct).is_some()).await;
    assert!(alice.spoken_on(direct).unwrap().contains(&WRAPPED));
    assert!(alice.behaviour().streams.is_connected(&bobs));

    alice.behaviour().gossip.inner_mut().publish(topic(), b"news").unwrap();
    until("the gossip arrives", &mut alice, &mut bob, |_, bob| bob.messages.contains(&b"news".to_vec())).await;

    let mut control = alice.behaviour().streams.inner().new_control();
    let exchange = async move {
        let mut stream = control.open_stream(bobs, WRAPPED).await.unwrap();
        stream.write_all(b"hello").await.unwrap();
        stream.close().await.unwrap();
        let mut heard = vec![];
        stream.read_to_end(&mut heard).await.unwrap();
        heard
    };
    let running = async {
        loop {
            tokio::select! {
                () = alice.step() => {}
                () = bob.step() => {}
            }
        }
    };
    let heard = patient("the stream", async {
        tokio::select! {
            heard = exchange => heard,
            () = running => vec![],
        }
    })
    .await;
    assert_eq!(heard, b"hello");
}

#[tokio::test]
async fn only_direct_connections_are_counted() {
    let (_relay, _view, relay) = relay_with(RelayLimits::default()).await;
    let (mut alice, mut bob) = connected_over_a_relay(&relay).await;
    let bobs = bob.id();
    // The connection to the relay is direct, too.
    let told = |node: &mut Node| node.behaviour().probe.inner().told.clone();
    let before = told(&mut alice);
    let relayed = alice.connections_to(bobs, true)[0];
    assert!(before.iter().all(|told| !matches!(told, Told::Established(id, _) if *id == relayed)), "{before:?}");
    assert_eq!(alice.behaviour().probe.inner().handlers, before.len(), "no handler for the relayed one");

    let address = bob.listening[0].clone().with(Protocol::P2p(bobs));
    for number in 1..=2 {
        let opts = DialOpts::from(address.clone());
        alice.swarm.dial(opts).unwrap();
        until("one more", &mut alice, &mut bob, |alice, _| alice.connections_to(bobs, false).len() == number).await;
    }
    let [first, second] = alice.connections_to(bobs, false)[..] else { panic!("two") };
    assert_eq!(told(&mut alice)[before.len()..], [Told::Established(first, 0), Told::Established(second, 1)]);

    for (number, id) in [first, second].into_iter().enumerate() {
        assert!(alice.behaviour().probe.is_connected(&bobs));
        alice.swarm.close_connection(id);
        let left = 1 - number;
        until("one less", &mut alice, &mut bob, |alice, _| alice.connections_to(bobs, false).len() == left).await;
    }
    assert_eq!(alice.connections_to(bobs, true), [relayed], "the relayed one still stands");
    assert_eq!(told(&mut alice)[before.len() + 2..], [Told::Closed(first, 1), Told::Closed(second, 0)]);
    assert!(!alice.behaviour().probe.is_connected(&bobs));
    alice.swarm.close_connection(relayed);
    until("none", &mut alice, &mut bob, |alice, _| alice.connections_to(bobs, true).is_empty()).await;
    assert_eq!(told(&mut alice).len(), before.len() + 4, "its end is nobody's business");
}
