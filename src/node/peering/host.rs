//! The host of one session with a peer: carries messages between its stream and [`Session`], answers the session's
//! questions from the node, and does what it says.
//!
//! [`Session`] is pure and asks for what it needs. What one gossip message of Bob leads to:
//!
//! ```text
//!   stream or gossip ─► Input::Received(bytes) ─► session
//!       session ─► Output::Admit(changes) ─► Admission: verify, store, show ─► Input::Verdicts ─► session
//!       session ─► Output::Behind: something it builds on is missing ─► Input::Resync (by the initiator only)
//!   Outcome { admitted: 1, .. } ─► Accept: gossipsub forwards the message
//! ```
//!
//! Gossip of changes is forwarded only if it brought something new, and within a rate of this node's own: a flood of
//! valid changes ends at each node that it reaches.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use futures::channel::mpsc;
use futures::{FutureExt, StreamExt, pin_mut, select};
use futures_timer::Delay;

use crate::AdmissionReport;
use crate::Node;
use crate::net::key::NetPeerId;
use crate::net::mesh::{GossipTicket, Link, LinkFault, LinkGuard, MeshHandle, MessageAcceptance, Outgoing};
use crate::reputation::Actor;
use gen_registry_api::{Event, Failure};
use gen_registry_core::sync::rejection::Rejection;
use gen_registry_core::sync::reputation::ReputationEvent;
use gen_registry_core::sync::session::{Input, Output, Session};
use gen_registry_core::sync::wire::Message;

/// How often the session looks for timeouts.
const TICK: Duration = Duration::from_secs(1);
/// The initiator compares everything again after this many ticks, since gossip may have been lost.
const COMPARE_EVERY_TICKS: usize = 30;

/// A change that came as gossip, for the session of the peer that forwarded it.
pub(super) struct Gossip {
    /// Identifies the message, to report the outcome of its validation.
    pub(super) ticket: GossipTicket,
    /// The message.
    pub(super) bytes: Vec<u8>,
}

/// Why a session ended.
enum SessionEnd {
    /// The peer broke a rule after which nothing sensible can follow.
    Blame(Rejection),
    /// The link ended, or this node can't go on.
    Gone,
}

/// What one input led to.
#[derive(Default)]
struct Outcome {
    /// Changes that were admitted.
    admitted: usize,
    /// Whether the peer broke a rule that counts.
    marked: bool,
    /// Whether the peer has something that this node lacks.
    behind: bool,
}

/// A session with the node and the link that it belongs to.
struct Host {
    node: Rc<Node>,
    peer: NetPeerId,
    /// Whether this side begins comparisons.
    initiator: bool,
    session: Session,
    /// The queue to the peer, also to see why a link has ended.
    outgoing: Outgoing,
    _guard: LinkGuard,
}

/// Runs a session until its link ends, and bans a peer that is at fault for the end.
pub(super) async fn serve(node: Rc<Node>, mesh: MeshHandle, link: Link, gossip: mpsc::Receiver<Gossip>) {
    let Link { peer, initiator, incoming, outgoing, guard } = link;
    let session = Session::new(node.context.network.topic, initiator);
    let mut host = Host { node: node.clone(), peer, initiator, session, outgoing, _guard: guard };
    let ended = host.run(&mesh, incoming, gossip).await;
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

impl Host {
    /// Feeds the session from its stream, from gossip and from the clock. Reads nothing while too much waits for the
    /// peer.
    async fn run(
        &mut self,
        mesh: &MeshHandle,
        mut incoming: mpsc::Receiver<Result<Vec<u8>, LinkFault>>,
        mut gossip: mpsc::Receiver<Gossip>,
    ) -> Result<(), SessionEnd> {
        self.feed(Input::Connected).await?;
        let mut tick = Delay::new(TICK).fuse();
        // Not all at the same time.
        let mut ticks = self.node.context.random_below(COMPARE_EVERY_TICKS);
        loop {
            // Looked at again at each tick.
            let full = self.outgoing.is_full();
            let next = async { if full { futures::future::pending().await } else { incoming.next().await } }.fuse();
            pin_mut!(next);
            select! {
                message = next => match message {
                    Some(Ok(bytes)) => {
                        self.feed(Input::Received(bytes)).await?;
                    }
                    Some(Err(LinkFault::Oversized)) => {
                        self.count(Rejection::Oversized);
                        return Err(SessionEnd::Blame(Rejection::Oversized));
                    }
                    Some(Err(LinkFault::TooSlow)) => {
                        self.count(Rejection::Stalled);
                        return Err(SessionEnd::Blame(Rejection::Stalled));
                    }
                    None => return Err(SessionEnd::Gone),
                },
                message = gossip.next() => match message {
                    Some(Gossip { ticket, bytes }) => {
                        let received = self.receive_gossip(bytes).await;
                        mesh.validate(ticket, match &received {
                            Ok(verdict) => *verdict,
                            Err(SessionEnd::Blame(_)) => MessageAcceptance::Reject,
                            Err(SessionEnd::Gone) => MessageAcceptance::Ignore,
                        });
                        received?;
                    }
                    // A newer session with this peer.
                    None => return Err(SessionEnd::Gone),
                },
                () = tick => {
                    self.feed(Input::Tick).await?;
                    ticks += 1;
                    if self.initiator && ticks >= COMPARE_EVERY_TICKS {
                        ticks = 0;
                        self.feed(Input::Resync).await?;
                    }
                    tick = Delay::new(TICK).fuse();
                }
            }
        }
    }

    /// Feeds one gossip message and decides whether it is forwarded.
    async fn receive_gossip(&mut self, bytes: Vec<u8>) -> Result<MessageAcceptance, SessionEnd> {
        // Only a state that is not here yet is worth passing on, and worth a comparison.
        let is_known = match Message::decode(&bytes) {
            Ok(Message::AnnounceHeads { owner, heads }) => {
                let here = self.node.registry.heads(&owner);
                heads.iter().all(|head| here.contains(head))
            }
            _ => false,
        };
        if is_known {
            return Ok(MessageAcceptance::Ignore);
        }
        let outcome = self.feed(Input::Received(bytes)).await?;
        Ok(match outcome {
            Outcome { marked: true, .. } => MessageAcceptance::Reject,
            Outcome { admitted: 0, behind: false, .. } => MessageAcceptance::Ignore,
            _ if self.node.peers.take_gossip_permit(self.node.context.now()) => MessageAcceptance::Accept,
            _ => MessageAcceptance::Ignore,
        })
    }

    /// Gives the session one input, answers its questions and does what it says.
    async fn feed(&mut self, input: Input) -> Result<Outcome, SessionEnd> {
        let mut outcome = Outcome::default();
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            for output in self.session.handle(input, self.node.context.now()) {
                match output {
                    Output::Send(message) => {
                        if !self.outgoing.send(message.encode()) {
                            return Err(SessionEnd::Gone);
                        }
                    }
                    Output::AskSummaries => {
                        inputs.push_back(Input::Summaries(or_end(self.node.replication.document_summaries().await)?));
                    }
                    Output::AskVectors(owners) => {
                        inputs.push_back(Input::Vectors(or_end(self.node.replication.version_vectors(&owners).await)?));
                    }
                    Output::AskChanges { vectors, max_bytes } => {
                        let (changes, unfinished) =
                            or_end(self.node.replication.changes_beyond(&vectors, max_bytes).await)?;
                        inputs.push_back(Input::Changes { changes, unfinished });
                    }
                    Output::Admit(changes) => {
                        let report = or_end(self.node.admission.admit(changes).await)?;
                        outcome.admitted += report.admitted;
                        self.note_admitted(&report);
                        self.node.block_lists.share_if_due().await;
                        inputs.push_back(Input::Verdicts(report.verdicts));
                    }
                    Output::Behind(_) => {
                        outcome.behind = true;
                        if self.initiator {
                            inputs.push_back(Input::Resync);
                        }
                    }
                    Output::Rejected { why, mark } => {
                        outcome.marked |= mark > 0;
                        self.count(why);
                    }
                    Output::Synced => {}
                    Output::End(why) => return Err(SessionEnd::Blame(why)),
                }
            }
        }
        if self.node.peers.set_syncing(self.peer, self.session.is_syncing()) {
            self.node.context.emit(&Event::NetworkChanged);
        }
        Ok(outcome)
    }

    /// Records what a peer brought, and what persons broke, in the statistics and in reputations.
    fn note_admitted(&self, report: &AdmissionReport) {
        let admitted = report.admitted as u64;
        if admitted > 0 {
            self.node.peers.note_brought(self.peer, admitted);
            self.node.reputation.record_event(Actor::Peer(self.peer), ReputationEvent::Brought { changes: admitted });
        }
        for (person, changes) in &report.brought {
            self.node.reputation.record_event(Actor::Person(*person), ReputationEvent::Brought { changes: *changes });
        }
        for refused in &report.refused {
            if let Some((person, why)) = refused.fault_of_owner() {
                self.node.reputation.record_event(Actor::Person(person), ReputationEvent::Broke(why));
            }
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
