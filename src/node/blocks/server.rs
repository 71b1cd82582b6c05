//! The host of one stream on which a peer asks: looks into the store, and says what [`Serve`] says.

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
use gen_registry_core::sync::blocks::serve::{Input, Output, Serve};
use gen_registry_core::sync::rejection::Rejection;

/// How often those are looked at who wait because they asked for much.
const TICK: Duration = Duration::from_secs(1);
/// Peers whose rate limits are remembered.
const PEERS_REMEMBERED: usize = 256;

/// The peers being served: one stream each, the newest.
#[derive(Default)]
pub(super) struct RateLimits(BTreeMap<NetPeerId, (Rc<RefCell<Serve>>, oneshot::Sender<()>)>);

impl RateLimits {
    /// What a peer may have, and what ends when it opens another stream.
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

/// Nothing more is to be said.
struct Over;

struct Answering {
    content: Rc<ContentStore>,
    mesh: MeshHandle,
    peer: NetPeerId,
    serve: Rc<RefCell<Serve>>,
    /// At most one look, and the answer before it.
    todo: VecDeque<Output>,
}

/// Answers until the stream ends.
pub(crate) async fn serve(content: Rc<ContentStore>, mesh: MeshHandle, stream: BlockStream) {
    let (serve, replaced) = content.rates.borrow_mut().open(stream.peer);
    let mut answering = Answering { content, mesh, peer: stream.peer, serve, todo: VecDeque::new() };
    if answering.run(stream, replaced).await.is_err() {
        tracing::debug!(peer = %answering.peer, "no more answers");
    }
}

impl Answering {
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
                    let looking = async move {
                        let found = content.stored_block(&block).await.unwrap_or_else(|error| {
                            tracing::warn!(%error, "a block can't be read");
                            None
                        });
                        content.note_use(&block).await;
                        found
                    };
                    let mut looking = looking.boxed_local().fuse();
                    // First of all: what a later stream wants is not answered here.
                    let found = select_biased! {
                        _ = replaced => return Err(Over),
                        found = looking => found,
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

/// The rule that a peer broke whose stream had to end.
pub(super) fn rule(fault: LinkFault) -> Rejection {
    match fault {
        LinkFault::Oversized => Rejection::Oversized,
        LinkFault::TooSlow => Rejection::Stalled,
    }
}
