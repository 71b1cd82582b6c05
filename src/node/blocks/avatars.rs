//! Other people's pictures: a single block each, fetched when it is looked at, kept as long as there is room.

use std::time::Duration;

use cid::Cid;
use futures::future::{Either, select};
use futures::pin_mut;
use futures_timer::Delay;

use crate::Node;
use crate::blocks::ContentError;
use gen_registry_core::artifact::Artifact;
use gen_registry_core::digest::hash_in;

/// A picture that does not come in this time is not waited for: somebody looks at the page meanwhile.
const PATIENCE: Duration = Duration::from_secs(5);

impl Node {
    /// Fetches a block that is not stored here from connected peers. Returns `None` if no peer sends it in time.
    pub(crate) async fn fetch_picture(&self, address: &Cid) -> Option<Vec<u8>> {
        let block = hash_in(address)?;
        if self.peering.borrow().peers() == 0 {
            return None;
        }
        let fetching = async {
            let busy = self.content.busy_with(block);
            let _alone = busy.lock().await;
            if let Some(bytes) = self.stored_block(&block).await? {
                return Ok(bytes);
            }
            let _place = self.content.pictures.acquire().await;
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
