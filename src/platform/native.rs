//! The native program's environment.

use futures::future::{LocalBoxFuture, ready};

use crate::platform::{Environment, StorageUse};
use crate::registry::seal::{SealError, StretchJob, StretchedKey, stretch};
use crate::registry::time::Timestamp;

#[derive(Clone, Copy, Debug, Default)]
pub struct Native;

impl Environment for Native {
    #[expect(clippy::disallowed_methods, reason = "this is the door to the clock")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    fn random(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the system has a source of randomness");
    }

    fn stretch(&self, job: StretchJob) -> LocalBoxFuture<'static, Result<StretchedKey, SealError>> {
        Box::pin(ready(stretch(&job)))
    }

    fn storage_use(&self) -> LocalBoxFuture<'static, StorageUse> {
        Box::pin(ready(StorageUse::default()))
    }

    fn pause(&self) -> LocalBoxFuture<'static, ()> {
        Box::pin(ready(()))
    }
}
