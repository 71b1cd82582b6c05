//! A peer that speaks only what a test tells it to: for saying what no honest peer says, or nothing at all.

use futures::channel::oneshot;
use futures::future::{Either, select};
use futures::{FutureExt, StreamExt};
use gen_registry_node::net::transport::{self, TransportOptions, TransportStack};
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{NetworkBehaviour, StreamProtocol, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Stream, Swarm, relay};
use libp2p_stream::{Control, IncomingStreams};
use wasm_bindgen_futures::spawn_local;

use crate::mesh::peer::patient;

#[derive(NetworkBehaviour)]
struct Behaviour {
    relay: relay::client::Behaviour,
    streams: libp2p_stream::Behaviour,
}

/// Runs until it is dropped.
pub struct Stranger {
    pub id: PeerId,
    control: Control,
    _runs: oneshot::Sender<()>,
}

impl Stranger {
    /// With a place at the relay; `dialling` is dialled at once.
    pub async fn at(relay: &Multiaddr, dialling: Option<PeerId>) -> Self {
        let key = Keypair::generate_ed25519();
        let id = key.public().to_peer_id();
        let TransportStack { transport, relay: relayed, .. } =
            transport::open(&key, &TransportOptions::default()).expect("a key of the right kind");
        let streams = libp2p_stream::Behaviour::new();
        let control = streams.new_control();
        let mut swarm = Swarm::new(transport, Behaviour { relay: relayed, streams }, id, transport::swarm_config());
        let circuit = relay.clone().with(Protocol::P2pCircuit);
        swarm.listen_on(circuit.clone()).expect("a relay's address");
        let until = async {
            while !matches!(swarm.select_next_some().await, SwarmEvent::ExternalAddrConfirmed { .. }) {}
            let Some(peer) = dialling else { return };
            swarm.dial(circuit.with(Protocol::P2p(peer))).expect("the dial begins");
            let reached = |event: SwarmEvent<BehaviourEvent>| matches!(event, SwarmEvent::ConnectionEstablished { peer_id, .. } if peer_id == peer);
            while !reached(swarm.select_next_some().await) {}
        };
        patient(until).await.expect("a stranger comes to the relay");
        let (runs, mut stopped) = oneshot::channel::<()>();
        spawn_local(async move {
            while let Either::Left(_) = select(swarm.select_next_some(), (&mut stopped).fuse()).await {}
        });
        Self { id, control, _runs: runs }
    }

    pub async fn open(&self, peer: PeerId, protocol: StreamProtocol) -> Stream {
        self.control.clone().open_stream(peer, protocol).await.expect("a stream opens")
    }

    pub fn accept(&self, protocol: StreamProtocol) -> IncomingStreams {
        self.control.clone().accept(protocol).expect("nobody else answers it")
    }
}
