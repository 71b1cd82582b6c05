//! Kademlia queries of this node and the results they have so far; on a public node, also what it stores for others.
//! Nothing found is validated here: the caller verifies what it gets.
//!
//! Storing a record takes two queries: the first finds the [`COPIES`] servers closest to its key, the second stores it
//! at those and at the connected relays. Nothing is returned: a record that was not stored is put again at the next
//! publication.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use futures::channel::mpsc;
use libp2p::kad::{
    self, GetClosestPeersError, GetProvidersOk, GetRecordOk, InboundRequest, QueryId, QueryResult, Quorum, Record,
    RecordKey,
};
use libp2p::{Multiaddr, PeerId};

use crate::net::kademlia::COPIES;
use crate::net::kademlia::held_records::HeldRecords;
use crate::net::kademlia::values::{RecordSource, ValidateRecord, Values};
use crate::net::key::NetPeerId;
use crate::net::mesh::handle::DhtCommand;
use crate::net::mesh::types::FoundValue;

/// Pending queries; further ones return nothing at once.
pub const QUERIES_MAX: usize = 64;
/// Different values that one query collects.
pub const VALUES_FOUND_MAX: usize = 8;
/// Providers that one query collects.
pub const PROVIDERS_FOUND_MAX: usize = 16;

/// The behaviour with its store.
type Kademlia = kad::Behaviour<HeldRecords>;

/// A query, and what it has found so far.
enum PendingQuery {
    /// Looks for the servers closest to the key of a record, which are then asked to store it.
    ClosestPeers(Record),
    /// Stores a record or a provider record; nothing waits for it.
    Put,
    /// Finds the different values of a key: those that were found, and where each is sent.
    Values(Vec<Vec<u8>>, mpsc::Sender<FoundValue>),
    /// Finds the providers of a key.
    Providers(BTreeSet<NetPeerId>, mpsc::Sender<NetPeerId>),
}

impl PendingQuery {
    /// Returns whether the caller dropped its receiver.
    fn is_abandoned(&self) -> bool {
        match self {
            Self::Values(_, found) => found.is_closed(),
            Self::Providers(_, found) => found.is_closed(),
            Self::ClosestPeers(_) | Self::Put => false,
        }
    }
}

/// The pending queries; on a public node, also the store of a server.
pub(super) struct DhtClient {
    local_peer_id: PeerId,
    /// The queries under way, at most [`QUERIES_MAX`].
    pending: HashMap<QueryId, PendingQuery>,
    /// What this node stores as a server.
    values: Option<Values>,
}

impl DhtClient {
    /// With a validator the node is a server, too.
    pub(super) fn new(local_peer_id: PeerId, validator: Option<Arc<dyn ValidateRecord>>) -> Self {
        let values = validator.map(|validator| Values::new(Some(validator)));
        Self { local_peer_id, pending: HashMap::new(), values }
    }

    /// Adds a node at which queries begin. Only relays and public nodes of this network are added, which were not
    /// chosen by strangers.
    pub(super) fn add_server(&self, kademlia: &mut Kademlia, peer: PeerId, addresses: Vec<Multiaddr>) {
        for address in addresses {
            kademlia.add_address(&peer, address);
        }
    }

    /// Starts a query. If there are too many, the command is dropped, and with it the sender: its caller gets nothing.
    pub(super) fn handle_command(&mut self, kademlia: &mut Kademlia, command: DhtCommand) {
        if self.pending.len() >= QUERIES_MAX {
            return tracing::debug!("too many Kademlia queries");
        }
        let (query, pending) = match command {
            DhtCommand::Put { key, value } => {
                let mut record = Record::new(RecordKey::new(&key), value);
                record.publisher = Some(self.local_peer_id);
                (kademlia.get_closest_peers(key.to_vec()), PendingQuery::ClosestPeers(record))
            }
            DhtCommand::Get { key, found } => {
                (kademlia.get_record(RecordKey::new(&key)), PendingQuery::Values(Vec::new(), found))
            }
            DhtCommand::Provide { key } => match kademlia.start_providing(RecordKey::new(&key)) {
                Ok(query) => (query, PendingQuery::Put),
                Err(error) => return tracing::debug!(%error, "provider record not published"),
            },
            DhtCommand::Providers { key, found } => {
                (kademlia.get_providers(RecordKey::new(&key)), PendingQuery::Providers(BTreeSet::new(), found))
            }
        };
        self.pending.insert(query, pending);
    }

    /// Takes in a result of a query. `last` says whether more may follow, `relays` are the connected ones.
    pub(super) fn on_query_progress(
        &mut self,
        kademlia: &mut Kademlia,
        id: QueryId,
        result: QueryResult,
        last: bool,
        relays: impl Iterator<Item = PeerId>,
    ) {
        let Some(pending) = self.pending.remove(&id) else { return };
        match (pending, result) {
            (PendingQuery::ClosestPeers(record), QueryResult::GetClosestPeers(found)) => {
                let closest = match found {
                    Ok(found) => found.peers,
                    Err(GetClosestPeersError::Timeout { peers, .. }) => peers,
                };
                // The network's own relays besides: the closest peers may be strangers that do not store it.
                let mut to: BTreeSet<PeerId> = closest.into_iter().map(|info| info.peer_id).take(COPIES).collect();
                to.extend(relays);
                if to.is_empty() {
                    return;
                }
                // All: with a smaller quorum the query would end at the first answers and skip the rest.
                let query = kademlia.put_record_to(record, to.into_iter(), Quorum::All);
                self.pending.insert(query, PendingQuery::Put);
            }
            (PendingQuery::Values(mut values, mut found), QueryResult::GetRecord(result)) => {
                if let Ok(GetRecordOk::FoundRecord(kad::PeerRecord { peer, record })) = result
                    && !values.contains(&record.value)
                {
                    let (from, publisher) = (peer.map(NetPeerId::from), record.publisher.map(NetPeerId::from));
                    values.push(record.value.clone());
                    // There is room for all; the caller may have been dropped.
                    found.try_send(FoundValue { bytes: record.value, from, publisher }).ok();
                }
                let is_full = values.len() >= VALUES_FOUND_MAX;
                self.go_on(kademlia, id, PendingQuery::Values(values, found), last || is_full);
            }
            (PendingQuery::Providers(mut peers, mut found), QueryResult::GetProviders(result)) => {
                if let Ok(GetProvidersOk::FoundProviders { providers, .. }) = result {
                    let others = providers.into_iter().filter(|peer| *peer != self.local_peer_id).map(NetPeerId::from);
                    for peer in others.take(PROVIDERS_FOUND_MAX.saturating_sub(peers.len())) {
                        if peers.insert(peer) {
                            found.try_send(peer).ok();
                        }
                    }
                }
                let is_full = peers.len() >= PROVIDERS_FOUND_MAX;
                self.go_on(kademlia, id, PendingQuery::Providers(peers, found), last || is_full);
            }
            // Whether a record was stored shows when it is looked up.
            (_, result) => tracing::trace!(?result, "Kademlia query"),
        }
    }

    /// Goes on with a query, or ends it.
    fn go_on(&mut self, kademlia: &mut Kademlia, id: QueryId, query: PendingQuery, is_over: bool) {
        if is_over || query.is_abandoned() {
            finish(kademlia, &id);
        } else {
            self.pending.insert(id, query);
        }
    }

    /// Ends queries whose caller is gone. To be called every second or so: until the timeout a silent server would keep them.
    pub(super) fn end_abandoned(&mut self, kademlia: &mut Kademlia) {
        let abandoned = self.pending.extract_if(|_, query| query.is_abandoned());
        abandoned.for_each(|(id, _)| finish(kademlia, &id));
    }

    /// Stores what another peer asks this server to store; clients receive no such requests.
    pub(super) fn on_inbound_request(
        &mut self,
        kademlia: &mut Kademlia,
        request: InboundRequest,
        is_connected: impl Fn(&PeerId) -> bool,
        now: u64,
    ) {
        let Some(values) = &mut self.values else { return };
        let store = kademlia.store_mut().stored_mut();
        let source = |peer| RecordSource { peer, address: None };
        let refused = match request {
            InboundRequest::PutRecord { source: peer, record: Some(record), .. } => {
                values.put_record(store, record, source(peer), now, is_connected).err()
            }
            InboundRequest::AddProvider { record: Some(record) } => {
                let source = source(record.provider);
                values.add_provider(store, record, source, now, is_connected).err()
            }
            _ => None,
        };
        if let Some(why) = refused {
            tracing::debug!(?why, "Kademlia record refused");
        }
    }

    /// Removes expired records.
    pub(super) fn expire(&mut self, kademlia: &mut Kademlia, now: u64) {
        if let Some(values) = &mut self.values {
            values.expire(kademlia.store_mut().stored_mut(), now);
        }
    }
}

/// Ends a query before its timeout: it has enough.
fn finish(kademlia: &mut Kademlia, query: &QueryId) {
    if let Some(mut query) = kademlia.query_mut(query) {
        query.finish();
    }
}
