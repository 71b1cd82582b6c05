//! The native environment, with another clock or another disk.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use futures::future::LocalBoxFuture;
use gen_registry_core::jobs::{Job, JobOutput};
use gen_registry_core::time::Timestamp;
use gen_registry_node::platform::native::Native;
use gen_registry_node::platform::sandbox::{Returned, Run, RunError};
use gen_registry_node::platform::search::SearchBackend;
use gen_registry_node::platform::{Environment, StorageUse};

/// Clones share the clock.
#[derive(Clone, Default)]
pub struct ShiftedClock {
    /// How far ahead of the real clock, in milliseconds.
    pub ahead: Rc<Cell<u64>>,
    /// What the device has room for.
    pub quota: Option<u64>,
}

impl Environment for ShiftedClock {
    fn now(&self) -> Timestamp {
        Native.now().plus(Duration::from_millis(self.ahead.get()))
    }

    fn random(&self, bytes: &mut [u8]) {
        Native.random(bytes);
    }

    fn run_job(&self, job: Job) -> LocalBoxFuture<'static, Option<JobOutput>> {
        Native.run_job(job)
    }

    fn run(&self, job: Run) -> LocalBoxFuture<'static, Result<Returned, RunError>> {
        Native.run(job)
    }

    fn search(&self) -> Rc<dyn SearchBackend> {
        Native.search()
    }

    fn storage_use(&self) -> LocalBoxFuture<'static, StorageUse> {
        let Some(quota) = self.quota else { return Native.storage_use() };
        Box::pin(async move { StorageUse { quota: Some(quota), ..StorageUse::default() } })
    }

    fn yield_now(&self) -> LocalBoxFuture<'static, ()> {
        Native.yield_now()
    }
}

/// Somewhat longer than a node takes to notice the time.
const STEP_LASTS: Duration = Duration::from_millis(1_150);
pub const STEP_SECONDS: u64 = 6;

impl ShiftedClock {
    /// A step of time that leaves everybody the time to say what is due.
    pub async fn step(&self) {
        self.ahead.set(self.ahead.get() + STEP_SECONDS * 1_000);
        tokio::time::sleep(STEP_LASTS).await;
    }
}
