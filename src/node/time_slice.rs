//! Long work in time slices (cooperative scheduling): a page has one thread, which must draw every 16 ms.
//!
//! For example, admitting 500 changes takes 400 ms. With [`TimeSlice::yield_if_spent`] after each change it becomes 50
//! pieces of 8 ms, between which the page handles input.

use std::time::Duration;

use crate::platform::Environment;
use gen_registry_core::time::Timestamp;

/// The length of one slice: half of the time that a page has for drawing.
const SLICE: Duration = Duration::from_millis(8);

/// The time since the last pause.
pub(super) struct TimeSlice<'a> {
    environment: &'a dyn Environment,
    since: Timestamp,
}

impl<'a> TimeSlice<'a> {
    /// Begins a slice now.
    pub(super) fn begin(environment: &'a dyn Environment) -> Self {
        Self { environment, since: environment.now() }
    }

    /// Lets other tasks run if the slice is over, and begins the next. To be called between two steps, when everything
    /// is in order.
    pub(super) async fn yield_if_spent(&mut self) {
        if self.environment.now() > self.since.plus(SLICE) {
            self.environment.yield_now().await;
            self.since = self.environment.now();
        }
    }
}
