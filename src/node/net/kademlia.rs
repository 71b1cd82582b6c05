//! Kademlia as this network uses it: how it is set up, for servers (relays and native nodes) and for clients (pages).
//!
//! Its answers are hints. What is stored certifies itself or is refused ([`values`]); look-ups verify
//! what they get. No node enters a routing table by announcing itself: clients begin every query at the relays that
//! their network names, so a crowd of others can't surround them. Which addresses a query may dial is
//! [`guard`]ed.

pub mod guard;
pub mod storage_quota;
pub mod values;

use std::num::NonZeroUsize;
use std::time::Duration;

use libp2p::PeerId;
use libp2p::kad::store::{MemoryStore, MemoryStoreConfig};
use libp2p::kad::{self, BucketInserts, Caching, Mode};
use libp2p::swarm::StreamProtocol;

use crate::net::KADEMLIA_PROTOCOL;

pub const PACKET_BYTES: usize = 16 * 1024;
/// Values of all names together, on one server.
pub const VALUES_MAX: usize = 4 * 1024;
pub const VALUE_MAX_BYTES: usize = 4 * 1024;
/// A multihash of 32 bytes takes 34.
pub const KEY_MAX_BYTES: usize = 64;
/// Keys for which somebody says to have the content.
pub const PROVIDED_KEYS_MAX: usize = 8 * 1024;
pub const PROVIDERS_PER_KEY: usize = 8;
pub const PROVIDER_ADDRESSES: usize = 4;
pub const PROVIDER_ADDRESS_BYTES: usize = 256;
/// Servers that keep a copy of a value.
pub const COPIES: usize = 8;
/// How long a server keeps a value that is not published again.
pub const VALUE_TIME: Duration = Duration::from_secs(24 * 60 * 60);
/// Who says to have something is a page, as a rule, and soon gone.
pub const PROVIDER_TIME: Duration = Duration::from_secs(3 * 60 * 60);
/// How often servers give each other copies of what they keep.
const COPY_EVERY: Duration = Duration::from_secs(60 * 60);
/// After this a question is over, with what has been found.
pub const QUESTION_PATIENCE: Duration = Duration::from_secs(10);

/// Takes what others store.
pub fn server(me: PeerId) -> kad::Behaviour<MemoryStore> {
    let mut config = config();
    config.set_replication_interval(Some(COPY_EVERY));
    let mut kademlia = kad::Behaviour::with_config(me, store(me), config);
    kademlia.set_mode(Some(Mode::Server));
    kademlia
}

/// Asks, and stores nothing for others.
pub fn client(me: PeerId) -> kad::Behaviour<MemoryStore> {
    let mut config = config();
    config.set_replication_interval(None).set_periodic_bootstrap_interval(None);
    let mut kademlia = kad::Behaviour::with_config(me, store(me), config);
    // Else an address of its own would make a server of it.
    kademlia.set_mode(Some(Mode::Client));
    kademlia
}

/// What was published is published again by its publisher, who knows whether it is still true.
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
        .set_query_timeout(QUESTION_PATIENCE)
        .disjoint_query_paths(true);
    if let Some(number) = NonZeroUsize::new(COPIES) {
        config.set_replication_factor(number);
    }
    config
}

fn store(me: PeerId) -> MemoryStore {
    let config = MemoryStoreConfig {
        max_records: VALUES_MAX,
        // libp2p refuses what is as long as this.
        max_value_bytes: VALUE_MAX_BYTES + 1,
        max_providers_per_key: PROVIDERS_PER_KEY,
        max_provided_keys: PROVIDED_KEYS_MAX,
    };
    MemoryStore::with_config(me, config)
}
