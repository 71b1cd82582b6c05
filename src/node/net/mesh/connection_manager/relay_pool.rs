//! Which of the network's relays this node uses. Pure.
//!
//! A network may have many relays, and a node needs a place at two of them only: with more, every relay would carry
//! every node. Each node ranks the relays by a hash of its own peer id and theirs (rendezvous hashing, highest random
//! weight), so that nodes spread evenly over them and each one makes the same choice again after a restart. It keeps
//! the first [`RELAYS_TARGET`] that can be relied on. One that can't be reached is dialled again and again, and the next
//! in rank takes its place until it has been back for [`SETTLED_AFTER`]; no more than [`RELAYS_MAX`] are kept connected.
//!
//! ```text
//!   rank            1    2    3    4
//!   steady          kept kept –    –
//!   1 is gone       gone kept kept –       3 takes its place
//!   1 is back       kept kept kept –       for a minute
//!   a minute later  kept kept –    –       3 is left
//! ```
//!
//! Who chose other relays is found all the same: the relays that are not kept are *visited* in turn, to ask their
//! rendezvous, and connected on demand, for a peer that has a place there or a witness beside it. They are left once
//! nothing has needed them for [`STAY`].

use std::collections::BTreeSet;
use std::time::Duration;

use libp2p::{Multiaddr, PeerId};
use sha2::{Digest, Sha256};

use super::backoff::{Millis, Random, millis, retry_delay};
use crate::net::RELAYS_MAX;
use crate::net::address::peer_of;

/// Relays that a node uses as long as they can be relied on. Two, so that the loss of one disconnects no peer.
pub const RELAYS_TARGET: usize = 2;
/// Relays besides the kept ones that are connected or being connected at once: for visits and on demand.
pub const RELAYS_ELSEWHERE_MAX: usize = 4;
/// Of those, relays that are visited at once.
pub const VISITS_MAX: usize = 2;
/// How long a relay that was gone has to be connected before its substitute is left.
pub const SETTLED_AFTER: Duration = Duration::from_secs(60);
/// How long a relay that is not kept stays connected after it was needed last.
pub const STAY: Duration = Duration::from_secs(10);

/// A relay that is not connected after this time is not waited for: the next one takes its place meanwhile.
const SLOW_AFTER: Duration = Duration::from_secs(3);
/// How long the own relays have time to name enough peers before others are visited.
const FIRST_VISITS_AFTER: Duration = Duration::from_secs(2);
/// How often each other relay is visited while there is no peer at all.
const VISIT_ALONE: Duration = Duration::from_secs(10);
/// How often it is visited while connections are missing.
const VISIT_FEW: Duration = Duration::from_secs(30);
/// How often it is visited while there are enough connections.
const VISIT_EVERY: Duration = Duration::from_secs(5 * 60);
/// The longest backoff of a relay, before it is spread at random: without one, nothing else can be reached, and an
/// operator is restarting it.
pub(super) const RETRY_RELAY_MAX: Duration = Duration::from_secs(30);
/// The same of one that has no place left, while others may have one.
const RETRY_FULL_MAX: Duration = Duration::from_secs(5 * 60);

/// A relay of this network. Its backoff (`failures`, `not_before`) is shared by connecting and reserving.
#[derive(Debug)]
pub(super) struct RelayState {
    pub(super) peer: PeerId,
    pub(super) address: Multiaddr,
    /// Whether this node uses it, or tries to.
    pub(super) kept: bool,
    pub(super) connected: bool,
    pub(super) dialling: bool,
    pub(super) reserved: bool,
    /// Whether a reservation was requested and not answered yet.
    pub(super) reserving: bool,
    /// Whether the last request for a reservation was refused.
    refused: bool,
    failures: u32,
    pub(super) not_before: Millis,
    /// Since when it is dialled or lost, while it is kept and not connected.
    absent_since: Option<Millis>,
    /// Whether it could not be dialled since it was relied on last.
    unreachable: bool,
    /// From when on it can be relied on, while it is connected.
    settled_at: Millis,
    /// When rendezvous is queried next.
    pub(super) discover_at: Millis,
    /// When the registration is renewed; 0 for at once.
    pub(super) register_at: Millis,
    /// When it was visited last, or somewhat before; `None` for never.
    visited_at: Option<Millis>,
    /// Whether somebody is looked for, so that a visit is due at once.
    sought: bool,
    /// Until when a visit lasts, if there is one.
    visit_until: Millis,
    /// Whether it is to be connected although it is not kept.
    called: bool,
    /// Until when it stays connected although it is not kept.
    stays_until: Millis,
}

impl RelayState {
    fn new(peer: PeerId, address: Multiaddr) -> Self {
        Self {
            peer,
            address,
            kept: false,
            connected: false,
            dialling: false,
            reserved: false,
            reserving: false,
            refused: false,
            failures: 0,
            not_before: 0,
            absent_since: None,
            unreachable: false,
            settled_at: 0,
            discover_at: 0,
            register_at: 0,
            visited_at: None,
            sought: false,
            visit_until: 0,
            called: false,
            stays_until: 0,
        }
    }

    /// Whether nothing speaks for using another relay in its place.
    fn can_be_relied_on(&self, now: Millis) -> bool {
        let is_slow = self.absent_since.is_some_and(|since| since + millis(SLOW_AFTER) <= now);
        match self.connected {
            true => !self.refused && self.settled_at <= now,
            false => !self.unreachable && !is_slow,
        }
    }

    /// Whether it may be dialled now.
    fn may_be_dialled(&self, now: Millis) -> bool {
        !self.connected && !self.dialling && self.not_before <= now
    }
}

/// The relays of the network, in the order of the configuration, and which of them are kept.
#[derive(Debug)]
pub(super) struct RelayPool {
    local_peer_id: PeerId,
    pub(super) states: Vec<RelayState>,
    /// Their ids, those with the highest weight first.
    ranking: Vec<PeerId>,
    /// When the first visits may begin; set at the first choice.
    visits_from: Option<Millis>,
}

impl RelayPool {
    /// Ignores relays without a peer id at the end of their address.
    pub(super) fn new(local_peer_id: PeerId, relays: Vec<Multiaddr>) -> Self {
        let mut pool = Self { local_peer_id, states: Vec::new(), ranking: Vec::new(), visits_from: None };
        pool.set(relays);
        pool
    }

    /// Sets the relays. One that is named no more stays as long as it is connected or being dialled.
    pub(super) fn set(&mut self, relays: Vec<Multiaddr>) {
        self.states.retain(|known| known.connected || known.dialling || relays.contains(&known.address));
        for address in relays {
            let is_known = self.states.iter().any(|known| known.address == address);
            if let Some(peer) = peer_of(&address).filter(|_| !is_known) {
                self.states.push(RelayState::new(peer, address));
            }
        }
        let ids: BTreeSet<PeerId> = self.states.iter().map(|relay| relay.peer).collect();
        self.ranking = ids.into_iter().collect();
        let local_peer_id = self.local_peer_id;
        self.ranking.sort_by_key(|relay| std::cmp::Reverse(weight(&local_peer_id, relay)));
    }

    /// Whether the peer is one of the network's relays.
    pub(super) fn contains(&self, peer: &PeerId) -> bool {
        self.states.iter().any(|relay| relay.peer == *peer)
    }

    /// Returns the states of one relay: one for each of its configured addresses.
    pub(super) fn of_mut(&mut self, peer: &PeerId) -> impl Iterator<Item = &mut RelayState> {
        self.states.iter_mut().filter(move |relay| relay.peer == *peer)
    }

    /// Returns the connected relays with their addresses.
    pub(super) fn connected(&self) -> Vec<(PeerId, Multiaddr)> {
        let connected = self.states.iter().filter(|relay| relay.connected);
        connected.map(|relay| (relay.peer, relay.address.clone())).collect()
    }

    /// Whether a peer may be dialled through a relay now: one that is connected, or one that is not kept and may be
    /// connected for it. The transport dials that one. A kept one is about to be connected anyway.
    pub(super) fn leads_on(&self, relay: &PeerId, now: Millis) -> bool {
        let mut of_relay = self.states.iter().filter(|state| state.peer == *relay);
        of_relay.any(|relay| {
            relay.connected || !relay.kept && relay.may_be_dialled(now) && self.elsewhere() < RELAYS_ELSEWHERE_MAX
        })
    }

    /// Chooses the relays to keep; see the head of this file.
    pub(super) fn choose(&mut self, now: Millis) {
        self.visits_from.get_or_insert(now + millis(FIRST_VISITS_AFTER));
        let has_others = self.ranking.len() > RELAYS_MAX;
        let (mut reliable, mut places) = (0, 0);
        for peer in &self.ranking {
            let of_peer = || self.states.iter().filter(|relay| relay.peer == *peer);
            let can_be_relied_on = of_peer().any(|relay| relay.can_be_relied_on(now));
            let is_connected = of_peer().any(|relay| relay.connected);
            // Another one may have a place.
            let is_full = has_others && of_peer().all(|relay| relay.refused && relay.not_before > now);
            let kept = reliable < RELAYS_TARGET && places < RELAYS_MAX && !is_full;
            if kept {
                reliable += usize::from(can_be_relied_on);
                places += usize::from(can_be_relied_on || is_connected);
            }
            for relay in self.states.iter_mut().filter(|relay| relay.peer == *peer && relay.kept != kept) {
                relay.kept = kept;
                // What it was asked as a visitor is asked once more as one that stays.
                (relay.discover_at, relay.register_at, relay.absent_since) = (0, 0, None);
                if !kept {
                    relay.visited_at = Some(now);
                }
            }
        }
        for relay in self.states.iter_mut().filter(|relay| relay.kept && !relay.connected) {
            relay.absent_since.get_or_insert(now);
        }
    }

    /// Returns the relays to be dialled now: the kept ones, those that something waits for, and those that are visited.
    pub(super) fn dials(&mut self, now: Millis, every: Visits, random: Random<'_>) -> Vec<(PeerId, Multiaddr)> {
        let mut due: Vec<usize> = Vec::new();
        let kept = |relay: &RelayState| relay.kept && relay.may_be_dialled(now);
        due.extend((0..self.states.len()).filter(|at| kept(&self.states[*at])));
        let mut room = RELAYS_ELSEWHERE_MAX.saturating_sub(self.elsewhere());
        let called = |relay: &RelayState| !relay.kept && relay.called && relay.may_be_dialled(now);
        let called: Vec<usize> = (0..self.states.len()).filter(|at| called(&self.states[*at])).take(room).collect();
        room -= called.len();
        due.extend(&called);
        let visits = self.visits(now, every, room.min(VISITS_MAX.saturating_sub(self.elsewhere() + called.len())));
        let spread = millis(every.time()) / 2;
        for at in &visits {
            self.states[*at].visited_at = Some(now.saturating_sub(random(spread)));
            (self.states[*at].sought, self.states[*at].visit_until) = (false, now + millis(STAY));
        }
        due.extend(visits);
        let begin = |at: usize| {
            let relay = &mut self.states[at];
            relay.dialling = true;
            (relay.peer, relay.address.clone())
        };
        due.into_iter().map(begin).collect()
    }

    /// Chooses relays to visit, those that were not visited for the longest time first.
    fn visits(&self, now: Millis, every: Visits, room: usize) -> Vec<usize> {
        let time = millis(every.time());
        let first = self.visits_from.map(|from| if every == Visits::Enough { from + time } else { from });
        let is_due = |relay: &RelayState| {
            let from = relay.visited_at.map_or(first, |at| Some(at + time));
            every != Visits::Never && (relay.sought || from.is_some_and(|from| from <= now))
        };
        let mut due: Vec<usize> = (0..self.states.len()).collect();
        due.retain(|at| !self.states[*at].kept && self.states[*at].may_be_dialled(now) && is_due(&self.states[*at]));
        due.sort_by_key(|at| {
            (self.states[*at].visited_at, self.ranking.iter().position(|id| *id == self.states[*at].peer))
        });
        due.truncate(room);
        due
    }

    /// Returns how many relays are connected or being dialled besides the kept ones.
    fn elsewhere(&self) -> usize {
        let elsewhere = self.states.iter().filter(|relay| !relay.kept && (relay.connected || relay.dialling));
        elsewhere.map(|relay| relay.peer).collect::<BTreeSet<PeerId>>().len()
    }

    /// Returns the connected relays that nothing needs any more. `is_used` says of which a dial makes use.
    pub(super) fn leave(&mut self, now: Millis, is_used: impl Fn(&PeerId) -> bool) -> Vec<PeerId> {
        let is_over = |relay: &&mut RelayState| {
            let is_needed = relay.stays_until.max(relay.visit_until) > now || is_used(&relay.peer);
            relay.connected && !relay.kept && !is_needed
        };
        let mut left = BTreeSet::new();
        for relay in self.states.iter_mut().filter(is_over) {
            // Not once more before the connection has ended.
            relay.stays_until = now + millis(STAY);
            left.insert(relay.peer);
        }
        left.into_iter().collect()
    }

    /// Notes that something needs a relay: it is connected if it is not, and stays connected for a while. Returns false
    /// if it is known not to be reached now.
    pub(super) fn call(&mut self, relay: &PeerId, now: Millis) -> bool {
        let mut can_be_reached = false;
        for relay in self.of_mut(relay) {
            relay.stays_until = now + millis(STAY);
            if relay.connected {
                can_be_reached = true;
            } else if (!relay.kept || relay.called) && (relay.dialling || relay.not_before <= now) {
                (relay.called, can_be_reached) = (true, true);
            }
        }
        can_be_reached
    }

    /// Ends a visit: the relay has answered.
    pub(super) fn on_discovered(&mut self, relay: &PeerId, now: Millis) {
        self.of_mut(relay).for_each(|relay| relay.visit_until = now);
    }

    /// Has connected relays stay for a while: queries make use of them.
    pub(super) fn stay(&mut self, now: Millis) {
        self.states.iter_mut().for_each(|relay| relay.stays_until = now + millis(STAY));
    }

    /// Has all relays asked for peers soon: somebody is looked for.
    pub(super) fn discover_soon(&mut self, now: Millis) {
        for relay in &mut self.states {
            relay.discover_at = 0;
            relay.sought = relay.visited_at.is_none_or(|at| at + millis(STAY) <= now);
        }
    }

    /// Ends the backoff of a relay; what it is asked for is due at once.
    pub(super) fn on_connected(&mut self, relay: &PeerId, now: Millis) {
        for relay in self.of_mut(relay) {
            let was_gone =
                relay.unreachable || relay.absent_since.is_some_and(|since| since + millis(SLOW_AFTER) <= now);
            relay.settled_at = if was_gone { now + millis(SETTLED_AFTER) } else { now };
            (relay.connected, relay.dialling, relay.failures, relay.called) = (true, false, 0, false);
            (relay.unreachable, relay.refused, relay.absent_since) = (false, false, None);
            (relay.not_before, relay.discover_at, relay.register_at) = (0, 0, 0);
            if relay.visit_until <= now {
                // A query or a dial connected it.
                relay.stays_until = now + millis(STAY);
            }
        }
    }

    /// The connection to a relay ended, or could not be made.
    pub(super) fn on_disconnected(&mut self, relay: &PeerId, now: Millis, random: Random<'_>) {
        for relay in self.of_mut(relay) {
            let was_left = relay.connected && !relay.kept;
            // One that was lost again before it was settled counts as if it had not come back.
            relay.unreachable |= !relay.connected || relay.settled_at > now;
            (relay.connected, relay.dialling, relay.reserved, relay.reserving) = (false, false, false, false);
            (relay.refused, relay.called) = (false, false);
            relay.absent_since = relay.absent_since.filter(|_| relay.kept).or(relay.kept.then_some(now));
            if !was_left {
                relay.not_before = now + retry_delay(relay.failures, RETRY_RELAY_MAX, random);
                relay.failures += 1;
            }
        }
    }

    /// A relay gave a reservation, refused one, or it ended.
    pub(super) fn set_reserved(&mut self, relay: &PeerId, reserved: bool, now: Millis, random: Random<'_>) {
        let most = if self.ranking.len() > RELAYS_MAX { RETRY_FULL_MAX } else { RETRY_RELAY_MAX };
        for relay in self.of_mut(relay).filter(|relay| relay.kept || !reserved) {
            (relay.reserved, relay.reserving) = (reserved, false);
            if reserved {
                relay.settled_at = if relay.refused { now + millis(SETTLED_AFTER) } else { relay.settled_at };
                (relay.refused, relay.failures) = (false, 0);
            } else if relay.kept {
                relay.refused = true;
                relay.not_before = now + retry_delay(relay.failures, most, random);
                relay.failures += 1;
            }
        }
    }

    /// Ends all waits after failures.
    pub(super) fn reset_backoff(&mut self) {
        for relay in &mut self.states {
            (relay.not_before, relay.discover_at, relay.failures) = (0, 0, 0);
        }
    }
}

/// How often relays are visited that are not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Visits {
    /// There is no room for further peers.
    Never,
    /// There is no peer at all.
    Alone,
    /// Connections are missing.
    Few,
    /// There are enough.
    Enough,
}

impl Visits {
    fn time(self) -> Duration {
        match self {
            Self::Alone => VISIT_ALONE,
            Self::Few => VISIT_FEW,
            Self::Enough | Self::Never => VISIT_EVERY,
        }
    }
}

/// Returns the weight of a relay for this node, evenly distributed: the relays with the highest ones are used.
pub(super) fn weight(local_peer_id: &PeerId, relay: &PeerId) -> [u8; 32] {
    Sha256::new().chain_update(local_peer_id.to_bytes()).chain_update(relay.to_bytes()).finalize().into()
}

#[cfg(test)]
mod tests;
