//! The registrations: a table of bounded size that origins share, and in which nobody is listed who is not connected.

use std::collections::{BTreeMap, HashMap};

use libp2p::PeerId;

use super::super::window::Window;
use super::wire::Status;
use crate::net::origin::Origin;
use crate::net::relay::limits::{
    REGISTRATION_TTL_MAX, REGISTRATION_TTL_MIN, REGISTRATIONS_PER_PEER, REGISTRATIONS_PER_PEER_RATE, RelayLimits,
};
use crate::net::shares::{Refusal, Shares};

/// What one peer registered in one namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Registration {
    /// The signed record, as it was received.
    pub(super) record: Vec<u8>,
    /// When it ends, in milliseconds since 1970.
    until: u64,
}

/// All registrations.
pub(super) struct Table {
    /// The registrations of each namespace.
    listed: HashMap<String, BTreeMap<PeerId, Registration>>,
    /// The namespaces of each peer.
    namespaces: HashMap<PeerId, Vec<String>>,
    shares: Shares<(PeerId, String)>,
    /// Registrations from each origin and of each peer in the current window.
    recent: Window<Origin>,
    recent_of_peer: Window<PeerId>,
    /// [`RelayLimits::registrations_per_address_rate`].
    rate: u32,
}

impl Table {
    /// Creates an empty table.
    pub(super) fn new(limits: &RelayLimits) -> Self {
        Self {
            listed: HashMap::new(),
            namespaces: HashMap::new(),
            shares: Shares::new(limits.registrations, limits.registrations_per_address),
            recent: Window::default(),
            recent_of_peer: Window::default(),
            rate: limits.registrations_per_address_rate,
        }
    }

    /// Lists or renews a connected peer, for so many seconds.
    pub(super) fn register(
        &mut self,
        (peer, origin): (PeerId, Option<Origin>),
        namespace: String,
        record: Vec<u8>,
        ttl: u64,
        now: u64,
    ) -> Result<(), Refusal> {
        self.expire(now);
        let is_renewal = self.listed.get(&namespace).is_some_and(|listed| listed.contains_key(&peer));
        let of_peer = self.recent_of_peer.count_mut(peer, now);
        if *of_peer >= REGISTRATIONS_PER_PEER_RATE {
            return Err(Refusal::Rate);
        }
        *of_peer += 1;
        // A renewal is never refused for what others of its address do.
        if !is_renewal && let Some(origin) = origin {
            let of_origin = self.recent.count_mut(origin, now);
            if *of_origin >= self.rate {
                return Err(Refusal::Rate);
            }
            *of_origin += 1;
        }
        let namespaces = self.namespaces.entry(peer).or_default();
        if !is_renewal && namespaces.len() >= REGISTRATIONS_PER_PEER {
            return Err(Refusal::Share);
        }
        if let Err(refusal) = self.shares.take((peer, namespace.clone()), origin) {
            if namespaces.is_empty() {
                self.namespaces.remove(&peer);
            }
            return Err(refusal);
        }
        if !is_renewal {
            namespaces.push(namespace.clone());
        }
        let registration = Registration { record, until: now.saturating_add(ttl.saturating_mul(1_000)) };
        self.listed.entry(namespace).or_default().insert(peer, registration);
        Ok(())
    }

    /// Returns at most `limit` registrations of a namespace, chosen by chance, each with the seconds that it is left.
    /// `random` returns a number below the given one.
    pub(super) fn discover(
        &mut self,
        namespace: &str,
        limit: usize,
        now: u64,
        random: &mut dyn FnMut(u64) -> u64,
    ) -> Vec<(Registration, u64)> {
        self.expire(now);
        let Some(listed) = self.listed.get(namespace) else { return Vec::new() };
        let mut found: Vec<&Registration> = listed.values().collect();
        let count = limit.min(found.len());
        for at in 0..count {
            let rest = u64::try_from(found.len() - at).unwrap_or(u64::MAX);
            let other = at + usize::try_from(random(rest)).unwrap_or(0);
            found.swap(at, other);
        }
        found[..count].iter().map(|found| ((*found).clone(), found.until.saturating_sub(now).div_ceil(1_000))).collect()
    }

    /// Withdraws a registration.
    pub(super) fn unregister(&mut self, peer: &PeerId, namespace: &str) {
        if let Some(namespaces) = self.namespaces.get_mut(peer) {
            namespaces.retain(|other| other != namespace);
            if namespaces.is_empty() {
                self.namespaces.remove(peer);
            }
        }
        self.remove(peer, namespace);
    }

    /// Ends all registrations of a peer that has no connection any more.
    pub(super) fn on_disconnected(&mut self, peer: &PeerId) {
        for namespace in self.namespaces.remove(peer).unwrap_or_default() {
            self.remove(peer, &namespace);
        }
    }

    /// Ends the registrations whose time is over.
    pub(super) fn expire(&mut self, now: u64) {
        let mut ended = Vec::new();
        for (namespace, listed) in &self.listed {
            let over = listed.iter().filter(|(_, registration)| registration.until <= now);
            ended.extend(over.map(|(peer, _)| (*peer, namespace.clone())));
        }
        for (peer, namespace) in ended {
            self.unregister(&peer, &namespace);
        }
    }

    /// Returns how many are listed.
    pub(super) fn listed(&self) -> usize {
        self.shares.held()
    }

    /// Takes one out of its namespace.
    fn remove(&mut self, peer: &PeerId, namespace: &str) {
        self.shares.release(&(*peer, namespace.to_owned()));
        if let Some(listed) = self.listed.get_mut(namespace) {
            listed.remove(peer);
            if listed.is_empty() {
                self.listed.remove(namespace);
            }
        }
    }
}

/// Returns whether a registration may last so many seconds.
pub(super) fn check_ttl(ttl: u64) -> Result<u64, Status> {
    if (REGISTRATION_TTL_MIN..=REGISTRATION_TTL_MAX).contains(&ttl) { Ok(ttl) } else { Err(Status::InvalidTtl) }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::net::relay::limits::RATE_TIME;

    const NOW: u64 = 7_000;
    const HERE: &str = "here";

    fn origin(last: u8) -> Option<Origin> {
        Some(IpAddr::from([192, 0, 2, last]).into())
    }

    fn table(registrations: usize, per_address: usize) -> Table {
        Table::new(&RelayLimits { registrations, registrations_per_address: per_address, ..RelayLimits::default() })
    }

    fn register(table: &mut Table, peer: PeerId, last: u8, now: u64) -> Result<(), Refusal> {
        table.register((peer, origin(last)), HERE.to_owned(), vec![last], 60, now)
    }

    fn found(table: &mut Table, limit: usize, now: u64) -> usize {
        table.discover(HERE, limit, now, &mut |below| below - 1).len()
    }

    #[test]
    fn full_table_renews_and_lists_others() {
        let mut table = table(4, 2);
        let [alice, bob] = [PeerId::random(), PeerId::random()];
        assert_eq!(register(&mut table, alice, 1, NOW), Ok(()));
        for number in 0..10 {
            let expected = if number < 2 { Ok(()) } else { Err(Refusal::Share) };
            assert_eq!(register(&mut table, PeerId::random(), 2, NOW), expected);
        }
        assert_eq!(register(&mut table, bob, 1, NOW), Ok(()), "another address has room");
        assert_eq!(register(&mut table, PeerId::random(), 3, NOW), Err(Refusal::Full));
        assert_eq!(register(&mut table, alice, 1, NOW + 1_000), Ok(()), "a renewal");
        assert_eq!((table.listed(), found(&mut table, 10, NOW), found(&mut table, 3, NOW)), (4, 4, 3));
        assert_eq!(found(&mut table, 10, NOW + 60_000), 1, "only what was renewed is left");
        table.on_disconnected(&alice);
        assert!(table.listed.is_empty() && table.namespaces.is_empty() && table.listed() == 0);
    }

    #[test]
    fn registration_ends_when_its_peer_leaves() {
        let mut table = table(100, 100);
        let (alice, bob) = (PeerId::random(), PeerId::random());
        for namespace in ["here", "there"] {
            assert_eq!(table.register((alice, None), namespace.to_owned(), Vec::new(), 60, NOW), Ok(()));
        }
        assert_eq!(register(&mut table, bob, 1, NOW), Ok(()));
        table.on_disconnected(&alice);
        assert_eq!((table.listed(), found(&mut table, 10, NOW)), (1, 1));
        table.unregister(&bob, "there");
        assert_eq!(table.listed(), 1, "he is not listed there");
        table.unregister(&bob, HERE);
        assert!(table.listed.is_empty() && table.namespaces.is_empty() && table.listed() == 0);
    }

    #[test]
    fn peers_and_addresses_register_only_so_often() {
        let mut table = table(10_000, 10_000);
        let limits = RelayLimits::default();
        let alice = PeerId::random();
        for _ in 0..REGISTRATIONS_PER_PEER_RATE {
            assert_eq!(register(&mut table, alice, 1, NOW), Ok(()));
        }
        assert_eq!(register(&mut table, alice, 1, NOW), Err(Refusal::Rate));
        let new = |table: &mut Table, now| register(table, PeerId::random(), 1, now);
        // The first of hers counts too.
        let accepted = (0..2 * limits.registrations_per_address_rate).filter(|_| new(&mut table, NOW).is_ok()).count();
        assert_eq!(accepted, limits.registrations_per_address_rate as usize - 1);
        assert_eq!(new(&mut table, NOW + RATE_TIME.as_millis() as u64), Ok(()), "the window is over");
        for number in 1..REGISTRATIONS_PER_PEER {
            let namespace = format!("{number}");
            let later = NOW + RATE_TIME.as_millis() as u64;
            assert_eq!(table.register((alice, None), namespace, Vec::new(), 60, later), Ok(()));
        }
    }
}
