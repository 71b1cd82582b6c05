//! The host of [`Fetch`], the machine that decides which block is requested from which peer: opens block streams to
//! connected peers while a job waits, stores what arrives, and notifies the jobs.
//!
//! One task serves all fetches of the node, so a block that two files need is requested once. A timeline of one file
//! with three blocks:
//!
//! ```text
//!   0.0 s   FetchRequest            streams to the connected peers with the best reputation and to one other are opened,
//!                                   at most 8
//!   0.1 s   Opened ×3               Input::Came ─► the machine requests blocks from each of them
//!   0.2 s   Received                verified by the machine ─► Output::Keep ─► stored ─► Input::Kept
//!           what arrives during one write is written together by the next; at most STORING_MAX blocks wait, beyond
//!           that nothing is read, and peers wait
//!   1.1 s   Output::Done            the job's `done` is answered
//!  11.1 s   LINGER is over          the streams are closed: the next file could have used them
//! ```
//!
//! A peer that lacks the blocks is left for [`REST`] to make place for others. One that sends a wrong block loses
//! reputation and is banned after a few; one that is only slow is left, since it may have been unlucky.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use futures::channel::{mpsc, oneshot};
use futures::future::LocalBoxFuture;
use futures::stream::{FuturesUnordered, LocalBoxStream, SelectAll, once};
use futures::{FutureExt, StreamExt, select};
use futures_timer::Delay;

use crate::blocks::server::rule;
use crate::blocks::{ContentError, ContentStore};
use crate::net::key::NetPeerId;
use crate::net::mesh::blocks::BlockStream;
use crate::net::mesh::{LinkFault, MeshHandle};
use crate::platform::Environment;
use crate::reputation::Actor;
use crate::store::StoreError;
use gen_registry_core::digest::Digest;
use gen_registry_core::sync::blocks::fetch::{Fault, Fetch, Input, Job, Output, PEERS_MAX, Peer};
use gen_registry_core::sync::blocks::serve::MARKS_MAX;
use gen_registry_core::sync::blocks::wire::block_in;
use gen_registry_core::sync::rejection::Rejection;
use gen_registry_core::sync::reputation::{ReputationEvent, best_and_one_other};
use gen_registry_core::time::Timestamp;

/// How often timeouts, cancelled jobs and idle streams are looked for.
const TICK: Duration = Duration::from_millis(250);
/// Blocks that are being stored or wait for it; while there are so many, nothing is read from peers.
const STORING_MAX: usize = 8;
/// How long streams remain open after the last block: one fetch rarely comes alone.
const LINGER: Duration = Duration::from_secs(10);
/// A stream that could not be opened, or ended, is opened again after this time.
const REOPEN_AFTER: Duration = Duration::from_secs(3);
/// A peer that was too slow, or has none of the requested blocks, is asked again after this time.
const REST: Duration = Duration::from_secs(60);

/// A job: blocks that a fetch waits for.
pub(crate) struct FetchRequest {
    /// The blocks to fetch, each once.
    pub(super) blocks: Vec<Digest>,
    /// Receives the digest of each stored block.
    pub(super) got: mpsc::UnboundedSender<Digest>,
    /// Receives the outcome. Dropping the receiver cancels the job at the next tick.
    pub(super) done: oneshot::Sender<Result<(), ContentError>>,
}

/// A message, and the hash of the block in it.
type Hashed = (Vec<u8>, Option<Digest>);
/// A message of a peer's stream; `None` if the stream ended.
type Received = (Peer, Option<Result<Hashed, LinkFault>>);

/// The blocks of one write, and whether they are stored.
type Stored = (Vec<Digest>, Result<(), StoreError>);

/// One step of the task's loop.
enum FetchStep {
    /// A fetch waits for blocks.
    Requested(FetchRequest),
    /// A stream was opened, or could not be.
    Opened(NetPeerId, Option<BlockStream>),
    /// A message arrived, or a stream ended.
    Received(Received),
    /// Verified blocks were written to the store, or could not be.
    Stored(Vec<Digest>, Result<(), StoreError>),
    /// [`TICK`] has passed.
    Ticked,
}

/// The machine, its jobs and its streams.
struct BlockFetcher {
    content: Rc<ContentStore>,
    mesh: MeshHandle,
    /// The machine that decides what is requested from which peer.
    fetch: Fetch,
    /// The jobs that wait, by the machine's number.
    requests: BTreeMap<Job, FetchRequest>,
    /// The open streams, by the machine's number of the peer.
    streams: BTreeMap<Peer, (NetPeerId, mpsc::Sender<Vec<u8>>)>,
    /// What arrives on all streams.
    received: SelectAll<LocalBoxStream<'static, Received>>,
    /// Streams that are being opened.
    opening: FuturesUnordered<LocalBoxFuture<'static, (NetPeerId, Option<BlockStream>)>>,
    /// The peers of these.
    opening_peers: BTreeSet<NetPeerId>,
    /// Peers that are not asked before that time, unless something new is requested.
    resting: BTreeMap<NetPeerId, Timestamp>,
    /// How many marks connected peers have for broken rules.
    marks: BTreeMap<NetPeerId, u32>,
    /// Verified blocks that are written together once nothing is being written.
    to_store: Vec<(Digest, Vec<u8>)>,
    /// The write under way, if there is one.
    storing: FuturesUnordered<LocalBoxFuture<'static, Stored>>,
    /// The number of blocks in it.
    storing_count: usize,
    /// Why a block could not be stored last.
    fault: Option<StoreError>,
    /// When a job last waited.
    idle_since: Timestamp,
    /// The last number of a job or stream.
    next: u64,
}

/// Returns a message with the hash of the block in it.
async fn hashed(environment: &dyn Environment, message: Result<Vec<u8>, LinkFault>) -> Result<Hashed, LinkFault> {
    let message = message?;
    let hash = match block_in(&message) {
        Some(block) => Some(environment.hash(block).await),
        None => None,
    };
    Ok((message, hash))
}

/// Serves requests until the node leaves its network.
pub(crate) async fn run(
    content: Rc<ContentStore>,
    mesh: MeshHandle,
    mut requests: mpsc::UnboundedReceiver<FetchRequest>,
) {
    let mut fetcher = BlockFetcher {
        idle_since: content.context.now(),
        content,
        mesh,
        fetch: Fetch::default(),
        requests: BTreeMap::new(),
        streams: BTreeMap::new(),
        received: SelectAll::new(),
        opening: FuturesUnordered::new(),
        opening_peers: BTreeSet::new(),
        resting: BTreeMap::new(),
        marks: BTreeMap::new(),
        to_store: Vec::new(),
        storing: FuturesUnordered::new(),
        storing_count: 0,
        fault: None,
        next: 0,
    };
    let mut tick = Delay::new(TICK).fuse();
    loop {
        let (busy, waiting) = (fetcher.is_busy_storing(), !fetcher.is_at_rest());
        let BlockFetcher { received, opening, storing, .. } = &mut fetcher;
        let mut next = async {
            match if busy { None } else { received.next().await } {
                Some(received) => received,
                // No stream is open now; the next step may open one.
                None => futures::future::pending().await,
            }
        }
        .boxed_local()
        .fuse();
        let mut ticked =
            async { if waiting { (&mut tick).await } else { futures::future::pending().await } }.boxed_local().fuse();
        let step = select! {
            request = requests.next() => match request {
                Some(request) => FetchStep::Requested(request),
                None => return,
            },
            (name, stream) = opening.select_next_some() => FetchStep::Opened(name, stream),
            received = next => FetchStep::Received(received),
            (blocks, stored) = storing.select_next_some() => FetchStep::Stored(blocks, stored),
            () = ticked => FetchStep::Ticked,
        };
        drop((next, ticked));
        match step {
            FetchStep::Requested(request) => {
                if fetcher.is_at_rest() {
                    tick = Delay::new(TICK).fuse();
                }
                fetcher.start(request);
            }
            FetchStep::Opened(name, stream) => fetcher.add_stream(name, stream),
            FetchStep::Received((peer, Some(Ok((bytes, hash))))) => {
                fetcher.feed(Input::Received { peer, bytes, hash });
            }
            FetchStep::Received((peer, Some(Err(fault)))) => fetcher.fail_stream(peer, fault),
            FetchStep::Received((peer, None)) => fetcher.remove_stream(peer),
            FetchStep::Stored(blocks, stored) => fetcher.finish_storing(blocks, stored),
            FetchStep::Ticked => {
                tick = Delay::new(TICK).fuse();
                fetcher.tick();
            }
        }
        fetcher.begin_storing();
    }
}

impl BlockFetcher {
    /// Whether so many blocks wait to be stored that no more are read.
    fn is_busy_storing(&self) -> bool {
        self.to_store.len() + self.storing_count >= STORING_MAX
    }

    /// Writes all blocks that wait in one batch, unless a write is under way: each transaction has its own cost.
    fn begin_storing(&mut self) {
        if !self.storing.is_empty() || self.to_store.is_empty() {
            return;
        }
        let (content, blocks) = (self.content.clone(), std::mem::take(&mut self.to_store));
        self.storing_count = blocks.len();
        self.storing.push(
            async move {
                let stored = content.store_blocks(&blocks).await;
                (blocks.into_iter().map(|(block, _)| block).collect(), stored)
            }
            .boxed_local(),
        );
    }

    /// Passes on whether the blocks of a write are stored.
    fn finish_storing(&mut self, blocks: Vec<Digest>, stored: Result<(), StoreError>) {
        self.storing_count = 0;
        let is_stored = stored.is_ok();
        self.fault = stored.err().or(self.fault.take());
        for block in blocks {
            self.feed(Input::Kept { block, stored: is_stored });
        }
    }

    /// Whether no job waits and no stream is open.
    fn is_at_rest(&self) -> bool {
        self.fetch.is_idle() && self.streams.is_empty() && self.opening.is_empty()
    }

    /// Begins a job. Peers that were left aside may have its blocks, so all are asked again.
    fn start(&mut self, request: FetchRequest) {
        self.next += 1;
        let (job, blocks) = (self.next, request.blocks.clone());
        self.requests.insert(job, request);
        self.resting.clear();
        self.open_streams();
        self.feed(Input::Start { job, blocks });
    }

    /// Cancels abandoned jobs, lets the machine find timeouts, and opens or closes streams.
    fn tick(&mut self) {
        let abandoned: Vec<Job> =
            self.requests.iter().filter(|(_, request)| request.done.is_canceled()).map(|(job, _)| *job).collect();
        for job in abandoned {
            self.requests.remove(&job);
            self.feed(Input::Cancel { job });
        }
        self.feed(Input::Tick);
        let now = self.content.context.now();
        if !self.fetch.is_idle() {
            self.idle_since = now;
            self.make_place();
            self.open_streams();
        } else if now > self.idle_since.plus(LINGER) {
            let open: Vec<Peer> = self.streams.keys().copied().collect();
            open.into_iter().for_each(|peer| self.close(peer, Duration::ZERO));
        }
    }

    /// Closes streams to peers that have none of the requested blocks, if no further stream could be opened.
    fn make_place(&mut self) {
        let useless: Vec<Peer> = self.streams.keys().copied().filter(|peer| self.fetch.is_useless(*peer)).collect();
        if self.streams.len() + self.opening.len() >= PEERS_MAX {
            useless.into_iter().for_each(|peer| self.close(peer, REST));
        }
    }

    /// Opens streams to connected peers, the most helpful first and one of the others, as far as there are places.
    fn open_streams(&mut self) {
        let now = self.content.context.now();
        self.resting.retain(|_, until| *until > now);
        let connected = self.content.reputation.helpful_peers();
        self.marks.retain(|name, _| connected.contains(name));
        let ready: Vec<NetPeerId> = connected.into_iter().filter(|name| !self.resting.contains_key(name)).collect();
        let has_stream = |name: &NetPeerId| {
            self.streams.values().any(|(known, _)| known == name) || self.opening_peers.contains(name)
        };
        // One that was drawn before stays the one.
        let chosen = best_and_one_other(&ready, PEERS_MAX, |others| {
            let known = ready[ready.len() - others..].iter().position(&has_stream);
            known.unwrap_or_else(|| self.content.context.random_below(others))
        });
        let chosen: Vec<NetPeerId> = chosen.into_iter().filter(|name| !has_stream(name)).collect();
        for name in chosen {
            if self.streams.len() + self.opening.len() >= PEERS_MAX {
                break;
            }
            self.opening_peers.insert(name);
            let mesh = self.mesh.clone();
            self.opening.push(async move { (name, mesh.open_blocks(name).await) }.boxed_local());
        }
    }

    /// Adds an opened stream, under a new number: a late message of an older stream must not count for it.
    fn add_stream(&mut self, name: NetPeerId, stream: Option<BlockStream>) {
        self.opening_peers.remove(&name);
        let Some(BlockStream { peer: name, incoming, outgoing }) = stream else {
            self.resting.insert(name, self.content.context.now().plus(REOPEN_AFTER));
            return;
        };
        self.next += 1;
        let peer = self.next;
        self.streams.insert(peer, (name, outgoing));
        let environment = self.content.context.environment.clone();
        let received = incoming.then(move |message| {
            let environment = environment.clone();
            async move { (peer, Some(hashed(&*environment, message).await)) }
        });
        self.received.push(received.chain(once(async move { (peer, None) })).boxed_local());
        self.feed(Input::Came(peer));
    }

    /// Closes a stream that the peer ended.
    fn remove_stream(&mut self, peer: Peer) {
        if self.streams.contains_key(&peer) {
            self.close(peer, REOPEN_AFTER);
        }
    }

    /// Closes a stream that broke a rule.
    fn fail_stream(&mut self, peer: Peer, fault: LinkFault) {
        self.blame(peer, rule(fault));
        self.close(peer, REST);
    }

    /// Counts a broken rule against a peer, and bans it if they are too many or one is fatal.
    fn blame(&mut self, peer: Peer, why: Rejection) {
        let Some((name, _)) = self.streams.get(&peer) else { return };
        self.content.reputation.note_rejection(*name, why);
        let marks = self.marks.entry(*name).or_default();
        *marks += why.mark();
        // A silent peer may only have been unlucky.
        if *marks >= MARKS_MAX || (why.is_fatal() && why != Rejection::Stalled) {
            tracing::info!(peer = %name, %why, "a peer is sent away");
            self.content.reputation.ban(&self.mesh, *name);
        }
    }

    /// Closes a stream; its peer is not asked again before `rest` is over.
    fn close(&mut self, peer: Peer, rest: Duration) {
        if let Some((name, _)) = self.streams.remove(&peer) {
            self.resting.insert(name, self.content.context.now().plus(rest));
            self.feed(Input::Gone(peer));
        }
    }

    /// Gives the machine one input and does what follows, until nothing more follows.
    fn feed(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            for output in self.fetch.handle(input, self.content.context.now()) {
                match output {
                    Output::Send { peer, message } => {
                        let sent = self.streams.get_mut(&peer).map(|(_, stream)| stream.try_send(message.encode()));
                        // Full: a peer that does not take what is asked.
                        if sent.is_some_and(|sent| sent.is_err()) {
                            if let Some((name, _)) = self.streams.remove(&peer) {
                                self.resting.insert(name, self.content.context.now().plus(REST));
                            }
                            inputs.push_back(Input::Gone(peer));
                        }
                    }
                    Output::Keep { peer, block, bytes } => {
                        if let Some((name, _)) = self.streams.get(&peer) {
                            self.content.reputation.record_event(Actor::Peer(*name), ReputationEvent::Served);
                        }
                        self.to_store.push((block, bytes));
                    }
                    Output::Got { job, block } => {
                        if let Some(request) = self.requests.get(&job) {
                            // Who waits no more is noticed at the next tick.
                            request.got.unbounded_send(block).ok();
                        }
                    }
                    Output::Done { job } => self.end(job, Ok(())),
                    Output::Failed { job, why } => {
                        let why = match why {
                            Fault::Nobody { missing } => ContentError::Nobody { missing },
                            Fault::NotKept => {
                                let full = StoreError::Aborted("a block was not stored".to_owned());
                                ContentError::Store(self.fault.clone().unwrap_or(full))
                            }
                        };
                        self.end(job, Err(why));
                    }
                    Output::Rejected { peer, why } => self.blame(peer, why),
                    Output::Leave { peer, slow } => {
                        if slow {
                            self.blame(peer, Rejection::Stalled);
                        }
                        if let Some((name, _)) = self.streams.remove(&peer) {
                            self.resting.insert(name, self.content.context.now().plus(REST));
                        }
                    }
                }
            }
        }
    }

    /// Answers a job.
    fn end(&mut self, job: Job, result: Result<(), ContentError>) {
        if let Some(request) = self.requests.remove(&job) {
            request.done.send(result).ok();
        }
    }
}
