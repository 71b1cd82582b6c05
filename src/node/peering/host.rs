//! The host of one exchange with a peer: carries messages between its stream and [`Exchange`], loads and admits what it
//! asks for, and says what changed here.
//!
//! ```text
//!   stream ─► Input::Message(bytes) ─► exchange
//!       exchange ─► Output::Load(asks) ─► Registry: from memory and store ─► Input::Loaded ─► exchange
//!       exchange ─► Output::Admit(pieces) ─► Admission: verify, store, show ─► Input::Admitted ─► exchange
//!   own change, or pieces of another peer ─► News ─► Input::Changed, at most once in 200 ms
//! ```
//!
//! So an edit is at every connected peer after one and a half round trips, and at theirs after as much again. Nothing is
//! lost if it is not: a round compares everything from time to time.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, VecDeque};
use std::rc::{Rc, Weak};
use std::time::Duration;

use futures::channel::mpsc;
use futures::future::{Either, LocalBoxFuture, select};
use futures::{FutureExt, SinkExt, StreamExt, pin_mut};
use futures_timer::Delay;

use crate::AdmissionReport;
use crate::Node;
use crate::net::key::NetPeerId;
use crate::net::mesh::{Link, LinkFault, LinkGuard, MeshHandle, Outgoing};
use crate::peering::Sessions;
use crate::reputation::Actor;
use gen_registry_api::{Event, Failure};
use gen_registry_core::keys::Did;
use gen_registry_core::ring::RingRange;
use gen_registry_core::sync::exchange::budget::{NEWS_BURST, NEWS_EVERY, NEWS_MAX};
use gen_registry_core::sync::exchange::wire::Message;
use gen_registry_core::sync::exchange::{Exchange, Input, Output, PreparedPage};
use gen_registry_core::sync::rejection::Rejection;
use gen_registry_core::sync::reputation::ReputationEvent;
use gen_registry_core::time::Timestamp;

/// How often the host looks at the clock.
const TICK: Duration = Duration::from_secs(1);
/// The initiator compares everything again after this many ticks.
const COMPARE_EVERY_TICKS: usize = 30;
/// Whom this node wants wherever they are is asked for by name after this many ticks.
const WANT_EVERY_TICKS: usize = 300;
/// A round in which the peer says nothing for so long is given up.
const STALLED_AFTER: Duration = Duration::from_secs(30);
/// A page of fewer bytes is not prepared: less work than to have a worker do it.
const PREPARED_MIN_BYTES: usize = 32 * 1024;
/// Messages that are taken ahead of their turn, beside the one that waits for room.
const ARRIVALS_AHEAD_MAX: usize = 1;
/// Identities of which a session has still to say that they changed. What is beyond is left to the next comparison.
const NEWS_WAITING_MAX: usize = 4 * NEWS_MAX;

/// What a session has still to say.
pub(super) struct News {
    changed: RefCell<BTreeSet<Did>>,
    wake: RefCell<mpsc::Sender<()>>,
}

/// Why a session ended.
enum SessionEnd {
    /// The peer broke a rule after which nothing sensible can follow.
    Blame(Rejection),
    /// The link ended, or this node can't go on.
    Gone,
}

/// A message of the peer, and what a page is prepared to.
struct Arrival {
    message: Result<Vec<u8>, LinkFault>,
    prepared: Option<Preparing>,
}

/// Requested pages that have not arrived yet: as many may be prepared in advance.
type PagesDue = Cell<usize>;

/// A page that is being prepared; `None` if no worker could do it.
type Preparing = LocalBoxFuture<'static, Option<PreparedPage>>;

/// An exchange with the node and the link that it belongs to.
struct Host {
    node: Rc<Node>,
    sessions: Rc<Sessions>,
    peer: NetPeerId,
    /// Whether this side begins comparisons.
    initiator: bool,
    exchange: Exchange,
    has_begun: bool,
    /// Owned by the table of sessions: gone once a newer session with this peer took its place there.
    news: Weak<News>,
    /// The range that the peer was told.
    range: RingRange,
    /// Who was asked for by name.
    asked: BTreeSet<Did>,
    ticks_until_asking: usize,
    /// When the peer said something last.
    last_message: Timestamp,
    /// What the page that is fed is prepared to.
    prepared: Option<Preparing>,
    pages_due: Rc<PagesDue>,
    /// The queue to the peer, also to see why a link has ended.
    outgoing: Outgoing,
    _guard: LinkGuard,
}

impl News {
    /// Nothing to say, and what wakes when there is.
    pub(super) fn new() -> (Rc<Self>, mpsc::Receiver<()>) {
        let (wake, woken) = mpsc::channel(0);
        (Rc::new(Self { changed: RefCell::default(), wake: RefCell::new(wake) }), woken)
    }

    /// Adds an identity of which something changed.
    pub(super) fn add(&self, did: Did) {
        let mut changed = self.changed.borrow_mut();
        if changed.len() < NEWS_WAITING_MAX {
            changed.insert(did);
        }
        // Full: the session is awake already.
        self.wake.borrow_mut().try_send(()).ok();
    }

    /// Takes what is said next.
    fn take(&self) -> Vec<Did> {
        let mut changed = self.changed.borrow_mut();
        let next: Vec<Did> = changed.iter().take(NEWS_MAX).copied().collect();
        changed.retain(|did| !next.contains(did));
        next
    }
}

/// Runs an exchange until its link ends, and bans a peer that is at fault for the end.
pub(super) async fn serve(
    node: Rc<Node>,
    mesh: MeshHandle,
    link: Link,
    sessions: Rc<Sessions>,
    (news, woken): (Weak<News>, mpsc::Receiver<()>),
) {
    let Link { peer, initiator, incoming, outgoing, guard } = link;
    let last_message = node.context.now();
    let exchange = Exchange::new(initiator, sessions.node_budget()).within(&node.context.limits);
    let mut host = Host {
        node: node.clone(),
        sessions,
        peer,
        initiator,
        exchange,
        has_begun: false,
        news,
        range: node.retainer.range(),
        asked: BTreeSet::new(),
        ticks_until_asking: WANT_EVERY_TICKS,
        last_message,
        prepared: None,
        pages_due: Rc::default(),
        outgoing,
        _guard: guard,
    };
    let pages_due = host.pages_due.clone();
    let ended = {
        let (ahead, arrivals) = mpsc::channel(ARRIVALS_AHEAD_MAX);
        let receiving = receive(&node, incoming, ahead, &pages_due);
        let running = host.run(arrivals, woken);
        pin_mut!(receiving, running);
        match select(receiving, running).await {
            Either::Left(((), running)) => running.await,
            Either::Right((ended, _)) => ended,
        }
    };
    node.retainer.forget_peer(peer);
    if matches!(ended, Err(SessionEnd::Gone)) && host.outgoing.fault() == Some(LinkFault::TooSlow) {
        // It was noticed when something was to be said, before the word of it came.
        host.count(Rejection::Stalled);
    }
    if let Err(SessionEnd::Blame(why)) = ended {
        tracing::info!(%peer, %why, "a peer is sent away");
        // Being of another network is no fault, and a silent peer may only have been unlucky.
        if why.mark() > 0 && why != Rejection::Stalled {
            node.reputation.ban(&mesh, peer);
        }
    }
    if node.peers.set_syncing(peer, false) {
        node.context.emit(&Event::NetworkChanged);
    }
}

/// Receives messages slightly ahead of their processing, and has pages prepared meanwhile:
///
/// ```text
///   this thread      ── admit page 1 ──►── admit page 2 ──►
///   a worker         ── prepare page 2 ──►── prepare page 3 ──►
/// ```
///
/// Unrequested pages are not prepared: all sessions share the worker.
async fn receive(
    node: &Node,
    mut incoming: mpsc::Receiver<Result<Vec<u8>, LinkFault>>,
    mut ahead: mpsc::Sender<Arrival>,
    pages_due: &PagesDue,
) {
    while let Some(message) = incoming.next().await {
        let page = message.as_ref().ok().filter(|bytes| Message::is_page(bytes) && pages_due.get() > 0);
        let prepared = page.and_then(|page| {
            pages_due.set(pages_due.get() - 1);
            (page.len() >= PREPARED_MIN_BYTES).then(|| node.begin_to_prepare(page)).flatten()
        });
        if ahead.send(Arrival { message, prepared }).await.is_err() {
            return;
        }
    }
}

impl Host {
    /// Feeds the exchange from its stream, from news and from the clock. Reads nothing while too much waits for the peer, or
    /// the peer has caused too much work.
    async fn run(
        &mut self,
        mut arrivals: mpsc::Receiver<Arrival>,
        mut woken: mpsc::Receiver<()>,
    ) -> Result<(), SessionEnd> {
        self.feed(Input::Opened).await?;
        let mut tick = Delay::new(TICK).fuse();
        let (mut news_allowed, mut allow_news) = (NEWS_BURST, futures::future::Fuse::terminated());
        // Not all at the same time.
        let mut ticks = self.node.context.random_below(COMPARE_EVERY_TICKS);
        loop {
            // Looked at again at each tick.
            let waits = self.outgoing.is_full() || self.is_resting();
            let next = async { if waits { futures::future::pending().await } else { arrivals.next().await } }.fuse();
            pin_mut!(next);
            futures::select! {
                arrival = next => match arrival.map(|Arrival { message, prepared }| (message, prepared)) {
                    Some((Ok(bytes), prepared)) => {
                        self.last_message = self.node.context.now();
                        self.prepared = prepared;
                        self.feed(Input::Message(bytes)).await?;
                    }
                    Some((Err(LinkFault::Oversized), _)) => {
                        self.count(Rejection::Oversized);
                        return Err(SessionEnd::Blame(Rejection::Oversized));
                    }
                    Some((Err(LinkFault::TooSlow), _)) => {
                        self.count(Rejection::Stalled);
                        return Err(SessionEnd::Blame(Rejection::Stalled));
                    }
                    None => return Err(SessionEnd::Gone),
                },
                woken = woken.next() => match woken {
                    Some(()) => {
                        if news_allowed > 0 && self.say_news().await? {
                            news_allowed -= 1;
                            if futures::future::FusedFuture::is_terminated(&allow_news) {
                                allow_news = Delay::new(NEWS_EVERY).fuse();
                            }
                        }
                    }
                    // A newer session with this peer.
                    None => return Err(SessionEnd::Gone),
                },
                () = allow_news => {
                    news_allowed += 1;
                    if self.say_news().await? {
                        news_allowed -= 1;
                    }
                    if news_allowed < NEWS_BURST {
                        allow_news = Delay::new(NEWS_EVERY).fuse();
                    }
                }
                () = tick => {
                    self.check_progress()?;
                    self.say_range().await?;
                    self.ask_for_wanted().await?;
                    ticks += 1;
                    if self.initiator && ticks >= COMPARE_EVERY_TICKS {
                        ticks = 0;
                        self.feed(Input::Begin).await?;
                    }
                    tick = Delay::new(TICK).fuse();
                }
            }
        }
    }

    /// Whether nothing is read of the peer for now. It can't be late meanwhile.
    fn is_resting(&mut self) -> bool {
        let now = self.node.context.now();
        let rests = self.exchange.is_resting(now);
        if rests {
            self.last_message = now;
        }
        rests
    }

    /// Says what changed here since the last time; false if nothing did.
    async fn say_news(&mut self) -> Result<bool, SessionEnd> {
        let changed = self.news.upgrade().map(|news| news.take()).unwrap_or_default();
        if changed.is_empty() {
            return Ok(false);
        }
        self.feed(Input::Changed(changed)).await?;
        Ok(true)
    }

    /// Says which range of identities is kept here, if it is another one.
    async fn say_range(&mut self) -> Result<(), SessionEnd> {
        let range = self.node.retainer.range();
        if range == self.range {
            return Ok(());
        }
        self.range = range;
        self.feed(Input::RangeChanged).await
    }

    /// Asks by name for who is wanted and not compared with this peer: at once for the first time, then from time to time.
    async fn ask_for_wanted(&mut self) -> Result<(), SessionEnd> {
        if !self.exchange.has_greeted() {
            return Ok(());
        }
        self.ticks_until_asking = self.ticks_until_asking.saturating_sub(1);
        if self.ticks_until_asking == 0 {
            self.ticks_until_asking = WANT_EVERY_TICKS;
            self.asked.clear();
        }
        let compared = self.exchange.compared(&self.node.known());
        let wanted = self.node.retainer.wanted_from(self.peer, compared);
        let wanted: Vec<Did> = wanted.into_iter().filter(|did| self.asked.insert(*did)).collect();
        if wanted.is_empty() { Ok(()) } else { self.feed(Input::Want(wanted)).await }
    }

    /// Ends the session if the peer owes an answer for too long.
    fn check_progress(&self) -> Result<(), SessionEnd> {
        let waited = self.last_message.plus(STALLED_AFTER) <= self.node.context.now();
        if !waited || !self.exchange.is_busy() {
            return Ok(());
        }
        self.count(Rejection::Stalled);
        Err(SessionEnd::Blame(Rejection::Stalled))
    }

    /// Gives the exchange one input, and does what it says.
    async fn feed(&mut self, input: Input) -> Result<(), SessionEnd> {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let now = self.node.context.now();
            let due = self.exchange.pages_due();
            let outputs = self.exchange.handle(input, &self.node.known(), now);
            // Asked for since then; those that arrived before their turn were subtracted when they did.
            self.pages_due.set(self.pages_due.get() + self.exchange.pages_due().saturating_sub(due));
            for output in outputs {
                match output {
                    Output::Send(message) => {
                        if !self.outgoing.send(message.encode()) {
                            return Err(SessionEnd::Gone);
                        }
                    }
                    Output::Load { ticket, asks } => {
                        let pieces = or_end(self.node.answer(&asks).await.map_err(crate::errors::store_failed))?;
                        inputs.push_back(Input::Loaded { ticket, pieces });
                    }
                    Output::Admit(pieces) => {
                        let prepared = match self.prepared.take() {
                            Some(preparing) => preparing.await.unwrap_or_default(),
                            None => PreparedPage::default(),
                        };
                        let report = or_end(self.node.admission.admit_prepared(pieces, prepared).await)?;
                        self.note_admitted(&report);
                        self.node.block_lists.share_if_due().await;
                        inputs.push_back(Input::Admitted(report.outcome));
                    }
                    Output::Follow(changes) => {
                        if !or_end(self.node.admission.follow(&changes).await)? {
                            self.count(Rejection::Forged);
                        }
                    }
                    Output::Rejected(why) => self.count(why),
                    Output::Synced => {}
                    Output::Ended => return Err(SessionEnd::Blame(self.exchange.last_fault())),
                }
            }
            if self.initiator && !self.has_begun && self.exchange.has_greeted() {
                self.has_begun = true;
                inputs.push_back(Input::Begin);
            }
        }
        if self.node.peers.set_syncing(self.peer, self.exchange.is_busy()) {
            self.node.context.emit(&Event::NetworkChanged);
        }
        Ok(())
    }

    /// Records what a peer brought, in the statistics and in reputations, and passes the word on to other peers.
    fn note_admitted(&self, report: &AdmissionReport) {
        let admitted = report.outcome.kept.len() as u64;
        if admitted > 0 {
            self.node.peers.note_brought(self.peer, admitted);
        }
        let earning = self.node.interests.take_credits(report.brought.keys());
        if !earning.is_empty() {
            let event = ReputationEvent::Brought { people: earning.len() as u64 };
            self.node.reputation.record_event(Actor::Peer(self.peer), event);
        }
        for person in earning {
            self.node.reputation.record_event(Actor::Person(person), ReputationEvent::Brought { people: 1 });
        }
        for did in &report.people {
            self.sessions.announce(did, Some(self.peer));
        }
    }

    /// Counts a broken rule against the peer.
    fn count(&self, why: Rejection) {
        self.node.reputation.note_rejection(self.peer, why);
    }
}

/// Ends the session if this node's own store failed: no fault of the peer, but nothing more can be said.
fn or_end<T>(result: Result<T, Failure>) -> Result<T, SessionEnd> {
    result.map_err(|failure| {
        tracing::error!(code = ?failure.code, "the store failed during a session");
        SessionEnd::Gone
    })
}
