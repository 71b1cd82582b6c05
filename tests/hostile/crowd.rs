//! A crowd made beforehand: so many identities, each with one entry, that making them must not be what limits a flood.
//!
//! A folder holds it in two files: 64 bytes of each identity, its name and its opening's digest; and its entry, all of one
//! length. A native program reads them there, a page asks the server it is from (`globalThis.crowdBytes`).

use gen_registry_core::digest::Digest;
use gen_registry_core::keys::Did;

use crate::{crowd_bytes, crowd_entries};

/// Bytes of one identity in the first file.
pub const NAMED_BYTES: usize = 64;

/// An identity as it is offered.
#[derive(Clone, Copy, Debug)]
pub struct Named {
    pub did: Did,
    pub opening: Digest,
}

/// Where the crowd is, and how many they are.
pub struct Crowd {
    place: String,
    count: usize,
}

impl Crowd {
    pub fn new(place: String, count: usize) -> Self {
        Self { place, count }
    }

    /// These identities, from the beginning again after the last.
    pub async fn named(&self, from: usize, count: usize) -> Vec<(usize, Named)> {
        let first = from % self.count;
        let bytes = crowd_bytes(&self.place, first, count.min(self.count - first)).await;
        let numbered = bytes.chunks_exact(NAMED_BYTES).enumerate();
        numbered.map(|(nth, bytes)| (first + nth, read_named(bytes))).collect()
    }

    /// The entry of each of these.
    pub async fn entries(&self, numbers: &[usize]) -> Vec<Vec<u8>> {
        crowd_entries(&self.place, numbers).await
    }
}

fn read_named(bytes: &[u8]) -> Named {
    let digest = |from: usize| Digest::from_bytes(bytes[from..from + 32].try_into().expect("32 bytes"));
    Named { did: Did::from_digest(digest(0)), opening: digest(32) }
}
