//! Publishes in Kademlia the name proofs of own names, and that this node is a provider of the files it has pinned.
//!
//! It does so at the start, after a change, when a relay was connected, and hourly, before servers delete it. A profile
//! with 40 modules: 16 records go out at once, the other 24 and 40 files take some 40 seconds, one every 600 ms; a
//! server would refuse more than its rate.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use futures::channel::mpsc;
use futures::{FutureExt, StreamExt, select};
use futures_timer::Delay;

use crate::lookup::Lookups;
use crate::net::mesh::MeshHandle;
use gen_registry_core::digest::Digest;
use gen_registry_core::name_proof;
use gen_registry_core::outcome::NameKey;

/// How often everything is published again. Servers delete provider records after three times as long, records after a
/// day.
pub const PUBLISH_EVERY: Duration = Duration::from_secs(60 * 60);
/// The time between two records.
pub const PUBLISH_PAUSE: Duration = Duration::from_millis(600);
/// The first records are published without a pause: a name and the newest modules.
pub const PUBLISHED_AT_ONCE: usize = 16;
/// Records that are published, and as many files.
pub const PUBLISHED_MAX: usize = 512;

/// What was published last: the hash of each record by its key, and the files.
#[derive(Default)]
struct PublishedState {
    /// The hash of the record that was published under each key.
    records: BTreeMap<Digest, Digest>,
    /// The files that this node has announced to have.
    files: BTreeSet<Digest>,
}

/// Publishes until the node leaves its network.
pub(crate) async fn run(lookups: Rc<Lookups>, mesh: MeshHandle, mut woken: mpsc::Receiver<()>) {
    let mut published = PublishedState::default();
    let mut again = Delay::new(PUBLISH_EVERY).fuse();
    loop {
        select! {
            woken = woken.next() => if woken.is_none() {
                return;
            },
            () = again => {
                again = Delay::new(PUBLISH_EVERY).fuse();
                lookups.everything.set(true);
            }
        }
        if lookups.everything.take() {
            published = PublishedState::default();
        }
        lookups.publish(&mesh, &mut published).await;
    }
}

/// Counts one more, and waits if it is none of the first.
async fn pause_between_batches(count: &mut usize) {
    *count += 1;
    if *count > PUBLISHED_AT_ONCE {
        Delay::new(PUBLISH_PAUSE).await;
    }
}

impl Lookups {
    /// Publishes what changed since the last time.
    async fn publish(&self, mesh: &MeshHandle, published: &mut PublishedState) {
        let mut count = 0;
        for (name, key) in self.own_names() {
            let record = self.registry.read_model().name_proof(&name);
            let Some(record) = record else { continue };
            let hash = Digest::of(record.bytes());
            if published.records.insert(key, hash) == Some(hash) {
                continue;
            }
            mesh.put_record(*key.as_bytes(), record.bytes().to_vec());
            pause_between_batches(&mut count).await;
        }
        let files = self.content.pinned_artifacts().await;
        published.files.retain(|file| files.contains(file));
        for file in files.into_iter().take(PUBLISHED_MAX) {
            if published.files.insert(file) {
                mesh.provide(*file.as_bytes());
                pause_between_batches(&mut count).await;
            }
        }
    }

    /// Returns the names that the own document claims, or has given up, with the keys of their records.
    fn own_names(&self) -> Vec<(NameKey, Digest)> {
        let Some(own) = self.keys.identity() else { return Vec::new() };
        let names = self.registry.read_model().names_published_by(&own);
        let keyed = names.into_iter().map(|name| {
            let key = name_proof::key(&self.context.network.topic, &name);
            (name, key)
        });
        keyed.take(PUBLISHED_MAX).collect()
    }
}
