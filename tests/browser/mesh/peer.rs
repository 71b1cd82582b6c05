//! A whole node in a page, but for what the registry adds: a real swarm, and waiting for what must happen to it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use futures::channel::mpsc::{UnboundedSender, unbounded};
use futures::future::{Either, poll_fn, select};
use futures::io::{BufReader, copy_buf};
use futures::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, StreamExt, pin_mut};
use gen_registry_node::net::IDENTIFY_PROTOCOL;
use gen_registry_node::net::address::{is_relayed, is_webrtc, webrtc_of_relayed};
use gen_registry_node::net::direct::Direct;
use gen_registry_node::net::transport::{self, TransportOptions, TransportStack};
use gloo_timers::future::sleep;
use libp2p::core::ConnectedPoint;
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{ConnectionId, NetworkBehaviour, StreamProtocol, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Stream, Swarm, identify, ping, relay};
use libp2p_stream::{Control, OpenStreamError};
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::{JsFuture, spawn_local};

/// How long a condition may take before the test gives up on it. Never a measurement.
const PATIENCE: Duration = Duration::from_secs(40);
pub const ECHO: StreamProtocol = StreamProtocol::new("/test/echo/1");

#[derive(NetworkBehaviour)]
pub struct Behaviour {
    relay: relay::client::Behaviour,
    upgrade: transport::Upgrade,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
    streams: Direct<libp2p_stream::Behaviour>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Connected {
    pub id: ConnectionId,
    pub peer: PeerId,
    pub endpoint: ConnectedPoint,
}

impl Connected {
    pub fn is_direct(&self) -> bool {
        is_webrtc(self.address())
    }

    fn address(&self) -> &Multiaddr {
        match &self.endpoint {
            ConnectedPoint::Dialer { address, .. } => address,
            ConnectedPoint::Listener { local_addr, .. } => local_addr,
        }
    }
}

/// All that happened to a peer so far.
#[derive(Default)]
pub struct Seen {
    pub connections: Vec<Connected>,
    /// Those that are over, too.
    pub ever: Vec<Connected>,
    pub external: Vec<Multiaddr>,
    pub listening: Vec<Multiaddr>,
    pub failed_dials: Vec<String>,
    /// What others said over which connection.
    pub identified: Vec<(ConnectionId, identify::Info)>,
    pub pinged: Vec<ConnectionId>,
    /// When somebody's first byte of [`ECHO`] was heard; see [`now`].
    pub first_bytes: BTreeMap<PeerId, f64>,
    wakers: Vec<Waker>,
}

impl Seen {
    pub fn direct(&self, peer: PeerId) -> Vec<&Connected> {
        self.connections.iter().filter(|one| one.peer == peer && one.is_direct()).collect()
    }

    pub fn relayed(&self, peer: PeerId) -> Vec<&Connected> {
        self.connections.iter().filter(|one| one.peer == peer && is_relayed(one.address())).collect()
    }

    pub fn only_direct(&self, peer: PeerId) -> bool {
        self.direct(peer).len() == 1 && self.relayed(peer).is_empty()
    }

    fn hear(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                let one = Connected { id: connection_id, peer: peer_id, endpoint };
                self.connections.push(one.clone());
                self.ever.push(one);
            }
            SwarmEvent::ConnectionClosed { connection_id, .. } => {
                self.connections.retain(|one| one.id != connection_id);
            }
            SwarmEvent::OutgoingConnectionError { error, .. } => self.failed_dials.push(in_full(&error)),
            SwarmEvent::ExternalAddrConfirmed { address } => self.external.push(address),
            SwarmEvent::ExternalAddrExpired { address } => self.external.retain(|known| *known != address),
            SwarmEvent::NewListenAddr { address, .. } => self.listening.push(address),
            SwarmEvent::ExpiredListenAddr { address, .. } => self.listening.retain(|known| *known != address),
            SwarmEvent::Behaviour(BehaviourEvent::Identify(identify::Event::Received {
                connection_id, info, ..
            })) => self.identified.push((connection_id, info)),
            SwarmEvent::Behaviour(BehaviourEvent::Ping(ping::Event { connection, result: Ok(_), .. })) => {
                self.pinged.push(connection);
            }
            _ => {}
        }
        for waker in self.wakers.drain(..) {
            waker.wake();
        }
    }
}

/// The error with its causes.
fn in_full(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

type SwarmCommand = Box<dyn FnOnce(&mut Swarm<Behaviour>)>;

/// Runs until it is dropped; then all its connections end.
pub struct Peer {
    pub id: PeerId,
    pub control: Control,
    pub seen: Rc<RefCell<Seen>>,
    orders: UnboundedSender<SwarmCommand>,
}

impl Peer {
    /// It answers streams of [`ECHO`].
    pub fn new() -> Self {
        let key = Keypair::generate_ed25519();
        let TransportStack { transport, relay, upgrade, .. } =
            transport::open(&key, &TransportOptions::default()).expect("a key of the right kind");
        let id = key.public().to_peer_id();
        let streams = libp2p_stream::Behaviour::new();
        let mut control = streams.new_control();
        let identify = identify::Config::new(IDENTIFY_PROTOCOL.to_owned(), key.public());
        let behaviour = Behaviour {
            relay,
            upgrade,
            identify: identify::Behaviour::new(identify),
            ping: ping::Behaviour::default(),
            streams: Direct::new(streams),
        };
        let mut swarm = Swarm::new(transport, behaviour, id, transport::swarm_config());
        for address in transport::listening() {
            swarm.listen_on(address).expect("a browser listens there");
        }
        let seen = Rc::<RefCell<Seen>>::default();
        let mut incoming = control.accept(ECHO).expect("nobody else answers it");
        let hears = seen.clone();
        spawn_local(async move {
            while let Some((from, stream)) = incoming.next().await {
                let hears = hears.clone();
                spawn_local(async move {
                    let (reader, mut writer) = stream.split();
                    let mut reader = BufReader::new(reader);
                    if reader.fill_buf().await.is_ok_and(|bytes| !bytes.is_empty()) {
                        hears.borrow_mut().first_bytes.entry(from).or_insert_with(now);
                    }
                    // It ends when the other side goes.
                    copy_buf(reader, &mut writer).await.ok();
                    writer.close().await.ok();
                });
            }
        });
        let (orders, mut ordered) = unbounded::<SwarmCommand>();
        let sees = seen.clone();
        spawn_local(async move {
            loop {
                match select(ordered.next(), swarm.next()).await {
                    Either::Left((Some(order), _)) => order(&mut swarm),
                    Either::Right((Some(event), _)) => sees.borrow_mut().hear(event),
                    Either::Left((None, _)) | Either::Right((None, _)) => break,
                }
            }
        });
        Self { id, control, seen, orders }
    }

    /// Connected to the relay, with a place there, so that others can dial it.
    pub async fn at(relay: &Multiaddr) -> Self {
        let peer = Self::new();
        let circuit = relay.clone().with(Protocol::P2pCircuit);
        let direct = webrtc_of_relayed(&circuit, peer.id).expect("it is a circuit");
        peer.order(move |swarm| {
            swarm.listen_on(circuit).expect("a relay's address");
        });
        peer.until("it can be dialled", |seen| seen.external.contains(&direct) && seen.listening.contains(&direct))
            .await;
        peer
    }

    pub fn order(&self, order: impl FnOnce(&mut Swarm<Behaviour>) + 'static) {
        self.orders.unbounded_send(Box::new(order)).expect("the swarm runs");
    }

    pub fn dial(&self, address: Multiaddr) {
        self.order(move |swarm| swarm.dial(address).expect("the dial begins"));
    }

    pub fn disconnect(&self, peer: PeerId) {
        self.order(move |swarm| swarm.disconnect_peer_id(peer).expect("it is connected"));
    }

    /// Whether it came true before the patience ended.
    pub async fn comes_to(&self, mut condition: impl FnMut(&Seen) -> bool) -> bool {
        let waiting = poll_fn(|cx| {
            let mut seen = self.seen.borrow_mut();
            if condition(&seen) {
                return Poll::Ready(());
            }
            seen.wakers.push(cx.waker().clone());
            Poll::Pending
        });
        patient(waiting).await.is_some()
    }

    pub async fn until(&self, what: &str, condition: impl FnMut(&Seen) -> bool) {
        if !self.comes_to(condition).await {
            // Taken out: the swarm goes on after a panic, and would find it borrowed.
            let Seen { connections, failed_dials, .. } = self.seen.take();
            panic!("never happened: {what}; connections {connections:?}, failed {failed_dials:?}");
        }
    }

    pub async fn until_only_directly_connected(&self, to: PeerId) {
        self.until("only one direct connection is left", |seen| seen.only_direct(to)).await;
    }

    pub async fn open(&self, to: PeerId) -> Result<Stream, OpenStreamError> {
        self.control.clone().open_stream(to, ECHO).await
    }

    /// Says it to the other and hears it back.
    pub async fn exchange(&self, to: PeerId, said: &[u8]) {
        let stream = self.open(to).await.expect("a stream opens");
        assert_eq!(exchange_on(stream, said).await, said);
    }
}

async fn exchange_on(stream: Stream, said: &[u8]) -> Vec<u8> {
    let (mut reader, mut writer) = stream.split();
    let write = async {
        writer.write_all(said).await.expect("it is written");
        writer.close().await.expect("it is ended");
    };
    let mut heard = Vec::new();
    let read = async {
        reader.read_to_end(&mut heard).await.expect("it comes back");
    };
    patient(futures::future::join(write, read)).await.expect("it comes back in time");
    heard
}

/// Milliseconds since the page began, in fractions.
pub fn now() -> f64 {
    web_sys::window().and_then(|window| window.performance()).expect("a page has a clock").now()
}

/// `None` when it took too long.
pub async fn patient<T>(waiting: impl Future<Output = T>) -> Option<T> {
    pin_mut!(waiting);
    match select(waiting, sleep(PATIENCE)).await {
        Either::Left((done, _)) => Some(done),
        Either::Right(_) => None,
    }
}

/// The real relay that runs beside these tests.
pub async fn relay() -> Multiaddr {
    const ADVICE: &str = "no relay runs beside these tests; start them with: make test-browser";
    let window = web_sys::window().expect("a page");
    let response = JsFuture::from(window.fetch_with_str("/target/beside/network.json")).await.expect(ADVICE);
    let response: web_sys::Response = response.unchecked_into();
    assert!(response.ok(), "{ADVICE}");
    let text = JsFuture::from(response.text().expect("a text")).await.expect("a text").as_string().expect("a text");
    let network: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
    network["relays"][0].as_str().expect("it names a relay").parse().expect("it is an address")
}

/// Where `peer` is dialled for a direct connection.
pub fn direct_address(relay: &Multiaddr, peer: PeerId) -> Multiaddr {
    webrtc_of_relayed(&relay.clone().with(Protocol::P2pCircuit), peer).expect("it is a circuit")
}
