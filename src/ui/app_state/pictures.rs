//! People's pictures as object URLs, fetched from the node once and kept for all who show them.

use std::collections::{HashMap, VecDeque};

use leptos::prelude::*;
use leptos::task::spawn_local;
use web_sys::Url;

use crate::dom;
use gen_registry_api::client::Client;

/// Pictures kept ready; the oldest goes first. What is on show stays on show.
const KEPT: usize = 256;
/// What a browser may draw. Anything else in a block is not a picture.
const DRAWABLE: [&str; 4] = ["image/png", "image/jpeg", "image/webp", "image/gif"];

/// The URL of a picture; none until it is here.
pub type PictureUrl = ArcRwSignal<Option<String>>;

/// Cheap to copy; every copy is the same cache.
#[derive(Clone, Copy)]
pub struct PictureCache(StoredValue<Entries, LocalStorage>);

/// By CID. `None` inside the signal while the picture is being fetched.
#[derive(Default)]
struct Entries {
    /// The signal that everybody who shows the picture follows.
    by_cid: HashMap<String, PictureUrl>,
    /// The same CIDs, the oldest first.
    order: VecDeque<String>,
}

impl Entries {
    /// Returns the picture if it was asked for before.
    fn find(&self, cid: &str) -> Option<PictureUrl> {
        self.by_cid.get(cid).cloned()
    }

    /// Makes room by dropping the oldest picture, and revokes its URL.
    fn insert(&mut self, cid: &str) -> PictureUrl {
        if self.order.len() >= KEPT
            && let Some(oldest) = self.order.pop_front()
            && let Some(signal) = self.by_cid.remove(&oldest)
            && let Some(url) = signal.get_untracked()
        {
            let _already_gone = Url::revoke_object_url(&url);
        }
        let signal = ArcRwSignal::new(None);
        self.by_cid.insert(cid.to_owned(), signal.clone());
        self.order.push_back(cid.to_owned());
        signal
    }

    /// Forgets a picture that could not be had.
    fn remove(&mut self, cid: &str) {
        self.by_cid.remove(cid);
        self.order.retain(|entry| entry != cid);
    }
}

impl PictureCache {
    /// An empty cache.
    pub fn new() -> Self {
        Self(StoredValue::new_local(Entries::default()))
    }

    /// The picture of a CID; fetches it unless that was begun already. One that can't be had is asked for again by
    /// the next call.
    pub fn load(self, client: Client, cid: &str) -> PictureUrl {
        if let Some(entry) = self.0.with_value(|entries| entries.find(cid)) {
            return entry;
        }
        let mut inserted = None;
        self.0.update_value(|entries| inserted = Some(entries.insert(cid)));
        let signal = inserted.unwrap_or_else(|| ArcRwSignal::new(None));
        let (cid, filled) = (cid.to_owned(), signal.clone());
        spawn_local(async move {
            let block = client.block(cid.clone()).await.ok().flatten();
            let url = block
                .filter(|block| DRAWABLE.contains(&block.media_type.as_str()))
                .and_then(|block| dom::blob(&block.bytes, &block.media_type))
                .and_then(|blob| Url::create_object_url_with_blob(&blob).ok());
            match url {
                Some(url) => filled.set(Some(url)),
                None => self.0.update_value(|entries| entries.remove(&cid)),
            }
        });
        signal
    }
}
