//! The connection manager: which peers to dial, and when. A pure machine: events go in as method calls, and
//! [`ConnectionManager::poll`] returns the actions that are due.
//!
//! It looks for [`DIRECT_TARGET`] direct connections, and dials at least [`DIALLED_TARGET`] of them itself: a node that
//! only accepted connections could be surrounded by one attacker's nodes. Who asks for a node that has as many as it
//! keeps stays for a while at least: `direct_connections`. What others report of peers is stored within
//! limits. Peers that the host asks for are [`dial_targets`]; which of the network's relays it uses, and how it finds
//! who uses others, is explained at [`relay_pool`]. Public nodes are dialled from the start, whatever else is connected.
//!
//! A peer is a candidate once one of its addresses is known. Its states:
//!
//! ```text
//!             poll: chosen                  connected
//!   waiting ───────────────► dialling ────────────────────► connected
//!    ▲   ▲                      │                               │
//!    │   └──────────────────────┘ dial_failed: failures + 1     │ disconnected
//!    │     not before 1 s, 2 s, 4 s … 5 min (± half)            │ (no failure, but not at once)
//!    └──────────────────────────────────────────────────────────┘
//!   ban ► banned for 10 min, then removed          6 failures in a row ► removed
//! ```
//!
//! For example, a peer that was connected an hour ago and can't be reached now is dialled after about 1, 2, 4, 8 and
//! 16 s more, and is removed after the sixth failure. [`ConnectionManager::reset_backoff`] (the device is online again)
//! lets all of them be dialled at once. Relays and public nodes are never removed: a relay's backoff ends at 30 s.
//!
//! The first minute of a page that remembers three peers from its last run:
//!
//! | time | what happens | actions of the next poll |
//! |---|---|---|
//! | 0 s | start: no relay is connected, so no remembered address at its own relays is usable | `DialRelay` for two relays |
//! | 0.3 s | relay R is connected | `Reserve` and `Discover` at R, `Dial` the remembered peers with addresses there |
//! | 0.6 s | R gave a reservation: the page can be reached now | `Register` at R, again every 10 min |
//! | 0.7 s | R lists 20 peers | up to [`DIALLING_MAX`] dials at once until [`DIRECT_TARGET`] are connected |
//! | 2 s | fewer than [`DIRECT_TARGET`] peers are connected, and the network has more relays | `DialRelay` for two more, `Discover` there, `Leave` |
//! | 5 s … | fewer than [`DIRECT_TARGET`] peers are connected | `Discover` every 5 to 7.5 s, else every 60 to 90 s |
//! | later | 6 peers are connected, 1 of them dialled here | `Dial` two more: [`DIALLED_TARGET`] is 3 |

mod backoff;
mod candidates;
pub mod dial_targets;
mod direct_connections;
mod public_nodes;
pub mod relay_pool;
mod selection;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use libp2p::{Multiaddr, PeerId};

use crate::net::REGISTRATION_SECONDS;
use crate::net::address::relay_of;
use crate::net::mesh::types::RelayView;
pub use backoff::{Millis, Random};
use backoff::{millis, retry_delay};
pub use candidates::{ADDRESS_MAX_BYTES, ADDRESSES_MAX, BANS_MAX, CANDIDATES_MAX};
use candidates::{Candidates, DialCandidate, Ways};
use dial_targets::{Circuit, DialTargets};
use direct_connections::DirectConnections;
pub use direct_connections::{DIRECT_MAX, GUEST_STAY, GUESTS_MAX, Room};
use gen_registry_core::node_limits::BAN_SECONDS;
use public_nodes::PublicNodes;
use relay_pool::{RelayPool, Visits};

/// Direct connections it looks for.
pub const DIRECT_TARGET: usize = 6;
/// Those of them that this side dials.
pub const DIALLED_TARGET: usize = 3;
/// Dials at once.
pub const DIALLING_MAX: usize = 4;
/// A candidate is removed after this many failures in a row.
pub const FAILURES_MAX: u32 = 6;
/// Peers that are remembered for the next start.
pub const REMEMBERED_PEERS_MAX: usize = 32;
/// How long a banned peer is neither dialled nor accepted. It is short: peer ids cost nothing, so that a longer ban
/// would only hit honest peers with a defect.
pub const BAN_TIME: Duration = Duration::from_secs(BAN_SECONDS);

/// The longest backoff of a candidate, before it is spread at random.
const RETRY_PEER_MAX: Duration = Duration::from_secs(5 * 60);
/// How often rendezvous is queried, sooner while connections are missing.
const DISCOVER_ALONE: Duration = Duration::from_secs(5);
/// How often it is queried while there are enough connections.
const DISCOVER_EVERY: Duration = Duration::from_secs(60);
/// Half of the time that a registration is valid for.
const REGISTER_EVERY: Duration = Duration::from_secs(REGISTRATION_SECONDS / 2);

/// Something to be done by the host of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Connect to a relay. Answered by [`ConnectionManager::relay_connected`] or `relay_disconnected`.
    DialRelay { relay: PeerId, address: Multiaddr },
    /// Request a reservation (circuit relay v2), so that others can connect through the relay. Answered by
    /// [`ConnectionManager::set_reserved`].
    Reserve { relay: PeerId, address: Multiaddr },
    /// Publish this node's addresses at the relay's rendezvous. Nothing waits for the answer: it is repeated anyway.
    Register { relay: PeerId },
    /// Ask the relay's rendezvous for the peers of this network.
    Discover { relay: PeerId },
    /// Close the connection to a relay that nothing needs any more.
    Leave { relay: PeerId },
    /// Connect to a peer, at any of these addresses. Answered by [`ConnectionManager::connected`] or `dial_failed`.
    Dial { peer: PeerId, addresses: Vec<Multiaddr> },
}

/// State of the connection manager: relays, candidates, direct connections and dial targets. It has neither clock nor
/// randomness of its own; each method that needs them gets `now` and `random`.
#[derive(Debug)]
pub struct ConnectionManager {
    local_peer_id: PeerId,
    relays: RelayPool,
    candidates: Candidates,
    direct: DirectConnections,
    /// Whether others can reach this node, so that there is something to register.
    reachable: bool,
    /// Whether an address leads directly to a peer.
    is_direct: fn(&Multiaddr) -> bool,
    public_nodes: PublicNodes,
    ban_time: Duration,
    dial_targets: DialTargets,
}

impl ConnectionManager {
    /// Ignores relays without a peer id at the end of their address.
    pub fn new(local_peer_id: PeerId, relays: Vec<Multiaddr>, is_direct: fn(&Multiaddr) -> bool) -> Self {
        Self {
            local_peer_id,
            relays: RelayPool::new(local_peer_id, relays),
            candidates: BTreeMap::new(),
            direct: DirectConnections::new(DIRECT_MAX),
            reachable: false,
            is_direct,
            public_nodes: PublicNodes::default(),
            ban_time: BAN_TIME,
            dial_targets: DialTargets::new(|_, _| None),
        }
    }

    /// Sets for how long a ban excludes a peer.
    pub fn with_ban_time(self, ban_time: Duration) -> Self {
        Self { ban_time, ..self }
    }

    /// Sets the addresses of public nodes, each with its peer id at the end. They may be dialled whatever the kind of
    /// their address, and are dialled from the start.
    pub fn with_public_nodes(self, public_nodes: Vec<Multiaddr>) -> Self {
        Self { public_nodes: PublicNodes::new(self.local_peer_id, public_nodes), ..self }
    }

    /// Sets the network's relays. One that is named no more stays as long as it is connected.
    pub fn set_relays(&mut self, relays: Vec<Multiaddr>) {
        self.relays.set(relays);
    }

    /// Sets how targets of the host without a known address are dialled through relays.
    pub fn with_circuits(self, circuit: Circuit) -> Self {
        Self { dial_targets: DialTargets::new(circuit), ..self }
    }

    /// Sets the most direct connections, [`DIRECT_MAX`] by default.
    pub fn with_direct_max(self, direct_max: usize) -> Self {
        Self { direct: DirectConnections::new(direct_max), ..self }
    }

    /// Returns the addresses of a peer from the network's own parameters, if it is a relay or public node.
    pub fn addresses_of_network(&self, peer: &PeerId) -> Vec<Multiaddr> {
        let relays = self.relays.states.iter().filter(|relay| relay.peer == *peer).map(|relay| &relay.address);
        relays.cloned().chain(self.public_nodes.addresses_of(peer)).collect()
    }

    /// Returns the addresses of all relays and public nodes, each with its peer id at the end.
    pub fn network_addresses(&self) -> Vec<Multiaddr> {
        let relays = self.relays.states.iter().map(|relay| relay.address.clone());
        relays.chain(self.public_nodes.addresses().iter().cloned()).collect()
    }

    /// Whether the peer is one of the network's relays. Relays are never banned and never candidates.
    pub fn is_relay(&self, peer: &PeerId) -> bool {
        self.relays.contains(peer)
    }

    /// Returns what is shown of each relay.
    pub fn relays(&self) -> impl Iterator<Item = RelayView> {
        self.relays.states.iter().map(|relay| RelayView {
            address: relay.address.to_string(),
            kept: relay.kept,
            connected: relay.connected,
            reserved: relay.reserved,
        })
    }

    /// Returns the addresses of all relays of the network: queries may lead to each of them.
    pub fn relay_addresses(&self) -> Vec<(PeerId, Multiaddr)> {
        self.relays.states.iter().map(|relay| (relay.peer, relay.address.clone())).collect()
    }

    /// Returns the relays that are connected: Kademlia queries begin there.
    pub fn connected_relays(&self) -> impl Iterator<Item = PeerId> {
        self.relays.states.iter().filter(|relay| relay.connected).map(|relay| relay.peer)
    }

    /// Whether a relay is connected. If it is not and may be, it will be at once, as one that something waits for:
    /// `None` says that it can't be reached now.
    pub fn call_relay(&mut self, relay: &PeerId, now: Millis) -> Option<bool> {
        let can_be_reached = self.relays.call(relay, now);
        can_be_reached.then(|| self.connected_relays().any(|connected| connected == *relay))
    }

    /// Has the connected relays stay for the time of a query.
    pub fn keep_relays_for_query(&mut self, now: Millis) {
        self.relays.stay(now);
    }

    /// Records that a relay has named peers.
    pub fn relay_answered(&mut self, relay: &PeerId, now: Millis) {
        self.relays.on_discovered(relay, now);
    }

    /// Returns the room for a connection with a peer that is not connected yet.
    pub fn room(&self, now: Millis) -> Room {
        self.direct.room(now)
    }

    /// Returns the peers that were connected last, to be dialled first at the next start.
    pub fn remembered_peers(&self) -> Vec<(PeerId, &[Multiaddr])> {
        let mut reached: Vec<_> =
            self.candidates.iter().filter_map(|(peer, found)| Some((found.reached_at?, *peer, found))).collect();
        reached.sort_by_key(|(at, peer, _)| (std::cmp::Reverse(*at), *peer));
        let reached = reached.into_iter().filter(|(_, _, found)| !found.addresses.is_empty());
        reached.take(REMEMBERED_PEERS_MAX).map(|(_, peer, found)| (peer, &found.addresses[..])).collect()
    }

    /// Returns the addresses of connected peers, for another peer that asks for some.
    pub fn neighbours(&self, asker: &PeerId) -> impl Iterator<Item = &[Multiaddr]> {
        let others = self.direct.peers().filter(move |peer| peer != asker);
        others.filter_map(|peer| self.candidates.get(&peer)).map(|found| &found.addresses[..])
    }

    /// Whether more connections are needed, so that peers should be asked for others.
    pub fn wants_peers(&self) -> bool {
        self.direct.len() < DIRECT_TARGET
    }

    /// Stores the reported addresses of a peer: those that may be dialled replace the earlier ones.
    pub fn add_addresses(&mut self, peer: PeerId, addresses: impl IntoIterator<Item = Multiaddr>) {
        if peer == self.local_peer_id || self.is_relay(&peer) {
            return;
        }
        let addresses: Vec<Multiaddr> = addresses
            .into_iter()
            .filter(|address| address.len() <= ADDRESS_MAX_BYTES)
            .filter_map(|address| address.with_p2p(peer).ok())
            .filter(|address| {
                self.public_nodes.addresses().contains(address)
                    || (self.is_direct)(address) && self.is_through_own_relay(address)
            })
            .take(ADDRESSES_MAX)
            .collect();
        if addresses.is_empty() {
            return;
        }
        if !self.candidates.contains_key(&peer) && self.candidates.len() >= CANDIDATES_MAX && !self.evict_one() {
            return;
        }
        self.candidates.entry(peer).or_default().addresses = addresses;
    }

    /// Whether an address leads through no relay but this network's: it could name any host.
    fn is_through_own_relay(&self, address: &Multiaddr) -> bool {
        relay_of(address).is_none_or(|relay| self.is_relay(&relay))
    }

    /// Evicts the idle candidate with most failures, one that was never reached first. Returns whether there was one.
    fn evict_one(&mut self) -> bool {
        let is_idle = |peer: &PeerId, found: &DialCandidate| {
            let is_needed = self.direct.contains(peer) || self.public_nodes.contains(peer);
            !found.dialling && !found.is_banned() && !is_needed
        };
        let idle = self.candidates.iter().filter(|(peer, found)| is_idle(peer, found));
        let worst = idle.max_by_key(|(_, found)| (found.failures, found.reached_at.is_none()));
        match worst.map(|(peer, _)| *peer) {
            Some(peer) => self.candidates.remove(&peer).is_some(),
            None => false,
        }
    }

    /// Sets whether this node has addresses for others. If so, it registers them at all relays again.
    pub fn set_reachable(&mut self, reachable: bool) {
        self.reachable = reachable;
        self.relays.states.iter_mut().for_each(|relay| relay.register_at = 0);
    }

    /// Ends the backoff of a relay; its reservation, registration and discovery are due at once.
    pub fn relay_connected(&mut self, relay: &PeerId, now: Millis) {
        self.relays.on_connected(relay, now);
    }

    /// The connection to a relay ended, or could not be made.
    pub fn relay_disconnected(&mut self, relay: &PeerId, now: Millis, random: Random<'_>) {
        self.relays.on_disconnected(relay, now, random);
    }

    /// A relay gave a reservation, refused one, or it ended.
    pub fn set_reserved(&mut self, relay: &PeerId, reserved: bool, now: Millis, random: Random<'_>) {
        self.relays.set_reserved(relay, reserved, now, random);
    }

    /// Records a direct connection, ends the peer's backoff, and remembers it for the next start.
    pub fn connected(&mut self, peer: PeerId, dialled: bool, now: Millis) {
        self.direct.insert(peer, dialled, now);
        self.dial_targets.connected(&peer, now);
        if let Some(found) = self.candidates.get_mut(&peer) {
            (found.dialling, found.failures, found.reached_at) = (false, 0, Some(now));
        }
    }

    /// Records that the last direct connection to a peer ended. It may be dialled again after the shortest backoff.
    pub fn disconnected(&mut self, peer: &PeerId, now: Millis, random: Random<'_>) {
        self.direct.remove(peer);
        self.dial_targets.disconnected(peer, now);
        if let Some(found) = self.candidates.get_mut(peer) {
            found.not_before = now + retry_delay(found.failures, RETRY_PEER_MAX, random);
        }
    }

    /// Counts a failed dial: backoff, and removal after [`FAILURES_MAX`] in a row.
    pub fn dial_failed(&mut self, peer: &PeerId, now: Millis, random: Random<'_>) {
        // A failed direct dial is reported twice if its relayed dial failed, too: it counts once.
        let Some(found) = self.candidates.get_mut(peer).filter(|found| found.dialling) else { return };
        found.dialling = false;
        if self.direct.contains(peer) {
            return;
        }
        found.not_before = now + retry_delay(found.failures, RETRY_PEER_MAX, random);
        found.failures += 1;
        if found.failures >= FAILURES_MAX && !found.is_banned() && !self.public_nodes.contains(peer) {
            self.candidates.remove(peer);
        }
    }

    /// Excludes a peer for [`BAN_TIME`], whether or not it is a candidate yet. Of more than [`BANS_MAX`] bans, the one
    /// that would end first is over now; see [`ConnectionManager::take_expired_bans`].
    pub fn ban(&mut self, peer: PeerId, now: Millis) {
        let active = |found: &&mut DialCandidate| found.banned_until > now;
        let others = self.candidates.iter_mut().filter(|(known, _)| **known != peer).map(|(_, found)| found);
        let mut banned: Vec<&mut DialCandidate> = others.filter(active).collect();
        if banned.len() >= BANS_MAX
            && let Some(first) = banned.iter_mut().min_by_key(|found| found.banned_until)
        {
            first.banned_until = now;
        }
        if !self.candidates.contains_key(&peer) && self.candidates.len() >= CANDIDATES_MAX {
            self.evict_one();
        }
        self.candidates.entry(peer).or_default().banned_until = now + millis(self.ban_time);
    }

    /// Removes peers whose ban is over, and returns them.
    pub fn take_expired_bans(&mut self, now: Millis) -> Vec<PeerId> {
        let is_over = |found: &DialCandidate| found.is_banned() && found.banned_until <= now;
        let expired: Vec<PeerId> =
            self.candidates.iter().filter(|(_, found)| is_over(found)).map(|(peer, _)| *peer).collect();
        expired.iter().for_each(|peer| drop(self.candidates.remove(peer)));
        expired
    }

    /// Ends all waits after failures.
    pub fn reset_backoff(&mut self) {
        self.relays.reset_backoff();
        self.candidates.values_mut().for_each(|found| (found.not_before, found.failures) = (0, 0));
    }

    /// Returns the actions that are due. They count as begun, and are not returned again.
    pub fn poll(&mut self, now: Millis, random: Random<'_>) -> Vec<Action> {
        let mut actions = Vec::new();
        self.relays.choose(now);
        let dials = self.relays.dials(now, self.visits(), random);
        actions.extend(dials.into_iter().map(|(relay, address)| Action::DialRelay { relay, address }));
        self.use_relays(now, random, &mut actions);
        self.dial_requested_peers(now, &mut actions);
        self.dial_public_nodes(now, &mut actions);
        self.dial_candidates(now, random, &mut actions);
        let dialling = self.candidates.values().filter(|found| found.dialling);
        let used: BTreeSet<PeerId> = dialling.flat_map(|found| &found.addresses).filter_map(relay_of).collect();
        let left = self.relays.leave(now, |relay| used.contains(relay));
        actions.extend(left.into_iter().map(|relay| Action::Leave { relay }));
        actions
    }

    /// Requests what is due at connected relays. Those that are not kept are asked for peers only.
    fn use_relays(&mut self, now: Millis, random: Random<'_>, actions: &mut Vec<Action>) {
        let few_peers = self.direct.len() < DIRECT_TARGET;
        for relay in self.relays.states.iter_mut().filter(|relay| relay.connected) {
            let peer = relay.peer;
            if relay.kept && !relay.reserved && !relay.reserving && relay.not_before <= now {
                relay.reserving = true;
                actions.push(Action::Reserve { relay: peer, address: relay.address.clone() });
            }
            if relay.kept && self.reachable && relay.register_at <= now {
                relay.register_at = now + millis(REGISTER_EVERY);
                actions.push(Action::Register { relay: peer });
            }
            if relay.discover_at <= now {
                let every = millis(if few_peers { DISCOVER_ALONE } else { DISCOVER_EVERY });
                relay.discover_at = now + every + random(every / 2);
                actions.push(Action::Discover { relay: peer });
            }
        }
    }

    /// Returns how often other relays than the kept ones are asked for peers.
    fn visits(&self) -> Visits {
        match self.direct.len() {
            0 => Visits::Alone,
            _ if self.direct.is_full() => Visits::Never,
            peers if peers < DIRECT_TARGET => Visits::Few,
            _ => Visits::Enough,
        }
    }

    /// Makes a peer a target for [`dial_targets::DIAL_TARGET_TIMEOUT`]. Returns false if it is connected, banned or a
    /// relay, or if there are too many targets.
    pub fn connect_to(&mut self, peer: PeerId, now: Millis) -> bool {
        self.dial_targets.expire(now);
        let banned = self.candidates.get(&peer).is_some_and(DialCandidate::is_banned);
        if peer == self.local_peer_id || banned || self.is_relay(&peer) || self.direct.contains(&peer) {
            return false;
        }
        if self.dial_targets.contains(&peer) {
            return true;
        }
        if !self.dial_targets.add(peer, now) {
            return false;
        }
        if !self.candidates.contains_key(&peer) {
            // The relays may list its addresses.
            self.relays.discover_soon(now);
        }
        true
    }

    /// Whether this is a public node of the network, dialled from the start or not.
    pub fn is_public_node(&self, peer: &PeerId) -> bool {
        !self.public_nodes.addresses_of(peer).is_empty()
    }

    /// Whether a peer is being dialled as one to be connected with.
    pub fn is_dialling(&self, peer: &PeerId) -> bool {
        self.candidates.get(peer).is_some_and(|found| found.dialling)
    }

    /// Whether the host asked for this peer, and it is neither connected yet nor expired.
    pub fn is_dial_target(&self, peer: &PeerId) -> bool {
        self.dial_targets.contains(peer)
    }

    /// Dials targets of the host, as far as dials and connections are left.
    fn dial_requested_peers(&mut self, now: Millis, actions: &mut Vec<Action>) {
        self.dial_targets.expire(now);
        let connected = self.relays.connected();
        for peer in self.dial_targets.peers() {
            if self.direct.room(now) == Room::None || self.dials() >= DIALLING_MAX {
                return;
            }
            let candidate = self.candidates.get(&peer);
            if candidate.is_some_and(|found| !found.may_be_dialled(now)) {
                continue;
            }
            let leads_on = |relay: &PeerId| self.relays.leads_on(relay, now);
            let ways = Ways { connected: &connected, leads_on: &leads_on };
            let addresses = self.dial_targets.addresses(peer, candidate, &ways);
            if addresses.is_empty() {
                continue;
            }
            if candidate.is_none() && self.candidates.len() >= CANDIDATES_MAX && !self.evict_one() {
                continue;
            }
            let found = self.candidates.entry(peer).or_default();
            found.dialling = true;
            if found.addresses.is_empty() {
                found.addresses = addresses.clone();
            }
            actions.push(Action::Dial { peer, addresses });
        }
    }

    /// Dials public nodes that are not connected, as far as dials and connections are left: they can be reached without
    /// any relay, and connect peers that use different relays.
    fn dial_public_nodes(&mut self, now: Millis, actions: &mut Vec<Action>) {
        for peer in self.public_nodes.chosen() {
            if self.direct.is_full() || self.dials() >= DIALLING_MAX {
                return;
            }
            if self.direct.contains(&peer) {
                continue;
            }
            let found = self.candidates.entry(peer).or_default();
            if found.addresses.is_empty() {
                found.addresses = self.public_nodes.addresses_of(&peer);
            }
            if found.may_be_dialled(now) {
                found.dialling = true;
                actions.push(Action::Dial { peer, addresses: found.addresses.clone() });
            }
        }
    }

    /// Dials as many candidates as connections are missing.
    fn dial_candidates(&mut self, now: Millis, random: Random<'_>, actions: &mut Vec<Action>) {
        let (dialled, dials) = (self.direct.dialled(), self.dials());
        let missing = DIRECT_TARGET.saturating_sub(self.direct.len() + dials);
        let own_missing = DIALLED_TARGET.saturating_sub(dialled + dials);
        let room = if self.direct.is_full() { 0 } else { DIALLING_MAX.saturating_sub(dials) };
        let count = missing.max(own_missing).min(room);
        if count == 0 {
            return;
        }
        let connected = self.relays.connected();
        let leads_on = |relay: &PeerId| self.relays.leads_on(relay, now);
        let ways = Ways { connected: &connected, leads_on: &leads_on };
        for (peer, addresses) in selection::choose(&self.candidates, &self.direct, &ways, count, now, random) {
            if let Some(found) = self.candidates.get_mut(&peer) {
                found.dialling = true;
            }
            actions.push(Action::Dial { peer, addresses });
        }
    }

    /// Returns how many dials are under way.
    fn dials(&self) -> usize {
        self.candidates.values().filter(|found| found.dialling).count()
    }
}

#[cfg(test)]
mod tests;
