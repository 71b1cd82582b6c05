//! The host of one block stream that a peer opened: looks requested blocks up and sends what [`Serve`] says.
//!
//! [`Serve`] limits how much a peer gets in a time. Its state belongs to the peer, not to the stream, so that opening
//! another stream does not start the limits again. Only the newest stream is served; an older one, which may be dead,
//! ends.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use futures::channel::oneshot;
use futures::{FutureExt, SinkExt, StreamExt, select_biased};
use futures_timer::Delay;

use crate::blocks::ContentStore;
use crate::net::key::NetPeerId;
use crate::net::mesh::blocks::BlockStream;
use crate::net::mesh::{LinkFault, MeshHandle};
use gen_registry_core::digest::Digest;
use gen_registry_core::sync::blocks::serve::{Input, Output, Serve};
use gen_registry_core::sync::rejection::Rejection;

/// How often peers that wait because they requested much are looked at.
const TICK: Duration = Duration::from_secs(1);
/// Peers whose rate limits are remembered.
const PEERS_REMEMBERED: usize = 256;

/// The peers being served: the state of each, and what ends its present stream.
#[derive(Default)]
pub(super) struct RateLimits(BTreeMap<NetPeerId, (Rc<RefCell<Serve>>, oneshot::Sender<()>)>);

impl RateLimits {
    /// Returns the state of a peer, and what is cancelled when it opens another stream.
    fn open(&mut self, peer: NetPeerId) -> (Rc<RefCell<Serve>>, oneshot::Receiver<()>) {
        if self.0.len() >= PEERS_REMEMBERED && !self.0.contains_key(&peer) {
            self.0.retain(|_, (_, newest)| !newest.is_canceled());
        }
        let serve = self.0.get(&peer).map(|(serve, _)| serve.clone()).unwrap_or_default();
        let (newest, replaced) = oneshot::channel();
        self.0.insert(peer, (serve.clone(), newest));
        (serve, replaced)
    }
}

/// The stream is over.
struct Over;

/// One stream: the peer, its state, and what is to be done.
struct Responder {
    content: Rc<ContentStore>,
    mesh: MeshHandle,
    peer: NetPeerId,
    /// The peer's state, which outlives the stream.
    serve: Rc<RefCell<Serve>>,
    /// At most one look, and the answer before it.
    todo: VecDeque<Output>,
}

/// Answers a peer's requests until its stream ends or is replaced.
pub(crate) async fn serve(content: Rc<ContentStore>, mesh: MeshHandle, stream: BlockStream) {
    let (serve, replaced) = content.rates.borrow_mut().open(stream.peer);
    let mut responder = Responder { content, mesh, peer: stream.peer, serve, todo: VecDeque::new() };
    if responder.run(stream, replaced).await.is_err() {
        tracing::debug!(peer = %responder.peer, "no more answers");
    }
}

impl Responder {
    /// Sends, looks up and reads, one thing at a time. While a block is being sent, requests are still read, so that a
    /// peer that only requests and never reads is noticed by [`Serve`].
    async fn run(&mut self, stream: BlockStream, replaced: oneshot::Receiver<()>) -> Result<(), Over> {
        let BlockStream { mut incoming, mut outgoing, .. } = stream;
        // Fused here: unfused, it would count as ended before its end was polled.
        let mut replaced = replaced.fuse();
        let mut tick = Delay::new(TICK).fuse();
        self.feed(Input::Opened)?;
        loop {
            match self.todo.pop_front() {
                Some(Output::Send(message)) => {
                    // Waits until the peer has taken what was sent before. A peer that only asks meanwhile is noticed.
                    let mut sending = outgoing.send(message.encode()).fuse();
                    loop {
                        select_biased! {
                            _ = replaced => return Err(Over),
                            sent = sending => match sent {
                                Ok(()) => break,
                                Err(_) => {
                                    while let Some(message) = incoming.next().await {
                                        self.receive(Some(message))?;
                                    }
                                    return Err(Over);
                                }
                            },
                            message = incoming.next() => self.receive(message)?,
                        }
                    }
                }
                Some(Output::Look(block)) => {
                    let content = self.content.clone();
                    let mut looking = async move { look_up(&content, &block).await }.boxed_local().fuse();
                    // Whoever leaves while it waits gives up its place. First of all: what a later stream wants is not
                    // answered here.
                    let found = loop {
                        select_biased! {
                            _ = replaced => return Err(Over),
                            found = looking => break found,
                            message = incoming.next() => self.receive(message)?,
                        }
                    };
                    self.feed(Input::Found(found))?;
                }
                _ => select_biased! {
                    _ = replaced => return Err(Over),
                    message = incoming.next() => self.receive(message)?,
                    () = tick => {
                        self.feed(Input::Tick)?;
                        tick = Delay::new(TICK).fuse();
                    }
                },
            }
        }
    }

    /// Passes a message to the machine; counts a fault of the stream.
    fn receive(&mut self, message: Option<Result<Vec<u8>, LinkFault>>) -> Result<(), Over> {
        match message {
            Some(Ok(bytes)) => self.feed(Input::Received(bytes)),
            Some(Err(fault)) => {
                self.content.reputation.note_rejection(self.peer, rule(fault));
                Err(Over)
            }
            None => Err(Over),
        }
    }

    /// Gives the machine one input and queues what follows.
    fn feed(&mut self, input: Input) -> Result<(), Over> {
        let outputs = self.serve.borrow_mut().handle(input, self.content.context.now());
        for output in outputs {
            match output {
                Output::Look(_) | Output::Send(_) => self.todo.push_back(output),
                Output::Rejected(why) => self.content.reputation.note_rejection(self.peer, why),
                Output::Close => return Err(Over),
                Output::End(why) => {
                    tracing::info!(peer = %self.peer, %why, "a peer is sent away");
                    self.content.reputation.ban(&self.mesh, self.peer);
                    return Err(Over);
                }
            }
        }
        Ok(())
    }
}

/// Returns a stored block, once it may be given. Returns `None` if it is not here, or too many peers wait.
async fn look_up(content: &ContentStore, block: &Digest) -> Option<Vec<u8>> {
    let turn = content.upload.turn(&content.context).await?;
    let found = content.stored_block(block).await.unwrap_or_else(|error| {
        tracing::warn!(%error, "a block can't be read");
        None
    });
    turn.give(found.as_ref().map_or(0, Vec::len), &content.context);
    content.note_use(block).await;
    found
}

/// Returns the rule that a peer broke whose stream had to end.
pub(super) fn rule(fault: LinkFault) -> Rejection {
    match fault {
        LinkFault::Oversized => Rejection::Oversized,
        LinkFault::TooSlow => Rejection::Stalled,
    }
}
