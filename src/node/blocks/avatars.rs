//! Other people's avatars: a single block each, fetched when it is shown, and evicted like other content.

use std::time::Duration;

use cid::Cid;
use futures::future::{Either, select};
use futures::pin_mut;
use futures_timer::Delay;

use crate::blocks::{ContentError, ContentStore};
use crate::errors;
use gen_registry_api::{Block, Failure};
use gen_registry_core::artifact::Artifact;
use gen_registry_core::digest::{hash_in, verify_block};
use gen_registry_core::picture;
use gen_registry_core::read_model::PersonRecord;

/// An avatar that does not arrive in this time is not waited for: a page is being shown.
const PATIENCE: Duration = Duration::from_secs(5);

impl ContentStore {
    /// Returns a block by its CID, with the media type that its bytes show; fetches it if it is not stored. What a page
    /// should not decode has none of a picture. Returns `None` if the text is no CID of a block, if it is the picture of
    /// blocked people only, or if no peer sends it in time.
    pub(crate) async fn block(&self, cid: &str) -> Result<Option<Block>, Failure> {
        let Ok(address) = cid.parse::<Cid>() else { return Ok(None) };
        let Some(block) = hash_in(&address) else { return Ok(None) };
        let stored = self.stored_block(&block).await.map_err(errors::store_failed)?;
        let found = match stored.filter(|bytes| verify_block(&address, bytes)) {
            Some(bytes) => {
                self.note_use(&block).await;
                Some(bytes)
            }
            None if self.is_refused(cid) => None,
            None => self.fetch_picture(&address).await,
        };
        Ok(found.map(|bytes| {
            let media_type = picture::media_type(&bytes).unwrap_or_else(|error| {
                tracing::debug!(%cid, %error, "a block is not shown as a picture");
                "application/octet-stream"
            });
            Block { bytes, media_type: media_type.to_owned() }
        }))
    }

    /// Returns whether a block is a picture that only people with refused documents use.
    fn is_refused(&self, cid: &str) -> bool {
        let read_model = self.registry.read_model();
        let refused = read_model.registry().refused();
        let is_of = |person: &PersonRecord| person.profile.avatar.as_deref() == Some(cid);
        refused.iter().filter_map(|did| read_model.person(did)).any(is_of)
            && !read_model.people().any(|person| is_of(person) && !refused.contains(&person.did))
    }

    /// Fetches a block that is not stored here from connected peers. Returns `None` if no peer sends it in time.
    async fn fetch_picture(&self, address: &Cid) -> Option<Vec<u8>> {
        let block = hash_in(address)?;
        if self.peers.count() == 0 {
            return None;
        }
        let fetching = async {
            let busy = self.fetches.lock_of(block);
            let _alone = busy.lock().await;
            if let Some(bytes) = self.stored_block(&block).await? {
                return Ok(bytes);
            }
            let _place = self.fetches.pictures.acquire().await;
            self.fetch_blocks(vec![block], |_| {}).await?;
            let bytes = self.stored_block(&block).await?.ok_or(ContentError::Incomplete)?;
            // From now on it belongs to something that may go.
            self.reserve(&Artifact::of(&bytes)).await?;
            Ok::<_, ContentError>(bytes)
        };
        pin_mut!(fetching);
        match select(fetching, Delay::new(PATIENCE)).await {
            Either::Left((Ok(bytes), _)) => Some(bytes),
            Either::Left((Err(error), _)) => {
                tracing::debug!(%error, "a picture does not come");
                None
            }
            Either::Right(_) => None,
        }
    }
}
