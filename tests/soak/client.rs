//! One life of a browser, as far as a relay sees it: it comes, takes a place, says who it is and what it has, looks others
//! up, meets some through circuits, and goes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use gen_registry_core::actors::{BEGIN, Device, Witness, username};
use gen_registry_core::name_proof;
use gen_registry_core::read_model::ReadModel;
use gen_registry_core::registry::Registry;
use gen_registry_node::net::transport::{self, TransportOptions, TransportStack};
use gen_registry_node::net::{IDENTIFY_PROTOCOL, REGISTRATION_SECONDS, kademlia};
use libp2p::identity::Keypair;
use libp2p::kad::{self, Quorum, Record, RecordKey, store::MemoryStore};
use libp2p::multiaddr::Protocol;
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Swarm, identify, ping, relay, rendezvous};
use rand::Rng;
use tokio::time::{Instant, interval, sleep_until};

/// How often a page looks around.
const LOOKS_EVERY: Duration = Duration::from_secs(10);
/// A circuit is for a handshake.
const CIRCUIT_LASTS: Duration = Duration::from_secs(2);

#[derive(NetworkBehaviour)]
struct Behaviour {
    relay: relay::client::Behaviour,
    rendezvous: rendezvous::client::Behaviour,
    kademlia: kad::Behaviour<MemoryStore>,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
}

/// A profile, which comes back.
#[derive(Clone)]
pub struct Profile {
    key: Keypair,
    /// The record of its name, and where it is kept.
    record: (RecordKey, Vec<u8>),
}

impl Profile {
    /// A profile of the network of this witness, which confirms its name.
    pub fn new(number: usize, witness: &mut Witness) -> Self {
        let history = witness.registry.history().clone();
        let topic = history.topic();
        let mut device = Device::of(topic, &format!("soak {number}"));
        let letter = |place: u32| char::from(b'a' + (number / 26_usize.pow(place) % 26) as u8);
        let name = format!("soak{}{}{}", letter(0), letter(1), letter(2));
        let claim = device.claim(&name, None);
        let receipt = witness.ask(&device, &claim, BEGIN).expect("a name that nobody has");
        let mut registry = Registry::new(history);
        registry.admit_alone(&device.opening, &claim, vec![receipt], vec![]).expect("a claim");
        let name = username(&name);
        let record = ReadModel::new(registry, []).name_proof(&name).expect("the name is confirmed");
        let key = name_proof::key(&topic, &name);
        Self { key: Keypair::generate_ed25519(), record: (RecordKey::new(key.as_bytes()), record.bytes().to_vec()) }
    }

    pub fn peer(&self) -> PeerId {
        self.key.public().to_peer_id()
    }
}

/// What all clients together did.
#[derive(Debug, Default)]
pub struct Tally {
    pub lives: u64,
    pub places: u64,
    pub refused_places: u64,
    pub registered: u64,
    pub not_registered: u64,
    pub discovered: u64,
    pub puts: u64,
    pub gets: u64,
    pub found: u64,
    pub circuits: u64,
    pub failed_dials: u64,
    /// Lives that ended because the relay was lost.
    pub lost: u64,
}

/// What clients know of each other.
pub struct World {
    pub relay: Multiaddr,
    pub namespace: rendezvous::Namespace,
    pub profiles: Vec<Profile>,
    pub here: Mutex<Vec<PeerId>>,
    pub tally: Mutex<Tally>,
}

impl World {
    fn note(&self, add: impl FnOnce(&mut Tally)) {
        add(&mut self.tally.lock().expect("nobody panics with it"));
    }

    fn somebody(&self) -> Option<PeerId> {
        let here = self.here.lock().expect("nobody panics with it");
        if here.is_empty() { None } else { Some(here[rand::rng().random_range(0..here.len())]) }
    }
}

/// Lives until its time is over. Half of them go without a word.
pub async fn live(world: Arc<World>, profile: Profile, life: Duration) {
    world.note(|tally| tally.lives += 1);
    let mut client = Client { swarm: swarm(&profile), world: world.clone(), profile, circuits: Vec::new() };
    let end = Instant::now() + life;
    client.run(end).await;
    let me = client.profile.peer();
    world.here.lock().expect("nobody panics with it").retain(|peer| *peer != me);
    if rand::rng().random_bool(0.5) {
        let peers: Vec<PeerId> = client.swarm.connected_peers().copied().collect();
        for peer in peers {
            client.swarm.disconnect_peer_id(peer).ok();
        }
        let patience = Instant::now() + Duration::from_secs(1);
        while client.swarm.connected_peers().next().is_some() {
            tokio::select! {
                _ = client.swarm.select_next_some() => {}
                () = sleep_until(patience) => break,
            }
        }
    }
}

fn swarm(profile: &Profile) -> Swarm<Behaviour> {
    let key = profile.key.clone();
    let TransportStack { transport, relay, .. } =
        transport::open(&key, &TransportOptions::default()).expect("a carrier");
    let peer = key.public().to_peer_id();
    let behaviour = Behaviour {
        relay,
        rendezvous: rendezvous::client::Behaviour::new(key.clone()),
        kademlia: kademlia::client(peer, kademlia::store(peer)),
        identify: identify::Behaviour::new(identify::Config::new(IDENTIFY_PROTOCOL.to_owned(), key.public())),
        ping: ping::Behaviour::new(ping::Config::new().with_interval(Duration::from_secs(15))),
    };
    Swarm::new(transport, behaviour, peer, transport::swarm_config())
}

struct Client {
    swarm: Swarm<Behaviour>,
    world: Arc<World>,
    profile: Profile,
    /// Peers met through the relay, and when that ends.
    circuits: Vec<(PeerId, Instant)>,
}

impl Client {
    async fn run(&mut self, end: Instant) {
        let Some(Protocol::P2p(relay)) = self.world.relay.iter().last() else { return };
        let circuit = self.world.relay.clone().with(Protocol::P2pCircuit);
        if self.swarm.listen_on(circuit).is_err() {
            return;
        }
        let mut looks = interval(LOOKS_EVERY);
        let mut seconds = interval(Duration::from_secs(1));
        let mut placed = false;
        loop {
            tokio::select! {
                event = self.swarm.select_next_some() => match event {
                    SwarmEvent::Behaviour(event) => placed |= self.hear(event, relay),
                    SwarmEvent::ListenerClosed { .. } => {
                        self.world.note(|tally| tally.refused_places += 1);
                        return;
                    }
                    SwarmEvent::ConnectionClosed { peer_id, num_established: 0, .. } if peer_id == relay => {
                        self.world.note(|tally| tally.lost += 1);
                        return;
                    }
                    SwarmEvent::OutgoingConnectionError { .. } => self.world.note(|tally| tally.failed_dials += 1),
                    _ => {}
                },
                _ = looks.tick() => if placed {
                    self.retry_connections(relay);
                },
                _ = seconds.tick() => self.end_circuits(),
                () = sleep_until(end) => return,
            }
        }
    }

    /// Whether it has a place now.
    fn hear(&mut self, event: BehaviourEvent, relay: PeerId) -> bool {
        match event {
            BehaviourEvent::Relay(relay::client::Event::ReservationReqAccepted { renewal: false, .. }) => {
                self.world.note(|tally| tally.places += 1);
                self.settle(relay);
                return true;
            }
            BehaviourEvent::Relay(relay::client::Event::OutboundCircuitEstablished { .. }) => {
                self.world.note(|tally| tally.circuits += 1);
            }
            BehaviourEvent::Rendezvous(event) => self.world.note(|tally| match event {
                rendezvous::client::Event::Registered { .. } => tally.registered += 1,
                rendezvous::client::Event::RegisterFailed { .. } => tally.not_registered += 1,
                rendezvous::client::Event::Discovered { .. } => tally.discovered += 1,
                _ => {}
            }),
            BehaviourEvent::Kademlia(kad::Event::OutboundQueryProgressed {
                result: kad::QueryResult::GetRecord(Ok(kad::GetRecordOk::FoundRecord(_))),
                ..
            }) => self.world.note(|tally| tally.found += 1),
            _ => {}
        }
        false
    }

    /// It is reachable: it says so, and publishes what it has.
    fn settle(&mut self, relay: PeerId) {
        let me = self.profile.peer();
        self.world.here.lock().expect("nobody panics with it").push(me);
        let namespace = self.world.namespace.clone();
        let behaviour = self.swarm.behaviour_mut();
        behaviour.kademlia.add_address(&relay, self.world.relay.clone());
        behaviour.rendezvous.register(namespace, relay, Some(REGISTRATION_SECONDS)).ok();
        let (key, value) = self.profile.record.clone();
        let mut record = Record::new(key, value);
        record.publisher = Some(me);
        behaviour.kademlia.put_record_to(record, [relay].into_iter(), Quorum::One);
        behaviour.kademlia.start_providing(RecordKey::new(&me.to_bytes()[6..38].to_vec())).ok();
        self.world.note(|tally| tally.puts += 1);
    }

    fn retry_connections(&mut self, relay: PeerId) {
        let namespace = Some(self.world.namespace.clone());
        let whose = &self.world.profiles[rand::rng().random_range(0..self.world.profiles.len())];
        let key = whose.record.0.clone();
        let behaviour = self.swarm.behaviour_mut();
        behaviour.rendezvous.discover(namespace, None, Some(64), relay);
        behaviour.kademlia.get_record(key);
        self.world.note(|tally| tally.gets += 1);
        let other = self.world.somebody().filter(|other| *other != self.profile.peer());
        if let Some(other) = other {
            let address = self.world.relay.clone().with(Protocol::P2pCircuit).with(Protocol::P2p(other));
            if self.swarm.dial(DialOpts::peer_id(other).addresses(vec![address]).build()).is_ok() {
                self.circuits.push((other, Instant::now() + CIRCUIT_LASTS));
            }
        }
    }

    fn end_circuits(&mut self) {
        let now = Instant::now();
        let (over, open): (Vec<_>, Vec<_>) = self.circuits.drain(..).partition(|(_, end)| *end <= now);
        self.circuits = open;
        for (peer, _) in over {
            self.swarm.disconnect_peer_id(peer).ok();
        }
    }
}
