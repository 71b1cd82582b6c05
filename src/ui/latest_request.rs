//! “The latest answer wins”: separates an answer that is still wanted from one that came too late.

use leptos::prelude::*;

use crate::model::request_counter::RequestCounter;

/// Belongs to the view that shows the answers. Cheap to copy; every copy counts together.
#[derive(Clone, Copy)]
pub struct LatestRequest(StoredValue<RequestCounter>);

/// One request; kept by the task that waits for its answer.
#[derive(Clone, Copy)]
pub struct RequestTicket {
    all: LatestRequest,
    number: u64,
}

impl LatestRequest {
    /// Nothing was asked yet. Lives as long as the owner it is made in.
    pub fn new() -> Self {
        Self(StoredValue::new(RequestCounter::default()))
    }

    /// Begins a request. Answers to all earlier ones are dropped, also when this one never asks anything.
    pub fn begin(self) -> RequestTicket {
        let number = self.0.try_update_value(RequestCounter::begin).unwrap_or_default();
        RequestTicket { all: self, number }
    }
}

impl RequestTicket {
    /// Whether the answer is still wanted: nothing newer was begun, and the page that asked is still there.
    pub fn is_latest(self) -> bool {
        self.all.0.try_with_value(|counter| counter.is_latest(self.number)).unwrap_or(false)
    }
}
