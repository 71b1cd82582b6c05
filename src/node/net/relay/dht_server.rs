//! The relay as a Kademlia server: what it stores, and from which peers.
//!
//! New records are forwarded once to the configured other relays: the peers closest to a key may be strangers that do
//! not store it, those relays are the network's own.
//!
//! For example, Alice's page puts the proof of `alice` at relays R and S, to which it is connected. Both store it as
//! new, and each forwards it to the other, which has it already and only renews it: nothing circulates. An hour later
//! libp2p's replication sends it to servers that have joined meanwhile, and Alice's page puts it again, with newer
//! receipts.

use std::collections::HashSet;
use std::sync::Arc;

use libp2p::kad::store::MemoryStore;
use libp2p::kad::{self, InboundRequest, ProviderRecord, Quorum, Record};
use libp2p::{Multiaddr, PeerId};

use crate::net::kademlia::PROVIDER_ADDRESSES;
use crate::net::kademlia::kept_record::{KeptRecord, RecordArchive};
use crate::net::kademlia::values::{RecordFault, RecordSource, StoreRefusal, Stored, ValidateRecord, Values, is_short};
use crate::net::origin::Origin;
use crate::net::relay::metrics::{Counts, number};
use crate::net::relay::origins::Origins;

/// Records of an earlier run that are validated in one step: some milliseconds.
const RESTORED_AT_ONCE: usize = 16;

/// The behaviour with its store in memory.
type Kademlia = kad::Behaviour<MemoryStore>;

/// The relay's part of Kademlia: what it stores, and the origins by which peers are counted.
pub(super) struct DhtServer {
    /// Decides what is stored.
    values: Values,
    /// The origins of connected peers.
    origins: Origins,
    /// The configured other relays, which get each new record once.
    other_relays: Vec<PeerId>,
    /// Records of an earlier run that were not validated yet.
    to_restore: Vec<KeptRecord>,
    counts: Counts,
}

impl DhtServer {
    /// Creates the server's state. With an archive it goes on with the records of its earlier run.
    pub(super) fn new(
        validator: Option<Arc<dyn ValidateRecord>>,
        archive: Option<Box<dyn RecordArchive>>,
        origins: Origins,
        other_relays: Vec<PeerId>,
        counts: Counts,
    ) -> Self {
        let mut values = Values::new(validator);
        let mut to_restore = archive.map(|archive| values.keep_in(archive)).unwrap_or_default();
        to_restore.sort_by_key(|kept| kept.until);
        Self { values, origins, other_relays, to_restore, counts }
    }

    /// Whether there are records of an earlier run that were not validated yet.
    pub(super) fn is_restoring(&self) -> bool {
        !self.to_restore.is_empty()
    }

    /// Validates and stores some records of an earlier run: those first that expire last.
    pub(super) fn restore_some(&mut self, kademlia: &mut Kademlia, now: u64) {
        for _ in 0..RESTORED_AT_ONCE {
            let Some(kept) = self.to_restore.pop() else { break };
            self.values.restore(kademlia.store_mut(), kept, now);
        }
        self.update_gauges(kademlia);
    }

    /// Adds a server of this network's Kademlia to the routing table, so that clients of this relay find it.
    pub(super) fn add_server(&self, kademlia: &mut Kademlia, peer: PeerId, addresses: Vec<Multiaddr>) {
        for address in addresses.into_iter().filter(is_short).take(PROVIDER_ADDRESSES) {
            kademlia.add_address(&peer, address);
        }
    }

    /// Stores what a peer asks to be stored, if it is valid and within the limits.
    pub(super) fn on_event(
        &mut self,
        kademlia: &mut Kademlia,
        event: kad::Event,
        connected: &HashSet<PeerId>,
        now: u64,
    ) {
        match event {
            kad::Event::InboundRequest { request: InboundRequest::PutRecord { source, record: Some(record), .. } } => {
                self.put_record(kademlia, source, record, connected, now);
            }
            kad::Event::InboundRequest { request: InboundRequest::AddProvider { record: Some(record) } } => {
                self.add_provider(kademlia, record, connected, now);
            }
            _ => {}
        }
        self.update_gauges(kademlia);
    }

    /// Removes expired records.
    pub(super) fn expire(&mut self, kademlia: &mut Kademlia, now: u64) {
        self.values.expire(kademlia.store_mut(), now);
        self.update_gauges(kademlia);
    }

    /// Returns by what a peer's records are counted.
    fn source(&self, peer: PeerId) -> RecordSource {
        RecordSource { peer, address: self.origins.of_peer(&peer).map(Origin::address) }
    }

    /// Stores a record, counts the outcome, and forwards a new one.
    fn put_record(
        &mut self,
        kademlia: &mut Kademlia,
        peer: PeerId,
        record: Record,
        connected: &HashSet<PeerId>,
        now: u64,
    ) {
        let source = self.source(peer);
        let is_connected = |peer: &PeerId| connected.contains(peer);
        match self.values.put_record(kademlia.store_mut(), record.clone(), source, now, is_connected) {
            Ok(stored) => {
                self.counts.kademlia_values_accepted.inc();
                // New ones only, so that nothing circulates endlessly.
                if stored == Stored::New {
                    self.forward(kademlia, peer, record, connected);
                }
            }
            Err(why) => {
                tracing::debug!(%peer, ?why, "Kademlia record refused");
                self.count_refusal(why);
            }
        }
    }

    /// Stores a provider record and counts the outcome.
    fn add_provider(&mut self, kademlia: &mut Kademlia, record: ProviderRecord, connected: &HashSet<PeerId>, now: u64) {
        let source = self.source(record.provider);
        let is_connected = |peer: &PeerId| connected.contains(peer);
        match self.values.add_provider(kademlia.store_mut(), record, source, now, is_connected) {
            Ok(_) => self.counts.kademlia_providers_accepted.inc(),
            Err(_) => self.counts.kademlia_providers_refused.inc(),
        };
    }

    /// Sends a record to the other relays, except to the one it came from.
    fn forward(&self, kademlia: &mut Kademlia, source: PeerId, record: Record, connected: &HashSet<PeerId>) {
        let others = self.other_relays.iter().copied();
        let others: Vec<PeerId> = others.filter(|peer| *peer != source && connected.contains(peer)).collect();
        if !others.is_empty() {
            kademlia.put_record_to(record, others.into_iter(), Quorum::All);
        }
    }

    /// Counts a refusal by its reason.
    fn count_refusal(&self, why: StoreRefusal) {
        let counts = &self.counts;
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

    /// Updates the gauges of the metrics.
    fn update_gauges(&self, kademlia: &mut Kademlia) {
        self.counts.kademlia_values.set(number(self.values.len()));
        self.counts.kademlia_peers.set(number(kademlia.kbuckets().map(|bucket| bucket.num_entries()).sum()));
    }
}
