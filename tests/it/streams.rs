//! Named streams between real swarms; the other side is another implementation where that can be.

use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use gen_registry_node::net::streams::{OpenStreamError, Streams};
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{Multiaddr, PeerId, StreamProtocol, Swarm, SwarmBuilder, noise, tcp, yamux};

const ECHO: StreamProtocol = StreamProtocol::new("/test/echo/1");
const SILENT: StreamProtocol = StreamProtocol::new("/test/silent/1");
const PATIENCE: Duration = Duration::from_secs(20);

fn swarm<B: NetworkBehaviour>(behaviour: B) -> Swarm<B> {
    let builder = SwarmBuilder::with_new_identity().with_tokio();
    let builder = builder.with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default).unwrap();
    let config = |config: libp2p::swarm::Config| config.with_idle_connection_timeout(PATIENCE);
    builder.with_behaviour(|_| behaviour).unwrap().with_swarm_config(config).build()
}

/// Runs it, and says where it is.
async fn listening<B: NetworkBehaviour<ToSwarm: Send> + Send>(mut swarm: Swarm<B>) -> (PeerId, Multiaddr) {
    swarm.listen_on("/ip4/127.0.0.1/tcp/0".parse().unwrap()).unwrap();
    let address = loop {
        if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
            break address;
        }
    };
    let peer = *swarm.local_peer_id();
    tokio::spawn(async move {
        loop {
            swarm.select_next_some().await;
        }
    });
    (peer, address)
}

/// Dials, and waits until the connection stands.
async fn meet<B: NetworkBehaviour>(swarm: &mut Swarm<B>, address: Multiaddr) {
    swarm.dial(address).unwrap();
    while !matches!(swarm.select_next_some().await, SwarmEvent::ConnectionEstablished { .. }) {}
}

/// Sends what it gets back, once for each stream.
async fn echo(mut streams: impl futures::Stream<Item = (PeerId, libp2p::Stream)> + Unpin) {
    while let Some((_, stream)) = streams.next().await {
        let (mut reader, mut writer) = stream.split();
        futures::io::copy(&mut reader, &mut writer).await.unwrap();
        writer.close().await.unwrap();
    }
}

async fn said_and_heard(mut stream: libp2p::Stream) -> Vec<u8> {
    stream.write_all(b"good morning").await.unwrap();
    stream.close().await.unwrap();
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).await.unwrap();
    heard
}

#[tokio::test]
async fn streams_open_for_known_protocols_and_fail_with_a_reason_otherwise() {
    let theirs = libp2p_stream::Behaviour::new();
    tokio::spawn(echo(theirs.new_control().accept(ECHO).unwrap()));
    let (bob, address) = listening(swarm(theirs)).await;

    let mut alice = swarm(Streams::default());
    let mut control = alice.behaviour().control();
    meet(&mut alice, address).await;
    let running = tokio::spawn(async move {
        loop {
            alice.select_next_some().await;
        }
    });
    let talk = async {
        let stream = control.open_stream(bob, ECHO).await.unwrap();
        assert_eq!(said_and_heard(stream).await, b"good morning");
        let error = control.open_stream(bob, SILENT).await.unwrap_err();
        assert!(matches!(error, OpenStreamError::Unsupported(protocol) if protocol == SILENT));
        let nobody = control.open_stream(PeerId::random(), ECHO).await.unwrap_err();
        assert!(matches!(nobody, OpenStreamError::NotConnected), "nobody is dialled for it");
        running.abort();
        assert!(running.await.unwrap_err().is_cancelled());
        let gone = control.open_stream(bob, ECHO).await.unwrap_err();
        assert!(matches!(gone, OpenStreamError::Ended), "the swarm is gone");
    };
    tokio::time::timeout(PATIENCE, talk).await.expect("nothing waits for ever");
}

#[tokio::test]
async fn inbound_streams_reach_the_acceptor_of_their_protocol() {
    let mut ours = Streams::default();
    tokio::spawn(echo(ours.accept(ECHO)));
    let silent = ours.accept(SILENT);
    // Its taker is gone: the stream ends, the others go on.
    drop(silent);
    let (bob, address) = listening(swarm(ours)).await;

    let mut alice = swarm(libp2p_stream::Behaviour::new());
    let mut control = alice.behaviour().new_control();
    meet(&mut alice, address).await;
    tokio::spawn(async move {
        loop {
            alice.select_next_some().await;
        }
    });
    let talk = async {
        let mut unheard = control.open_stream(bob, SILENT).await.unwrap();
        let mut nothing = Vec::new();
        // Reset or closed: no answer comes.
        drop(unheard.read_to_end(&mut nothing).await);
        assert!(nothing.is_empty());
        assert_eq!(said_and_heard(control.open_stream(bob, ECHO).await.unwrap()).await, b"good morning");
        // Many at once, on one connection: each waits until it is taken.
        let many = (0..20).map(|_| {
            let mut control = control.clone();
            async move { said_and_heard(control.open_stream(bob, ECHO).await.unwrap()).await }
        });
        assert!(futures::future::join_all(many).await.iter().all(|heard| heard == b"good morning"));
        let unknown = control.open_stream(bob, StreamProtocol::new("/test/unknown/1")).await;
        assert!(matches!(unknown.unwrap_err(), libp2p_stream::OpenStreamError::UnsupportedProtocol(_)));
    };
    tokio::time::timeout(PATIENCE, talk).await.expect("nothing waits for ever");
}
