//! The bounded queue of events to the host.
//!
//! The loop must go on polling the swarm even if the host is slow, so it can't wait for room; and it must not store
//! without bound what peers send. What happens when the queue is full depends on the event:
//!
//! - Gossip is dropped, counted and logged. The protocols tolerate that: the next comparison brings a lost change, the
//!   next heartbeat replaces a lost one, and a channel's history is fetched from its members.
//! - Links, streams, requests and `Closing` are deferred until there is room. While one is, the loop accepts no stream
//!   and opens no link, so that few can follow: they wait at their senders instead.
//! - Of views only the newest is deferred; it replaces the one before.
//!
//! For example, a page is busy for three seconds while 24 peers send 20 messages a second each. The first 256 wait,
//! about 1,200 are dropped with one log line for each power of two, and gossipsub gets `Ignore` for each, so that no
//! peer is penalized. A block stream that a peer opens meanwhile is deferred, and accepted when the page is back.

use std::collections::VecDeque;
use std::task::Poll;

use futures::channel::mpsc;
use futures::future::poll_fn;

use crate::net::key::NetPeerId;
use crate::net::mesh::types::{GossipTicket, MeshEvent, MeshView};

/// Events that wait for the host: a burst of gossip from all peers between two turns of the host. At most
/// `GOSSIP_MAX_BYTES` each, so they hold a few megabytes at the very worst.
pub(super) const EVENTS_WAITING_MAX: usize = 256;

/// The sending end of the queue.
pub(super) struct HostEvents {
    /// The bounded queue itself.
    sender: mpsc::Sender<MeshEvent>,
    /// Events that must arrive and found the queue full, in order.
    deferred: VecDeque<MeshEvent>,
    /// The newest view, if it is deferred.
    view: Option<MeshView>,
    /// Gossip messages that were dropped since the start.
    gossip_dropped: u64,
}

impl HostEvents {
    /// Returns the queue's two ends.
    pub(super) fn new() -> (Self, mpsc::Receiver<MeshEvent>) {
        let (sender, receiver) = mpsc::channel(EVENTS_WAITING_MAX);
        (Self { sender, deferred: VecDeque::new(), view: None, gossip_dropped: 0 }, receiver)
    }

    /// Whether the host has ended.
    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Whether events are deferred because the queue is full.
    pub(super) fn is_full(&self) -> bool {
        !self.deferred.is_empty() || self.view.is_some()
    }

    /// Sends an event, or defers it if the queue is full.
    pub(super) fn emit(&mut self, event: MeshEvent) {
        if self.is_full() {
            return self.deferred.push_back(event);
        }
        if let Err(refused) = self.sender.try_send(event) {
            if refused.is_disconnected() {
                return tracing::debug!("event after the host ended");
            }
            self.deferred.push_back(refused.into_inner());
        }
    }

    /// Sends [`MeshEvent::RedundantConnectionClosed`], unless one of the same peer is deferred already.
    pub(super) fn emit_connection_closed(&mut self, peer: NetPeerId) {
        let is_same =
            |event: &MeshEvent| matches!(event, MeshEvent::RedundantConnectionClosed(other) if *other == peer);
        if !self.deferred.iter().any(is_same) {
            self.emit(MeshEvent::RedundantConnectionClosed(peer));
        }
    }

    /// Sends the newest view, or defers it in place of an older one.
    pub(super) fn emit_view(&mut self, view: MeshView) {
        if self.is_full() {
            self.view = Some(view);
        } else if let Err(refused) = self.sender.try_send(MeshEvent::Changed(view))
            && refused.is_full()
            && let MeshEvent::Changed(view) = refused.into_inner()
        {
            self.view = Some(view);
        }
    }

    /// Sends a gossip message. Returns its ticket if it is dropped: the queue is full, or the host has ended.
    #[must_use]
    pub(super) fn emit_gossip(&mut self, ticket: GossipTicket, bytes: Vec<u8>) -> Option<GossipTicket> {
        let event = MeshEvent::Gossip { ticket: ticket.clone(), bytes };
        if !self.is_full() && self.sender.try_send(event).is_ok() {
            return None;
        }
        self.gossip_dropped += 1;
        // One line for each power of two: a flood must not become a flood of lines.
        if self.gossip_dropped.is_power_of_two() {
            tracing::warn!(dropped = self.gossip_dropped, "event queue full, gossip dropped");
        }
        Some(ticket)
    }

    /// Whether the queue itself has room for an event.
    pub(super) fn has_room(&mut self) -> bool {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        !self.is_full() && self.sender.poll_ready(&mut context).is_ready()
    }

    /// Waits until a deferred event could be sent. Never ends while none is deferred.
    pub(super) async fn flush(&mut self) {
        poll_fn(|cx| {
            if !self.is_full() {
                return Poll::Pending;
            }
            match self.sender.poll_ready(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(_)) => (self.deferred, self.view) = (VecDeque::new(), None),
                Poll::Ready(Ok(())) => {
                    let view = || self.view.take().map(MeshEvent::Changed);
                    if let Some(event) = self.deferred.pop_front().or_else(view) {
                        // There is room: `poll_ready` said so.
                        self.sender.start_send(event).ok();
                    }
                }
            }
            Poll::Ready(())
        })
        .await;
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, StreamExt};

    use super::*;
    use crate::net::key::NodeKey;
    use crate::net::mesh::types::{GossipTopic, PeerView, RelayView};

    fn view(address: &str) -> MeshView {
        let relay = RelayView { address: address.to_owned(), kept: true, connected: true, reserved: false };
        MeshView { relays: vec![relay], peers: Vec::<PeerView>::new(), remembered_peers: Vec::new() }
    }

    fn ticket() -> GossipTicket {
        let from = NodeKey::fresh().net_peer_id();
        GossipTicket { from, topic: GossipTopic::Presence, message: b"id".to_vec().into() }
    }

    fn graylisted() -> (NetPeerId, MeshEvent) {
        let peer = NodeKey::fresh().net_peer_id();
        (peer, MeshEvent::Graylisted(peer))
    }

    #[test]
    fn full_event_queue_drops_gossip_and_defers_everything_else_in_order() {
        let (mut events, mut received) = HostEvents::new();
        let mut sent = 0;
        while events.has_room() {
            assert!(events.emit_gossip(ticket(), Vec::new()).is_none());
            sent += 1;
        }
        assert!((EVENTS_WAITING_MAX..=EVENTS_WAITING_MAX + 1).contains(&sent), "{sent}");
        assert!(events.emit_gossip(ticket(), Vec::new()).is_some(), "what may be lost is lost");
        assert!(!events.is_full(), "and nothing is deferred by that");
        events.emit_view(view("old"));
        let (peer, link) = graylisted();
        events.emit(link);
        events.emit_connection_closed(peer);
        events.emit_connection_closed(peer);
        events.emit(MeshEvent::Closing);
        events.emit_view(view("new"));
        assert!(events.is_full());
        assert_eq!(events.gossip_dropped, 1);
        assert!(events.flush().now_or_never().is_none(), "the host has taken nothing yet");

        let mut tail = Vec::new();
        for taken in 0.. {
            let Some(event) = received.next().now_or_never().flatten() else { break };
            if taken >= sent {
                tail.push(event);
            }
            while events.flush().now_or_never().is_some() {}
        }
        let [
            MeshEvent::Graylisted(first),
            MeshEvent::RedundantConnectionClosed(second),
            MeshEvent::Closing,
            MeshEvent::Changed(last),
        ] = &tail[..]
        else {
            panic!("{} deferred events", tail.len());
        };
        assert_eq!((*first, *second, last), (peer, peer, &view("new")), "only the newest view is sent");
        assert!(!events.is_full() && events.has_room());
        assert!(events.emit_gossip(ticket(), Vec::new()).is_none(), "gossip passes again");
    }

    #[test]
    fn ended_host_discards_deferred_events() {
        let (mut events, received) = HostEvents::new();
        while events.has_room() {
            events.emit(graylisted().1);
        }
        events.emit(MeshEvent::Closing);
        assert!(events.is_full());
        drop(received);
        assert!(events.flush().now_or_never().is_some());
        assert!(events.is_closed() && !events.is_full());
    }
}
