//! Counts the registrations that rendezvous stores, and decides which peers have too many.
//!
//! libp2p limits the listed ones, but also stores those that a newer one replaced, until they expire: this counts both.
//! It can't refuse a registration, which libp2p reports only afterwards; it decides whether the peer is disconnected.
//!
//! For example, a peer registers in the same namespace every second. libp2p lists one registration, but stores some
//! 1,200 for 20 minutes, 2 KiB each. This counts them all, and after 64 has the peer disconnected; if it returns under
//! new peer ids, its address is blocked after 240 in one minute.

use std::collections::HashMap;
use std::net::IpAddr;

use libp2p::PeerId;
use libp2p::rendezvous::{Namespace, Registration};

use super::limits::{
    REGISTRATION_ADDRESSES, REGISTRATIONS_PER_ADDRESS_RATE, REGISTRATIONS_PER_CONNECTION, REGISTRATIONS_STORED,
};
use super::window::Window;

/// What to do with a peer that registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RegistrationVerdict {
    /// It is within the limits.
    Accept,
    /// Disconnect it: what it registered is stored until it expires, but it adds nothing more.
    Disconnect,
    /// Disconnect it, and refuse connections from its address for a while.
    BlockAddress,
}

/// The registrations of one peer in one namespace.
#[derive(Default)]
struct StoredRegistrations {
    /// All that libp2p stores, replaced ones included.
    count: usize,
    /// Whether the newest is listed, i.e. not unregistered.
    listed: bool,
}

/// The registrations of all peers.
#[derive(Default)]
pub(super) struct Registrations {
    /// What is stored, by peer and namespace.
    stored: HashMap<(PeerId, Namespace), StoredRegistrations>,
    /// The sum of their counts.
    total: usize,
    /// Registrations of each connected peer.
    by_peer: HashMap<PeerId, usize>,
    /// Registrations from each address in the current window.
    by_address: Window<IpAddr>,
}

impl Registrations {
    /// Counts a registration. `address` is the peer's, or `None` if all peers have the same one; `now` is in
    /// milliseconds since 1970.
    pub(super) fn on_registered(
        &mut self,
        peer: PeerId,
        address: Option<IpAddr>,
        registration: &Registration,
        now: u64,
    ) -> RegistrationVerdict {
        let stored = self.stored.entry((peer, registration.namespace.clone())).or_default();
        (stored.count, stored.listed) = (stored.count + 1, true);
        self.total += 1;
        let of_peer = self.by_peer.entry(peer).or_default();
        *of_peer += 1;
        let too_many = *of_peer > REGISTRATIONS_PER_CONNECTION
            || registration.record.addresses().len() > REGISTRATION_ADDRESSES
            || self.total > REGISTRATIONS_STORED;
        let of_address = address.map(|address| {
            let count = self.by_address.count_mut(address, now);
            *count += 1;
            *count
        });
        match of_address {
            Some(of_address) if of_address > REGISTRATIONS_PER_ADDRESS_RATE => RegistrationVerdict::BlockAddress,
            _ if too_many => RegistrationVerdict::Disconnect,
            _ => RegistrationVerdict::Accept,
        }
    }

    /// Records that a peer withdrew its registration.
    pub(super) fn on_unregistered(&mut self, peer: PeerId, namespace: Namespace) {
        // libp2p removes the newest only, and reports so even if there was none.
        let key = (peer, namespace);
        if let Some(stored) = self.stored.get_mut(&key).filter(|stored| stored.listed) {
            stored.listed = false;
            self.remove_one(&key);
        }
    }

    /// Records that a registration, possibly a replaced one, expired.
    pub(super) fn on_expired(&mut self, registration: Registration) {
        self.remove_one(&(registration.record.peer_id(), registration.namespace));
    }

    /// Subtracts one stored registration.
    fn remove_one(&mut self, key: &(PeerId, Namespace)) {
        let Some(stored) = self.stored.get_mut(key) else { return };
        stored.count -= 1;
        self.total -= 1;
        if stored.count == 0 {
            self.stored.remove(key);
        }
    }

    /// Ends the count of a peer that has no connection any more.
    pub(super) fn on_peer_disconnected(&mut self, peer: &PeerId) {
        self.by_peer.remove(peer);
    }

    /// Returns the number of registrations that a discovery may return.
    pub(super) fn listed(&self) -> usize {
        self.stored.values().filter(|stored| stored.listed).count()
    }

    /// Returns the number of registrations that take memory.
    pub(super) fn stored(&self) -> usize {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use libp2p::core::PeerRecord;
    use libp2p::identity::Keypair;

    use super::*;
    use crate::net::relay::limits::{RATE_TIME, REGISTRATION_TTL_MAX};

    const NOW: u64 = 7_000;

    fn registration(key: &Keypair) -> Registration {
        let record = PeerRecord::new(key, Vec::new()).expect("a key that signs");
        Registration { namespace: Namespace::from_static("here"), record, ttl: REGISTRATION_TTL_MAX }
    }

    #[test]
    fn address_with_too_many_registrations_is_blocked() {
        let mut registrations = Registrations::default();
        let (busy, calm) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let mut register = |address, now| {
            let key = Keypair::generate_ed25519();
            registrations.on_registered(key.public().to_peer_id(), Some(address), &registration(&key), now)
        };
        for _ in 0..REGISTRATIONS_PER_ADDRESS_RATE {
            assert_eq!(register(busy, NOW), RegistrationVerdict::Accept);
        }
        assert_eq!(register(busy, NOW), RegistrationVerdict::BlockAddress);
        assert_eq!(register(calm, NOW), RegistrationVerdict::Accept, "another address is not affected");
        assert_eq!(
            register(busy, NOW + RATE_TIME.as_millis() as u64),
            RegistrationVerdict::Accept,
            "its window is over"
        );
    }

    #[test]
    fn replaced_registrations_count_until_they_expire() {
        let key = Keypair::generate_ed25519();
        let (peer, mine) = (key.public().to_peer_id(), registration(&key));
        let mut registrations = Registrations::default();
        for time in 0..REGISTRATIONS_STORED {
            // Each over a connection of its own, behind a proxy.
            assert_eq!(registrations.on_registered(peer, None, &mine, NOW), RegistrationVerdict::Accept, "{time}");
            registrations.on_peer_disconnected(&peer);
        }
        assert_eq!((registrations.listed(), registrations.stored()), (1, REGISTRATIONS_STORED));
        assert_eq!(
            registrations.on_registered(peer, None, &mine, NOW),
            RegistrationVerdict::Disconnect,
            "no more room"
        );
        registrations.on_unregistered(peer, mine.namespace.clone());
        registrations.on_unregistered(peer, mine.namespace.clone());
        assert_eq!((registrations.listed(), registrations.stored()), (0, REGISTRATIONS_STORED), "the newest only");
        assert_eq!(registrations.on_registered(peer, None, &mine, NOW), RegistrationVerdict::Disconnect);
        registrations.on_expired(registration(&key));
        assert_eq!((registrations.listed(), registrations.stored()), (1, REGISTRATIONS_STORED), "an older one expired");
        for _ in 0..REGISTRATIONS_STORED {
            registrations.on_expired(registration(&key));
        }
        assert_eq!((registrations.listed(), registrations.stored()), (0, 0));
    }
}
