//! What is not true is neither stored nor served nor believed, whoever says it.

use std::sync::{Arc, Mutex};

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use gen_registry_api::*;
use gen_registry_core::canonical::Encoder;
use gen_registry_core::fact::{ClaimedName, Fact, NameClaim, Receipt, SignedFact};
use gen_registry_core::identity::{Signed, SigningIdentity, Topic};
use gen_registry_core::limits::RECORD_MAX_BYTES;
use gen_registry_core::name::Username;
use gen_registry_core::name_proof;
use gen_registry_core::sync::rejection::Rejection;
use gen_registry_core::time::Timestamp;
use gen_registry_node::Network;
use gen_registry_node::net::IDENTIFY_PROTOCOL;
use gen_registry_node::net::mesh::FIND_PROTOCOL;
use libp2p::identity::Keypair;
use libp2p::swarm::{NetworkBehaviour, StreamProtocol};
use libp2p::{Multiaddr, Swarm, identify, ping};
use tokio::task::{JoinHandle, spawn_local};

use crate::lookup::crowd::Asker;
use crate::support::memory_network;
use crate::support::network::founded_by;
use crate::support::wait::{eventually, in_one_thread};

fn person(seed: u8) -> SigningIdentity {
    SigningIdentity::from_entropy(&[seed; 32])
}

fn claim(topic: &Topic, who: &SigningIdentity, name: &str, when: u64) -> SignedFact {
    let name = ClaimedName::Username(name.parse().unwrap());
    Signed::sign(who, topic, Fact::NameClaim(NameClaim { work: 0, name, claimed_at: Timestamp::from_millis(when) }))
}

fn receipt(topic: &Topic, witness: &SigningIdentity, of: &SignedFact) -> SignedFact {
    let witnessed_at = Timestamp::from_millis(5);
    Signed::sign(witness, topic, Fact::Receipt(Receipt { fact: of.hash(), witnessed_at }))
}

/// A record as it is written, whatever it says.
fn written(facts: &[SignedFact]) -> Vec<u8> {
    let mut facts = facts.to_vec();
    facts.sort_by_key(SignedFact::hash);
    let encoder = Encoder::new().byte(1).integer(facts.len() as u64);
    facts.iter().fold(encoder, |encoder, fact| encoder.bytes(&fact.encode())).finish()
}

fn key(topic: &Topic, name: &str) -> [u8; 32] {
    let name = (NameKind::Username, name.parse::<Username>().unwrap().folded());
    *name_proof::key(topic, &name).as_bytes()
}

/// Must show 4 of the issue: a real relay, and whatever somebody may put there.
#[test]
fn poisoned_records_are_never_stored_nor_served() {
    in_one_thread(async {
        let (alice, mallory, witness) = (person(1), person(66), person(100));
        let network = founded_by(&[witness.identity()], 1, 0);
        let (topic, elsewhere) = (network.topic, Topic::from_bytes([9; 32]));
        let relay = memory_network::relay(&network, vec![]).await;
        let (view, address) = (relay.view(), relay.view().addresses().remove(0));
        let counts = view.counts();
        let mut asker = Asker::at(&address).await;

        let hers = claim(&topic, &alice, "alice_smith", 10);
        let here = key(&topic, "alice_smith");
        let forged = receipt(&topic, &mallory, &hers);
        let mut broken = written(std::slice::from_ref(&hers));
        let last = broken.len() - 1;
        broken[last] ^= 1;
        let foreign = written(&[claim(&elsewhere, &alice, "alice_smith", 10)]);
        let other_name = written(&[claim(&topic, &mallory, "mallory", 10)]);
        let cases = [
            ("junk", here, b"junk".to_vec()),
            ("a broken signature", here, broken),
            ("another network's, here", here, foreign.clone()),
            ("another network's, under its key", key(&elsewhere, "alice_smith"), foreign),
            ("another name's", here, other_name),
            ("with a forged receipt", here, written(&[hers.clone(), forged])),
            ("of tomorrow", here, written(&[claim(&topic, &alice, "alice_smith", u64::from(u32::MAX) * 1000)])),
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
        assert_eq!(reasons, [1, 3, 1, 2, 1]);

        // A good one is kept, and no worse one takes its place.
        let good = written(&[hers.clone(), receipt(&topic, &witness, &hers)]);
        asker.put(&here, &good).await;
        eventually("it is stored", async || counts.kademlia_values.get() == 1).await;
        for worse in [written(&[hers]), written(&[claim(&topic, &mallory, "Alice-Smith", 1)])] {
            asker.put(&here, &worse).await;
        }
        eventually("the worse ones are refused", async || counts_of(&view, "not_better") == 2).await;
        assert_eq!(asker.get(&here).await, [good]);
    });
}

fn counts_of(view: &gen_registry_node::net::relay::RelayStatus, reason: &str) -> i64 {
    let text = view.metrics().text().unwrap();
    let line = format!("gen_relay_kademlia_values_refused_{reason}_total ");
    text.lines().find_map(|found| found.strip_prefix(&line)).and_then(|count| count.parse().ok()).unwrap()
}

#[derive(NetworkBehaviour)]
struct Behaviour {
    streams: libp2p_stream::Behaviour,
    ping: ping::Behaviour,
    identify: identify::Behaviour,
}

/// A peer that gives everybody who asks for a name these bytes.
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
    let mut asked = swarm.behaviour().streams.new_control().accept(StreamProtocol::new(FIND_PROTOCOL)).unwrap();
    swarm.dial(to).unwrap();
    let control = swarm.behaviour().streams.new_control();
    let life = spawn_local(async move {
        loop {
            tokio::select! {
                _ = swarm.select_next_some() => {}
                Some((_, mut stream)) = asked.next() => {
                    let answer = answer.lock().unwrap().clone();
                    spawn_local(async move {
                        stream.read_to_end(&mut Vec::new()).await.unwrap();
                        stream.write_all(&answer).await.unwrap();
                        stream.close().await.unwrap();
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
        let relay = memory_network::relay(&Network::default(), vec![]).await;
        let bob = memory_network::join(memory_network::through(&relay)).await;
        let answer = Arc::new(Mutex::new(Vec::new()));
        let _peer = answering(memory_network::place(&bob.mesh), answer.clone());
        eventually("they are connected", async || bob.network().await.peers.len() == 1).await;
        let say = |bytes: Vec<u8>| *answer.lock().unwrap() = bytes;

        let report = bob.find_username("alice_smith").await;
        assert_eq!((report.peers_asked, report.answered_by), (1, None), "it knows nothing, which is no fault");
        assert_eq!(bob.network().await.rejections, []);

        let topic = Network::default().topic;
        let other = written(&[claim(&topic, &person(66), "mallory", 10)]);
        say(other);
        assert_eq!(bob.find_username("alice_smith").await.answered_by, None);
        assert_eq!(bob.network().await.rejections, [(Rejection::WrongRecord, 1)]);
        let peer = bob.network().await.peers.remove(0);
        assert!(peer.reputation.low, "{:?}", peer.reputation);

        say(written(&[claim(&topic, &person(1), "alice_smith", 10)]));
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
        say(written(&[claim(&topic, &person(1), "alice_smith", 10)]));
        let report = bob.find_username("alice_smith").await;
        assert_eq!(report.answered_by, Some(AnsweredBy::Peers));
        assert_eq!(report.found.unwrap().did, person(1).identity().to_string());
    });
}
