//! Kademlia nodes of a test's own making: one that asks and stores as it likes, and a crowd that swallows and denies.

use std::cell::Cell;
use std::rc::Rc;

use futures::StreamExt;
use gen_registry_node::net::{IDENTIFY_PROTOCOL, KADEMLIA_PROTOCOL};
use libp2p::identity::Keypair;
use libp2p::kad::store::MemoryStore;
use libp2p::kad::{self, InboundRequest, KBucketDistance as Distance, KBucketKey, RecordKey};
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{NetworkBehaviour, StreamProtocol, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Swarm, identify, ping};
use tokio::task::{JoinHandle, spawn_local};

use crate::support::memory_network;

/// Keys that are tried for each that is near enough.
const KEYS_TRIED: usize = 100;

#[derive(NetworkBehaviour)]
pub struct Behaviour {
    kademlia: kad::Behaviour<MemoryStore>,
    ping: ping::Behaviour,
    identify: identify::Behaviour,
}

/// What a crowd was asked.
#[derive(Default)]
pub struct Asked {
    pub puts: Cell<usize>,
    pub gets: Cell<usize>,
}

/// Nodes whose names are nearer to a key than anybody else's.
pub struct Crowd {
    pub names: Vec<PeerId>,
    pub asked: Rc<Asked>,
    lives: Vec<JoinHandle<()>>,
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.lives.iter().for_each(JoinHandle::abort);
    }
}

impl Crowd {
    /// `count` nodes around `key`, known to these relays and to each other. They take every value and keep none; asked for
    /// one they have nothing, and name each other.
    pub fn around(key: &[u8; 32], count: usize, relays: &[Multiaddr]) -> Self {
        let target = KBucketKey::new(RecordKey::new(key));
        let mut keys: Vec<Keypair> = (0..KEYS_TRIED * count).map(|_| Keypair::generate_ed25519()).collect();
        keys.sort_by_key(|key| KBucketKey::from(key.public().to_peer_id()).distance(&target));
        keys.truncate(count);
        let places: Vec<(PeerId, Multiaddr)> = keys
            .iter()
            .map(|key| (key.public().to_peer_id(), Protocol::Memory(rand::random::<u64>().max(1)).into()))
            .collect();
        let asked = Rc::<Asked>::default();
        let lives = keys.into_iter().zip(&places).map(|(key, (_, place))| {
            let mut swarm = sybil(key, place.clone());
            for (peer, place) in &places {
                swarm.behaviour_mut().kademlia.add_address(peer, place.clone());
            }
            for relay in relays {
                swarm.dial(relay.clone()).unwrap();
            }
            spawn_local(swallow(swarm, asked.clone()))
        });
        let lives = lives.collect();
        Self { names: places.into_iter().map(|(peer, _)| peer).collect(), asked, lives }
    }
}

/// How near the nearest, and the farthest, of some peers is to a key.
pub fn nearest(key: &[u8; 32], peers: &[PeerId]) -> Option<Distance> {
    distances(key, peers).min()
}

pub fn farthest(key: &[u8; 32], peers: &[PeerId]) -> Option<Distance> {
    distances(key, peers).max()
}

fn distances(key: &[u8; 32], peers: &[PeerId]) -> impl Iterator<Item = Distance> {
    let target = KBucketKey::new(RecordKey::new(key));
    peers.iter().map(move |peer| KBucketKey::from(*peer).distance(&target))
}

fn sybil(key: Keypair, place: Multiaddr) -> Swarm<Behaviour> {
    let peer = key.public().to_peer_id();
    let mut config = kad::Config::new(StreamProtocol::new(KADEMLIA_PROTOCOL));
    config.set_record_filtering(kad::StoreInserts::FilterBoth);
    let mut kademlia = kad::Behaviour::with_config(peer, MemoryStore::new(peer), config);
    kademlia.set_mode(Some(kad::Mode::Server));
    let identify = identify::Config::new(IDENTIFY_PROTOCOL.to_owned(), key.public());
    let behaviour =
        Behaviour { kademlia, ping: ping::Behaviour::default(), identify: identify::Behaviour::new(identify) };
    let config = libp2p::swarm::Config::with_tokio_executor();
    let config = config.with_idle_connection_timeout(std::time::Duration::from_secs(60));
    let mut swarm = Swarm::new(memory_network::memory(&key), behaviour, peer, config);
    swarm.listen_on(place.clone()).unwrap();
    swarm.add_external_address(place);
    swarm
}

async fn swallow(mut swarm: Swarm<Behaviour>, asked: Rc<Asked>) {
    loop {
        let SwarmEvent::Behaviour(BehaviourEvent::Kademlia(kad::Event::InboundRequest { request })) =
            swarm.select_next_some().await
        else {
            continue;
        };
        match request {
            InboundRequest::PutRecord { .. } => asked.puts.set(asked.puts.get() + 1),
            InboundRequest::GetRecord { .. } => asked.gets.set(asked.gets.get() + 1),
            _ => {}
        }
    }
}

/// Somebody who puts and gets what it likes.
pub struct Asker(Swarm<Behaviour>);

impl Asker {
    /// Connected to a relay, by which it asks.
    pub async fn at(relay: &Multiaddr) -> Self {
        let key = Keypair::generate_ed25519();
        let mut swarm = sybil(key, Protocol::Memory(rand::random::<u64>().max(1)).into());
        let Some(Protocol::P2p(peer)) = relay.iter().last() else { panic!("a relay has a name") };
        swarm.behaviour_mut().kademlia.add_address(&peer, relay.clone());
        swarm.behaviour_mut().kademlia.set_mode(Some(kad::Mode::Client));
        swarm.dial(relay.clone()).unwrap();
        loop {
            if let SwarmEvent::ConnectionEstablished { .. } = swarm.select_next_some().await {
                return Self(swarm);
            }
        }
    }

    pub async fn put(&mut self, key: &[u8], value: &[u8]) {
        let peers: Vec<PeerId> = self.0.connected_peers().copied().collect();
        let record = kad::Record::new(RecordKey::new(&key), value.to_vec());
        let query = self.0.behaviour_mut().kademlia.put_record_to(record, peers.into_iter(), kad::Quorum::One);
        self.until_over(query).await;
    }

    /// Every value that was given.
    pub async fn get(&mut self, key: &[u8]) -> Vec<Vec<u8>> {
        let query = self.0.behaviour_mut().kademlia.get_record(RecordKey::new(&key));
        let results = self.until_over(query).await;
        let values = results.into_iter().filter_map(|result| match result {
            kad::QueryResult::GetRecord(Ok(kad::GetRecordOk::FoundRecord(found))) => Some(found.record.value),
            _ => None,
        });
        values.collect()
    }

    async fn until_over(&mut self, query: kad::QueryId) -> Vec<kad::QueryResult> {
        let mut results = Vec::new();
        loop {
            if let SwarmEvent::Behaviour(BehaviourEvent::Kademlia(kad::Event::OutboundQueryProgressed {
                id,
                result,
                step,
                ..
            })) = self.0.select_next_some().await
                && id == query
            {
                results.push(result);
                if step.last {
                    return results;
                }
            }
        }
    }
}
