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

/// What the storage is used for and how safe it is, as far as the platform tells.
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

    /// Does long work where it blocks nobody. None: there is no such place.
    fn run_job(&self, job: Job) -> LocalBoxFuture<'static, Option<JobOutput>>;

    /// Runs a stranger's function where it can do nothing else.
    fn run(&self, job: Run) -> LocalBoxFuture<'static, Result<Returned, RunError>>;

    /// A search index, empty, where it blocks nobody. Costs nothing before it is asked.
    fn search(&self) -> Rc<dyn SearchBackend>;

    fn storage_use(&self) -> LocalBoxFuture<'static, StorageUse>;

    /// Lets other work of this thread go first, in the middle of something long.
    fn yield_now(&self) -> LocalBoxFuture<'static, ()>;
}
