//! Which of the peers that could be dialled are: those met before, then those that failed least; and among equals those
//! that come through a relay which brought fewest of the present connections. The operator of one relay must not choose
//! all of a node's neighbours as long as there is another.

use std::collections::BTreeMap;

use libp2p::{Multiaddr, PeerId};

use super::{
    Action, ConnectionManager, DIALLED_WANTED, DIALLING_MAX, DIRECT_WANTED, DialCandidate, Millis, Random, relay_of,
};

/// How many present or begun connections come through each relay. A peer that is known at several counts at each.
type Load = BTreeMap<PeerId, usize>;

impl ConnectionManager {
    pub(super) fn dial(&mut self, now: Millis, random: Random<'_>, actions: &mut Vec<Action>) {
        let up: Vec<PeerId> = self.connected_relays().collect();
        let dialled = self.direct.values().filter(|dialled| **dialled).count();
        let under_way = self.candidates.values().filter(|found| found.dialling).count();
        let missing = DIRECT_WANTED.saturating_sub(self.direct.len() + under_way);
        let own_missing = DIALLED_WANTED.saturating_sub(dialled + under_way);
        let room = if self.has_room() { DIALLING_MAX.saturating_sub(under_way) } else { 0 };
        let missing = missing.max(own_missing).min(room);
        if missing == 0 {
            return;
        }
        let leads = |address: &&Multiaddr| relay_of(address).is_none_or(|relay| up.contains(&relay));
        let open = self.candidates.iter().filter(|(peer, found)| {
            !found.dialling
                && found.banned_until == 0
                && found.not_before <= now
                && !self.direct.contains_key(peer)
                && found.addresses.iter().any(|address| leads(&address))
        });
        let mut open: Vec<(PeerId, u64)> = open.map(|(peer, _)| (*peer, random(u64::MAX))).collect();
        let mut load = self.load();
        for _ in 0..missing {
            let rank = |(peer, chance): &(PeerId, u64)| {
                let found = &self.candidates[peer];
                (found.reached_at.is_none(), found.failures, crowd(&load, found, leads), *chance, *peer)
            };
            let Some(best) = (0..open.len()).min_by_key(|at| rank(&open[*at])) else { break };
            let (peer, _) = open.swap_remove(best);
            let Some(found) = self.candidates.get_mut(&peer) else { continue };
            found.dialling = true;
            let addresses: Vec<Multiaddr> = found.addresses.iter().filter(leads).cloned().collect();
            count(&mut load, &addresses);
            actions.push(Action::Dial { peer, addresses });
        }
    }

    fn load(&self) -> Load {
        let mut load = Load::new();
        let present = self.candidates.iter().filter(|(peer, found)| found.dialling || self.direct.contains_key(peer));
        present.for_each(|(_, found)| count(&mut load, &found.addresses));
        load
    }
}

fn count(load: &mut Load, addresses: &[Multiaddr]) {
    for relay in addresses.iter().filter_map(relay_of) {
        *load.entry(relay).or_default() += 1;
    }
}

/// How crowded the emptiest way to it is. A way without a relay is never crowded.
fn crowd(load: &Load, found: &DialCandidate, leads: impl Fn(&&Multiaddr) -> bool) -> usize {
    let ways = found.addresses.iter().filter(leads);
    let crowds = ways.map(|address| relay_of(address).map_or(0, |relay| load.get(&relay).copied().unwrap_or(0)));
    crowds.min().unwrap_or(0)
}
