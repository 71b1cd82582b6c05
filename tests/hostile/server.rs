//! Attacks on a server, natively: `hostile-peer ACT ADDRESS FROM COUNT [TOPIC]`. FROM is the address of this machine that all
//! of it comes from, so that honest clients have another one.
//!
//! Each prints what it came to as one line of JSON.

use std::cell::Cell;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use futures::future::join_all;
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use gen_registry_core::sync::asking::wire::PROTOCOL;
use gen_registry_node::net::transport::{self, TransportOptions, TransportStack};
use gen_registry_node::net::{IDENTIFY_PROTOCOL, REGISTRATION_SECONDS};
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{NetworkBehaviour, StreamProtocol, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Swarm, identify, relay, rendezvous};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::spawn_local;
use tokio::time::{sleep, timeout};

use crate::addresses::{connect_from, door};

/// How long connections are held: longer than a server that bounds them waits for a request's head.
const HELD_FOR: Duration = Duration::from_secs(16);
/// A slow head comes in bytes as far apart.
const SLOW: Duration = Duration::from_secs(1);
/// When all connections of an act are there, or refused.
const SETTLED_AFTER: Duration = Duration::from_secs(4);
/// Requests to a witness of one peer id; others come under another.
const REQUESTS_OF_ONE: usize = 50;
/// Between two of a crowd.
const BETWEEN: Duration = Duration::from_millis(100);
/// How long a crowd keeps its places.
const CROWDED_FOR: Duration = Duration::from_secs(25);

/// The act that these words name, if it is one against a server.
pub(crate) fn attack(words: &[String]) -> Option<Pin<Box<dyn Future<Output = String>>>> {
    let [act, target, from, count, more @ ..] = words else { return None };
    let (target, count) = (target.clone(), count.parse().ok()?);
    let from: IpAddr = from.parse().ok()?;
    let topic = more.first().cloned().unwrap_or_default();
    match act.as_str() {
        "idle-connections" => Some(Box::pin(hold_connections(target.parse().ok()?, from, count))),
        "forged-address" => Some(Box::pin(forge_addresses(target.parse().ok()?, from, count))),
        "relay-crowd" => Some(Box::pin(crowd_relay(target.parse().ok()?, from, count, topic))),
        "useless-requests" => Some(Box::pin(waste_witness(target.parse().ok()?, from, count))),
        _ => None,
    }
}

/// Half of the connections say nothing, the others begin a request and go on with it byte by byte.
async fn hold_connections(http: SocketAddr, from: IpAddr, count: usize) -> String {
    let held = Rc::new(Cell::new(0_usize));
    for number in 0..count {
        let held = held.clone();
        spawn_local(async move {
            let Ok(mut stream) = connect_from(from, http).await else { return };
            held.set(held.get() + 1);
            let slow = number % 2 == 0;
            if slow {
                stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nX: ").await.ok();
            }
            while is_open(&mut stream).await {
                if slow && stream.write_all(b"x").await.is_err() {
                    break;
                }
            }
            held.set(held.get() - 1);
        });
    }
    sleep(SETTLED_AFTER).await;
    let peak = held.get();
    sleep(HELD_FOR).await;
    format!(r#"{{"tried":{count},"held":{peak},"heldLater":{}}}"#, held.get())
}

/// Waits a moment for the other side to close.
async fn is_open(stream: &mut TcpStream) -> bool {
    let mut byte = [0];
    match timeout(SLOW, stream.read(&mut byte)).await {
        Ok(Ok(read)) => read > 0,
        Ok(Err(_)) => false,
        Err(_) => true,
    }
}

/// Requests that say, each, that they were passed on for another client.
async fn forge_addresses(http: SocketAddr, from: IpAddr, count: usize) -> String {
    let answered = Rc::new(Cell::new(0_usize));
    let requests = (0..count).map(|number| {
        let answered = answered.clone();
        async move {
            let mut stream = connect_from(from, http).await.ok()?;
            let (high, low) = (number / 250, number % 250);
            let head = format!("GET /health HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 10.9.{high}.{low}\r\n\r\n");
            stream.write_all(head.as_bytes()).await.ok()?;
            let mut answer = [0; 12];
            stream.read_exact(&mut answer).await.ok()?;
            answered.set(answered.get() + usize::from(answer.starts_with(b"HTTP/1.1 200")));
            // It is kept open as browsers do.
            sleep(SETTLED_AFTER).await;
            Some(())
        }
    });
    join_all(requests).await;
    format!(r#"{{"tried":{count},"answered":{}}}"#, answered.get())
}

#[derive(NetworkBehaviour)]
struct Behaviour {
    relay: relay::client::Behaviour,
    rendezvous: rendezvous::client::Behaviour,
    identify: identify::Behaviour,
    streams: libp2p_stream::Behaviour,
}

fn swarm() -> Swarm<Behaviour> {
    let key = Keypair::generate_ed25519();
    let id = key.public().to_peer_id();
    let TransportStack { transport, relay, .. } =
        transport::open(&key, &TransportOptions::default()).expect("a key of the right kind");
    let behaviour = Behaviour {
        relay,
        rendezvous: rendezvous::client::Behaviour::new(key.clone()),
        identify: identify::Behaviour::new(identify::Config::new(IDENTIFY_PROTOCOL.to_owned(), key.public())),
        streams: libp2p_stream::Behaviour::new(),
    };
    Swarm::new(transport, behaviour, id, transport::swarm_config().with_idle_connection_timeout(CROWDED_FOR))
}

fn peer_of(address: &Multiaddr) -> PeerId {
    match address.iter().last() {
        Some(Protocol::P2p(peer)) => peer,
        _ => panic!("{address} names no relay"),
    }
}

/// Peers that each take a place at the relay and register in the network.
async fn crowd_relay(relay: Multiaddr, from: IpAddr, count: usize, topic: String) -> String {
    let (places, registered) = (Rc::new(Cell::new(0_usize)), Rc::new(Cell::new(0_usize)));
    let way = door(&relay, from).await;
    for _ in 0..count {
        // Few are not authenticated yet at any time: that is another bound.
        sleep(BETWEEN).await;
        let (places, registered, way, topic) = (places.clone(), registered.clone(), way.clone(), topic.clone());
        spawn_local(async move {
            let (mut swarm, relay) = (swarm(), peer_of(&way));
            swarm.listen_on(way.with(Protocol::P2pCircuit)).expect("a relay's address");
            loop {
                match swarm.select_next_some().await {
                    SwarmEvent::Behaviour(BehaviourEvent::Relay(relay::client::Event::ReservationReqAccepted {
                        renewal: false,
                        ..
                    })) => {
                        places.set(places.get() + 1);
                        let namespace = rendezvous::Namespace::new(topic.clone()).expect("a topic");
                        let rendezvous = &mut swarm.behaviour_mut().rendezvous;
                        rendezvous.register(namespace, relay, Some(REGISTRATION_SECONDS)).ok();
                    }
                    SwarmEvent::Behaviour(BehaviourEvent::Rendezvous(rendezvous::client::Event::Registered {
                        ..
                    })) => registered.set(registered.get() + 1),
                    _ => {}
                }
            }
        });
    }
    sleep(CROWDED_FOR).await;
    format!(r#"{{"tried":{count},"places":{},"registered":{}}}"#, places.get(), registered.get())
}

/// Requests to the witness that can't be read.
async fn waste_witness(relay: Multiaddr, from: IpAddr, count: usize) -> String {
    let way = door(&relay, from).await;
    let (mut sent, mut answered) = (0, 0);
    while sent < count {
        let mut swarm = swarm();
        let mut control = swarm.behaviour().streams.new_control();
        swarm.dial(way.clone()).expect("a relay's address");
        let life = spawn_local(async move {
            loop {
                swarm.select_next_some().await;
            }
        });
        for _ in 0..REQUESTS_OF_ONE.min(count - sent) {
            sent += 1;
            let exchange = async {
                let mut stream = control.open_stream(peer_of(&way), StreamProtocol::new(PROTOCOL)).await.ok()?;
                stream.write_all(&[0xff; 200]).await.ok()?;
                stream.close().await.ok()?;
                let mut answer = Vec::new();
                stream.read_to_end(&mut answer).await.ok()?;
                (!answer.is_empty()).then_some(())
            };
            answered += usize::from(timeout(SETTLED_AFTER, exchange).await.is_ok_and(|answer| answer.is_some()));
        }
        life.abort();
    }
    format!(r#"{{"tried":{sent},"answered":{answered}}}"#)
}
