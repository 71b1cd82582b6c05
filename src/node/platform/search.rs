//! Where the search index is at work: in a worker of its own, or here.

use std::cell::RefCell;

use futures::future::{LocalBoxFuture, ready};

use gen_registry_core::search::service::{SearchRequest, SearchResponse, SearchService};

/// One index. Replies come in the order of the questions; where it is lost, the reply is `Failed`, and it begins
/// empty again.
pub trait SearchBackend {
    fn ask(&self, ask: SearchRequest) -> LocalBoxFuture<'static, SearchResponse>;
}

/// On this thread.
#[derive(Default)]
pub struct Here(RefCell<SearchService>);

impl SearchBackend for Here {
    fn ask(&self, ask: SearchRequest) -> LocalBoxFuture<'static, SearchResponse> {
        Box::pin(ready(self.0.borrow_mut().reply(ask)))
    }
}
