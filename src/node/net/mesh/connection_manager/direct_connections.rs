//! The peers with direct connections, and how much room there is for others.
//!
//! A node keeps so many connections, [`DIRECT_MAX`] of a page. If it then refused everybody, nobody could find what only
//! this node has, and it would find nobody. So [`GUESTS_MAX`] more are let in, **guests**; once these are all there, the
//! guest that came first makes room for the next, but not before it has stayed for [`GUEST_STAY`]. Who is a guest follows
//! from the order of connections: those that this side dialled come first, then the older ones.
//!
//! For example, a page has 24 connections, three of which it dialled, when Carol opens one of its modules. Her page is the
//! 25th connection, a guest, and fetches the module. If eight more come within the next ten seconds, the last of them is
//! refused and tries again after a second; if it comes later, Carol's connection is closed for it. If one of the first 24
//! leaves before, Carol is a guest no more.
//!
//! An attacker who takes all places keeps others out no longer than before, and never ends a connection that this side
//! dialled.

use std::collections::BTreeMap;
use std::time::Duration;

use libp2p::PeerId;

use super::backoff::{Millis, millis};

/// The most direct connections that a page keeps, accepted ones included.
pub const DIRECT_MAX: usize = 24;
/// Connections beyond those that are kept, for a while.
pub const GUESTS_MAX: usize = 8;
/// How long a guest may stay at least: enough to be asked for an entry, or for a module of a few megabytes.
pub const GUEST_STAY: Duration = Duration::from_secs(10);

/// The room for one more connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// There is room.
    Some,
    /// This guest would have to leave.
    InPlaceOf(PeerId),
    /// There is none before a guest has stayed long enough.
    None,
}

/// A direct connection.
#[derive(Clone, Copy, Debug)]
struct DirectConnection {
    /// Whether this side dialled.
    dialled: bool,
    since: Millis,
}

/// The direct connections of a node.
#[derive(Debug)]
pub(super) struct DirectConnections {
    connections: BTreeMap<PeerId, DirectConnection>,
    /// How many are kept.
    kept_max: usize,
}

impl DirectConnections {
    /// Creates an empty list for so many connections, not counting guests.
    pub(super) fn new(kept_max: usize) -> Self {
        Self { connections: BTreeMap::new(), kept_max }
    }

    /// Adds a connection, or replaces the one with the same peer.
    pub(super) fn insert(&mut self, peer: PeerId, dialled: bool, now: Millis) {
        self.connections.insert(peer, DirectConnection { dialled, since: now });
    }

    /// Removes the connection with a peer.
    pub(super) fn remove(&mut self, peer: &PeerId) {
        self.connections.remove(peer);
    }

    /// Whether there is a connection with the peer.
    pub(super) fn contains(&self, peer: &PeerId) -> bool {
        self.connections.contains_key(peer)
    }

    /// Returns how many there are.
    pub(super) fn len(&self) -> usize {
        self.connections.len()
    }

    /// Returns how many of them this side dialled.
    pub(super) fn dialled(&self) -> usize {
        self.connections.values().filter(|connection| connection.dialled).count()
    }

    /// Returns the peers, in the order of their ids.
    pub(super) fn peers(&self) -> impl Iterator<Item = PeerId> {
        self.connections.keys().copied()
    }

    /// Whether there are as many as are kept, so that a further one would be a guest.
    pub(super) fn is_full(&self) -> bool {
        self.connections.len() >= self.kept_max
    }

    /// Returns the room for a peer that is not connected.
    pub(super) fn room(&self, now: Millis) -> Room {
        if self.connections.len() < self.kept_max.saturating_add(GUESTS_MAX) {
            return Room::Some;
        }
        let mut order: Vec<(bool, Millis, PeerId)> =
            self.connections.iter().map(|(peer, found)| (!found.dialled, found.since, *peer)).collect();
        order.sort_unstable();
        let guests = order.into_iter().skip(self.kept_max);
        let first = guests.min_by_key(|(_, since, _)| *since);
        match first {
            Some((_, since, peer)) if since + millis(GUEST_STAY) <= now => Room::InPlaceOf(peer),
            _ => Room::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAY: Millis = GUEST_STAY.as_millis() as Millis;

    /// A full list: of 4 that are kept the first was dialled, and the guests came one each second after them.
    fn full() -> (DirectConnections, Vec<PeerId>) {
        let mut connections = DirectConnections::new(4);
        let peers: Vec<PeerId> = (0..4 + GUESTS_MAX).map(|_| PeerId::random()).collect();
        for (nth, peer) in peers.iter().enumerate() {
            assert_eq!(connections.room(0), Room::Some);
            connections.insert(*peer, nth == 0, 1_000 * nth as Millis);
        }
        (connections, peers)
    }

    #[test]
    fn guest_that_came_first_makes_room_once_it_has_stayed() {
        let (mut connections, peers) = full();
        assert!(connections.is_full());
        assert_eq!(connections.room(4_000 + STAY - 1), Room::None);
        assert_eq!(connections.room(4_000 + STAY), Room::InPlaceOf(peers[4]));
        connections.remove(&peers[4]);
        assert_eq!(connections.room(4_000 + STAY), Room::Some);
        connections.insert(PeerId::random(), false, 4_000 + STAY);
        assert_eq!(connections.room(5_000 + STAY), Room::InPlaceOf(peers[5]), "one after the other");
    }

    #[test]
    fn guest_is_kept_once_another_one_has_left() {
        let (mut connections, peers) = full();
        connections.remove(&peers[2]);
        connections.insert(PeerId::random(), false, 20_000);
        assert_eq!(connections.room(30_000), Room::InPlaceOf(peers[5]), "the first guest is none any more");
    }

    #[test]
    fn what_this_side_dialled_is_kept_before_what_it_accepted() {
        let (mut connections, peers) = full();
        connections.remove(&peers[11]);
        connections.insert(PeerId::random(), true, 20_000);
        assert_eq!(connections.room(30_000), Room::InPlaceOf(peers[3]), "it was kept until then");
    }

    #[test]
    fn nobody_ends_a_dialled_connection_of_those_that_are_kept() {
        let (mut connections, peers) = full();
        for now in (100_000..200_000).step_by(1_000) {
            if let Room::InPlaceOf(guest) = connections.room(now) {
                connections.remove(&guest);
            }
            if connections.room(now) == Room::Some {
                connections.insert(PeerId::random(), false, now);
            }
        }
        assert!(peers[..4].iter().all(|peer| connections.contains(peer)), "nor any other that is kept");
        assert_eq!(connections.len(), 4 + GUESTS_MAX);
    }
}
