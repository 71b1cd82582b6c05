//! Limits on incoming handshakes at once: of all peers, and of each.
//!
//! A handshake costs a peer connection of the browser, so further ones are refused at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use libp2p::PeerId;

/// Incoming handshakes of all peers.
pub const INBOUND_HANDSHAKES_MAX: usize = 8;
/// Incoming handshakes of one peer: the second one is for a retry.
pub const INBOUND_HANDSHAKES_PER_PEER: usize = 2;

/// The slots of a node, shared by its handlers.
#[derive(Clone, Debug, Default)]
pub struct Slots {
    /// Slots in use, by peer.
    taken: Arc<Mutex<HashMap<PeerId, usize>>>,
}

/// The slot of one handshake; dropping it frees the slot.
#[derive(Debug)]
pub struct Slot {
    slots: Slots,
    peer: PeerId,
}

impl Slots {
    /// Takes a slot for a handshake, or returns `None` over either limit.
    pub fn take(&self, peer: PeerId) -> Option<Slot> {
        let mut taken = self.lock();
        let (all, its) = (taken.values().sum::<usize>(), taken.get(&peer).copied().unwrap_or(0));
        if all >= INBOUND_HANDSHAKES_MAX || its >= INBOUND_HANDSHAKES_PER_PEER {
            return None;
        }
        taken.insert(peer, its + 1);
        drop(taken);
        Some(Slot { slots: self.clone(), peer })
    }

    /// Locks the slots, also after a panic: counts have no broken state.
    fn lock(&self) -> MutexGuard<'_, HashMap<PeerId, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.slots.lock();
        match taken.get_mut(&self.peer) {
            Some(its) if *its > 1 => *its -= 1,
            _ => {
                taken.remove(&self.peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_of_one_peer_are_limited() {
        let (slots, peer) = (Slots::default(), PeerId::random());
        let held: Vec<Slot> = (0..INBOUND_HANDSHAKES_PER_PEER).filter_map(|_| slots.take(peer)).collect();
        assert_eq!(held.len(), INBOUND_HANDSHAKES_PER_PEER);
        assert!(slots.take(peer).is_none());
        let other = slots.take(PeerId::random());
        assert!(other.is_some(), "other peers are not affected");
        drop(held);
        assert!(slots.take(peer).is_some(), "dropped slots are free");
    }

    #[test]
    fn slots_of_all_peers_are_limited() {
        let slots = Slots::default();
        let mut held: Vec<Slot> = (0..INBOUND_HANDSHAKES_MAX).filter_map(|_| slots.take(PeerId::random())).collect();
        assert_eq!(held.len(), INBOUND_HANDSHAKES_MAX);
        assert!(slots.take(PeerId::random()).is_none());
        held.pop();
        assert!(slots.take(PeerId::random()).is_some());
    }
}
