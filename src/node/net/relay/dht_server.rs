//! The relay as a Kademlia server: what it stores, and by which source it counts.
//!
//! What it takes from others it forwards once to the configured relays: the peers closest to a key may be
//! strangers, those relays are the network's own.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use libp2p::kad::store::RecordStore;
use libp2p::kad::{self, InboundRequest, Quorum, Record};
use libp2p::{Multiaddr, PeerId};

use crate::net::kademlia::values::{RecordFault, RecordSource, StoreRefusal, Stored, ValidateRecord, Values};
use crate::net::relay::ip_limiter::ip_of;
use crate::net::relay::run::{RelayLoop, number};
use crate::platform::{Environment, native::Native};

pub(super) struct DhtServer {
    values: Values,
    /// The addresses of connected peers; empty when all peers have one address.
    addresses: HashMap<PeerId, IpAddr>,
    by_address: bool,
}

impl DhtServer {
    pub(super) fn new(validator: Option<Arc<dyn ValidateRecord>>, by_address: bool) -> Self {
        Self { values: Values::new(validator), addresses: HashMap::new(), by_address }
    }

    pub(super) fn came(&mut self, peer: PeerId, address: &Multiaddr) {
        if let Some(address) = ip_of(address).filter(|_| self.by_address) {
            self.addresses.insert(peer, address);
        }
    }

    pub(super) fn left(&mut self, peer: &PeerId) {
        self.addresses.remove(peer);
    }

    pub(super) fn address_of(&self, peer: &PeerId) -> Option<IpAddr> {
        self.addresses.get(peer).copied()
    }

    fn from(&self, peer: PeerId) -> RecordSource {
        RecordSource { peer, address: self.address_of(&peer) }
    }

    /// Milliseconds since 1970.
    pub(super) fn now() -> u64 {
        Native.now().as_millis()
    }
}

impl RelayLoop {
    pub(super) fn handle_kademlia(&mut self, event: kad::Event) {
        match event {
            kad::Event::InboundRequest { request: InboundRequest::PutRecord { source, record: Some(record), .. } } => {
                self.take_in(source, record)
            }
            kad::Event::InboundRequest { request: InboundRequest::AddProvider { record: Some(record) } } => {
                let (from, now) = (self.directory.from(record.provider), DhtServer::now());
                let here: Vec<PeerId> = self.swarm.connected_peers().copied().collect();
                let store = self.swarm.behaviour_mut().kademlia.inner_mut().store_mut();
                let stored = self.directory.values.add_provider(store, record, from, now, |peer| here.contains(peer));
                let counts = &self.counts;
                match stored {
                    Ok(_) => counts.kademlia_providers_accepted.inc(),
                    Err(_) => counts.kademlia_providers_refused.inc(),
                };
            }
            _ => {}
        }
        self.count_kademlia();
    }

    fn take_in(&mut self, source: PeerId, record: Record) {
        let (from, now) = (self.directory.from(source), DhtServer::now());
        let here: Vec<PeerId> = self.swarm.connected_peers().copied().collect();
        let store = self.swarm.behaviour_mut().kademlia.inner_mut().store_mut();
        let stored = self.directory.values.put_record(store, record.clone(), from, now, |peer| here.contains(peer));
        let counts = &self.counts;
        match stored {
            Ok(stored) => {
                counts.kademlia_values_accepted.inc();
                if stored == Stored::New {
                    self.pass_on(source, record);
                }
            }
            Err(why) => {
                tracing::debug!(%source, ?why, "a value is refused");
                counts.kademlia_values_refused.inc();
                let reason = match why {
                    StoreRefusal::NoNetwork => &counts.kademlia_refused_no_network,
                    StoreRefusal::Oversized => &counts.kademlia_refused_oversized,
                    StoreRefusal::Bad(RecordFault::Unreadable) => &counts.kademlia_refused_unreadable,
                    StoreRefusal::Bad(RecordFault::Forged) => &counts.kademlia_refused_forged,
                    StoreRefusal::Bad(RecordFault::WrongKey) => &counts.kademlia_refused_wrong_key,
                    StoreRefusal::Bad(RecordFault::Rule) => &counts.kademlia_refused_rule,
                    StoreRefusal::NotBetter => &counts.kademlia_refused_not_better,
                    StoreRefusal::TooOften => &counts.kademlia_refused_too_often,
                    StoreRefusal::Full => &counts.kademlia_refused_full,
                };
                reason.inc();
            }
        }
    }

    /// Forwards new ones only, so that nothing circulates endlessly.
    fn pass_on(&mut self, source: PeerId, record: Record) {
        let others = self.bootstrap.iter().map(|(peer, _)| *peer);
        let others: Vec<PeerId> = others.filter(|peer| *peer != source && self.swarm.is_connected(peer)).collect();
        if !others.is_empty() {
            let kademlia = self.swarm.behaviour_mut().kademlia.inner_mut();
            kademlia.put_record_to(record, others.into_iter(), Quorum::All);
        }
    }

    pub(super) fn tidy(&mut self) {
        let now = DhtServer::now();
        let store = self.swarm.behaviour_mut().kademlia.inner_mut().store_mut();
        self.directory.values.expire(store, now);
        self.count_kademlia();
    }

    fn count_kademlia(&mut self) {
        let kademlia = self.swarm.behaviour_mut().kademlia.inner_mut();
        self.counts.kademlia_values.set(number(kademlia.store_mut().records().count()));
        self.counts.kademlia_peers.set(number(kademlia.kbuckets().map(|bucket| bucket.num_entries()).sum()));
    }
}
