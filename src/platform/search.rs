//! Where the search index is at work: in a worker of its own, or here.

use std::cell::RefCell;

use futures::future::{LocalBoxFuture, ready};

use crate::registry::search::desk::{Ask, Desk, Reply};

/// One index. Replies come in the order of the questions; where it is lost, the reply is `Failed`, and it begins
/// empty again.
pub trait SearchDesk {
    fn ask(&self, ask: Ask) -> LocalBoxFuture<'static, Reply>;
}

/// On this thread.
#[derive(Default)]
pub struct Here(RefCell<Desk>);

impl SearchDesk for Here {
    fn ask(&self, ask: Ask) -> LocalBoxFuture<'static, Reply> {
        Box::pin(ready(self.0.borrow_mut().reply(ask)))
    }
}
