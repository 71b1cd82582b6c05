//! Telling the wider network what one has: the records of own names, and that files are kept here.
//!
//! At the start, when something changed, when a relay came, and again in time before it is forgotten. Slowly: servers
//! take only so much of one peer.

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
use gen_registry_core::ownership::NameKey;

/// How often everything is published again; servers forget files after three times as long, records after a day.
pub const PUBLISH_EVERY: Duration = Duration::from_secs(60 * 60);
/// Between two of them.
pub const PUBLISH_PAUSE: Duration = Duration::from_millis(600);
/// The first ones go out without a pause: a name and the newest modules.
pub const PUBLISHED_AT_ONCE: usize = 16;
/// Records and files that are published, each.
pub const PUBLISHED_MAX: usize = 512;

/// What was published last: by its key, the hash of the record.
#[derive(Default)]
struct PublishedState {
    records: BTreeMap<Digest, Digest>,
    files: BTreeSet<Digest>,
}

/// Until the node leaves its network.
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
            let record = self.registry.read_model().record(&name, self.context.now());
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

    /// The names this profile has to say something of, and where their records are kept.
    fn own_names(&self) -> Vec<(NameKey, Digest)> {
        let Some(own) = self.keys.identity() else { return Vec::new() };
        let names = self.registry.read_model().names_told_by(&own);
        let keyed = names.into_iter().map(|name| {
            let key = name_proof::key(&self.context.network.topic, &name);
            (name, key)
        });
        keyed.take(PUBLISHED_MAX).collect()
    }
}
