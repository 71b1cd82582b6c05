//! Which relays are kept, that a substitute comes and goes without flapping, and that the others are asked in turn.

use std::collections::BTreeMap;

use libp2p::multiaddr::Protocol;

use super::*;
use crate::net::key::NodeKey;

fn peer() -> PeerId {
    NodeKey::fresh().peer_id()
}

fn relays(count: usize) -> Vec<Multiaddr> {
    (1..=count).map(|port| format!("/ip4/127.0.0.1/tcp/{port}/p2p/{}", peer()).parse().expect("an address")).collect()
}

/// The largest number that is allowed.
fn late(below: u64) -> u64 {
    below.saturating_sub(1)
}

/// A pool among relays of which some are gone, and time that passes in steps of half a second as in the event loop.
struct Network {
    pool: RelayPool,
    now: Millis,
    gone: BTreeSet<PeerId>,
    full: BTreeSet<PeerId>,
    visits: Visits,
    /// How often each relay was connected.
    connections: BTreeMap<PeerId, usize>,
    /// The most relays that were connected at the end of a step.
    most: usize,
}

impl Network {
    fn of(count: usize) -> Self {
        let pool = RelayPool::new(peer(), relays(count));
        let (gone, full, connections) = Default::default();
        Self { pool, now: 0, gone, full, visits: Visits::Enough, connections, most: 0 }
    }

    fn ranked(&self, rank: usize) -> PeerId {
        self.pool.ranking[rank]
    }

    fn step(&mut self) {
        self.pool.choose(self.now);
        for (relay, _) in self.pool.dials(self.now, self.visits, &mut late) {
            if self.gone.contains(&relay) {
                self.pool.on_disconnected(&relay, self.now, &mut late);
            } else {
                self.pool.on_connected(&relay, self.now);
                *self.connections.entry(relay).or_default() += 1;
            }
        }
        let (now, full) = (self.now, self.full.clone());
        let asked: Vec<(PeerId, bool)> = self
            .pool
            .states
            .iter()
            .filter(|relay| relay.kept && relay.connected && !relay.reserved && relay.not_before <= now)
            .map(|relay| (relay.peer, !full.contains(&relay.peer)))
            .collect();
        asked.iter().for_each(|(relay, has_room)| self.pool.set_reserved(relay, *has_room, now, &mut late));
        let visited: Vec<PeerId> =
            self.pool.states.iter().filter(|relay| !relay.kept).map(|relay| relay.peer).collect();
        visited.iter().for_each(|relay| self.pool.on_discovered(relay, now));
        for relay in self.pool.leave(self.now, |_| false) {
            self.pool.on_disconnected(&relay, self.now, &mut late);
        }
        self.most = self.most.max(self.pool.connected().len());
        self.now += 500;
    }

    fn pass(&mut self, time: Duration) {
        let until = self.now + millis(time);
        while self.now < until {
            self.step();
        }
    }

    fn lose(&mut self, relay: PeerId) {
        self.gone.insert(relay);
        self.pool.on_disconnected(&relay, self.now, &mut late);
    }

    /// The ranks of the relays that are connected and kept.
    fn kept(&self) -> Vec<usize> {
        let kept =
            |peer: &PeerId| self.pool.states.iter().any(|relay| relay.peer == *peer && relay.kept && relay.connected);
        (0..self.pool.ranking.len()).filter(|rank| kept(&self.pool.ranking[*rank])).collect()
    }
}

#[test]
fn keeps_the_two_highest_of_many_and_the_same_ones_in_whatever_order() {
    let (me, mut addresses) = (peer(), relays(8));
    let ranking = RelayPool::new(me, addresses.clone()).ranking;
    addresses.reverse();
    assert_eq!(RelayPool::new(me, addresses.clone()).ranking, ranking);
    // A relay that goes changes the choice of those only that had chosen it.
    addresses.retain(|address| peer_of(address) != Some(ranking[5]));
    assert_eq!(RelayPool::new(me, addresses).ranking[..5], ranking[..5]);
    let mut network = Network::of(8);
    network.pass(Duration::from_secs(60));
    assert_eq!((network.kept(), network.most), (vec![0, 1], RELAYS_TARGET));
}

#[test]
fn nodes_spread_evenly_over_relays() {
    let addresses = relays(4);
    let mut firsts = BTreeMap::<PeerId, usize>::new();
    for _ in 0..400 {
        *firsts.entry(RelayPool::new(peer(), addresses.clone()).ranking[0]).or_default() += 1;
    }
    assert!(firsts.len() == 4 && firsts.values().all(|nodes| (50..200).contains(nodes)), "{firsts:?}");
}

#[test]
fn with_one_or_two_relays_all_are_kept_whatever_happens() {
    for count in [1, 2] {
        let mut network = Network::of(count);
        network.full = network.pool.ranking.iter().copied().collect();
        network.step();
        assert_eq!(network.kept().len(), count);
        network.pass(Duration::from_secs(300));
        assert_eq!(network.kept().len(), count, "refused places leave the connection");
        network.lose(network.ranked(0));
        network.pass(Duration::from_secs(60));
        network.gone.clear();
        network.pass(RETRY_RELAY_MAX * 2);
        assert_eq!(network.kept().len(), count);
    }
}

#[test]
fn next_relay_takes_the_place_of_one_that_is_gone_and_is_left_after_its_return() {
    let mut network = Network::of(4);
    network.visits = Visits::Never;
    network.pass(Duration::from_secs(5));
    network.lose(network.ranked(0));
    network.pass(SLOW_AFTER + Duration::from_secs(2));
    assert_eq!(network.kept(), [1, 2]);
    network.pass(Duration::from_secs(600));
    assert_eq!(network.kept(), [1, 2]);
    network.gone.clear();
    network.pass(RETRY_RELAY_MAX * 2);
    assert_eq!(network.kept(), [0, 1, 2], "for a while");
    network.pass(SETTLED_AFTER);
    assert_eq!(network.kept(), [0, 1]);
    assert!(network.most <= RELAYS_MAX, "{} at once", network.most);
    let third = network.ranked(2);
    assert_eq!(network.connections[&third], 1);
}

#[test]
fn relay_that_comes_and_goes_does_not_make_its_substitute_do_so() {
    let mut network = Network::of(4);
    network.visits = Visits::Never;
    network.pass(Duration::from_secs(5));
    for _ in 0..20 {
        network.lose(network.ranked(0));
        network.pass(Duration::from_secs(40));
        network.gone.clear();
        network.pass(SETTLED_AFTER / 2);
    }
    let third = network.ranked(2);
    assert_eq!(network.connections[&third], 1, "it was connected once and stayed");
    assert!(network.most <= RELAYS_MAX, "{} at once", network.most);
}

#[test]
fn many_that_are_gone_are_passed_over_at_once() {
    let mut network = Network::of(16);
    network.gone = network.pool.ranking[..14].iter().copied().collect();
    network.pass(Duration::from_secs(15));
    assert_eq!(network.kept(), [14, 15]);
    network.gone.clear();
    network.pass(RETRY_RELAY_MAX * 2 + SETTLED_AFTER);
    assert_eq!(network.kept(), [0, 1]);
}

#[test]
fn full_relays_give_way_to_one_with_a_place() {
    let mut network = Network::of(5);
    network.full = network.pool.ranking[..4].iter().copied().collect();
    network.pass(Duration::from_secs(60));
    assert!(network.kept().contains(&4), "{:?}", network.kept());
    assert!(network.most <= RELAYS_MAX + VISITS_MAX, "{} at once", network.most);
}

#[test]
fn relay_with_a_new_key_takes_the_place_of_the_lost_one_and_the_list_does_not_grow() {
    let mut network = Network::of(1);
    network.visits = Visits::Never;
    network.pass(Duration::from_secs(5));
    let address = network.pool.states[0].address.clone();
    for _ in 0..5 {
        let lost = network.ranked(0);
        network.lose(lost);
        network.pass(Duration::from_secs(5));
        let fresh = address.iter().take(2).collect::<Multiaddr>().with(Protocol::P2p(peer()));
        // Both are named for a while.
        let known = network.pool.states[0].address.clone();
        network.pool.set(vec![known, fresh.clone()]);
        network.pass(Duration::from_secs(1));
        assert_eq!(network.pool.connected().iter().map(|(_, at)| at).collect::<Vec<_>>(), [&fresh]);
        network.pool.set(vec![fresh]);
        assert_eq!(network.pool.states.len(), 1);
    }
}

#[test]
fn slow_relay_is_not_waited_for() {
    let mut pool = RelayPool::new(peer(), relays(3));
    pool.choose(0);
    let first: Vec<PeerId> = pool.dials(0, Visits::Never, &mut late).into_iter().map(|(relay, _)| relay).collect();
    assert_eq!(first, {
        let mut two = pool.ranking[..2].to_vec();
        two.sort_by_key(|peer| pool.states.iter().position(|relay| relay.peer == *peer));
        two
    });
    pool.choose(1_000);
    assert_eq!(pool.dials(1_000, Visits::Never, &mut late), []);
    pool.choose(millis(SLOW_AFTER));
    let next = pool.dials(millis(SLOW_AFTER), Visits::Never, &mut late);
    assert_eq!(next.iter().map(|(relay, _)| *relay).collect::<Vec<_>>(), [pool.ranking[2]]);
}

#[test]
fn all_other_relays_are_visited_in_turn_few_at_once() {
    let mut network = Network::of(16);
    network.visits = Visits::Alone;
    network.pass(Duration::from_secs(20));
    assert_eq!(network.connections.len(), 16, "{:?}", network.connections);
    assert!(network.most <= RELAYS_TARGET + VISITS_MAX, "{} at once", network.most);
    assert_eq!(network.kept(), [0, 1]);
    let mut busy = Network::of(16);
    busy.visits = Visits::Never;
    busy.pass(Duration::from_secs(600));
    assert_eq!(busy.connections.len(), RELAYS_TARGET);
}

#[test]
fn called_relay_is_connected_and_left_again() {
    let mut network = Network::of(4);
    network.visits = Visits::Never;
    network.pass(Duration::from_secs(5));
    let (other, gone) = (network.ranked(3), network.ranked(2));
    assert!(network.pool.call(&other, network.now));
    network.step();
    assert!(network.pool.connected().iter().any(|(relay, _)| *relay == other));
    assert_eq!(network.kept(), [0, 1], "it has no place there");
    network.pass(STAY);
    network.step();
    assert!(!network.pool.connected().iter().any(|(relay, _)| *relay == other));
    // One that can't be reached is not waited for.
    network.gone.insert(gone);
    assert!(network.pool.call(&gone, network.now));
    network.step();
    assert!(!network.pool.call(&gone, network.now));
    network.lose(network.ranked(0));
    assert!(!network.pool.call(&network.pool.ranking[0].clone(), network.now));
}
