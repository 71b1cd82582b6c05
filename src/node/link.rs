//! A client's wire to a node in the same thread.

use std::rc::Rc;

use futures::future::LocalBoxFuture;

use crate::node::Node;
use crate::node::api::{Answer, Command, Failure};
use crate::node::client::{Link, Listener};

impl Link for Rc<Node> {
    fn ask(&self, command: Command) -> LocalBoxFuture<'static, Result<Answer, Failure>> {
        let node = self.clone();
        Box::pin(async move { node.handle(command).await })
    }

    fn subscribe(&self, listener: Listener) -> u64 {
        Node::subscribe(self, listener)
    }

    fn unsubscribe(&self, id: u64) {
        Node::unsubscribe(self, id);
    }
}
