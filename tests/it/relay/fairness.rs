//! One address can't use up what a relay has for all: places, registrations, connections, the witness's time.

use std::time::Duration;

use gen_registry_core::sync::asking::wire::Answer;
use gen_registry_node::net::REGISTRATION_SECONDS;
use gen_registry_node::net::address::socket_of;
use gen_registry_node::net::forwarded::TrustedProxies;
use gen_registry_node::net::relay::limits::{RelayLimits, WitnessLimits};
use gen_registry_node::net::relay::{Relay, RelayOptions};
use libp2p::multiaddr::Protocol;
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, PeerId, rendezvous};

use super::topic;
use super::witness::Scene;
use crate::support::addresses::{connect_from, door, local, proxy};
use crate::support::asker::{Asker, seen};
use crate::support::relay::{options, relay_with};
use crate::support::relay_client::{BehaviourEvent, Client, eventually};

/// Whether a client that asks for a place gets one.
async fn gets_a_place(client: &mut Client, relay: &Multiaddr) -> bool {
    client.0.listen_on(relay.clone().with(Protocol::P2pCircuit)).unwrap();
    client
        .until("a place or a refusal", |event| match event {
            SwarmEvent::Behaviour(BehaviourEvent::Relay(libp2p::relay::client::Event::ReservationReqAccepted {
                ..
            })) => Some(true),
            SwarmEvent::ListenerClosed { .. } => Some(false),
            _ => None,
        })
        .await
}

/// Whether a client's registration is accepted.
async fn registers(client: &mut Client, relay: PeerId, namespace: &str) -> bool {
    let namespace = rendezvous::Namespace::new(namespace.to_owned()).unwrap();
    client.0.behaviour_mut().rendezvous.register(namespace, relay, Some(REGISTRATION_SECONDS)).unwrap();
    client
        .until("an answer to a registration", |event| match event {
            SwarmEvent::Behaviour(BehaviourEvent::Rendezvous(rendezvous::client::Event::Registered { .. })) => {
                Some(true)
            }
            SwarmEvent::Behaviour(BehaviourEvent::Rendezvous(rendezvous::client::Event::RegisterFailed { .. })) => {
                Some(false)
            }
            SwarmEvent::ConnectionClosed { .. } => Some(false),
            _ => None,
        })
        .await
}

/// Who is registered, as a client learns it.
async fn discovered(client: &mut Client, relay: PeerId, namespace: rendezvous::Namespace) -> Vec<PeerId> {
    client.0.behaviour_mut().rendezvous.discover(Some(namespace), None, None, relay);
    let registrations = client.until("an answer", |event| match event {
        SwarmEvent::Behaviour(BehaviourEvent::Rendezvous(rendezvous::client::Event::Discovered {
            registrations,
            ..
        })) => Some(registrations),
        _ => None,
    });
    registrations.await.iter().map(|registration| registration.record.peer_id()).collect()
}

/// A client that registers without a place: it says where it is.
async fn with_an_address(relay: &Multiaddr) -> Client {
    let mut client = Client::new();
    client.connect(relay).await;
    client.0.add_external_address("/ip4/192.0.2.1/tcp/1/ws".parse().unwrap());
    client
}

#[tokio::test]
async fn one_address_leaves_most_places_to_others() {
    let (_relay, view, address) = relay_with(RelayLimits::default()).await;
    let (busy, other) = (door(&address, local(1)).await, door(&address, local(2)).await);
    let mut running = Vec::new();
    let mut given = 0;
    for _ in 0..20 {
        let mut mallory = Client::new();
        given += usize::from(gets_a_place(&mut mallory, &busy).await);
        running.push(mallory.left_running());
    }
    assert_eq!(given, 16, "places of one address");
    let mut alice = Client::new();
    assert!(gets_a_place(&mut alice, &other).await);
    eventually("all are counted", || view.counts().reservations.get() == 17).await;
    running.iter().for_each(tokio::task::JoinHandle::abort);
    running.clear();
    eventually("places end with their connections", || view.counts().reservations.get() == 1).await;
}

#[tokio::test]
async fn places_are_renewed_also_when_all_are_taken() {
    let limits = RelayLimits { reservations: 2, reservation_time: Duration::from_secs(4), ..RelayLimits::default() };
    let (_relay, view, address) = relay_with(limits).await;
    let (mut alice, mut bob, mut carol) = (Client::new(), Client::new(), Client::new());
    alice.reserve(&address).await;
    bob.reserve(&address).await;
    assert!(!gets_a_place(&mut carol, &address).await, "all are taken");
    for client in [&mut alice, &mut bob] {
        client
            .until("a renewal", |event| match event {
                SwarmEvent::Behaviour(BehaviourEvent::Relay(
                    libp2p::relay::client::Event::ReservationReqAccepted { renewal: true, .. },
                )) => Some(()),
                SwarmEvent::ListenerClosed { reason, .. } => panic!("the renewal was refused: {reason:?}"),
                _ => None,
            })
            .await;
    }
    assert_eq!(view.counts().reservations.get(), 2);
}

#[tokio::test]
async fn registration_ends_with_its_connection() {
    let (_relay, view, address) = relay_with(RelayLimits::default()).await;
    let mut bob = with_an_address(&address).await;
    assert!(registers(&mut bob, view.peer_id(), &topic().to_string()).await);
    let mut alice = Client::new();
    alice.connect(&address).await;
    assert_eq!(discovered(&mut alice, view.peer_id(), topic()).await, [bob.peer()]);
    drop(bob);
    eventually("he is gone", || view.counts().connections.get() == 1).await;
    assert_eq!(discovered(&mut alice, view.peer_id(), topic()).await, []);
    assert_eq!(view.counts().registrations.get(), 0);
}

#[tokio::test]
async fn one_address_leaves_most_registrations_to_others() {
    let (_relay, view, address) = relay_with(RelayLimits::default()).await;
    let (busy, other) = (door(&address, local(1)).await, door(&address, local(2)).await);
    let mut bob = with_an_address(&other).await;
    assert!(registers(&mut bob, view.peer_id(), "network").await);
    let (mut running, mut given) = (Vec::new(), 0);
    for _ in 0..18 {
        let mut mallory = with_an_address(&busy).await;
        for number in 0..8 {
            given += usize::from(registers(&mut mallory, view.peer_id(), &format!("network {number}")).await);
        }
        running.push(mallory.left_running());
    }
    assert_eq!(given, 128, "registrations of one address");
    assert!(registers(&mut bob, view.peer_id(), "network").await, "a renewal");
    let mut alice = with_an_address(&other).await;
    assert!(registers(&mut alice, view.peer_id(), "network").await, "somebody new");
    running.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn garbage_and_many_keys_of_one_address_delay_no_other() {
    let data = tempfile::tempdir().unwrap();
    let scene = Scene::new(data.path(), WitnessLimits { rate: 40, ..WitnessLimits::default() }).await;
    let (busy, other) = (door(&scene.address, local(1)).await, door(&scene.address, local(2)).await);
    let mut turned_away = 0;
    for _ in 0..5 {
        let mut mallory = Asker::at(&busy).await;
        for _ in 0..20 {
            let answer = mallory.send(b"garbage").await.unwrap();
            turned_away += usize::from(Answer::decode(&answer) == Ok(Answer::Busy));
        }
    }
    assert!(turned_away > 0, "there is an end to it");
    let mut alice = Asker::at(&other).await;
    let (device, claim) = scene.claim("alice", "nova");
    seen(&alice.ask(&device, &claim).await, &scene.key, &device, &claim);
}

#[tokio::test]
async fn address_that_a_trusted_proxy_names_counts() {
    let limits = RelayLimits { reservations_per_address: 1, ..RelayLimits::default() };
    let with = RelayOptions { proxies: TrustedProxies::new([local(1)]), ..options(limits) };
    let relay = Relay::start(with).await.unwrap();
    let address = relay.view().addresses().remove(0);
    let mut running = Vec::new();
    for (source, client, is_given) in [
        (1, "192.0.2.1", true),
        (1, "203.0.113.9, 192.0.2.1", false),
        (1, "192.0.2.1, 192.0.2.2", true),
        (1, "2001:db8:1:2::1", true),
        (1, "2001:db8:1:2::ffff", false),
        (1, "2001:db8:1:3::1", true),
        // Nobody else is believed.
        (2, "192.0.2.3", true),
        (2, "192.0.2.4", false),
    ] {
        let way = proxy(&address, local(source), Some(client)).await;
        let mut somebody = Client::new();
        assert_eq!(gets_a_place(&mut somebody, &way).await, is_given, "{client} from {source}");
        running.push(somebody.left_running());
    }
    let mut direct = Client::new();
    assert!(gets_a_place(&mut direct, &address).await, "without a proxy");
    running.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn connections_that_never_begin_leave_room_for_others() {
    // Without origins the flood keeps everybody out: it is one.
    for by_address in [false, true] {
        let (_relay, view, address) = relay_with(RelayLimits { by_address, ..RelayLimits::default() }).await;
        let (to, way) = (socket_of(&address).unwrap(), door(&address, local(2)).await);
        let mut silent = Vec::new();
        for _ in 0..200 {
            silent.push(connect_from(local(1), to).await.unwrap());
        }
        eventually("those beyond the limit are closed", || view.counts().connections_refused.get() > 50).await;
        let mut alice = Client::new();
        alice.0.dial(way).unwrap();
        let is_in = alice.until("an answer or the end", |event| match event {
            SwarmEvent::ConnectionEstablished { .. } => Some(true),
            SwarmEvent::OutgoingConnectionError { .. } => Some(false),
            _ => None,
        });
        assert_eq!(is_in.await, by_address);
    }
}
