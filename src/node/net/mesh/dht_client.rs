//! Queries to Kademlia, and their answers as far as they have arrived. Nothing is validated here: the caller
//! verifies what it gets.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use futures::channel::oneshot;
use libp2p::PeerId;
use libp2p::kad::{
    self, GetClosestPeersError, GetProvidersOk, GetRecordOk, InboundRequest, QueryId, QueryResult, Quorum, Record,
    RecordKey,
};

use crate::net::kademlia::COPIES;
use crate::net::kademlia::values::{From, ValidateRecord, Values};
use crate::net::key::NetPeerId;
use crate::net::mesh::run::EventLoop;

/// Questions under way; more are answered with nothing, at once.
pub const QUESTIONS_MAX: usize = 64;
/// Different values that one question brings.
pub const VALUES_FOUND_MAX: usize = 8;
/// Peers that are said to have something.
pub const PROVIDERS_FOUND_MAX: usize = 16;

/// A value somebody gave for a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundValue {
    pub bytes: Vec<u8>,
    /// Who gave it; none when it was kept here.
    pub from: Option<NetPeerId>,
    /// Who is said to have published it: a hint.
    pub publisher: Option<NetPeerId>,
}

/// What the host wants of Kademlia.
pub(super) enum DhtCommand {
    Put { key: [u8; 32], value: Vec<u8> },
    Get { key: [u8; 32], found: oneshot::Sender<Vec<FoundValue>> },
    Provide { key: [u8; 32] },
    Providers { key: [u8; 32], found: oneshot::Sender<Vec<NetPeerId>> },
}

enum PendingQuery {
    /// Who is next to the key is looked for.
    Nearest(Record),
    Putting,
    Values(Vec<FoundValue>, oneshot::Sender<Vec<FoundValue>>),
    Providers(BTreeSet<NetPeerId>, oneshot::Sender<Vec<NetPeerId>>),
}

/// What is asked, and for a server what it stores.
pub(super) struct DhtClient {
    pending: HashMap<QueryId, PendingQuery>,
    values: Option<Values>,
}

impl DhtClient {
    /// With a validator it is a server, too.
    pub(super) fn new(validator: Option<Arc<dyn ValidateRecord>>) -> Self {
        Self { pending: HashMap::new(), values: validator.map(|validator| Values::new(Some(validator))) }
    }
}

impl EventLoop {
    pub(super) fn look_up(&mut self, order: DhtCommand) {
        if self.directory.pending.len() >= QUESTIONS_MAX {
            return tracing::debug!("too many questions at once");
        }
        let kademlia = self.swarm.behaviour_mut().kademlia.inner_mut();
        let (query, pending) = match order {
            DhtCommand::Put { key, value } => {
                let mut record = Record::new(RecordKey::new(&key), value);
                record.publisher = Some(self.connection_manager.me());
                (kademlia.get_closest_peers(key.to_vec()), PendingQuery::Nearest(record))
            }
            DhtCommand::Get { key, found } => {
                (kademlia.get_record(RecordKey::new(&key)), PendingQuery::Values(Vec::new(), found))
            }
            DhtCommand::Provide { key } => match kademlia.start_providing(RecordKey::new(&key)) {
                Ok(query) => (query, PendingQuery::Putting),
                Err(error) => return tracing::debug!(%error, "there is no room to say what is here"),
            },
            DhtCommand::Providers { key, found } => {
                (kademlia.get_providers(RecordKey::new(&key)), PendingQuery::Providers(BTreeSet::new(), found))
            }
        };
        self.directory.pending.insert(query, pending);
    }

    pub(super) fn hear_kademlia(&mut self, event: kad::Event, now: u64) {
        match event {
            kad::Event::OutboundQueryProgressed { id, result, step, .. } => {
                let Some(pending) = self.directory.pending.remove(&id) else { return };
                self.progress(id, pending, result, step.last);
            }
            kad::Event::InboundRequest { request } => self.serve_kademlia(request, now),
            _ => {}
        }
    }

    fn progress(&mut self, id: QueryId, pending: PendingQuery, result: QueryResult, last: bool) {
        match (pending, result) {
            (PendingQuery::Nearest(record), QueryResult::GetClosestPeers(found)) => {
                let near = match found {
                    Ok(found) => found.peers,
                    Err(GetClosestPeersError::Timeout { peers, .. }) => peers,
                };
                // The network's own relays besides: those next to the key may be anybody.
                let relays: Vec<PeerId> = self.connection_manager.connected_relays().collect();
                let mut to: BTreeSet<PeerId> = near.into_iter().map(|info| info.peer_id).take(COPIES).collect();
                to.extend(relays);
                if to.is_empty() {
                    return;
                }
                let kademlia = self.swarm.behaviour_mut().kademlia.inner_mut();
                // All: with a smaller quorum the query would end at the first answers and skip the rest.
                let query = kademlia.put_record_to(record, to.into_iter(), Quorum::All);
                self.directory.pending.insert(query, PendingQuery::Putting);
            }
            (PendingQuery::Values(mut values, found), QueryResult::GetRecord(result)) => {
                if let Ok(GetRecordOk::FoundRecord(kad::PeerRecord { peer, record })) = result
                    && values.len() < VALUES_FOUND_MAX
                    && !values.iter().any(|value: &FoundValue| value.bytes == record.value)
                {
                    let (from, publisher) = (peer.map(NetPeerId::from), record.publisher.map(NetPeerId::from));
                    values.push(FoundValue { bytes: record.value, from, publisher });
                }
                if last || found.is_canceled() {
                    // The caller may be gone.
                    found.send(values).ok();
                    self.end(id);
                } else {
                    self.directory.pending.insert(id, PendingQuery::Values(values, found));
                }
            }
            (PendingQuery::Providers(mut peers, found), QueryResult::GetProviders(result)) => {
                if let Ok(GetProvidersOk::FoundProviders { providers, .. }) = result {
                    let me = self.connection_manager.me();
                    let others = providers.into_iter().filter(|peer| *peer != me).map(NetPeerId::from);
                    peers.extend(others.take(PROVIDERS_FOUND_MAX.saturating_sub(peers.len())));
                }
                if last || found.is_canceled() || peers.len() >= PROVIDERS_FOUND_MAX {
                    found.send(peers.into_iter().collect()).ok();
                    self.end(id);
                } else {
                    self.directory.pending.insert(id, PendingQuery::Providers(peers, found));
                }
            }
            // Whether it got through is seen when it is looked up.
            (_, result) => tracing::trace!(?result, "kademlia"),
        }
    }

    fn end(&mut self, query: QueryId) {
        if let Some(mut query) = self.swarm.behaviour_mut().kademlia.inner_mut().query_mut(&query) {
            query.finish();
        }
    }

    /// Serves an inbound request; clients receive none.
    fn serve_kademlia(&mut self, request: InboundRequest, now: u64) {
        let Some(values) = &mut self.directory.values else { return };
        let here: BTreeSet<PeerId> = self.swarm.connected_peers().copied().collect();
        let store = self.swarm.behaviour_mut().kademlia.inner_mut().store_mut();
        let from = |peer| From { peer, address: None };
        let refused = match request {
            InboundRequest::PutRecord { source, record: Some(record), .. } => {
                values.take_in(store, record, from(source), now, |peer| here.contains(peer)).err()
            }
            InboundRequest::AddProvider { record: Some(record) } => {
                let by = from(record.provider);
                values.take_hint(store, record, by, now, |peer| here.contains(peer)).err()
            }
            _ => None,
        };
        if let Some(why) = refused {
            tracing::debug!(?why, "not stored");
        }
    }

    /// What is over is no longer served.
    pub(super) fn tidy_directory(&mut self, now: u64) {
        if let Some(values) = &mut self.directory.values {
            values.tidy(self.swarm.behaviour_mut().kademlia.inner_mut().store_mut(), now);
        }
    }

    /// Every question begins at the relays and open nodes of this network, which were not chosen by strangers.
    pub(super) fn ask_at(&mut self, peer: PeerId) {
        let addresses = self.connection_manager.addresses_of_network(&peer);
        for address in addresses {
            self.swarm.behaviour_mut().kademlia.inner_mut().add_address(&peer, address);
        }
    }
}
