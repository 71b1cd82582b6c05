//! The native program's environment.

use std::rc::Rc;

use futures::future::{LocalBoxFuture, ready};

use crate::platform::sandbox::{Returned, Run, RunError};
use crate::platform::search::{Here, SearchDesk};
use crate::platform::{Environment, StorageUse};
use crate::registry::time::Timestamp;
use crate::registry::work::{Job, Product, perform};

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

    fn perform(&self, job: Job) -> LocalBoxFuture<'static, Option<Product>> {
        Box::pin(ready(Some(perform(&job))))
    }

    fn run(&self, _: Run) -> LocalBoxFuture<'static, Result<Returned, RunError>> {
        Box::pin(ready(Err(RunError::Unavailable)))
    }

    fn search(&self) -> Rc<dyn SearchDesk> {
        Rc::new(Here::default())
    }

    fn storage_use(&self) -> LocalBoxFuture<'static, StorageUse> {
        Box::pin(ready(StorageUse::default()))
    }

    fn pause(&self) -> LocalBoxFuture<'static, ()> {
        Box::pin(ready(()))
    }
}
