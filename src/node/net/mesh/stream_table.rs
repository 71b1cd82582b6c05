//! Streams to and from connected peers, and their limits.
//!
//! | protocol | opened by | carries |
//! |---|---|---|
//! | sync | the side with the smaller peer id, retried with backoff | a [`Link`], while the peer is connected |
//! | peer exchange | a node with few peers, once for each new peer | addresses of other peers |
//! | find, search | the host ([`AskPeer`](super::handle::Command::AskPeer)) | one question and one answer |
//! | blocks, chat | the host | whole messages ([`blocks`]) |
//!
//! Every stream is driven by a task in [`StreamTable::next`]. The table polls no swarm and no queue of the host: it
//! returns what is to be emitted.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::task::Poll;
use std::time::Duration;

use futures::channel::{mpsc, oneshot};
use futures::future::{Either, LocalBoxFuture, join, poll_fn, select};
use futures::stream::{FuturesUnordered, LocalBoxStream, SelectAll};
use futures::{FutureExt, SinkExt, StreamExt};
use futures_timer::Delay;
use libp2p::{Multiaddr, PeerId, Stream, StreamProtocol};
use tracing::Instrument;

use crate::net::mesh::blocks::{self, BlockStream};
use crate::net::mesh::link::{INCOMING_WAITING, Outgoing, carry, outgoing};
use crate::net::mesh::peer_exchange::{self, ANSWERS_PER_PEER, ANSWERS_UNDER_WAY_MAX};
use crate::net::mesh::relay_questions::RelayQuestion;
use crate::net::mesh::request::{
    ANSWER_MAX_BYTES, ANSWER_TIMEOUT, QuestionKind, RequestError, answer, read_request, request,
};
use crate::net::mesh::types::{Link, MeshEvent};
use crate::net::streams::{Control, Streams};
use gen_registry_core::sync::blocks::wire as blocks_wire;
use gen_registry_core::sync::chat;
use gen_registry_core::sync::exchange::wire;

/// Between two attempts to open a sync stream; doubled after each, up to 64 times as long.
const LINK_RETRY_MILLIS: u64 = 3_000;
/// Doublings of that wait: at most 192 s.
const LINK_RETRY_DOUBLINGS: u32 = 6;
/// A sync stream that lasted this long resets the backoff.
const LINK_GOOD_MILLIS: u64 = 60_000;
const MILLIS_PER_MINUTE: u64 = Duration::from_secs(60).as_millis() as u64;

/// The protocols whose streams peers may open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StreamKind {
    Sync,
    PeerExchange,
    Question(QuestionKind),
    Blocks,
    Chat,
}

impl StreamKind {
    const ALL: [Self; 6] = [
        Self::Sync,
        Self::PeerExchange,
        Self::Question(QuestionKind::Name),
        Self::Question(QuestionKind::Search),
        Self::Blocks,
        Self::Chat,
    ];

    /// Returns the protocol's name on the wire.
    fn protocol(self) -> &'static str {
        match self {
            Self::Sync => wire::PROTOCOL,
            Self::PeerExchange => peer_exchange::PROTOCOL,
            Self::Question(kind) => kind.protocol(),
            Self::Blocks => blocks_wire::PROTOCOL,
            Self::Chat => chat::PROTOCOL,
        }
    }
}

/// Something that happened to streams, to be passed to [`StreamTable::handle`].
pub(super) enum StreamActivity {
    Accepted(StreamKind, PeerId, Stream),
    TaskEnded(TaskOutcome),
}

/// How the task of a stream ended.
pub(super) enum TaskOutcome {
    SyncOpened(PeerId, Option<Stream>),
    LinkEnded(PeerId, u64),
    /// The answer to a request for peers.
    PeersReceived(Vec<u8>),
    PeersSent,
    QuestionReceived(QuestionKind, PeerId, Stream, Vec<u8>),
    /// A question was answered, or given up.
    QuestionEnded(QuestionKind, PeerId),
    Done,
}

/// What follows from an activity.
pub(super) enum StreamOutput {
    Emit(MeshEvent),
    /// A peer reported these peers.
    Discovered(BTreeMap<PeerId, Vec<Multiaddr>>),
}

/// A connected peer.
struct PeerStreams {
    /// When its first direct connection was made, in milliseconds.
    joined_at: u64,
    /// The newest link, and the queue of its messages.
    link: Option<(u64, Outgoing)>,
    /// When the newest link was made, in milliseconds.
    linked_at: u64,
    /// When a sync stream may be opened next.
    open_at: u64,
    /// Attempts to open a sync stream since the last good one.
    attempts: u32,
    /// Whether a sync stream is being opened.
    opening: bool,
    /// Answers to its requests for peers.
    exchanges: u32,
}

/// The streams of all connected peers.
pub(super) struct StreamTable {
    local_peer_id: PeerId,
    control: Control,
    /// Streams that peers opened. Few wait at their senders; more are refused (see [`Streams`]).
    accepted: SelectAll<LocalBoxStream<'static, (StreamKind, PeerId, Stream)>>,
    peers: BTreeMap<PeerId, PeerStreams>,
    /// Answers to requests for peers that are being sent.
    exchanges_under_way: usize,
    /// Questions of each kind that are being read or answered, by peer.
    questions_under_way: BTreeMap<(QuestionKind, PeerId), usize>,
    /// One task for each stream; dropping it ends the stream.
    tasks: FuturesUnordered<LocalBoxFuture<'static, TaskOutcome>>,
    next_link: u64,
}

impl StreamTable {
    pub(super) fn new(local_peer_id: PeerId, streams: &mut Streams) -> Self {
        let mut accept = |kind: StreamKind| {
            let incoming = streams.accept(StreamProtocol::new(kind.protocol()));
            incoming.map(move |(peer, stream)| (kind, peer, stream)).boxed_local()
        };
        let accepted = StreamKind::ALL.into_iter().map(&mut accept).collect();
        Self {
            local_peer_id,
            control: streams.control(),
            accepted,
            peers: BTreeMap::new(),
            exchanges_under_way: 0,
            questions_under_way: BTreeMap::new(),
            tasks: FuturesUnordered::new(),
            next_link: 0,
        }
    }

    /// Drives the streams until something happens. Accepts none while `may_accept` is false.
    pub(super) async fn next(&mut self, may_accept: bool) -> StreamActivity {
        poll_fn(|cx| {
            if let Poll::Ready(Some(outcome)) = self.tasks.poll_next_unpin(cx) {
                return Poll::Ready(StreamActivity::TaskEnded(outcome));
            }
            if !may_accept {
                return Poll::Pending;
            }
            match self.accepted.poll_next_unpin(cx) {
                Poll::Ready(Some((kind, peer, stream))) => Poll::Ready(StreamActivity::Accepted(kind, peer, stream)),
                Poll::Ready(None) | Poll::Pending => Poll::Pending,
            }
        })
        .await
    }

    /// Ends all streams.
    pub(super) fn close(&mut self) {
        self.tasks.clear();
    }

    /// Reacts to an activity. `neighbours` encodes the answer to a peer's request for peers.
    pub(super) fn handle(
        &mut self,
        activity: StreamActivity,
        now: u64,
        neighbours: impl FnOnce(&PeerId) -> Vec<u8>,
    ) -> Option<StreamOutput> {
        match activity {
            StreamActivity::Accepted(kind, peer, stream) => {
                let _span = peer_span(peer, kind.protocol()).entered();
                match kind {
                    StreamKind::Sync => self.accept_sync(peer, stream, now),
                    StreamKind::PeerExchange => {
                        self.accept_peer_exchange(peer, stream, now, neighbours);
                        None
                    }
                    StreamKind::Question(kind) => {
                        self.accept_question(kind, peer, stream);
                        None
                    }
                    StreamKind::Blocks => {
                        let stream = self.accept_messages(peer, stream, kind, blocks_wire::MESSAGE_MAX_BYTES)?;
                        Some(StreamOutput::Emit(MeshEvent::BlocksRequested(stream)))
                    }
                    StreamKind::Chat => {
                        let stream = self.accept_messages(peer, stream, kind, chat::FRAME_MAX_BYTES)?;
                        Some(StreamOutput::Emit(MeshEvent::ChatOpened(stream)))
                    }
                }
            }
            StreamActivity::TaskEnded(outcome) => self.on_task_ended(outcome, now),
        }
    }

    fn on_task_ended(&mut self, outcome: TaskOutcome, now: u64) -> Option<StreamOutput> {
        match outcome {
            TaskOutcome::SyncOpened(peer, stream) => {
                let state = self.peers.get_mut(&peer)?;
                let wait = LINK_RETRY_MILLIS << state.attempts.min(LINK_RETRY_DOUBLINGS);
                (state.opening, state.open_at, state.attempts) = (false, now + wait, state.attempts + 1);
                self.add_link(peer, stream?, true, now)
            }
            TaskOutcome::LinkEnded(peer, number) => {
                let state = self.peers.get_mut(&peer)?;
                if state.link.as_ref().is_some_and(|(newest, _)| *newest == number) {
                    state.link = None;
                    if now >= state.linked_at + LINK_GOOD_MILLIS {
                        state.attempts = 0;
                    }
                    // The wait is over if the link had lasted: a new connection replaced the old one.
                    state.open_at = state.open_at.max(now);
                }
                None
            }
            TaskOutcome::PeersReceived(bytes) => Some(StreamOutput::Discovered(peer_exchange::decode_peers(&bytes))),
            TaskOutcome::PeersSent => {
                self.exchanges_under_way -= 1;
                None
            }
            TaskOutcome::QuestionReceived(kind, peer, stream, request) => {
                let (reply, replied) = oneshot::channel();
                let answering = async move {
                    if let Either::Left((Ok(bytes), _)) = select(replied, Delay::new(ANSWER_TIMEOUT)).await {
                        answer(stream, bytes).await;
                    }
                    TaskOutcome::QuestionEnded(kind, peer)
                };
                self.spawn(peer, kind.protocol(), answering);
                Some(StreamOutput::Emit(MeshEvent::QuestionAsked { kind, peer: peer.into(), request, reply }))
            }
            TaskOutcome::QuestionEnded(kind, peer) => {
                self.end_question(kind, peer);
                None
            }
            TaskOutcome::Done => None,
        }
    }

    /// Adds a peer with its first direct connection.
    pub(super) fn on_peer_connected(&mut self, peer: PeerId, now: u64) {
        self.peers.entry(peer).or_insert(PeerStreams {
            joined_at: now,
            link: None,
            linked_at: now,
            open_at: now,
            attempts: 0,
            opening: false,
            exchanges: 0,
        });
    }

    /// Removes a peer that has no direct connection any more. Its streams end by themselves.
    pub(super) fn on_peer_disconnected(&mut self, peer: &PeerId) {
        self.peers.remove(peer);
    }

    /// Opens the sync streams that are due: after a connection at once, after a failure or an end with backoff.
    pub(super) fn open_due_links(&mut self, now: u64) {
        let is_due = |state: &PeerStreams| state.link.is_none() && !state.opening && state.open_at <= now;
        let due: Vec<PeerId> = self.peers.iter().filter(|(_, state)| is_due(state)).map(|(peer, _)| *peer).collect();
        due.into_iter().for_each(|peer| self.open_link(peer));
    }

    /// Opens a sync stream if this side's peer id is the smaller one, whichever side dialled: both sides agree without
    /// a message.
    fn open_link(&mut self, peer: PeerId) {
        if self.local_peer_id > peer {
            return;
        }
        let Some(state) = self.peers.get_mut(&peer) else { return };
        state.opening = true;
        let mut control = self.control.clone();
        let opening = async move {
            let opened = control.open_stream(peer, StreamProtocol::new(wire::PROTOCOL)).await;
            if let Err(error) = &opened {
                tracing::debug!(%error, "sync stream not opened");
            }
            TaskOutcome::SyncOpened(peer, opened.ok())
        };
        self.spawn(peer, wire::PROTOCOL, opening);
    }

    fn accept_sync(&mut self, peer: PeerId, stream: Stream, now: u64) -> Option<StreamOutput> {
        if self.local_peer_id < peer {
            tracing::debug!("sync stream from the wrong side");
            return None;
        }
        self.add_link(peer, stream, false, now)
    }

    /// Makes a link of a sync stream. It replaces the one before, which may be dead without this side having noticed.
    fn add_link(&mut self, peer: PeerId, stream: Stream, initiator: bool, now: u64) -> Option<StreamOutput> {
        let state = self.peers.get_mut(&peer)?;
        let (to_host, incoming) = mpsc::channel(INCOMING_WAITING);
        let (outgoing, from_host, guard) = outgoing();
        self.next_link += 1;
        let number = self.next_link;
        state.link = Some((number, outgoing.clone()));
        state.linked_at = now;
        let carrying = carry(stream, to_host, from_host).map(move |()| TaskOutcome::LinkEnded(peer, number));
        self.spawn(peer, wire::PROTOCOL, carrying);
        Some(StreamOutput::Emit(MeshEvent::Linked(Link { peer: peer.into(), initiator, incoming, outgoing, guard })))
    }

    /// Sends changes over the links of peers that gossip does not cover.
    pub(super) fn send_changes(&self, bytes: &[u8], covered: &BTreeSet<PeerId>) {
        for link in self.uncovered(covered).map(|(_, link)| link) {
            // A full link is a busy one: the next comparison brings what is missing.
            if !link.is_full() {
                link.send(bytes.to_vec());
            }
        }
    }

    /// Sends a chat frame, each on a stream of its own, to linked peers that gossip does not cover.
    pub(super) fn send_frame(&mut self, frame: &[u8], covered: &BTreeSet<PeerId>) {
        let peers: Vec<PeerId> = self.uncovered(covered).map(|(peer, _)| *peer).collect();
        for peer in peers {
            let (mut control, frame) = (self.control.clone(), frame.to_vec());
            let sending = async move {
                match control.open_stream(peer, StreamProtocol::new(chat::PROTOCOL)).await {
                    Ok(stream) => {
                        let (mut stream, carrying) = blocks::carry(peer.into(), stream, chat::FRAME_MAX_BYTES);
                        // A peer that has left needs no message.
                        let sending = async move { stream.outgoing.send(frame).await.ok() };
                        join(sending, carrying).await;
                    }
                    Err(error) => tracing::debug!(%error, "chat stream not opened"),
                }
                TaskOutcome::Done
            };
            self.spawn(peer, chat::PROTOCOL, sending);
        }
    }

    fn uncovered(&self, covered: &BTreeSet<PeerId>) -> impl Iterator<Item = (&PeerId, &Outgoing)> {
        let linked = self.peers.iter().filter_map(|(peer, state)| Some((peer, &state.link.as_ref()?.1)));
        linked.filter(|(peer, _)| !covered.contains(peer))
    }

    /// Opens a block stream. Drops the sender if it can't be opened.
    pub(super) fn open_blocks(&mut self, peer: PeerId, opened: oneshot::Sender<BlockStream>) {
        self.open_messages(peer, opened, blocks_wire::PROTOCOL, blocks_wire::MESSAGE_MAX_BYTES);
    }

    /// Opens a chat stream. Drops the sender if it can't be opened.
    pub(super) fn open_chat(&mut self, peer: PeerId, opened: oneshot::Sender<BlockStream>) {
        self.open_messages(peer, opened, chat::PROTOCOL, chat::FRAME_MAX_BYTES);
    }

    fn open_messages(
        &mut self,
        peer: PeerId,
        opened: oneshot::Sender<BlockStream>,
        protocol: &'static str,
        max_bytes: usize,
    ) {
        if !self.peers.contains_key(&peer) {
            return;
        }
        let mut control = self.control.clone();
        let opening = async move {
            match control.open_stream(peer, StreamProtocol::new(protocol)).await {
                Ok(stream) => {
                    let (stream, carrying) = blocks::carry(peer.into(), stream, max_bytes);
                    if opened.send(stream).is_ok() {
                        carrying.await;
                    }
                }
                Err(error) => tracing::debug!(%error, "stream not opened"),
            }
            TaskOutcome::Done
        };
        self.spawn(peer, protocol, opening);
    }

    fn accept_messages(
        &mut self,
        peer: PeerId,
        stream: Stream,
        kind: StreamKind,
        max_bytes: usize,
    ) -> Option<BlockStream> {
        if !self.peers.contains_key(&peer) {
            return None;
        }
        let (stream, carrying) = blocks::carry(peer.into(), stream, max_bytes);
        self.spawn(peer, kind.protocol(), carrying.map(|()| TaskOutcome::Done));
        Some(stream)
    }

    /// Sends one request to a peer. Drops the sender if there is no direct connection.
    pub(super) fn ask_peer(
        &mut self,
        peer: PeerId,
        kind: QuestionKind,
        bytes: Vec<u8>,
        answer: oneshot::Sender<Result<Vec<u8>, RequestError>>,
    ) {
        if !self.peers.contains_key(&peer) {
            return;
        }
        let exchange = request(self.control.clone(), peer, kind.protocol(), bytes, kind.answer_max_bytes());
        // The caller may have been dropped.
        let exchange = exchange.map(|answered| drop(answer.send(answered)));
        self.spawn(peer, kind.protocol(), exchange.map(|()| TaskOutcome::Done));
    }

    /// Sends one request to a connected relay.
    pub(super) fn ask_relay(&mut self, relay: PeerId, question: RelayQuestion) {
        let RelayQuestion { protocol, request: bytes, answer } = question;
        let exchange = request(self.control.clone(), relay, protocol, bytes, ANSWER_MAX_BYTES);
        let exchange = exchange.instrument(peer_span(relay, protocol));
        // The caller may have been dropped.
        let exchange = exchange.map(|answered| drop(answer.send(answered)));
        self.tasks.push(exchange.map(|()| TaskOutcome::Done).boxed_local());
    }

    /// Asks a peer for other peers.
    pub(super) fn ask_for_peers(&mut self, peer: PeerId) {
        let exchange = request(self.control.clone(), peer, peer_exchange::PROTOCOL, Vec::new(), ANSWER_MAX_BYTES);
        let outcome = exchange.map(|answer| answer.map_or(TaskOutcome::Done, TaskOutcome::PeersReceived));
        self.spawn(peer, peer_exchange::PROTOCOL, outcome);
    }

    fn accept_peer_exchange(
        &mut self,
        peer: PeerId,
        stream: Stream,
        now: u64,
        neighbours: impl FnOnce(&PeerId) -> Vec<u8>,
    ) {
        let Some(state) = self.peers.get_mut(&peer) else { return };
        let minutes = now.saturating_sub(state.joined_at) / MILLIS_PER_MINUTE;
        let allowed = ANSWERS_PER_PEER.saturating_add(u32::try_from(minutes).unwrap_or(u32::MAX));
        if state.exchanges >= allowed || self.exchanges_under_way >= ANSWERS_UNDER_WAY_MAX {
            return tracing::debug!("peer exchange over the limit");
        }
        state.exchanges += 1;
        self.exchanges_under_way += 1;
        let answering = answer(stream, neighbours(&peer)).map(|()| TaskOutcome::PeersSent);
        self.spawn(peer, peer_exchange::PROTOCOL, answering);
    }

    /// Reads a question, which then goes to the host.
    fn accept_question(&mut self, kind: QuestionKind, peer: PeerId, mut stream: Stream) {
        let of_kind = self.questions_under_way.iter().filter(|((other, _), _)| *other == kind);
        let all: usize = of_kind.map(|(_, count)| count).sum();
        let of_peer = self.questions_under_way.get(&(kind, peer)).copied().unwrap_or(0);
        let (most_of_peer, most) = kind.most_waiting();
        if of_peer >= most_of_peer || all >= most {
            return tracing::debug!("question over the limit");
        }
        self.questions_under_way.insert((kind, peer), of_peer + 1);
        let reading = async move {
            match read_request(&mut stream, kind).await {
                Some(request) => TaskOutcome::QuestionReceived(kind, peer, stream, request),
                None => TaskOutcome::QuestionEnded(kind, peer),
            }
        };
        self.spawn(peer, kind.protocol(), reading);
    }

    fn end_question(&mut self, kind: QuestionKind, peer: PeerId) {
        if let Some(under_way) = self.questions_under_way.get_mut(&(kind, peer)) {
            *under_way -= 1;
            if *under_way == 0 {
                self.questions_under_way.remove(&(kind, peer));
            }
        }
    }

    fn spawn(&mut self, peer: PeerId, protocol: &'static str, task: impl Future<Output = TaskOutcome> + 'static) {
        self.tasks.push(task.instrument(peer_span(peer, protocol)).boxed_local());
    }
}

/// The span of all work on a peer's streams.
fn peer_span(peer: PeerId, protocol: &'static str) -> tracing::Span {
    tracing::info_span!("peer", %peer, protocol)
}
