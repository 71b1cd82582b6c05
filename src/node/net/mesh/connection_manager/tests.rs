//! Which peers are dialled, how often, and that false reports have no effect.

use super::*;
use crate::net::key::NodeKey;
use libp2p::multiaddr::Protocol;

fn peer() -> PeerId {
    NodeKey::fresh().peer_id()
}

fn at(port: u16, peer: PeerId) -> Multiaddr {
    format!("/ip4/127.0.0.1/tcp/{port}/p2p/{peer}").parse().expect("an address")
}

fn direct(address: &Multiaddr) -> bool {
    address.iter().any(|part| matches!(part, Protocol::Tcp(_)))
}

/// The largest number that is allowed.
fn late(below: u64) -> u64 {
    below.saturating_sub(1)
}

fn connection_manager(relays: Vec<Multiaddr>) -> ConnectionManager {
    ConnectionManager::new(peer(), relays, direct)
}

fn dialled(actions: &[Action]) -> Vec<PeerId> {
    let peers = actions.iter().filter_map(|action| match action {
        Action::Dial { peer, .. } => Some(*peer),
        _ => None,
    });
    peers.collect()
}

#[test]
fn connected_relay_gets_requests_to_reserve_discover_and_register() {
    let relay = peer();
    let mut connection_manager = connection_manager(vec![at(1, relay)]);
    assert_eq!(connection_manager.poll(0, &mut late), [Action::DialRelay { relay, address: at(1, relay) }]);
    assert_eq!(connection_manager.poll(0, &mut late), [], "a dial under way is not begun again");
    connection_manager.relay_connected(&relay, 0);
    let actions = connection_manager.poll(1, &mut late);
    assert_eq!(actions, [Action::Reserve { relay, address: at(1, relay) }, Action::Discover { relay }]);
    connection_manager.set_reserved(&relay, true, 1, &mut late);
    connection_manager.set_reachable(true);
    assert_eq!(
        connection_manager.poll(2, &mut late),
        [Action::Register { relay }],
        "only once there is something to register"
    );
    assert_eq!(connection_manager.poll(20_000, &mut late), [Action::Discover { relay }]);
}

#[test]
fn backoff_of_a_lost_relay_grows_up_to_its_maximum() {
    let relay = peer();
    let mut connection_manager = connection_manager(vec![at(1, relay)]);
    let (mut now, mut waits) = (0, Vec::new());
    for _ in 0..12 {
        let begun = now;
        while !connection_manager.poll(now, &mut late).contains(&Action::DialRelay { relay, address: at(1, relay) }) {
            now += 100;
        }
        waits.push(now - begun);
        connection_manager.relay_disconnected(&relay, now, &mut late);
    }
    assert!(waits.windows(2).all(|pair| pair[0] <= pair[1] + 100), "{waits:?}");
    assert!(waits[11] <= millis(relay_pool::RETRY_RELAY_MAX) * 3 / 2 + 100, "{waits:?}");
    connection_manager.reset_backoff();
    assert_eq!(connection_manager.poll(now, &mut late).len(), 1, "after a reset it is dialled at once");
}

#[test]
fn dials_remembered_peers_first_and_stops_at_the_target() {
    let mut connection_manager = connection_manager(Vec::new());
    let old = peer();
    connection_manager.add_addresses(old, [at(9, old)]);
    connection_manager.connected(old, true, 5);
    connection_manager.disconnected(&old, 6, &mut late);
    for port in 10..60 {
        let other = peer();
        connection_manager.add_addresses(other, [at(port, other)]);
    }
    let first = dialled(&connection_manager.poll(10_000, &mut late));
    assert_eq!(first.len(), DIALLING_MAX);
    assert_eq!(first[0], old);
    let mut up = 0;
    let mut wave = first;
    while !wave.is_empty() {
        for other in wave {
            connection_manager.connected(other, true, 10_000);
            up += 1;
        }
        wave = dialled(&connection_manager.poll(10_000, &mut late));
    }
    assert_eq!(up, DIRECT_TARGET);
    assert_eq!(connection_manager.remembered_peers().len(), DIRECT_TARGET);
}

#[test]
fn dials_some_peers_itself_despite_enough_accepted_connections() {
    let mut connection_manager = connection_manager(Vec::new());
    for _ in 0..DIRECT_TARGET + 4 {
        connection_manager.connected(peer(), false, 0);
    }
    for port in 10..30 {
        let other = peer();
        connection_manager.add_addresses(other, [at(port, other)]);
    }
    assert_eq!(dialled(&connection_manager.poll(1, &mut late)).len(), DIALLED_TARGET);
}

#[test]
fn unreachable_peer_is_removed_and_banned_peer_is_not_dialled() {
    let mut connection_manager = connection_manager(Vec::new());
    let (silent, bad) = (peer(), peer());
    connection_manager.add_addresses(silent, [at(1, silent)]);
    connection_manager.add_addresses(bad, [at(2, bad)]);
    connection_manager.ban(bad, 0);
    let (mut now, mut tried) = (0, 0);
    while now < millis(BAN_TIME) {
        for other in dialled(&connection_manager.poll(now, &mut late)) {
            assert_eq!(other, silent);
            tried += 1;
            // libp2p may report one failure twice.
            connection_manager.dial_failed(&other, now, &mut late);
            connection_manager.dial_failed(&other, now, &mut late);
        }
        now += 500;
    }
    assert_eq!(tried, FAILURES_MAX);
    assert_eq!(connection_manager.take_expired_bans(now), [bad]);
}

#[test]
fn reported_addresses_are_limited_and_never_lead_through_foreign_relays() {
    let (relay, foreign, me) = (peer(), peer(), peer());
    let mut connection_manager = ConnectionManager::new(me, vec![at(1, relay)], direct);
    let other = peer();
    let through = |relay: PeerId| at(1, relay).with(Protocol::P2pCircuit).with(Protocol::P2p(other));
    connection_manager.add_addresses(other, [through(foreign)]);
    connection_manager.add_addresses(me, [at(3, me)]);
    connection_manager.add_addresses(relay, [at(4, relay)]);
    connection_manager.add_addresses(other, [at(5, peer())]);
    assert!(connection_manager.candidates.is_empty(), "{:?}", connection_manager.candidates);
    connection_manager.add_addresses(other, [through(relay)]);
    assert_eq!(dialled(&connection_manager.poll(0, &mut late)), [], "its relay is not connected");
    connection_manager.relay_connected(&relay, 0);
    assert_eq!(dialled(&connection_manager.poll(0, &mut late)), [other]);
    for _ in 0..2 * CANDIDATES_MAX {
        let other = peer();
        connection_manager.add_addresses(other, (0..2 * ADDRESSES_MAX).map(|port| at(port as u16 + 1, other)));
    }
    assert_eq!(connection_manager.candidates.len(), CANDIDATES_MAX);
    assert!(connection_manager.candidates.values().all(|found| found.addresses.len() <= ADDRESSES_MAX));
    assert!(connection_manager.candidates.contains_key(&other), "a peer that is being dialled is not evicted");
}

#[test]
fn page_dials_public_nodes_of_its_network_and_no_other_such_address() {
    let (open, stranger) = (peer(), peer());
    let mut page = ConnectionManager::new(peer(), vec![], |_| false).with_public_nodes(vec![at(1, open)]);
    // The right node elsewhere, another one there, and another one elsewhere.
    for (peer, address) in [(open, at(2, open)), (stranger, at(1, stranger)), (stranger, at(3, stranger))] {
        page.add_addresses(peer, [address]);
    }
    assert!(page.candidates.is_empty(), "{:?}", page.candidates);
    page.add_addresses(open, [at(2, open), "/ip4/127.0.0.1/tcp/1".parse().expect("an address")]);
    assert_eq!(page.poll(0, &mut late), [Action::Dial { peer: open, addresses: vec![at(1, open)] }]);
}

#[test]
fn server_accepts_more_connections() {
    let mut server = ConnectionManager::new(peer(), vec![], |_| false).with_direct_max(DIRECT_MAX + 1);
    for _ in 0..DIRECT_MAX {
        server.connected(peer(), false, 0);
    }
    assert!(!server.direct.is_full());
    server.connected(peer(), false, 0);
    assert!(server.direct.is_full());
}

fn circuit(relay: &Multiaddr, peer: PeerId) -> Option<Multiaddr> {
    Some(relay.clone().with(Protocol::P2pCircuit).with(Protocol::P2p(peer)))
}

#[test]
fn dial_target_is_dialled_despite_enough_connections() {
    let mut connection_manager = connection_manager(Vec::new());
    for port in 1..=DIRECT_TARGET as u16 {
        let other = peer();
        connection_manager.add_addresses(other, [at(port, other)]);
        connection_manager.connected(other, true, 0);
    }
    let target = peer();
    connection_manager.add_addresses(target, [at(99, target)]);
    assert_eq!(connection_manager.poll(1, &mut late), [], "there are enough");
    assert!(connection_manager.connect_to(target, 1));
    assert_eq!(connection_manager.poll(1, &mut late), [Action::Dial { peer: target, addresses: vec![at(99, target)] }]);
    connection_manager.connected(target, true, 2);
    assert!(!connection_manager.connect_to(target, 2), "it is connected");
    connection_manager.disconnected(&target, 2 + millis(dial_targets::SETTLED_AFTER), &mut late);
    assert_eq!(connection_manager.poll(20_000, &mut late), [], "once it stayed connected, it is no target any more");
}

#[test]
fn dial_target_that_closes_at_once_is_dialled_again() {
    let (mut connection_manager, target) = (connection_manager(Vec::new()), peer());
    for _ in 0..DIRECT_TARGET {
        connection_manager.connected(peer(), true, 0);
    }
    connection_manager.add_addresses(target, [at(99, target)]);
    assert!(connection_manager.connect_to(target, 0));
    for seconds in [0, 5, 10] {
        assert_eq!(dialled(&connection_manager.poll(1_000 * seconds, &mut late)), [target]);
        connection_manager.connected(target, true, 1_000 * seconds + 1);
        connection_manager.disconnected(&target, 1_000 * seconds + 2, &mut late);
    }
    let over = millis(dial_targets::DIAL_TARGET_TIMEOUT);
    connection_manager.poll(over, &mut late);
    assert!(!connection_manager.is_dial_target(&target), "not for ever");
}

#[test]
fn dial_target_without_address_is_dialled_through_every_connected_relay() {
    let (up, down, target) = (peer(), peer(), peer());
    let mut connection_manager = connection_manager(vec![at(1, up), at(2, down)]).with_circuits(circuit);
    connection_manager.relay_connected(&up, 0);
    connection_manager.poll(0, &mut late);
    assert!(connection_manager.connect_to(target, 1));
    let addresses: Vec<Multiaddr> = circuit(&at(1, up), target).into_iter().collect();
    let actions = connection_manager.poll(1, &mut late);
    assert!(actions.contains(&Action::Dial { peer: target, addresses }), "{actions:?}");
    assert!(actions.contains(&Action::Discover { relay: up }), "and the relay is queried");
    assert_eq!(dialled(&connection_manager.poll(2, &mut late)), [], "a dial under way is not begun again");
    connection_manager.dial_failed(&target, 2, &mut late);
    assert_eq!(dialled(&connection_manager.poll(3, &mut late)), [], "it waits after a failure");
    assert_eq!(dialled(&connection_manager.poll(5_000, &mut late)), [target]);
}

#[test]
fn dial_targets_obey_the_limits() {
    let relay = peer();
    let mut connection_manager = connection_manager(vec![at(1, relay)]).with_circuits(circuit).with_direct_max(1);
    connection_manager.relay_connected(&relay, 0);
    let banned = peer();
    connection_manager.ban(banned, 0);
    assert!(!connection_manager.connect_to(banned, 1));
    assert!(
        !connection_manager.connect_to(relay, 1) && !connection_manager.connect_to(connection_manager.local_peer_id, 1)
    );
    for _ in 0..dial_targets::DIAL_TARGETS_MAX {
        assert!(connection_manager.connect_to(peer(), 1));
    }
    assert!(!connection_manager.connect_to(peer(), 1), "too many at once");
    let others: Vec<PeerId> = (0..1 + GUESTS_MAX).map(|_| peer()).collect();
    others.iter().for_each(|other| connection_manager.connected(*other, false, 2));
    assert_eq!(dialled(&connection_manager.poll(2, &mut late)), [], "there is no room");
    connection_manager.disconnected(&others[0], 3, &mut late);
    assert_eq!(dialled(&connection_manager.poll(4, &mut late)).len(), dial_targets::DIAL_TARGETS_MAX);
    let over = 1 + millis(dial_targets::DIAL_TARGET_TIMEOUT);
    assert!(connection_manager.connect_to(peer(), over), "those have expired");
}

#[test]
fn chosen_peers_are_spread_over_relays() {
    let (busy, quiet) = (peer(), peer());
    let through = |relay, peer| at(1, relay).with(Protocol::P2pCircuit).with(Protocol::P2p(peer));
    let mut connection_manager = connection_manager(vec![at(1, busy), at(2, quiet)]);
    for relay in [busy, quiet] {
        connection_manager.relay_connected(&relay, 0);
    }
    for _ in 0..40 {
        let peer = peer();
        connection_manager.add_addresses(peer, [through(busy, peer)]);
    }
    let few: Vec<PeerId> = (0..3).map(|_| peer()).collect();
    few.iter().for_each(|peer| connection_manager.add_addresses(*peer, [through(quiet, *peer)]));
    let mut chosen = Vec::new();
    for now in 0..4 {
        for peer in dialled(&connection_manager.poll(now, &mut late)) {
            connection_manager.connected(peer, true, now);
            chosen.push(peer);
        }
    }
    assert_eq!(chosen.len(), DIRECT_TARGET);
    assert_eq!(chosen.iter().filter(|peer| few.contains(peer)).count(), DIRECT_TARGET / 2);
}

/// A crowd of throw-away ids that are banned one by one must not keep everybody else out.
#[test]
fn bans_are_limited_and_leave_room_for_candidates() {
    let mut connection_manager = connection_manager(vec![]);
    let mut readmitted = 0;
    for nth in 0..3 * CANDIDATES_MAX as u64 {
        connection_manager.ban(peer(), nth + 1);
        readmitted += connection_manager.take_expired_bans(nth + 1).len();
    }
    assert_eq!(connection_manager.candidates.len(), BANS_MAX);
    assert_eq!(readmitted, 3 * CANDIDATES_MAX - BANS_MAX, "every ban that made room was reported");
    let other = peer();
    connection_manager.add_addresses(other, [at(1, other)]);
    assert!(dialled(&connection_manager.poll(1_000, &mut late)).contains(&other));
}

#[test]
fn public_nodes_are_dialled_from_the_start_whatever_else_is_connected_and_never_given_up() {
    let open = peer();
    let mut page = connection_manager(Vec::new()).with_public_nodes(vec![at(1, open)]);
    for port in 10..10 + DIRECT_TARGET as u16 {
        let other = peer();
        page.add_addresses(other, [at(port, other)]);
        page.connected(other, true, 0);
    }
    let (mut now, mut tried) = (0, 0);
    while tried < 2 * FAILURES_MAX {
        assert!(now < millis(Duration::from_secs(24 * 60 * 60)), "given up after {tried} dials");
        for peer in dialled(&page.poll(now, &mut late)) {
            assert_eq!(peer, open, "there are enough others");
            tried += 1;
            page.dial_failed(&peer, now, &mut late);
        }
        now += 500;
    }
    let many: Vec<Multiaddr> = (1..=16).map(|port| at(port, peer())).collect();
    let mut page = connection_manager(Vec::new()).with_public_nodes(many);
    let mut all = 0;
    for now in 0..10 {
        for peer in dialled(&page.poll(now, &mut late)) {
            page.connected(peer, true, now);
            all += 1;
        }
    }
    assert_eq!(all, public_nodes::PUBLIC_NODES_DIALLED_MAX, "of many, some");
}

/// Who has a place only at relays that this node does not use is dialled there all the same.
#[test]
fn peer_behind_a_relay_that_is_not_kept_is_dialled_over_it_on_demand() {
    let me = peer();
    let ids: Vec<PeerId> = (0..4).map(|_| peer()).collect();
    let address_of = |relay: &PeerId| at(1 + ids.iter().position(|id| id == relay).expect("a relay") as u16, *relay);
    let mut connection_manager = ConnectionManager::new(me, ids.iter().map(address_of).collect(), direct);
    connection_manager.poll(0, &mut late);
    let kept = |manager: &ConnectionManager| -> Vec<bool> { manager.relays().map(|relay| relay.kept).collect() };
    let is_kept = kept(&connection_manager);
    assert_eq!(is_kept.iter().filter(|kept| **kept).count(), relay_pool::RELAYS_TARGET);
    let (own, others): (Vec<_>, Vec<_>) = ids.iter().zip(&is_kept).partition(|(_, kept)| **kept);
    let other = peer();
    let through = |relay: &PeerId| address_of(relay).with(Protocol::P2pCircuit).with(Protocol::P2p(other));
    // A kept one is about to be connected anyway.
    connection_manager.add_addresses(other, [through(own[0].0)]);
    assert_eq!(dialled(&connection_manager.poll(1, &mut late)), []);
    own.iter().for_each(|(relay, _)| connection_manager.relay_connected(relay, 1));
    connection_manager.add_addresses(other, others.iter().map(|(relay, _)| through(relay)));
    let first = through(others[0].0);
    let actions = connection_manager.poll(2, &mut late);
    assert!(actions.contains(&Action::Dial { peer: other, addresses: vec![first] }), "over one of them: {actions:?}");
    // The transport connects the relay. It stays as long as the dial needs it, and no place is asked for.
    let relay = *others[0].0;
    connection_manager.relay_connected(&relay, 3);
    let later = 3 + 2 * millis(relay_pool::STAY);
    let actions = connection_manager.poll(later, &mut late);
    assert!(!actions.contains(&Action::Leave { relay }), "{actions:?}");
    assert!(!actions.iter().any(|action| matches!(action, Action::Reserve { relay: at, .. } if *at == relay)));
    connection_manager.dial_failed(&other, later, &mut late);
    let actions = connection_manager.poll(later + 1, &mut late);
    assert!(actions.contains(&Action::Leave { relay }), "{actions:?}");
    connection_manager.relay_disconnected(&relay, later + 1, &mut late);
    // Then over the other one, which is connected meanwhile to ask it for peers.
    connection_manager.relay_connected(others[1].0, later + 2);
    let actions = connection_manager.poll(later + 60_000, &mut late);
    let second = through(others[1].0);
    assert!(actions.contains(&Action::Dial { peer: other, addresses: vec![second] }), "{actions:?}");
}
