//! Where the search index runs: in a worker of its own, or on this thread.

use std::cell::RefCell;

use futures::future::{LocalBoxFuture, ready};

use gen_registry_core::search::service::{SearchRequest, SearchResponse, SearchService};

/// One search index. Responses come in the order of the requests. If the index is lost, the response is `Failed`, and
/// the next request finds an empty one.
pub trait SearchBackend {
    /// Sends a request and returns the response.
    fn ask(&self, ask: SearchRequest) -> LocalBoxFuture<'static, SearchResponse>;
}

/// An index on this thread, for native programs and tests.
#[derive(Default)]
pub struct Here(RefCell<SearchService>);

impl SearchBackend for Here {
    fn ask(&self, ask: SearchRequest) -> LocalBoxFuture<'static, SearchResponse> {
        Box::pin(ready(self.0.borrow_mut().reply(ask)))
    }
}
