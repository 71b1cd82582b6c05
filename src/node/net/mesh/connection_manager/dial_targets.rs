//! Peers that the host wants a connection to, beside those that the keeping chooses for itself.
//!
//! The same bounds hold for them: no more dials at once, no banned ones, the same waits after failures, and none while
//! there is no room. What is different is that they come first, and also when there are connections enough.

use std::time::Duration;

use libp2p::{Multiaddr, PeerId};

use super::{ADDRESSES_MAX, Action, CANDIDATES_MAX, ConnectionManager, DIALLING_MAX, Millis, millis, relay_of};

/// Peers that are sought at once; who wants another one waits until one is found or given up.
pub const DIAL_TARGETS_MAX: usize = 4;
/// A peer that is not reached in this time is not sought any longer.
pub const DIAL_TARGET_TIMEOUT: Duration = Duration::from_secs(30);

/// How a peer is reached through a relay, where that gives a direct connection in the end.
pub type Circuit = fn(&Multiaddr, PeerId) -> Option<Multiaddr>;

impl ConnectionManager {
    /// Peers without a known address are tried through every connected relay.
    pub fn with_circuits(self, circuit: Circuit) -> Self {
        Self { circuit, ..self }
    }

    /// Whether this peer is sought from now on. One that is connected, banned or a relay is not.
    pub fn connect_to(&mut self, peer: PeerId, now: Millis) -> bool {
        self.dial_targets.retain(|_, until| *until > now);
        let banned = self.candidates.get(&peer).is_some_and(|found| found.banned_until != 0);
        if peer == self.me || banned || self.is_relay(&peer) || self.direct.contains_key(&peer) {
            return false;
        }
        if self.dial_targets.contains_key(&peer) {
            return true;
        }
        if self.dial_targets.len() >= DIAL_TARGETS_MAX {
            return false;
        }
        self.dial_targets.insert(peer, now + millis(DIAL_TARGET_TIMEOUT));
        if !self.candidates.contains_key(&peer) {
            // The relays may know where it is.
            self.relays.iter_mut().for_each(|relay| relay.discover_at = 0);
        }
        true
    }

    pub fn is_dial_target(&self, peer: &PeerId) -> bool {
        self.dial_targets.contains_key(peer)
    }

    /// The sought ones that can be dialled now, as far as dials and connections may be made.
    pub(super) fn dial_targets_now(&mut self, now: Millis, actions: &mut Vec<Action>) {
        self.dial_targets.retain(|_, until| *until > now);
        let up: Vec<(PeerId, Multiaddr)> = self
            .relays
            .iter()
            .filter(|relay| relay.connected)
            .map(|relay| (relay.peer, relay.address.clone()))
            .collect();
        let dial_targets: Vec<PeerId> = self.dial_targets.keys().copied().collect();
        for peer in dial_targets {
            let under_way = self.candidates.values().filter(|found| found.dialling).count();
            if !self.has_room() || under_way >= DIALLING_MAX {
                return;
            }
            let known = self.candidates.get(&peer);
            if known.is_some_and(|found| found.dialling || found.banned_until != 0 || found.not_before > now) {
                continue;
            }
            let leads = |address: &&Multiaddr| {
                relay_of(address).is_none_or(|relay| up.iter().any(|(connected, _)| *connected == relay))
            };
            let told = known.into_iter().flat_map(|found| &found.addresses);
            let mut addresses: Vec<Multiaddr> = told.filter(leads).cloned().collect();
            // The known addresses may be outdated.
            if addresses.is_empty() || known.is_some_and(|found| found.failures > 0) {
                let circuits = up.iter().filter_map(|(_, relay)| (self.circuit)(relay, peer));
                let others: Vec<Multiaddr> = circuits.filter(|address| !addresses.contains(address)).collect();
                addresses.extend(others);
            }
            addresses.truncate(ADDRESSES_MAX);
            if addresses.is_empty() {
                continue;
            }
            if known.is_none() && self.candidates.len() >= CANDIDATES_MAX && !self.forget_one() {
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
}
