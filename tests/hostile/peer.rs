//! A node that finds its victim as everybody does, with the real carrier, and then says what an act asks for.
//!
//! It keeps no rule of the registry and has no store. What it says is in `acts`.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use asynchronous_codec::Framed;
use bytes::Bytes;
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures::future::{Either, poll_fn, select};
use futures::stream::{SplitSink, SplitStream};
use futures::{AsyncReadExt, AsyncWriteExt, SinkExt, StreamExt, pin_mut};
use futures_timer::Delay;
use gen_registry_core::digest::Digest;
use gen_registry_core::identity::Topic;
use gen_registry_core::limits::PARAMETERS_VERSION;
use gen_registry_core::ring::RingRange;
use gen_registry_core::sync::exchange::wire::{Hello, Message, PROTOCOL};
use gen_registry_node::net::direct::Direct;
use gen_registry_node::net::transport::{self, TransportOptions, TransportStack};
use gen_registry_node::net::{AGENT, IDENTIFY_PROTOCOL};
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{NetworkBehaviour, StreamProtocol, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Stream, Swarm, gossipsub, identify, ping, relay, rendezvous};
use libp2p_stream::{Control, IncomingStreams};
use unsigned_varint::codec::UviBytes;

/// Longer than anything that a test sends: it is for the victim to refuse.
const FRAME_MAX_BYTES: usize = 16 * 1024 * 1024;
/// The name of the gossip about who is online.
const PRESENCE: &str = "presence";

thread_local! {
    static SENT: Cell<u64> = const { Cell::new(0) };
}

fn count_sent(bytes: usize) {
    SENT.set(SENT.get() + bytes as u64);
}

/// Bytes that all hostile peers of this program said, without what carries them.
#[allow(dead_code, reason = "stories do not ask")]
pub fn sent() -> u64 {
    SENT.get()
}

/// After it no more pages are expected.
const SILENCE: Duration = Duration::from_secs(4);

#[derive(NetworkBehaviour)]
pub struct Behaviour {
    relay: relay::client::Behaviour,
    upgrade: transport::Upgrade,
    rendezvous: rendezvous::client::Behaviour,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
    /// Streams on relayed connections, too.
    anywhere: libp2p_stream::Behaviour,
    registry: Direct<Registry>,
}

#[derive(NetworkBehaviour)]
pub struct Registry {
    gossip: gossipsub::Behaviour,
    streams: libp2p_stream::Behaviour,
}

/// What happened so far.
#[derive(Default)]
struct Seen {
    /// Direct connections to the victim.
    direct: usize,
    ever_direct: bool,
    ever_relayed: bool,
    relays: BTreeSet<PeerId>,
    addresses: BTreeMap<PeerId, Vec<Multiaddr>>,
    listens_to_gossip: bool,
    /// What the network's gossip brought.
    gossip: Vec<Vec<u8>>,
    failed_dials: usize,
    wakers: Vec<Waker>,
}

type SwarmCommand = Box<dyn FnOnce(&mut Swarm<Behaviour>)>;

/// The victim, and where it is found.
#[derive(Clone)]
pub struct Victim {
    pub peer: PeerId,
    pub topic: Topic,
    /// At which it is looked for; or, of a public node, its own address.
    pub relays: Vec<Multiaddr>,
}

/// Which side of a sync stream it wants to be. The smaller name opens it, and names cost nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Initiator,
    Responder,
}

pub struct Mallory {
    pub id: PeerId,
    pub victim: Victim,
    side: Side,
    control: Control,
    by_relay: Control,
    inbound: IncomingStreams,
    orders: UnboundedSender<SwarmCommand>,
    seen: Rc<RefCell<Seen>>,
}

impl Mallory {
    /// The second is its life; it ends when the first is dropped.
    pub fn new(victim: Victim, side: Side) -> (Self, impl Future<Output = ()> + 'static) {
        let key = named(victim.peer, side);
        let id = key.public().to_peer_id();
        let streams = libp2p_stream::Behaviour::new();
        let mut control = streams.new_control();
        let anywhere = libp2p_stream::Behaviour::new();
        let by_relay = anywhere.new_control();
        let inbound = control.accept(StreamProtocol::new(PROTOCOL)).expect("nobody else takes them");
        let TransportStack { transport, relay, upgrade, .. } =
            transport::open(&key, &TransportOptions::default()).expect("a key of the right kind");
        let identify = identify::Config::new(IDENTIFY_PROTOCOL.to_owned(), key.public())
            .with_agent_version(AGENT.to_owned())
            .with_push_listen_addr_updates(true);
        let behaviour = Behaviour {
            relay,
            upgrade,
            rendezvous: rendezvous::client::Behaviour::new(key),
            identify: identify::Behaviour::new(identify),
            ping: ping::Behaviour::default(),
            anywhere,
            registry: Direct::new(Registry { gossip: gossip(), streams }),
        };
        let mut swarm = Swarm::new(transport, behaviour, id, transport::swarm_config());
        for address in transport::listening() {
            swarm.listen_on(address).expect("it can be reached as others can");
        }
        let (orders, told) = unbounded();
        let seen = Rc::<RefCell<Seen>>::default();
        let life = live(swarm, told, seen.clone(), victim.peer);
        (Self { id, victim, side, control, by_relay, inbound, orders, seen }, life)
    }

    fn order(&self, order: impl FnOnce(&mut Swarm<Behaviour>) + 'static) {
        // It ends only with this handle.
        self.orders.unbounded_send(Box::new(order)).ok();
    }

    async fn until<T>(&self, mut holds: impl FnMut(&Seen) -> Option<T>) -> T {
        poll_fn(|cx| {
            let mut seen = self.seen.borrow_mut();
            if let Some(found) = holds(&seen) {
                return Poll::Ready(found);
            }
            seen.wakers.push(cx.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// Learns at the relays where the victim is, and connects to it directly.
    pub async fn approach(&self) {
        let peer = self.victim.peer;
        let own = |address: &Multiaddr| address.iter().last() == Some(Protocol::P2p(peer));
        if self.victim.relays.iter().any(own) {
            self.victim.relays.iter().cloned().for_each(|address| {
                self.order(move |swarm| swarm.dial(address).expect("the address of a public node"));
            });
            return self.until(|seen| seen.ever_direct.then_some(())).await;
        }
        let addresses = self.discover().await;
        self.order(move |swarm| {
            let with_name = addresses.into_iter().filter_map(|address| address.with_p2p(peer).ok()).collect();
            let dial = DialOpts::peer_id(peer).addresses(with_name).condition(PeerCondition::Always).build();
            swarm.dial(dial).expect("a dial begins");
        });
        self.until(|seen| seen.ever_direct.then_some(())).await;
    }

    /// Learns where the victim is, and connects to it through a relay only.
    #[allow(dead_code, reason = "for the attacks of `floods`")]
    pub async fn approach_by_relay(&self) {
        let addresses = self.discover().await;
        let peer = self.victim.peer;
        let without_rtc =
            |address: Multiaddr| address.iter().filter(|part| !matches!(part, Protocol::WebRTC)).collect::<Multiaddr>();
        self.order(move |swarm| {
            let relayed = addresses.into_iter().map(without_rtc).filter_map(|address| address.with_p2p(peer).ok());
            let relayed = relayed.collect();
            let dial = DialOpts::peer_id(peer).addresses(relayed).condition(PeerCondition::Always).build();
            swarm.dial(dial).expect("a dial begins");
        });
        self.until(|seen| seen.ever_relayed.then_some(())).await;
    }

    /// Where the victim is, as the relays say.
    async fn discover(&self) -> Vec<Multiaddr> {
        for relay in self.victim.relays.clone() {
            self.order(move |swarm| swarm.dial(relay).expect("a relay's address"));
        }
        self.until(|seen| (!seen.relays.is_empty()).then_some(())).await;
        loop {
            let (namespace, relays) = (self.namespace(), self.seen.borrow().relays.clone());
            self.order(move |swarm| {
                for relay in relays {
                    swarm.behaviour_mut().rendezvous.discover(Some(namespace.clone()), None, None, relay);
                }
            });
            self.seen.borrow_mut().addresses.clear();
            let found = self.until(|seen| (!seen.addresses.is_empty()).then(|| seen.addresses.clone())).await;
            if let Some(addresses) = found.get(&self.victim.peer) {
                return addresses.clone();
            }
        }
    }

    fn namespace(&self) -> rendezvous::Namespace {
        rendezvous::Namespace::new(String::from(self.victim.topic)).expect("a topic fits")
    }

    /// A sync stream on which nothing is said yet.
    pub async fn stream(&mut self) -> Option<Stream> {
        match self.side {
            Side::Initiator => self.another_stream().await,
            Side::Responder => Some(self.inbound.next().await?.1),
        }
    }

    /// One that it opens, whether that is its part or not.
    pub async fn another_stream(&mut self) -> Option<Stream> {
        self.control.open_stream(self.victim.peer, StreamProtocol::new(PROTOCOL)).await.ok()
    }

    /// A stream of any protocol, on whatever connection there is.
    #[allow(dead_code, reason = "for the attacks of `floods`")]
    pub async fn stream_by_relay(&mut self, protocol: &'static str) -> Option<Stream> {
        self.by_relay.open_stream(self.victim.peer, StreamProtocol::new(protocol)).await.ok()
    }

    /// Streams of another protocol that the victim opens.
    #[allow(dead_code, reason = "for the attacks of `answers`")]
    pub fn accept(&mut self, protocol: &'static str) -> IncomingStreams {
        self.control.accept(StreamProtocol::new(protocol)).expect("nobody else takes them")
    }

    /// The answer to one request on a stream of its own; `None` if there is none.
    #[allow(dead_code, reason = "for the attacks of `floods`")]
    pub async fn ask(&mut self, protocol: &'static str, request: &[u8]) -> Option<Vec<u8>> {
        let mut stream = self.control.open_stream(self.victim.peer, StreamProtocol::new(protocol)).await.ok()?;
        count_sent(request.len());
        stream.write_all(request).await.ok()?;
        stream.close().await.ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.ok()?;
        Some(answer)
    }

    /// A conversation in which both have greeted as they should.
    pub async fn greeted(&mut self) -> Conversation {
        let mut talk = self.silent().await;
        talk.say(&Message::Hello(hello(self.victim.topic))).await;
        talk
    }

    pub async fn silent(&mut self) -> Conversation {
        self.silent_if_taken().await.expect("the victim takes a sync stream")
    }

    /// None where the victim takes no sync stream.
    pub async fn silent_if_taken(&mut self) -> Option<Conversation> {
        self.stream().await.map(|stream| Conversation(framed(stream)))
    }

    /// Waits until the victim has said that it listens to the network's gossip.
    pub async fn join_gossip(&self) {
        self.join_gossip_of(PRESENCE).await;
    }

    /// The same of the gossip with this name within the network.
    pub async fn join_gossip_of(&self, name: &str) {
        let topic = self.gossip_topic(name);
        self.order(move |swarm| {
            swarm.behaviour_mut().registry.inner_mut().gossip.subscribe(&topic).expect("anybody may");
        });
        self.until(|seen| seen.listens_to_gossip.then_some(())).await;
    }

    /// Whether this text was part of any gossip.
    #[allow(dead_code, reason = "for native stories alone")]
    pub fn heard_in_gossip(&self, text: &str) -> bool {
        let has_text = |message: &Vec<u8>| message.windows(text.len()).any(|part| part == text.as_bytes());
        self.seen.borrow().gossip.iter().any(has_text)
    }

    pub fn publish(&self, bytes: Vec<u8>) {
        self.publish_on(PRESENCE, bytes);
    }

    pub fn publish_on(&self, name: &str, bytes: Vec<u8>) {
        let topic = self.gossip_topic(name);
        count_sent(bytes.len());
        self.order(move |swarm| {
            // Full queues are what a flood is about.
            swarm.behaviour_mut().registry.inner_mut().gossip.publish(topic, bytes).ok();
        });
    }

    /// Until everything ordered so far is done.
    pub async fn settled(&self) {
        let (done, waiting) = futures::channel::oneshot::channel();
        self.order(move |_| done.send(()).unwrap_or_default());
        waiting.await.ok();
    }

    fn gossip_topic(&self, name: &str) -> gossipsub::IdentTopic {
        gossipsub::IdentTopic::new(format!("/gen/{}/{name}/1", String::from(self.victim.topic)))
    }

    /// Says through identify that it is reached there.
    pub fn claim_addresses(&self, addresses: Vec<Multiaddr>) {
        let victim = self.victim.peer;
        self.order(move |swarm| {
            addresses.into_iter().for_each(|address| swarm.add_external_address(address));
            swarm.behaviour_mut().identify.push([victim]);
        });
    }

    pub fn is_connected(&self) -> bool {
        self.seen.borrow().direct > 0
    }

    #[allow(dead_code, reason = "for the page alone")]
    pub async fn sent_away(&self) {
        self.until(|seen| (seen.direct == 0).then_some(())).await;
    }

    /// Whether the victim lets it in again, now that it is known. Ends when that is decided.
    pub async fn is_let_in_again(&self) -> bool {
        let before = self.seen.borrow().failed_dials;
        let (peer, addresses) = (self.victim.peer, self.seen.borrow().addresses.get(&self.victim.peer).cloned());
        let addresses = addresses.unwrap_or_default();
        self.order(move |swarm| {
            let with_name = addresses.into_iter().filter_map(|address| address.with_p2p(peer).ok()).collect();
            let dial = DialOpts::peer_id(peer).addresses(with_name).condition(PeerCondition::Always).build();
            swarm.dial(dial).expect("a dial begins");
        });
        // The victim learns the name at the end of the handshake, and closes then: the dialler may see a connection.
        let mut stream = self.control.clone();
        let asked = async {
            self.until(|seen| (seen.failed_dials > before || seen.direct > 0).then_some(())).await;
            stream.open_stream(peer, StreamProtocol::new(PROTOCOL)).await.is_ok()
        };
        asked.await && self.is_connected()
    }
}

/// The greeting of a node that follows no change of the witnesses.
pub fn hello(topic: Topic) -> Hello {
    Hello {
        topic,
        parameters: PARAMETERS_VERSION,
        newest: Digest::from_bytes(*topic.as_bytes()),
        set: 0,
        range: RingRange::WHOLE,
    }
}

/// Keys are drawn until the name is on the right side of the victim's.
fn named(victim: PeerId, side: Side) -> Keypair {
    loop {
        let key = Keypair::generate_ed25519();
        if (key.public().to_peer_id() < victim) == (side == Side::Initiator) {
            return key;
        }
    }
}

fn gossip() -> gossipsub::Behaviour {
    let config = gossipsub::ConfigBuilder::default()
        .validation_mode(gossipsub::ValidationMode::None)
        .message_id_fn(|message| Digest::of(&message.data).as_bytes().to_vec().into())
        .build()
        .expect("a configuration without contradiction");
    gossipsub::Behaviour::new(gossipsub::MessageAuthenticity::Anonymous, config).expect("gossip")
}

pub fn framed(stream: Stream) -> Framed<Stream, UviBytes> {
    let mut codec = UviBytes::default();
    codec.set_max_len(FRAME_MAX_BYTES);
    Framed::new(stream, codec)
}

async fn live(
    mut swarm: Swarm<Behaviour>,
    mut orders: UnboundedReceiver<SwarmCommand>,
    seen: Rc<RefCell<Seen>>,
    victim: PeerId,
) {
    loop {
        match select(swarm.next(), orders.next()).await {
            Either::Left((Some(event), _)) => hear(event, &mut seen.borrow_mut(), victim),
            Either::Right((Some(order), _)) => order(&mut swarm),
            Either::Left((None, _)) | Either::Right((None, _)) => return,
        }
    }
}

fn hear(event: SwarmEvent<BehaviourEvent>, seen: &mut Seen, victim: PeerId) {
    match event {
        SwarmEvent::ConnectionEstablished { peer_id, endpoint, .. } if peer_id == victim => {
            let direct = transport::is_direct(endpoint.get_remote_address());
            seen.direct += usize::from(direct);
            seen.ever_direct |= direct;
            seen.ever_relayed |= !direct;
        }
        SwarmEvent::ConnectionEstablished { peer_id, .. } => drop(seen.relays.insert(peer_id)),
        SwarmEvent::ConnectionClosed { peer_id, endpoint, .. } if peer_id == victim => {
            seen.direct -= usize::from(transport::is_direct(endpoint.get_remote_address()));
        }
        SwarmEvent::OutgoingConnectionError { .. } => seen.failed_dials += 1,
        SwarmEvent::Behaviour(BehaviourEvent::Rendezvous(rendezvous::client::Event::Discovered {
            registrations,
            ..
        })) => {
            for registration in registrations {
                let record = registration.record;
                seen.addresses.insert(record.peer_id(), record.addresses().to_vec());
            }
        }
        SwarmEvent::Behaviour(BehaviourEvent::Registry(RegistryEvent::Gossip(gossipsub::Event::Subscribed {
            peer_id,
            ..
        }))) => seen.listens_to_gossip |= peer_id == victim,
        SwarmEvent::Behaviour(BehaviourEvent::Registry(RegistryEvent::Gossip(gossipsub::Event::Message {
            message,
            ..
        }))) => seen.gossip.push(message.data),
        _ => {}
    }
    seen.wakers.drain(..).for_each(Waker::wake);
}

/// One sync stream, with messages as the protocol frames them.
pub struct Conversation(Frames);

type Frames = Framed<Stream, UviBytes>;

impl Conversation {
    /// False when the victim has ended it.
    pub async fn say(&mut self, message: &Message) -> bool {
        self.say_bytes(message.encode()).await
    }

    pub async fn say_bytes(&mut self, bytes: Vec<u8>) -> bool {
        count_sent(bytes.len());
        self.0.send(Bytes::from(bytes)).await.is_ok()
    }

    /// The next message; `None` when the victim has ended it.
    pub async fn hear(&mut self) -> Option<Message> {
        let bytes = self.0.next().await?.ok()?;
        Message::decode(&bytes).ok()
    }

    /// What is said, and what is heard.
    #[allow(dead_code, reason = "for the attacks of `siege`")]
    pub fn halves(self) -> (SplitSink<Frames, Bytes>, SplitStream<Frames>) {
        self.0.split()
    }

    /// Leaves everything else unheard until `pick` finds something.
    pub async fn hear_until<T>(&mut self, mut pick: impl FnMut(Message) -> Option<T>) -> Option<T> {
        loop {
            if let Some(found) = pick(self.hear().await?) {
                return Some(found);
            }
        }
    }

    /// Says all of it and reads whatever comes, until the victim ends the conversation. How much was said.
    pub async fn say_until_cut(self, messages: impl Iterator<Item = Vec<u8>>) -> usize {
        let (mut sink, mut source) = self.0.split();
        let said = Cell::new(0);
        let saying = async {
            for message in messages {
                let length = message.len();
                if sink.send(Bytes::from(message)).await.is_err() {
                    break;
                }
                count_sent(length);
                said.set(said.get() + 1);
            }
            futures::future::pending::<()>().await;
        };
        let hearing = async { while let Some(Ok(_)) = source.next().await {} };
        pin_mut!(saying, hearing);
        select(saying, hearing).await;
        said.get()
    }

    /// Says all of it and reads pages, until no more come for a while. How many came.
    pub async fn say_and_hear_pages(self, messages: impl Iterator<Item = Vec<u8>>) -> usize {
        let (mut sink, mut source) = self.0.split();
        let saying = async {
            for message in messages {
                count_sent(message.len());
                if sink.send(Bytes::from(message)).await.is_err() {
                    break;
                }
            }
            futures::future::pending::<()>().await;
        };
        let hearing = async {
            let mut pages = 0;
            while let Either::Left((Some(Ok(bytes)), _)) = select(source.next(), Delay::new(SILENCE)).await {
                pages += usize::from(matches!(Message::decode(&bytes), Ok(Message::Pieces { .. })));
            }
            pages
        };
        pin_mut!(saying, hearing);
        match select(saying, hearing).await {
            Either::Left(((), _)) => 0,
            Either::Right((pages, _)) => pages,
        }
    }

    /// Says and never reads, until nothing more is taken. How much was.
    pub async fn say_and_never_read(mut self, messages: impl Iterator<Item = Vec<u8>>) -> usize {
        let mut said = 0;
        for message in messages {
            if !self.say_bytes(message).await {
                break;
            }
            said += 1;
        }
        said
    }
}

/// Through a relay that does not exist.
pub fn address_of_nobody() -> Multiaddr {
    Multiaddr::from(std::net::Ipv4Addr::LOCALHOST)
        .with(Protocol::Tcp(1))
        .with(Protocol::P2p(PeerId::random()))
        .with(Protocol::P2pCircuit)
}
