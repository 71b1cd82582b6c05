//! The platform: clock, randomness, storage estimates, workers and the ownership of the profile among tabs.
//!
//! [`Environment`] is what a node asks for. The browser, the native program and tests each implement it; nothing else
//! reads the clock or draws random numbers, so a test or simulation decides both.

#[cfg(target_arch = "wasm32")]
pub mod browser;
pub mod monotonic_clock;
#[cfg(not(target_arch = "wasm32"))]
pub mod native;
pub mod sandbox;
pub mod search;
pub mod test_environment;

use std::rc::Rc;

use futures::future::{LocalBoxFuture, ready};

use crate::platform::sandbox::{Returned, Run, RunError};
use crate::platform::search::SearchBackend;
use gen_registry_core::digest::Digest;
use gen_registry_core::identity::Topic;
use gen_registry_core::jobs::{Job, JobOutput};
use gen_registry_core::sync::exchange::PreparedPage;
use gen_registry_core::time::Timestamp;

/// How much storage is used and how safe it is, as far as the platform reports it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StorageUse {
    /// Bytes in use.
    pub used: Option<u64>,
    /// Bytes that may be used.
    pub quota: Option<u64>,
    /// Whether the browser has promised not to clear it when the device is short of space.
    pub persisted: Option<bool>,
}

/// Everything that is not a function of its arguments.
pub trait Environment {
    /// Returns the system's time. It may be wrong, and may go back.
    fn now(&self) -> Timestamp;

    /// Fills `bytes` from the system's secure source.
    fn random(&self, bytes: &mut [u8]);

    /// Runs a CPU-heavy job off the main thread. Returns `None` if no worker is available.
    fn run_job(&self, job: Job) -> LocalBoxFuture<'static, Option<JobOutput>>;

    /// Begins to prepare a page of pieces ([`Job::PreparePage`]) off the main thread. Returns `None` where that gains
    /// nothing, or no worker is available.
    fn prepare_page(&self, _topic: Topic, _page: &[u8]) -> Option<LocalBoxFuture<'static, Option<PreparedPage>>> {
        None
    }

    /// Runs another person's function in a sandbox.
    fn run(&self, job: Run) -> LocalBoxFuture<'static, Result<Returned, RunError>>;

    /// Returns an empty search index off the main thread. Costs nothing before its first request.
    fn search(&self) -> Rc<dyn SearchBackend>;

    /// Returns the SHA-256 hash of large pieces of data. Does not hash on this thread where the platform has something
    /// faster.
    fn hash(&self, bytes: &[u8]) -> LocalBoxFuture<'static, Digest> {
        Box::pin(ready(Digest::of(bytes)))
    }

    /// Returns what the platform reports of its storage.
    fn storage_use(&self) -> LocalBoxFuture<'static, StorageUse>;

    /// Lets other tasks of this thread run, in the middle of long work.
    fn yield_now(&self) -> LocalBoxFuture<'static, ()>;
}
