//! The only door to clock, randomness, storage estimates, workers and tab ownership.
//!
//! [`Environment`] is what a node asks for; the browser, the native program and tests each have one.

#[cfg(target_arch = "wasm32")]
pub mod browser;
pub mod monotonic_clock;
#[cfg(not(target_arch = "wasm32"))]
pub mod native;
pub mod sandbox;
pub mod search;
pub mod test_environment;

use std::rc::Rc;

use futures::future::LocalBoxFuture;

use crate::platform::sandbox::{Returned, Run, RunError};
use crate::platform::search::SearchBackend;
use gen_registry_core::jobs::{Job, JobOutput};
use gen_registry_core::time::Timestamp;

/// How much storage is used and how safe it is, as far as the platform reports it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StorageUse {
    pub used: Option<u64>,
    pub quota: Option<u64>,
    pub persisted: Option<bool>,
}

/// Everything that is not a function of its arguments.
pub trait Environment {
    fn now(&self) -> Timestamp;

    /// Fills `bytes` from the system's secure source.
    fn random(&self, bytes: &mut [u8]);

    /// Runs a CPU-heavy job off the main thread. Returns `None` if no worker is available.
    fn run_job(&self, job: Job) -> LocalBoxFuture<'static, Option<JobOutput>>;

    /// Runs a stranger's function where it can do nothing else.
    fn run(&self, job: Run) -> LocalBoxFuture<'static, Result<Returned, RunError>>;

    /// Returns an empty search index off the main thread. Costs nothing before its first request.
    fn search(&self) -> Rc<dyn SearchBackend>;

    fn storage_use(&self) -> LocalBoxFuture<'static, StorageUse>;

    /// Lets other work of this thread go first, in the middle of something long.
    fn yield_now(&self) -> LocalBoxFuture<'static, ()>;
}
