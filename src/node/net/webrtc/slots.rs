//! Limits on incoming handshakes at once: of all peers, of each, and of those that one relay introduces.
//!
//! A handshake costs a peer connection of the browser, so further ones are refused at once. A peer id costs nothing, so
//! the strangers of one relay could take every slot with many; each relay has its own share, and those at another relay
//! are not affected.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use libp2p::PeerId;

use crate::net::RELAYS_MAX;

/// Incoming handshakes of one peer: the second one is for a retry.
pub const INBOUND_HANDSHAKES_PER_PEER: usize = 2;

/// Slots in use: by peer, and by the relay that introduced the peers.
#[derive(Debug, Default)]
struct Taken {
    by_peer: HashMap<PeerId, usize>,
    by_relay: HashMap<PeerId, usize>,
}

/// The slots of a node, shared by its handlers.
#[derive(Clone, Debug)]
pub struct Slots {
    taken: Arc<Mutex<Taken>>,
    per_relay: usize,
}

/// The slot of one handshake; dropping it frees the slot.
#[derive(Debug)]
pub struct Slot {
    slots: Slots,
    peer: PeerId,
    relay: PeerId,
}

impl Slots {
    /// Returns the slots of a node: so many for the peers that one relay introduces. Others are introduced only by the
    /// relays that a node has a place at, so each of them has its whole share.
    pub fn new(per_relay: usize) -> Self {
        Self { taken: Arc::default(), per_relay }
    }

    /// Takes a slot for a handshake with a peer that a relay introduced, or returns `None` over any of the limits.
    pub fn take(&self, peer: PeerId, relay: PeerId) -> Option<Slot> {
        let mut taken = self.lock();
        let of = |counts: &HashMap<PeerId, usize>, of: &PeerId| counts.get(of).copied().unwrap_or(0);
        if taken.by_peer.values().sum::<usize>() >= self.per_relay.saturating_mul(RELAYS_MAX)
            || of(&taken.by_relay, &relay) >= self.per_relay
            || of(&taken.by_peer, &peer) >= INBOUND_HANDSHAKES_PER_PEER
        {
            return None;
        }
        *taken.by_peer.entry(peer).or_default() += 1;
        *taken.by_relay.entry(relay).or_default() += 1;
        drop(taken);
        Some(Slot { slots: self.clone(), peer, relay })
    }

    /// Locks the slots, also after a panic: counts have no broken state.
    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.slots.lock();
        release(&mut taken.by_peer, &self.peer);
        release(&mut taken.by_relay, &self.relay);
    }
}

/// Takes one off a count, and forgets what has none left.
fn release(counts: &mut HashMap<PeerId, usize>, of: &PeerId) {
    match counts.get_mut(of) {
        Some(count) if *count > 1 => *count -= 1,
        _ => drop(counts.remove(of)),
    }
}

#[cfg(test)]
mod tests {
    use gen_registry_core::node_limits::HANDSHAKES_PER_RELAY;

    use super::*;

    #[test]
    fn slots_of_one_peer_are_limited() {
        let (slots, peer, relay) = (Slots::new(HANDSHAKES_PER_RELAY), PeerId::random(), PeerId::random());
        let held: Vec<Slot> = (0..INBOUND_HANDSHAKES_PER_PEER).filter_map(|_| slots.take(peer, relay)).collect();
        assert_eq!(held.len(), INBOUND_HANDSHAKES_PER_PEER);
        assert!(slots.take(peer, PeerId::random()).is_none(), "through whichever relay");
        let other = slots.take(PeerId::random(), relay);
        assert!(other.is_some(), "other peers are not affected");
        drop(held);
        assert!(slots.take(peer, relay).is_some(), "dropped slots are free");
    }

    #[test]
    fn strangers_of_one_relay_leave_slots_to_those_of_others() {
        let (slots, crowded) = (Slots::new(HANDSHAKES_PER_RELAY), PeerId::random());
        let mut held: Vec<Slot> =
            (0..HANDSHAKES_PER_RELAY).filter_map(|_| slots.take(PeerId::random(), crowded)).collect();
        assert_eq!(held.len(), HANDSHAKES_PER_RELAY);
        assert!(slots.take(PeerId::random(), crowded).is_none());
        let (peer, quiet) = (PeerId::random(), PeerId::random());
        assert!(slots.take(peer, quiet).is_some(), "another relay's share is its own");
        held.pop();
        assert!(slots.take(PeerId::random(), crowded).is_some());
    }

    #[test]
    fn slots_of_all_peers_are_limited() {
        let slots = Slots::new(HANDSHAKES_PER_RELAY);
        let mut held: Vec<Slot> = (0..RELAYS_MAX)
            .flat_map(|_| {
                let relay = PeerId::random();
                (0..HANDSHAKES_PER_RELAY).map(move |_| relay)
            })
            .filter_map(|relay| slots.take(PeerId::random(), relay))
            .collect();
        assert_eq!(held.len(), HANDSHAKES_PER_RELAY * RELAYS_MAX);
        assert!(slots.take(PeerId::random(), PeerId::random()).is_none());
        held.pop();
        assert!(slots.take(PeerId::random(), PeerId::random()).is_some());
        drop(held);
        let taken = slots.lock();
        assert!(taken.by_peer.is_empty() && taken.by_relay.is_empty(), "nothing is kept of those that ended");
    }
}
