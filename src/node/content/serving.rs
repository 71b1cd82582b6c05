//! The host of one stream on which a peer asks: looks into the store, and says what [`Serve`] says.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use futures::channel::oneshot;
use futures::{FutureExt, SinkExt, StreamExt, select};
use futures_timer::Delay;

use crate::net::key::NodeName;
use crate::net::mesh::blocks::BlockStream;
use crate::net::mesh::{LinkFault, MeshHandle};
use crate::node::Node;
use crate::sync::blocks::serve::{Input, Output, Serve};
use crate::sync::rejection::Rejection;

/// How often those are looked at who wait because they asked for much.
const TICK: Duration = Duration::from_secs(1);
/// Peers of whom is remembered how much they asked for.
const PEERS_REMEMBERED: usize = 256;

/// Whom this node answers: one stream each, the newest.
#[derive(Default)]
pub(super) struct Asked(BTreeMap<NodeName, (Rc<RefCell<Serve>>, oneshot::Sender<()>)>);

impl Asked {
    /// What a peer may have, and what ends when it opens another stream.
    fn open(&mut self, peer: NodeName) -> (Rc<RefCell<Serve>>, oneshot::Receiver<()>) {
        if self.0.len() >= PEERS_REMEMBERED && !self.0.contains_key(&peer) {
            self.0.retain(|_, (_, newest)| !newest.is_canceled());
        }
        let serve = self.0.get(&peer).map(|(serve, _)| serve.clone()).unwrap_or_default();
        let (newest, replaced) = oneshot::channel();
        self.0.insert(peer, (serve.clone(), newest));
        (serve, replaced)
    }
}

/// Answers until the stream ends.
pub(in crate::node) async fn serve(node: Rc<Node>, mesh: MeshHandle, stream: BlockStream) {
    let BlockStream { peer, mut incoming, mut outgoing } = stream;
    let (serve, mut replaced) = node.content.asked.borrow_mut().open(peer);
    let mut inputs = VecDeque::from([Input::Opened]);
    let mut tick = Delay::new(TICK).fuse();
    loop {
        while let Some(input) = inputs.pop_front() {
            let outputs = serve.borrow_mut().handle(input, node.now());
            for output in outputs {
                match output {
                    Output::Look(block) => {
                        let found = node.stored_block(&block).await.unwrap_or_else(|error| {
                            tracing::warn!(%error, "a block can't be read");
                            None
                        });
                        node.note_use(&block).await;
                        inputs.push_back(Input::Found(found));
                    }
                    // Waits until the peer has taken what came before.
                    Output::Send(message) => {
                        if outgoing.send(message.encode()).await.is_err() {
                            return;
                        }
                    }
                    Output::Rejected(why) => node.note_block_fault(peer, why),
                    Output::Close => return,
                    Output::End(why) => {
                        tracing::info!(%peer, %why, "a peer is sent away");
                        return mesh.ban(peer);
                    }
                }
            }
        }
        select! {
            message = incoming.next() => match message {
                Some(Ok(bytes)) => inputs.push_back(Input::Received(bytes)),
                Some(Err(fault)) => return node.note_block_fault(peer, rule(fault)),
                None => return,
            },
            _ = replaced => return,
            () = tick => {
                inputs.push_back(Input::Tick);
                tick = Delay::new(TICK).fuse();
            }
        }
    }
}

/// The rule that a peer broke whose stream had to end.
pub(super) fn rule(fault: LinkFault) -> Rejection {
    match fault {
        LinkFault::Oversized => Rejection::Oversized,
        LinkFault::TooSlow => Rejection::Stalled,
    }
}

impl Node {
    pub(super) fn note_block_fault(&self, peer: NodeName, why: Rejection) {
        tracing::debug!(%peer, %why, "a rule was broken");
        self.peering.borrow_mut().note_rejection(peer, why);
    }
}
