//! What the registrations at rendezvous cost, and whose are too many.
//!
//! libp2p bounds what is listed. What a newer registration replaced it keeps as well, until that expires: this counts
//! both. It refuses nothing, since libp2p reports only afterwards; it returns which registration is to be removed.

use std::collections::HashMap;
use std::net::IpAddr;

use libp2p::PeerId;
use libp2p::rendezvous::{Namespace, Registration};

use super::limits::{
    REGISTRATION_ADDRESSES, REGISTRATIONS_KEPT, REGISTRATIONS_PER_ADDRESS_RATE, REGISTRATIONS_PER_CONNECTION,
};
use super::window::Window;

/// What follows from a registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RegistrationVerdict {
    Fine,
    SendAway,
    /// As well, its address has done this too often.
    ShutOut,
}

#[derive(Default)]
struct Held {
    count: usize,
    /// The newest is, unless it was withdrawn.
    listed: bool,
}

#[derive(Default)]
pub(super) struct Registrations {
    held: HashMap<(PeerId, Namespace), Held>,
    /// The sum of the above.
    kept: usize,
    /// Registrations of each connected peer.
    spent: HashMap<PeerId, usize>,
    lately: Window<IpAddr>,
}

impl Registrations {
    /// `from` is the peer's address, unless all peers have the same; `now` in milliseconds since 1970.
    pub(super) fn came(
        &mut self,
        peer: PeerId,
        from: Option<IpAddr>,
        registration: &Registration,
        now: u64,
    ) -> RegistrationVerdict {
        let held = self.held.entry((peer, registration.namespace.clone())).or_default();
        (held.count, held.listed) = (held.count + 1, true);
        self.kept += 1;
        let spent = self.spent.entry(peer).or_default();
        *spent += 1;
        let too_much = *spent > REGISTRATIONS_PER_CONNECTION
            || registration.record.addresses().len() > REGISTRATION_ADDRESSES
            || self.kept > REGISTRATIONS_KEPT;
        let lately = from.map(|address| {
            let lately = self.lately.of(address, now);
            *lately += 1;
            *lately
        });
        match lately {
            Some(lately) if lately > REGISTRATIONS_PER_ADDRESS_RATE => RegistrationVerdict::ShutOut,
            _ if too_much => RegistrationVerdict::SendAway,
            _ => RegistrationVerdict::Fine,
        }
    }

    pub(super) fn withdrawn(&mut self, peer: PeerId, namespace: Namespace) {
        // libp2p drops the newest only, and says so of what it never had as well.
        let key = (peer, namespace);
        if let Some(held) = self.held.get_mut(&key).filter(|held| held.listed) {
            held.listed = false;
            self.one_less(&key);
        }
    }

    pub(super) fn expired(&mut self, registration: Registration) {
        self.one_less(&(registration.record.peer_id(), registration.namespace));
    }

    fn one_less(&mut self, key: &(PeerId, Namespace)) {
        let Some(held) = self.held.get_mut(key) else { return };
        held.count -= 1;
        self.kept -= 1;
        if held.count == 0 {
            self.held.remove(key);
        }
    }

    /// A peer has no connection any more.
    pub(super) fn left(&mut self, peer: &PeerId) {
        self.spent.remove(peer);
    }

    pub(super) fn listed(&self) -> usize {
        self.held.values().filter(|held| held.listed).count()
    }

    pub(super) fn kept(&self) -> usize {
        self.kept
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
    fn many_keys_of_one_address_are_shut_out() {
        let mut registrations = Registrations::default();
        let (busy, calm) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let mut come = |from, now| {
            let key = Keypair::generate_ed25519();
            registrations.came(key.public().to_peer_id(), Some(from), &registration(&key), now)
        };
        for _ in 0..REGISTRATIONS_PER_ADDRESS_RATE {
            assert_eq!(come(busy, NOW), RegistrationVerdict::Fine);
        }
        assert_eq!(come(busy, NOW), RegistrationVerdict::ShutOut);
        assert_eq!(come(calm, NOW), RegistrationVerdict::Fine, "another has done nothing");
        assert_eq!(come(busy, NOW + RATE_TIME.as_millis() as u64), RegistrationVerdict::Fine, "its time is over");
    }

    #[test]
    fn what_was_replaced_counts_until_it_expires() {
        let key = Keypair::generate_ed25519();
        let (peer, mine) = (key.public().to_peer_id(), registration(&key));
        let mut registrations = Registrations::default();
        for time in 0..REGISTRATIONS_KEPT {
            // Each over a connection of its own, and none knows where it comes from.
            assert_eq!(registrations.came(peer, None, &mine, NOW), RegistrationVerdict::Fine, "{time}");
            registrations.left(&peer);
        }
        assert_eq!((registrations.listed(), registrations.kept()), (1, REGISTRATIONS_KEPT));
        assert_eq!(registrations.came(peer, None, &mine, NOW), RegistrationVerdict::SendAway, "no more room");
        registrations.withdrawn(peer, mine.namespace.clone());
        registrations.withdrawn(peer, mine.namespace.clone());
        assert_eq!((registrations.listed(), registrations.kept()), (0, REGISTRATIONS_KEPT), "the newest only");
        assert_eq!(registrations.came(peer, None, &mine, NOW), RegistrationVerdict::SendAway);
        registrations.expired(registration(&key));
        assert_eq!((registrations.listed(), registrations.kept()), (1, REGISTRATIONS_KEPT), "an older one went");
        for _ in 0..REGISTRATIONS_KEPT {
            registrations.expired(registration(&key));
        }
        assert_eq!((registrations.listed(), registrations.kept()), (0, 0));
    }
}
