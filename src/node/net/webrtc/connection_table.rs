//! The connections of a browser, and which of them are superfluous. Pure: opens and closes nothing.
//!
//! Of two direct connections, one dialled by each side, the one dialled by the smaller peer id remains: both sides
//! decide alike without a message. Of two that one side dialled, that side alone closes the newer one: only it can
//! order them. But no peer dials while it has a direct connection, so a dial long afterwards means that the older one
//! is dead without this side having noticed: then the newer one remains.
//!
//! ```text
//!  both dial at once           Alice's table            Bob's table              remains
//!    Alice < Bob               A→B (Us), B→A (Them)     A→B (Them), B→A (Us)     A→B on both sides
//!  Alice dials twice           A→B 1, A→B 2             A→B 2, A→B 1 (!)         1: Alice closes 2
//!  Alice reloads her page and dials 20 s later
//!                              A→B 2                    A→B 1 (settled), A→B 2   2: Bob closes the dead one
//! ```

use std::collections::HashMap;

use libp2p::PeerId;
use libp2p::swarm::ConnectionId;

/// Which side dialled a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialler {
    Us,
    Them,
}

/// One connection to a peer.
#[derive(Clone, Copy, Debug)]
struct Entry {
    id: ConnectionId,
    dialler: Dialler,
    /// Whether it is a direct one; else it is relayed.
    direct: bool,
    /// It is so old that no connection dialled at the same time can follow.
    settled: bool,
    /// It is being closed, and counts no more.
    closing: bool,
}

/// The connections to all peers.
#[derive(Debug)]
pub struct ConnectionTable {
    /// This node's peer id: of two simultaneous dials, the smaller id's remains.
    local: PeerId,
    /// The connections to each peer, the oldest first.
    entries: HashMap<PeerId, Vec<Entry>>,
}

impl ConnectionTable {
    /// Creates an empty table. `local` is this node's peer id.
    pub fn new(local: PeerId) -> Self {
        Self { local, entries: HashMap::new() }
    }

    /// Adds a relayed connection.
    pub fn add_relayed(&mut self, peer: PeerId, id: ConnectionId, dialler: Dialler) {
        self.add(peer, Entry { id, dialler, direct: false, settled: false, closing: false });
    }

    /// Adds a direct connection. Returns those to be closed because of it, possibly itself.
    #[must_use]
    pub fn add_direct(&mut self, peer: PeerId, id: ConnectionId, dialler: Dialler) -> Vec<ConnectionId> {
        let mut closed = self.close_settled(peer);
        self.add(peer, Entry { id, dialler, direct: true, settled: false, closing: false });
        let preferred = if self.local < peer { Dialler::Us } else { Dialler::Them };
        let entries = self.entries.entry(peer).or_default();
        let remaining = match entries.iter().any(|entry| entry.is_active() && entry.dialler == preferred) {
            true => preferred,
            false => dialler,
        };
        let mut seen_own = false;
        for entry in entries.iter_mut().filter(|entry| entry.is_active()) {
            let repeated = entry.dialler == Dialler::Us && seen_own;
            seen_own |= entry.dialler == Dialler::Us;
            if entry.dialler != remaining || repeated {
                entry.closing = true;
                closed.push(entry.id);
            }
        }
        closed
    }

    /// Marks a connection as settled: later ones were not dialled at the same time.
    pub fn settle(&mut self, peer: PeerId, id: ConnectionId) {
        for entry in self.entries.get_mut(&peer).into_iter().flatten().filter(|entry| entry.id == id) {
            entry.settled = true;
        }
    }

    /// Marks settled direct connections as closing and returns them: the peer, which dialled again, has lost them.
    fn close_settled(&mut self, peer: PeerId) -> Vec<ConnectionId> {
        let mut closed = Vec::new();
        for entry in self.entries.get_mut(&peer).into_iter().flatten() {
            if entry.is_active() && entry.settled {
                entry.closing = true;
                closed.push(entry.id);
            }
        }
        closed
    }

    /// Removes a connection that has ended.
    pub fn remove(&mut self, peer: PeerId, id: ConnectionId) {
        if let Some(entries) = self.entries.get_mut(&peer) {
            entries.retain(|entry| entry.id != id);
            if entries.is_empty() {
                self.entries.remove(&peer);
            }
        }
    }

    /// Whether there is a direct connection that is not being closed.
    pub fn has_direct(&self, peer: &PeerId) -> bool {
        self.of(peer).any(Entry::is_active)
    }

    /// Returns the newest relayed connection: an older one may be dead without this side having noticed.
    pub fn relayed(&self, peer: &PeerId) -> Option<ConnectionId> {
        self.of(peer).filter(|entry| !entry.direct && !entry.closing).last().map(|entry| entry.id)
    }

    /// Returns relayed connections that are superfluous because of a direct one, as far as this side closes them: those
    /// it dialled, and all of them if it dialled the direct one.
    #[must_use]
    pub fn superfluous(&mut self, peer: &PeerId) -> Vec<ConnectionId> {
        let Some(entries) = self.entries.get_mut(peer) else { return Vec::new() };
        let Some(direct) = entries.iter().find(|entry| entry.is_active()).copied() else { return Vec::new() };
        let ours = |entry: &Entry| direct.dialler == Dialler::Us || entry.dialler == Dialler::Us;
        let mut closed = Vec::new();
        for entry in entries.iter_mut().filter(|entry| !entry.direct && !entry.closing) {
            if ours(entry) {
                entry.closing = true;
                closed.push(entry.id);
            }
        }
        closed
    }

    /// Adds a connection as the newest.
    fn add(&mut self, peer: PeerId, entry: Entry) {
        self.entries.entry(peer).or_default().push(entry);
    }

    /// Returns the connections to a peer, the oldest first.
    fn of(&self, peer: &PeerId) -> impl Iterator<Item = &Entry> {
        self.entries.get(peer).into_iter().flatten()
    }
}

impl Entry {
    /// Whether it is a direct connection that is not being closed.
    fn is_active(&self) -> bool {
        self.direct && !self.closing
    }
}

#[cfg(test)]
mod tests {
    use super::Dialler::{Them, Us};
    use super::*;

    fn id(number: usize) -> ConnectionId {
        ConnectionId::new_unchecked(number)
    }

    /// Returns the tables of two peers, the smaller one's first.
    fn two() -> (ConnectionTable, ConnectionTable) {
        let (one, two) = (PeerId::random(), PeerId::random());
        (ConnectionTable::new(one.min(two)), ConnectionTable::new(one.max(two)))
    }

    #[test]
    fn both_sides_close_the_connection_dialled_by_the_larger_peer_id() {
        for smaller_first in [(true, true), (true, false), (false, true), (false, false)] {
            let (mut small, mut large) = two();
            let (smalls, larges) = (small.local, large.local);
            // Connection 1 was dialled by the smaller, connection 2 by the larger.
            let order = |first: bool| if first { [1, 2] } else { [2, 1] };
            let closed_by_small: Vec<_> = order(smaller_first.0)
                .map(|number| small.add_direct(larges, id(number), if number == 1 { Us } else { Them }))
                .concat();
            let closed_by_large: Vec<_> = order(smaller_first.1)
                .map(|number| large.add_direct(smalls, id(number), if number == 1 { Them } else { Us }))
                .concat();
            assert_eq!((closed_by_small, closed_by_large), (vec![id(2)], vec![id(2)]), "{smaller_first:?}");
            small.remove(larges, id(2));
            assert!(small.has_direct(&larges) && large.has_direct(&smalls));
        }
    }

    #[test]
    fn side_that_dialled_twice_closes_the_newer_connection() {
        for mut side in <[ConnectionTable; 2]>::from(two()) {
            let other = PeerId::random();
            assert_eq!(side.add_direct(other, id(1), Us), []);
            assert_eq!(side.add_direct(other, id(2), Us), [id(2)]);
            let third = PeerId::random();
            assert_eq!(side.add_direct(third, id(3), Them), []);
            assert_eq!(side.add_direct(third, id(4), Them), []);
        }
    }

    #[test]
    fn connection_after_settling_replaces_the_older_one() {
        // Whichever side has the smaller peer id, whichever dialled the old one.
        for (mut side, other) in <[ConnectionTable; 2]>::from(two()).into_iter().zip([[0xff; 32], [0; 32]]) {
            let other = PeerId::from_bytes(&[&[0, 32], other.as_slice()].concat()).expect("an identity multihash");
            assert_eq!(side.add_direct(other, id(1), Us), []);
            side.settle(other, id(1));
            assert!(side.has_direct(&other));
            assert_eq!(side.add_direct(other, id(2), Them), [id(1)]);
            side.settle(other, id(2));
            assert_eq!(side.add_direct(other, id(3), Them), [id(2)]);
            assert!(side.has_direct(&other));
        }
    }

    #[test]
    fn relayed_connections_are_superfluous_besides_a_direct_one() {
        let (mut table, other) = two();
        let other = other.local;
        table.add_relayed(other, id(1), Us);
        table.add_relayed(other, id(2), Them);
        assert_eq!(table.relayed(&other), Some(id(2)));
        assert_eq!(table.superfluous(&other), [], "there is no direct connection yet");
        assert_eq!(table.add_direct(other, id(3), Us), []);
        assert_eq!(table.superfluous(&other), [id(1), id(2)], "the side that dialled the direct one closes all");
        assert_eq!(table.superfluous(&other), [], "once");
        assert_eq!(table.relayed(&other), None);

        let third = PeerId::random();
        table.add_relayed(third, id(4), Us);
        table.add_relayed(third, id(5), Them);
        assert_eq!(table.add_direct(third, id(6), Them), []);
        assert_eq!(table.superfluous(&third), [id(4)], "the other side closes its own");
        table.remove(third, id(6));
        assert!(!table.has_direct(&third));
    }
}
