//! The configuration of Kademlia, for servers (relays and public nodes) and for clients (pages).
//!
//! Its answers are hints. Records are self-certifying, or are refused ([`values`]); look-ups verify what they get. No
//! node enters a routing table by announcing itself: clients begin every query at the relays of their network, so other
//! nodes can't surround them however many there are. Which addresses a query may dial is [`guard`]ed.
//!
//! Kademlia (Maymounkov and Mazières, 2002; libp2p/specs, `kad-dht`) stores a record on the servers whose ids are
//! closest to its key by XOR distance, and finds them by asking ever closer servers. Anyone can choose an id close to a
//! key, so nothing here trusts a server:
//!
//! | danger | defence |
//! |---|---|
//! | servers near a key drop or forge its record | [`COPIES`] of them and the relays store it; a reader verifies it |
//! | a query is led astray (eclipse) | it begins at the network's relays and takes disjoint paths (S/Kademlia) |
//! | answers name hosts to be attacked, or to be scanned | only permitted addresses are dialled |
//! | a server is filled with junk | only valid records are stored, within quotas for each source |
//!
//! A node that keeps people's entries answers with what it can prove by itself, too ([`held_records`]).

pub mod guard;
pub mod held_records;
pub mod kept_record;
pub mod storage_quota;
pub mod values;

use std::num::NonZeroUsize;
use std::time::Duration;

use libp2p::PeerId;
use libp2p::kad::store::{MemoryStore, MemoryStoreConfig, RecordStore};
use libp2p::kad::{self, BucketInserts, Caching, Mode};
use libp2p::swarm::StreamProtocol;

use crate::net::KADEMLIA_PROTOCOL;

/// The longest message of the protocol.
pub const PACKET_BYTES: usize = 16 * 1024;
/// Records on one server: some 40 MiB where each takes 1,200 bytes, as a name with three receipts does, and at most 128.
pub const VALUES_MAX: usize = 32 * 1024;
/// Bytes of one record.
pub const VALUE_MAX_BYTES: usize = 4 * 1024;
/// A multihash of 32 bytes takes 34.
pub const KEY_MAX_BYTES: usize = 64;
/// Keys with provider records, on one server.
pub const PROVIDED_KEYS_MAX: usize = 32 * 1024;
/// Provider records of one key on one server.
pub const PROVIDERS_PER_KEY: usize = 8;
/// Addresses that are stored with a provider record; further ones are cut off.
pub const PROVIDER_ADDRESSES: usize = 4;
/// Bytes of one such address; longer ones are left out.
pub const PROVIDER_ADDRESS_BYTES: usize = 256;
/// Servers that store a copy of a record.
pub const COPIES: usize = 8;
/// Servers that one path of a query waits for at once, and how many paths it takes. So many silent ones nearest to a key hold up
/// a path until the query's end; with libp2p's 3 they would be few.
const ASKED_AT_ONCE: usize = 8;
/// How long a server stores a record that is not republished.
pub const VALUE_TIME: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a server stores a provider record. Most providers are pages, which are soon closed.
pub const PROVIDER_TIME: Duration = Duration::from_secs(3 * 60 * 60);
/// How often servers replicate their records to each other.
const COPY_EVERY: Duration = Duration::from_secs(60 * 60);
/// A query ends after this time, with what it has found.
pub const QUERY_TIMEOUT: Duration = Duration::from_secs(10);

/// Returns the behaviour of a server, which stores records for others.
pub fn server<S: RecordStore + Send + 'static>(local_peer_id: PeerId, store: S) -> kad::Behaviour<S> {
    let mut config = config();
    config.set_replication_interval(Some(COPY_EVERY));
    let mut kademlia = kad::Behaviour::with_config(local_peer_id, store, config);
    kademlia.set_mode(Some(Mode::Server));
    kademlia
}

/// Returns the behaviour of a client, which sends queries and stores nothing for others.
pub fn client<S: RecordStore + Send + 'static>(local_peer_id: PeerId, store: S) -> kad::Behaviour<S> {
    let mut config = config();
    config.set_replication_interval(None).set_periodic_bootstrap_interval(None);
    let mut kademlia = kad::Behaviour::with_config(local_peer_id, store, config);
    // Otherwise an external address would make it a server.
    kademlia.set_mode(Some(Mode::Client));
    kademlia
}

/// Returns the configuration of both. Records are republished by the host, not by libp2p: it knows whether they still
/// hold.
fn config() -> kad::Config {
    let mut config = kad::Config::new(StreamProtocol::new(KADEMLIA_PROTOCOL));
    config
        .set_record_filtering(kad::StoreInserts::FilterBoth)
        .set_max_packet_size(PACKET_BYTES)
        .set_record_ttl(Some(VALUE_TIME))
        .set_publication_interval(None)
        .set_provider_record_ttl(Some(PROVIDER_TIME))
        .set_provider_publication_interval(None)
        .set_kbucket_inserts(BucketInserts::Manual)
        .set_caching(Caching::Disabled)
        .set_query_timeout(QUERY_TIMEOUT)
        .disjoint_query_paths(true);
    if let Some(number) = NonZeroUsize::new(COPIES) {
        config.set_replication_factor(number);
    }
    if let Some(number) = NonZeroUsize::new(ASKED_AT_ONCE) {
        config.set_parallelism(number);
    }
    config
}

/// Returns the store of what others put there. Its own limits are a second line: [`values`] keeps within them.
pub fn store(local_peer_id: PeerId) -> MemoryStore {
    let config = MemoryStoreConfig {
        max_records: VALUES_MAX,
        // libp2p refuses values of exactly this length.
        max_value_bytes: VALUE_MAX_BYTES + 1,
        max_providers_per_key: PROVIDERS_PER_KEY,
        max_provided_keys: PROVIDED_KEYS_MAX,
    };
    MemoryStore::with_config(local_peer_id, config)
}
