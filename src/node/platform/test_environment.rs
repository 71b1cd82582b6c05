//! An environment under a test's control: a clock moved by hand and randomness from a seed. For tests, the simulator
//! and benchmarks; it protects no secret.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use futures::future::{LocalBoxFuture, ready};

use crate::platform::sandbox::{Returned, Run, RunError};
use crate::platform::search::{Here, SearchBackend};
use crate::platform::{Environment, StorageUse};
use gen_registry_core::canonical::Encoder;
use gen_registry_core::digest::Digest;
use gen_registry_core::jobs::{Job, JobOutput, perform};
use gen_registry_core::sealing::{Cost, StretchJob};
use gen_registry_core::time::Timestamp;

/// The environment. Clones share clock and randomness.
#[derive(Clone, Debug)]
pub struct TestEnvironment {
    now: Rc<Cell<Timestamp>>,
    seed: u64,
    /// How many blocks of randomness were drawn: the next one is a hash of seed and number.
    drawn: Rc<Cell<u64>>,
}

/// The cost of deriving a key in tests; the real cost has a test of its own.
const QUICK: Cost = Cost { memory_kib: 64, passes: 1, lanes: 1 };

impl TestEnvironment {
    /// Creates an environment; the same seed yields the same randomness.
    pub fn new(seed: u64, now: Timestamp) -> Self {
        Self { now: Rc::new(Cell::new(now)), seed, drawn: Rc::default() }
    }

    /// Moves the clock forward.
    pub fn advance(&self, span: Duration) {
        self.now.set(self.now.get().plus(span));
    }

    /// Sets the clock, also back.
    pub fn set_now(&self, now: Timestamp) {
        self.now.set(now);
    }
}

impl Environment for TestEnvironment {
    fn now(&self) -> Timestamp {
        self.now.get()
    }

    fn random(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            let drawn = self.drawn.replace(self.drawn.get() + 1);
            let block = Digest::of(&Encoder::new().integer(self.seed).integer(drawn).finish());
            chunk.copy_from_slice(&block.as_bytes()[..chunk.len()]);
        }
    }

    fn run_job(&self, job: Job) -> LocalBoxFuture<'static, Option<JobOutput>> {
        let job = match job {
            Job::Stretch(job) => Job::Stretch(StretchJob { cost: QUICK, ..job }),
            other => other,
        };
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
        Box::pin(ready(()))
    }
}
