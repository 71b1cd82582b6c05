//! Which candidates are dialled first. Peers that were reached before come first, then those with fewest failures, then
//! those behind the least used relay, so that one relay's breakdown does not separate this node from all others; the
//! rest is chance.
//!
//! For example, with free dials for two of these candidates, Bob is dialled first because he was reached before, then
//! Carol: two connections already lead through relay R, none through S.
//!
//! ```text
//!             reached before   failures   relay   connections through it
//!   Bob       yes              2          R       2
//!   Carol     no               0          S       0        ◄ second
//!   Dave      no               0          R       2
//!   Eve       no               1          S       0
//! ```

use std::collections::BTreeMap;

use libp2p::{Multiaddr, PeerId};

use super::backoff::{Millis, Random};
use super::candidates::{Candidates, DialCandidate, Ways, usable_addresses};
use super::direct_connections::DirectConnections;
use crate::net::address::relay_of;

/// How many present or begun connections use each relay. A peer with addresses at several relays counts at each.
type Load = BTreeMap<PeerId, usize>;

/// Chooses at most `count` candidates to dial, each with its usable addresses.
pub(super) fn choose(
    candidates: &Candidates,
    direct: &DirectConnections,
    ways: &Ways<'_>,
    count: usize,
    now: Millis,
    random: Random<'_>,
) -> Vec<(PeerId, Vec<Multiaddr>)> {
    let eligible = candidates.iter().filter(|(peer, found)| {
        found.may_be_dialled(now) && !direct.contains(peer) && !usable_addresses(found, ways).is_empty()
    });
    let mut eligible: Vec<(PeerId, &DialCandidate, u64)> =
        eligible.map(|(peer, found)| (*peer, found, random(u64::MAX))).collect();
    let mut load = Load::new();
    let used = candidates.iter().filter(|(peer, found)| found.dialling || direct.contains(peer));
    used.for_each(|(_, found)| add_load(&mut load, &found.addresses));
    let mut chosen = Vec::new();
    for _ in 0..count {
        let rank = |(peer, found, chance): &(PeerId, &DialCandidate, u64)| {
            let usable = usable_addresses(found, ways).into_iter();
            let least_load = usable.map(|address| load_of(&load, address)).min();
            (found.reached_at.is_none(), found.failures, least_load, *chance, *peer)
        };
        let Some(best) = (0..eligible.len()).min_by_key(|at| rank(&eligible[*at])) else { break };
        let (peer, found, _) = eligible.swap_remove(best);
        let addresses: Vec<Multiaddr> = usable_addresses(found, ways).into_iter().cloned().collect();
        add_load(&mut load, &addresses);
        chosen.push((peer, addresses));
    }
    chosen
}

/// Counts one more connection at each relay that the addresses lead through.
fn add_load(load: &mut Load, addresses: &[Multiaddr]) {
    for relay in addresses.iter().filter_map(relay_of) {
        *load.entry(relay).or_default() += 1;
    }
}

/// Returns the load of the relay on the way; 0 without one.
fn load_of(load: &Load, address: &Multiaddr) -> usize {
    relay_of(address).map_or(0, |relay| load.get(&relay).copied().unwrap_or(0))
}
