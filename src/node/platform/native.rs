//! The native program's environment.

use std::rc::Rc;

use futures::future::{LocalBoxFuture, ready};

use crate::platform::sandbox::{Returned, Run, RunError};
use crate::platform::search::{Here, SearchBackend};
use crate::platform::{Environment, StorageUse};
use gen_registry_core::jobs::{Job, JobOutput, perform};
use gen_registry_core::time::Timestamp;

/// The environment of a native program: jobs run on the caller's thread, and modules can't be run.
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

    fn run_job(&self, job: Job) -> LocalBoxFuture<'static, Option<JobOutput>> {
        Box::pin(ready(Some(perform(&job))))
    }

    fn run(&self, _: Run) -> LocalBoxFuture<'static, Result<Returned, RunError>> {
        Box::pin(ready(Err(RunError::Unavailable)))
    }

    fn search(&self) -> Rc<dyn SearchBackend> {
        Rc::new(Here::default())
    }

    fn storage_use(&self) -> LocalBoxFuture<'static, StorageUse> {
        Box::pin(ready(StorageUse::default()))
    }

    fn yield_now(&self) -> LocalBoxFuture<'static, ()> {
        // The thread's other tasks run, and its sockets are looked at.
        Box::pin(tokio::task::yield_now())
    }
}
