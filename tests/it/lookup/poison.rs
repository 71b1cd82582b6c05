//! What is not true is neither stored nor served nor believed, whoever says it.

use std::sync::{Arc, Mutex};

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use gen_registry_api::*;
use gen_registry_core::actors::{BEGIN, Device, Witness};
use gen_registry_core::canonical::Encoder;
use gen_registry_core::identity::Topic;
use gen_registry_core::keys::SecretKey;
use gen_registry_core::limits::RECORD_MAX_BYTES;
use gen_registry_core::log::Entry;
use gen_registry_core::name::Username;
use gen_registry_core::name_proof;
use gen_registry_core::outcome::Fact;
use gen_registry_core::receipt::Receipt;
use gen_registry_core::slot::Slot;
use gen_registry_core::sync::rejection::Rejection;
use gen_registry_node::Network;
use gen_registry_node::net::IDENTIFY_PROTOCOL;
use gen_registry_node::net::mesh::FIND_PROTOCOL;
use gen_registry_node::net::relay::numbers::text_of;
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{NetworkBehaviour, StreamProtocol};
use libp2p::{Multiaddr, Swarm, identify, ping};
use tokio::task::{JoinHandle, spawn_local};

use crate::lookup::crowd::Asker;
use crate::support::memory_network;
use crate::support::network::{founded_by, numbered, through};
use crate::support::wait::{eventually, in_one_thread};

/// A record as it is written, whatever it says.
pub fn written(entries: &[&Entry], receipts: &[Receipt]) -> Vec<u8> {
    let (mut entries, mut receipts) = (entries.to_vec(), receipts.to_vec());
    entries.sort_by_key(|entry| entry.id());
    receipts.sort();
    let encoder = Encoder::new().byte(2).integer(entries.len() as u64);
    let encoder = entries.iter().fold(encoder, |encoder, entry| encoder.bytes(&entry.encode()));
    let encoder = encoder.integer(receipts.len() as u64);
    let encoder = receipts.iter().fold(encoder, |encoder, receipt| encoder.bytes(&receipt.encode()));
    encoder.integer(0).finish()
}

/// A network with one witness.
pub struct Founded {
    pub network: Network,
    pub witness: Witness,
}

impl Founded {
    pub fn new() -> Self {
        let key = witness_key();
        let network = founded_by(&[key.public()], 1, 0);
        Self { witness: Witness::new(network.history().clone(), key, BEGIN), network }
    }

    /// Somebody's claim of a name, with the witness's receipt.
    pub fn claim(&mut self, device: &mut Device, name: &str) -> (Entry, Receipt) {
        let claim = device.claim(name, None);
        let receipt = self.witness.ask(device, &claim, BEGIN).unwrap();
        (claim, receipt)
    }

    /// What the witness says of an entry once it is due.
    pub fn sign(&self, device: &Device, entry: &Entry) -> Receipt {
        let topic = self.network.topic;
        let fact = Fact::of(&topic, entry, &device.authority()).unwrap();
        let slots = fact.slots().iter().map(Slot::digest).collect();
        Receipt::sign(&topic, &witness_key(), 0, entry.id(), slots, BEGIN)
    }
}

fn witness_key() -> SecretKey {
    SecretKey::from_seed(&[100; 32])
}

pub fn key(topic: &Topic, name: &str) -> [u8; 32] {
    let name = (NameKind::Username, name.parse::<Username>().unwrap().folded());
    *name_proof::key(topic, &name).as_bytes()
}

/// A real relay, and whatever somebody may put there.
#[test]
fn poisoned_records_are_never_stored_nor_served() {
    in_one_thread(async {
        let mut founded = Founded::new();
        let (topic, elsewhere) = (founded.network.topic, numbered(9).topic);
        let (mut alice, mut mallory) = (Device::of(topic, "alice"), Device::of(topic, "mallory"));
        let relay = memory_network::relay(&founded.network, vec![]).await;
        let (view, address) = (relay.view(), relay.view().addresses().remove(0));
        let counts = view.counts();
        let mut asker = Asker::at(&address).await;

        let (hers, receipt) = founded.claim(&mut alice, "alice_smith");
        let here = key(&topic, "alice_smith");
        let good = written(&[&alice.opening, &hers], std::slice::from_ref(&receipt));
        let mut broken = good.clone();
        let within_the_receipt = broken.len() - 60;
        broken[within_the_receipt] ^= 1;
        let mut other = Device::of(elsewhere, "alice");
        let claimed_elsewhere = other.claim("alice_smith", None);
        let foreign = written(&[&other.opening, &claimed_elsewhere], &[]);
        let (mallorys, for_mallory) = founded.claim(&mut mallory, "mallory");
        let unconfirmed = mallory.claim("alice_smith", None);
        let cases = [
            ("junk", here, b"junk".to_vec()),
            ("a broken signature", here, broken),
            ("another network's, here", here, foreign.clone()),
            ("another network's, under its key", key(&elsewhere, "alice_smith"), foreign),
            ("another name's", here, written(&[&mallory.opening, &mallorys], &[for_mallory])),
            (
                "with another entry's receipt",
                here,
                written(&[&mallory.opening, &unconfirmed], std::slice::from_ref(&receipt)),
            ),
            ("without a receipt", here, written(&[&alice.opening, &hers], &[])),
            ("too long", here, vec![1; RECORD_MAX_BYTES + 1]),
        ];
        for (number, (what, under, value)) in cases.iter().enumerate() {
            asker.put(under, value).await;
            let refused = number as u64 + 1;
            eventually(what, async || counts.kademlia_values_refused.get() == refused).await;
            assert_eq!(counts.kademlia_values.get(), 0, "{what}");
            assert_eq!(asker.get(under).await, Vec::<Vec<u8>>::new(), "{what}");
        }
        let reasons = ["unreadable", "forged", "wrong_key", "rule", "oversized"].map(|why| counts_of(&view, why));
        assert_eq!(reasons, [1, 3, 2, 1, 1]);

        // A good one is kept, and no other takes its place.
        asker.put(&here, &good).await;
        eventually("it is stored", async || counts.kademlia_values.get() == 1).await;
        for worse in [written(&[&alice.opening, &hers], &[]), written(&[&mallory.opening, &unconfirmed], &[])] {
            asker.put(&here, &worse).await;
        }
        eventually("the worse ones are refused", async || counts.kademlia_values_refused.get() == 10).await;
        assert_eq!(asker.get(&here).await, [good]);
    });
}

fn counts_of(view: &gen_registry_node::net::relay::RelayStatus, reason: &str) -> i64 {
    let text = text_of([view.numbers()]).unwrap();
    let line = format!("gen_relay_kademlia_values_refused_{reason}_total ");
    text.lines().find_map(|found| found.strip_prefix(&line)).and_then(|count| count.parse().ok()).unwrap()
}

#[derive(NetworkBehaviour)]
struct Behaviour {
    streams: libp2p_stream::Behaviour,
    ping: ping::Behaviour,
    identify: identify::Behaviour,
}

/// A peer that gives everybody who asks these bytes.
pub struct Answering {
    life: JoinHandle<()>,
    /// Opens streams, too.
    pub control: libp2p_stream::Control,
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.life.abort();
    }
}

pub fn answering(to: Multiaddr, answer: Arc<Mutex<Vec<u8>>>) -> Answering {
    answering_to(to, FIND_PROTOCOL, answer)
}

/// A peer that gives everybody who asks in this protocol these bytes.
pub fn answering_to(to: Multiaddr, protocol: &'static str, answer: Arc<Mutex<Vec<u8>>>) -> Answering {
    behaving(to, None, protocol, Some(answer))
}

/// A peer that reads what it is asked in this protocol, and never answers.
pub fn silent(to: Multiaddr, protocol: &'static str) -> Answering {
    behaving(to, None, protocol, None)
}

/// The same at an address of its own, which it tells whom it dials.
pub fn listening_silently(to: Multiaddr, protocol: &'static str) -> Answering {
    let place = Protocol::Memory(rand::random::<u64>().max(1)).into();
    behaving(to, Some(place), protocol, None)
}

fn behaving(
    to: Multiaddr,
    place: Option<Multiaddr>,
    protocol: &'static str,
    answer: Option<Arc<Mutex<Vec<u8>>>>,
) -> Answering {
    let key = Keypair::generate_ed25519();
    let identify = identify::Config::new(IDENTIFY_PROTOCOL.to_owned(), key.public());
    let behaviour = Behaviour {
        streams: libp2p_stream::Behaviour::new(),
        ping: ping::Behaviour::default(),
        identify: identify::Behaviour::new(identify),
    };
    let config = libp2p::swarm::Config::with_tokio_executor();
    let config = config.with_idle_connection_timeout(std::time::Duration::from_secs(60));
    let mut swarm = Swarm::new(memory_network::memory(&key), behaviour, key.public().to_peer_id(), config);
    let mut asked = swarm.behaviour().streams.new_control().accept(StreamProtocol::new(protocol)).unwrap();
    if let Some(place) = place {
        swarm.listen_on(place.clone()).unwrap();
        swarm.add_external_address(place);
    }
    swarm.dial(to).unwrap();
    let control = swarm.behaviour().streams.new_control();
    let life = spawn_local(async move {
        loop {
            tokio::select! {
                _ = swarm.select_next_some() => {}
                Some((_, mut stream)) = asked.next() => {
                    let answer = answer.as_ref().map(|answer| answer.lock().unwrap().clone());
                    spawn_local(async move {
                        stream.read_to_end(&mut Vec::new()).await.unwrap();
                        let Some(answer) = answer else { return std::future::pending().await };
                        // Who has read enough may have gone.
                        if stream.write_all(&answer).await.is_ok() {
                            stream.close().await.ok();
                        }
                    });
                }
            }
        }
    });
    Answering { life, control }
}

#[test]
fn connected_peers_are_asked_first_and_wrong_answers_counted() {
    in_one_thread(async {
        let mut founded = Founded::new();
        let relay = memory_network::relay(&founded.network, vec![]).await;
        let addresses = relay.view().addresses().iter().map(ToString::to_string).collect();
        let bob = memory_network::join(through(&founded.network, addresses)).await;
        let answer = Arc::new(Mutex::new(Vec::new()));
        let _peer = answering(memory_network::place(&bob.mesh), answer.clone());
        eventually("they are connected", async || bob.network().await.peers.len() == 1).await;
        let say = |bytes: Vec<u8>| *answer.lock().unwrap() = bytes;

        let report = bob.find_username("alice_smith").await;
        assert_eq!((report.peers_asked, report.answered_by), (1, None), "it knows nothing, which is no fault");
        assert_eq!(bob.network().await.rejections, []);

        let topic = founded.network.topic;
        let (mut alice, mut mallory) = (Device::of(topic, "alice"), Device::of(topic, "mallory"));
        let (hers, receipt) = founded.claim(&mut alice, "alice_smith");
        let good = written(&[&alice.opening, &hers], &[receipt]);
        let (other, receipt) = founded.claim(&mut mallory, "mallory");
        say(written(&[&mallory.opening, &other], &[receipt]));
        assert_eq!(bob.find_username("alice_smith").await.answered_by, None);
        assert_eq!(bob.network().await.rejections, [(Rejection::WrongRecord, 1)]);
        let peer = bob.network().await.peers.remove(0);
        assert!(peer.reputation.low, "{:?}", peer.reputation);

        say(good.clone());
        let report = bob.find_username("alice_smith").await;
        assert_eq!((report.peers_asked, report.answered_by), (0, None), "a liar is not asked again");
        // Unless the person trusts it.
        let trust =
            BlockListCommand::Decide { subject: format!("peer:{}", peer.id), verdict: Decision::Allow, note: None };
        bob.node.handle(Command::BlockList { command: trust }).await.unwrap();
        for wrong in [b"junk".to_vec(), vec![0; 20_000]] {
            say(wrong);
            assert_eq!(bob.find_username("alice_smith").await.answered_by, None);
        }
        say(good.clone());
        let report = bob.find_username("alice_smith").await;
        assert_eq!(report.answered_by, Some(AnsweredBy::Peers));
        assert_eq!(report.found.unwrap().did, alice.did.to_string());
    });
}
