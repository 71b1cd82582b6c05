//! The native environment, with another clock or another disk.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use futures::future::LocalBoxFuture;
use gen_registry::platform::native::Native;
use gen_registry::platform::sandbox::{Returned, Run, RunError};
use gen_registry::platform::search::SearchDesk;
use gen_registry::platform::{Environment, StorageUse};
use gen_registry::registry::time::Timestamp;
use gen_registry::registry::work::{Job, Product};

/// Clones share the clock.
#[derive(Clone, Default)]
pub struct Altered {
    /// How far ahead of the real clock, in milliseconds.
    pub ahead: Rc<Cell<u64>>,
    /// What the device has room for.
    pub quota: Option<u64>,
}

impl Environment for Altered {
    fn now(&self) -> Timestamp {
        Native.now().plus(Duration::from_millis(self.ahead.get()))
    }

    fn random(&self, bytes: &mut [u8]) {
        Native.random(bytes);
    }

    fn perform(&self, job: Job) -> LocalBoxFuture<'static, Option<Product>> {
        Native.perform(job)
    }

    fn run(&self, job: Run) -> LocalBoxFuture<'static, Result<Returned, RunError>> {
        Native.run(job)
    }

    fn search(&self) -> Rc<dyn SearchDesk> {
        Native.search()
    }

    fn storage_use(&self) -> LocalBoxFuture<'static, StorageUse> {
        let Some(quota) = self.quota else { return Native.storage_use() };
        Box::pin(async move { StorageUse { quota: Some(quota), ..StorageUse::default() } })
    }

    fn pause(&self) -> LocalBoxFuture<'static, ()> {
        Native.pause()
    }
}
