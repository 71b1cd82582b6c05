//! The connection manager: which peers to dial, and when. A pure machine: what happened goes in, what is to be done
//! comes out.
//!
//! It wants a handful of direct connections, some of them of its own choosing (who only takes what comes can be
//! surrounded), tries remembered peers first, and backs off after each failure. What peers report of other peers is
//! kept within bounds. Peers that the host asks for are in [`dial_targets`].

pub mod dial_targets;
mod selection;

use std::collections::BTreeMap;
use std::time::Duration;

use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};

use crate::net::{REGISTRATION_SECONDS, address::peer_of};
use dial_targets::Circuit;

/// Direct connections it looks for.
pub const DIRECT_WANTED: usize = 6;
/// How many of them it dialled itself.
pub const DIALLED_WANTED: usize = 3;
/// Direct connections it takes in all.
pub const DIRECT_MAX: usize = 24;
/// Dials under way.
pub const DIALLING_MAX: usize = 4;
/// Peers that may be dialled some day.
pub const CANDIDATES_MAX: usize = 256;
pub const ADDRESSES_MAX: usize = 4;
pub const ADDRESS_MAX_BYTES: usize = 512;
/// After so many failures in a row a peer is forgotten.
pub const FAILURES_MAX: u32 = 6;
/// Peers that are remembered for the next start.
pub const KNOWN_MAX: usize = 32;
pub const BAN_TIME: Duration = Duration::from_secs(10 * 60);

const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_PEER_MAX: Duration = Duration::from_secs(5 * 60);
const RETRY_RELAY_MAX: Duration = Duration::from_secs(30);
/// Rendezvous is asked again, sooner while connections are missing.
const DISCOVER_ALONE: Duration = Duration::from_secs(5);
const DISCOVER_EVERY: Duration = Duration::from_secs(60);
/// Half of the time a registration holds.
const REGISTER_EVERY: Duration = Duration::from_secs(REGISTRATION_SECONDS / 2);

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    DialRelay {
        relay: PeerId,
        address: Multiaddr,
    },
    /// Ask for a place, so that others can come.
    Reserve {
        relay: PeerId,
        address: Multiaddr,
    },
    Register {
        relay: PeerId,
    },
    Discover {
        relay: PeerId,
    },
    Dial {
        peer: PeerId,
        addresses: Vec<Multiaddr>,
    },
}

/// Milliseconds since some beginning.
type Millis = u64;
/// A number below the given one.
pub type Random<'a> = &'a mut dyn FnMut(u64) -> u64;

#[derive(Debug)]
struct RelayState {
    peer: PeerId,
    address: Multiaddr,
    connected: bool,
    dialling: bool,
    reserved: bool,
    reserving: bool,
    failures: u32,
    not_before: Millis,
    discover_at: Millis,
    register_at: Millis,
}

#[derive(Debug, Default)]
struct DialCandidate {
    addresses: Vec<Multiaddr>,
    failures: u32,
    not_before: Millis,
    dialling: bool,
    /// When a connection stood last.
    reached_at: Option<Millis>,
    banned_until: Millis,
}

#[derive(Debug)]
pub struct ConnectionManager {
    me: PeerId,
    relays: Vec<RelayState>,
    candidates: BTreeMap<PeerId, DialCandidate>,
    /// Peers with direct connections, and whether this side dialled.
    direct: BTreeMap<PeerId, bool>,
    /// This node can be reached by others; there is something to register.
    reachable: bool,
    /// Whether an address leads directly to a peer.
    is_direct: fn(&Multiaddr) -> bool,
    /// Addresses that do so too, because the network says so.
    open: Vec<Multiaddr>,
    direct_max: usize,
    /// Peers the host wants, and until when.
    dial_targets: BTreeMap<PeerId, Millis>,
    circuit: Circuit,
}

impl ConnectionManager {
    /// Relays without a name at the end of their address are left out.
    pub fn new(me: PeerId, relays: Vec<Multiaddr>, is_direct: fn(&Multiaddr) -> bool) -> Self {
        let relays = relays.into_iter().filter_map(|address| {
            let peer = peer_of(&address)?;
            Some(RelayState {
                peer,
                address,
                connected: false,
                dialling: false,
                reserved: false,
                reserving: false,
                failures: 0,
                not_before: 0,
                discover_at: 0,
                register_at: 0,
            })
        });
        let relays = relays.collect();
        Self {
            me,
            relays,
            candidates: BTreeMap::new(),
            direct: BTreeMap::new(),
            reachable: false,
            is_direct,
            open: Vec::new(),
            direct_max: DIRECT_MAX,
            dial_targets: BTreeMap::new(),
            circuit: |_, _| None,
        }
    }

    /// Nodes whose addresses are dialled as they stand, each with its name at the end.
    pub fn with_public_nodes(self, open: Vec<Multiaddr>) -> Self {
        Self { open, ..self }
    }

    /// Takes more than [`DIRECT_MAX`].
    pub fn with_room_for(self, direct_max: usize) -> Self {
        Self { direct_max, ..self }
    }

    pub fn me(&self) -> PeerId {
        self.me
    }

    /// Where the network itself says that a peer is: one of its relays or open nodes.
    pub fn addresses_of_network(&self, peer: &PeerId) -> Vec<Multiaddr> {
        let relays = self.relays.iter().filter(|relay| relay.peer == *peer).map(|relay| &relay.address);
        relays.chain(self.open.iter().filter(|address| peer_of(address) == Some(*peer))).cloned().collect()
    }

    pub fn is_relay(&self, peer: &PeerId) -> bool {
        self.relays.iter().any(|relay| relay.peer == *peer)
    }

    /// Each relay's address, whether it is connected and whether there is a place.
    pub fn relays(&self) -> impl Iterator<Item = (PeerId, &Multiaddr, bool, bool)> {
        self.relays.iter().map(|relay| (relay.peer, &relay.address, relay.connected, relay.reserved))
    }

    pub fn connected_relays(&self) -> impl Iterator<Item = PeerId> {
        self.relays.iter().filter(|relay| relay.connected).map(|relay| relay.peer)
    }

    pub fn direct(&self) -> impl Iterator<Item = (&PeerId, &bool)> {
        self.direct.iter()
    }

    pub fn has_room(&self) -> bool {
        self.direct.len() < self.direct_max
    }

    /// The peers that were reached last, to be tried first at the next start.
    pub fn known(&self) -> Vec<(PeerId, &[Multiaddr])> {
        let mut reached: Vec<_> =
            self.candidates.iter().filter_map(|(peer, found)| Some((found.reached_at?, *peer, found))).collect();
        reached.sort_by_key(|(at, peer, _)| (std::cmp::Reverse(*at), *peer));
        let known = reached.into_iter().filter(|(_, _, found)| !found.addresses.is_empty());
        known.take(KNOWN_MAX).map(|(_, peer, found)| (peer, &found.addresses[..])).collect()
    }

    /// Peers with direct connections and where they were reached, for others who ask.
    pub fn neighbours(&self, asking: &PeerId) -> impl Iterator<Item = &[Multiaddr]> {
        let others = self.direct.keys().filter(move |peer| *peer != asking);
        others.filter_map(|peer| self.candidates.get(peer)).map(|found| &found.addresses[..])
    }

    /// Few peers are connected: others may know more.
    pub fn wants_peers(&self) -> bool {
        self.direct.len() < DIRECT_WANTED
    }

    /// Somebody says that a peer is at these addresses.
    pub fn add_addresses(&mut self, peer: PeerId, addresses: impl IntoIterator<Item = Multiaddr>) {
        if peer == self.me || self.is_relay(&peer) {
            return;
        }
        let addresses: Vec<Multiaddr> = addresses
            .into_iter()
            .filter(|address| address.len() <= ADDRESS_MAX_BYTES)
            .filter_map(|address| address.with_p2p(peer).ok())
            .filter(|address| self.open.contains(address) || (self.is_direct)(address) && self.may_lead(address))
            .take(ADDRESSES_MAX)
            .collect();
        if addresses.is_empty() {
            return;
        }
        if !self.candidates.contains_key(&peer) && self.candidates.len() >= CANDIDATES_MAX && !self.forget_one() {
            return;
        }
        self.candidates.entry(peer).or_default().addresses = addresses;
    }

    /// Only through relays of this network: an address could name any host.
    fn may_lead(&self, address: &Multiaddr) -> bool {
        relay_of(address).is_none_or(|relay| self.is_relay(&relay))
    }

    /// Makes room: the candidate that failed most, and was never reached, goes first.
    fn forget_one(&mut self) -> bool {
        let idle = self
            .candidates
            .iter()
            .filter(|(peer, found)| !found.dialling && found.banned_until == 0 && !self.direct.contains_key(peer));
        let worst = idle.max_by_key(|(_, found)| (found.failures, found.reached_at.is_none()));
        match worst.map(|(peer, _)| *peer) {
            Some(peer) => self.candidates.remove(&peer).is_some(),
            None => false,
        }
    }

    /// This node's own addresses changed: register them, if there are any.
    pub fn reachable(&mut self, reachable: bool) {
        self.reachable = reachable;
        self.relays.iter_mut().for_each(|relay| relay.register_at = 0);
    }

    pub fn relay_connected(&mut self, relay: &PeerId) {
        for relay in self.relay_mut(relay) {
            (relay.connected, relay.dialling, relay.failures) = (true, false, 0);
            (relay.not_before, relay.discover_at, relay.register_at) = (0, 0, 0);
        }
    }

    /// The connection ended, or could not be made.
    pub fn relay_lost(&mut self, relay: &PeerId, now: Millis, random: Random<'_>) {
        for relay in self.relay_mut(relay) {
            (relay.connected, relay.dialling, relay.reserved, relay.reserving) = (false, false, false, false);
            relay.not_before = now + wait(relay.failures, RETRY_RELAY_MAX, random);
            relay.failures += 1;
        }
    }

    /// There is a place at the relay, or no longer one.
    pub fn reserved(&mut self, relay: &PeerId, reserved: bool, now: Millis, random: Random<'_>) {
        for relay in self.relay_mut(relay) {
            (relay.reserved, relay.reserving) = (reserved, false);
            if !reserved {
                relay.not_before = now + wait(relay.failures, RETRY_RELAY_MAX, random);
                relay.failures += 1;
            } else {
                relay.failures = 0;
            }
        }
    }

    pub fn connected(&mut self, peer: PeerId, dialled: bool, now: Millis) {
        self.direct.insert(peer, dialled);
        self.dial_targets.remove(&peer);
        if let Some(found) = self.candidates.get_mut(&peer) {
            (found.dialling, found.failures, found.reached_at) = (false, 0, Some(now));
        }
    }

    pub fn disconnected(&mut self, peer: &PeerId, now: Millis, random: Random<'_>) {
        self.direct.remove(peer);
        if let Some(found) = self.candidates.get_mut(peer) {
            found.not_before = now + wait(found.failures, RETRY_PEER_MAX, random);
        }
    }

    pub fn dial_failed(&mut self, peer: &PeerId, now: Millis, random: Random<'_>) {
        // A failed direct dial is reported twice when its relayed dial failed, too: it counts once.
        let Some(found) = self.candidates.get_mut(peer).filter(|found| found.dialling) else { return };
        found.dialling = false;
        if self.direct.contains_key(peer) {
            return;
        }
        found.not_before = now + wait(found.failures, RETRY_PEER_MAX, random);
        found.failures += 1;
        if found.failures >= FAILURES_MAX && found.banned_until == 0 {
            self.candidates.remove(peer);
        }
    }

    pub fn ban(&mut self, peer: PeerId, now: Millis) {
        self.candidates.entry(peer).or_default().banned_until = now + millis(BAN_TIME);
    }

    /// Those whose time is over.
    pub fn expired_bans(&mut self, now: Millis) -> Vec<PeerId> {
        let over = |found: &DialCandidate| found.banned_until != 0 && found.banned_until <= now;
        let pardoned: Vec<PeerId> =
            self.candidates.iter().filter(|(_, found)| over(found)).map(|(peer, _)| *peer).collect();
        pardoned.iter().for_each(|peer| drop(self.candidates.remove(peer)));
        pardoned
    }

    /// Nothing waits any longer.
    pub fn reset_backoff(&mut self) {
        for relay in &mut self.relays {
            (relay.not_before, relay.discover_at, relay.failures) = (0, 0, 0);
        }
        self.candidates.values_mut().for_each(|found| (found.not_before, found.failures) = (0, 0));
    }

    /// What is to be done now. It counts as begun.
    pub fn poll(&mut self, now: Millis, random: Random<'_>) -> Vec<Action> {
        let mut actions = Vec::new();
        let alone = self.direct.len() < DIRECT_WANTED;
        for relay in &mut self.relays {
            let (peer, address) = (relay.peer, relay.address.clone());
            if !relay.connected {
                if !relay.dialling && relay.not_before <= now {
                    relay.dialling = true;
                    actions.push(Action::DialRelay { relay: peer, address });
                }
                continue;
            }
            if !relay.reserved && !relay.reserving && relay.not_before <= now {
                relay.reserving = true;
                actions.push(Action::Reserve { relay: peer, address });
            }
            if self.reachable && relay.register_at <= now {
                relay.register_at = now + millis(REGISTER_EVERY);
                actions.push(Action::Register { relay: peer });
            }
            if relay.discover_at <= now {
                let every = millis(if alone { DISCOVER_ALONE } else { DISCOVER_EVERY });
                relay.discover_at = now + every + random(every / 2);
                actions.push(Action::Discover { relay: peer });
            }
        }
        self.dial_targets_now(now, &mut actions);
        self.dial(now, random, &mut actions);
        actions
    }

    fn relay_mut(&mut self, peer: &PeerId) -> impl Iterator<Item = &mut RelayState> {
        self.relays.iter_mut().filter(move |relay| relay.peer == *peer)
    }
}

/// The relay on the way, if there is one.
fn relay_of(address: &Multiaddr) -> Option<PeerId> {
    let parts: Vec<Protocol<'_>> = address.iter().collect();
    let circuit = parts.iter().position(|part| matches!(part, Protocol::P2pCircuit))?;
    match circuit.checked_sub(1).and_then(|at| parts.get(at)) {
        Some(Protocol::P2p(relay)) => Some(*relay),
        _ => None,
    }
}

/// Twice as long after each failure, and never the same for two nodes.
fn wait(failures: u32, longest: Duration, random: Random<'_>) -> Millis {
    let time = millis(RETRY_FIRST).saturating_mul(1 << failures.min(16)).min(millis(longest));
    time / 2 + random(time)
}

fn millis(time: Duration) -> Millis {
    u64::try_from(time.as_millis()).unwrap_or(Millis::MAX)
}

#[cfg(test)]
mod tests;
