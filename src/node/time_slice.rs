//! Long work in time slices, so that the thread (a page's above all) stays responsive.

use std::time::Duration;

use crate::platform::Environment;
use gen_registry_core::time::Timestamp;

/// How long one turn may take. A page draws every 16 ms.
const TURN: Duration = Duration::from_millis(8);

/// The time since the last rest.
pub(super) struct TimeSlice<'a> {
    environment: &'a dyn Environment,
    since: Timestamp,
}

impl<'a> TimeSlice<'a> {
    pub(super) fn begin(environment: &'a dyn Environment) -> Self {
        Self { environment, since: environment.now() }
    }

    /// Lets others go first when the turn is over. Call it between two steps that leave everything in order.
    pub(super) async fn yield_if_spent(&mut self) {
        if self.environment.now() > self.since.plus(TURN) {
            self.environment.yield_now().await;
            self.since = self.environment.now();
        }
    }
}
